"""Images, as a viewer shows them, and animated ones, which are videos."""

import re
import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

from kinepose.io.errors import BadInputError, BrokenVideoWarning, VideoWarning
from kinepose.io.files import IMAGE_SUFFIXES
from kinepose.io.image_files import opened_image
from kinepose.video.containers import address
from kinepose.video.display import HDR_TRANSFERS, ImageArray, over_plain
from kinepose.video.tone_mapping import Transfer, to_sdr

pillow_heif.register_heif_opener()

SUFFIXES = IMAGE_SUFFIXES | {".apng", ".avif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".mpo"}
"""Of what is taken for an image."""
_ANIMATED = frozenset({".webp", ".png", ".apng", ".avif"})
"""Suffixes of images that may move; .gif is FFmpeg's."""
_DEEPEST = 2**16 - 1
"""Of grey, as 16 bits are the most that is usual."""
_QUICK, _USUAL = 0.011, 0.1
"""Images that are to be shown for no longer are shown so long, by browsers as well [s]."""
_COMPANION = "._"
"""macOS puts such files beside others on foreign disks: they hold no image."""


@dataclass(frozen=True)
class Moment:
    """One image of an animation."""

    image: ImageArray
    time: float
    """Since the first [s]."""


def is_images(path: Path) -> bool:
    """Whether this is an image, or a folder (of images), rather than a video."""
    return path.is_dir() or (path.suffix.lower() in SUFFIXES and not is_animation(path))


def is_animation(path: Path) -> bool:
    """Whether this is an image that moves: WebP, PNG or AVIF of several."""
    if path.suffix.lower() not in _ANIMATED or not path.is_file():
        return False
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def image_paths(path: Path) -> list[Path]:
    """The images of a folder in natural order, walk_2 before walk_10, or the one image.

    What else is in the folder is counted in a VideoWarning; hidden files are not.

    Raises:
        BadInputError: if there are none.
    """
    if not path.exists():
        raise BadInputError(f"no such file: {path}")
    if path.is_file():
        if path.name.startswith(_COMPANION):
            raise BadInputError(f"{path} is a companion file of macOS and holds no image")
        return [path]
    files = [file for file in path.iterdir() if file.name[0] != "." and _counts(file)]
    images = [file for file in files if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not images:
        raise BadInputError(f"no images in {path} ({', '.join(sorted(SUFFIXES))})")
    if others := Counter(_kind(file) for file in set(files).difference(images)):
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
        message = f"{len(images)} images of {path.name} are taken, and not: {listed}"
        warnings.warn(message, VideoWarning, stacklevel=2)
    return sorted(images, key=lambda image: natural_key(image.name))


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts names as people do: numbers within them by their value."""
    parts = re.findall(r"(\d+)|(\D+)", name.casefold())
    return [(0, int(d), "") if d else (1, 0, text) for d, text in parts], name


def read_image(path: Path) -> ImageArray:
    """RGB, the way up that its camera says, in sRGB, over grey where it is transparent.

    Raises:
        BadInputError: if it cannot be read, or has no colours. Where a part of a JPEG is damaged,
            which its reader paints somehow, a BrokenVideoWarning says so; where a file holds
            several images, a VideoWarning.
    """
    with opened_image(path) as image:
        count = getattr(image, "n_frames", 1)
        if image.mode == "F" or (image.mode == "I" and np.asarray(image).max() > _DEEPEST):
            raise BadInputError(f"{path} holds measurements, not colours: save 8 or 16 bits")
        if count > 1 and image.format != "MPO":  # whose further images belong to the first
            message = f"{path.name} holds {count} images: one of them is taken"
            warnings.warn(message, VideoWarning, stacklevel=2)
        return _shown(image, _transfer(image, path))


def read_animation(path: Path) -> Generator[Moment]:
    """The images of an animation, each as it looks at its time.

    Raises:
        BadInputError: if not one can be read. Where it breaks further on, a BrokenVideoWarning says
            so.
    """
    time, index = 0.0, 0
    try:
        with Image.open(path) as image:
            transfer, cover = _transfer(image, path), _covers(image)
            for index in range(getattr(image, "n_frames", 1) - cover):
                image.seek(index + cover)
                image.load()
                if image.format == "AVIF":  # whose durations Pillow rounds to milliseconds
                    time = image.info["timestamp"] / 1000
                yield Moment(_shown(image, transfer), time)
                time += _seconds(image)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if index == 0:
            raise BadInputError(f"cannot decode {path}: {error}") from error
        message = f"{path.name} is broken ({error}); {index} frames of it are used"
        warnings.warn(message, BrokenVideoWarning, stacklevel=2)


def animation_size(path: Path) -> tuple[int, float]:
    """How many images an animation has, and how many a second at its beginning."""
    with Image.open(path) as image:
        cover = _covers(image)
        image.seek(cover)
        image.load()
        return getattr(image, "n_frames", 1) - cover, 1 / _seconds(image)


def _covers(image: Image.Image) -> int:
    """How many images of an animation are for those alone who do not know animations: PNG's."""
    return int(getattr(image, "default_image", False))


def _seconds(image: Image.Image) -> float:
    """How long the image that is loaded is shown."""
    seconds = float(image.info.get("duration", 0)) / 1000
    return seconds if seconds >= _QUICK else _USUAL


def _transfer(image: Image.Image, path: Path) -> Transfer | None:
    """That of high dynamic range, if the image has it; of AVIF FFmpeg says it, not Pillow."""
    if image.format == "AVIF":
        with suppress(av.FFmpegError), av.open(address(path)) as container:
            return HDR_TRANSFERS.get(int(container.streams.video[0].codec_context.color_trc))
    profile = image.info.get("nclx_profile") or {}
    return HDR_TRANSFERS.get(profile.get("transfer_characteristics"))


def _shown(image: Image.Image, transfer: Transfer | None) -> ImageArray:
    image = _in_srgb(ImageOps.exif_transpose(image))
    if image.mode.startswith("I"):  # 16 bits of grey
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        pixels = over_plain(np.asarray(image.convert("RGBA")))
    else:
        pixels = np.asarray(image.convert("RGB"))
    return to_sdr(pixels, transfer) if transfer else np.ascontiguousarray(pixels)


def _in_srgb(image: Image.Image) -> Image.Image:
    """By the colour profile that the image brings, if it does."""
    profile = image.info.get("icc_profile")
    if profile and image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    try:
        held = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, held, _SRGB, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError):
        return image


_SRGB = ImageCms.createProfile("sRGB")


def shrunk(image: ImageArray, size: tuple[int, int] | None) -> ImageArray:
    """An image of (width, height), each pixel the mean of what it covers."""
    if size is None:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _counts(file: Path) -> bool:
    """Whether it is no folder, or one that holds images: others are of results."""
    return not file.is_dir() or any(inner.suffix.lower() in SUFFIXES for inner in file.iterdir())


def _kind(file: Path) -> str:
    return "folder" if file.is_dir() else file.suffix.lower() or "without suffix"
