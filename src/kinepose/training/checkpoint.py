"""A run's changing state, in memory and in its folder. Nothing is pickled."""

import copy
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
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
    turns: Counter[LossName] = field(default_factory=Counter)
    """How many iterations each loss had, those of the run it started from included."""
    average: Model | None = None
    """The running average of the model, which is what users get."""


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
    progress = {"step": str(run.step), "seconds": repr(run.seconds), "turns": json.dumps(run.turns)}
    kept = run.average or run.model
    save_model(kept, run.config.output, train=asdict(run.config), turns=dict(run.turns))
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
    weights: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}}
    with safe_open(run.config.output / "state.safetensors", "pt") as file:
        progress = file.metadata()
        for key in file.keys():  # noqa: SIM118 - not a dict
            owner, name = key.split(".", 1)
            if owner in weights:
                weights[owner][name] = file.get_tensor(key)
            else:
                index, name = name.split(".")
                states[owner].setdefault(int(index), {})[name] = file.get_tensor(key)
    run.step, run.seconds = int(progress["step"]), float(progress["seconds"])
    run.turns = Counter(json.loads(progress["turns"]))
    run.model.load_state_dict(weights["model"])
    if weights["average"]:
        run.average = copy.deepcopy(run.model).requires_grad_(False).eval()
        run.average.load_state_dict(weights["average"])
    for loss, optimiser in run.optimisers.items():
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": states[loss], "param_groups": groups})
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
    if not (config.output / "state.safetensors").is_file():
        return False
    held = read_run_config(config.output).get("train", {})
    wanted = json.loads(json.dumps(asdict(config), default=str))
    for name in (known.name for known in fields(config) if known.name not in MAY_CHANGE):
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
