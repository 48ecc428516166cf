"""Files of single images: decoded whole, and what is damaged in them is said."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from simplejpeg import decode_jpeg

from kinepose.io.errors import BrokenVideoWarning
from kinepose.io.files import decoding, read_whole, regular_file


@contextmanager
def opened_image(path: Path) -> Generator[Image.Image]:
    """An image of any format that Pillow knows, its first one loaded.

    Raises:
        BadInputError: if it cannot be read, or the block fails. Where a part of a JPEG is damaged,
            which its reader paints somehow, a BrokenVideoWarning says so.
    """
    with decoding(regular_file(path), "image"), Image.open(path) as image:
        if image.format == "PNG":
            with Image.open(path) as again:
                again.verify()  # the sums of its parts, which loading passes over
        if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
            yield _read_jpeg(path, image)
        else:
            image.load()
            yield image


def _read_jpeg(path: Path, head: Image.Image) -> Image.Image:
    """Decoded by what says of damage that Pillow passes over, to the same pixels."""
    data = read_whole(path)
    try:
        pixels = decode_jpeg(data, strict=True)
    except ValueError as error:
        if "Premature" in str(error):  # cut off
            raise
        pixels = decode_jpeg(data, strict=False)
        message = f"{path.name} is broken (a part of it is damaged); it is used as it is"
        warnings.warn(message, BrokenVideoWarning, stacklevel=4)
    image = Image.fromarray(pixels)
    image.info = head.info
    return image
