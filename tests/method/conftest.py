"""Batches of random numbers: pairs of images, labelled images and poses."""

import pytest
import torch
from tests.method.random_batches import SIZE, random_images

from kinepose.method.batches import LabelledBatch, PairBatch, PoseBatch


@pytest.fixture
def pairs() -> PairBatch:
    valid = torch.ones(4, 1, SIZE, SIZE)
    valid[:, :, :8] = 0
    return PairBatch(random_images(0), random_images(1), random_images(2), valid, torch.arange(4))


@pytest.fixture
def labelled() -> LabelledBatch:
    generator = torch.Generator().manual_seed(3)
    return LabelledBatch(
        random_images(4),
        torch.rand(4, 17, 2, generator=generator),
        torch.rand(4, 17, 3, generator=generator),
        torch.rand(4, 9, generator=generator),
        random_images(9)[:, :1],
    )


@pytest.fixture
def poses() -> PoseBatch:
    generator = torch.Generator().manual_seed(10)
    shapes = [(4, 17, 2), (4, 17), (4, 17, 2), (4, 17, 3), (4, 9)]
    return PoseBatch(*(torch.rand(*shape, generator=generator) for shape in shapes))
