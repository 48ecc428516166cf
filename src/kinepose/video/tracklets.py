"""One person for as long as he can be followed; and who is who after two have touched."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from kinepose.geometry.boxes import overlaps
from kinepose.video.appearance import likeness
from kinepose.video.tracking import Finds

Value = TypeVar("Value")

ALONE = 0.2
"""Boxes that overlap less show one person's appearance."""
_CLEARLY = 0.1
"""How much more alike two people must be to each other's past than to their own, for both
together, to have been taken for each other."""

_LONG = 0.5
"""A touch after which nobody's motion from before it is believed [s]."""


@dataclass(frozen=True)
class Person:
    """Who was found in a video."""

    boxes: Finds
    """In ascending order."""
    scores: dict[int, float]
    """By position as well; none where he is hidden behind somebody, or in somebody's arms."""


@dataclass(eq=False)
class Tracklet:
    """One person for as long as he can be followed."""

    shot: int
    found: Person
    appearance: Float[np.ndarray, " n"]
    """What is known of them by now."""
    seen: dict[int, Float[np.ndarray, " n"]] = field(default_factory=dict)
    """Their appearance where he was alone."""
    hidden: Finds = field(default_factory=dict)
    """Boxes that hide him."""

    def add(self, position: int, box: Float[np.ndarray, " 4"], score: float) -> None:
        """Where he was found next."""
        self.found.boxes[position], self.found.scores[position] = box, float(score)


def one_after_the_other(first: Person, second: Person) -> Person:
    """The boxes of both by their positions."""
    return Person(_ascending(first.boxes | second.boxes), _ascending(first.scores | second.scores))


def _ascending(values: dict[int, Value]) -> dict[int, Value]:
    return {position: values[position] for position in sorted(values)}


def tell_apart(tracklets: list[Tracklet], times: Sequence[float]) -> None:
    """Exchange what follows a touch of two who then look more like who the other was.

    Of those who walk past each other their motion tells who is who.
    """
    for number, first in enumerate(tracklets):
        for second in tracklets[:number]:
            for start, end in _touches(first, second):
                lasts = times[end] - times[start] > _LONG
                if lasts and _are_exchanged(first, second, start, end):
                    _exchange(first, second, _nearest(first, second, start, end))


def _touches(first: Tracklet, second: Tracklet) -> list[tuple[int, int]]:
    """First and last positions of the times during which their boxes overlap."""
    both = [i for i in first.found.boxes if i in second.found.boxes]
    touches: list[tuple[int, int]] = []
    before = False
    for position in both:
        touch = _overlap(first, second, position) >= ALONE
        if touch:
            start = touches.pop()[0] if before else position
            touches.append((start, position))
        before = touch
    return touches


def _are_exchanged(first: Tracklet, second: Tracklet, start: int, end: int) -> bool:
    """Whether each looks like the other before; no if someone is not known on both sides."""
    past = [[appearance for i, appearance in t.seen.items() if i < start] for t in (first, second)]
    future = [[appearance for i, appearance in t.seen.items() if i > end] for t in (first, second)]
    if not all([*past, *future]):
        return False
    alike = likeness(*(np.stack([np.mean(s, axis=0) for s in side]) for side in (past, future)))
    return bool(np.trace(alike[:, ::-1]) > np.trace(alike) + _CLEARLY)


def _nearest(first: Tracklet, second: Tracklet, start: int, end: int) -> int:
    """The position of a touch at which exchanging them makes the smallest leap."""
    during = [i for i in first.found.boxes if start <= i <= end and i in second.found.boxes]
    return max(during, key=lambda position: _overlap(first, second, position))


def _exchange(first: Tracklet, second: Tracklet, start: int) -> None:
    _exchange_ends(first.found.boxes, second.found.boxes, start)
    _exchange_ends(first.found.scores, second.found.scores, start)
    _exchange_ends(first.seen, second.seen, start)


def _exchange_ends(first: dict[int, Value], second: dict[int, Value], start: int) -> None:
    """What two dictionaries hold from a position on."""
    one, other = (
        {i: values.pop(i) for i in list(values) if i >= start} for values in (first, second)
    )
    first.update(other)
    second.update(one)


def _overlap(first: Tracklet, second: Tracklet, position: int) -> float:
    boxes = [tracklet.found.boxes[position][None] for tracklet in (first, second)]
    return float(overlaps(*boxes)[0, 0])
