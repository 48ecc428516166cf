"""Who is who from frame to frame: people followed by place, motion and appearance.

What is found in the frames that were looked at is assigned to people, all of a frame at once; then
the tracklets of one person who was hidden, or left and came back, are joined by appearance.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from kinepose.geometry.boxes import Boxes, inside, overlaps
from kinepose.video.appearance import likeness
from kinepose.video.shots import Sight
from kinepose.video.tracking import Finds
from kinepose.video.tracklets import ALONE, Person, Tracklet, one_after_the_other, tell_apart

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
_MEMORY = 0.8
"""Share that what is known of somebody's appearance keeps of itself at each find."""
_RECENT = 3
"""Finds that tell how somebody moves."""
_CARRIED = 0.5
"""Somebody out of sight goes on as before for so long, then stands still [s]."""
_SAME_APPEARANCE = 0.85
"""How alike two tracklets are of one person who was away ..."""
_CLEARLY = 0.05
"""... and by how much nobody else may come near that."""
_ENOUGH = 3
"""Finds of a tracklet whose appearance is known."""
_TOGETHER = 3
"""Finds of somebody new whose mean score is sure."""
_HIDDEN = 0.6
"""Share of somebody's last or expected box within that of another, at least, who hides him."""
_SEPARATE = 0.7
"""Nobody begins with a box of which this share is within another's, or the other way round."""


def link(
    sights: Sequence[Sight | None],
    times: Sequence[float],
    cuts: Iterable[int],
    longest_gap: float,
    sure: float | Float[np.ndarray, " frames"] = 0.0,
) -> list[Person]:
    """Everybody in a video; None is a frame that was not looked at.

    A person begins with a find whose score is at least `sure`, in that frame, goes on with any, and
    ends at a cut (position of a shot's first frame). Who is not found where another's box covers
    his is hidden: he goes on if he is found again, at the place that the other's box leaves him.
    Who is away for longer than longest_gap [s], and in at least one frame that was looked at, is
    known again by appearance, if that is clear; else he is a new one.
    """
    starts, least = np.array(sorted(cuts)), np.broadcast_to(sure, len(sights))
    tracklets: list[Tracklet] = []
    active: list[Tracklet] = []
    unused: dict[int, Sight] = {}
    before = times[0] if times else 0.0
    for position, sight in enumerate(sights):
        if sight is None:
            continue
        shot = int(np.searchsorted(starts, position, side="right"))
        since = min(times[position] - longest_gap, before)
        active = [p for p in active if p.shot == shot and times[_last(p)] >= since]
        before = times[position]
        owned = _extend(active, sight, times, position, least[position])
        alone = _is_alone(sight.boxes)
        begins = ~owned & (sight.scores >= least[position]) & _is_separate(sight.boxes, owned)
        for person in np.flatnonzero(begins).tolist():
            tracklet = Tracklet(shot, Person({}, {}), sight.appearance[person])
            if alone[person]:
                tracklet.seen[position] = sight.appearance[person]
            tracklet.add(position, sight.boxes[person], sight.scores[person])
            tracklets.append(tracklet)
            active.append(tracklet)
        left = ~owned & ~begins
        unused[position] = Sight(sight.boxes[left], sight.scores[left], sight.appearance[left])
    for tracklet in tracklets:
        _begin_surely(tracklet, unused, least)
        _fill_hidden(tracklet, times)
    tell_apart(tracklets, times)
    _go_back(tracklets, unused, times, longest_gap, starts)
    return _joined(tracklets, times)


def _extend(
    active: list[Tracklet], sight: Sight, times: Sequence[float], position: int, sure: float
) -> Bool[np.ndarray, " finds"]:
    """Give the finds of a frame to whom they fit, the sure ones first; says which have owners."""
    if not active or not len(sight.boxes):
        return np.zeros(len(sight.boxes), bool)
    expected = np.stack([_expected(tracklet, times, times[position]) for tracklet in active])
    appearance = np.stack([tracklet.appearance for tracklet in active])
    owned = np.zeros(len(sight.boxes), bool)
    free = np.ones(len(active), bool)
    is_sure, alone = sight.scores >= sure, _is_alone(sight.boxes)
    for certain in (True, False):
        fit = _fit(expected, appearance, sight, certain)
        fit *= np.outer(free, ~owned & (is_sure == certain))
        for row, person in zip(*linear_sum_assignment(-fit), strict=True):
            if fit[row, person] > 0:
                tracklet = active[row]
                tracklet.add(position, sight.boxes[person], sight.scores[person])
                owned[person], free[row] = True, False
                if alone[person]:
                    tracklet.seen[position] = sight.appearance[person]
                    tracklet.appearance = (
                        _MEMORY * tracklet.appearance + (1 - _MEMORY) * sight.appearance[person]
                    )
    last = np.stack([next(reversed(tracklet.found.boxes.values())) for tracklet in active])
    others = sight.boxes[owned]
    covered = np.maximum(inside(expected, others), inside(last, others))
    for row in np.flatnonzero(free & (covered.max(1, initial=0.0) >= _HIDDEN)).tolist():
        active[row].hidden[position] = others[covered[row].argmax()]
    return owned


def _fit(
    expected: Float[np.ndarray, "tracklets 4"],
    known: Float[np.ndarray, "tracklets n"],
    sight: Sight,
    certain: bool,
) -> Float[np.ndarray, "tracklets finds"]:
    """How well each find fits each person; 0 where it cannot be him."""
    overlap = overlaps(expected, sight.boxes)
    middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (expected, sight.boxes)]
    sides = [(boxes[:, 2:] - boxes[:, :2]).max(-1) for boxes in (expected, sight.boxes)]
    distance = np.linalg.norm(middles[0][:, None] - middles[1][None], axis=-1)
    larger = np.maximum(sides[0][:, None], sides[1][None])
    growth = _growth(sides[0][:, None], sides[1][None])
    near = (distance < _FARTHEST * larger) & (growth < _LARGEST_GROWTH)
    closeness = np.maximum(overlap, 0.3 * (1 - distance / larger))
    can_be = (overlap >= _LEAST_OVERLAP) | near if certain else overlap >= _UNSURE_OVERLAP
    return (closeness + _APPEARANCE_WEIGHT * likeness(known, sight.appearance)) * can_be


def _expected(tracklet: Tracklet, times: Sequence[float], now: float) -> Float[np.ndarray, " 4"]:
    """Where a person's box would be if he went on as in his last finds."""
    recent = list(islice(reversed(tracklet.found.boxes), _RECENT))
    box, before = (tracklet.found.boxes[position] for position in (recent[0], recent[-1]))
    lasted = times[recent[0]] - times[recent[-1]]
    if lasted == 0:  # found once, or in frames that are shown at one time
        return box
    moved = (box[:2] + box[2:] - before[:2] - before[2:]) / 2
    share = min(now - times[recent[0]], _CARRIED) / lasted
    return box + np.tile(share * moved, 2)


def _begin_surely(
    tracklet: Tracklet, unused: dict[int, Sight], sure: Float[np.ndarray, " frames"]
) -> None:
    """Somebody begins where some finds together are sure, or before, for as long as he is as large.

    Else he begins as the foot of a table that others stand on, or shoes that walk by.
    """
    positions, scores = list(tracklet.found.boxes), list(tracklet.found.scores.values())
    if len(scores) < _TOGETHER:
        return
    together = np.convolve(scores, np.full(_TOGETHER, 1 / _TOGETHER), mode="valid")
    begins = together >= sure[positions[: len(together)]]
    if not begins.any():
        return
    boxes = np.stack(list(tracklet.found.boxes.values()))
    sides = (boxes[:, 2:] - boxes[:, :2]).max(-1)
    first = int(begins.argmax())
    others = np.flatnonzero(_growth(sides[:first], sides[first]) >= _LARGEST_GROWTH)
    for position in positions[: others.max(initial=-1) + 1]:
        box, score = tracklet.found.boxes.pop(position), tracklet.found.scores.pop(position)
        seen, nobody = unused[position], tracklet.appearance
        unused[position] = Sight(
            np.vstack([seen.boxes, box]),
            np.append(seen.scores, score),
            np.vstack([seen.appearance, tracklet.seen.pop(position, nobody)]),
        )
    start = next(iter(tracklet.found.boxes))
    tracklet.hidden = {at: box for at, box in tracklet.hidden.items() if at > start}


def _growth(
    sides: Float[np.ndarray, "..."], others: Float[np.ndarray, "..."] | float
) -> Float[np.ndarray, "..."]:
    """How many times as long the longer one of two sides is as the other."""
    return np.maximum(sides / others, others / sides)


def _fill_hidden(tracklet: Tracklet, times: Sequence[float]) -> None:
    """Boxes where he was hidden: between those found before and after, within what hides him."""
    found = list(tracklet.found.boxes)
    known = np.stack(list(tracklet.found.boxes.values()))
    moments = [times[i] for i in found]
    hidden: Finds = {}
    for position, around in tracklet.hidden.items():
        if position < found[-1]:
            box = np.array([np.interp(times[position], moments, side) for side in known.T])
            lengths = np.minimum(box[2:] - box[:2], around[2:] - around[:2])
            corner = box[:2].clip(around[:2], around[2:] - lengths)
            hidden[position] = np.concatenate([corner, corner + lengths])
    tracklet.found = one_after_the_other(tracklet.found, Person(hidden, {}))
    tracklet.hidden = {}


def _go_back(
    tracklets: list[Tracklet],
    unused: dict[int, Sight],
    times: Sequence[float],
    longest_gap: float,
    starts: np.ndarray,
) -> None:
    """Add to each person the unsure finds from before he was surely found, if about as large."""
    taken: set[tuple[int, int]] = set()
    for tracklet in tracklets:
        first = next(iter(tracklet.found.boxes))
        earlier = Person({}, {})
        box, time = tracklet.found.boxes[first], times[first]
        side = (box[2:] - box[:2]).max()
        for position in range(first - 1, int(starts[tracklet.shot - 1]) - 1, -1):
            if time - times[position] > longest_gap:
                break
            sight = unused.get(position)
            if sight is None or not len(sight.boxes):
                continue
            sides = (sight.boxes[:, 2:] - sight.boxes[:, :2]).max(-1)
            is_as_large = _growth(sides, side) < _LARGEST_GROWTH
            overlap = overlaps(box[None], sight.boxes)[0] * is_as_large
            person = int(overlap.argmax())
            if overlap[person] > 3 * _LEAST_OVERLAP and (position, person) not in taken:
                taken.add((position, person))
                box, time = sight.boxes[person], times[position]
                earlier.boxes[position], earlier.scores[position] = box, sight.scores[person]
        tracklet.found = one_after_the_other(earlier, tracklet.found)


def _joined(tracklets: list[Tracklet], times: Sequence[float]) -> list[Person]:
    """Each person, whose tracklets are those that follow one another and look alike."""
    known = [tracklet for tracklet in tracklets if len(tracklet.found.boxes) >= _ENOUGH]
    people = {tracklet: tracklet.found for tracklet in tracklets}
    if len(known) > 1:
        appearance = np.stack([tracklet.appearance for tracklet in known])
        alike = likeness(appearance, appearance)
        first = np.array([next(iter(tracklet.found.boxes)) for tracklet in known])
        last = np.array([_last(tracklet) for tracklet in known])
        shot = np.array([tracklet.shot for tracklet in known])
        follows = (last[:, None] < first[None]) & (shot[:, None] == shot[None])
        value = np.where(follows & (alike >= _SAME_APPEARANCE), alike, 0)
        value *= _is_clear(value)
        after = np.array(times)[first][None] - np.array(times)[last][:, None]
        rows, columns = linear_sum_assignment(np.where(value > 0, after * 1e-6 - value, 0))
        for row, column in sorted(zip(rows, columns, strict=True), key=lambda pair: last[pair[0]]):
            if value[row, column] > 0:
                earlier = people.pop(known[row])
                people[known[column]] = one_after_the_other(earlier, people[known[column]])
    return list(people.values())


def _is_clear(value: Float[np.ndarray, "n n"]) -> Bool[np.ndarray, "n n"]:
    """Whether nobody else comes near, of those who might follow and of those who might precede."""
    clear = np.ones_like(value, bool)
    for axis in (0, 1):
        second = np.sort(value, axis=axis).take(-2, axis=axis)
        clear &= value >= np.expand_dims(second, axis) + _CLEARLY
    return clear


def _is_separate(boxes: Boxes, owned: Bool[np.ndarray, " finds"]) -> Bool[np.ndarray, " finds"]:
    """Whether a box is not within one of those owned, nor around it."""
    shares = np.maximum(inside(boxes, boxes), inside(boxes, boxes).T)
    return shares[:, owned].max(1, initial=0.0) < _SEPARATE


def _is_alone(boxes: Boxes) -> Bool[np.ndarray, " people"]:
    crowd = overlaps(boxes, boxes) - np.eye(len(boxes))
    return crowd.max(1, initial=0.0) < ALONE


def _last(tracklet: Tracklet) -> int:
    """Position at which he was last found, or known to be hidden."""
    return max(next(reversed(tracklet.found.boxes)), *tracklet.hidden, 0)
