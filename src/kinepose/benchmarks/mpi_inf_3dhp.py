"""MPI-INF-3DHP (Mehta et al. 2017), as it is unpacked.

Our joints and its own are the same but for three: its spine is the lowest joint of the spine (ours
is in the middle of the trunk), its head is inside the skull (ours is the nose), and its neck a
little off ours. Its spine and head stand for our spine and nose here, for want of better; no score
on 14 joints counts them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float, Float32

from kinepose.artifacts.pose_files import FARTHEST
from kinepose.benchmarks.recording import (
    Recording,
    read_hdf5,
    read_mat,
    select,
)
from kinepose.io.array_files import Schema, check_arrays
from kinepose.io.errors import BadInputError
from kinepose.io.files import decoding

TRAIN_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""Those at the height of a chest or a knee; the others look down from the ceiling."""
TRAIN_JOINTS = (4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16)
"""For each of our joints its number among the 28 of the training set."""
TEST_JOINTS = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
"""For each of our joints its number among the 17 of the test set: head top, neck, right and left
arm, right and left leg, pelvis, spine, head."""
ACTIVITIES = ("none", "Stand-Walk", "Exercise", "Sit", "Crouch-Reach", "Floor", "Sports", "Misc")
"""By their numbers, which begin at 1."""

_TRAIN: Schema = {
    "annot2": Annotated[Float32[np.ndarray, "frames 56"], FARTHEST],
    "annot3": Annotated[Float32[np.ndarray, "frames 84"], FARTHEST],
    "univ_annot3": Annotated[Float32[np.ndarray, "frames 84"], FARTHEST],
}
"""Of a camera's cells: a frame's 28 joints one after the other."""
_TEST: Schema = {
    "annot2": Annotated[Float32[np.ndarray, "frames 1 17 2"], FARTHEST],
    "annot3": Annotated[Float32[np.ndarray, "frames 1 17 3"], FARTHEST],
    "univ_annot3": Annotated[Float32[np.ndarray, "frames 1 17 3"], FARTHEST],
    "valid_frame": Annotated[Float[np.ndarray, "frames 1"], Interval(ge=0, le=1)],
    "activity_annotation": Annotated[
        Float[np.ndarray, "frames 1"], Interval(ge=0, le=len(ACTIVITIES) - 1)
    ],
}
_WHERE = "to be had from vcai.mpi-inf.mpg.de/3dhp-dataset"


def read_train(folder: Path, subjects: tuple[str, ...] = ()) -> Iterator[Recording]:
    """S1 to S8, all or some of them: two sequences each, of eight cameras, as videos.

    Raises:
        BadInputError: if the folder holds none of them, or broken files.
    """
    paths = [
        path
        for path in sorted(folder.glob("S*/Seq*/annot.mat"))
        if not subjects or path.parts[-3] in subjects
    ]
    if not paths:
        raise BadInputError(
            f"no training set of MPI-INF-3DHP in {folder}: expected S1/Seq1/annot.mat and "
            f"S1/Seq1/imageSequence/video_0.avi; {_WHERE}"
        )
    for path in paths:
        subject, sequence = path.parts[-3:-1]
        cells = read_mat(path, _TRAIN)
        for camera in TRAIN_CAMERAS:
            with decoding(path, "training set of MPI-INF-3DHP"):
                of_camera = {name: np.asarray(cell[camera, 0]) for name, cell in cells.items()}
            where = f"{path}, camera {camera}"
            joints2d, joints3d, universal3d = _in_our_order(
                list(check_arrays(where, of_camera, _TRAIN).values()), TRAIN_JOINTS
            )
            yield Recording(
                name=f"{subject}_{sequence}_{camera}",
                subject=subject,
                camera=str(camera),
                action=np.full(len(joints2d), sequence),
                frame=np.arange(len(joints2d)),
                joints2d=joints2d,
                joints3d=joints3d,
                fps=0.0,
                video=_video(path.parent, camera),
                universal3d=universal3d,
            )


def read_test(folder: Path) -> Iterator[Recording]:
    """The valid frames of TS1 to TS6, as images. TS1 and 2: green screen; 5 and 6: outdoors.

    Raises:
        BadInputError: if the folder holds none of them, or broken files.
    """
    paths = sorted(folder.glob("TS[1-6]/annot_data.mat"))
    if not paths:
        raise BadInputError(
            f"no test set of MPI-INF-3DHP in {folder}: expected TS1/annot_data.mat and "
            f"TS1/imageSequence/img_000001.jpg; {_WHERE}"
        )
    for path in paths:
        *annotations, valid, activity = read_hdf5(path, _TEST).values()
        joints2d, joints3d, universal3d = _in_our_order(annotations, TEST_JOINTS)
        images = path.parent / "imageSequence"
        recording = Recording(
            name=path.parts[-2],
            subject=path.parts[-2],
            camera="",
            action=np.array(ACTIVITIES)[activity[:, 0].astype(int)],
            frame=np.arange(len(joints2d)),
            joints2d=joints2d,
            joints3d=joints3d,
            fps=0.0,
            images=tuple(
                images / f"img_{number:06d}.jpg" for number in range(1, len(joints2d) + 1)
            ),
            universal3d=universal3d,
        )
        yield select(recording, np.flatnonzero(valid[:, 0] == 1))


def _in_our_order(
    annotations: list[np.ndarray], joints: tuple[int, ...]
) -> list[Float32[np.ndarray, "frames 17 dimensions"]]:
    """annot2, annot3 and univ_annot3, whose joints lie one after the other, of our 17 joints."""
    return [
        values.reshape(len(values), -1, dimensions)[:, joints]
        for values, dimensions in zip(annotations, (2, 3, 3), strict=True)
    ]


def _video(sequence: Path, camera: int) -> Path:
    """Unpacked as it comes, or with its videos beside annot.mat."""
    beside = sequence / f"video_{camera}.avi"
    return beside if beside.exists() else sequence / "imageSequence" / beside.name
