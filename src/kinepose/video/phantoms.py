"""Who of those whom a detector found is a person, and who is a shoe, a table or a bush."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from kinepose.video.shots import Sight
from kinepose.video.tracklets import Person

_SHORTEST = 0.5
"""What is found for less than this is no person [s], unless for most of a video that is as
short."""
_MOST = 0.8
"""Share of the video, from the first find to the last."""
_LEAST_SCORE, _LEAST_SHARE = 0.36, 0.7
"""The mean score of a person over all frames in which he should be found is at least this, and this
share of that of the surest person in the same shot ..."""
_ANYWHERE = 0.5
"""... and this share of that of the surest person in the video."""
_SUREST, _OPENING_SHARE = 0.95, 0.75
"""In a shot in which people are found with some score, that of this share of its frames, nobody
new is found with less than this share of it."""
_HALF = 0.6
"""Who is cut off by the upper border and has less than this share of the length of the longest
person in the same shot is a pair of legs, of which no pose can be told ..."""
_ALWAYS = 0.9
"""... if he is in this share of the frames ..."""
_BORDER = 0.03
"""... nearer than this to that border [heights of the frame]."""


def opening_scores(
    sights: Sequence[Sight | None], cuts: Sequence[int], sure: float
) -> Float[np.ndarray, " frames"]:
    """The least score of somebody new in each frame: `sure`, or more in shots of surer people.

    Where people are found surely, what is found less so is the foot of a table. `cuts` are the
    positions of the shots' first frames.
    """
    least = np.full(len(sights), sure)
    for start, end in itertools.pairwise([*cuts, len(sights)]):
        seen = [s.scores.max() for s in sights[start:end] if s is not None and len(s.scores)]
        if seen:
            surest = float(np.quantile(seen, _SUREST))
            least[start:end] = max(sure, _OPENING_SHARE * surest)
    return least


def believed(
    people: list[Person],
    sights: Sequence[Sight | None],
    times: Sequence[float],
    cuts: Sequence[int],
    height: int,
    longest_gap: float,
    by_score: bool,
) -> list[Person]:
    """Those who are long enough in a video and, if the detector tells, surely found and whole.

    Phantoms are found with low scores, and in few of the frames in which they should be.
    `cuts` are the positions of the shots' first frames, `height` is the frame's [px]; who is not
    found for longer than longest_gap [s] was away, and known again.
    """
    least = min(_SHORTEST, _MOST * (times[-1] - times[0]))
    was_searched = np.array([sight is not None for sight in sights])
    stay: list[list[tuple[Person, float]]] = [[] for _ in cuts]
    for person in people:
        visits = _visits(person, times, longest_gap, was_searched)
        if max(times[last] - times[first] for first, last in visits) >= least:
            shot = int(np.searchsorted(cuts, min(person.boxes), side="right")) - 1
            stay[shot].append((person, _mean_score(person, was_searched, visits)))
    if not by_score:
        return [person for in_shot in stay for person, _ in in_shot]
    surest = max((score for in_shot in stay for _, score in in_shot), default=0.0)
    least = max(_LEAST_SCORE, _ANYWHERE * surest)
    return [person for in_shot in stay for person in _believed_together(in_shot, least, height)]


def _believed_together(
    scored: list[tuple[Person, float]], least: float, height: int
) -> list[Person]:
    """Those of the people of one shot who are no phantoms, by their mean scores."""
    least = max([least, *(_LEAST_SHARE * score for _, score in scored)])
    sure = [person for person, score in scored if score >= least]
    lengths = [_length(person) for person in sure]
    return [
        person
        for person, length in zip(sure, lengths, strict=True)
        if length >= _HALF * max(lengths) or not _is_headless(person, height)
    ]


def _visits(
    person: Person,
    times: Sequence[float],
    longest_gap: float,
    was_searched: Bool[np.ndarray, " frames"],
) -> list[tuple[int, int]]:
    """The first and last positions of each time for which he is there, by link's rule."""
    positions = list(person.boxes)
    pairs = itertools.pairwise(positions)
    away = [
        (last, first)
        for last, first in pairs
        if times[first] - times[last] > longest_gap and was_searched[last + 1 : first].any()
    ]
    firsts = [positions[0], *(first for _, first in away)]
    lasts = [*(last for last, _ in away), positions[-1]]
    return list(zip(firsts, lasts, strict=True))


def _mean_score(
    person: Person, was_searched: Bool[np.ndarray, " frames"], visits: list[tuple[int, int]]
) -> float:
    """Over the frames of his visits that were looked at, unless he is hidden."""
    searches = sum(was_searched[first : last + 1].sum() for first, last in visits)
    hidden = len(person.boxes) - len(person.scores)
    return sum(person.scores.values()) / float(searches - hidden)


def _length(person: Person) -> float:
    boxes = np.stack(list(person.boxes.values()))
    return float(np.median((boxes[:, 2:] - boxes[:, :2]).max(-1)))


def _is_headless(person: Person, height: int) -> bool:
    tops = np.array([box[1] for box in person.boxes.values()])
    return bool((tops < _BORDER * height).mean() >= _ALWAYS)
