"""Where E_P sees the joints in the image, before it says how they are joined (not in the paper).

A map for each joint is told at each of its cells what to say, so that it learns from far fewer
images than fully connected layers on averaged features, and it says where it does not know
(docs/results.md). The joint is where its map is highest: a mean over the whole map is drawn away by
all that looks a little like a joint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError

JOINTS = len(JOINT_NAMES)
WINDOW = 2
"""A peak is the mean over this many cells to each side of the highest."""


@dataclass(frozen=True)
class Heatmaps:
    """What the head says of every cell of a crop."""

    joints: Float[Tensor, "batch 17 rows columns"]
    """Log probability of where each joint is."""
    mask: Float[Tensor, "batch rows columns"]
    """Logit of whether a cell shows the person."""


class HeatmapHead(nn.Module):
    """From features at strides 4 to 32 to maps of stride 4: of 17 joints, and of the person.

    Three residual streams at strides 32, 16 and 8 of dense convolutions, each told by the coarser
    one; what is said at stride 8 holds 2 x 2 cells of stride 4 (Shi et al. 2016).
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        if len(channels) < 4:
            raise BadInputError(
                f"--model.heatmaps needs a backbone of four stages, not {len(channels)}"
            )
        quarter, eighth, sixteenth, thirty_second = channels[-4:]
        self.from_quarter = _unit(quarter, width // 2, kernel=3, stride=2)
        self.from_eighth = _unit(eighth, width // 2, kernel=1)
        self.from_sixteenth = _unit(sixteenth, width, kernel=1)
        self.from_thirty_second = _unit(thirty_second, 2 * width, kernel=1)
        self.coarse = nn.Sequential(*(_Residual(2 * width) for _ in range(2)))
        self.join_middle = _unit(3 * width, width, kernel=1)
        self.middle = nn.Sequential(*(_Residual(width) for _ in range(3)))
        self.join_fine = _unit(2 * width, width, kernel=1)
        self.fine = nn.Sequential(*(_Residual(width) for _ in range(3)))
        self.maps = nn.Conv2d(width, 4 * (JOINTS + 1), 1)

    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Heatmaps:
        """The maps of features, the finest first, of which the last four count."""
        quarter, eighth, sixteenth, thirty_second = features[-4:]
        coarse = self.coarse(self.from_thirty_second(thirty_second))
        middle = torch.cat([self.from_sixteenth(sixteenth), _enlarged(coarse)], dim=1)
        middle = self.middle(self.join_middle(middle))
        fine = [self.from_quarter(quarter), self.from_eighth(eighth), _enlarged(middle)]
        fine = self.fine(self.join_fine(torch.cat(fine, dim=1)))
        maps = functional.pixel_shuffle(self.maps(fine), 2).float()
        joints = maps[:, :JOINTS]
        joints = joints.flatten(2).log_softmax(-1).view_as(joints)
        return Heatmaps(joints, maps[:, JOINTS])


def peaks(
    log_maps: Float[Tensor, "batch joints rows columns"],
) -> tuple[Float[Tensor, "batch joints 2"], Float[Tensor, "batch joints"]]:
    """Where each map is highest, from -1 to 1 across the crop, and how much of it lies there.

    The mean over a window about the highest cell, so that gradients pass; the share of the map in
    that window, from 0 to 1, says how certain it is.
    """
    rows, columns = log_maps.shape[-2:]
    cells = torch.arange(-WINDOW, WINDOW + 1, device=log_maps.device)
    flat = log_maps.flatten(2)
    highest = flat.argmax(-1, keepdim=True)
    y = (highest // columns).clamp(WINDOW, rows - 1 - WINDOW) + cells
    x = (highest % columns).clamp(WINDOW, columns - 1 - WINDOW) + cells
    window = (y[..., :, None] * columns + x[..., None, :]).flatten(-2)
    near = flat.gather(-1, window).exp().unflatten(-1, (len(cells), len(cells)))
    share = near.sum((-1, -2))
    total = share.clamp(min=1e-12)
    column = (near.sum(-2) * (x + 0.5)).sum(-1) / total
    row = (near.sum(-1) * (y + 0.5)).sum(-1) / total
    return torch.stack([column * 2 / columns - 1, row * 2 / rows - 1], dim=-1), share


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _unit(width, width, kernel=3)
        self.second = _unit(width, width, kernel=3)[:2]

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return functional.relu(features + self.second(self.first(features)))


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Batch norm costs nothing once it is folded into the convolution, which group norm cannot."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _enlarged(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
    return functional.interpolate(features, scale_factor=2, mode="nearest")
