import numpy as np
import pytest

from kinepose.video.appearance import appearance_of, likeness
from kinepose.video.linking import link
from kinepose.video.shots import Sight

RED, BLUE = np.eye(64)[0], np.eye(64)[1]


def box(x: float, size: float = 10.0) -> np.ndarray:
    return np.array([x, 0.0, x + size, 2 * size])


def appearance(*colours: np.ndarray) -> np.ndarray:
    return np.stack([np.tile(colour, 3) for colour in colours]).reshape(len(colours), -1)


def sight(*people: tuple[float, np.ndarray] | tuple[float, np.ndarray, float]) -> Sight:
    """People at some x, in some colour, found with some score."""
    boxes = np.array([box(person[0]) for person in people]).reshape(-1, 4)
    scores = np.array([person[2] if len(person) > 2 else 0.9 for person in people])
    return Sight(boxes, scores, appearance(*(person[1] for person in people)) if people else EMPTY)


EMPTY = np.zeros((0, 192))
STEPS = (0.2 * np.arange(40)).tolist()


def followed(sights: list[Sight | None], gap: float = 1.0, step: float = 0.2, cuts=(0,)) -> list:
    times = (step * np.arange(len(sights))).tolist()
    people = link(sights, times, cuts, gap, sure=0.3)
    return sorted(({p: b[0] for p, b in person.boxes.items()} for person in people), key=min)


@pytest.mark.parametrize("alike", [False, True])
def test_two_who_cross_keep_their_numbers(alike: bool) -> None:
    other = RED if alike else BLUE
    sights = [
        sight(*[(3.0 * i, RED), (60 - 3.0 * i, other)][:: 1 if i % 2 else -1]) for i in range(21)
    ]
    for hidden in (9, 10, 11):  # one is seen of two
        sights[hidden] = sight((30.0, RED))
    people = followed(sights)
    assert len(people) == 2
    starts = sorted(person[0] for person in people)
    ends = {person[0]: person[20] for person in people}
    assert starts == [0, 60]
    assert ends == {0: 60, 60: 0}


def test_two_who_meet_and_turn_back_are_told_apart_by_their_clothes() -> None:
    path = [5.0 * min(i, 16 - i) for i in range(17)]
    sights = [sight((path[i], RED), (85 - path[i], BLUE)) for i in range(17)]
    sights[7] = sights[8] = sights[9] = sight((42.0, RED))
    people = followed(sights)
    assert sorted((person[0], person[16]) for person in people) == [(0, 0), (85, 85)]


def test_unsure_finds_go_on_and_begin_earlier_but_make_nobody() -> None:
    sights = [sight((i, RED, 0.2 if i < 3 or i == 5 else 0.8), (70.0, BLUE, 0.2)) for i in range(8)]
    (person,) = followed(sights)
    assert sorted(person) == list(range(8))


def test_what_is_sure_for_a_moment_is_no_beginning_unless_it_is_as_large() -> None:
    """The foot of a table, which is as good as somebody once; then somebody comes before it."""
    foot, person = np.array([4.0, 12, 8, 20]), box(0.0)
    scores = [0.2, 0.2, 0.65, 0.2, 0.1, 0.8, 0.8, 0.8, 0.8]
    people = []
    for first in (foot, person):
        sights: list[Sight | None] = [
            Sight((first if i < 5 else person)[None], np.array([score]), appearance(RED))
            for i, score in enumerate(scores)
        ]
        people += [sorted(one.boxes) for one in link(sights, STEPS, (0,), 1.0, sure=0.6)]
    assert people == [[5, 6, 7, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8]]


def test_who_runs_begins_where_he_was_first_found() -> None:
    """A width a look, and less sure on the way: motion alone tells that it is he."""
    scores = [0.7, 0.65, 0.35, 0.35, 0.5, 0.5, 0.8, 0.8, 0.8, 0.8]
    sights = [sight((10.0 * i, RED, score)) for i, score in enumerate(scores)]
    (person,) = link(sights, STEPS, (0,), 1.0, sure=0.6)
    assert sorted(person.boxes) == list(range(10))


def test_frames_that_were_not_looked_at_are_no_gap() -> None:
    sights = [sight((2.0 * i, RED)) if i % 3 == 0 else None for i in range(13)]
    (person,) = followed(sights, step=0.05)
    assert sorted(person) == [0, 3, 6, 9, 12]


def test_who_comes_back_is_known_by_clothes_that_nobody_else_wears() -> None:
    here = [sight((5.0, RED))] * 4
    nobody = [sight()] * 10
    back = [sight((80.0, RED))] * 4
    other = [sight((80.0, BLUE))] * 4
    assert len(followed([*here, *nobody, *back])) == 1
    assert len(followed([*here, *nobody, *other])) == 2
    twins = [sight((5.0, RED), (50.0, RED))] * 4
    assert len(followed([*twins, *nobody, *back])) == 3


def test_nobody_goes_on_behind_a_cut() -> None:
    assert len(followed([sight((5.0, RED))] * 8, cuts=(0, 4))) == 2


def test_a_video_slower_than_the_longest_gap_is_followed() -> None:
    (person,) = followed([sight((i, RED)) for i in range(5)], step=3.0)
    assert len(person) == 5


def test_appearance_is_the_colours_of_three_bands() -> None:
    image = np.zeros((60, 40, 3), np.uint8)
    image[:20, 20:] = [255, 0, 0]
    image[20:40, 20:] = [0, 255, 0]
    boxes = np.array([[20.0, 0.0, 40.0, 60.0], [0.0, 0.0, 20.0, 60.0], [20.0, 0.0, 40.0, 59.0]])
    seen = appearance_of(image, boxes)
    alike = likeness(seen, seen)
    assert np.diag(alike) == pytest.approx(1)
    assert alike[0, 1] == pytest.approx(1 / 3)
    assert alike[0, 2] > 0.95
    assert appearance_of(image, np.zeros((0, 4))).shape[0] == 0


def test_frames_that_are_shown_at_one_time_link_too() -> None:
    assert followed([sight((float(i), RED)) for i in range(6)], step=0.0) == [
        {i: float(i) for i in range(6)}
    ]


def hug(width: float, *others: float) -> Sight:
    """A find around two people, and finds of others at some x."""
    boxes = np.array([[30.0, 0.0, 30 + width, 20.0], *(box(x) for x in others)])
    return Sight(boxes, np.full(len(boxes), 0.9), appearance(RED, *[BLUE] * len(others)))


def test_two_who_hug_for_long_are_two_who_go_on_where_the_hug_is() -> None:
    come = [sight((3.0 * i, RED), (70 - 3.0 * i, BLUE)) for i in range(10)]
    people = link([*come, *[hug(16.0)] * 20, *come[::-1]], STEPS[:40], (0,), 2.0, sure=0.3)
    assert [len(person.boxes) for person in people] == [40, 40]
    hidden = next(person for person in people if len(person.scores) < 40)
    assert sorted(set(hidden.boxes) - set(hidden.scores)) == list(range(10, 30))
    for position in range(10, 30):
        x0, _, x1, _ = hidden.boxes[position]
        assert 30 <= x0 < x1 <= 46
        assert x1 - x0 == pytest.approx(10)


def test_who_never_comes_out_of_a_hug_ends_where_he_was_last_seen() -> None:
    come = [sight((3.0 * i, RED), (70 - 3.0 * i, BLUE)) for i in range(10)]
    people = link([*come, *[hug(16.0)] * 20], STEPS[:30], (0,), 2.0, sure=0.3)
    assert sorted(max(person.boxes) for person in people) == [9, 29]


def test_a_second_box_within_or_around_somebody_is_nobody() -> None:
    wide = Sight(np.array([box(30.0), [28.0, 0, 60, 20]]), np.full(2, 0.9), appearance(RED, RED))
    narrow = Sight(np.array([box(30.0), [31.0, 0, 38, 12]]), np.full(2, 0.9), appearance(RED, RED))
    start = [sight((30.0, RED))]
    for second in (wide, narrow):
        people = link([*start, *[second] * 5], STEPS[:6], (0,), 2.0, sure=0.3)
        assert len(people) == 1
