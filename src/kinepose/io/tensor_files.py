"""Files of safetensors: what the head says is checked before, and every number after reading.

Those that we write carry a checksum in their metadata, by which a flipped bit is found.
"""

import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from kinepose.io.errors import BadInputError
from kinepose.io.files import decoding, read_whole, regular_file, replacing
from kinepose.io.schema import from_json

_LONGEST_HEAD = 100_000_000
"""[bytes], as the format has it."""
_CHECKSUM = "crc32"
"""Under which the metadata has it."""


@dataclass(frozen=True)
class TensorHead:
    """What a file says of a tensor."""

    dtype: str
    shape: tuple[Annotated[int, Interval(ge=0, le=2**40)], ...]
    data_offsets: tuple[int, int]
    """Where its numbers begin and end, behind the head [bytes]."""


def read_heads(path: Path) -> tuple[dict[str, TensorHead], dict[str, str]]:
    """The tensors of a file by name, without their numbers, and its metadata.

    Raises:
        BadInputError: if there is no such file, or it is another.
    """
    with regular_file(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length < min(_LONGEST_HEAD, path.stat().st_size) else b""
    with decoding(path, "file of safetensors"):
        said = json.loads(text)
        metadata = said.pop("__metadata__", {})
    heads = from_json(json.dumps(said), dict[str, TensorHead], str(path))
    end = 0
    for start, stop in sorted(head.data_offsets for head in heads.values()):
        if start != end:
            raise BadInputError(f"{path}: one tensor does not begin where another ends")
        end = stop
    if 8 + length + end != path.stat().st_size:
        raise BadInputError(f"{path} is not as long as it says: it is cut off, or broken")
    return heads, from_json(json.dumps(metadata), dict[str, str], str(path))


def read_tensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors of a file by name, and its metadata. Nothing is unpickled.

    Raises:
        BadInputError: if there is no such file, it is another, its checksum, if it has one, is
            another, or a number is not finite.
    """
    from safetensors.torch import load  # only here: what looks into a run needs no torch

    _, metadata = read_heads(path)
    data = read_whole(path)
    with decoding(path, "file of safetensors"):
        tensors = load(data)
        if name := not_finite(tensors):
            raise BadInputError(f"{path}: {name} holds numbers that are not finite")
        written = metadata.pop(_CHECKSUM, None)
        if written is not None and written != _checksum(tensors, metadata):
            raise BadInputError(f"{path} is damaged: its checksum is not that of what it holds")
    return tensors, metadata


def not_finite(tensors: dict[str, Any]) -> str | None:
    """The first tensor with a number that is nan or infinite, if there is one."""
    return next((name for name, tensor in tensors.items() if not _is_finite(tensor)), None)


def save_tensors(
    tensors: dict[str, Any], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file with a checksum, whole or not at all.

    Its own `save_file` would, when killed, leave a file of a name that nobody cleans up.

    Raises:
        BadInputError: if it cannot be written; a full disk, for one.
    """
    from safetensors.torch import save as to_bytes

    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    said = metadata or {}
    marked = said | {_CHECKSUM: _checksum(contiguous, said)}
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(to_bytes(contiguous, marked))
    except OSError as error:
        raise BadInputError(f"cannot write {path.name}: {error.strerror}") from error


def _is_finite(tensor: Any) -> bool:
    """By the smallest and largest number, which are nan if one is: a tenth of `isfinite`'s time."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    return all(math.isfinite(end) for end in tensor.aminmax())


def _checksum(tensors: dict[str, Any], metadata: dict[str, str]) -> str:
    """Of names, kinds, shapes and numbers, and of what else the file says."""
    import torch

    described = [[name, str(t.dtype), list(t.shape)] for name, t in sorted(tensors.items())]
    found = zlib.crc32(json.dumps([described, sorted(metadata.items())]).encode())
    for _, tensor in sorted(tensors.items()):
        found = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy(), found)
    return f"{found:08x}"


def check_tensors(path: Path, tensors: dict[str, Any], wanted: dict[str, Any]) -> None:
    """That the tensors of a file are those wanted, by names, shapes and kinds of numbers.

    Raises:
        BadInputError: with the first that differs.
    """
    for name in sorted({*tensors, *wanted}):
        held, other = tensors.get(name), wanted.get(name)
        if held is None or other is None:
            differs = "missing" if held is None else "too many"
        elif held.shape != other.shape:
            differs = f"{tuple(held.shape)}, not {tuple(other.shape)}"
        elif held.is_floating_point() != other.is_floating_point():
            differs = f"{held.dtype}, not {other.dtype}"
        else:
            continue
        raise BadInputError(f"{path} does not fit config.json: {name} is {differs}")
