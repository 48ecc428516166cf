"""The changing state of the detector's training, in memory and in its folder."""

import json
from dataclasses import asdict, dataclass, fields

import torch
from safetensors import SafetensorError, safe_open

from kinepose.detection.config import TrainDetectorConfig
from kinepose.detection.network import PersonDetector
from kinepose.detection.weights import RESULT, save_tensors
from kinepose.errors import BadInputError
from kinepose.files import replacing

_STATE = "state.safetensors"
_MAY_CHANGE = {"output", "places", "cutouts", "checkpoint_minutes", "workers", "threads"}
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
    """Write the result, the settings, and the state to resume from."""
    tensors = {f"detector.{name}": tensor for name, tensor in run.detector.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in run.average.state_dict().items()}
    for index, state in run.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    output = run.config.output
    with replacing(output / "config.json") as temporary:
        temporary.write_text(json.dumps(asdict(run.config), indent=2, default=str) + "\n")
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in run.average.state_dict().items()
    }
    save_tensors(halves, output / RESULT)
    progress = {"step": str(run.step), "seconds": repr(run.seconds)}
    save_tensors(tensors, output / _STATE, progress)


def restore(run: DetectorRun) -> None:
    """Go back to the last checkpoint, and the log with it.

    Raises:
        BadInputError: if the state is broken.
    """
    path = run.config.output / _STATE
    try:
        _restore(run)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise BadInputError(f"cannot go on from {path}: {str(error).splitlines()[0]}") from error
    path = run.config.output / "log.jsonl"
    if path.is_file():
        lines = path.read_text().splitlines(keepends=True)
        with replacing(path) as temporary:
            temporary.write_text("".join(lines[: run.step]))


def holds_run(config: TrainDetectorConfig) -> bool:
    """Whether the output folder holds a run to go on with.

    Raises:
        BadInputError: if it holds one with other settings.
    """
    if not (config.output / _STATE).is_file():
        return False
    path = config.output / "config.json"
    try:
        held = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BadInputError(f"{path} does not hold the settings of a run: {error}") from error
    wanted = json.loads(json.dumps(asdict(config), default=str))
    for name in (field.name for field in fields(config) if field.name not in _MAY_CHANGE):
        if held.get(name) != wanted[name]:
            raise BadInputError(
                f"{config.output} holds a run with {name} {held.get(name)}, not {wanted[name]}: "
                f"name another --output, or the same settings to go on with it"
            )
    return True


def log(run: DetectorRun, losses: dict[str, float]) -> None:
    """A line of log.jsonl for the step that is done."""
    line = {"step": run.step, **losses, "seconds": run.seconds}
    run.config.output.mkdir(parents=True, exist_ok=True)
    with (run.config.output / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def _restore(run: DetectorRun) -> None:
    parts: dict[str, dict[str, torch.Tensor]] = {"detector": {}, "average": {}, "optimiser": {}}
    with safe_open(run.config.output / _STATE, "pt") as file:
        progress = file.metadata()
        for key in file.keys():  # noqa: SIM118 - not a dict
            owner, name = key.split(".", 1)
            parts[owner][name] = file.get_tensor(key)
    states: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in parts["optimiser"].items():
        index, name = key.split(".")
        states.setdefault(int(index), {})[name] = value
    run.step, run.seconds = int(progress["step"]), float(progress["seconds"])
    run.detector.load_state_dict(parts["detector"])
    run.average.load_state_dict(parts["average"])
    groups = run.optimiser.state_dict()["param_groups"]
    run.optimiser.load_state_dict({"state": states, "param_groups": groups})
