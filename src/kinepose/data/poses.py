"""Poses of people in a film, as `predict` writes them, and the labels of a film, on disk.

Both are npz files of plain arrays, one row a person and frame; no pickle is ever loaded.
"""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.geometry.skeleton import JOINT_NAMES

FORMAT_VERSION = 1


@dataclass(frozen=True)
class FilmPoses:
    """What `predict` found in a film."""

    frame: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    box: Float32[np.ndarray, "rows 4"]
    """Of the person: x0, y0, x1, y1 [px]."""
    joints2d: Float32[np.ndarray, "rows 17 2"]
    """[px] of the film."""
    joints3d: Float32[np.ndarray, "rows 17 3"]
    """[mm] in the film camera's axes (x right, y down, z away), pelvis at 0."""
    energy: Float32[np.ndarray, " rows"]
    """L_UNP's disagreement; nan where it was not asked for."""
    fps: Float32[np.ndarray, ""]
    """Frames a second; 0 for pictures."""


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
    _write(path, poses)


def write_labels(path: Path, labels: FilmLabels) -> None:
    """Write a label file."""
    _write(path, labels)


def read_poses(path: Path) -> FilmPoses:
    """Read poses.npz, or that of the folder that `predict` wrote.

    Raises:
        BadInputError: if there is none, or it is of another kind, version or skeleton.
    """
    path = path / "poses.npz" if path.is_dir() else path
    return FilmPoses(**_read(path, [field.name for field in fields(FilmPoses)], "poses"))


def read_labels(path: Path) -> FilmLabels:
    """Read a label file.

    Raises:
        BadInputError: if there is none, or it is of another kind, version or skeleton.
    """
    return FilmLabels(**_read(path, [field.name for field in fields(FilmLabels)], "labels"))


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


def _write(path: Path, rows: FilmPoses | FilmLabels) -> None:
    arrays = {field.name: getattr(rows, field.name) for field in fields(rows)}
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            joint_names=np.array(JOINT_NAMES),
            format_version=np.int64(FORMAT_VERSION),
            **arrays,
        )


def _read(path: Path, names: list[str], kind: str) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise BadInputError(f"no file of {kind} at {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = set(archive.files) if isinstance(archive, np.lib.npyio.NpzFile) else set()
            missing = {*names, "joint_names", "format_version"} - held
            if missing:
                raise BadInputError(f"{path} does not hold {kind}: no {', '.join(sorted(missing))}")
            arrays = {name: archive[name] for name in (*names, "joint_names", "format_version")}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path} is no npz file of {kind}, or is broken: {error}") from error
    version, joint_names = arrays.pop("format_version"), arrays.pop("joint_names")
    if version.item() != FORMAT_VERSION:
        raise BadInputError(
            f"{path} has format version {version}; this kinepose reads {FORMAT_VERSION}"
        )
    if tuple(joint_names.tolist()) != JOINT_NAMES:
        raise BadInputError(f"{path} names other joints than Human3.6M's 17: {joint_names}")
    if not (np.isfinite(arrays["joints2d"]).all() and np.isfinite(arrays["joints3d"]).all()):
        raise BadInputError(f"{path} holds joints that are not finite numbers")
    return arrays
