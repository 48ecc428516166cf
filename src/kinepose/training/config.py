"""Settings of training and the presets; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from kinepose.dataset.config import StreamConfig
from kinepose.io.places import RUN, Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import (
    Address,
    Count,
    Device,
    Minutes,
    Seconds,
    Seed,
    Share,
    Some,
    Threads,
    Weight,
)
from kinepose.method.config import CPU_MODEL, KINEPOSE_MODEL, ModelConfig

OF_LABELS = ("weakly", "semi", "full")
"""The variants that see labels of videos."""


@dataclass(frozen=True)
class TrainConfig(Settings):
    """Train a model on clips: L_prior, L_P and L_UNP in turn, each with its own optimiser."""

    output: Annotated[Path, Writes(RUN.names)]
    """Folder of the run; an unfinished run in it is resumed."""
    clips: tuple[Annotated[Address, Reads()], ...] = ()
    """Folders that `prepare` wrote, or their addresses, as s3://bucket/clips."""
    preset: str = "paper"
    """Where all other settings start from: paper, cpu or kinepose."""
    start: Annotated[Path | None, RUN] = None
    """A run whose weights, and whose model unless told otherwise, to begin with, as the paper's
    fine-tuning does with its base model; `shipped` is the package's own."""
    variant: Literal[
        "unsupervised", "prior", "lifting", "painting", "teacher", "weakly", "semi", "full"
    ] = "unsupervised"
    """prior: E_P from the renders alone (lower bound); lifting: E_P's branches alone, from the
    stream's poses without images; painting: E_A and D_I from the stream's renders;
    teacher: E_P but its branches, from the renders and from where frames of the clips agree, by
    the run of --start;
    weakly: also all 2D labels; semi: also a share of the 3D labels; full: all 2D and 3D labels
    alone, after the warm-up (upper bound)."""
    labels: tuple[Annotated[Path, Reads()], ...] = ()
    """Folders of label files, opened by the variants weakly, semi and full only."""
    label_share: Share = 0.05
    """Share of the frames whose 3D labels the variant semi sees."""
    unpaired: bool = True
    """Whether L_UNP trains on D_unp; without it, D_p only."""

    iterations: Count = 20000
    """Iterations in all; each trains one of the losses."""
    minutes: Minutes = 0.0
    """Ends the run cleanly after this time; 0 means never."""
    warm_up: Count = 800
    """First iterations, of L_prior alone."""
    batch_size: Annotated[int, Interval(ge=1, le=1_000_000)] = 16
    """Pairs, or renders, in an iteration."""
    seed: Seed = 0

    optimiser: Literal["adagrad", "adam", "adamw"] = "adagrad"
    """AdamW decays weights by 0.02."""
    learning_rate: Annotated[float, Interval(ge=0.0, le=100.0)] = 1e-3
    rise: Count = 0
    """First iterations, over which learning rates rise from nothing."""
    average: Share = 0.0
    """Decay, in an iteration, of the running average of the weights that is kept as the model;
    0 keeps the last weights."""
    cooldown: Share = 0.0
    """Share of the iterations, or of the minutes, the last ones, over which learning rates fall to
    nothing."""
    bfloat16: bool | None = False
    """Whether the networks compute in half precision; the transforms never do. None: where the
    processor, or the GPU, is faster so."""
    compile: bool = False
    """Whether torch compiles the networks, which takes a minute or more for each loss. On a
    processor it needs a C++ compiler, and preset cpu gains nothing."""
    unpaired_rate: Weight = 0.1
    """Learning rate of L_UNP, relative to the others': it has no pixels to hold on to."""
    smallest_spread: Weight = 5e-3
    """A run stops whose poses differ less than that over images, having become one; 0: never."""
    gradient_clip: Weight = 1.0
    """Largest norm of the gradient; 0 means no limit."""
    pixel_weight: Weight = 1.0
    """Weight of |I_t - I^_t|; 1 in the paper."""
    pose_consistency: Weight = 0.1
    """The paper's lambda_1."""
    appearance_consistency: Weight = 0.001
    """The paper's lambda_2."""
    consistency_from: Count = 1800
    """Iteration from which L_P has its consistency terms and L_UNP takes its turns: before D_I
    paints people, a constant encoder would please them best."""
    decoder_first: Count = 0
    """Iterations, after the warm-up, in which L_P teaches E_A and D_I alone: to an E_P that sees
    well already, a decoder that cannot paint tells only noise."""
    smallest_gap: Seconds = 0.4
    """Smallest time between the two frames of a pair [s]."""

    prior_images: Annotated[int, Interval(ge=2, le=1_000_000)] = 20
    """How many labelled renders L_prior has."""
    prior_seed: Seed = 0
    """Which ones."""
    stream: StreamConfig = field(default_factory=StreamConfig)
    """Further renders, made while training runs."""
    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of images for the renders' backgrounds and for B_r, beside those of D_p and made-up
    ones."""
    rotation: Annotated[float, Interval(ge=0.0, le=180.0)] = 30.0
    """Largest in-plane rotation of the renders and of T in L_UNP [degrees]."""
    crop_jitter: Share = 0.0
    """Largest shift [half crop sides] and log scale of the renders; needs the extended camera."""

    overfit: Annotated[int, Interval(ge=0, le=1_000_000)] = 0
    """Learn this many renders by heart, without augmentation, and score them: a check."""
    checkpoint_minutes: Minutes = 2.0
    """Time between checkpoints."""
    image_every: Some = 500
    """Iterations between the saved arrays behind the report's images."""
    device: Device = "auto"
    threads: Threads = 0
    """CPU threads of torch; 0 leaves torch's choice."""
    model: ModelConfig = field(default_factory=ModelConfig)


PRESETS: dict[str, TrainConfig] = {
    "paper": TrainConfig(output=Path("run"), preset="paper"),
    "cpu": TrainConfig(
        output=Path("run"),
        preset="cpu",
        optimiser="adam",
        learning_rate=5e-4,
        crop_jitter=0.15,
        model=CPU_MODEL,
    ),
    "kinepose": TrainConfig(
        output=Path("run"),
        preset="kinepose",
        variant="prior",
        batch_size=32,
        iterations=1000000,
        warm_up=0,
        optimiser="adamw",
        learning_rate=1.5e-3,
        rise=150,
        average=0.998,
        cooldown=0.3,
        gradient_clip=5.0,
        bfloat16=None,
        crop_jitter=0.15,
        stream=StreamConfig(renders=12288, poses=65536),
        model=KINEPOSE_MODEL,
    ),
}
