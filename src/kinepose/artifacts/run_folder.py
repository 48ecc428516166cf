"""The folder of a run, read as files: no model is needed to look into it."""

import hashlib
import math
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Interval
from jaxtyping import Float32, UInt8
from pydantic import BaseModel, ConfigDict, ValidationError

from kinepose.io.array_files import read_arrays
from kinepose.io.errors import BadInputError
from kinepose.io.files import read_whole, regular_file
from kinepose.io.schema import STRICT, Plain, differences, read_json
from kinepose.io.settings import SHIPPED, Count
from kinepose.io.tensor_files import read_heads
from kinepose.method.config import ModelConfig

PAINTING_LOSSES = ("paired", "painting")
"""Those that train D_I."""
FORMAT_VERSION = 2
WEIGHTS = Path(__file__).parents[1] / "weights"
"""Of the package: laid out as a run is, with figures.json and a model card beside it."""
STATE = "state.safetensors"
"""From which a training goes on."""
_KEPT_PARTS = 2
"""Of paths: enough to tell which data, too few to tell whose machine."""


def run_folder(run: Path) -> Path:
    """Where a run lies that may be named `shipped`.

    Raises:
        BadInputError: if the package has no model.
    """
    if run != SHIPPED:
        return run
    if not (WEIGHTS / "model.safetensors").is_file():
        raise BadInputError("no model came with this kinepose: train one, and name its run")
    return WEIGHTS


def has_state(output: Path, others: tuple[str, ...]) -> bool:
    """Whether a folder holds the state of a training, beside the other files that it writes.

    Raises:
        BadInputError: if it holds others alone.
    """
    if (output / STATE).is_file():
        return True
    for name in (STATE, *others):
        if (output / name).exists():
            raise BadInputError(
                f"{output} holds a {name}, but no run to go on with: name another --output"
            )
    return False


def check_same_settings(
    output: Path, held: dict[str, Any], wanted: dict[str, Any], may_change: set[str]
) -> None:
    """That a training goes on with the settings it began with, but for some.

    Raises:
        BadInputError: with the first that is another.
    """
    for name, value in wanted.items():
        if name not in may_change and (lines := differences(held.get(name), value, name)):
            raise BadInputError(
                f"{output} holds a run with {lines[0]}: name another --output, or the same "
                "settings to go on with it"
            )


def model_sha256(run: Path) -> str:
    """Which model it is: the hash of model.safetensors, in 64 digits.

    Raises:
        BadInputError: if there is none.
    """
    path = run_folder(run) / "model.safetensors"
    if not path.exists():
        raise BadInputError(f"{run} is not a run: it has no model.safetensors")
    with regular_file(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class RunDescription:
    """config.json of a run."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format_version: Annotated[int, Interval(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    model: ModelConfig
    backbone: Plain | None = None
    """In the terms of transformers, of which other versions may say other things."""
    train: Plain | None = None
    """Its settings, as JSON: training reads them back (`trained_with`)."""
    turns: dict[str, Count] = field(default_factory=dict)
    """How many iterations each loss had, those of the run it started from included."""


class LogLine(BaseModel):
    """One iteration; further keys are the terms of its loss."""

    model_config = STRICT | ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]  # ty: ignore[incompatible-mutable-override]

    step: Annotated[int, Interval(ge=0)]
    loss: str
    total: float
    seconds: Annotated[float, Interval(ge=0.0)]


@dataclass(frozen=True)
class SavedImages:
    """The arrays that training leaves for images, RGB from 0 to 255 but for the joints."""

    source: UInt8[np.ndarray, "pairs size size 3"]
    target: UInt8[np.ndarray, "pairs size size 3"]
    background: UInt8[np.ndarray, "pairs size size 3"]
    reconstruction: UInt8[np.ndarray, "pairs size size 3"]
    maps: UInt8[np.ndarray, "pairs 33 map_size map_size"]
    joints2d: Float32[np.ndarray, "pairs 17 2"]
    """From -1 to 1 across the crop."""
    pose_images: UInt8[np.ndarray, "poses size size 3"]
    appearance_images: UInt8[np.ndarray, "people size size 3"]
    background_images: UInt8[np.ndarray, "places size size 3"]
    transfers: UInt8[np.ndarray, "poses people places size size 3"]


def read_run_config(folder: Path) -> RunDescription:
    """config.json of a run.

    Raises:
        BadInputError: if there is none, or of another version, or with settings that cannot be.
    """
    path = run_folder(folder) / "config.json"
    if not path.exists():
        raise BadInputError(f"{folder} is not a run: it has no config.json")
    return read_json(path, RunDescription)


def without_places(value: Any) -> Any:
    """The same JSON with the last parts only of every path in it, for others to read."""
    if isinstance(value, dict):
        return {name: without_places(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_places(part) for part in value]
    if isinstance(value, str):
        return "/".join([part for part in value.split("/") if part][-_KEPT_PARTS:])
    return value


def paints_people(described: RunDescription) -> bool:
    """Whether a run's config.json says that a loss had turns that trains D_I."""
    return any(described.turns.get(loss, 0) for loss in PAINTING_LOSSES)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log.jsonl; one that was cut short, or is none, is passed over."""
    path = folder / "log.jsonl"
    lines = []
    for text in read_whole(path).splitlines() if path.exists() else []:
        with suppress(ValidationError):
            lines.append(LogLine.model_validate_json(text).model_dump())
    return lines


def read_last_images(folder: Path) -> tuple[int, SavedImages] | None:
    """The newest arrays that training left for images, if it left any, and their step.

    Raises:
        BadInputError: if the file is broken.
    """
    paths = sorted((folder / "images").glob("step_[0-9]*[0-9].npz"))
    if not paths:
        return None
    step = "".join(filter(str.isdigit, paths[-1].stem))
    return int(step), read_arrays(paths[-1], SavedImages, "images of a run", {})


def count_parameters(folder: Path) -> int:
    """How many numbers a run's model.safetensors holds.

    Raises:
        BadInputError: if it is missing, broken, or holds none.
    """
    path = run_folder(folder) / "model.safetensors"
    heads, _ = read_heads(path)
    if not heads:
        raise BadInputError(f"{path} holds no weights")
    return sum(math.prod(head.shape) for head in heads.values())
