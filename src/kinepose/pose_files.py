"""Poses of people in a film, as `predict` writes them, and the labels of a film, on disk.

Both are npz files of plain arrays, one row a person and frame; no pickle is ever loaded.
"""

import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.geometry.skeleton import JOINT_NAMES

POSES_VERSION = 3
"""Since 2 there are root and focal, and joints3d are turned into the film camera's axes; since 3
there are film, confidence and model_sha256."""
FORMAT_VERSION = 1
"""Of labels."""


@dataclass(frozen=True)
class FilmPoses:
    """What `predict` found in a film."""

    film: Shaped[np.ndarray, ""]
    """Its file name."""
    frame: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    box: Float32[np.ndarray, "rows 4"]
    """Of the person: x0, y0, x1, y1 [px]."""
    joints2d: Float32[np.ndarray, "rows 17 2"]
    """[px] of the film."""
    joints3d: Float32[np.ndarray, "rows 17 3"]
    """[mm] in the film camera's axes (x right, y down, z away), pelvis at 0."""
    confidence: Float32[np.ndarray, "rows 17"]
    """How sure the model is of each joint in 2D, from 0 to 1: see kinepose.method.confidence."""
    root: Float32[np.ndarray, "rows 3"]
    """The pelvis in the film camera's frame [mm], the camera at the origin: an estimate."""
    focal: Float32[np.ndarray, " rows"]
    """Of the camera, as given or assumed [px]; rows differ where pictures differ in size."""
    energy: Float32[np.ndarray, " rows"]
    """L_UNP's disagreement; nan where it was not asked for."""
    fps: Float32[np.ndarray, ""]
    """Frames a second; 0 for pictures."""
    model_sha256: Shaped[np.ndarray, ""] = field(default_factory=lambda: np.array(""))
    """Of the model's weights, model.safetensors; empty if no model of ours said so."""


@dataclass(frozen=True)
class FilmLabels:
    """What is known of the people in a film."""

    frame: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    joints2d: Float32[np.ndarray, "rows 17 2"]
    """[px] of the film."""
    joints3d: Float32[np.ndarray, "rows 17 3"]
    """[mm] in the film camera's frame (x right, y down, z away), the camera at the origin."""
    focal: Float32[np.ndarray, ""]
    """[px]"""
    fps: Float32[np.ndarray, ""]


def write_poses(path: Path, poses: FilmPoses) -> None:
    """Write poses.npz."""
    write_arrays(path, _arrays(poses), POSES_VERSION)


def write_labels(path: Path, labels: FilmLabels) -> None:
    """Write a label file."""
    write_arrays(path, _arrays(labels), FORMAT_VERSION)


def read_poses(path: Path) -> FilmPoses:
    """Read poses.npz, or that of the folder that `predict` wrote.

    Raises:
        BadInputError: if there is none, or it is of another kind, version or skeleton.
    """
    path = path / "poses.npz" if path.is_dir() else path
    names = [field.name for field in fields(FilmPoses)]
    poses = FilmPoses(**read_arrays(path, names, "poses", POSES_VERSION))
    if not (np.isfinite(poses.root).all() and (poses.focal > 0).all()):
        raise BadInputError(f"{path} holds a root or a focal length that cannot be")
    if not ((poses.confidence >= 0) & (poses.confidence <= 1)).all():
        raise BadInputError(f"{path} holds a confidence that is not from 0 to 1")
    return poses


def read_labels(path: Path) -> FilmLabels:
    """Read a label file.

    Raises:
        BadInputError: if there is none, or it is of another kind, version or skeleton.
    """
    names = [field.name for field in fields(FilmLabels)]
    return FilmLabels(**read_arrays(path, names, "labels", FORMAT_VERSION))


def describe_poses(path: Path) -> str:
    """What a file of poses, or of labels, holds, in a few lines.

    Raises:
        BadInputError: if it is neither.
    """
    try:
        rows: FilmPoses | FilmLabels = read_poses(path)
    except BadInputError as not_poses:
        try:
            rows = read_labels(path)
        except BadInputError:
            raise not_poses from None
    kind = "poses" if isinstance(rows, FilmPoses) else "labels"
    people, frames = len(np.unique(rows.track)), len(np.unique(rows.frame))
    lines = [f"{path}", f"  {kind}: {len(rows.frame)}, people: {people}, frames: {frames}"]
    if len(rows.frame):
        lines.append(
            f"  frames {rows.frame.min()} to {rows.frame.max()} at {rows.fps:.4g} a second"
        )
    if isinstance(rows, FilmPoses) and np.isfinite(rows.energy).any():
        low, middle, high = np.nanquantile(rows.energy, [0.05, 0.5, 0.95])
        lines.append(f"  energy {middle:.3f} (5 % below {low:.3f}, 5 % above {high:.3f})")
    return "\n".join(lines)


def _arrays(rows: FilmPoses | FilmLabels) -> dict[str, Any]:
    return {field.name: getattr(rows, field.name) for field in fields(rows)}


def write_arrays(path: Path, arrays: dict[str, Any], version: int) -> None:
    """Write arrays with joints among them, and whose joints and of which version they are."""
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            joint_names=np.array(JOINT_NAMES),
            format_version=np.int64(version),
            **arrays,
        )


def read_arrays(path: Path, names: list[str], kind: str, version: int) -> dict[str, np.ndarray]:
    """The arrays of these names, joints2d and joints3d among them; `kind` says what is missed.

    Raises:
        BadInputError: if they are not there, or of another version or skeleton, or not finite.
    """
    if not path.is_file():
        raise BadInputError(f"no file of {kind} at {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = set(archive.files) if isinstance(archive, np.lib.npyio.NpzFile) else set()
            if kind == "labels" and "energy" in held:
                raise BadInputError(f"{path} holds poses, not labels")
            missing = {*names, "joint_names", "format_version"} - held
            if missing:
                listed = ", ".join(sorted(missing))
                raise BadInputError(
                    f"{path} does not hold {kind}: no {listed} (format version {version})"
                )
            arrays = {name: archive[name] for name in (*names, "joint_names", "format_version")}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path} is no npz file of {kind}, or is broken") from error
    held_version, joint_names = arrays.pop("format_version"), arrays.pop("joint_names")
    if held_version.item() != version:
        raise BadInputError(
            f"{path} has format version {held_version}; this kinepose reads {version}"
        )
    if tuple(joint_names.tolist()) != JOINT_NAMES:
        raise BadInputError(f"{path} names other joints than Human3.6M's 17: {joint_names}")
    if not (np.isfinite(arrays["joints2d"]).all() and np.isfinite(arrays["joints3d"]).all()):
        raise BadInputError(f"{path} holds joints that are not finite numbers")
    return arrays
