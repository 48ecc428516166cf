"""Settings of the paper's figures and tables; nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from kinepose.io.places import Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import Address, Device, Positional, Seed, Some, Threads


@dataclass(frozen=True)
class FiguresConfig(Settings):
    """Draw the paper's figures of a scored run: maps, transfer, poses, energy against error."""

    scores: Annotated[Positional, Reads()]
    """File that `score` wrote."""
    output: Annotated[
        Path, Writes(("fig2_maps.png", "fig3_transfer.png", "fig4_poses.png", "energy.png"))
    ]
    """Folder for the PNG files."""


@dataclass(frozen=True)
class ReproduceConfig(Settings):
    """The rows of the paper's Tables 2, 3 and 4: train, score, and draw up one table."""

    output: Annotated[
        Path,
        Writes(
            (
                *("runs/", "scores/", "renders/", "reproduction.json"),
                *("tables.md", "table.csv", "bars.png"),
            )
        ),
    ]
    """Folder for the runs, tables.md, table.csv and bars.png; what it holds is not made again."""
    benchmark: Literal["synthworld", "h36m", "mpi_inf_3dhp"] = "synthworld"
    folder: Annotated[Path | None, Reads()] = None
    """Of the data set as it was unpacked; for synthworld where it lies or is to be made, which is
    under --output by default."""
    version: Literal[1, 2] = 2
    """Of synthworld."""
    size: Literal["tiny", "small", "full"] = "small"
    """Of synthworld."""
    more: tuple[Annotated[Address, Reads()], ...] = ()
    """Folders of unlabelled clips that the base models see as well, as the paper's YTube; the row
    unseen sees nothing else."""
    preset: str = "cpu"
    """Of all rows."""
    iterations: Some = 3000
    """Of every row, all its stages together; weakly and semi have a third more, after unsup's."""
    rows: tuple[str, ...] = ()
    """Some rows only; none means all. The tables show all rows that are finished."""
    seeds: tuple[Seed, ...] = (0, 1, 2)
    device: Device = "auto"
    threads: Threads = 0
    """Threads of the processor; 0 means all."""
