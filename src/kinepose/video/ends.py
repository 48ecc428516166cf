"""Whether a video file is whole: FFmpeg takes what ends early, or is damaged, for a shorter one."""

import os
from pathlib import Path
from typing import BinaryIO

from kinepose.video.gif import what_gif_lacks
from kinepose.video.matroska import MAGIC as MATROSKA
from kinepose.video.matroska import what_matroska_lacks

_PACK, _END_OF_PACKS = b"\x00\x00\x01\xba", b"\x00\x00\x01\xb9"
_CUT_OFF, _DAMAGED = "its end is missing", "a part of it is damaged"


def what_file_lacks(path: Path) -> str:
    """What is wrong with the parts of a GIF, AVI, Matroska, WebM, MP4, MOV or MPEG, in words.

    Empty if nothing is. Of other formats, and where the length was not known when it was written,
    there is no telling.
    """
    with path.open("rb") as file:
        head, held = file.read(12), os.fstat(file.fileno()).st_size
        file.seek(0)
        if head.startswith(b"GIF8"):
            return what_gif_lacks(file)
        if head.startswith(MATROSKA):
            return what_matroska_lacks(file, held)
        if head.startswith(b"RIFF"):
            return _what_avi_lacks(file, held)
        if head.startswith(_PACK):
            return _what_packs_lack(file, held)
        return _CUT_OFF if head[4:8] == b"ftyp" and _end_of_boxes(file, held) > held else ""


def _what_avi_lacks(file: BinaryIO, held: int) -> str:
    end = 8 + int.from_bytes(file.read(8)[4:], "little")
    file.seek(end + end % 2)
    following = file.read(12)
    if end > held:
        return _CUT_OFF
    is_followed = following[:4] == b"RIFF" and following[8:] == b"AVI "
    return "another video follows its end" if is_followed else ""


def _what_packs_lack(file: BinaryIO, held: int) -> str:
    """Of MPEG's program streams: each pack and each packet within says how long it is."""
    at = 0
    while at < held:
        file.seek(at)
        head = file.read(14).ljust(14, b"\0")
        rest = head.lstrip(b"\0")
        zeros = len(head) - len(rest)  # of which two begin the next packet
        if head[:4] == _PACK:
            at += 14 + (head[13] & 7) if head[4] >> 6 == 1 else 12  # of MPEG-2, of MPEG-1
        elif head[:4] == _END_OF_PACKS:
            at += 4
        elif zeros == 2 and rest[0] == 1 and head[3] > _PACK[3]:
            length = int.from_bytes(head[4:6])
            if not length:  # up to the next one, wherever that is
                return ""
            at += 6 + length
        elif zeros > 2 and rest[:1] in (b"", b"\1"):
            at = min(at + zeros - 2, held)
        else:
            return _DAMAGED
    return _CUT_OFF if at > held else ""


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
