"""What is found again and again in one place and never stirs: the foot of a table, a statue.

Whoever stands still sways, and shows it within seconds where the camera is still as well.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from kinepose.geometry.boxes import Boxes, ScoredBoxes, overlaps
from kinepose.video.display import ImageArray
from kinepose.video.shots import Sight

_SAME_PLACE = 0.7
"""Intersection over union of finds of one thing, at least."""
_LONG = 5.0
"""For how long a thing has been found where it is [s]."""
_PAUSE = 0.8
"""Between images that are compared, at least [s]."""
_STIRS = 0.004
"""1 - correlation of a box's pixels at two times, in the median over these, of whoever stands:
0.010 to 0.03 for the six people of one video, 0.0015 to 0.003 for the foot of the table there."""


def things_of(
    thumbnails: Sequence[ImageArray],
    found: Sequence[ScoredBoxes | None],
    times: Sequence[float],
    sure: float,
) -> Boxes:
    """The sure finds of a stretch that do not stir [px of the thumbnails], one or more a thing."""
    things = [np.zeros((0, 4))]
    looked_at = [position for position, finds in enumerate(found) if finds is not None]
    for start in looked_at:
        if times[looked_at[-1]] - times[start] < _LONG:
            break
        for box in _sure(found[start], sure):
            known = overlaps(box[None], np.concatenate(things))[0]
            if known.max(initial=0.0) >= _SAME_PLACE:
                continue
            compared = [start]
            for position in looked_at:
                if times[position] - times[compared[-1]] >= _PAUSE:
                    there = overlaps(box[None], _sure(found[position], sure))[0]
                    if there.max(initial=0.0) >= _SAME_PLACE:
                        compared.append(position)
            lasted = times[compared[-1]] - times[start]
            if lasted >= _LONG and _stirring([thumbnails[i] for i in compared], box) < _STIRS:
                things.append(box[None])
    return np.concatenate(things)


def without_things(
    sights: Sequence[Sight | None], things: Sequence[Boxes], cuts: Sequence[int]
) -> list[Sight | None]:
    """The sights without what is a thing anywhere in the same shot.

    `things` are those of the stretch in which each frame lies [px]; `cuts` the positions of the
    shots' first frames.
    """
    left: list[Sight | None] = []
    for first, end in itertools.pairwise([*cuts, len(sights)]):
        of_stretch = {id(boxes): boxes for boxes in things[first:end]}
        in_shot = np.concatenate(list(of_stretch.values()))
        left += [_without(sight, in_shot) for sight in sights[first:end]]
    return left


def _without(sight: Sight | None, things: Boxes) -> Sight | None:
    if sight is None or not len(things):
        return sight
    others = overlaps(sight.boxes, things).max(1) < _SAME_PLACE
    return Sight(sight.boxes[others], sight.scores[others], sight.appearance[others])


def _sure(found: ScoredBoxes | None, sure: float) -> Boxes:
    assert found is not None
    return found[found[:, 4] >= sure, :4]


def _stirring(images: list[ImageArray], box: Float[np.ndarray, " 4"]) -> float:
    """How little what is in a box at different times correlates, in the median."""
    left, top = np.floor(box[:2]).astype(int).clip(0)
    right, bottom = np.ceil(box[2:]).astype(int)
    pixels: list[UInt8[np.ndarray, " _"]] = [im[top:bottom, left:right].ravel() for im in images]
    alike = np.corrcoef(np.stack(pixels))[np.triu_indices(len(images), 1)]
    return 1 - float(np.median(np.nan_to_num(alike)))
