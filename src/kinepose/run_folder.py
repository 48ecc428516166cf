"""The folder of a run, read as files: no model is needed to look into it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from kinepose.errors import BadInputError
from kinepose.settings import SHIPPED, ModelConfig

FORMAT_VERSION = 1
WEIGHTS = Path(__file__).parent / "weights"
"""Of the package: laid out as a run is, with figures.json and a model card beside it."""


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


def model_sha256(run: Path) -> str:
    """Which model it is: the hash of model.safetensors, in 64 digits.

    Raises:
        BadInputError: if there is none.
    """
    path = run_folder(run) / "model.safetensors"
    if not path.is_file():
        raise BadInputError(f"{run} is not a run: it has no model.safetensors")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_run_config(folder: Path) -> dict[str, Any]:
    """config.json of a run.

    Raises:
        BadInputError: if there is none, or of another version.
    """
    path = run_folder(folder) / "config.json"
    if not path.is_file():
        raise BadInputError(f"{folder} is not a run: it has no config.json")
    try:
        described = json.loads(path.read_text())
    except ValueError as error:
        raise BadInputError(f"{path} is not JSON: {error}") from error
    version = described.get("format_version") if isinstance(described, dict) else None
    if version != FORMAT_VERSION:
        raise BadInputError(
            f"{path} has format version {version}; this kinepose reads {FORMAT_VERSION}"
        )
    if not isinstance(described.get("model"), dict):
        raise BadInputError(f"{folder} is not a run: its config.json describes no model")
    if not isinstance(described.get("train", {}), dict):
        raise BadInputError(f"{folder}: config.json: its settings of training are none")
    return described


def read_model_config(folder: Path) -> ModelConfig:
    """The networks of a run, as config.json describes them.

    Raises:
        BadInputError: if it does not.
    """
    values = read_run_config(folder)["model"]
    read: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return ModelConfig(**read)
    except TypeError as error:
        raise BadInputError(f"{folder}: config.json: {error}") from error


def paints_people(described: dict[str, Any]) -> bool:
    """Whether a run's config.json says that L_P had turns: no other loss trains D_I."""
    return described.get("turns", {}).get("paired", 0) > 0


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log.jsonl; one that was cut short, or is none, is passed over."""
    path = folder / "log.jsonl"
    lines = []
    for text in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and line.keys() >= {"step", "loss", "total", "seconds"}:
            lines.append(line)
    return lines


def read_last_pictures(folder: Path) -> dict[str, np.ndarray] | None:
    """The newest arrays that training left for pictures, if it left any.

    Raises:
        BadInputError: if the file is broken.
    """
    paths = sorted((folder / "pictures").glob("step_*.npz"))
    if not paths:
        return None
    try:
        with np.load(paths[-1], allow_pickle=False) as arrays:
            return {"step": np.array(int(paths[-1].stem.split("_")[1])), **arrays}
    except (OSError, ValueError, EOFError) as error:
        raise BadInputError(f"{paths[-1]} is broken: {error}") from error


def count_parameters(folder: Path) -> int:
    """How many numbers a run's model.safetensors holds.

    Raises:
        BadInputError: if it is missing or broken.
    """
    path = run_folder(folder) / "model.safetensors"
    try:
        with safe_open(path, "numpy") as weights:
            names = list(weights.keys())
            return sum(int(np.prod(weights.get_slice(name).get_shape())) for name in names)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
