"""From what the detector says to boxes."""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from kinepose.detection.network import STRIDE

_SAME = 0.6
"""Intersection over union of two finds above which the surer one alone is kept."""

Finds = Float64[np.ndarray, "people 5"]
"""x0, y0, x1, y1 [px], and the score from 0 to 1; the surest first."""


def decode(
    logits: Float[Tensor, "batch rows columns"],
    logarithms: Float[Tensor, "batch 4 rows columns"],
    threshold: float,
) -> list[Finds]:
    """The people of each picture: peaks of the heatmap above the threshold, with their boxes."""
    scores = logits.sigmoid()
    highest = torch.nn.functional.max_pool2d(scores[:, None], 3, stride=1, padding=1)[:, 0]
    is_peak = (scores == highest) & (scores > threshold)
    picture, row, column = is_peak.nonzero(as_tuple=True)
    left, top, right, bottom = logarithms[picture, :, row, column].clamp(-7, 7).exp().unbind(1)
    x, y = column + 0.5, row + 0.5
    boxes = STRIDE * torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    found = torch.cat([boxes, scores[picture, row, column][:, None]], dim=1)
    numbers, of_picture = found.double().cpu().numpy(), picture.cpu().numpy()
    return [distinct(numbers[of_picture == index]) for index in range(len(logits))]


def overlaps(
    first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection over union of each box with each."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    other = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod((other - corner).clip(0), axis=-1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) for boxes in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def distinct(found: Finds) -> Finds:
    """Without those who overlap a surer one too much."""
    found = found[np.argsort(-found[:, 4], kind="stable")]
    same = overlaps(found[:, :4], found[:, :4]) > _SAME
    kept: list[int] = []
    for number in range(len(found)):
        if not same[number, kept].any():
            kept.append(number)
    return found[kept]
