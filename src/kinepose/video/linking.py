"""Who is who from frame to frame: people followed by place, motion and appearance.

What is found in the frames that were looked at is assigned to people, all of a frame at once; then
the pieces of one person who was hidden, or left and came back, are joined by appearance.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from kinepose.geometry.boxes import Boxes, overlaps
from kinepose.video.appearance import likeness
from kinepose.video.shots import Sight
from kinepose.video.tracking import Finds

_LEAST_OVERLAP = 0.1
"""Intersection over union of a person's box with where it was expected ..."""
_FARTHEST = 0.6
"""... or else the distance of their middles, in the longer side, and ..."""
_LARGEST_GROWTH = 1.7
"""... the most by which the longer side may have changed."""
_UNSURE_OVERLAP = 0.5
"""The same overlap, of finds that are not sure: near is not enough."""
_APPEARANCE_WEIGHT = 1.0
"""Of appearance beside overlap, in choosing between finds."""
_ALONE = 0.2
"""Boxes that overlap less show one person's appearance."""
_MEMORY = 0.8
"""Share that what is known of somebody's appearance keeps of itself at each find."""
_RECENT = 3
"""Finds that tell how somebody moves."""
_CARRIED = 0.5
"""Somebody out of sight goes on as before for so long, then stands still [s]."""
_SAME_APPEARANCE = 0.85
"""How alike two pieces are of one person who was away ..."""
_CLEARLY = 0.05
"""... and by how much nobody else may come near that."""
_ENOUGH = 3
"""Finds of a piece whose appearance are known."""


@dataclass(frozen=True)
class Person:
    """Who was found in a video."""

    boxes: Finds
    scores: dict[int, float]
    """By position as well."""


@dataclass(eq=False)
class Piece:
    """One person for as long as he can be followed."""

    shot: int
    found: dict[int, int]
    """By position: which of the frame's finds he is."""
    appearance: Float[np.ndarray, " n"]


def link(
    sights: Sequence[Sight | None],
    times: Sequence[float],
    cuts: Iterable[int],
    longest_gap: float,
    sure: float = 0.0,
) -> list[Person]:
    """Everybody in a video; None is a frame that was not looked at.

    A person begins with a find whose score is at least `sure`, goes on with any, and ends at a cut
    (position of a shot's first frame). Who is away for longer than longest_gap [s], and in
    at least one frame that was looked at, is known again by appearance, if these are clear; else he
    is a new one.
    """
    starts = np.array(sorted(cuts))
    pieces: list[Piece] = []
    active: list[Piece] = []
    before = times[0] if times else 0.0
    for position, sight in enumerate(sights):
        if sight is None:
            continue
        shot = int(np.searchsorted(starts, position, side="right"))
        since = min(times[position] - longest_gap, before)
        active = [p for p in active if p.shot == shot and times[_last(p)] >= since]
        before = times[position]
        new = _extend(active, sights, times, position, shot, sure)
        pieces += new
        active += new
    _go_back(pieces, sights, times, longest_gap, starts)
    people = _joined(pieces, times)
    return [_person(found, sights) for found in people]


def _extend(
    active: list[Piece],
    sights: Sequence[Sight | None],
    times: Sequence[float],
    position: int,
    shot: int,
    sure: float,
) -> list[Piece]:
    """Give the finds of a frame to whom they fit, the sure ones first; gives who is new.

    New are those who are surely found and fit nobody.
    """
    sight = sights[position]
    assert sight is not None
    is_sure = sight.scores >= sure
    owners: dict[int, Piece] = {}
    for certain in (True, False):
        people = np.flatnonzero(is_sure == certain)
        free = [piece for piece in active if piece not in owners.values()]
        fit = _fit(free, sights, times, position, certain)[:, people]
        for row, column in zip(*linear_sum_assignment(-fit), strict=True):
            if fit[row, column] > 0:
                owners[int(people[column])] = free[row]
    alone = _is_alone(sight.boxes)
    for person, piece in owners.items():
        piece.found[position] = person
        if alone[person]:
            piece.appearance = _MEMORY * piece.appearance + (1 - _MEMORY) * sight.appearance[person]
    new = [int(person) for person in np.flatnonzero(is_sure) if int(person) not in owners]
    return [Piece(shot, {position: person}, sight.appearance[person]) for person in new]


def _fit(
    pieces: list[Piece],
    sights: Sequence[Sight | None],
    times: Sequence[float],
    position: int,
    certain: bool,
) -> Float[np.ndarray, "pieces people"]:
    """How well each find fits each person; 0 where it cannot be him."""
    sight = sights[position]
    assert sight is not None
    if not pieces or not len(sight.boxes):
        return np.zeros((len(pieces), len(sight.boxes)))
    expected = np.stack([_expected(piece, sights, times, times[position]) for piece in pieces])
    overlap = overlaps(expected, sight.boxes)
    middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (expected, sight.boxes)]
    sides = [(boxes[:, 2:] - boxes[:, :2]).max(-1) for boxes in (expected, sight.boxes)]
    distance = np.linalg.norm(middles[0][:, None] - middles[1][None], axis=-1)
    larger = np.maximum(sides[0][:, None], sides[1][None])
    growth = larger / np.minimum(sides[0][:, None], sides[1][None])
    near = (distance < _FARTHEST * larger) & (growth < _LARGEST_GROWTH)
    appearance = likeness(np.stack([piece.appearance for piece in pieces]), sight.appearance)
    closeness = np.maximum(overlap, 0.3 * (1 - distance / larger))
    can_be = (overlap >= _LEAST_OVERLAP) | near if certain else overlap >= _UNSURE_OVERLAP
    return (closeness + _APPEARANCE_WEIGHT * appearance) * can_be


def _expected(
    piece: Piece, sights: Sequence[Sight | None], times: Sequence[float], now: float
) -> Float[np.ndarray, " 4"]:
    """Where a person's box would be if he went on as in his last finds."""
    recent = list(islice(reversed(piece.found), _RECENT))
    box, before = (_box(piece, position, sights) for position in (recent[0], recent[-1]))
    lasted = times[recent[0]] - times[recent[-1]]
    if lasted == 0:  # found once, or in frames that are shown at one time
        return box
    moved = (box[:2] + box[2:] - before[:2] - before[2:]) / 2
    share = min(now - times[recent[0]], _CARRIED) / lasted
    return box + np.tile(share * moved, 2)


def _go_back(
    pieces: list[Piece],
    sights: Sequence[Sight | None],
    times: Sequence[float],
    longest_gap: float,
    starts: np.ndarray,
) -> None:
    """Add to each person the unsure finds from before he was surely found."""
    taken = {(position, person) for piece in pieces for position, person in piece.found.items()}
    for piece in pieces:
        first = next(iter(piece.found))
        earlier: dict[int, int] = {}
        box, time = _box(piece, first, sights), times[first]
        for position in range(first - 1, int(starts[piece.shot - 1]) - 1, -1):
            sight = sights[position]
            if time - times[position] > longest_gap:
                break
            if sight is None or not len(sight.boxes):
                continue
            overlap = overlaps(box[None], sight.boxes)[0]
            person = int(overlap.argmax())
            if overlap[person] > 3 * _LEAST_OVERLAP and (position, person) not in taken:
                taken.add((position, person))
                earlier[position] = person
                box, time = sight.boxes[person], times[position]
        piece.found = dict(reversed(earlier.items())) | piece.found


def _joined(pieces: list[Piece], times: Sequence[float]) -> list[dict[int, int]]:
    """The finds of each person, whose pieces are those that follow one another and look alike."""
    known = [piece for piece in pieces if len(piece.found) >= _ENOUGH]
    people = {piece: piece.found for piece in pieces}
    if len(known) > 1:
        appearance = np.stack([piece.appearance for piece in known])
        alike = likeness(appearance, appearance)
        first = np.array([next(iter(piece.found)) for piece in known])
        last = np.array([_last(piece) for piece in known])
        shot = np.array([piece.shot for piece in known])
        follows = (last[:, None] < first[None]) & (shot[:, None] == shot[None])
        value = np.where(follows & (alike >= _SAME_APPEARANCE), alike, 0)
        value *= _is_clear(value)
        after = np.array(times)[first][None] - np.array(times)[last][:, None]
        rows, columns = linear_sum_assignment(np.where(value > 0, after * 1e-6 - value, 0))
        for row, column in sorted(zip(rows, columns, strict=True), key=lambda pair: last[pair[0]]):
            if value[row, column] > 0:
                merged = people.pop(known[row])
                people[known[column]] = merged | people[known[column]]
    return list(people.values())


def _is_clear(value: Float[np.ndarray, "n n"]) -> Bool[np.ndarray, "n n"]:
    """Whether nobody else comes near, of those who might follow and of those who might precede."""
    clear = np.ones_like(value, bool)
    for axis in (0, 1):
        second = np.sort(value, axis=axis).take(-2, axis=axis)
        clear &= value >= np.expand_dims(second, axis) + _CLEARLY
    return clear


def _person(found: dict[int, int], sights: Sequence[Sight | None]) -> Person:
    boxes, scores = {}, {}
    for position, person in sorted(found.items()):
        sight = sights[position]
        assert sight is not None
        boxes[position], scores[position] = sight.boxes[person], float(sight.scores[person])
    return Person(boxes, scores)


def _is_alone(boxes: Boxes) -> Bool[np.ndarray, " people"]:
    crowd = overlaps(boxes, boxes) - np.eye(len(boxes))
    return crowd.max(1, initial=0.0) < _ALONE


def _last(piece: Piece) -> int:
    return next(reversed(piece.found))


def _box(piece: Piece, position: int, sights: Sequence[Sight | None]) -> Float[np.ndarray, " 4"]:
    sight = sights[position]
    assert sight is not None
    return sight.boxes[piece.found[position]]
