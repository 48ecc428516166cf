"""Settings of the person detector's training; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from kinepose.io.errors import SettingError
from kinepose.io.places import Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import Minutes, Seed, Share, Some, Threads, Workers
from kinepose.synthetic.config import MotionConfig

Side = Annotated[int, Interval(ge=64, le=1024)]


@dataclass(frozen=True)
class TrainDetectorConfig(Settings):
    """Train the person detector on renders of people composed into images of empty places."""

    output: Annotated[Path, Writes(("config.json", "detector.safetensors", "state.safetensors"))]
    """Folder of the run; an unfinished run in it is resumed."""
    places: Annotated[Path | None, Reads()] = None
    """Folder of photographs that show nobody, beside the package's panoramas and made-up scenes."""
    cutouts: Path | None = None
    """Folder where renders of people are kept, for other runs of the same settings; unless told,
    within the run's."""
    start: Annotated[Path | None, Reads()] = None
    """A detector.safetensors to begin with, rather than with ImageNet's weights alone."""
    people: Some = 8000
    """How many renders of people there are."""
    person_size: Annotated[int, Interval(ge=32, le=1024)] = 256
    """Side of a render, which the person fills [px]."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    """What the people do."""
    image_size: Side = 256
    """Side of the training images [px], in 32s."""
    early_size: Side = 160
    """The same in the first iterations, which then take less than half the time."""
    early: Share = 0.5
    """Share of the iterations that are early."""
    batch_size: Some = 24
    iterations: Some = 3000
    learning_rate: Share = 1.5e-3
    """At its highest; it rises over the first hundredth and falls to nothing along a cosine."""
    trained_stages: Annotated[int, Interval(ge=0, le=7)] = 0
    """How many of the backbone's seven stages are trained, from the last one on, at a tenth of the
    learning rate; all else of it keeps its weights."""
    averaging: Share = 0.998
    """Share that the averaged weights, which are the result, keep of themselves an iteration."""
    bfloat16: bool = True
    """Whether the network computes in half precision."""
    checkpoint_minutes: Minutes = 5.0
    """Time between checkpoints."""
    seed: Seed = 0
    workers: Workers = 1
    """Processes that compose images; 0 composes between the iterations."""
    threads: Threads = 0
    """Threads of torch; 0 leaves torch's choice."""

    def __post_init__(self) -> None:
        """Check the fields, and that the network takes images of these sides.

        Raises:
            SettingError: if a value is out of its range.
        """
        super().__post_init__()
        for name in ("image_size", "early_size"):
            if getattr(self, name) % 32:
                raise SettingError(name, f"must be a multiple of 32, not {getattr(self, name)}")
