"""Settings of `adapt`; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from annotated_types import Interval

from kinepose.io.places import RUN, Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import (
    SHIPPED,
    Device,
    Seconds,
    Seed,
    Share,
    Some,
    Threads,
    Videos,
    Workers,
)
from kinepose.video.config import PeopleConfig


@dataclass(frozen=True)
class AdaptConfig(Settings):
    """Let a model learn from your own videos: no labels; and renders, to forget nothing.

    An E_P with heatmaps learns from where the frames of a clip agree that joints are, another one
    by L_P and L_UNP. Frames held back from training tell whether it helped: how little poses jitter
    beside how much they change, and how many joints lie on the person where that is known. If it
    did not, the model stays as it was.
    """

    videos: Videos
    """Videos, in any format that FFmpeg decodes."""
    output: Annotated[Path, Writes((*RUN.names, "clips/", "held_back/"))]
    """Folder of the run; an unfinished adaptation in it is resumed."""
    start: Annotated[Path, RUN] = SHIPPED
    """A run with heatmaps, or one that paints people; unless told, the package's own model."""
    people: tyro.conf.OmitArgPrefixes[PeopleConfig] = field(default_factory=PeopleConfig)
    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of images of the empty scenes, named like the videos, instead of the median."""
    shortest_clip: Seconds = 1.0
    """Shorter clips are dropped [s]."""
    largest_invalid: Share = 0.3
    """Share of a clip's boxes that may lack a background before it counts as without one: L_P then
    leaves it to L_UNP, and nothing is known of the person's outline."""
    held_back: Annotated[float, Interval(gt=0.0, le=0.5)] = 0.2
    """Share of every clip that training does not see."""
    iterations: Some = 60
    """At most; each trains one of the losses. On two short videos more made poses steadier and not
    better (docs/results.md); long ones were not tried."""
    check_every: Some = 30
    """Iterations between two checks by the frames held back."""
    patience: Some = 5
    """Checks in a row that find nothing better, after which it ends before all iterations."""
    batch_size: Annotated[int, Interval(ge=1, le=1_000_000)] = 16
    learning_rate: Annotated[float, Interval(ge=0.0, le=100.0)] = 3e-4
    renders: Annotated[int, Interval(ge=0, le=10_000_000)] = 1024
    """How many of the stream's renders it sees, against forgetting; 0: the paper's 20."""
    seed: Seed = 0
    workers: Workers = 0
    """Processes that cut videos; 0 means one a core."""
    device: Device = "auto"
    threads: Threads = 0
    """CPU threads of torch; 0 leaves torch's choice."""
