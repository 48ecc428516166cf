"""A recording of a licensed benchmark, in our joints and units whatever its files say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, Shaped

from kinepose.errors import BadInputError
from kinepose.pose_files import FilmLabels

Shape = tuple[int | None, ...]
"""Of an array in a file; None stands for one number, the same wherever it stands."""


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
    """[px] of the camera's picture."""
    joints3d: Float32[np.ndarray, "frames 17 3"]
    """[mm] in the camera's frame (x right, y down, z away, the camera at the origin)."""
    fps: float
    """Of the camera; 0 where the data set does not say."""
    pictures: tuple[Path, ...] = ()
    """One a frame; none for a film."""
    film: Path | None = None
    """The camera's whole film."""
    universal3d: Float32[np.ndarray, "frames 17 3"] | None = None
    """joints3d for a body of the data set's universal size, if it gives one [mm]."""


def select(recording: Recording, rows: Int64[np.ndarray, " rows"]) -> Recording:
    """Some frames of a recording."""
    universal = recording.universal3d
    return replace(
        recording,
        action=recording.action[rows],
        frame=recording.frame[rows],
        joints2d=recording.joints2d[rows],
        joints3d=recording.joints3d[rows],
        pictures=tuple(recording.pictures[row] for row in rows) if recording.pictures else (),
        universal3d=None if universal is None else universal[rows],
    )


def film_labels(recording: Recording) -> FilmLabels:
    """Its labels as ours: pictures count from 0 as they come, for a film frames keep numbers."""
    count = len(recording.frame)
    focal_x, focal_y, _, _ = fit_intrinsics(recording.joints3d, recording.joints2d)
    return FilmLabels(
        frame=np.arange(count) if recording.film is None else recording.frame,
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


def read_hdf5(path: Path, shapes: Mapping[str, Shape]) -> list[np.ndarray]:
    """Arrays of an HDF5 file, which MATLAB v7.3 files are as well, axes in reverse order.

    Raises:
        BadInputError: if it is none, or lacks one of them, or has other shapes, or h5py is not
            installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise BadInputError(f"{path} needs h5py: pip install 'kinepose[benchmarks]'") from error
    try:
        with h5py.File(path) as file:
            arrays = {name: np.asarray(file[name]) for name in shapes if name in file}
    except OSError as error:
        raise BadInputError(f"{path} is broken, or another file: {error}") from error
    return with_shapes(path, arrays, shapes)


def read_mat(path: Path, shapes: Mapping[str, Shape]) -> list[np.ndarray]:
    """Arrays of a MATLAB file before v7.3.

    Raises:
        BadInputError: if it is none, or lacks one of them, or has other shapes.
    """
    from scipy.io import loadmat

    try:
        held = loadmat(path, variable_names=list(shapes))
    except Exception as error:  # a broken file may raise anything there
        raise BadInputError(f"{path} is broken, or another file: {error}") from error
    return with_shapes(path, {name: held[name] for name in shapes if name in held}, shapes)


def with_shapes(
    path: Path, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Shape]
) -> list[np.ndarray]:
    """Those arrays of a file that have shapes.

    Raises:
        BadInputError: if one of them has another, or is not there.
    """
    missing = [name for name in shapes if name not in arrays]
    if missing:
        raise BadInputError(f"{path} is another file: it lacks {', '.join(missing)}")
    rows: int | None = None
    for name, shape in shapes.items():
        held = arrays[name].shape
        if rows is None and None in shape and len(held) == len(shape):
            rows = held[shape.index(None)]
        expected = tuple(rows if size is None else size for size in shape)
        if held != expected:
            raise BadInputError(f"{path} is another file: {name} is {held}, not {expected}")
    return [arrays[name] for name in shapes]


def _pace(recording: Recording) -> float:
    """Frames a second of the film that the recording's pictures make, or of its own film."""
    if recording.film is not None or len(recording.frame) < 2:
        return recording.fps
    skipped = (recording.frame[-1] - recording.frame[0]) / (len(recording.frame) - 1)
    return recording.fps / float(skipped)
