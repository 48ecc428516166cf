"""The people of a video as motions through a world whose y points up, at an even pace.

It is the video camera's frame turned by half about its x: x to the camera's right, y against its
down, z towards it, the camera at the origin. How the camera was tilted is not known; where it
looked down, people lean.

Frames of videos may come unevenly; the formats of motions know an even pace alone. Frame k of a
motion is k times 1 / fps behind the video's first frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.inference.bones import between, lengths_and_directions
from kinepose.video.reading import EVEN

IMAGES_A_SECOND = 1.0
"""The pace of images, which have none."""


@dataclass(frozen=True)
class VideoMotion:
    """One person's joints from the first to the last frame in which he was found."""

    track: int
    frame: Int64[np.ndarray, " frames"]
    """Numbers that follow each other; 0 is the video's first frame."""
    joints: Float64[np.ndarray, "frames 17 3"]
    """[mm], y up. Between the video's frames, and where the person was not found, the pelvis goes
    straight on and bones turn the shortest way."""
    found: Bool[np.ndarray, " frames"]
    """Whether the person was found there, or in the video's frames before and after."""
    fps: float
    lengths: Float64[np.ndarray, " 17"]
    """Of the bones, as BONE_PARENTS has them: the median over the video's frames in which the
    person was found [mm]."""

    @property
    def found_joints(self) -> Float64[np.ndarray, "frames 17 3"]:
        """The joints, nan where the person was not found."""
        return np.where(self.found[:, None, None], self.joints, np.nan)


def video_motions(poses: VideoPoses, rate: float | None = None) -> list[VideoMotion]:
    """The motions of all people, at this rate [frames a second], or at the video's own or its mean.

    Where the video keeps an even pace, and no other is asked for, its frames are taken as they are.
    """
    world = (poses.joints3d + poses.root[:, None]).astype(np.float64) * [1.0, -1.0, -1.0]
    fps = rate or _own_rate(poses)
    as_they_are = is_as_recorded(poses, rate)
    motions = []
    for track in np.unique(poses.track):
        rows = np.flatnonzero(poses.track == track)
        rows = rows[np.argsort(poses.frame[rows])]
        frame = poses.frame[rows]
        clock = frame.astype(np.float64) if as_they_are else poses.time[rows] * fps
        motions.append(_motion(int(track), frame, clock, world[rows], fps))
    return motions


def is_as_recorded(poses: VideoPoses, rate: float | None = None) -> bool:
    """Whether motions hold the very frames of the video, at its own even pace."""
    own = _own_rate(poses)
    if rate is not None and rate != own:
        return False
    is_video = float(poses.fps) > 0
    return not is_video or bool((np.abs(poses.time - poses.frame / own) <= EVEN).all())


def pace_in_words(poses: VideoPoses, rate: float | None = None) -> str:
    """What was done to give motions their pace; empty if nothing was."""
    if is_as_recorded(poses, rate):
        return ""
    if rate is not None:
        return f"resampled from {_own_rate(poses):.6g} to the {rate:.6g} frames a second of --rate"
    return (
        f"resampled to {_own_rate(poses):.6g} frames a second, the video's mean, as its frames "
        "come unevenly; --rate names another"
    )


def _own_rate(poses: VideoPoses) -> float:
    return float(poses.fps) or IMAGES_A_SECOND


def _motion(
    track: int,
    frame: Int64[np.ndarray, " rows"],
    clock: Float64[np.ndarray, " rows"],
    joints: Float64[np.ndarray, "rows 17 3"],
    fps: float,
) -> VideoMotion:
    """What was seen in a video's frames, at times of `clock` [1 / fps], at whole numbers of it."""
    near = EVEN * fps
    first = int(np.ceil(clock[0] - near))
    numbers = np.arange(first, max(first, int(np.floor(clock[-1] + near))) + 1)
    after = np.searchsorted(clock, numbers).clip(min(1, len(clock) - 1), len(clock) - 1)
    before = np.maximum(after - 1, 0)
    apart = np.maximum(clock[after] - clock[before], 1e-9)
    share = ((numbers - clock[before]) / apart).clip(0, 1)
    here = np.minimum(np.abs(numbers - clock[before]), np.abs(numbers - clock[after])) <= near
    found = here | (frame[after] - frame[before] <= 1)
    moved = between(joints[before], joints[after], share)
    lengths = np.median(lengths_and_directions(joints)[0], axis=0).ravel()
    return VideoMotion(track, numbers, moved, found, fps, lengths)
