"""A run whose weights are the mean of another's and of those it started from.

    python -m tools.mean_run RUN OUTPUT --painter PAINTING

Such means are often better than both (Wortsman et al. 2022, arXiv:2109.01903). E_A and D_I may
come from a run of the variant `painting`, which can learn beside one of the variant `prior`.
"""

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from tools.one_line import call
from torch import Tensor

from kinepose.artifacts.model_files import load_model, save_model, with_painters_of
from kinepose.artifacts.run_folder import read_run_config
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder
from kinepose.io.places import RUN, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import Positional
from kinepose.training.checkpoint import trained_with

_TAKEN = ("config.json", "model.safetensors", "state.safetensors", "log.jsonl")


@dataclass(frozen=True)
class MeanRunConfig(Settings):
    """Write a run that can predict, be scored and be released, but not go on training."""

    run: Annotated[Positional, RUN]
    """Folder of a run that started from another."""
    output: Annotated[Positional, Writes(("model.safetensors", "config.json", "log.jsonl"))]
    """Folder."""
    painter: Annotated[Path | None, RUN] = None
    """Folder of a run whose E_A and D_I to take."""


def mean_run(config: MeanRunConfig) -> None:
    """Average, and copy what the run says of its training.

    Raises:
        BadInputError: if a run cannot be read, or started from none, or from one of another model.
    """
    settings = trained_with(config.run)
    if settings is None or settings.start is None:
        raise BadInputError(f"{config.run} started from no other run")
    log = config.run / "log.jsonl"
    if not log.is_file():
        raise BadInputError(f"{config.run} has no log.jsonl")
    if any((config.output / name).exists() for name in _TAKEN):
        raise BadInputError(f"{config.output} holds a run: name another folder")
    model, start = load_model(config.run), load_model(settings.start)
    if replace(start.config, frozen_stages=model.config.frozen_stages) != model.config:
        raise BadInputError(f"{config.run} and {settings.start} are runs of different models")
    check_folder(config.output)
    model.load_state_dict(mean(model.state_dict(), start.state_dict()))
    turns = Counter(read_run_config(config.run).turns)
    if config.painter is not None:
        painter = load_model(config.painter)
        model = with_painters_of(model, painter)
        settings = replace(settings, model=model.config)
        turns += Counter({"painting": read_run_config(config.painter).turns.get("painting", 0)})
    save_model(model, config.output, train=settings, turns=turns)
    shutil.copyfile(log, config.output / "log.jsonl")


def mean(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of two states of a model; counters are the first one's."""
    return {
        name: torch.lerp(tensor, other[name], 0.5) if tensor.is_floating_point() else tensor
        for name, tensor in one.items()
    }


if __name__ == "__main__":
    call(mean_run, MeanRunConfig)
