"""Whether a GIF is whole: FFmpeg and Pillow take one that ends early for a shorter one."""

from typing import BinaryIO

_MAGIC = b"GIF8"
_EXTENSION, _IMAGE, _END = b"!", b",", b";"
_HAS_COLOURS = 0x80


def what_gif_lacks(file: BinaryIO) -> str:
    """What is wrong with the blocks that a GIF consists of, in words; empty if nothing is."""
    head = file.read(13)  # of which the 11th byte says whether colours follow, and how many
    _skip_colours(file, head[10] if len(head) > 10 else 0)
    while kind := file.read(1):
        if kind == _END:
            return "another video follows its end" if file.read(4) == _MAGIC else ""
        if kind == _EXTENSION:
            file.seek(1, 1)
        elif kind == _IMAGE:
            place = file.read(9)
            _skip_colours(file, place[8] if len(place) > 8 else 0)
            file.seek(1, 1)
        else:
            return "a part of it is damaged"
        while (length := file.read(1)) and length[0]:
            file.seek(length[0], 1)
    return "its end is missing"


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & _HAS_COLOURS:
        file.seek(3 * 2 ** (1 + (flags & 7)), 1)
