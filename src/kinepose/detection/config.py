"""Settings of the person detector's training; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path

from kinepose.settings import MotionConfig


@dataclass(frozen=True)
class TrainDetectorConfig:
    """Train the person detector on renders of people composed into pictures of empty places."""

    output: Path
    """Folder of the run; an unfinished run in it is resumed."""
    places: Path | None = None
    """Folder of photographs that show nobody, beside the package's panoramas and made-up scenes."""
    cutouts: Path | None = None
    """Folder where renders of people are kept, for other runs of the same settings; unless told,
    within the run's."""
    start: Path | None = None
    """A detector.safetensors to begin with, rather than with ImageNet's weights alone."""
    people: int = 8000
    """How many renders of people there are."""
    person_size: int = 256
    """Side of a render, which the person fills [px]."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    """What the people do."""
    image_size: int = 256
    """Side of the training pictures [px]."""
    early_size: int = 160
    """The same in the first iterations, which then take less than half the time."""
    early: float = 0.5
    """Share of the iterations that are early."""
    batch_size: int = 24
    iterations: int = 3000
    learning_rate: float = 1.5e-3
    """At its highest; it rises over the first hundredth and falls to nothing along a cosine."""
    trained_stages: int = 0
    """How many of the backbone's seven stages are trained, from the last one on, at a tenth of the
    learning rate; all else of it keeps its ImageNet weights."""
    averaging: float = 0.998
    """Share that the averaged weights, which are the result, keep of themselves an iteration."""
    bfloat16: bool = True
    """Whether the network computes in half precision."""
    checkpoint_minutes: float = 5.0
    """Time between checkpoints."""
    seed: int = 0
    workers: int = 1
    """Processes that compose pictures; 0 composes between the iterations."""
    threads: int = 0
    """Threads of torch; 0 leaves torch's choice."""
