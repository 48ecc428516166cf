"""A recording of a licensed benchmark, in our joints and units whatever its files say."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, Shaped

from kinepose.artifacts.pose_files import VideoLabels
from kinepose.io.array_files import Head, Schema, check_arrays, check_heads
from kinepose.io.errors import BadInputError
from kinepose.io.files import decoding, regular_file


@dataclass(frozen=True)
class Recording:
    """One person before one camera, with the labels of some frames."""

    name: str
    """Fit for a file name."""
    subject: str
    camera: str
    action: Shaped[np.ndarray, " frames"]
    """What the person does, in a word."""
    frame: Int64[np.ndarray, " frames"]
    """Number in what the camera recorded, from 0, ascending."""
    joints2d: Float32[np.ndarray, "frames 17 2"]
    """[px] of the camera's image."""
    joints3d: Float32[np.ndarray, "frames 17 3"]
    """[mm] in the camera's frame (x right, y down, z away, the camera at the origin)."""
    fps: float
    """Of the camera; 0 where the data set does not say."""
    images: tuple[Path, ...] = ()
    """One a frame; none for a video."""
    video: Path | None = None
    """The camera's whole video."""
    universal3d: Float32[np.ndarray, "frames 17 3"] | None = None
    """joints3d for a body of the data set's universal size, if it gives one [mm]."""

    def __post_init__(self) -> None:
        """Raises BadInputError if there are no frames."""
        if not len(self.frame):
            raise BadInputError(f"{self.name} of the benchmark has no frames that are valid")


def select(recording: Recording, rows: Int64[np.ndarray, " rows"]) -> Recording:
    """Some frames of a recording."""
    universal = recording.universal3d
    return replace(
        recording,
        action=recording.action[rows],
        frame=recording.frame[rows],
        joints2d=recording.joints2d[rows],
        joints3d=recording.joints3d[rows],
        images=tuple(recording.images[row] for row in rows) if recording.images else (),
        universal3d=None if universal is None else universal[rows],
    )


def video_labels(recording: Recording) -> VideoLabels:
    """Its labels as ours: images count from 0 as they come, for a video frames keep numbers.

    Raises:
        BadInputError: if no camera shows its 3D joints where its 2D joints are.
    """
    count = len(recording.frame)
    focal_x, focal_y, _, _ = fit_intrinsics(recording.joints3d, recording.joints2d)
    if not focal_x + focal_y > 0:
        where = recording.video or recording.images[0].parent
        raise BadInputError(f"{where}: no camera shows its 3D joints where its 2D joints are")
    return VideoLabels(
        frame=np.arange(count) if recording.video is None else recording.frame,
        track=np.zeros(count, np.int64),
        joints2d=recording.joints2d,
        joints3d=recording.joints3d,
        focal=np.array((focal_x + focal_y) / 2, np.float32),
        fps=np.array(_pace(recording), np.float32),
    )


def fit_intrinsics(
    joints3d: Float[np.ndarray, "frames joints 3"], joints2d: Float[np.ndarray, "frames joints 2"]
) -> Float64[np.ndarray, "4"]:
    """The focal_x, focal_y, centre_x, centre_y [px] that project 3D to 2D with least squares.

    No data set needs to give its camera, in a pickle least of all. What a lens distorts stays.
    """
    x, y, z = joints3d.astype(np.float64).reshape(-1, 3).T
    u, v = joints2d.astype(np.float64).reshape(-1, 2).T
    (focal_x, centre_x), (focal_y, centre_y) = (
        np.linalg.lstsq(np.stack([across, z], axis=-1), place * z)[0]
        for across, place in ((x, u), (y, v))
    )
    return np.array([focal_x, focal_y, centre_x, centre_y])


def boxes_around(joints2d: Float32[np.ndarray, "frames joints 2"]) -> Float[np.ndarray, "frames 4"]:
    """Boxes x0, y0, x1, y1 [px] of people: their joints and, for hands and feet, 5 % around."""
    low, high = np.nanmin(joints2d, axis=1), np.nanmax(joints2d, axis=1)
    margin = 0.05 * (high - low).max(-1, keepdims=True)
    return np.concatenate([low - margin, high + margin], axis=-1)


def read_hdf5(path: Path, schema: Schema) -> dict[str, np.ndarray]:
    """Arrays of an HDF5 file, which MATLAB v7.3 files are as well, axes in reverse order.

    Raises:
        BadInputError: if it is none, or lacks one of them, or has other ones, or h5py is not
            installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise BadInputError(f"{path} needs h5py: pip install 'kinepose[benchmarks]'") from error
    with decoding(path, "HDF5 file"), h5py.File(regular_file(path)) as file:
        held = {name: file[name] for name in schema if name in file}
        sets = {name: part for name, part in held.items() if isinstance(part, h5py.Dataset)}
        check_heads(
            str(path), {n: Head(part.shape, part.dtype) for n, part in sets.items()}, schema
        )
        arrays = {name: np.asarray(part) for name, part in sets.items()}
    return check_arrays(str(path), arrays, schema)


def read_mat(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Arrays of a MATLAB file before v7.3, unchecked: cells hold arrays of their own.

    Raises:
        BadInputError: if it is none, or lacks one of them.
    """
    from scipy.io import loadmat

    with decoding(path, "MATLAB file"):
        held = loadmat(regular_file(path), variable_names=list(names))
    if missing := [name for name in names if name not in held]:
        raise BadInputError(f"{path} is another file: it lacks {', '.join(missing)}")
    return {name: held[name] for name in names}


def _pace(recording: Recording) -> float:
    """Frames a second of the video that the recording's images make, or of its own video."""
    if recording.video is not None or len(recording.frame) < 2:
        return recording.fps
    skipped = (recording.frame[-1] - recording.frame[0]) / (len(recording.frame) - 1)
    return recording.fps / float(skipped)
