"""Which frames of a video the person detector looks at: some, and more where they disagree."""

import itertools
from collections.abc import Callable, Iterator, Sequence

from kinepose.geometry.boxes import ScoredBoxes, overlaps
from kinepose.video.display import ImageArray

_INTERVAL = 0.4
"""Time between the frames that are looked at first [s]: boxes between them are interpolated."""
_STILL = 0.8
"""Intersection over union of somebody's finds in two of these who hardly moves, at least."""
_SAME = 0.4
"""Intersection over union of two finds of one person, at least."""

Search = Callable[[Sequence[ImageArray], bool | None], tuple[list[ScoredBoxes], bool]]
"""The finds in images of one size, and whether to look closely: as told or, where that is not known
(None), as these images ask."""


def search_video(
    images: Sequence[ImageArray], fps: float, sure: float, search: Search
) -> list[ScoredBoxes | None]:
    """What is found in the frames of a shot; None for those that were not looked at.

    Between two frames in which not the same people are surely found, or somebody moves, the one in
    the middle is looked at as well; and then again wherever neighbours do not show the same people,
    each once.
    """
    count = len(images)
    found: list[ScoredBoxes | None] = [None] * count

    def look(chosen: Sequence[int], closely: bool | None) -> bool:
        finds, closely = search([images[i] for i in chosen], closely)
        for position, in_frame in zip(chosen, finds, strict=True):
            found[position] = in_frame
        return closely

    step = max(1, round(_INTERVAL * fps))
    closely = look(sorted({*range(0, count, step), count - 1}), None)
    for least in (_STILL, _SAME):
        look(list(_doubtful(found, sure, least)), closely)
    return found


def _doubtful(found: Sequence[ScoredBoxes | None], sure: float, least: float) -> Iterator[int]:
    """Frames in the middle between two in whose sure finds people overlap less than this."""
    searched = [position for position, finds in enumerate(found) if finds is not None]
    for before, after in itertools.pairwise(searched):
        if after - before > 1 and not _agree(found[before], found[after], sure, least):
            yield (before + after) // 2


def _agree(
    first: ScoredBoxes | None, second: ScoredBoxes | None, sure: float, least: float
) -> bool:
    """Whether the sure finds of two frames are of the same people, each to one."""
    assert first is not None and second is not None
    first, second = (finds[finds[:, 4] >= sure] for finds in (first, second))
    if len(first) != len(second):
        return False
    same = overlaps(first[:, :4], second[:, :4]) >= least
    return bool((same.sum(0) == 1).all() and (same.sum(1) == 1).all())
