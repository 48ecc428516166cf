"""Human3.6M (Ionescu et al. 2014), as h36m-fetch or mmpose's preprocess_h36m.py lay it out.

Pickles (mmpose's cameras.pkl, VideoPose3D's data_3d_h36m.npz) are never opened. Recordings are
named SUBJECT_ACTION_CAMERA, the action as its files spell it, with the number of the subaction.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float32, Float64, Int, Int64, Shaped

from kinepose.artifacts.pose_files import FARTHEST, MOST_FRAMES
from kinepose.benchmarks.recording import Recording, read_hdf5, select
from kinepose.io.array_files import Schema, read_npz
from kinepose.io.errors import BadInputError

TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
FRONTAL_CAMERA = "60457274"
JOINTS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Of the 32 joints those that move: our 17, in our order."""
STEPS = {"h36m_all": 1, "h36m_frontal": 5, "h36m_64th": 64}
"""The protocols' names, and which frames each scores: every one, 5th or 64th."""

_FPS = 50.0
_RENAMED = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}
_CORRUPT = {"S11_Directions-2", "S11_Directions"}
"""One sequence by h36m-fetch's name and by mmpose's, of which ..."""
_CORRUPT_CAMERA = "54138969"
"""... this camera's video is broken."""
_FETCH: Schema = {
    "camera": Annotated[Int[np.ndarray, " rows"], Interval(ge=0)],
    "frame": Annotated[Int[np.ndarray, " rows"], Interval(ge=1, le=MOST_FRAMES)],
    "pose/2d": Annotated[Float32[np.ndarray, "rows 32 2"], FARTHEST],
    "pose/3d": Annotated[Float32[np.ndarray, "rows 32 3"], FARTHEST],
}
_MMPOSE: Schema = {
    "imgname": Shaped[np.ndarray, " rows"],
    "part": Annotated[Float32[np.ndarray, "rows 17 3"], FARTHEST],
    "S": Annotated[Float64[np.ndarray, "rows 17 4"], FARTHEST],
}
_MMPOSE_FOLDERS = "annotation_body3d/fps[0-9]*"
_MMPOSE_TABLES = {"h36m_train.npz": TRAIN_SUBJECTS, "h36m_test.npz": TEST_SUBJECTS}
_MMPOSE_IMAGE = re.compile(r".*/(S\d+)_([A-Za-z]+)(?:_(\d+))?\.(\d+)_(\d+)\.jpg")


def read_h36m(
    folder: Path, subjects: tuple[str, ...] = TRAIN_SUBJECTS + TEST_SUBJECTS
) -> Iterator[Recording]:
    """The recordings of some subjects, but for the one whose video is broken.

    Raises:
        BadInputError: if the folder has neither layout, or broken files.
    """
    annotated = sorted(folder.glob("processed/*/*/annot.h5"))
    if not annotated and not any(folder.glob(f"{_MMPOSE_FOLDERS}/h36m_*.npz")):
        raise BadInputError(
            f"no Human3.6M in {folder}: expected processed/S9/Directions-1/annot.h5 (h36m-fetch) "
            "or annotation_body3d/fps10/h36m_test.npz and images (mmpose); to be had from "
            "vision.imar.ro/human3.6m"
        )
    read = _read_fetch(annotated, subjects) if annotated else _read_mmpose(folder, subjects)
    for recording in read:
        if not (_sequence(recording) in _CORRUPT and recording.camera == _CORRUPT_CAMERA):
            yield recording


def frames_of_protocol(recording: Recording, protocol: str) -> Recording | None:
    """What a protocol scores of a recording; None if that is nothing.

    What papers call protocol 2 may be each of them:
    h36m_all: Martinez' and VideoPose3D's, all cameras, every frame, mean over 15 actions; of the
    sequence with the broken video they leave out the other cameras as well;
    h36m_frontal: SPIN's, the frontal camera, every 5th frame, 14 joints (HMR: of first sequences
    only);
    h36m_64th: all cameras, every 64th frame (Sun et al. 2017).

    Raises:
        BadInputError: if the data set was made without some of the frames.
    """
    if protocol == "h36m_all" and _sequence(recording) in _CORRUPT:
        return None
    if protocol == "h36m_frontal" and recording.camera != FRONTAL_CAMERA:
        return None
    step = STEPS[protocol]
    rows = np.flatnonzero(recording.frame % step == 0)
    wanted = np.arange(0, recording.frame[-1] + 1, step)
    if not np.array_equal(recording.frame[rows], wanted):
        raise BadInputError(
            f"{recording.name} has {len(rows)} of the {len(wanted)} frames of {protocol}; extract "
            "every frame (h36m-fetch: select_frame_indices_to_include; mmpose: --sample-rate 1)"
        )
    return select(recording, rows)


def _read_fetch(paths: list[Path], subjects: tuple[str, ...]) -> Iterator[Recording]:
    for path in paths:
        folder = path.parent
        if folder.parent.name not in subjects:
            continue
        cameras, frames, joints2d, joints3d = read_hdf5(path, _FETCH).values()
        for camera in np.unique(cameras):
            rows = np.flatnonzero(cameras == camera)
            numbers = frames[rows].astype(np.int64)
            images = folder / "imageSequence" / str(camera)
            yield _recording(
                folder.parent.name,
                folder.name,
                str(camera),
                numbers - 1,
                joints2d[rows][:, JOINTS],
                joints3d[rows][:, JOINTS],
                tuple(images / f"img_{number:06d}.jpg" for number in numbers),
            )


def _read_mmpose(folder: Path, subjects: tuple[str, ...]) -> Iterator[Recording]:
    """From the tables with most frames a second, if there are several."""
    for table, held in _MMPOSE_TABLES.items():
        paths = sorted(folder.glob(f"{_MMPOSE_FOLDERS}/{table}"), key=_fps_of_table)
        if not paths or not set(held) & set(subjects):
            continue
        names, joints2d, joints3d = _read_table(paths[-1])
        numbers = np.empty(len(names), np.int64)
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row, name in enumerate(names):
            parts = _MMPOSE_IMAGE.fullmatch(name)
            if parts is None:
                raise BadInputError(f"{paths[-1]} has an image of no known recording: {name}")
            *recorded, number = parts.groups(default="")
            rows_of.setdefault(tuple(recorded), []).append(row)
            numbers[row] = int(number) - 1
        for (subject, action, subaction, camera), rows in rows_of.items():
            if subject in subjects:
                yield _recording(
                    subject,
                    f"{action}-{subaction}".removesuffix("-"),
                    camera,
                    numbers[rows],
                    joints2d[rows],
                    joints3d[rows],
                    tuple(folder / "images" / names[row] for row in rows),
                )


def _fps_of_table(path: Path) -> int:
    return int(re.findall(r"\d+", path.parent.name)[0])


def _read_table(
    path: Path,
) -> tuple[
    Shaped[np.ndarray, " rows"],
    Float32[np.ndarray, "rows 17 2"],
    Float32[np.ndarray, "rows 17 3"],
]:
    """Names of images, 2D [px] and 3D [mm]. The last numbers are visibilities, all 1."""
    names, part, joints = read_npz(path, _MMPOSE, "mmpose's annotations").values()
    return names, part[..., :2], (1000 * joints[..., :3]).astype(np.float32)


def _sequence(recording: Recording) -> str:
    return recording.name.rpartition("_")[0]


def _recording(
    subject: str,
    sequence: str,
    camera: str,
    frame: Int64[np.ndarray, " frames"],
    joints2d: Float32[np.ndarray, "frames 17 2"],
    joints3d: Float32[np.ndarray, "frames 17 3"],
    images: tuple[Path, ...],
) -> Recording:
    if (np.diff(frame) <= 0).any():
        raise BadInputError(f"{subject} {sequence}: the numbers of camera {camera} do not ascend")
    action = sequence.partition("-")[0]
    return Recording(
        name=f"{subject}_{sequence}_{camera}",
        subject=subject,
        camera=camera,
        action=np.full(len(frame), _RENAMED.get(action, action)),
        frame=frame,
        joints2d=joints2d,
        joints3d=joints3d,
        fps=_FPS,
        images=images,
    )
