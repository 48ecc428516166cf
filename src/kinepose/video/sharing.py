"""People who touch: one box found around several of them, and where in it each of them is."""

import numpy as np
from jaxtyping import Bool, Float

from kinepose.geometry.boxes import hull, inside, overlaps

_INSIDE = 0.7
"""Share of somebody's expected box, at least, that lies in a box found around him and others."""
_BETTER = 1.2
"""How much better that box fits all of those whom it holds than it fits any one person."""


def shared_boxes(
    expected: Float[np.ndarray, "people 4"], found: Float[np.ndarray, "finds 4"]
) -> Bool[np.ndarray, "people finds"]:
    """Who is in which box together with others; False all along for boxes of one person.

    A box is shared if its overlap with the hull of those expected in it is clearly larger than its
    overlap with any single one. Who is hidden behind another shares nothing: the box fits the one
    in front as well.
    """
    if not len(expected) or not len(found):
        return np.zeros((len(expected), len(found)), bool)
    within = inside(expected, found) >= _INSIDE
    alone = overlaps(expected, found).max(0)
    together = [
        overlaps(hull(expected[held])[None], box[None])[0, 0] if held.sum() > 1 else 0.0
        for held, box in zip(within.T, found, strict=True)
    ]
    return within & (np.array(together) > _BETTER * alone)


def places_in_box(
    expected: Float[np.ndarray, "people 4"], box: Float[np.ndarray, " 4"]
) -> Float[np.ndarray, "people 4"]:
    """Boxes of those who share one: each as large as expected, at his place among the others.

    Who was outermost is outermost, so that they reach the sides of the box where there are two.
    """
    around = hull(expected)
    lengths = np.minimum(expected[:, 2:] - expected[:, :2], box[2:] - box[:2])
    play = (around[2:] - around[:2]) - (expected[:, 2:] - expected[:, :2])
    place = np.where(play > 0, (expected[:, :2] - around[:2]) / np.where(play > 0, play, 1), 0.5)
    corners = box[:2] + place * (box[2:] - box[:2] - lengths)
    return np.concatenate([corners, corners + lengths], axis=-1)

