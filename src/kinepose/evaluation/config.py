"""Settings of what scores poses and runs; nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from kinepose.benchmarks.config import Benchmark
from kinepose.io.places import POSES, RUN, Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import Address, Device, Positional


@dataclass(frozen=True)
class EvaluateConfig(Settings):
    """Score poses against labels."""

    poses: Annotated[Positional, POSES]
    """poses.npz, or the folder that `predict` wrote."""
    labels: Annotated[Positional, Reads()]
    """Label file (npz); with --protocol, the folder of that data set."""
    output: Annotated[Path, Writes()]
    """File for the scores (JSON)."""
    protocol: Literal[Benchmark, "labels"] = "labels"
    """Score as a benchmark does; POSES then has a folder for each recording, named as `convert`
    names it."""


@dataclass(frozen=True)
class CriteriaConfig(Settings):
    """Say without labels how good the poses of videos are: numbers that collapse cannot please."""

    poses: Annotated[tuple[Annotated[Path, POSES], ...], tyro.conf.Positional]
    """Files poses.npz, or folders that `predict` wrote; one a video."""
    views: bool = False
    """Whether the videos show one scene, from cameras that started together at one pace: then every
    two of them are compared."""
    clips: tuple[Annotated[Address, Reads()], ...] = ()
    """Folders that `prepare` wrote of the same videos, for the share of 2D joints on the person."""
    output: Annotated[Path | None, Writes()] = None
    """File for the numbers (JSON)."""


@dataclass(frozen=True)
class ScoreConfig(Settings):
    """Score a run on the benchmark `synthworld`."""

    run: Annotated[Positional, RUN]
    """Folder of a run."""
    benchmark: Annotated[Path, Reads()]
    """Folder that `kinepose synthworld` made."""
    output: Annotated[Path, Writes()]
    """File for the scores (JSON). Beside it, with the suffix .npz, lie the arrays for `figures`."""
    splits: tuple[str, ...] = ()
    """Which splits; none means all tests. For tuning: validation."""
    device: Device = "auto"
