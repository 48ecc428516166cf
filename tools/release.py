"""Put a run's model into the package: weights in half the bytes, settings, figures and a card.

    python -m tools.release RUN --scores scores.json tiny.json --machine "one NVIDIA H100"

The folder is laid out as a run is, so that all that reads runs reads it. Every number of the card
comes from files: the logs and settings of the run and of those it started from, and what `score`
wrote. figures.json keeps them beside the card.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jinja2
import torch
from tools.one_line import call
from torch import Tensor

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import (
    WEIGHTS,
    count_parameters,
    model_sha256,
    read_log,
    read_run_config,
    run_folder,
    without_places,
)
from kinepose.benchmarks.synthworld import Description, describe
from kinepose.benchmarks.synthworld_recipes import WORLDS
from kinepose.evaluation.score import read_scores, scores_table
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder, replacing
from kinepose.io.places import RUN, Reads, Writes
from kinepose.io.schema import Plain, Settings, as_json, read_json, write_json
from kinepose.io.settings import Positional
from kinepose.io.tensor_files import read_tensors, save_tensors
from kinepose.training.checkpoint import trained_with
from kinepose.training.config import OF_LABELS

LARGEST = 30_000_000
"""Of model.safetensors [bytes]."""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)


@dataclass(frozen=True)
class ReleaseConfig(Settings):
    """Put a run's model into the package, in place of the one that is there."""

    run: Annotated[Positional, RUN]
    """Folder of a run."""
    scores: tuple[Annotated[Path, Reads()], ...]
    """Files that `score` wrote of this run: all tests of synthworld, in the size tiny, which the
    package's own tests make again, and in at least one that is worth reading."""
    machine: str
    """What it was trained on, for the model card."""
    output: Annotated[
        Path | None, Writes(("model.safetensors", "config.json", "figures.json", "MODEL_CARD.md"))
    ] = None
    """Folder; none means that of the package."""
    note: str = ""
    """A sentence on what was done to the weights after training, for the card."""


def release(config: ReleaseConfig) -> None:
    """Write model.safetensors in float16, config.json, figures.json and MODEL_CARD.md.

    Raises:
        BadInputError: if the run cannot be read, its weights have no place in 30 MB or in float16,
            or the scores are another model's or not enough.
    """
    folder = config.output or WEIGHTS
    check_folder(folder)
    load_model(config.run)
    scores = [as_json(read_scores(path)) for path in config.scores]
    _check_scores(scores, model_sha256(config.run))
    tensors, _ = read_tensors(run_folder(config.run) / "model.safetensors")
    halves = half_precision(tensors)
    described = without_places(as_json(read_run_config(config.run)))
    stages = _stages(config.run)

    save_tensors(halves, folder / "model.safetensors")
    figures = {
        "model_sha256": model_sha256(folder),
        "bytes": (folder / "model.safetensors").stat().st_size,
        "parameters": count_parameters(folder),
        "image_size": described["model"]["image_size"],
        "pretrained": described["model"]["backbone"] if described["model"]["pretrained"] else None,
        "machine": config.machine,
        "stages": stages,
        "note": config.note,
        "scores": scores,
    }
    card = model_card(figures)
    write_json(folder / "config.json", described)
    write_json(folder / "figures.json", figures)
    with replacing(folder / "MODEL_CARD.md") as temporary:
        temporary.write_text(card, encoding="utf-8")
    print(f"{config.run} -> {folder} ({figures['bytes'] / 1e6:.1f} MB)")


def half_precision(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in float16; whole numbers stay.

    Raises:
        BadInputError: if one is too large for float16, or all are for LARGEST.
    """
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    for name, half in halves.items():
        if not torch.isfinite(half).all():
            raise BadInputError(f"{name} has numbers that float16 cannot hold")
    size = sum(half.nbytes for half in halves.values())
    if size > LARGEST:
        raise BadInputError(
            f"the weights take {size / 1e6:.1f} MB in float16, more than {LARGEST / 1e6:.0f}"
        )
    return halves


def model_card(figures: dict[str, Any]) -> str:
    """Markdown, from figures.json."""
    return _TEMPLATES.get_template("model_card.md").render(
        **figures,
        labelled=[s for s in figures["stages"] if s["variant"] in OF_LABELS],
        tables=[
            (describe(Description(**s["benchmark"])), scores_table(s["splits"]))
            for s in figures["scores"]
        ],
        no_better=_no_better_than_a_constant(figures["scores"]),
    )


def _check_scores(scores: list[dict[str, Any]], sha256: str) -> None:
    for held in scores:
        version, size = held["benchmark"]["version"], held["benchmark"]["size"]
        name = f"synthworld {version} {size}"
        if held["model_sha256"] != sha256:
            raise BadInputError(f"the scores on {name} are another model's: score this run")
        if missing := [test for test in WORLDS[version].tests if test not in held["splits"]]:
            raise BadInputError(f"the scores on {name} lack {', '.join(missing)}")
    sizes = {held["benchmark"]["size"] for held in scores}
    if "tiny" not in sizes or len(sizes) < 2:
        raise BadInputError(
            "--scores must be of synthworld tiny, which the package's tests make again, and of a "
            "larger size"
        )


def _stages(run: Path, after: tuple[Path, ...] = ()) -> list[dict[str, Any]]:
    """What was trained to make a run: itself, and before it what it started from."""
    settings, log = trained_with(run), read_log(run)
    if settings is None or not log:
        raise BadInputError(f"{run} does not say how it was trained: no settings, or no log.jsonl")
    train = without_places(as_json(settings))
    turns = Counter(line["loss"] for line in log)
    stage = {
        "preset": train["preset"],
        "variant": train["variant"],
        "iterations": dict(turns),
        "batch_size": train["batch_size"],
        "minutes": log[-1]["seconds"] / 60,
        "seed": train["seed"],
        "clips": train["clips"],
        "renders": (train["stream"]["renders"] or train["prior_images"]) if turns["prior"] else 0,
        "start": train["start"],
    }
    if settings.start is None:
        return [stage]
    start = run_folder(settings.start)
    if (start / "figures.json").is_file():  # a model that was released, perhaps this very run
        before = read_json(start / "figures.json", Plain)["stages"]
        return before if before[-1] == stage else [*before, stage]
    if (start / "log.jsonl").is_file() and start.resolve() not in after:
        return [*_stages(start, (*after, start.resolve())), stage]
    return [stage]


def _no_better_than_a_constant(scores: list[dict[str, Any]]) -> list[str]:
    """Tests worth reading on which the mean pose of the labels would have been as good."""
    return [
        f"{test} (size {held['benchmark']['size']})"
        for held in scores
        if held["benchmark"]["size"] != "tiny"
        for test, split in held["splits"].items()
        if split["p_mpjpe"] >= split["baselines"]["mean_pose"]
    ]


if __name__ == "__main__":
    call(release, ReleaseConfig)
