"""MPI-INF-3DHP (Mehta et al. 2017), as it is unpacked.

Our joints and its own are the same but for three: its spine is the lowest joint of the spine (ours
is in the middle of the trunk), its head is inside the skull (ours is the nose), and its neck a
little off ours. Its spine and head stand for our spine and nose here, for want of better; no score
on 14 joints counts them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kinepose.data.recordings import Recording, read_hdf5, read_mat, select
from kinepose.errors import BadInputError

TRAIN_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""Those at the height of a chest or a knee; the others look down from the ceiling."""
TRAIN_JOINTS = (4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16)
"""For each of our joints its number among the 28 of the training set."""
TEST_JOINTS = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
"""For each of our joints its number among the 17 of the test set: head top, neck, right and left
arm, right and left leg, pelvis, spine, head."""
ACTIVITIES = ("Stand-Walk", "Exercise", "Sit", "Crouch-Reach", "Floor", "Sports", "Misc")

_ANNOTATIONS = ("annot2", "annot3", "univ_annot3")
_OF_FRAMES = ("valid_frame", "activity_annotation")
_WHERE = "to be had from vcai.mpi-inf.mpg.de/3dhp-dataset"


def read_train(folder: Path, subjects: tuple[str, ...] = ()) -> Iterator[Recording]:
    """S1 to S8, all or some of them: two sequences each, of eight cameras, as films.

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
        cells = read_mat(path, _ANNOTATIONS)
        if any(len(cell) <= max(TRAIN_CAMERAS) for cell in cells):
            raise BadInputError(f"{path} does not hold the 14 cameras of the training set")
        for camera in TRAIN_CAMERAS:
            poses = _in_our_order(*(cell[camera, 0] for cell in cells), joints=TRAIN_JOINTS)
            count = len(poses[0])
            yield Recording(
                name=f"{subject}_{sequence}_{camera}",
                subject=subject,
                camera=str(camera),
                action=np.full(count, sequence),
                frame=np.arange(count),
                joints2d=poses[0],
                joints3d=poses[1],
                fps=0.0,
                film=_film(path.parent, camera),
                universal3d=poses[2],
            )


def read_test(folder: Path) -> Iterator[Recording]:
    """The valid frames of TS1 to TS6, as pictures. TS1 and 2: green screen; 5 and 6: outdoors.

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
        *raw, valid, activity = read_hdf5(path, (*_ANNOTATIONS, *_OF_FRAMES))
        joints2d, joints3d, universal3d = _in_our_order(*raw, joints=TEST_JOINTS)
        numbers = np.arange(len(joints2d))
        recording = Recording(
            name=path.parts[-2],
            subject=path.parts[-2],
            camera="",
            action=np.array(ACTIVITIES)[activity.ravel().astype(int) - 1],
            frame=numbers,
            joints2d=joints2d,
            joints3d=joints3d,
            fps=0.0,
            pictures=tuple(
                path.parent / "imageSequence" / f"img_{number + 1:06d}.jpg" for number in numbers
            ),
            universal3d=universal3d,
        )
        yield select(recording, np.flatnonzero(valid.ravel() == 1))


def _in_our_order(
    *raw: np.ndarray, joints: tuple[int, ...]
) -> list[Float32[np.ndarray, "frames 17 dimensions"]]:
    """Annotations of 2, 3 and 3 dimensions, however their joints are laid out."""
    return [
        values.reshape(len(values), -1, dimensions)[:, joints].astype(np.float32)
        for values, dimensions in zip(raw, (2, 3, 3), strict=True)
    ]


def _film(sequence: Path, camera: int) -> Path:
    """Unpacked as it comes, or with its films beside annot.mat."""
    beside = sequence / f"video_{camera}.avi"
    return beside if beside.exists() else sequence / "imageSequence" / beside.name
