"""Every loss as the loop knows it: its batch, what it trains, when its turns begin, how fast.

A further loss is a function of a Turn and a row like those of LOSSES; nothing else need name it
(docs/extending.md). The equations themselves are in method/losses.py.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import nn

from kinepose.dataset.augmentation import Augmentation, draw_renders
from kinepose.dataset.backgrounds import draw_random_backgrounds
from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.labels import draw_labelled
from kinepose.dataset.pairs import draw_pairs
from kinepose.dataset.pose_pairs import draw_poses
from kinepose.dataset.render_stream import RenderBatches
from kinepose.dataset.renders import as_numbers, plain_batch
from kinepose.dataset.taught import draw_taught
from kinepose.geometry.devices import send
from kinepose.method.batches import (
    LabelledBatch,
    PaintingBatch,
    PairBatch,
    PoseBatch,
    TaughtBatch,
)
from kinepose.method.losses import (
    ImageTransform,
    Terms,
    Weights,
    all_parameters,
    encoder_parameters,
    joints2d_loss,
    joints3d_loss,
    lifter_parameters,
    lifting_loss,
    painting_loss,
    painting_parameters,
    paired_loss,
    pose_parameters,
    prior_loss,
    teacher_loss,
    unpaired_loss,
)
from kinepose.method.model import Model
from kinepose.training.config import TrainConfig
from kinepose.training.distributed import share
from kinepose.training.materials import Materials

Batch = TypeVar(
    "Batch", LabelledBatch, PaintingBatch, PairBatch, PoseBatch, TaughtBatch, ImageTransform
)


WITHOUT_PAIRS = ("prior", "lifting", "painting", "teacher", "full")
"""The variants that do not learn by L_P and L_UNP."""


@dataclass(frozen=True)
class Turn:
    """One iteration, as its loss sees it."""

    config: TrainConfig
    model: Model
    materials: Materials
    batches: Iterator[Any]
    """What other processes compose for this loss, if it has them do so."""
    generator: torch.Generator
    """Of all that is random in the iteration, so that a resumed run draws the same."""
    step: int


@dataclass(frozen=True)
class Loss:
    """A loss of a training."""

    name: str
    """In the log, in a run's turns and in its state."""
    terms: Callable[[Turn], Terms]
    """Draws its batch, and says what the model makes of it: terms whose sum is the loss."""
    trained: Callable[[Model], list[nn.Parameter]]
    """All else keeps its parameters and buffers bit for bit; beside a teacher E_P's branches do."""
    wanted: Callable[[TrainConfig, Materials], bool]
    """Whether a run has it among its losses."""
    first_step: Callable[[TrainConfig], int] = lambda _: 0
    """Until then others take its turns."""
    rate: Callable[[TrainConfig], float] = lambda _: 1.0
    """Of learning, relative to the others'."""
    composed: Callable[[Materials], RenderBatches | None] = lambda _: None
    """The batches that other processes compose for it."""
    of_videos: bool = False
    """Whether E_P's batch norm keeps the statistics of the renders."""

    def __post_init__(self) -> None:
        """Raises ValueError if the state of a run could not tell it from another part of it."""
        if self.name in ("model", "average") or not self.name.isidentifier():
            raise ValueError(f"a loss cannot be called {self.name!r}")


def on_device(model: Model, batch: Batch) -> Batch:
    """A dataclass of tensors, on the model's device; images lie there as its weights do."""
    device = next(model.parameters()).device
    moved = {k: v if v is None else send(v, device) for k, v in vars(batch).items()}
    images = {
        k: v.contiguous(memory_format=torch.channels_last)
        for k, v in moved.items()
        if v is not None and v.ndim == 4
    }
    return type(batch)(**moved | images)


def _prior(turn: Turn) -> Terms:
    if turn.materials.crops is not None:
        return prior_loss(turn.model, as_numbers(on_device(turn.model, next(turn.batches))))
    return prior_loss(turn.model, on_device(turn.model, share(_augmented_renders(turn))))


def _painting(turn: Turn) -> Terms:
    return painting_loss(turn.model, as_numbers(on_device(turn.model, next(turn.batches))))


def _augmented_renders(turn: Turn) -> LabelledBatch:
    config, prior, generator = turn.config, turn.materials.prior, turn.generator
    size = config.model.image_size
    if config.overfit:
        return plain_batch(prior, size)
    places = turn.materials.backgrounds
    backgrounds = draw_random_backgrounds(places, config.batch_size, size, generator)
    augmentation = Augmentation(math.radians(config.rotation), config.crop_jitter)
    return draw_renders(prior, backgrounds, augmentation, generator)


def _lifting(turn: Turn) -> Terms:
    assert turn.materials.poses is not None
    poses = draw_poses(turn.materials.poses, turn.config.stream.pose_batch, turn.generator)
    return lifting_loss(turn.model, on_device(turn.model, share(poses)))


def _paired(turn: Turn) -> Terms:
    pairs, weights = _pairs(turn, paired=True), _weights(turn.config)
    if turn.step < turn.config.consistency_from:
        weights = replace(weights, pose=0.0, appearance=0.0)
    return paired_loss(turn.model, on_device(turn.model, share(pairs)), weights)


def _unpaired(turn: Turn) -> Terms:
    config, generator = turn.config, turn.generator
    pairs = _pairs(turn, paired=False)
    count, size = config.batch_size, config.model.image_size
    backgrounds = draw_random_backgrounds(turn.materials.backgrounds, count, size, generator)
    angle = math.radians(config.rotation) * (torch.rand(count, generator=generator) * 2 - 1)
    transform = ImageTransform(torch.rand(count, generator=generator) < 0.5, angle)
    pairs = on_device(turn.model, share(replace(pairs, background=backgrounds)))
    transform = on_device(turn.model, share(transform))
    return unpaired_loss(turn.model, pairs, transform, _weights(config))


def _pairs(turn: Turn, paired: bool) -> PairBatch:
    config = turn.config
    assert turn.materials.clips is not None
    size, gap = config.model.image_size, config.smallest_gap
    return draw_pairs(turn.materials.clips, paired, config.batch_size, size, gap, turn.generator)


def _weights(config: TrainConfig) -> Weights:
    return Weights(config.pixel_weight, config.pose_consistency, config.appearance_consistency)


def _teacher(turn: Turn) -> Terms:
    config, clips, taught = turn.config, turn.materials.clips, turn.materials.taught
    assert clips is not None and taught is not None
    count, size = config.batch_size, config.model.image_size
    batch = draw_taught(clips, taught, count, size, config.stream.composition, turn.generator)
    return teacher_loss(turn.model, as_numbers(on_device(turn.model, share(batch))))


def _joints2d(turn: Turn) -> Terms:
    return joints2d_loss(turn.model, _labelled(turn, "joints2d"))


def _joints3d(turn: Turn) -> Terms:
    return joints3d_loss(turn.model, _labelled(turn, "joints3d"))


def _labels(turn: Turn) -> Terms:
    return prior_loss(turn.model, _labelled(turn, "joints3d"))


def _labelled(turn: Turn, kind: str) -> LabelledBatch:
    config, clips, labels = turn.config, turn.materials.clips, turn.materials.labels
    assert clips is not None and labels is not None
    count, size = config.batch_size, config.model.image_size
    batch = draw_labelled(clips, labels, kind, count, size, turn.generator)
    return on_device(turn.model, share(batch))


def _clips(config: TrainConfig, materials: Materials) -> ClipSet | None:
    """Those that the run learns from without labels, if it does."""
    return None if config.overfit or config.variant in WITHOUT_PAIRS else materials.clips


def _has_paired(config: TrainConfig, materials: Materials) -> bool:
    clips = _clips(config, materials)
    return clips is not None and len(clips.paired) > 0


def _has_unpaired(config: TrainConfig, materials: Materials) -> bool:
    clips = _clips(config, materials)
    return config.unpaired and clips is not None and len(clips.unpaired) > 0


PRIOR = Loss(
    "prior",
    _prior,
    trained=pose_parameters,
    wanted=lambda config, _: (
        config.overfit > 0 or config.variant not in ("lifting", "painting", "full")
    ),
    composed=lambda materials: materials.crops,
)
LIFTING = Loss(
    "lifting",
    _lifting,
    trained=lifter_parameters,
    wanted=lambda _, materials: materials.poses is not None,
)
PAIRED = Loss("paired", _paired, trained=all_parameters, wanted=_has_paired, of_videos=True)
PAINTING = Loss(
    "painting",
    _painting,
    trained=painting_parameters,
    wanted=lambda config, materials: (
        config.variant not in ("prior", "lifting", "teacher", "full")
        and materials.render_pairs is not None
    ),
    composed=lambda materials: materials.render_pairs,
)
UNPAIRED = Loss(
    "unpaired",
    _unpaired,
    trained=encoder_parameters,
    wanted=_has_unpaired,
    first_step=lambda config: config.consistency_from,
    rate=lambda config: config.unpaired_rate,
    of_videos=True,
)
TEACHER = Loss(
    "teacher",
    _teacher,
    trained=pose_parameters,
    wanted=lambda config, _: not config.overfit and config.variant == "teacher",
)
JOINTS2D = Loss(
    "joints2d",
    _joints2d,
    trained=pose_parameters,
    wanted=lambda config, _: not config.overfit and config.variant == "weakly",
    of_videos=True,
)
JOINTS3D = Loss(
    "joints3d",
    _joints3d,
    trained=pose_parameters,
    wanted=lambda config, _: not config.overfit and config.variant == "semi",
    of_videos=True,
)
LABELS = Loss(
    "labels",
    _labels,
    trained=pose_parameters,
    wanted=lambda config, _: not config.overfit and config.variant == "full",
    of_videos=True,
)
LOSSES = (PRIOR, LIFTING, PAINTING, PAIRED, UNPAIRED, TEACHER, JOINTS2D, JOINTS3D, LABELS)
"""In the order of their turns."""
