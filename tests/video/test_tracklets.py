import numpy as np
import pytest

from kinepose.video.tracklets import Person, Tracklet, tell_apart

RED, BLUE = np.tile(np.eye(4)[0], 3), np.tile(np.eye(4)[1], 3)


def tracklet(xs: list[float], appearance: dict[int, np.ndarray]) -> Tracklet:
    boxes = {i: np.array([x, 0.0, x + 10, 20.0]) for i, x in enumerate(xs)}
    return Tracklet(0, Person(boxes, {i: float(i) for i in boxes}), RED, seen=appearance)


def lefts(tracklet: Tracklet) -> list[float]:
    return [box[0] for box in tracklet.found.boxes.values()]


@pytest.mark.parametrize("after", ["exchanged", "right", "unknown", "twins", "in passing"])
def test_people_are_told_apart_after_a_touch_by_their_clothes(after: str) -> None:
    first, second = [0.0, 10, 24, 24, 24, 10], [50.0, 40, 27, 25, 27, 40]
    later = {
        "exchanged": (BLUE, RED),
        "in passing": (BLUE, RED),
        "right": (RED, BLUE),
        "twins": (RED, RED),
    }
    seen = [{0: RED, 1: RED}, {0: RED if after == "twins" else BLUE}]
    if after != "unknown":
        for known, appearance in zip(seen, later[after], strict=True):
            known[5] = appearance
    pair = [tracklet(first, seen[0]), tracklet(second, seen[1])]
    tell_apart(pair, [(0.1 if after == "in passing" else 0.4) * i for i in range(6)])
    if after == "exchanged":  # from where they were nearest on
        assert lefts(pair[0]) == [0, 10, 24, 25, 27, 40]
        assert lefts(pair[1]) == [50, 40, 27, 24, 24, 10]
        assert (pair[0].seen[5] == RED).all()
    else:
        assert [lefts(t) for t in pair] == [first, second]
