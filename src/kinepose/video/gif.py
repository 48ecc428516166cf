"""Whether a GIF is whole: FFmpeg and Pillow take one that ends early for a shorter one."""

from typing import BinaryIO

from PIL import Image, ImageSequence

_MAGIC = b"GIF8"
_EXTENSION, _IMAGE, _END = b"!", b",", b";"
_HAS_COLOURS = 0x80
_DAMAGED = "a part of it is damaged"


def what_gif_lacks(file: BinaryIO) -> str:
    """What is wrong with the blocks that a GIF consists of, in words; empty if nothing is."""
    head = file.read(13)  # of which the 11th byte says whether colours follow, and how many
    _skip_colours(file, head[10] if len(head) > 10 else 0)
    while kind := file.read(1):
        if kind == _END:
            if file.read(4) == _MAGIC:
                return "another video follows its end"
            return "" if _unpacks(file) else _DAMAGED
        if kind == _EXTENSION:
            file.seek(1, 1)
        elif kind == _IMAGE:
            place = file.read(9)
            _skip_colours(file, place[8] if len(place) > 8 else 0)
            file.seek(1, 1)
        else:
            return _DAMAGED
        while (length := file.read(1)) and length[0]:
            file.seek(length[0], 1)
    return "its end is missing"


def _unpacks(file: BinaryIO) -> bool:
    """Whether the pixels of all images are there: FFmpeg paints on where Pillow stops."""
    file.seek(0)
    try:
        with Image.open(file) as images:
            for image in ImageSequence.Iterator(images):
                image.load()
    except Exception:  # whatever Pillow raises
        return False
    return True


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & _HAS_COLOURS:
        file.seek(3 * 2 ** (1 + (flags & 7)), 1)
