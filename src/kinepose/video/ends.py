"""Whether a video file is as long as it says: FFmpeg takes what ends early for a shorter one."""

import os
from pathlib import Path
from typing import BinaryIO

_SEGMENT = b"\x18\x53\x80\x67"
"""Of Matroska and WebM: all that follows their head."""


def is_cut_off(path: Path) -> bool:
    """Whether an AVI, Matroska, WebM, MP4 or MOV ends before what it consists of does.

    Of other formats, and where the length was not known when it was written, there is no telling.
    """
    with path.open("rb") as file:
        head, held = file.read(12), os.fstat(file.fileno()).st_size
        file.seek(0)
        if head.startswith(b"RIFF"):
            return 8 + int.from_bytes(head[4:8], "little") > held
        if head.startswith(b"\x1a\x45\xdf\xa3"):
            return _end_of_segment(file) > held
        return head[4:8] == b"ftyp" and _end_of_boxes(file, held) > held


def _end_of_segment(file: BinaryIO) -> int:
    """Where Matroska's segment, which holds all but the head, should end; 0 if it does not say."""
    file.seek(4)
    length = _length(file)
    file.seek(length or 0, os.SEEK_CUR)
    if length is None or file.read(4) != _SEGMENT:
        return 0
    length = _length(file)
    return 0 if length is None else file.tell() + length


def _length(file: BinaryIO) -> int | None:
    """A number of EBML, whose first byte says how many bytes it has; None where all bits are 1."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    size = 9 - first[0].bit_length()
    bits = int.from_bytes(first + file.read(size - 1)) & ((1 << 7 * size) - 1)
    return None if bits == (1 << 7 * size) - 1 else bits


def _end_of_boxes(file: BinaryIO, held: int) -> int:
    """Where the last box of an MP4 should end, each box saying how long it is."""
    at = 0
    while at < held:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if length < 8 or not head[4:8].isalnum():  # to the end of the file, or no box
            return 0
        at += length
    return at
