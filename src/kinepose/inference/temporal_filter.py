"""Poses of a film made steady: sides that the model exchanged for a moment, then noise.

Every person is treated alone, in every stretch of frames that follow each other. Nothing lags: both
steps look backward and forward alike.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from scipy.signal import savgol_filter

from kinepose.geometry.rotations import unit
from kinepose.geometry.skeleton import MIRRORED, NECK, PARENTS, PELVIS
from kinepose.method.forward_kinematics import stature
from kinepose.pose_files import FilmPoses

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

    The labels of joints are exchanged, in 2D as they are; in 3D as they are, or with their depths
    mirrored, so that who was taken to face away faces the camera: the picture is much the same.
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
        price = _EXCHANGED_SECOND / float(poses.fps)
        chosen[rows] = least_motion(np.stack(paths), price)
    every = np.arange(len(chosen))
    joints2d, joints3d, confidence = (
        np.stack(kind)[chosen, every] for kind in zip(*states, strict=True)
    )
    return replace(poses, joints2d=joints2d, joints3d=joints3d, confidence=confidence)


def least_motion(
    states: Float[np.ndarray, "states frames 17 5"], price: float
) -> Int64[np.ndarray, " frames"]:
    """The state of each frame with which a person moves least; joints are in 2D, then in 3D.

    Viterbi's path: a step costs the mean distance that joints move, in 2D and in 3D, and a frame
    in another state than the first costs `price`.
    """
    costs = np.array([[_steps(start, end) for end in states] for start in states])
    dearer = np.where(np.arange(len(states)), price, 0.0)
    best = dearer
    came_from = []
    for step in range(states.shape[1] - 1):
        ways = best[:, None] + costs[:, :, step]
        came_from.append(ways.argmin(0))
        best = ways.min(0) + dearer
    path = [int(best.argmin())]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def _steps(
    start: Float[np.ndarray, "frames 17 5"], end: Float[np.ndarray, "frames 17 5"]
) -> Float[np.ndarray, " steps"]:
    """How far joints move from each frame of one state to the next frame of another."""
    move = end[1:] - start[:-1]
    return sum(np.linalg.norm(part, axis=-1).mean(-1) for part in (move[..., :2], move[..., 2:]))


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


def _mirrored_in_depth(
    joints: Float32[np.ndarray, "rows 17 3"], root: Float32[np.ndarray, "rows 3"]
) -> Float32[np.ndarray, "rows 17 3"]:
    """About the pelvis, along the ray on which the camera sees it."""
    ray = root / np.linalg.norm(root, axis=-1, keepdims=True)
    depth = (joints * ray[:, None]).sum(-1, keepdims=True)
    return joints - 2 * depth * ray[:, None]


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
