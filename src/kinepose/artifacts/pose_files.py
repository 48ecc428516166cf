"""Poses of people in a video, as `predict` writes them, and the labels of a video, on disk.

Both are npz files of plain arrays, one row a person and frame; no pickle is ever loaded.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float32, Float64, Int64, Shaped

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.array_files import (
    LEFT_OUT,
    UNKNOWN,
    npz_names,
    read_arrays,
    read_npz,
    schema_of,
    write_npz,
)
from kinepose.io.errors import BadInputError

POSES = "poses.npz"
"""In the folder that `predict` writes."""
POSES_VERSION = 5
"""Since 2 there are root and focal, and joints3d are turned into the video camera's axes; since 3
there are `film`, confidence and model_sha256; since 4 time, of each frame itself, and image; since
5 `film` is called video. Those before 4 are refused: their times were taken to be even."""
_WITH_FILM = 4
FORMAT_VERSION = 1
"""Of labels."""
MOST_FRAMES = 2**24
"""Of a video: a week at 25 a second."""

FARTHEST = Interval(ge=-1e7, le=1e7)
"""Of joints [mm], and in images [px]."""
Frames = Annotated[Int64[np.ndarray, " rows"], Interval(ge=0, le=MOST_FRAMES)]
Rate = Annotated[Float32[np.ndarray, ""], Interval(ge=0.0, le=1e6)]
Tracks = Annotated[Int64[np.ndarray, " rows"], Interval(ge=-(2**31), le=2**31 - 1)]


@dataclass(frozen=True)
class VideoPoses:
    """What `predict` found in a video."""

    video: Shaped[np.ndarray, ""]
    """Its file name."""
    frame: Frames
    time: Annotated[Float64[np.ndarray, " rows"], UNKNOWN]
    """When the frame is shown, by the video's own clock, from its first frame on [s]; nan for
    images."""
    image: Shaped[np.ndarray, " rows"]
    """File name of the image; empty for videos."""
    track: Tracks
    box: Float32[np.ndarray, "rows 4"]
    """Of the person: x0, y0, x1, y1 [px]."""
    joints2d: Annotated[Float32[np.ndarray, "rows 17 2"], FARTHEST]
    """[px] of the video."""
    joints3d: Annotated[Float32[np.ndarray, "rows 17 3"], FARTHEST]
    """[mm] in the video camera's axes (x right, y down, z away), pelvis at 0."""
    confidence: Annotated[Float32[np.ndarray, "rows 17"], Interval(ge=0.0, le=1.0)]
    """How sure the model is of each joint in 2D, from 0 to 1: see kinepose.method.confidence."""
    root: Float32[np.ndarray, "rows 3"]
    """The pelvis in the video camera's frame [mm], the camera at the origin: an estimate."""
    focal: Annotated[Float32[np.ndarray, " rows"], Interval(gt=0.0)]
    """Of the camera, as given or assumed [px]; rows differ where images differ in size."""
    energy: Annotated[Float32[np.ndarray, " rows"], UNKNOWN, LEFT_OUT]
    """L_UNP's disagreement; nan where it was not asked for."""
    fps: Rate
    """Frames a second, on average if they come unevenly; 0 for images."""
    model_sha256: Shaped[np.ndarray, ""] = field(default_factory=lambda: np.array(""))
    """Of the model's weights, model.safetensors; empty if no model of ours said so."""


@dataclass(frozen=True)
class VideoLabels:
    """What is known of the people in a video."""

    frame: Frames
    track: Tracks
    joints2d: Annotated[Float32[np.ndarray, "rows 17 2"], FARTHEST]
    """[px] of the video."""
    joints3d: Annotated[Float32[np.ndarray, "rows 17 3"], FARTHEST]
    """[mm] in the video camera's frame (x right, y down, z away), the camera at the origin."""
    focal: Annotated[Float32[np.ndarray, ""], Interval(gt=0.0)]
    """[px]"""
    fps: Rate


def write_poses(path: Path, poses: VideoPoses) -> None:
    """Write poses.npz."""
    write_npz(path, vars(poses), schema_of(VideoPoses), fixed_arrays(POSES_VERSION))


def write_labels(path: Path, labels: VideoLabels) -> None:
    """Write a label file."""
    write_npz(path, vars(labels), schema_of(VideoLabels), fixed_arrays(FORMAT_VERSION))


def read_poses(path: Path) -> VideoPoses:
    """Read poses.npz, or that of the folder that `predict` wrote.

    Raises:
        BadInputError: if there is none, or it is of another kind, version or skeleton.
    """
    path = path / POSES if path.is_dir() else path
    if "film" in npz_names(path, "poses"):
        schema = {"film" if n == "video" else n: v for n, v in schema_of(VideoPoses).items()}
        arrays = read_npz(path, schema, "poses", fixed_arrays(_WITH_FILM))
        poses = VideoPoses(video=arrays.pop("film"), **arrays)
    else:
        poses = read_arrays(path, VideoPoses, "poses", fixed_arrays(POSES_VERSION))
    if not (poses.box[:, :2] < poses.box[:, 2:]).all():
        raise BadInputError(f"{path}: box holds an empty one")
    if poses.fps > 0 and not np.isfinite(poses.time).all():
        raise BadInputError(f"{path} holds a frame of a video without a time")
    return poses


def read_labels(path: Path) -> VideoLabels:
    """Read a label file.

    Raises:
        BadInputError: if there is none, it is of another kind, version or skeleton, or the joints
            of somebody are all in one place.
    """
    labels = read_arrays(path, VideoLabels, "labels", fixed_arrays(FORMAT_VERSION))
    if not np.ptp(labels.joints3d, axis=1).any(-1).all():
        raise BadInputError(f"{path}: joints3d holds a body without size")
    return labels


def fixed_arrays(version: int) -> dict[str, np.ndarray]:
    """What every file of joints says beside: of which version it is, and whose joints they are."""
    return {"format_version": np.array(version), "joint_names": np.array(JOINT_NAMES)}


def describe_poses(path: Path) -> str:
    """What a file of poses, or of labels, holds, in a few lines.

    Raises:
        BadInputError: if it is neither.
    """
    try:
        rows: VideoPoses | VideoLabels = read_poses(path)
    except BadInputError as not_poses:
        try:
            rows = read_labels(path)
        except BadInputError:
            raise not_poses from None
    kind = "poses" if isinstance(rows, VideoPoses) else "labels"
    people, frames = len(np.unique(rows.track)), len(np.unique(rows.frame))
    lines = [f"{path}", f"  {kind}: {len(rows.frame)}, people: {people}, frames: {frames}"]
    if len(rows.frame):
        lines.append(
            f"  frames {rows.frame.min()} to {rows.frame.max()} at {rows.fps:.4g} a second"
        )
    if isinstance(rows, VideoPoses) and np.isfinite(rows.energy).any():
        low, middle, high = np.nanquantile(rows.energy, [0.05, 0.5, 0.95])
        lines.append(f"  energy {middle:.3f} (5 % below {low:.3f}, 5 % above {high:.3f})")
    return "\n".join(lines)
