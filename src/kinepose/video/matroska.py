"""Whether a Matroska or WebM is whole: FFmpeg passes over what it cannot make out in one."""

import math
import os
from typing import BinaryIO

MAGIC = b"\x1a\x45\xdf\xa3"
_SEGMENT, _CLUSTER, _TRACKS = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b"
_PARTS = {_CLUSTER, _TRACKS} | {
    *(b"\x11\x4d\x9b\x74", b"\x15\x49\xa9\x66", b"\x1c\x53\xbb\x6b"),  # what is where, about, cues
    *(b"\x10\x43\xa7\x70", b"\x19\x41\xa4\x69", b"\x12\x54\xc3\x67"),  # chapters, files, tags
}
"""What a segment consists of."""
_TRACK, _TRACK_NUMBER, _GROUP = b"\xae", b"\xd7", b"\xa0"
_BLOCKS = {b"\xa3", b"\xa1"}
_IN_CLUSTER = _BLOCKS | {
    *(_GROUP, b"\xe7", b"\x58\x54", b"\xa7", b"\xab", b"\xaf"),
    *(b"\x9b", b"\xfb", b"\xfa", b"\xfd", b"\xa4", b"\x75\xa1", b"\x75\xa2"),  # in groups of blocks
    *(b"\x8e", b"\xa2", b"\xc8"),  # of old files
}
_ANYWHERE = {b"\xec", b"\xbf"}
"""Room that is kept free, and checksums."""
_ENTERED = {_CLUSTER, _TRACKS, _TRACK, _GROUP}
_DAMAGED, _CUT_OFF = "a part of it is damaged", "its end is missing"


def what_matroska_lacks(file: BinaryIO, held: int) -> str:
    """What is wrong with the elements of a file of `held` bytes, in words; empty if nothing is."""
    name = _name(file)
    while name == MAGIC or name in _ANYWHERE:
        file.seek(_length(file) or 0, os.SEEK_CUR)
        name = _name(file)
    if name != _SEGMENT:
        return _DAMAGED
    length = _length(file)
    end = held if length is None else file.tell() + length
    wrong = _CUT_OFF if end > held else _wrong_in_segment(file, end)
    return wrong or ("another video follows its end" if _name(file) == MAGIC else "")


def _wrong_in_segment(file: BinaryIO, end: int) -> str:
    """The same of a segment, which is gone through from head to head."""
    part, part_end, tracks = b"", 0.0, set()
    while (at := file.tell()) < end:
        name, length = _name(file), _length(file)
        start = file.tell()
        stop = math.inf if length is None else start + length
        if name == MAGIC:  # after a segment of unknown length
            file.seek(at)
            return ""
        if name in _PARTS:
            part, part_end = name, stop
        elif name not in _ANYWHERE and (
            at >= part_end or (part == _CLUSTER and name not in _IN_CLUSTER)
        ):
            return _DAMAGED
        if name in _ENTERED:
            continue
        if length is None or stop > end or stop > part_end > at:
            return _CUT_OFF if stop > end else _DAMAGED
        if part == _TRACKS and name == _TRACK_NUMBER:
            tracks.add(int.from_bytes(file.read(length)))
        elif part == _CLUSTER and name in _BLOCKS and _length(file) not in tracks:
            return _DAMAGED
        file.seek(int(stop))
    return ""


def _name(file: BinaryIO) -> bytes:
    """Of an element, whose first byte says how many it has."""
    first = file.read(1)
    return first + file.read(8 - first[0].bit_length()) if first and first[0] else first


def _length(file: BinaryIO) -> int | None:
    """A number whose first byte says how many it has; None where all bits are 1, for unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    size = 9 - first[0].bit_length()
    bits = int.from_bytes(first + file.read(size - 1)) & ((1 << 7 * size) - 1)
    return None if bits == (1 << 7 * size) - 1 else bits
