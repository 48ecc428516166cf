"""Poses of a film made steady: sides that the model exchanged for a moment, then noise.

Every person is treated alone, in every stretch of frames that follow each other. Nothing lags: both
steps look backward and forward alike.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from scipy.signal import savgol_filter

from kinepose.data.poses import FilmPoses
from kinepose.geometry.forward_kinematics import stature
from kinepose.geometry.rotations import unit
from kinepose.geometry.skeleton import MIRRORED, NECK, PARENTS, PELVIS

_ORDER = 2
"""Of the polynomials of the filter: what speeds up evenly passes unchanged."""
_EXCHANGED_SECOND = 0.5
"""A second of exchanged sides costs as much as all joints that move this far [statures, in 2D and
3D together]: a switch is a matter of moments, and the model is right most of the time."""


def steadied(poses: FilmPoses, smoothing: float, repair: bool) -> FilmPoses:
    """The poses of a film after `repair_sides`, if wanted, and `smooth_poses` [s]."""
    if repair:
        poses = repair_sides(poses)
    return smooth_poses(poses, smoothing) if smoothing else poses


def repair_sides(poses: FilmPoses) -> FilmPoses:
    """Exchange left and right where the model did, by the path of least motion in 2D and 3D.

    The labels of a pose are exchanged: no joint moves. Box, root and energy stay as they are.
    """
    exchanged = np.zeros(len(poses.frame), bool)
    for rows in stretches(poses.track, poses.frame):
        size = np.median((poses.box[rows, 2:] - poses.box[rows, :2]).max(-1))
        tall = np.median(stature(torch.from_numpy(poses.joints3d[rows])).numpy())
        seen = poses.joints2d[rows].astype(np.float64) / max(size, 1)
        joints = np.concatenate([seen, poses.joints3d[rows] / max(tall, 1)], axis=-1)
        exchanged[rows] = exchanged_sides(joints, _EXCHANGED_SECOND / float(poses.fps))
    return replace(
        poses,
        **{
            name: np.where(
                exchanged.reshape(-1, *[1] * (array.ndim - 1)), array[:, MIRRORED], array
            )
            for name in ("joints2d", "joints3d", "confidence")
            for array in [getattr(poses, name)]
        },
    )


def exchanged_sides(
    joints: Float64[np.ndarray, "frames 17 5"], price: float
) -> Bool[np.ndarray, " frames"]:
    """Where exchanged sides make a person move least, joints being in 2D, then in 3D.

    Viterbi's path through the states {as it is, exchanged} of each frame: a step costs the mean
    distance that joints move, in 2D and in 3D; a frame that is exchanged costs `price`.
    """
    stays, changes = (
        sum(
            np.linalg.norm(now[..., part] - joints[:-1, ..., part], axis=-1).mean(-1)
            for part in (slice(2), slice(2, 5))
        )
        for now in (joints[1:], joints[1:, MIRRORED])
    )
    best = np.array([0.0, price])
    came_from = np.zeros((len(joints), 2), np.int64)
    for step, (stay, change) in enumerate(zip(stays, changes, strict=True), start=1):
        costs = best[:, None] + np.array([[stay, change], [change, stay]])
        came_from[step] = costs.argmin(0)
        best = costs.min(0) + np.array([0.0, price])
    path = [int(best.argmin())]
    for step in range(len(joints) - 1, 0, -1):
        path.append(int(came_from[step, path[-1]]))
    return np.array(path[::-1], bool)


def smooth_poses(poses: FilmPoses, window: float) -> FilmPoses:
    """Poses after a Savitzky-Golay filter whose window is so long [s].

    In 3D it is the directions of the bones, in the axes of the film's camera, and their lengths
    that are filtered: bones as long as T_fk makes them stay so. In 2D and at the root, places.
    """
    joints2d, joints3d, root = (
        array.astype(np.float64) for array in (poses.joints2d, poses.joints3d, poses.root)
    )
    for rows in stretches(poses.track, poses.frame):
        length = _window(window * float(poses.fps), len(rows))
        if length > _ORDER:
            for places in (joints2d, root):
                places[rows] = savgol_filter(places[rows], length, _ORDER, axis=0)
            joints3d[rows] = _smooth_bones(joints3d[rows], length)
    return replace(
        poses,
        joints2d=joints2d.astype(np.float32),
        joints3d=joints3d.astype(np.float32),
        root=root.astype(np.float32),
    )


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


def _window(frames: float, most: int) -> int:
    """The odd number of frames that is nearest, no larger than what there is."""
    return min(2 * round((frames - 1) / 2) + 1, most - 1 + most % 2)


def _smooth_bones(
    joints: Float64[np.ndarray, "frames 17 3"], window: int
) -> Float64[np.ndarray, "frames 17 3"]:
    parents = [PELVIS if joint in (PELVIS, NECK) else p for joint, p in enumerate(PARENTS)]
    bones = joints - joints[:, parents]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    directions = bones / np.maximum(lengths, 1e-9)
    smooth = savgol_filter(directions, window, _ORDER, axis=0)
    turned = unit(torch.from_numpy(smooth), fallback=torch.from_numpy(directions)).numpy()
    moved = turned * savgol_filter(lengths, window, _ORDER, axis=0)
    placed = joints.copy()
    for joint, parent in enumerate(parents):
        if joint != PELVIS:
            placed[:, joint] = placed[:, parent] + moved[:, joint]
    return placed
