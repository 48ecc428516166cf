"""What the detector should say of an image, and its losses."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinepose.detection.network import STRIDE

_SPREAD = 1 / 9
"""Standard deviation of a person's spot on the heatmap, in sides of the box."""
_NARROWEST = 0.6
"""The same, at least [cells]."""
_NEAR = 0.4
"""Cells in which the heatmap has at least this learn the sides of the box."""


@dataclass(frozen=True)
class Targets:
    """Of a batch of images."""

    heatmap: Float[Tensor, "batch rows columns"]
    """1 in the cells where the middle of a person's box lies, falling off around them."""
    counted: Float[Tensor, "batch rows columns"]
    """0 where somebody may or may not be found, else 1."""
    sides: Float[Tensor, "batch 4 rows columns"]
    """From the middle of each cell to the left, top, right and bottom of the box of the person who
    is nearest to it [cells]."""
    near: Float[Tensor, "batch rows columns"]
    """How much the sides count in each cell: in all cells of one person together 1."""


def make_targets(
    boxes: Float[Tensor, "batch people 4"],
    wanted: Bool[Tensor, "batch people"],
    unclear: Bool[Tensor, "batch people"],
    rows: int,
    columns: int,
) -> Targets:
    """From boxes x0, y0, x1, y1 [px] of those who should be found, or may be left unfound."""
    cells = boxes / STRIDE
    middles, sizes = (cells[..., :2] + cells[..., 2:]) / 2, cells[..., 2:] - cells[..., :2]
    corner = torch.tensor([columns - 1, rows - 1])
    cell = middles.floor().clamp(min=0).minimum(corner)[..., None, None]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    spread = (_SPREAD * sizes).clamp(min=_NARROWEST)[..., None, None]
    squares = ((torch.stack([x, y]) - cell) / spread).square().sum(2)
    heatmap, nearest = (torch.exp(-squares / 2) * wanted[..., None, None]).max(dim=1)
    x0, y0, x1, y1 = cells[..., None, None].unbind(2)
    sides = torch.stack([x + 0.5 - x0, y + 0.5 - y0, x1 - x - 0.5, y1 - y - 0.5], dim=2)
    inside = sides.amin(2) > 0
    unclear_here = (inside & unclear[..., None, None]).any(1) & (heatmap < _NEAR)
    chosen = torch.nn.functional.one_hot(nearest, boxes.shape[1]).movedim(-1, 1)
    near = chosen * inside * heatmap.where(heatmap >= _NEAR, 0)[:, None]
    near = near / near.sum((-2, -1), keepdim=True).clamp(min=1e-6)
    return Targets(
        heatmap, (~unclear_here).float(), (sides * chosen[:, :, None]).sum(1), near.sum(1)
    )


def heatmap_loss(
    logits: Float[Tensor, "batch rows columns"], targets: Targets
) -> Float[Tensor, ""]:
    """Penalty-reduced focal loss (Law and Deng 2018, with their powers 2 and 4), a person."""
    said = logits.sigmoid()
    is_middle = (targets.heatmap == 1).float()
    found = is_middle * (1 - said).square() * torch.nn.functional.logsigmoid(logits)
    silent = (1 - targets.heatmap).pow(4) * said.square() * torch.nn.functional.logsigmoid(-logits)
    return -(found + silent * targets.counted).sum() / is_middle.sum().clamp(min=1)


def sides_loss(
    logarithms: Float[Tensor, "batch 4 rows columns"], targets: Targets
) -> Float[Tensor, ""]:
    """1 - generalised IoU (Rezatofighi et al. 2019) of the boxes said and meant, a person."""
    meant, said = targets.sides.clamp(min=1e-3), logarithms.clamp(-7, 7).exp()
    shared = _area(torch.minimum(said, meant))
    both = _area(said) + _area(meant) - shared
    around = _area(torch.maximum(said, meant))
    distance = 1 - shared / both + (around - both) / around
    return (distance * targets.near).sum() / targets.near.sum().clamp(min=1)


def _area(sides: Float[Tensor, "batch 4 rows columns"]) -> Float[Tensor, "batch rows columns"]:
    left, top, right, bottom = sides.unbind(1)
    return (left + right) * (top + bottom)
