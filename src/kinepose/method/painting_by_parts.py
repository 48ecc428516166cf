"""Painting by parts: another f_a and D_I than the paper's, for the preset kinepose.

On the paper's lattice clothes have to travel from where I_s shows them to where I_t does through
3 x 3 convolutions. Here f_a is one vector for each joint and limb of I_s, its colour among them,
and is laid out by those of I_t (as Lorenz et al. 2019, arXiv:1903.06946, do with parts that they
find themselves). D_I says what the person looks like, and how much of each pixel she covers.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinepose.method.config import ModelConfig
from kinepose.method.spatial_maps import MAPS

COLOURS = 3
"""The last channels of f_a are the mean colour of each part, from -1 to 1."""
_ALONE = 0.1
"""Sum of the maps at a place where f_a is laid out at half its size."""
_NOTHING = 1e-3
_SELDOM = -2.0
"""Logit of how much of a pixel the person covers before anything was learnt."""


@dataclass(frozen=True)
class Painted:
    """An image I^_t, and what D_I says of the person in it."""

    image: Float[Tensor, "batch 3 size size"]
    """In 0 to 1, up to the decoder's mistakes."""
    cover: Float[Tensor, "batch 1 size size"] | None = None
    """Logit of how much of each pixel the person covers, if D_I tells."""


def gathered(
    features: Float[Tensor, "batch channels rows columns"],
    maps: Float[Tensor, "batch 33 rows columns"],
) -> Float[Tensor, "batch channels 33 1"]:
    """Features of an image as a mean for each joint and limb, weighted by its map."""
    weights = maps.flatten(2)
    share = weights / (weights.sum(-1, keepdim=True) + 10 * _NOTHING)
    return (features.flatten(2) @ share.transpose(1, 2))[..., None]


class PartsDecoder(nn.Module):
    """D_I: (f_hm, f_am), f_a, B_t -> I^_t, by residual blocks that begin as nothing.

    I^_t is the person over B_t. Her colour is that of the parts, but for what the blocks say.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = config.decoder_widths
        self.entry = nn.Conv2d(MAPS + config.appearance_widths[-1] + COLOURS, widths[0], 1)
        self.doublings = nn.Sequential(*(_Doubling(*pair) for pair in pairwise(widths)))
        self.background = nn.Conv2d(3, widths[-1], 3, padding=1)
        self.fusion = _Residual(2 * widths[-1])
        self.change = nn.Conv2d(2 * widths[-1], 4, 1)
        with torch.no_grad():
            for numbers in self.change.parameters():
                numbers.zero_()

    def forward(
        self,
        maps: Float[Tensor, "batch 33 map_size map_size"],
        appearance: Float[Tensor, "batch channels 33 1"],
        background: Float[Tensor, "batch 3 size size"],
    ) -> Painted:
        """What an image looks like with this person in this pose."""
        total = maps.sum(1, keepdim=True)
        laid_out = torch.einsum("bmhw,bcm->bchw", maps, appearance[..., 0].to(maps.dtype))
        person = self.doublings(self.entry(torch.cat([maps, laid_out / (total + _ALONE)], dim=1)))
        scene = self.background(background * 2 - 1)
        said = self.change(functional.relu(self.fusion(torch.cat([person, scene], dim=1)))).float()
        colour = (laid_out[:, -COLOURS:] / (total + _NOTHING) + 1) / 2
        colour = functional.interpolate(colour, size=background.shape[-2:], mode="bilinear")
        cover = said[:, 3:] + _SELDOM
        image = torch.lerp(background, colour + said[:, :3], cover.sigmoid())
        return Painted(image, cover)


class _Residual(nn.Module):
    """x + two convolutions of x, which say nothing at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            for numbers in self.second.parameters():
                numbers.zero_()

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return features + self.second(functional.relu(self.first(functional.relu(features))))


class _Doubling(nn.Module):
    """A residual block, and twice the size at another width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.block = _Residual(inputs)
        self.narrow = nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        narrow = self.narrow(self.block(features))
        return functional.interpolate(narrow, scale_factor=2, mode="bilinear")
