"""Seconds that one iteration of 16 pairs takes, for each loss, on data already in memory.

    python tools/iteration_time.py --preset cpu

prints the least, the middle and the largest of several runs: forward, backward and the optimiser.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import tyro

from kinepose.method.batches import LabelledBatch, PairBatch
from kinepose.method.losses import (
    ImageTransform,
    LossName,
    Terms,
    Weights,
    paired_loss,
    prior_loss,
    trained_modules,
    unpaired_loss,
)
from kinepose.model_files import new_model
from kinepose.training.config import PRESETS


@dataclass(frozen=True)
class Settings:
    """Time the iterations of a preset, from noise."""

    preset: str = "cpu"
    pairs: int = 16
    runs: int = 7
    threads: int = 2


def main(settings: Settings) -> None:
    """Print a line for each loss."""
    torch.set_num_threads(settings.threads)
    config = replace(PRESETS[settings.preset].model, pretrained=None)
    model = new_model(config).train()
    model.to(memory_format=torch.channels_last)
    count, size = settings.pairs, config.image_size
    images = torch.rand(count, 3, size, size)
    pairs = PairBatch(images, images, images, torch.ones_like(images[:, :1]), torch.arange(count))
    labelled = LabelledBatch(images, torch.rand(count, 17, 2), torch.rand(count, 17, 3))
    turn = ImageTransform(torch.arange(count) % 2 == 0, torch.linspace(-0.5, 0.5, count))
    losses: dict[LossName, Callable[[], Terms]] = {
        "prior": lambda: prior_loss(model, labelled),
        "paired": lambda: paired_loss(model, pairs, Weights()),
        "unpaired": lambda: unpaired_loss(model, pairs, turn, Weights()),
    }
    for name, loss in losses.items():
        parameters = [p for module in trained_modules(model, name) for p in module.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=1e-6)
        seconds = [_seconds(loss, optimiser) for _ in range(settings.runs + 1)][1:]
        print(
            f"{settings.preset} {name:9} {min(seconds):.3f} s, {statistics.median(seconds):.3f} s, "
            f"{max(seconds):.3f} s"
        )


def _seconds(loss: Callable[[], Terms], optimiser: torch.optim.Optimizer) -> float:
    started = time.perf_counter()
    sum(loss().values(), torch.zeros(())).backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(tyro.cli(Settings))
