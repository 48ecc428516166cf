import numpy as np
import pytest

from kinepose.video.phantoms import believed, opening_scores
from kinepose.video.shots import Sight
from kinepose.video.tracklets import Person

HEIGHT, GAP = 50, 2.0
TIMES = (0.1 * np.arange(41)).tolist()
LOOKED_AT = range(0, 41, 2)
SIGHT = Sight(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 3)))
SIGHTS = [SIGHT if i in LOOKED_AT else None for i in range(41)]


def person(score: float, frames: range = LOOKED_AT) -> Person:
    return Person(
        {i: np.array([40.0, 10.0, 50.0, 30.0]) for i in frames}, dict.fromkeys(frames, score)
    )


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (person(0.5), True),
        (person(0.2), False),  # never sure
        (person(0.5, range(0, 41, 8)), False),  # found in one frame of four
        (person(0.45), False),  # while somebody is found twice as surely
        (person(0.8, range(0, 4, 2)), False),  # for a fifth of a second
        (person(0.8, range(30, 41, 2)), True),  # who comes late
    ],
)
def test_phantoms_are_found_seldom_or_with_doubt(other: Person, kept: bool) -> None:
    sure = person(0.9 if other.scores[next(iter(other.scores))] == 0.45 else 0.7)
    people = believed([sure, other], SIGHTS, TIMES, [0], HEIGHT, GAP, by_score=True)
    assert people == ([sure, other] if kept else [sure])


def test_who_is_new_is_found_about_as_surely_as_others_are() -> None:
    def sights(scores: list[float]) -> list[Sight | None]:
        return [Sight(np.zeros((1, 4)), np.array([score]), np.zeros((1, 3))) for score in scores]

    def least(shot: list[Sight | None], sure: float) -> list[float]:
        return np.unique(opening_scores(shot, [0], sure).round(6)).tolist()

    assert least([None, SIGHT], 0.45) == [0.45]
    assert least(sights([0.5] * 20), 0.45) == [0.45]
    assert least([None, *sights([0.8] * 20)], 0.45) == [0.6]
    assert least(sights([0.6] * 99 + [0.99]), 0.4) == [0.45], "one is chance"
    shots = sights([0.8, 0.8, 0.6, 0.6])
    np.testing.assert_allclose(opening_scores(shots, [0, 2], 0.4), [0.6, 0.6, 0.45, 0.45])


def test_without_scores_only_the_time_counts() -> None:
    seldom, short = person(1.0, range(0, 41, 20)), person(1.0, range(0, 4, 2))
    assert believed([seldom, short], SIGHTS, TIMES, [0], HEIGHT, GAP, by_score=False) == [seldom]
    assert believed([], SIGHTS, TIMES, [0], HEIGHT, GAP, by_score=True) == []


def test_most_of_a_short_video_is_long_enough() -> None:
    brief = person(1.0, range(0, 4, 2))
    assert believed([brief], SIGHTS[:3], TIMES[:3], [0], HEIGHT, GAP, by_score=True) == [brief]


def test_frames_in_which_somebody_is_hidden_or_away_do_not_count_against_him() -> None:
    def are_kept(other: Person) -> bool:
        people = [person(0.7), other]
        return believed(people, SIGHTS, TIMES, [0], HEIGHT, GAP, by_score=True) == people

    hidden = person(0.6)
    for position in range(4, 20, 2):
        del hidden.scores[position]
    assert are_kept(hidden)
    for position in range(4, 20, 2):
        del hidden.boxes[position]
    assert not are_kept(hidden)
    away = person(0.6, range(0, 12, 2))
    for position in range(32, 41, 2):
        away.boxes[position], away.scores[position] = away.boxes[0], 0.6
    assert are_kept(away), "he was known again after more than two seconds"
    brief = person(0.6, range(0, 6, 2))
    for position in range(36, 41, 2):
        brief.boxes[position], brief.scores[position] = brief.boxes[0], 0.6
    assert not are_kept(brief), "two moments, far apart, are no half second"


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((70.0, 0.0, 75.0, 10.0), False),  # legs at the upper border
        ((95.0, 20.0, 100.0, 30.0), True),  # somebody far away at the right border
        ((70.0, 0.0, 75.0, 13.0), True),  # as much of him as a whole person may have
        ((70.0, 10.0, 75.0, 20.0), True),  # a child
    ],
)
def test_legs_alone_are_nobody(box: tuple, kept: bool) -> None:
    boxes = {i: np.array(box) for i in LOOKED_AT}
    other = Person(boxes, dict.fromkeys(boxes, 0.7))
    people = believed([person(0.7), other], SIGHTS, TIMES, [0], HEIGHT, GAP, by_score=True)
    assert len(people) == (2 if kept else 1)
    assert believed([other], SIGHTS, TIMES, [0], HEIGHT, GAP, by_score=True) == [other]


def test_people_of_one_shot_are_not_measured_by_those_of_another() -> None:
    def kept(cuts: list[int], *people: Person) -> int:
        return len(believed([*people], SIGHTS, TIMES, cuts, HEIGHT, GAP, by_score=True))

    sure, doubtful = person(0.9, range(0, 20, 2)), person(0.5, range(20, 41, 2))
    assert kept([0], sure, doubtful) == 1
    assert kept([0, 20], sure, doubtful) == 2
    legs = person(0.9, range(20, 41, 2))
    legs.boxes.update(dict.fromkeys(legs.boxes, np.array([70.0, 0.0, 75.0, 10.0])))
    assert kept([0], sure, legs) == 1
    assert kept([0, 20], sure, legs) == 2
    assert kept([0, 20], sure, doubtful, person(0.3, range(20, 41, 2))) == 2
    assert kept([0, 20], sure, person(0.4, range(20, 41, 2))) == 1, "less than half as sure"
