"""What can happen to any file: to its bytes, or to what stands in its place."""

import os
import shutil
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

Numbers = np.random.Generator
Mutation = Callable[[bytes, Numbers], bytes]
Damage = tuple[str, Mutation, str]
"""In words; what is done; whether it must be refused (`Case.expect`)."""


PICKLE = b"\x80\x04cos\nsystem\n(X\x0b\x00\x00\x00touch pwnedtR."


def _flipped(data: bytes, numbers: Numbers, low: int, high: int) -> bytes:
    changed = bytearray(data)
    low, high = max(0, min(low, len(data) - 1)), max(1, min(high, len(data)))
    for start in numbers.integers(low, max(low + 1, high), int(numbers.integers(1, 9))):
        changed[start] ^= int(numbers.integers(1, 256))
    return bytes(changed)


def _zeroed(data: bytes, numbers: Numbers) -> bytes:
    start = int(numbers.uniform(0.05, 0.9) * len(data))
    length = max(1, int(numbers.uniform(0.05, 0.3) * len(data)))
    return (data[:start] + bytes(length) + data[start + length :])[: len(data)]


def _swapped(data: bytes, numbers: Numbers) -> bytes:
    a, b, c = sorted(int(x) for x in numbers.integers(1, max(2, len(data)), 3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


WRONG_TYPES: dict[str, bytes] = {
    "a text": b"This is no such file.\n" * 20,
    "an HTML page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    "JSON": b'{"a": [1, 2, 3]}\n',
    "gzip": b"\x1f\x8b\x08\x00" + bytes(6) + zlib.compress(b"x" * 200)[2:],
    "an ELF program": b"\x7fELF\x02\x01\x01" + bytes(200),
    "a pickle": PICKLE,
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n",
    "UTF-16": "frame,track\n1,2\n".encode("utf-16"),
}

BYTES: dict[str, Mutation] = {
    "truncated": lambda d, n: d[: max(1, int(n.uniform(0.02, 0.98) * len(d)))],
    "bytes flipped in its head": lambda d, n: _flipped(d, n, 0, 256),
    "bytes flipped": lambda d, n: _flipped(d, n, 0, len(d)),
    "bytes flipped in its tail": lambda d, n: _flipped(d, n, len(d) - 256, len(d)),
    "a part zeroed": _zeroed,
    "parts swapped": _swapped,
    "its last byte missing": lambda d, n: d[:-1],
    "1 kB appended": lambda d, n: d + n.bytes(1000),
    "twice in a row": lambda d, n: d + d,
    "random bytes": lambda d, n: n.bytes(min(len(d), 100_000)),
    "zeros": lambda d, n: bytes(min(len(d), 100_000)),
    "empty": lambda d, n: b"",
}

PLAINLY_BAD = {"random bytes", "zeros", "empty"}

PLACES = (
    "missing",
    "folder",
    "dangling link",
    "link to itself",
    "pipe",
    "socket",
    "/dev/null",
    "/dev/zero",
)


def put_in_place(path: Path, kind: str) -> None:
    """Something that is no plain file, where a file was."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
        (path / "a.txt").write_text("a\n")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind.startswith("/dev/"):
        path.symlink_to(kind)
