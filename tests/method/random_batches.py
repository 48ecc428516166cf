"""Random images, and what is made of the batches of conftest.py."""

from dataclasses import replace

import torch

from kinepose.method.batches import LabelledBatch, PaintingBatch, PairBatch, TaughtBatch
from kinepose.method.losses import ImageTransform

SIZE = 32
IDENTITY = ImageTransform(torch.zeros(4, dtype=torch.bool), torch.zeros(4))


def random_images(seed: int) -> torch.Tensor:
    return torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def elsewhere(pairs: PairBatch) -> PairBatch:
    """The pairs before other backgrounds, B_r."""
    return replace(pairs, background=random_images(5))


def painting(pairs: PairBatch, labelled: LabelledBatch) -> PaintingBatch:
    """As if the pairs were renders."""
    images, joints2d = (pairs.source, pairs.target, pairs.background), labelled.joints2d
    return PaintingBatch(*images, joints2d.roll(1, 0), joints2d, torch.rand(4, 1, SIZE, SIZE))


def taught(labelled: LabelledBatch) -> TaughtBatch:
    """As if the labels were a teacher's, who is sure of half."""
    certainty = torch.full((4, 17), 0.5)
    return TaughtBatch(labelled.images, labelled.joints2d, certainty)
