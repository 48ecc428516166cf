"""A person as a pelvis and bones, so that between two poses bones turn and keep their lengths."""

import numpy as np
from jaxtyping import Float64

from kinepose.geometry.skeleton import NECK, PARENTS, PELVIS

BONE_PARENTS = [PELVIS if joint in (PELVIS, NECK) else p for joint, p in enumerate(PARENTS)]
"""The joint at which the bone begins that ends in each joint; the trunk is one bone."""


def lengths_and_directions(
    joints: Float64[np.ndarray, "rows 17 3"],
) -> tuple[Float64[np.ndarray, "rows 17 1"], Float64[np.ndarray, "rows 17 3"]]:
    """Of the bones; 0 for the pelvis, which has none."""
    bones = joints - joints[:, BONE_PARENTS]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    return lengths, bones / np.maximum(lengths, 1e-9)


def joints_of(
    root: Float64[np.ndarray, "rows 3"],
    lengths: Float64[np.ndarray, "rows 17 1"],
    directions: Float64[np.ndarray, "rows 17 3"],
) -> Float64[np.ndarray, "rows 17 3"]:
    """The inverse, from a pelvis at `root` on."""
    joints = lengths * directions
    joints[:, PELVIS] = root
    for joint, parent in enumerate(BONE_PARENTS):  # a parent comes before what hangs on it
        if joint != PELVIS:
            joints[:, joint] += joints[:, parent]
    return joints


def turned_between(
    before: Float64[np.ndarray, "*rows 3"],
    after: Float64[np.ndarray, "*rows 3"],
    share: Float64[np.ndarray, "*rows 1"],
) -> Float64[np.ndarray, "*rows 3"]:
    """Directions on the shortest way from one to the other; of opposite ones, the nearer end."""
    angle = np.arctan2(
        np.linalg.norm(np.cross(before, after), axis=-1, keepdims=True),
        (before * after).sum(-1, keepdims=True),
    )
    sine = np.sin(angle)
    near = np.where(share < 0.5, before, after)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (np.sin((1 - share) * angle) * before + np.sin(share * angle) * after) / sine
    between = np.where(sine > 1e-6, between, near)
    return between / np.maximum(np.linalg.norm(between, axis=-1, keepdims=True), 1e-9)


def between(
    before: Float64[np.ndarray, "rows 17 3"],
    after: Float64[np.ndarray, "rows 17 3"],
    share: Float64[np.ndarray, " rows"],
) -> Float64[np.ndarray, "rows 17 3"]:
    """Poses on the way from one to the other: bones turn the shortest way, lengths go evenly."""
    lengths, directions = lengths_and_directions(before)
    more_lengths, more_directions = lengths_and_directions(after)
    parts = share[:, None, None]
    return joints_of(
        before[:, PELVIS] + share[:, None] * (after[:, PELVIS] - before[:, PELVIS]),
        lengths + parts * (more_lengths - lengths),
        turned_between(directions, more_directions, np.broadcast_to(parts, (*lengths.shape,))),
    )
