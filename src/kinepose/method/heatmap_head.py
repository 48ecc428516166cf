"""Where E_P sees the joints in the picture, before it says how they are joined (not in the paper).

From noise, fully connected layers on coarse features need very many pictures to find people at all.
A map for each joint is told at each of its pixels what to say, so that it learns from far fewer
(docs/results.md). With pretrained weights the paper's plain branches do.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinepose.method.blocks import convolution

JOINTS = 17


class Landmarks(nn.Module):
    """From the features of all stages to the log probability of where each joint is."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(inputs, width, 1) for inputs in channels)
        self.refinements = nn.ModuleList(convolution(width, width) for _ in channels[1:])
        self.maps = nn.Conv2d(width, JOINTS, 1)

    def forward(
        self, features: Sequence[Float[Tensor, "batch _ _ _"]]
    ) -> Float[Tensor, "batch 17 rows columns"]:
        """Log probabilities, over the cells of the finest stage."""
        person = self.laterals[-1](features[-1])
        finer = zip(features[-2::-1], self.laterals[-2::-1], self.refinements, strict=True)
        for own, lateral, refine in finer:
            larger = functional.interpolate(person, own.shape[-2:], mode="bilinear")
            person = refine(larger + lateral(own))
        maps = self.maps(person).float()
        return maps.flatten(2).log_softmax(-1).view_as(maps)


def centres(
    log_maps: Float[Tensor, "batch joints rows columns"],
) -> Float[Tensor, "batch joints 2"]:
    """The mean place of each joint, from -1 to 1 across the picture."""
    maps = log_maps.exp()
    x, y = (
        (maps.sum(axis) * _lattice(maps.shape[other], maps)).sum(-1)
        for axis, other in ((-2, -1), (-1, -2))
    )
    return torch.stack([x, y], dim=-1)


def _lattice(cells: int, like: Tensor) -> Float[Tensor, " cells"]:
    """The middles of the cells."""
    return (torch.arange(cells, device=like.device, dtype=like.dtype) + 0.5) * (2 / cells) - 1
