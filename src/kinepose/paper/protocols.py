"""What `reproduce` needs of a benchmark: clips to train on, their labels, and how a run scores."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch

from kinepose.benchmarks.config import Benchmark, ConvertConfig, SynthworldConfig
from kinepose.benchmarks.convert import convert, read_recordings
from kinepose.benchmarks.synthworld import (
    describe,
    holds_synthworld,
    make_synthworld,
    read_synthworld,
)
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.prepare import prepare
from kinepose.dataset.renders import load_prior
from kinepose.evaluation.baselines import baseline_errors
from kinepose.evaluation.config import EvaluateConfig, ScoreConfig
from kinepose.evaluation.evaluate import evaluate
from kinepose.evaluation.score import Baselines, read_scores, score
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import predict
from kinepose.io.errors import BadInputError
from kinepose.paper.config import ReproduceConfig
from kinepose.paper.tables import Scores
from kinepose.video.config import PeopleConfig


@dataclass(frozen=True)
class Protocol:
    """What a benchmark gives to train on, and how it scores."""

    name: str
    """One line that says which data the figures were made on."""
    clips: tuple[Path, ...]
    labels: tuple[Path, ...]
    metric: str
    score: Callable[[Path, Path], Scores]
    """A run's figures; the second path is a folder of its own to write to."""
    baselines: Callable[[], dict[str, Scores]]
    """Mean pose, nearest of the 20 poses and floor."""


def open_protocol(config: ReproduceConfig) -> Protocol:
    """Make or find the data of a benchmark.

    Raises:
        BadInputError: if they are not there, or cannot be used.
    """
    if config.benchmark == "synthworld":
        return _open_synthworld(config)
    if config.folder is None:
        raise BadInputError(f"--benchmark {config.benchmark} needs --folder: where it lies")
    return _open_licensed(config, config.folder)


def _open_synthworld(config: ReproduceConfig) -> Protocol:
    folder = config.folder or config.output / "synthworld"
    if not holds_synthworld(folder, config.version, config.size):
        make_synthworld(SynthworldConfig(folder, config.version, config.size))
    training = [folder / name for name in ("train_static", "train_moving")]
    splits = config.output / "scores"

    def score_run(run: Path, output: Path) -> Scores:
        output = output.with_name(f"{output.name}_splits.json")
        scores = score(ScoreConfig(run, folder, output, device=config.device))
        return {split: values["p_mpjpe"] for split, values in scores.items()}

    def baselines() -> dict[str, Scores]:
        path = next(splits.glob("*_splits.json"), None)
        if path is None:
            return {}
        tests = read_scores(path).splits
        return {
            field.name: {test: vars(split.baselines)[field.name] for test, split in tests.items()}
            for field in fields(Baselines)
        }

    return Protocol(
        describe(read_synthworld(folder)),
        tuple(path / "clips" for path in training),
        tuple(path / "labels" for path in training),
        "P-MPJPE, mean over the motions of a test [mm]",
        score_run,
        baselines,
    )


@dataclass(frozen=True)
class _Licensed:
    """How a licensed data set trains and scores."""

    height: float
    """Of the people whom it scores, as `predict` has it [mm]."""

    training: Benchmark
    protocol: Benchmark
    columns: tuple[str, ...]
    """Of the table; the last is P-MPJPE, which the baselines have too."""


_LICENSED = {
    "h36m": _Licensed(1700.0, "h36m_train", "h36m_all", ("p_mpjpe",)),
    "mpi_inf_3dhp": _Licensed(
        1640.0, "mpi_inf_3dhp_train", "mpi_inf_3dhp_test", ("pck", "auc", "mpjpe", "p_mpjpe")
    ),
}
"""The universal skeleton of MPI-INF-3DHP is 920 mm from knee to neck, hence its height."""
_SHARES = ("pck", "auc")


def _open_licensed(config: ReproduceConfig, folder: Path) -> Protocol:
    """Videos of the training set, cut to clips; the images that the protocol scores."""
    plan = _LICENSED[config.benchmark]
    training, tests = config.output / plan.training, config.output / plan.protocol
    for benchmark, output in ((plan.training, training), (plan.protocol, tests)):
        if not (output / "boxes.csv").is_file():
            convert(ConvertConfig(folder, benchmark, output))
    videos = tuple(sorted((training / "films").iterdir()))
    prepare(PrepareConfig(videos, training / "clips", _people(training)))

    def score_run(run: Path, output: Path) -> Scores:
        for video in sorted((tests / "films").iterdir()):
            predict(
                PredictConfig(
                    video,
                    output / video.name,
                    run,
                    people=_people(tests),
                    height=plan.height,
                    energy=False,
                    overlay=False,
                    viewer=False,
                    device=config.device,
                )
            )
        evaluation = EvaluateConfig(output, folder, output / "metrics.json", plan.protocol)
        scores = evaluate(evaluation)
        # The paper's Protocol II is the mean over the actions; 3DHP's script counts all frames.
        mean = scores["mean_of_actions"] if config.benchmark == "h36m" else scores
        return {name: mean[name] * (100 if name in _SHARES else 1) for name in plan.columns}

    def baselines() -> dict[str, Scores]:
        path = next((config.output / "runs").glob("*/*/prior.npz"), None)
        if path is None:
            return {}
        prior = torch.from_numpy(load_prior(path).joints3d).double()
        truths = [recording.joints3d for recording in read_recordings(folder, plan.protocol)]
        errors = baseline_errors(torch.from_numpy(np.concatenate(truths)).double(), prior)
        return {name: {"p_mpjpe": error.mean().item()} for name, error in errors.items()}

    return Protocol(
        f"{plan.protocol}, trained on {plan.training}",
        (training / "clips",),
        (training / "labels",),
        "PCK and AUC [%], MPJPE and P-MPJPE [mm]",
        score_run,
        baselines,
    )


def _people(folder: Path) -> PeopleConfig:
    """The boxes of the data set stand for a detector's."""
    return PeopleConfig(detector="file", boxes=folder / "boxes.csv", side="frame")
