"""Who of those whom a detector found is a person, and who is a shoe, a table or a bush."""

from collections.abc import Sequence

import numpy as np

from kinepose.geometry.boxes import inside
from kinepose.video.linking import Person
from kinepose.video.shots import Sight

_SHORTEST = 0.5
"""What is found for less than this is no person [s], unless for most of a film that is as short."""
_MOST = 0.8
"""Share of the film, from the first find to the last."""
_LEAST_SCORE, _LEAST_SHARE = 0.36, 0.65
"""The mean score of a person over all frames that were looked at between his first find and his
last is at least this, and this share of that of the surest person."""
_HIDDEN = 0.5
SMALL=0.5
EDGE=0.03
MOSTLY=0.5
"""Share of a box within somebody else's, at least, of one who need not be found."""


def believed(
    people: list[Person], sights: Sequence[Sight | None], times: Sequence[float], by_score: bool, size=(1e9,1e9)
) -> list[Person]:
    """Those who are long enough in a film and, if the detector tells, surely enough found.

    Phantoms are found with low scores, and in few of the frames in which they should be.
    """
    least = min(_SHORTEST, _MOST * (times[-1] - times[0]))
    stay = [p for p in people if times[max(p.boxes)] - times[min(p.boxes)] >= least]
    if not by_score or not stay:
        return stay
    looked_at = [i for i, sight in enumerate(sights) if sight is not None]
    scores = np.array([_mean_score(person, people, looked_at, times) for person in stay])
    enough = scores >= max(_LEAST_SCORE, _LEAST_SHARE * scores.max())
    stay = [person for person, kept in zip(stay, enough, strict=True) if kept]
    lengths = [np.median([_length(box) for box in person.boxes.values()]) for person in stay]
    return [p for p, l in zip(stay, lengths, strict=True) if l > SMALL * max(lengths) or not _is_cut_off(p, size)]


def _length(box):
    return (box[2:] - box[:2]).max()


def _is_cut_off(person, size) -> bool:
    boxes = np.stack(list(person.boxes.values()))
    cut = (boxes[:,0] <= EDGE*size[0]) | (boxes[:,1] <= EDGE*size[1]) | (boxes[:,2]>=(1-EDGE)*size[0])|(boxes[:,3]>=(1-EDGE)*size[1])
    return cut.mean() >= MOSTLY


def _mean_score(
    person: Person, people: list[Person], looked_at: list[int], times: Sequence[float]
) -> float:
    """Over the frames in which he should be found: those in which nobody stands before him."""
    found = list(person.boxes)
    known = np.stack(list(person.boxes.values()))
    missed = [i for i in looked_at if found[0] < i < found[-1] and i not in person.boxes]
    clock = np.asarray(times)
    should = len(found)
    for position in missed:
        box = np.array([np.interp(clock[position], clock[found], side) for side in known.T])
        others = [o.boxes[position] for o in people if position in o.boxes]
        hidden = bool(others) and inside(box[None], np.stack(others)).max() >= _HIDDEN
        should += not hidden
    return sum(person.scores.values()) / should
