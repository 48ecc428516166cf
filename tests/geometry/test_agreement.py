"""Places of joints that agree over time."""

import math

import numpy as np
import pytest

from kinepose.geometry.agreement import WINDOW, agreeing

FRAMES = 60
TIMES = np.arange(FRAMES) / 30


def paths() -> np.ndarray:
    """17 joints that swing two times in three seconds, 100 px to each side."""
    phase = np.linspace(0, 6, 17)
    across = 100 * np.sin(4 * TIMES[:, None] + phase)
    return np.stack([across, 50 * np.cos(3 * TIMES[:, None] + phase)], axis=-1)


def fitted(places, certainty, times=TIMES):
    return agreeing(places, certainty, times, np.full(len(times), 10.0), WINDOW)


def test_places_that_leap_away_for_a_moment_come_back():
    places, certainty = paths(), np.full((FRAMES, 17), 0.8)
    places[20:23, 5] += 300
    certainty[20:23, 5] = 0.4
    found, sure = fitted(places, certainty)
    off = np.abs(found - paths())
    assert off[15:28, 5].max() < 12, "of 300"
    assert off[12:-12].max() < 12 and off.max() < 25, "at the ends half of the frames are missing"
    assert sure[21, 5] == pytest.approx(0.8, abs=0.02), "that of those that agree"


def test_straight_paths_pass_unchanged_and_nothing_lags():
    line = np.array([3.0, -2.0]) * TIMES[:, None, None] * np.ones((1, 17, 1))
    found, _ = fitted(line, np.full((FRAMES, 17), 0.5))
    middle = slice(15, -15)
    np.testing.assert_allclose(found[middle], line[middle], atol=1e-6)
    generator = np.random.default_rng(0)
    noisy, certainty = (
        paths() + generator.normal(0, 5, (FRAMES, 17, 2)),
        generator.random((FRAMES, 17)),
    )
    backward, _ = fitted(noisy[::-1], certainty[::-1])
    np.testing.assert_allclose(backward[::-1], fitted(noisy, certainty)[0], atol=1e-9)


@pytest.mark.parametrize(("hertz", "least"), [(0.5, 0.98), (1.0, 0.94), (2.0, 0.7)])
def test_swings_keep_their_height(hertz, least):
    path = 60 * np.sin(2 * math.pi * hertz * TIMES)[:, None, None] * [1.0, 0.0]
    found, _ = fitted(path, np.full((FRAMES, 1), 0.7))
    middle = slice(15, -15)
    kept = (found[middle] * path[middle]).sum() / (path[middle] ** 2).sum()
    assert least < kept < 1.02


def test_between_frames_lies_what_their_parabola_says():
    """Of a swing at 10 frames a second; 0.93 of it is left of straight lines between these."""
    path = 60 * np.sin(2 * math.pi * TIMES)[:, None, None] * [1.0, 0.0]
    some, certainty = slice(None, None, 3), np.full((FRAMES // 3, 1), 0.7)
    tolerance = np.full(FRAMES, 10.0)
    found, sure = agreeing(path[some], certainty, TIMES[some], tolerance, WINDOW, TIMES)
    middle = slice(15, -15)
    assert (found[middle] * path[middle]).sum() / (path[middle] ** 2).sum() > 0.945
    np.testing.assert_allclose(sure, 0.7)
    of_frames, _ = agreeing(path[some], certainty, TIMES[some], tolerance[some], WINDOW)
    np.testing.assert_allclose(found[some], of_frames, atol=1e-9)


def test_after_a_pause_the_frame_before_tells():
    """Of very many frames some are passed over, but never the only one near."""
    times = np.append(np.arange(200) / 100, 9.0)
    places, certainty = np.full((201, 1, 2), 7.0), np.full((201, 1), 0.5)
    moments = np.append(times, 9.01)
    found, sure = agreeing(places, certainty, times, np.full(202, 10.0), 0.5, moments)
    np.testing.assert_allclose(found, 7.0)
    np.testing.assert_allclose(sure, 0.5)


@pytest.mark.parametrize("fps", [240, 1000])
def test_of_very_many_frames_some_say_the_same(fps):
    times = np.arange(fps) / fps
    path = 50 * np.sin(4 * times)[:, None, None] * [1.0, 0.5]
    found, sure = fitted(path, np.full((fps, 1), 0.7), times)
    off = np.abs(found - path)
    assert off[fps // 2].max() < 1.5 and off.max() < 5, "at 200 px/s; the ends have half the frames"
    np.testing.assert_allclose(sure, 0.7)


def test_a_frame_counts_by_its_certainty_and_its_time():
    """By hand: one round at no tolerance is the mean that is drawn to the more certain place."""
    times, places = np.array([0.0, 0.0, 9.0]), np.zeros((3, 1, 2))
    places[:2, 0, 0] = [0.0, 1.0]
    certainty = np.array([[0.98], [0.48], [1.0]])
    wide = np.full(3, 1e9)
    found, sure = agreeing(places, certainty, times, wide, WINDOW)
    assert found[0, 0, 0] == pytest.approx(0.25 / 1.25, rel=1e-3)  # squares of 1 and 0.5
    assert sure[0, 0] == pytest.approx((0.98 + 0.25 * 0.48) / 1.25, rel=1e-3)
    assert found[2, 0, 0] == 0, "nobody is near"


def test_each_frame_is_what_a_fit_of_its_own_says():
    """An independent slow version, at uneven times: lstsq, slope and bend as two more equations."""
    generator = np.random.default_rng(1)
    times = np.cumsum(generator.uniform(0.01, 0.09, 25))
    places, certainty = generator.normal(0, 30, (25, 2, 2)), generator.uniform(0.1, 1, (25, 2))
    found, _ = agreeing(places, certainty, times, np.full(25, 10.0), WINDOW)
    for row in (0, 7, 24):
        for joint in (0, 1):
            after = (times - times[row]) / WINDOW
            prior = np.exp(-0.5 * after**2) * (certainty[:, joint] + 0.02) ** 2
            prior[np.abs(after) > 3] = 0
            weight = prior
            for _ in range(6):
                root = np.sqrt(weight)[:, None]
                powers = np.column_stack([np.ones(25), after, after**2])
                rows = powers * root
                stiff = np.sqrt(0.02 * weight.sum())
                design = np.vstack([rows, [[0.0, stiff, 0.0], [0.0, 0.0, stiff]]])
                wanted = np.vstack([places[:, joint] * root, np.zeros((2, 2))])
                line = np.linalg.lstsq(design, wanted, rcond=None)[0]
                off = places[:, joint] - powers @ line
                weight = prior / (1 + (off**2).sum(-1) / 100)
            np.testing.assert_allclose(found[row, joint], line[0], atol=1e-6)
