"""temporal_filter.py on motions of known truth: nothing lags, no bone grows, sides come back."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.skeleton import LIMBS, MIRRORED, STANDARD_SKELETON
from kinepose.inference.bones import lengths_and_directions
from kinepose.inference.temporal_filter import (
    filter_taps,
    filtered,
    least_motion,
    repair_sides,
    smooth_poses,
    stretches,
)
from kinepose.method.forward_kinematics import forward_kinematics

FPS, FRAMES = 30.0, 90
ONCE_ROUND = np.linspace(0, 2 * np.pi, FRAMES)
FROM_FRONT = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])


def moving(seed=0, noise=0.0, turn=ONCE_ROUND, track=3, start=0):
    """Somebody who swings all limbs, walks and turns about; noise is of angles [rad]."""
    rng = np.random.default_rng(seed)
    time = np.arange(len(turn))[:, None] / FPS
    angles = rng.uniform(-0.5, 0.5, 40) * np.sin(3 * time + rng.uniform(0, 6, 40))
    angles += [0.0, *np.ravel(STANDARD_SKELETON.rest_directions)]
    angles += noise * rng.standard_normal(angles.shape)
    canonical = 1700 * forward_kinematics(torch.from_numpy(angles)).numpy()
    c, s, o = np.cos(turn), np.sin(turn), np.zeros_like(turn)
    about = np.array([[c, -s, o], [s, c, o], [o, o, o + 1]]).transpose(2, 0, 1)
    joints3d = canonical @ (FROM_FRONT @ about).swapaxes(-1, -2)
    root = np.concatenate([900 * time - 1000, 100 * time, 5000 - 300 * time], axis=-1)
    root += noise * 100 * rng.standard_normal(root.shape)
    in_video = joints3d + root[:, None]
    joints2d = 800 * in_video[..., :2] / in_video[..., 2:] + [320, 240]
    count = len(turn)
    return VideoPoses(
        video=np.array("video.mp4"),
        frame=start + np.arange(count),
        time=(start + np.arange(count)) / FPS,
        image=np.full(count, ""),
        track=np.full(count, track),
        box=np.tile(np.float32([10, 20, 90, 290]), (count, 1)),
        joints2d=joints2d.astype(np.float32),
        joints3d=joints3d.astype(np.float32),
        confidence=rng.uniform(0, 1, (count, 17)).astype(np.float32),
        root=root.astype(np.float32),
        focal=np.full(count, 800, np.float32),
        energy=np.zeros(count, np.float32),
        fps=np.array(FPS, np.float32),
    )


def rows_of(poses, rows):
    return VideoPoses(**{n: v[rows] if v.ndim else v for n, v in vars(poses).items()})


def together(*people):
    first = vars(people[0])
    rows = {n: np.concatenate([vars(p)[n] for p in people]) for n, v in first.items() if v.ndim}
    return VideoPoses(**(first | rows))


def assert_same(poses, others, atol=1e-3):
    for name, value in vars(poses).items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(value, vars(others)[name], atol=atol, err_msg=name)


def bones(poses):
    return np.stack(
        [np.linalg.norm(poses.joints3d[:, b] - poses.joints3d[:, a], axis=-1) for a, b in LIMBS]
    )


def distance(poses, truth):
    return np.linalg.norm(poses.joints3d - truth.joints3d, axis=-1).mean()


def exchange(poses, frames, turned=False):
    """As a model would that took the left for the right, or front for back."""
    array = {n: vars(poses)[n].copy() for n in ("joints2d", "joints3d", "confidence")}
    for values in array.values():
        values[frames] = values[frames][:, MIRRORED]
    if turned:
        rays = poses.root / np.linalg.norm(poses.root, axis=-1, keepdims=True)
        mirror = np.eye(3) - 2 * rays[:, :, None] * rays[:, None]
        array["joints3d"][frames] = (array["joints3d"] @ mirror)[frames]
    return replace(poses, **array)


def test_noise_goes_and_motion_stays():
    truth, noisy = moving(), moving(noise=0.1)
    smooth = smooth_poses(noisy, 0.3)
    assert distance(smooth, truth) < 0.6 * distance(noisy, truth)
    assert np.abs(smooth.root - truth.root).mean() < 0.6 * np.abs(noisy.root - truth.root).mean()
    assert distance(smooth_poses(truth, 0.3), truth) < 3
    limbs = [i for i, limb in enumerate(LIMBS) if limb != (7, 8)]  # spine to neck has no length
    np.testing.assert_allclose(bones(smooth)[limbs], bones(noisy)[limbs], atol=0.01)


def test_depth_is_smoothed_over_twice_as_long():
    """As by hand: each bone filtered over the window, its part along the ray over two of them.

    The second window changes it by a tenth of the bone at most.
    """
    noisy = moving(noise=0.1)
    ray = noisy.root.astype(float)
    ray = (ray / np.linalg.norm(ray, axis=-1, keepdims=True))[:, None]
    lengths, directions = lengths_and_directions(noisy.joints3d.astype(float))
    depth = (directions * ray).sum(-1, keepdims=True)
    across = filtered(directions, filter_taps(noisy.time, 0.3))
    near = (across * ray).sum(-1, keepdims=True)
    across -= near * ray
    along = filtered(depth, filter_taps(noisy.time, 0.6)).clip(near - 0.1, near + 0.1) * ray
    shown = lengths_and_directions(smooth_poses(noisy, 0.3).joints3d.astype(float))[1]
    limbs = lengths[0, :, 0] > 1
    expected = (across + along)[:, limbs]
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(shown[:, limbs], expected, atol=1e-4)


def test_who_turns_fast_keeps_most_of_it():
    """Thrice round a second, without noise: 20 mm by one window for all, 160 by two for depth."""
    truth = moving(turn=3 * 3 * ONCE_ROUND)
    assert distance(smooth_poses(truth, 0.3), truth) < 40


def test_who_is_in_the_camera_has_no_depth():
    """All that is known of a bone is then filtered alike, as sideways parts are elsewhere."""
    noisy = moving(noise=0.1)
    within = replace(noisy, root=np.zeros_like(noisy.root))
    directions = lengths_and_directions(noisy.joints3d.astype(float))[1]
    expected = filtered(directions, filter_taps(noisy.time, 0.3))
    shown = lengths_and_directions(smooth_poses(within, 0.3).joints3d.astype(float))[1]
    assert np.isfinite(repair_sides(within).joints3d).all()
    cosine = (shown * expected).sum(-1)
    np.testing.assert_allclose(cosine, np.linalg.norm(expected, axis=-1), atol=1e-5)


def test_what_is_steady_or_even_passes_unchanged():
    still = rows_of(moving(), np.zeros(FRAMES, int))
    still = replace(still, frame=np.arange(FRAMES), time=moving().time)
    assert_same(smooth_poses(still, 0.5), still, atol=0.01)
    assert_same(repair_sides(still), still)
    even = smooth_poses(moving(), 0.5).root
    np.testing.assert_allclose(even, moving().root, atol=0.01)


def test_nothing_lags():
    """A video that runs backward gives the same poses backward."""
    noisy = moving(noise=0.1)
    backward = replace(rows_of(noisy, np.arange(FRAMES)[::-1]), frame=noisy.frame, time=noisy.time)
    again = rows_of(smooth_poses(backward, 0.3), np.arange(FRAMES)[::-1])
    assert_same(replace(again, time=noisy.time), smooth_poses(noisy, 0.3), atol=0.05)


def test_people_and_stretches_do_not_touch_each_other():
    first, second = moving(1, 0.1), moving(2, 0.1, track=8, start=40)
    parts = [rows_of(first, np.arange(0, 30)), rows_of(first, np.arange(47, FRAMES)), second]
    joined = together(*parts)
    order = np.lexsort([joined.track, joined.frame])
    mixed = rows_of(joined, order)
    assert [len(rows) for rows in stretches(mixed.track, mixed.frame)] == [30, FRAMES - 47, FRAMES]
    alone = together(*(smooth_poses(repair_sides(part), 0.3) for part in parts))
    assert_same(smooth_poses(repair_sides(mixed), 0.3), rows_of(alone, order))


@pytest.mark.parametrize("window", [1e-6, 1e-3, 2e-3])
def test_a_window_shorter_than_a_frame_leaves_all_as_it_is(window):
    noisy = moving(noise=0.1)
    assert_same(smooth_poses(noisy, window), noisy)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_a_few_frames_are_no_trouble(count):
    few = rows_of(moving(noise=0.1), np.arange(count))
    assert np.isfinite(smooth_poses(repair_sides(few), 0.3).joints3d).all()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("frames", [[40], [7, 8, 9, 50], [0, 1], [89], [*range(20, 40), 60]])
def test_sides_that_were_exchanged_for_a_moment_come_back(frames, turned):
    truth = moving(noise=0.03)
    assert_same(repair_sides(exchange(truth, frames, turned)), truth)


def test_viterbi_finds_the_best_of_all_paths():
    """Against every path there is, of three states and six frames."""
    rng = np.random.default_rng(0)
    for price in (0.0, 0.4, 2.0):
        states = rng.standard_normal((3, 6, 17, 5))

        def cost(path, states=states, price=price):
            joints = states[list(path), range(6)]
            steps = np.diff(joints, axis=0)
            moved = np.linalg.norm(steps[..., :2], axis=-1) + np.linalg.norm(
                steps[..., 2:], axis=-1
            )
            return moved.mean(-1).sum() + price * np.count_nonzero(path)

        best = min(itertools.product(range(3), repeat=6), key=cost)
        assert least_motion(states, np.full(6, price)).tolist() == list(best)


def test_who_turns_about_or_is_always_seen_the_other_way_keeps_his_sides():
    for seed in range(4):
        for noise in (0.0, 0.1):
            poses = moving(seed, noise)
            assert_same(repair_sides(poses), poses)
    other_way = exchange(moving(), np.arange(FRAMES))
    assert_same(repair_sides(other_way), other_way)
    long = exchange(moving(), np.arange(40, FRAMES))
    assert_same(repair_sides(long), long)


@pytest.mark.parametrize(("fps", "count", "window"), [(30, 40, 0.3), (25, 60, 0.5), (60, 90, 0.3)])
def test_of_even_times_it_is_the_filter_of_savitzky_and_golay(fps, count, window):
    """By SciPy, also at the ends and in milliseconds, but for the rounding of times to ticks."""
    values = np.random.default_rng(0).normal(size=(count, 3))
    times = np.arange(count) / fps
    length = {30: 9, 25: 13, 60: 17}[fps]
    expected = savgol_filter(values, length, 2, axis=0)
    np.testing.assert_allclose(filtered(values, filter_taps(times, window)), expected, atol=2e-4)
    rounded = filtered(values, filter_taps(times.round(3), window))
    np.testing.assert_allclose(rounded, expected, atol=0.06)


def test_of_frames_at_one_time_it_is_their_mean():
    values = np.random.default_rng(0).normal(size=(7, 2))
    mean = filtered(values, filter_taps(np.zeros(7), 0.4))
    np.testing.assert_allclose(mean, np.tile(values.mean(0), (7, 1)), atol=1e-12)


def test_of_uneven_times_a_parabola_passes_and_noise_does_not():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.005, 0.08, 80))
    taps = filter_taps(times, 0.4)
    parabola = np.stack([3 - 2 * times + 5 * times**2, times], axis=-1)
    np.testing.assert_allclose(filtered(parabola, taps), parabola, atol=1e-3)
    noise = rng.normal(size=(80, 20))
    assert filtered(noise, taps).std() < 0.75 * noise.std()
    for i, (start, weights) in enumerate(taps):
        inside = np.abs(times[start : start + len(weights)] - times[i])
        assert (inside < 0.4).all() and weights.sum() == pytest.approx(1)


def test_a_video_of_uneven_frames_is_smoothed_by_its_times():
    """Poses of an even video, every third frame of its middle alone, come out where they were."""
    truth, noisy = moving(), moving(noise=0.05)
    kept = np.sort(np.concatenate([np.arange(30), np.arange(30, 60, 3), np.arange(60, FRAMES)]))
    few = replace(rows_of(noisy, kept), frame=np.arange(len(kept)))
    of_truth = replace(rows_of(truth, kept), frame=np.arange(len(kept)))
    assert distance(smooth_poses(of_truth, 0.3), of_truth) < 6
    assert distance(smooth_poses(few, 0.3), of_truth) < 0.9 * distance(few, of_truth)
    assert_same(repair_sides(exchange(of_truth, [33, 34], turned=True)), of_truth)
