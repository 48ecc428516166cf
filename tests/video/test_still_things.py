import numpy as np

from kinepose.video.shots import Sight
from kinepose.video.still_things import things_of, without_things

FPS = 5.0
FOOT, STANDS = np.array([4.0, 30.0, 20.0, 44.0]), np.array([40.0, 4.0, 60.0, 44.0])


def scene(seconds: float, sway: float) -> tuple[list[np.ndarray], list[np.ndarray], list[float]]:
    """A table's foot, and somebody who sways by some pixels a second: images, finds and times."""
    generator = np.random.default_rng(0)
    times = (np.arange(seconds * FPS) / FPS).tolist()
    empty = generator.uniform(60, 200, (48, 72, 3))
    person = generator.uniform(0, 255, (40, 20, 3)).cumsum(1) % 256
    images = []
    for time in times:
        image = empty.copy()
        left = 40 + round(2 * np.sin(time * sway))
        image[4:44, left : left + 20] = person
        images.append((image + generator.normal(0, 1, image.shape)).clip(0, 255).astype(np.uint8))
    finds = np.column_stack([np.stack([FOOT, STANDS]), [0.6, 0.7]])
    jitter = generator.normal(0, 0.3, (len(times), 2, 4))
    return images, [finds + np.pad(j, ((0, 0), (0, 1))) for j in jitter], times


def test_a_foot_of_a_table_never_stirs_and_who_stands_still_does() -> None:
    things = things_of(*scene(8.0, sway=1.0), 0.4)
    assert len(things) == 1
    assert np.abs(things[0] - FOOT).max() < 2
    assert len(things_of(*scene(3.0, sway=1.0), 0.4)) == 0, "too short to tell"
    assert len(things_of(*scene(8.0, sway=0.0), 0.4)) == 2, "a statue"


def test_finds_below_the_score_and_frames_that_were_not_looked_at_say_nothing() -> None:
    images, found, times = scene(8.0, sway=1.0)
    assert len(things_of(images, found, times, 0.65)) == 0
    some = [finds if i % 3 == 0 else None for i, finds in enumerate(found)]
    assert len(things_of(images, some, times, 0.4)) == 1


def test_a_thing_is_one_in_its_whole_shot_and_in_no_other() -> None:
    sight = Sight(np.stack([FOOT, STANDS]), np.array([0.6, 0.7]), np.zeros((2, 3)))
    foot, nothing = FOOT[None] + 1, np.zeros((0, 4))
    things = [foot, foot, nothing, nothing, nothing]
    left = without_things([sight, None, sight, sight, None], things, [0, 3])
    assert [None if s is None else len(s.boxes) for s in left] == [1, None, 1, 2, None]
    assert left[0] is not None
    assert left[0].boxes.tolist() == [STANDS.tolist()]
    assert left[0].scores.tolist() == [0.7]
