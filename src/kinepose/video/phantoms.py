"""Who of those whom a detector found is a person, and who is a shoe, a table or a bush."""

from collections.abc import Sequence

import numpy as np

from kinepose.video.linking import Person
from kinepose.video.shots import Sight

_SHORTEST = 0.5
"""What is found for less than this is no person [s], unless for most of a video that is as
short."""
_MOST = 0.8
"""Share of the video, from the first find to the last."""
_LEAST_SCORE, _LEAST_SHARE = 0.36, 0.65
"""The mean score of a person over all frames that were looked at between his first find and his
last is at least this, and this share of that of the surest person."""


def believed(
    people: list[Person], sights: Sequence[Sight | None], times: Sequence[float], by_score: bool
) -> list[Person]:
    """Those who are long enough in a video and, if the detector tells, surely enough found.

    Phantoms are found with low scores, and in few of the frames in which they should be.
    """
    least = min(_SHORTEST, _MOST * (times[-1] - times[0]))
    stay = [p for p in people if times[max(p.boxes)] - times[min(p.boxes)] >= least]
    if not by_score or not stay:
        return stay
    was_searched = np.array([sight is not None for sight in sights])
    scores = np.array([_mean_score(person, was_searched) for person in stay])
    enough = scores >= max(_LEAST_SCORE, _LEAST_SHARE * scores.max())
    return [person for person, kept in zip(stay, enough, strict=True) if kept]


def _mean_score(person: Person, was_searched: np.ndarray) -> float:
    searches = was_searched[min(person.boxes) : max(person.boxes) + 1].sum()
    return sum(person.scores.values()) / float(searches)
