"""How people look, in numbers that tell one from another: the colours of head, trunk and legs."""

import itertools

import cv2
import numpy as np
from jaxtyping import Float

from kinepose.geometry.boxes import Boxes
from kinepose.video.display import ImageArray

_COLOURS, _BANDS = 4, 3
"""Bins a channel, and parts of a box from top to bottom."""
_SIDEWAYS = 0.2
"""Share of a box on the left and on the right that is background more often than person."""


def appearance_of(image: ImageArray, boxes: Boxes) -> Float[np.ndarray, "people n"]:
    """Square roots of the shares of colours, band by band; the boxes are in px of the image."""
    height, width = image.shape[:2]
    appearance = np.zeros((len(boxes), _BANDS, _COLOURS**3), np.float32)
    for person, (x0, y0, x1, y1) in enumerate(boxes):
        inset = _SIDEWAYS * (x1 - x0)
        left, right = np.clip([x0 + inset, x1 - inset], 0, width).astype(int).tolist()
        edges = np.clip(np.linspace(y0, y1, _BANDS + 1), 0, height).astype(int).tolist()
        for band, (top, bottom) in enumerate(itertools.pairwise(edges)):
            part = _at_least_one_pixel(image, left, top, right, bottom)
            counts = cv2.calcHist([part], [0, 1, 2], None, [_COLOURS] * 3, [0, 256] * 3).ravel()
            appearance[person, band] = np.sqrt(counts / counts.sum())
    return appearance.reshape(len(boxes), _BANDS * _COLOURS**3)


def likeness(
    first: Float[np.ndarray, "n features"], second: Float[np.ndarray, "m features"]
) -> Float[np.ndarray, "n m"]:
    """Bhattacharyya's coefficient of each with each, averaged over the bands: 1 if alike."""
    return first @ second.T / _BANDS


def _at_least_one_pixel(
    image: ImageArray, left: int, top: int, right: int, bottom: int
) -> ImageArray:
    """A part of an image; where it is empty, the pixel beside it."""
    height, width = image.shape[:2]
    left, top = min(left, width - 1), min(top, height - 1)
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]
