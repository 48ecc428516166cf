"""Poses of a video made steady: sides that the model exchanged for a moment, then noise.

Every person is treated alone, in every stretch of frames that follow each other. Nothing lags: both
steps look backward and forward alike.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.cheapest_path import cheapest_path
from kinepose.geometry.rotations import unit
from kinepose.geometry.skeleton import MIRRORED, PELVIS
from kinepose.inference.bones import joints_of, lengths_and_directions
from kinepose.method.forward_kinematics import stature

_ORDER = 2
"""Of the polynomials of the filter: what speeds up evenly passes unchanged."""
_DEPTH_WINDOWS = 2
"""How many windows of the filter make that of the bones' depths, which single frames tell worst."""
_DEPTH_CHANGE = 0.1
"""By how much of a bone's length that longer window changes its depth at most: what turns fast
would lose far more to it than noise does."""
_JITTER = 1e-3
"""Differences of times up to this are the clock's, which counts in milliseconds [s]."""
_TICK = 1e-5
"""To which frames of a window are told apart [s]: few kinds of windows are left in a video."""
_EXCHANGED_SECOND = 0.5
"""A second of exchanged sides costs as much as all joints that move this far [statures, in 2D and
3D together]: a switch is a matter of moments, and the model is right most of the time."""

Taps = list[tuple[int, np.ndarray]]


def repair_sides(poses: VideoPoses) -> VideoPoses:
    """Exchange left and right where the model did, by the path of least motion in 2D and 3D.

    The labels of joints are exchanged, in 2D as they are; in 3D as they are, or with their depths
    mirrored, so that who was taken to face away faces the camera: the image is much the same.
    Box, root and energy stay.
    """
    joints2d, joints3d = poses.joints2d[:, MIRRORED], poses.joints3d[:, MIRRORED]
    states = [
        (poses.joints2d, poses.joints3d, poses.confidence),
        (joints2d, joints3d, poses.confidence[:, MIRRORED]),
        (joints2d, _mirrored_in_depth(joints3d, poses.root), poses.confidence[:, MIRRORED]),
    ]
    chosen = np.zeros(len(poses.frame), np.int64)
    for rows in stretches(poses.track, poses.frame):
        size = float(np.median((poses.box[rows, 2:] - poses.box[rows, :2]).max(-1)))
        tall = stature(torch.from_numpy(poses.joints3d[rows])).median().item()
        paths = [
            np.concatenate([seen[rows] / max(size, 1), joints[rows] / max(tall, 1)], axis=-1)
            for seen, joints, _ in states
        ]
        price = _EXCHANGED_SECOND * _durations(poses.time[rows], float(poses.fps))
        chosen[rows] = least_motion(np.stack(paths), price)
    every = np.arange(len(chosen))
    joints2d, joints3d, confidence = (
        np.stack(kind)[chosen, every] for kind in zip(*states, strict=True)
    )
    return replace(poses, joints2d=joints2d, joints3d=joints3d, confidence=confidence)


def least_motion(
    states: Float[np.ndarray, "states frames 17 5"], price: Float[np.ndarray, " frames"]
) -> Int64[np.ndarray, " frames"]:
    """The state of each frame with which a person moves least; joints are in 2D, then in 3D.

    A step costs the mean distance that joints move, in 2D and in 3D, and a frame in another state
    than the first costs its `price`.
    """
    steps = np.array([[_steps(start, end) for end in states] for start in states])
    dearer = price[:, None] * (np.arange(len(states)) > 0)
    return cheapest_path(dearer, np.moveaxis(steps, -1, 0))


def _steps(
    start: Float[np.ndarray, "frames 17 5"], end: Float[np.ndarray, "frames 17 5"]
) -> Float[np.ndarray, " steps"]:
    """How far joints move from each frame of one state to the next frame of another."""
    move = end[1:] - start[:-1]
    return sum(np.linalg.norm(part, axis=-1).mean(-1) for part in (move[..., :2], move[..., 2:]))


def _durations(times: Float64[np.ndarray, " frames"], fps: float) -> Float64[np.ndarray, " frames"]:
    """How much time each frame stands for [s]."""
    return np.gradient(times) if len(times) > 1 else np.array([1 / fps])


def smooth_poses(poses: VideoPoses, window: float) -> VideoPoses:
    """Poses after a Savitzky-Golay filter whose window is so long [s], by the frames' own times.

    In 3D it is the directions of the bones, in the axes of the video's camera, and their lengths
    that are filtered: bones as long as T_fk makes them stay so. How far they point away from the
    camera is filtered over twice as long, which changes it by about a tenth of a bone at most. In
    2D and at the root, places are filtered. Fast turns are made flatter (docs/poses.md).
    """
    joints2d, joints3d, root = (
        array.astype(np.float64) for array in (poses.joints2d, poses.joints3d, poses.root)
    )
    for rows in stretches(poses.track, poses.frame):
        taps, deep = (filter_taps(poses.time[rows], w) for w in (window, _DEPTH_WINDOWS * window))
        joints3d[rows] = _smooth_bones(joints3d[rows], _rays(root[rows]), taps, deep)
        for places in (joints2d, root):
            places[rows] = filtered(places[rows], taps)
    return replace(
        poses,
        joints2d=joints2d.astype(np.float32),
        joints3d=joints3d.astype(np.float32),
        root=root.astype(np.float32),
    )


def filter_taps(times: Float64[np.ndarray, " frames"], window: float) -> Taps:
    """Of each frame, the first frame that counts with it, and the weights of those from there on.

    They give the value, at the frame's time, of the parabola that fits the frames of its window
    best. Near the ends that is the window of the first, or last, frame whose window is whole. Of
    even times these are the weights of Savitzky and Golay. A window of less than 2 _JITTER
    holds nothing but the frame's own time.
    """
    half = max(0.0, window / 2 - _JITTER)
    first = np.searchsorted(times, times - half)
    end = np.searchsorted(times, times + half, side="right")
    whole = np.flatnonzero(first == 0)[-1], np.flatnonzero(end == len(times))[0]
    middle = np.arange(len(times)).clip(min(whole), max(whole))
    taps = []
    for time, start, stop in zip(times, first[middle], end[middle], strict=True):
        apart = times[start:stop] - time
        taps.append((int(start), _weights(tuple((apart / _TICK).round().astype(int).tolist()))))
    return taps


@lru_cache(maxsize=10_000)
def _weights(apart: tuple[int, ...]) -> Float64[np.ndarray, " taps"]:
    """Of values so far from the time at which the parabola is asked for [_TICK]."""
    if len(apart) <= _ORDER + 1:  # it goes through all of them
        return np.eye(len(apart))[np.abs(apart).argmin()]
    scaled = np.array(apart) / np.abs(apart).max(initial=1)  # 0, of frames at one time
    return np.linalg.pinv(np.vander(scaled, _ORDER + 1, increasing=True))[0]


def filtered(
    values: Float64[np.ndarray, "frames *channels"], taps: Taps
) -> Float64[np.ndarray, "frames *channels"]:
    """The values of frames after `filter_taps`."""
    return np.stack([np.tensordot(w, values[start : start + len(w)], axes=1) for start, w in taps])


def stretches(
    track: Int64[np.ndarray, " rows"], frame: Int64[np.ndarray, " rows"]
) -> list[Int64[np.ndarray, " _"]]:
    """Rows of one person in frames that follow each other, in their order."""
    found = []
    for number in np.unique(track):
        rows = np.flatnonzero(track == number)
        rows = rows[np.argsort(frame[rows])]
        found += np.split(rows, np.flatnonzero(np.diff(frame[rows]) != 1) + 1)
    return found


def _mirrored_in_depth(
    joints: Float32[np.ndarray, "rows 17 3"], root: Float32[np.ndarray, "rows 3"]
) -> Float32[np.ndarray, "rows 17 3"]:
    """About the pelvis, along the ray on which the camera sees it."""
    ray = _rays(root)
    return joints - 2 * (joints * ray).sum(-1, keepdims=True) * ray


def _rays(root: Float[np.ndarray, "rows 3"]) -> Float[np.ndarray, "rows 1 3"]:
    """Of length 1, on which the camera sees the pelvis; 0 where that is in the camera."""
    return (root / np.maximum(np.linalg.norm(root, axis=-1, keepdims=True), 1e-9))[:, None]


def _smooth_bones(
    joints: Float64[np.ndarray, "frames 17 3"],
    rays: Float64[np.ndarray, "frames 1 3"],
    taps: Taps,
    deep: Taps,
) -> Float64[np.ndarray, "frames 17 3"]:
    """Bones whose directions are filtered by `taps`, but along the rays by `deep`."""
    lengths, directions = lengths_and_directions(joints)
    smooth = filtered(directions, taps)
    depth = filtered((directions * rays).sum(-1, keepdims=True), deep)
    change = depth - (smooth * rays).sum(-1, keepdims=True)
    smooth += change.clip(-_DEPTH_CHANGE, _DEPTH_CHANGE) * rays
    turned = unit(torch.from_numpy(smooth), fallback=torch.from_numpy(directions)).numpy()
    return joints_of(joints[:, PELVIS], filtered(lengths, taps), turned)
