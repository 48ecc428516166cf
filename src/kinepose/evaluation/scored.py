"""What `score` leaves for figures: numbers of every scored frame, images of a few.

One npz file of plain arrays beside the scores, about 0.4 KB a frame; no pickle is ever loaded.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float32, Float64, Int64, Shaped, UInt8

from kinepose.artifacts.pose_files import fixed_arrays
from kinepose.io.array_files import LEFT_OUT, UNKNOWN, read_npz, schema_of, write_npz
from kinepose.io.errors import BadInputError

FAILURES_FROM = 0.95
"""Examples at this quantile of the error and above count as failures."""


SCORED_VERSION = 1


@dataclass(frozen=True)
class ScoredFrames:
    """Every scored frame."""

    split: Shaped[np.ndarray, " frames"]
    video: Shaped[np.ndarray, " frames"]
    frame: Annotated[Int64[np.ndarray, " frames"], Interval(ge=0)]
    motion: Shaped[np.ndarray, " frames"]
    p_mpjpe: Annotated[Float64[np.ndarray, " frames"], Interval(ge=0.0)]
    """[mm at STATURE]"""
    joints2d_error: Annotated[Float32[np.ndarray, " frames"], Interval(ge=0.0)]
    """Mean distance of the 2D joints, in shares of the crop's side."""
    energy: Annotated[Float32[np.ndarray, " frames"], UNKNOWN, LEFT_OUT]
    """L_UNP's disagreement; nan if the run trained no decoder."""
    joints2d: Float32[np.ndarray, "frames 17 2"]
    """Predicted, from -1 to 1 across the crop."""
    joints3d: Float32[np.ndarray, "frames 17 3"]
    """Predicted [mm at STATURE], in the axes of a camera that looks at the pelvis, pelvis at 0."""


@dataclass(frozen=True)
class Examples:
    """The frames that are shown, split by split."""

    row: Annotated[Int64[np.ndarray, " examples"], Interval(ge=0)]
    """Among the scored frames."""
    quantile: Annotated[Float64[np.ndarray, " examples"], Interval(ge=0.0, le=1.0)]
    """Of the P-MPJPE in the split, for which the frame was chosen."""
    image: UInt8[np.ndarray, "examples side side 3"]
    """Crops, RGB."""
    maps: UInt8[np.ndarray, "examples 33 map_size map_size"]
    """T_m of the predicted 2D joints, 0 to 255."""
    true_joints2d: Float32[np.ndarray, "examples 17 2"]
    true_joints3d: Float32[np.ndarray, "examples 17 3"]
    """As the predicted ones."""


@dataclass(frozen=True)
class Transfers:
    """The paper's Fig. 3: poses, clothes and backgrounds of different videos, put together.

    NO_TRANSFERS if the run trained no decoder, or no split has backgrounds.
    """

    pose_images: UInt8[np.ndarray, "poses size size 3"]
    appearance_images: UInt8[np.ndarray, "people size size 3"]
    background_images: UInt8[np.ndarray, "places size size 3"]
    transfers: UInt8[np.ndarray, "poses people places size size 3"]


_NONE = np.zeros((0, 1, 1, 3), np.uint8)
NO_TRANSFERS = Transfers(_NONE, _NONE, _NONE, np.zeros((0, 0, 0, 1, 1, 3), np.uint8))


@dataclass(frozen=True)
class ScoredRun:
    """A run on a benchmark."""

    frames: ScoredFrames
    examples: Examples
    transfers: Transfers


def write_scored(path: Path, scored: ScoredRun) -> None:
    """Write the file, whole or not at all."""
    arrays = vars(scored.frames) | vars(scored.examples) | vars(scored.transfers)
    write_npz(path, arrays, _SCHEMA, fixed_arrays(SCORED_VERSION))


def read_scored(path: Path) -> ScoredRun:
    """Read the file, by its own name or by that of the scores beside which it lies.

    Raises:
        BadInputError: if there is none, or it holds something else.
    """
    path = path.with_suffix(".npz")
    arrays = read_npz(path, _SCHEMA, "scored frames", fixed_arrays(SCORED_VERSION))
    if not len(arrays["row"]) or arrays["row"].max() >= len(arrays["frame"]):
        raise BadInputError(f"{path}: row holds none, or one of a frame that is not there")
    frames, examples, transfers = (
        {name: arrays[name] for name in schema_of(kind)} for kind in _PARTS
    )
    return ScoredRun(ScoredFrames(**frames), Examples(**examples), Transfers(**transfers))


_PARTS = (ScoredFrames, Examples, Transfers)
_SCHEMA = {name: hint for kind in _PARTS for name, hint in schema_of(kind).items()}
