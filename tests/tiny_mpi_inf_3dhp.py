"""The person of tiny_person.py, filed as MPI-INF-3DHP."""

from pathlib import Path

import h5py
import numpy as np
import scipy.io
from tests.tiny_person import Camera, drawn, person, stacked, write_image
from tests.tiny_videos import save_video

TRAIN_28 = (
    *("spine3", "spine4", "spine2", "low_spine", "pelvis", "neck", "head", "head_top"),
    *("left_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    *("right_hip", "right_knee", "right_ankle", "right_foot", "right_toe"),
)
TEST_17 = (
    *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle", "pelvis", "low_spine", "head"),
)


def write_3dhp_sequence(folder: Path, count: int, cameras: list[Camera]) -> None:
    """S1/Seq1: annot.mat in MATLAB v5, a cell a camera, and videos of the cameras that are used."""
    joints = person(np.linspace(0, 1, count))
    world = stacked(joints, TRAIN_28)
    names = ("annot2", "annot3", "univ_annot3")
    cells = {name: np.empty((len(cameras), 1), object) for name in names}
    for number, seen_by in enumerate(cameras):
        seen = seen_by.seen(world)
        for name, value in zip(names, (seen_by.project(seen), seen, universal(seen)), strict=True):
            cells[name][number, 0] = value.reshape(count, -1)
        if number in (0, 1, 2, 4, 5, 6, 7, 8):
            video = folder / "imageSequence" / f"video_{number}.avi"
            video.parent.mkdir(parents=True, exist_ok=True)
            images = [drawn(seen_by, joints, row) for row in range(count)]
            save_video(video, images, codec="mjpeg")
    frames = {"frames": np.arange(count)[:, None], "cameras": np.arange(len(cameras))}
    scipy.io.savemat(folder / "annot.mat", cells | frames, format="5")


def write_3dhp_test(folder: Path, valid: list[int], activity: list[int], seen_by: Camera) -> None:
    """TS1: annot_data.mat in MATLAB v7.3; annotations of frames that are not valid are zeros."""
    count = len(valid)
    joints = person(np.linspace(0, 1, count))
    seen = seen_by.seen(stacked(joints, TEST_17))
    used = np.array(valid)[:, None, None]
    for row in range(count):
        image = drawn(seen_by, joints, row)
        write_image(folder / "imageSequence" / f"img_{row + 1:06d}.jpg", image)
    of_matlab = {  # dimensions x joints x people x frames, as the data set's own scripts see them
        "annot2": used * seen_by.project(seen),
        "annot3": used * seen,
        "univ_annot3": used * universal(seen),
    }
    write_mat73(
        folder / "annot_data.mat",
        {name: value.transpose(2, 1, 0)[:, :, None] for name, value in of_matlab.items()}
        | {"valid_frame": np.array([valid], float), "activity_annotation": np.array([activity])},
    )


def write_mat73(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """MATLAB's v7.3: HDF5 behind a head of 512 bytes, column after column, so axes are reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            dataset = file.create_dataset(name, data=np.ascontiguousarray(array.T))
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124))
        file.write(b"\x00\x02IM")


def universal(seen: np.ndarray) -> np.ndarray:
    """The person a tenth smaller, where his feet were."""
    return np.array([0, 150.0, 0]) + 0.9 * seen
