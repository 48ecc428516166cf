"""Which frames of a video the person detector looks at: some, and more where they disagree."""

import itertools
from collections.abc import Callable, Sequence

from kinepose.geometry.boxes import ScoredBoxes, overlaps
from kinepose.video.display import ImageArray

INTERVAL = 0.2
"""Time between frames that are looked at [s]: boxes between them are interpolated."""
_SAME = 0.4
"""Intersection over union of two finds of one person, at least."""

Search = Callable[[Sequence[ImageArray], bool], tuple[list[ScoredBoxes], bool]]
"""The finds in images of one size, and whether to look closely: as told, or as these images ask."""


def search_video(
    images: Sequence[ImageArray], fps: float, sure: float, search: Search
) -> list[ScoredBoxes | None]:
    """What is found in the frames of a shot; None for those that were not looked at.

    Between two frames in which not the same people are surely found, the one in the middle is
    looked at as well.
    """
    count = len(images)
    found: list[ScoredBoxes | None] = [None] * count
    step = max(1, round(INTERVAL * fps))
    chosen = sorted({*range(0, count, step), count - 1})
    closely = _search_some(chosen, images, False, found, search)
    doubtful = [
        (first + second) // 2
        for first, second in itertools.pairwise(chosen)
        if second - first > 1 and not _agree(found[first], found[second], sure)
    ]
    _search_some(doubtful, images, closely, found, search)
    return found


def _search_some(
    chosen: list[int],
    images: Sequence[ImageArray],
    closely: bool,
    found: list[ScoredBoxes | None],
    search: Search,
) -> bool:
    finds, closely = search([images[i] for i in chosen], closely)
    for position, in_frame in zip(chosen, finds, strict=True):
        found[position] = in_frame
    return closely


def _agree(first: ScoredBoxes | None, second: ScoredBoxes | None, sure: float) -> bool:
    """Whether the sure finds of two frames are of the same people, each to one."""
    assert first is not None and second is not None
    first, second = (finds[finds[:, 4] >= sure] for finds in (first, second))
    if len(first) != len(second):
        return False
    same = overlaps(first[:, :4], second[:, :4]) >= _SAME
    return bool((same.sum(0) == 1).all() and (same.sum(1) == 1).all())
