"""A run's changing state, in memory and in its folder. Nothing is pickled."""

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.run_folder import (
    STATE,
    check_same_settings,
    has_state,
    read_log,
    read_run_config,
)
from kinepose.io.errors import BadInputError, TrainingError
from kinepose.io.files import decoding, replacing, replacing_several
from kinepose.io.schema import as_json, from_json
from kinepose.io.settings import SHIPPED
from kinepose.io.tensor_files import (
    check_tensors,
    not_finite,
    read_heads,
    read_tensors,
    save_tensors,
)
from kinepose.method.model import Model
from kinepose.training.config import TrainConfig
from kinepose.training.distributed import rank

MAY_CHANGE = {
    *("output", "iterations", "minutes", "checkpoint_minutes", "device", "threads", "compile"),
}
"""Settings that a resumed run may have other than at its start."""


@dataclass
class Run:
    """What a run has come to."""

    config: TrainConfig
    model: Model
    optimisers: dict[str, torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0
    """Time spent in training, over all its resumptions."""
    turns: Counter[str] = field(default_factory=Counter)
    """How many iterations each loss had, those of the run it started from included."""
    average: Model | None = None
    """The running average of the model, where the settings ask for one."""

    @property
    def kept(self) -> Model:
        """What users get."""
        return self.average or self.model


def follow(run: Run) -> None:
    """Let the running average follow the model, fast at first."""
    if not run.config.average:
        return
    if run.average is None:
        run.average = copy.deepcopy(run.model).requires_grad_(False).eval()
        return
    decay = min(run.config.average, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        pairs = zip(run.average.state_dict().values(), run.model.state_dict().values(), strict=True)
        for mean, new in pairs:
            if mean.is_floating_point():
                mean.lerp_(new, 1 - decay)
            else:
                mean.copy_(new)


def save(run: Run) -> None:
    """Write model and config for users, and in one file the state to resume from."""
    tensors = {f"model.{name}": tensor for name, tensor in run.model.state_dict().items()}
    if run.average is not None:
        tensors |= {f"average.{name}": v.clone() for name, v in run.average.state_dict().items()}
    for loss, optimiser in run.optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{loss}.{index}.{name}": value for name, value in state.items()}
    if name := not_finite(tensors):
        raise TrainingError(
            f"step {run.step}: {name} is not finite; the last checkpoint is in {run.config.output}"
        )
    progress = {"step": str(run.step), "seconds": repr(run.seconds), "turns": json.dumps(run.turns)}
    with replacing_several(run.config.output) as folder:
        save_model(run.kept, folder, train=run.config, turns=dict(run.turns))
        save_tensors(tensors, folder / STATE, progress)


def restore(run: Run) -> None:
    """Go back to the last checkpoint, and the log with it.

    Raises:
        BadInputError: if the state is broken or another model's.
    """
    path = run.config.output / STATE
    tensors, progress = read_tensors(path)
    _load(run.model, "model.", path, tensors)
    if any(name.startswith("average.") for name in tensors):
        run.average = copy.deepcopy(run.model).requires_grad_(False).eval()
        _load(run.average, "average.", path, tensors)
    with decoding(path, "state of this run"):
        run.step, run.seconds = int(progress["step"]), abs(float(progress["seconds"]))
        run.turns = Counter({name: int(n) for name, n in json.loads(progress["turns"]).items()})
        for loss, optimiser in run.optimisers.items():
            _restore_optimiser(optimiser, loss, tensors)
    if not rank():  # the log is of the first process alone
        _cut_log(run.config.output, run.step)


def _load(model: Model, owner: str, path: Path, tensors: dict[str, Tensor]) -> None:
    weights = {n.removeprefix(owner): t for n, t in tensors.items() if n.startswith(owner)}
    check_tensors(path, weights, model.state_dict())
    model.load_state_dict(weights)


def _restore_optimiser(
    optimiser: torch.optim.Optimizer, loss: str, tensors: dict[str, Tensor]
) -> None:
    groups = optimiser.state_dict()["param_groups"]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        owner, index, name = (*key.split(".", 2), "")[:3]
        if owner == loss:
            if tensor.ndim and tensor.shape != parameters[int(index)].shape:
                raise ValueError(f"{key} has another shape")
            states.setdefault(int(index), {})[name] = tensor
    optimiser.load_state_dict({"state": states, "param_groups": groups})
    _lay_out_as_parameters(optimiser)


def _lay_out_as_parameters(optimiser: torch.optim.Optimizer) -> None:
    """Fused steps pair a parameter's numbers with its moments' by their order in memory."""
    for parameter, state in optimiser.state.items():
        for name, moment in state.items():
            if moment.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(moment)


def holds_run(config: TrainConfig) -> bool:
    """Whether the output folder holds a run to go on with.

    Raises:
        BadInputError: if it holds one with other settings, or cannot be named like that.
    """
    if config.output == SHIPPED:
        raise BadInputError(f"--output {SHIPPED}: that is the name of the package's own model")
    if not has_state(config.output, ("model.safetensors", "config.json", "log.jsonl")):
        return False
    held, wanted = as_json(trained_with(config.output)) or {}, as_json(config)
    for settings in (held, wanted):
        settings.get("stream", {}).pop("folder", None)  # where renders are kept decides nothing
    check_same_settings(config.output, held, wanted, MAY_CHANGE)
    return True


def is_finished(config: TrainConfig) -> bool:
    """Whether the output folder holds a run that has made all its iterations.

    Raises:
        BadInputError: if it holds one with other settings, or its state is broken.
    """
    if not holds_run(config):
        return False
    path = config.output / STATE
    _, progress = read_heads(path)
    with decoding(path, "state of this run"):
        return int(progress["step"]) >= config.iterations


def trained_with(run: Path) -> TrainConfig | None:
    """The settings that a run was trained with, as far as this version knows them; None if unsaid.

    Raises:
        BadInputError: if it is no run, or a setting cannot be.
    """
    held = read_run_config(run).train
    if held is None:
        return None
    return from_json(json.dumps(held), TrainConfig, f"{run}/config.json: train")


def _cut_log(folder: Path, step: int) -> None:
    """Drop what was logged after a step, and what is no line of a log."""
    lines = [line for line in read_log(folder) if line["step"] <= step]
    with replacing(folder / "log.jsonl") as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
