import numpy as np
import pytest
from tests.tiny_videos import walker_frames

from kinepose.video.background import (
    background_motion,
    estimate_background,
    gather_backgrounds,
    plan_windows,
    unknown_share,
)
from kinepose.video.config import PeopleConfig

STILL_CAMERA = PeopleConfig().motion_threshold
NOBODY = np.zeros((0, 4))


def test_motion_tells_a_still_camera_from_a_moving_one() -> None:
    still = background_motion(walker_frames()[0])
    moving = background_motion(walker_frames(pan=0.5)[0])
    assert still < STILL_CAMERA / 2 < 2 * STILL_CAMERA < moving


def test_a_slow_pan_before_a_dull_scene_is_motion() -> None:
    frames = np.stack(walker_frames(pan=0.2)[0]).astype(float)
    dull = (128 + 0.2 * (frames - 128)).astype(np.uint8)
    assert background_motion([*dull]) > 1.5 * STILL_CAMERA


def test_people_who_fill_a_third_of_the_image_are_no_motion() -> None:
    frames = np.stack(walker_frames()[0])
    height, width = frames.shape[1:3]
    noise = np.random.default_rng(0).integers(0, 256, frames.shape, dtype=np.uint8)
    frames[:, : height // 2, : width * 3 // 5] = noise[:, : height // 2, : width * 3 // 5]
    assert background_motion([*frames]) < STILL_CAMERA


def test_motion_by_hand() -> None:
    frames = np.zeros((2, 10, 10, 3), np.uint8)
    frames[1, :, 5:] = 30  # the half that changes most; two fifths do not count
    assert background_motion([*frames]) == pytest.approx(30 * np.sqrt((50 - 40) / 60))
    assert background_motion([*frames[:1]]) == 0


def test_the_flash_of_a_moment_is_no_motion_but_a_turn_is() -> None:
    frames = np.stack(walker_frames()[0])
    flashed = frames.copy()
    flashed[8] = 255
    assert background_motion([*flashed]) < STILL_CAMERA
    turned = np.concatenate([frames[:24], np.roll(frames[24:], 6, axis=2)])
    assert background_motion([*turned]) > STILL_CAMERA


def test_the_median_is_numpys_over_the_frames_without_people() -> None:
    generator = np.random.default_rng(0)
    samples = [generator.integers(0, 256, (7, 9, 3), dtype=np.uint8) for _ in range(12)]
    boxes = [NOBODY] * 12
    for i in range(5):  # the margin of 5 % stays below a pixel
        boxes[i] = np.array([[2.2, 1.2, 4.8, 3.8]])
    found = estimate_background(samples, boxes)
    stack = np.sort(np.stack(samples), axis=0)
    free = np.sort(np.stack(samples[5:]), axis=0)
    expected = stack[5]  # the lower of the two middle ones
    expected[1:4, 2:5] = free[3, 1:4, 2:5]
    np.testing.assert_array_equal(found.image, expected)
    assert found.known.all()


def test_the_scene_behind_a_walker_is_found_and_known() -> None:
    frames, boxes, scene = walker_frames()
    found = estimate_background(frames, [box[None] for box in boxes])
    assert np.abs(found.image.astype(int) - scene).max() == 0
    assert found.known.all()


def test_where_a_person_never_leaves_the_background_is_unknown() -> None:
    frames, boxes, scene = walker_frames(walks=False)
    found = estimate_background(frames, [box[None] for box in boxes])
    assert unknown_share(found.known, boxes[0]) > 0.9
    assert (found.image[found.known] == scene[found.known]).all()
    middle_x = int(boxes[:, [0, 2]].mean())
    assert (found.image[70, middle_x] != scene[70, middle_x]).any()  # his trunk


def test_shares_count_the_part_of_a_box_in_the_image() -> None:
    known = np.ones((10, 10), bool)
    known[:, :2] = False
    assert unknown_share(known, np.array([-4.0, 0.0, 4.0, 10.0])) == pytest.approx(0.5)
    assert unknown_share(known, np.array([20.0, 0.0, 30.0, 10.0])) == 0


@pytest.mark.parametrize("seconds", [0.0, 1.7, 9.9, 10.1, 61.0])
@pytest.mark.parametrize("frame_bytes", [10**4, 10**7, 10**9])
def test_windows_serve_every_frame_once(seconds: float, frame_bytes: int) -> None:
    times = (3.0 + np.arange(0, seconds + 1e-9, 0.04)).tolist()
    windows = plan_windows(times, 10.0, frame_bytes)
    assert [place for w in windows for place in range(w.first, w.end)] == list(range(len(times)))
    for window in windows:
        moments = [times[sample] for sample in window.samples]
        assert moments[-1] - moments[0] <= 10.0 + 1e-6
        assert list(window.samples) == sorted(set(window.samples))
        assert len(window.samples) <= (9 if frame_bytes == 10**9 else 41)
        assert moments[0] <= times[window.first] + 0.5
        assert moments[-1] >= times[window.end - 1] - 1.3


@pytest.mark.parametrize("leap", [12.0, 27.8, 1000.0])
def test_windows_in_which_there_is_no_frame_are_left_out(leap: float) -> None:
    times = [*np.arange(0, 1, 0.1), *np.arange(leap, leap + 1, 0.1)]
    windows = plan_windows(times, 4.0, 10**4)
    assert [place for w in windows for place in range(w.first, w.end)] == list(range(len(times)))
    assert all(window.samples for window in windows)
    frames = np.zeros((len(times), 2, 3, 3), np.uint8)
    passed = list(gather_backgrounds(enumerate(frames), windows, lambda place: NOBODY))
    assert sum(len(found) for _, _, found in passed) == len(windows)


def test_windows_hold_no_more_frames_than_they_sample() -> None:
    times = (np.arange(500) / 25).tolist()
    windows = plan_windows(times, 4.0, 10**9)
    frames = np.random.default_rng(0).integers(0, 256, (500, 2, 3, 3), dtype=np.uint8)
    passed = list(gather_backgrounds(enumerate(frames), windows, lambda place: NOBODY))
    assert [place for place, _, _ in passed] == list(range(500))
    estimates = [estimate for _, _, found in passed for estimate in found]
    assert len(estimates) == len(windows)
    for window, estimate in zip(windows, estimates, strict=True):
        sampled = [frames[sample] for sample in window.samples]
        naive = estimate_background(sampled, [NOBODY] * len(sampled))
        np.testing.assert_array_equal(estimate.image, naive.image)
