"""Arrays in files: what they must be stands in annotations, and is checked before they are read.

A schema is a dataclass of arrays, or a mapping of names to annotations: type and shape, with named
dimensions that all arrays of a file share, by jaxtyping; a range by `Interval`. `Shaped` means
texts. Numbers are finite unless UNKNOWN allows nan. Files may hold other floats or integers than
asked for, or integers for floats, and other arrays beside; nothing is unpickled. What is LEFT_OUT
of a file is nan in memory.
"""

import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import (
    Annotated,
    Any,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
from annotated_types import Interval
from jaxtyping import Shaped, jaxtyped

from kinepose.io.errors import BadInputError
from kinepose.io.files import check_memory, decoding, regular_file, replacing

Kind = TypeVar("Kind")
Schema = Mapping[str, Any]
UNKNOWN = "nan where it is not known"
"""Among the annotations of an array of floats."""
LEFT_OUT = "not in the file if all of it is nan"
"""Among those of one that has a number a row."""
_MOST_PACKED = 1100
"""Times that deflate can make a file smaller; what claims more is no such file."""

_CHUNK = 2**18
"""Bytes that are unpacked at once: more would leave the processor's cache."""


class Head(NamedTuple):
    """What a file says of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype
    is_fortran: bool = False
    """Whether the first axis runs fastest."""


def schema_of(kind: Any) -> Schema:
    """The annotations of a dataclass of arrays."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def read_arrays(path: Path, kind: type[Kind], what: str, fixed: Mapping[str, Any]) -> Kind:
    """The dataclass of an npz file of `what`, which must also say what is fixed: its version.

    Raises:
        BadInputError: if there is no such file, it is another, or an array does not fit.
    """
    return kind(**read_npz(path, schema_of(kind), what, fixed))


def write_npz(
    path: Path, arrays: Mapping[str, np.ndarray], schema: Schema, fixed: Mapping[str, Any]
) -> None:
    """Write an npz file that `read_npz` reads, whole or not at all.

    Raises:
        BadInputError: if an array does not fit: a number is not finite, say.
    """
    fitting = check_arrays(f"cannot write {path}", arrays, schema)
    for name in _may_be_left_out(schema):
        if np.isnan(fitting[name]).all():
            del fitting[name]
    with replacing(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **fixed, **fitting)


def read_npz(
    path: Path, schema: Schema, what: str, fixed: Mapping[str, Any] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a schema, out of an npz file of `what`.

    Raises:
        BadInputError: as `read_arrays` does.
    """
    fixed = fixed or {}
    with (
        regular_file(path).open("rb") as file,
        decoding(path, f"npz file of {what}"),
        zipfile.ZipFile(file) as archive,
        ExitStack() as stack,
    ):
        held = {name.removesuffix(".npy") for name in archive.namelist()}
        left_out = _may_be_left_out(schema) - held
        if missing := sorted({*fixed, *schema} - held - left_out):
            raise BadInputError(f"{path} holds no {what}: it lacks {', '.join(missing)}")
        there = {name: hint for name, hint in schema.items() if name not in left_out}
        members: dict[str, Any] = {}
        heads: dict[str, Head] = {}
        for name in (*fixed, *there):
            members[name] = stack.enter_context(archive.open(f"{name}.npy"))
            heads[name] = _read_head(path, name, members[name], archive.getinfo(f"{name}.npy"))
        for name, wanted in fixed.items():
            said = _read_member(members[name], heads[name])
            if not np.array_equal(said, np.array(wanted)):
                name, said = name.replace("_", " "), str(said.tolist())[:60]
                raise BadInputError(f"{path} holds no {what} that we read: its {name}: {said}")
        check_heads(str(path), heads, there)
        arrays = {name: _read_member(members[name], heads[name]) for name in there}
    for name in left_out:
        array, *_ = _parts(schema[name])
        like = next(other for other in there if _first_dimension(there[other]) == array.dim_str)
        arrays[name] = np.full(len(arrays[like]), np.nan, array.dtypes[-1])
    return check_arrays(str(path), arrays, schema)


def map_npy(path: Path, hint: Any, what: str) -> Shaped[np.ndarray, "..."]:
    """The array of an npy file of `what`, as `hint` has it, mapped into memory.

    Raises:
        BadInputError: as `read_arrays` does, but for numbers that do not fit: none is looked at.
    """
    with decoding(regular_file(path), f"npy file of {what}"):
        array = np.lib.format.open_memmap(path, mode="r")
    check_heads(str(path), {what: Head(array.shape, array.dtype)}, {what: hint})
    return array


def npz_names(path: Path, what: str) -> set[str]:
    """The names of the arrays in an npz file.

    Raises:
        BadInputError: if there is none.
    """
    with (
        regular_file(path).open("rb") as file,
        decoding(path, f"npz file of {what}"),
        zipfile.ZipFile(file) as archive,
    ):
        return {name.removesuffix(".npy") for name in archive.namelist()}


def check_heads(where: str, heads: Mapping[str, Head], schema: Schema) -> None:
    """Types and shapes, without the arrays themselves; and that they have room in memory.

    Raises:
        BadInputError: if one is another, or is not there.
    """
    sizes: dict[str, int] = {}
    with jaxtyped("context"):
        for name, hint in schema.items():
            if name not in heads:
                raise BadInputError(f"{where}: it lacks {name}")
            shape, dtype, _ = heads[name]
            wanted, (array, *_) = _dtype(hint, dtype), _parts(hint)
            fits = wanted is not None and isinstance(
                np.broadcast_to(np.zeros((), wanted), shape), array
            )
            if not fits:
                names = [str(sizes.get(each, each)) for each in array.dim_str.split()]
                kind = "text" if _is_text(hint) else array.dtypes[-1]
                raise BadInputError(
                    f"{where}: {name} is {dtype} ({_sizes(shape)}), not {kind} ({', '.join(names)})"
                )
            sizes |= dict(zip(array.dim_str.split(), shape, strict=False))  # *one is any number
    check_memory(where, sum(_bytes(heads[name]) for name in schema))


def check_arrays(
    where: str, arrays: Mapping[str, np.ndarray], schema: Schema
) -> dict[str, np.ndarray]:
    """The arrays as the schema has them, after a look at types, shapes and every number.

    Raises:
        BadInputError: if one does not fit.
    """
    check_heads(where, {n: Head(a.shape, a.dtype) for n, a in arrays.items()}, schema)
    fitting = {}
    for name, hint in schema.items():
        with np.errstate(over="ignore"):  # what is too large becomes inf, and is refused as that
            array = arrays[name].astype(_dtype(hint, arrays[name].dtype), copy=False)
        if wrong := _wrong(array, hint):
            raise BadInputError(f"{where}: {name} {wrong}")
        fitting[name] = array
    return fitting


def _wrong(array: Shaped[np.ndarray, "..."], hint: Any) -> str:
    """What is wrong with an array's values, if anything is."""
    _, *rules = _parts(hint)
    if _is_text(hint):
        try:
            "".join(array.ravel().tolist()).encode()
        except ValueError:
            return "holds what is no text"
        return ""
    if not array.size or array.dtype.kind not in "iuf":
        return ""
    may_lack = UNKNOWN in rules
    ends = (np.fmin, np.fmax) if may_lack else (np.minimum, np.maximum)  # these pass nan on
    with np.errstate(invalid="ignore"):
        low, high = (end.reduce(array, axis=None) for end in ends)
    if np.isinf([low, high]).any() or (np.isnan(low) and not may_lack):
        return "holds numbers that are not finite"
    for rule in rules:
        if isinstance(rule, Interval):
            if (rule.ge is not None and low < rule.ge) or (rule.gt is not None and low <= rule.gt):
                return f"holds {low:g}, which is too low"
            if rule.le is not None and high > rule.le:
                return f"holds {high:g}, which is too high"
    return ""


def _read_head(path: Path, name: str, member: Any, info: zipfile.ZipInfo) -> Head:
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, is_fortran, dtype = read[version](member)
    head = Head(tuple(shape), dtype, is_fortran)
    if dtype.hasobject:
        raise BadInputError(f"{path}: {name} is no plain array")
    if _bytes(head) != info.file_size - member.tell() or (
        info.file_size > _MOST_PACKED * (info.compress_size + 1)
    ):
        raise BadInputError(f"{path}: {name} is not as large as it says")
    return head


def _read_member(member: Any, head: Head) -> Shaped[np.ndarray, "..."]:
    array = np.empty(head.shape[::-1] if head.is_fortran else head.shape, head.dtype)
    room = array.reshape(-1).view(np.uint8) if array.nbytes else ()
    for start in range(0, array.nbytes, _CHUNK):
        member.readinto(room[start : start + _CHUNK])
    member.read(1)  # to the end, where the checksum is
    return array.T if head.is_fortran else array


def _bytes(head: Head) -> int:
    size = head.dtype.itemsize
    for length in head.shape:
        size *= length
    return size


def _dtype(hint: Any, held: np.dtype) -> np.dtype | None:
    """What an array becomes in memory; None if it is of another kind."""
    array, *_ = _parts(hint)
    if _is_text(hint):
        return held if held.kind == "U" else None
    if held.name in array.dtypes:
        return held.newbyteorder("=")
    other = np.dtype(array.dtypes[-1])
    fits = held.kind == other.kind or (other.kind == "f" and held.kind in "iu")
    return other if fits else None


def _parts(hint: Any) -> tuple[Any, ...]:
    """The array's type, and what is annotated."""
    return get_args(hint) if get_origin(hint) is Annotated else (hint,)


def _may_be_left_out(schema: Schema) -> set[str]:
    return {name for name, hint in schema.items() if LEFT_OUT in _parts(hint)[1:]}


def _first_dimension(hint: Any) -> str:
    return next(iter(_parts(hint)[0].dim_str.split()), "")


def _is_text(hint: Any) -> bool:
    return _parts(hint)[0].dtype is Shaped


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
