"""The changing state of the detector's training, in memory and in its folder."""

import json
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kinepose.artifacts.run_folder import STATE, check_same_settings, has_state
from kinepose.detection.config import TrainDetectorConfig
from kinepose.detection.network import PersonDetector
from kinepose.detection.weights import RESULT
from kinepose.io.errors import TrainingError
from kinepose.io.files import decoding, read_whole, replacing, replacing_several
from kinepose.io.schema import as_json, read_json, write_json
from kinepose.io.tensor_files import (
    check_tensors,
    not_finite,
    read_tensors,
    save_tensors,
)

_MAY_CHANGE = {"output", "places", "cutouts", "start", "checkpoint_minutes", "workers", "threads"}
"""Settings that a resumed run may have other than at its start."""


@dataclass
class DetectorRun:
    """What a run has come to."""

    config: TrainDetectorConfig
    detector: PersonDetector
    average: PersonDetector
    """Of the detector over the last iterations: the result."""
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    """Time spent in training, over all its resumptions."""


def save(run: DetectorRun) -> None:
    """Write the result, the settings, and the state to resume from.

    Raises:
        TrainingError: if a number of them is not finite; then all stays as it was.
    """
    tensors = {f"detector.{name}": tensor for name, tensor in run.detector.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in run.average.state_dict().items()}
    for index, state in run.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in run.average.state_dict().items()
    }
    output = run.config.output
    if name := not_finite(tensors | halves):
        raise TrainingError(
            f"step {run.step}: {name} is not finite; the last checkpoint is in {output}"
        )
    progress = {"step": str(run.step), "seconds": repr(run.seconds)}
    with replacing_several(output) as folder:
        write_json(folder / "config.json", run.config)
        save_tensors(halves, folder / RESULT)
        save_tensors(tensors, folder / STATE, progress)


def restore(run: DetectorRun) -> None:
    """Go back to the last checkpoint, and the log with it.

    Raises:
        BadInputError: if the state is broken or another network's.
    """
    path = run.config.output / STATE
    tensors, progress = read_tensors(path)
    for owner, network in (("detector.", run.detector), ("average.", run.average)):
        weights = _of(owner, tensors)
        check_tensors(path, weights, network.state_dict())
        network.load_state_dict(weights)
    with decoding(path, "state of this run"):
        run.step, run.seconds = int(progress["step"]), float(progress["seconds"])
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in _of("optimiser.", tensors).items():
            index, name = key.split(".")
            states.setdefault(int(index), {})[name] = value
        groups = run.optimiser.state_dict()["param_groups"]
        run.optimiser.load_state_dict({"state": states, "param_groups": groups})
    path = run.config.output / "log.jsonl"
    if path.exists():
        lines = read_whole(path).splitlines(keepends=True)
        with replacing(path) as temporary:
            temporary.write_bytes(b"".join(lines[: run.step]))


def holds_run(config: TrainDetectorConfig) -> bool:
    """Whether the output folder holds a run to go on with.

    Raises:
        BadInputError: if it holds one with other settings, or something else of its names.
    """
    if not has_state(config.output, ("config.json", RESULT, "log.jsonl")):
        return False
    held = read_json(config.output / "config.json", dict)
    check_same_settings(config.output, held, as_json(config), _MAY_CHANGE)
    return True


def log(run: DetectorRun, losses: dict[str, float]) -> None:
    """A line of log.jsonl for the step that is done."""
    line = {"step": run.step, **losses, "seconds": run.seconds}
    run.config.output.mkdir(parents=True, exist_ok=True)
    with (run.config.output / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """Let the average keep this share of itself; statistics of batch norm are averages already."""
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - share)
    for kept, new in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(new)


def _of(owner: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(owner): t for n, t in tensors.items() if n.startswith(owner)}
