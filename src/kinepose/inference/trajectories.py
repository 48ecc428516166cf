"""The people of a film as motions through a world whose y points up.

It is the film camera's frame turned by half about its x: x to the camera's right, y against its
down, z towards it, the camera at the origin. How the camera was tilted is not known; where it
looked down, people lean.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.pose_files import FilmPoses

PICTURES_A_SECOND = 1.0
"""The pace of pictures, which have none."""


@dataclass(frozen=True)
class FilmMotion:
    """One person's joints over a film."""

    track: int
    frame: Int64[np.ndarray, " rows"]
    """The film's own numbers, from 0; those in which the person was not found are left out."""
    joints: Float64[np.ndarray, "rows 17 3"]
    """[mm], y up"""
    fps: float


def film_motions(poses: FilmPoses) -> list[FilmMotion]:
    """The motions of all people."""
    world = (poses.joints3d + poses.root[:, None]).astype(np.float64) * [1.0, -1.0, -1.0]
    fps = float(poses.fps) or PICTURES_A_SECOND
    motions = []
    for track in np.unique(poses.track):
        rows = np.flatnonzero(poses.track == track)
        rows = rows[np.argsort(poses.frame[rows])]
        motions.append(FilmMotion(int(track), poses.frame[rows], world[rows], fps))
    return motions


def every_frame(
    motion: FilmMotion,
) -> tuple[Int64[np.ndarray, " frames"], Float64[np.ndarray, "frames 17 3"]]:
    """All frames from the first to the last; nan where the person was not found."""
    frames = np.arange(motion.frame[0], motion.frame[-1] + 1)
    joints = np.full((len(frames), len(JOINT_NAMES), 3), np.nan)
    joints[motion.frame - motion.frame[0]] = motion.joints
    return frames, joints
