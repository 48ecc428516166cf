"""What happens to crops: parts of other images in front, and what a camera does to all of it."""

import cv2
import numpy as np
from jaxtyping import UInt8

from kinepose.dataset.config import CompositionConfig


def part_of(
    backgrounds: UInt8[np.ndarray, "images side side 3"],
    size: int,
    generator: np.random.Generator,
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A random part of a random image, perhaps mirrored."""
    image = backgrounds[generator.integers(len(backgrounds))]
    side = int(len(image) * generator.uniform(0.4, 1.0))
    top, left = generator.integers(len(image) - side + 1, size=2)
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    part = image[top : top + side, left : left + side]
    part = cv2.resize(part, (size, size), interpolation=way)
    return cv2.flip(part, 1) if generator.random() < 0.5 else part


def random_part(size: int, generator: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns that something hides; it may lie partly beyond the crop."""
    low = generator.integers(-size // 4, size, 2)
    length = generator.integers(min(15, size // 4), size // 3 + 1, 2)
    starts, ends = np.maximum(low, 0), np.maximum(low + length, 0)
    return np.s_[starts[1] : ends[1], starts[0] : ends[0]]


def cut_off(
    image: UInt8[np.ndarray, "size size 3"],
    mask: UInt8[np.ndarray, "size size"],
    generator: np.random.Generator,
) -> None:
    """End an image in place, mostly below, and go on with its border as `crop_image` does."""
    turns = int(generator.choice(4, p=_CUT))
    image, mask = (np.rot90(layer, turns) for layer in (image, mask))
    end = int(len(image) * generator.uniform(0.3, 0.9))
    image[end:] = image[end - 1]
    mask[end:] = 0


_CUT = (0.7, 0.1, 0.1, 0.1)
"""Of the sides: below, left, above, right."""


def photographed(
    image: UInt8[np.ndarray, "size size 3"],
    composition: CompositionConfig,
    generator: np.random.Generator,
) -> UInt8[np.ndarray, "size size 3"]:
    """As a camera would have it: exposure, no colour, focus, resolution, noise, compression."""
    size = len(image)
    gamma = generator.uniform(0.6, 1.6)
    image = cv2.LUT(image, (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))
    if generator.random() < composition.grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if generator.random() < composition.blur:
        image = cv2.GaussianBlur(image, (0, 0), generator.uniform(0.3, 1.3))
    elif generator.random() < composition.coarse:
        fewer = round(size * generator.uniform(0.35, 0.8))
        image = cv2.resize(image, (fewer, fewer), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    strength = generator.uniform(0, composition.noise)
    start = generator.integers(len(_NOISE))
    noise = _NOISE.take(np.arange(start, start + image.size), mode="wrap").reshape(image.shape)
    image = cv2.addWeighted(image, 1.0, noise, strength, 0.0, dtype=cv2.CV_8U)
    if generator.random() < composition.jpeg:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(25, 95))]
        compressed = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(compressed, cv2.IMREAD_COLOR))
    return image


_NOISE = np.random.default_rng(0).normal(size=1 << 20).astype(np.float32)
"""Drawn once, as drawing it for each image takes longer than all else together."""
