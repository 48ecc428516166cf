"""The person of tiny_person.py, filed as Human3.6M by h36m-fetch and by mmpose."""

from pathlib import Path

import h5py
import numpy as np
from tests.tiny_person import H36M_17, Camera, drawn, person, stacked, write_image

H36M_32 = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "right_toe", "right_site"),
    *("left_hip", "left_knee", "left_ankle", "left_toe", "left_site"),
    *("pelvis", "spine", "neck", "nose", "head_top"),
    *("neck", "left_shoulder", "left_elbow", "left_wrist", "left_hand", "left_hand", "left_site"),
    "left_site",
    *("neck", "right_shoulder", "right_elbow", "right_wrist", "right_hand", "right_hand"),
    *("right_site", "right_site"),
)


def write_fetch(folder: Path, frames: np.ndarray, cameras: dict[str, Camera]) -> None:
    """One sequence of h36m-fetch, processed/SUBJECT/ACTION-N; frames by their numbers from 1."""
    joints = person(times_of(frames))
    world = stacked(joints, H36M_32)
    arrays: dict[str, list[np.ndarray]] = {}
    for name, seen_by in cameras.items():
        seen = seen_by.seen(world)
        intrinsics = np.stack([seen_by.focal, seen_by.centre], -1).ravel()
        for key, value in {
            "pose/2d": seen_by.project(seen),
            "pose/3d": seen,
            "pose/3d-univ": 0.93 * seen,
            f"intrinsics/{name}": intrinsics,
            f"intrinsics-univ/{name}": intrinsics,
            "frame": frames,
            "camera": np.full(len(frames), int(name)),
            "subject": np.full(len(frames), int(folder.parent.name[1:])),
            "action": np.full(len(frames), 2),
            "subaction": np.full(len(frames), int(folder.name[-1])),
        }.items():
            arrays.setdefault(key, []).append(value)
        for row, number in enumerate(frames):
            image = drawn(seen_by, joints, row)
            write_image(folder / "imageSequence" / name / f"img_{number:06d}.jpg", image)
    with h5py.File(folder / "annot.h5", "w") as file:
        for key, values in arrays.items():
            file.create_dataset(key, data=np.concatenate(values))


def write_mmpose(
    folder: Path, split: str, frames: np.ndarray, recordings: dict[str, Camera], fps: int = 50
) -> None:
    """A table of mmpose with its images; recordings as S9_Directions_1.54138969."""
    joints = person(times_of(frames))
    world = stacked(joints, H36M_17)
    visible = np.ones((len(frames), 17, 1))
    names, parts, poses = [], [], []
    for name, seen_by in recordings.items():
        seen = seen_by.seen(world)
        parts.append(np.concatenate([seen_by.project(seen), visible], -1))
        poses.append(np.concatenate([seen / 1000, visible], -1))
        for row, number in enumerate(frames):
            names.append(f"{name.split('_')[0]}/{name}/{name}_{number:06d}.jpg")
            write_image(folder / "images" / names[-1], drawn(seen_by, joints, row))
    part = np.concatenate(parts)
    low, high = part[..., :2].min(1), part[..., :2].max(1)
    table = folder / "annotation_body3d" / f"fps{fps}" / f"h36m_{split}.npz"
    table.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        table,
        imgname=np.array(names),
        center=(low + high) / 2,
        scale=1.2 * (high - low).max(-1) / 200,
        part=part,
        S=np.concatenate(poses),
    )


def times_of(frames: np.ndarray) -> np.ndarray:
    """When frames of Human3.6M were taken, so that all who file one of them agree."""
    return (frames - 1) / 24
