"""Boxes x0, y0, x1, y1 [px]."""

import numpy as np
from jaxtyping import Float

Boxes = Float[np.ndarray, "_ 4"]
ScoredBoxes = Float[np.ndarray, "_ 5"]
"""Boxes, and how sure a detector is of each, from 0 to 1."""


def overlaps(
    first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every two boxes; 0 where neither has an area."""
    shared = _shared(first, second)
    union = _areas(first)[:, None] + _areas(second)[None] - shared
    return shared / np.maximum(union, 1e-9)


def inside(
    first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Share of each of the first boxes that lies in each of the second; 0 where it has no area."""
    return _shared(first, second) / np.maximum(_areas(first)[:, None], 1e-9)


def _shared(
    first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Areas of the intersections."""
    a, b = first[:, None], second[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return sides.clip(min=0).prod(-1)


def _areas(boxes: Boxes) -> Float[np.ndarray, " n"]:
    return (boxes[:, 2:] - boxes[:, :2]).prod(-1)
