import numpy as np
import pytest

from kinepose.video.searching import search_video

FPS = 25.0


def thumbnails(count: int) -> list[np.ndarray]:
    """Frames that say their number."""
    return [np.full((1, 1, 3), number, np.uint8) for number in range(count)]


def find(people):
    """A search that notes what it was shown, and finds the people of a function of the frame."""
    seen = []

    def search(images, closely):
        numbers = [int(image[0, 0, 0]) for image in images]
        seen.extend(numbers)
        finds = [np.array(people(number), float).reshape(-1, 5) for number in numbers]
        return finds, bool(closely)

    return search, seen


def test_who_stands_still_is_looked_at_every_two_fifths_of_a_second_and_in_the_last_frame() -> None:
    search, seen = find(lambda frame: [[frame / 10, 0, 50 + frame / 10, 80, 0.9]])
    found = search_video(thumbnails(23), FPS, 0.3, search)
    assert seen == [0, 10, 20, 22]
    assert [i for i, finds in enumerate(found) if finds is not None] == seen
    assert found[20][0, 0] == 2


def test_who_moves_is_looked_at_every_fifth_of_a_second() -> None:
    search, seen = find(lambda frame: [[frame, 0, frame + 50, 80, 0.9]])  # 40 px of 60 are shared
    search_video(thumbnails(23), FPS, 0.3, search)
    assert seen == [0, 10, 20, 22, 5, 15]


def test_where_people_come_or_go_the_middle_is_looked_at_twice() -> None:
    search, seen = find(lambda frame: [[0, 0, 50, 80, 0.9]] * (frame > 6))
    search_video(thumbnails(21), FPS, 0.3, search)
    assert seen == [0, 10, 20, 5, 7]


@pytest.mark.parametrize(("score", "more"), [(0.9, [2, 1]), (0.2, [])])
def test_unsure_finds_are_no_reason_to_look_again(score: float, more: list[int]) -> None:
    search, seen = find(lambda frame: [[0, 0, 50, 80, score]] if frame else [])
    search_video(thumbnails(6), FPS, 0.3, search)
    assert seen == [0, 5, *more]


def test_every_frame_of_a_slow_video_is_looked_at() -> None:
    search, seen = find(lambda frame: [])
    assert search_video(thumbnails(4), 2.0, 0.3, search) is not None
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("helps", [True, False])
def test_doubtful_frames_are_looked_at_as_closely_as_others(helps: bool) -> None:
    told = []

    def search(images, closely):
        told.append(closely)
        return [
            np.array([[0, 0, 50, 80, 0.9]])[: int(image[0, 0, 0] > 6)] for image in images
        ], helps

    search_video(thumbnails(16), FPS, 0.3, search)
    assert told == [None, helps, helps]
