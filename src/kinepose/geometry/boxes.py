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
    a, b = first[:, None], second[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared / np.maximum(union, 1e-9)
