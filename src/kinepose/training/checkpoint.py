"""A run's changing state, in memory and in its folder. Nothing is pickled."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.method.losses import LossName
from kinepose.method.model import Model, save_model, save_tensors
from kinepose.run_folder import read_run_config
from kinepose.settings import SHIPPED, TrainConfig

MAY_CHANGE = {
    *("output", "iterations", "minutes", "checkpoint_minutes", "device", "threads", "compile"),
}
"""Settings that a resumed run may have other than at its start."""


@dataclass
class Run:
    """What a run has come to."""

    config: TrainConfig
    model: Model
    optimisers: dict[LossName, torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0
    """Time spent in training, over all its resumptions."""


def save(run: Run) -> None:
    """Write model and config for users, and in one file the state to resume from."""
    tensors = {f"model.{name}": tensor for name, tensor in run.model.state_dict().items()}
    for loss, optimiser in run.optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{loss}.{index}.{name}": value for name, value in state.items()}
    progress = {"step": str(run.step), "seconds": repr(run.seconds)}
    save_model(run.model, run.config.output, train=asdict(run.config))
    save_tensors(tensors, run.config.output / "state.safetensors", progress)


def restore(run: Run) -> None:
    """Go back to the last checkpoint, and the log with it.

    Raises:
        BadInputError: if the state is broken or another model's.
    """
    try:
        _restore(run)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        path, first = run.config.output / "state.safetensors", str(error).splitlines()[0]
        raise BadInputError(f"cannot go on from {path}: {first}") from error
    _cut_log(run.config.output / "log.jsonl", run.step)


def _restore(run: Run) -> None:
    states: dict[str, dict[int, dict[str, Tensor]]] = {loss: {} for loss in run.optimisers}
    weights = {}
    with safe_open(run.config.output / "state.safetensors", "pt") as file:
        progress = file.metadata()
        for key in file.keys():  # noqa: SIM118 - not a dict
            owner, name = key.split(".", 1)
            if owner == "model":
                weights[name] = file.get_tensor(key)
            else:
                index, name = name.split(".")
                states[owner].setdefault(int(index), {})[name] = file.get_tensor(key)
    run.step, run.seconds = int(progress["step"]), float(progress["seconds"])
    run.model.load_state_dict(weights)
    for loss, optimiser in run.optimisers.items():
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": states[loss], "param_groups": groups})


def holds_run(config: TrainConfig) -> bool:
    """Whether the output folder holds a run to go on with.

    Raises:
        BadInputError: if it holds one with other settings, or cannot be named like that.
    """
    if config.output == SHIPPED:
        raise BadInputError(f"--output {SHIPPED}: that is the name of the package's own model")
    if not (config.output / "state.safetensors").is_file():
        return False
    held = read_run_config(config.output).get("train", {})
    wanted = json.loads(json.dumps(asdict(config), default=str))
    for name in (field.name for field in fields(config) if field.name not in MAY_CHANGE):
        if held.get(name) != wanted[name]:
            raise BadInputError(
                f"{config.output} holds a run with {name} {held.get(name)}, not {wanted[name]}: "
                f"name another --output, or the same settings to go on with it"
            )
    return True


def _cut_log(path: Path, step: int) -> None:
    """Drop what was logged after a step, and a last line that was cut short."""
    if path.is_file():
        lines = path.read_text().splitlines(keepends=True)
        with replacing(path) as temporary:
            temporary.write_text("".join(lines[:step]))
