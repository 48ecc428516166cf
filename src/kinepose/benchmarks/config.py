"""Settings of `synthworld` and `convert`; nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from kinepose.io.places import Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import Positional, Workers

Benchmark = Literal[
    "h36m_train",
    "h36m_all",
    "h36m_frontal",
    "h36m_64th",
    "mpi_inf_3dhp_train",
    "mpi_inf_3dhp_test",
    "lsp",
]
"""What the licensed data sets train on, and the protocols by which they are scored."""


@dataclass(frozen=True)
class SynthworldConfig(Settings):
    """Make the benchmark `synthworld`: videos, labels and clips of all its splits."""

    output: Annotated[Path, Writes(("synthworld.json", "prior.npz"))]
    """Folder for the benchmark."""
    version: Literal[1, 2] = 2
    """1: painted people before made-up scenes; 2: textured people before photographed places."""
    size: Literal["tiny", "small", "full"] = "small"
    """tiny: seconds, to see that all works, too small for figures; small: minutes on two cores;
    full: eight times as many videos, longer and larger."""
    workers: Workers = 0
    """Processes; 0 means one a core."""


@dataclass(frozen=True)
class ConvertConfig(Settings):
    """Lay a licensed benchmark out as videos, labels and boxes, as `synthesize` does its videos."""

    folder: Annotated[Positional, Reads()]
    """Of the data set as it was unpacked: see docs/benchmarks.md."""
    benchmark: Benchmark
    """What of it: a training set, or what a protocol scores."""
    output: Annotated[Path, Writes(("films/", "labels/", "boxes.csv"))]
    """Folder for videos, labels/*.npz and boxes.csv."""
    subjects: tuple[str, ...] = ()
    """Some people only, as S1 S5; none means all."""
