"""Where people are in an image: CenterNet's question (Zhou et al. 2019) to an EfficientNet-Lite.

For each cell of 8 x 8 px the network says how surely the middle of a person's box lies in it, and,
for the case that it does, how far the four sides of that box are from the middle of the cell. The
sides are learnt in all cells near the middle of a person, not in the one (TTFNet, Liu et al. 2020),
so that each image teaches more.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinepose.method.backbones import EfficientNetLite

STRIDE = 8
"""Side of a cell [px]."""
BACKBONE = "efficientnet-lite0"
LARGEST_STRIDE = 32
"""Sides of images are multiples of this [px]."""
_WIDTH = 96
_RARE = -math.log(1 / 0.05 - 1)
"""What the head says of a middle before it has learnt anything: one cell in twenty."""


class PersonDetector(nn.Module):
    """A backbone, and a head that joins its maps at strides 8 to 32 and one at 64."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(BACKBONE[-1])
        _, at8, at16, at32 = self.backbone.channels
        self.from8, self.from16, self.from32 = (
            _conv(channels, _WIDTH, 1) for channels in (at8, at16, at32)
        )
        self.to64 = nn.Sequential(_conv(_WIDTH, _WIDTH, 3, stride=2), _Residual(_WIDTH))
        self.refine32 = nn.Sequential(_Residual(_WIDTH), _Residual(_WIDTH))
        self.join32 = _conv(2 * _WIDTH, _WIDTH, 1)
        self.join16 = nn.Sequential(_conv(2 * _WIDTH, _WIDTH, 1), _Residual(_WIDTH))
        self.join8 = nn.Sequential(_conv(2 * _WIDTH, _WIDTH, 1), _Residual(_WIDTH))
        self.answer = nn.Sequential(_conv(_WIDTH, _WIDTH, 3), nn.Conv2d(_WIDTH, 5, 1))
        bias = self.answer[1].bias
        assert isinstance(bias, Tensor)
        nn.init.constant_(bias, 1.0)
        nn.init.constant_(bias[0], _RARE)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch rows columns"], Float[Tensor, "batch 4 rows columns"]]:
        """Logits of the heatmap, and logarithms of distances to the sides [cells].

        Images are RGB from 0 to 1, their sides multiples of LARGEST_STRIDE. The sides are left,
        top, right, bottom.
        """
        _, at8, at16, at32 = self.backbone(images)
        at32 = self.refine32(self.from32(at32))
        joined = self.join32(_with_coarser(at32, self.to64(at32)))
        joined = self.join16(_with_coarser(self.from16(at16), joined))
        joined = self.join8(_with_coarser(self.from8(at8), joined))
        said = self.answer(joined).float()
        return said[:, 0], said[:, 1:]


def _with_coarser(
    fine: Float[Tensor, "batch channels height width"],
    coarse: Float[Tensor, "batch channels rows columns"],
) -> Float[Tensor, "batch more height width"]:
    grown = nn.functional.interpolate(coarse, fine.shape[-2:], mode="nearest")
    return torch.cat([fine, grown], dim=1)


def _conv(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width, 3)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(
        self, maps: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """ReLU(x + two convolutions of x)."""
        return torch.relu(maps + self.second(self.first(maps)))
