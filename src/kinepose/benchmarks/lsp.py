"""Leeds Sports Pose (Johnson and Everingham 2010): images with joints in 2D."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64

from kinepose.artifacts.pose_files import FARTHEST
from kinepose.benchmarks.recording import read_mat
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.array_files import check_arrays
from kinepose.io.errors import BadInputError

LSP_JOINTS = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
)
"""The data set's 14 joints in its order, by our names; pelvis, spine and nose are not labelled."""


@dataclass(frozen=True)
class LspImages:
    """One half of the data set."""

    images: tuple[Path, ...]
    joints2d: Float32[np.ndarray, "images 17 2"]
    """[px]; not a number for pelvis, spine and nose."""
    occluded: Bool[np.ndarray, "images 17"]
    """Whether a joint is hidden, and its place a guess; true where it has no label."""


def read_lsp(folder: Path, half: Literal["train", "test"] = "test") -> LspImages:
    """The first 1000 images, which train, or the last 1000, which test.

    Raises:
        BadInputError: if there is no joints.mat, or it is another one.
    """
    path = folder / "joints.mat"
    if not path.is_file():
        raise BadInputError(
            f"no Leeds Sports Pose in {folder}: expected joints.mat and images/im0001.jpg; to be "
            "had from sam.johnson.io/research/lsp.html"
        )
    schema = {"joints": Annotated[Float64[np.ndarray, "3 14 images"], FARTHEST]}
    (joints,) = check_arrays(str(path), read_mat(path, schema), schema).values()
    middle = joints.shape[2] // 2
    numbers = range(middle) if half == "train" else range(middle, joints.shape[2])
    x_y_occluded = joints[..., numbers].transpose(2, 1, 0)
    ours = [JOINT_NAMES.index(name) for name in LSP_JOINTS]
    joints2d = np.full((len(numbers), len(JOINT_NAMES), 2), np.nan, np.float32)
    joints2d[:, ours] = x_y_occluded[..., :2]
    occluded = np.ones(joints2d.shape[:2], bool)
    occluded[:, ours] = x_y_occluded[..., 2] == 1
    images = tuple(folder / "images" / f"im{number + 1:04d}.jpg" for number in numbers)
    return LspImages(images, joints2d, occluded)
