"""What can be wrong with arrays in an npz file, and with the archive that they lie in."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from tools.fuzz.damage import PICKLE, Damage, Mutation, Numbers


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """An npz file."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def load(data: bytes) -> dict[str, np.ndarray]:
    """What `npz` wrote."""
    with np.load(io.BytesIO(data)) as archive:
        return {name: archive[name] for name in archive.files}


def npy(head: bytes, data: bytes = b"") -> bytes:
    """An npy file with any head."""
    head = head + b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def zip_of(members: dict[str, bytes]) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def bomb(data: bytes, key: str, gigabytes: float) -> bytes:
    """The archive, one member of which inflates to so much: a few MB of it on disk."""
    array = load(data)[key]
    row = max(1, int(np.prod(array.shape[1:])) * array.itemsize)
    blocks = int(gigabytes * 2**30) // 2**20
    size = blocks * 2**20 // row * row
    kind = np.lib.format.dtype_to_descr(array.dtype)
    shape = (size // row, *array.shape[1:])
    head = npy(repr({"descr": kind, "fortran_order": False, "shape": shape}).encode())
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -15)
    last = end.compress(bytes(size - (size // 2**20) * 2**20)) + end.flush()
    packed = start + block * (size // 2**20) + last
    check = zlib.crc32(head)
    for _ in range(size // 2**20):
        check = zlib.crc32(bytes(2**20), check)
    check = zlib.crc32(bytes(size - (size // 2**20) * 2**20), check)
    members = {f"{name}.npy": None for name in load(data) if name != key}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in members:
            member = io.BytesIO()
            np.lib.format.write_array(member, load(data)[name[:-4]])
            archive.writestr(name, member.getvalue())
        info = zipfile.ZipInfo(f"{key}.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        info.header_offset = out.tell()
        info.CRC, info.compress_size, info.file_size = check, len(packed), len(head) + size
        out.write(info.FileHeader())
        out.write(packed)
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
        archive.start_dir = out.tell()
        archive._didModify = True
    return out.getvalue()


def npz_mutations(base: bytes) -> list[Damage]:
    """What can be wrong with arrays and their archive; and whether it must be refused."""
    made: list[Damage] = []

    def add(words: str, change: Callable[[dict], object], expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            arrays = load(data)
            change(arrays)
            return npz(arrays)

        made.append((words, mutate, expect))

    def put(key: str, value: object) -> Callable[[dict], object]:
        def change(arrays: dict) -> None:
            new = value(arrays[key]) if callable(value) else value
            arrays[key] = np.asarray(new)

        return change

    def one(array: np.ndarray, value: object) -> np.ndarray:
        changed = array.copy()
        changed.reshape(-1)[min(3, changed.size - 1)] = value
        return changed

    for key, array in load(base).items():
        add(f"no {key}", lambda arrays, key=key: arrays.pop(key))
        add(f"{key} an object", put(key, np.array([None, 1], object)))
        if array.dtype.kind in "fiu":
            add(f"{key} words", put(key, lambda a: np.full(a.shape, "word")))
            add(f"{key} complex", put(key, lambda a: a.astype(complex) + 1j))
            add(f"{key} bool", put(key, lambda a: a.astype(bool)), "any")
            add(f"{key} uint8", put(key, lambda a: a.astype(np.uint8)), "any")
            add(f"{key} big-endian", put(key, lambda a: a.astype(a.dtype.newbyteorder())), "any")
            add(f"{key} zeros", put(key, lambda a: np.zeros_like(a)), "any")
        if array.dtype.kind == "f":
            nan = "any" if key == "energy" else "fail"
            for value in (np.nan, np.inf):
                add(f"{key} with {value}", put(key, lambda a, v=value: one(a, v)), nan)
            add(f"{key} with -1", put(key, lambda a: one(a, -1)), "fail" if key == "fps" else "any")
            add(f"{key} with 1e30", put(key, lambda a: one(a, 1e30)), "any")
            add(f"{key} float64", put(key, lambda a: a.astype(np.float64)), "any")
            add(f"{key} int64", put(key, lambda a: np.nan_to_num(a).astype(np.int64)), "any")
        if array.dtype.kind in "iu" and array.ndim:
            for value in (-1, 2**40, 2**62):
                if np.iinfo(array.dtype).min <= value <= np.iinfo(array.dtype).max:
                    add(f"{key} with {value}", put(key, lambda a, v=value: one(a, v)), "any")
            add(f"{key} backwards", put(key, lambda a: a[::-1].copy()), "any")
            add(f"{key} all the same", put(key, lambda a: np.full_like(a, a.flat[0])), "any")
            add(f"{key} float64", put(key, lambda a: a.astype(float)), "any")
            add(f"{key} halves", put(key, lambda a: a + 0.5), "any")
        if array.ndim:
            add(f"{key} without its last row", put(key, lambda a: a[:-1]))
            add(f"{key} without rows", put(key, lambda a: a[:0]))
            add(f"{key} with one dimension more", put(key, lambda a: a[None]))
            add(f"{key} one number", put(key, lambda a: a.reshape(-1)[0]))
        else:
            add(f"{key} twice", put(key, lambda a: np.array([a, a])))
        if array.ndim > 1:
            add(f"{key} without its last column", put(key, lambda a: a[..., :-1]))
    first = next(k for k, a in load(base).items() if a.ndim and a.dtype.kind == "f")

    def no_rows(arrays: dict) -> None:
        rows = len(arrays[first])
        for key, value in arrays.items():
            if value.ndim and len(value) == rows:
                arrays[key] = value[:0]

    def one_row(arrays: dict) -> None:
        rows = len(arrays[first])
        for key, value in arrays.items():
            if value.ndim and len(value) == rows:
                arrays[key] = value[:1]

    add("no rows at all", no_rows, "any")
    add("one row", one_row, "any")

    def add_raw(words: str, mutate: Mutation, expect: str = "fail") -> None:
        made.append((words, mutate, expect))

    def with_member(head: str, body: bytes = b"") -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            members = {}
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            members[f"{first}.npy"] = npy(head.encode(), body)
            return zip_of(members)

        return mutate

    f4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    add_raw(f"{first} claims 4 TB", with_member(f4 % "(1099511627776,)", bytes(64)))
    add_raw(
        f"{first} claims 10^30 rows",
        with_member(f4 % "(10**30,)".replace("10**30", "1" + "0" * 30)),
    )
    add_raw(f"{first} has -1 rows", with_member(f4 % "(-1,)"))
    add_raw(f"{first}'s head is a list", with_member("[1, 2]"))
    add_raw(f"{first}'s head is nested 4000 deep", with_member("(" * 4000))
    add_raw(f"{first}'s head is 20 kB", with_member(f4 % "(1,)" + " " * 20000))
    add_raw(
        f"{first}'s head calls a program", with_member("__import__('os').system('touch pwned')")
    )
    objects = "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    add_raw(f"{first} is pickled", with_member(objects, PICKLE))
    add_raw(
        f"{first} is void", with_member("{'descr': '|V0', 'fortran_order': False, 'shape': (9,)}")
    )
    add_raw(f"{first} inflates to 3 GiB", lambda d, n: bomb(d, first, 3))
    add_raw(f"{first} inflates to 3.9 GiB", lambda d, n: bomb(d, first, 3.9))

    def zip_field(offset_local: int, offset_central: int, value: int) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            changed = bytearray(data)
            for mark, offset in ((b"PK\x03\x04", offset_local), (b"PK\x01\x02", offset_central)):
                start = changed.find(mark)
                while start >= 0:
                    struct.pack_into("<H", changed, start + offset, value)
                    start = changed.find(mark, start + 4)
            return bytes(changed)

        return mutate

    add_raw("members said to be encrypted", zip_field(6, 8, 1))
    add_raw("members packed in way 99", zip_field(8, 10, 99))
    add_raw("members said to be bzip2", zip_field(8, 10, 12))
    add_raw("members said to be LZMA", zip_field(8, 10, 14))
    add_raw("members said to be stored", zip_field(8, 10, 0))
    add_raw("needs version 99 of zip", zip_field(4, 6, 99))
    add_raw("one bare array", lambda d, n: npy((f4 % "(3,)").encode(), bytes(12)))
    add_raw("a zip of texts", lambda d, n: zip_of({"a.txt": b"a", "b.txt": b"b"}))
    add_raw("an empty zip", lambda d, n: zip_of({}))

    def bare(data: bytes, numbers: Numbers) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return zip_of({name: archive.read(name)[20:] for name in archive.namelist()})

    add_raw("members without their heads", bare)
    return made
