"""Photographed surfaces: colours of skin, hair and cloth as pyramids of ever coarser images."""

import functools
from importlib.resources import files

import cv2
import numpy as np
from jaxtyping import Float, UInt8

TEXTURE = 512
"""Side of every texture's finest level [px]."""
LEVELS = 8
"""How many levels a pyramid has; each is half as large as the one before."""


@functools.lru_cache(maxsize=80)
def load_texture(name: str) -> UInt8[np.ndarray, "texels 4"]:
    """One of the package's textures as a pyramid in red, green, blue and opacity."""
    data = (files("kinepose.synthetic") / "assets" / "textures" / f"{name}.webp").read_bytes()
    image = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    kind = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return pyramid(cv2.cvtColor(image, kind))


@functools.lru_cache(maxsize=16)
def eye_texture(iris: tuple[int, int, int]) -> UInt8[np.ndarray, "texels 4"]:
    """An eyeball seen from before: white, iris, pupil and a highlight."""
    eye = np.full((TEXTURE, TEXTURE, 4), (222, 212, 205, 255), np.uint8)
    middle = (TEXTURE // 2, TEXTURE // 2)
    rim = tuple(value // 3 for value in iris)
    for radius, colour in ((0.47, rim), (0.43, iris), (0.2, (8, 6, 6))):
        cv2.circle(eye, middle, int(radius * TEXTURE / 2), (*colour, 255), -1, cv2.LINE_AA)
    place = (int(0.57 * TEXTURE), int(0.42 * TEXTURE))
    cv2.circle(eye, place, TEXTURE // 36, (240, 240, 240, 255), -1, cv2.LINE_AA)
    return pyramid(eye)


def pyramid(image: UInt8[np.ndarray, "side side 4"]) -> UInt8[np.ndarray, "texels 4"]:
    """All levels of an image, one after the other, each row by row.

    What is transparent has the colour of what is near, lest black shine through at the borders.
    """
    opaque = image[..., 3].min() == 255
    levels = [image if opaque else _premultiplied(image)]
    while len(levels) < LEVELS:
        side = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA))
    if opaque:
        return np.concatenate([level.reshape(-1, 4) for level in levels])
    mean = levels[-1].mean((0, 1), keepdims=True)
    colour = mean[..., :3] / np.maximum(mean[..., 3:], 1e-4)
    filled = []
    for level in reversed(levels):
        colour = cv2.resize(colour, level.shape[:2], interpolation=cv2.INTER_LINEAR)
        opacity = level[..., 3:]
        own = level[..., :3] / np.maximum(opacity, 1e-4)
        colour = np.where(opacity > 0.05, own, colour).astype(np.float32)
        filled.append(np.concatenate([colour, opacity], axis=-1).reshape(-1, 4))
    return (255 * np.concatenate(filled[::-1]) + 0.5).clip(0, 255).astype(np.uint8)


def _premultiplied(image: UInt8[np.ndarray, "side side 4"]) -> Float[np.ndarray, "side side 4"]:
    values = image.astype(np.float32) / 255
    return np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], axis=-1)
