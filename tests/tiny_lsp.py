"""The person of tiny_person.py, filed as LSP."""

from pathlib import Path

import numpy as np
import scipy.io
from tests.tiny_person import Camera, drawn, person, stacked, write_image

LSP_14 = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
)


def write_lsp(folder: Path, count: int, seen_by: Camera) -> None:
    """joints.mat (3 x 14 x images) and images/im0001.jpg; right knees are marked as occluded."""
    joints = person(np.linspace(0, 1, count))
    places = seen_by.project(seen_by.seen(stacked(joints, LSP_14)))
    occluded = np.zeros((count, 14, 1))
    occluded[:, LSP_14.index("right_knee")] = 1
    for row in range(count):
        image = drawn(seen_by, joints, row)
        write_image(folder / "images" / f"im{row + 1:04d}.jpg", image)
    arrays = {"joints": np.concatenate([places, occluded], -1).transpose(2, 1, 0)}
    scipy.io.savemat(folder / "joints.mat", arrays, format="5")
