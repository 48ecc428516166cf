"""From what the detector says to boxes."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinepose.detection.network import STRIDE
from kinepose.geometry.boxes import ScoredBoxes, inside, overlaps

_SAME = 0.6
"""Intersection over union of two finds above which the surer one alone is kept."""

_PART = 0.8
"""Share of a find within a surer one above which it is a part of the same person."""


def decode(
    logits: Float[Tensor, "batch rows columns"],
    logarithms: Float[Tensor, "batch 4 rows columns"],
    threshold: float,
) -> list[ScoredBoxes]:
    """The people of each image: peaks of the heatmap above the threshold, the surest first."""
    scores = logits.sigmoid()
    highest = torch.nn.functional.max_pool2d(scores[:, None], 3, stride=1, padding=1)[:, 0]
    is_peak = (scores == highest) & (scores > threshold)
    image, row, column = is_peak.nonzero(as_tuple=True)
    left, top, right, bottom = logarithms[image, :, row, column].clamp(-7, 7).exp().unbind(1)
    x, y = column + 0.5, row + 0.5
    boxes = STRIDE * torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    found = torch.cat([boxes, scores[image, row, column][:, None]], dim=1)
    numbers, of_image = found.double().cpu().numpy(), image.cpu().numpy()
    return [distinct(numbers[of_image == index]) for index in range(len(logits))]


def distinct(found: ScoredBoxes) -> ScoredBoxes:
    """Without those who overlap a surer one too much."""
    found = _surest_first(found)
    return _apart(found, overlaps(found[:, :4], found[:, :4]) > _SAME)


def without_parts(found: ScoredBoxes) -> ScoredBoxes:
    """Without those who lie within a surer one, as the upper half of somebody does."""
    found = _surest_first(found)
    return _apart(found, inside(found[:, :4], found[:, :4]) > _PART)


def _surest_first(found: ScoredBoxes) -> ScoredBoxes:
    return found[np.argsort(-found[:, 4], kind="stable")]


def _apart(found: ScoredBoxes, same: Bool[np.ndarray, "finds finds"]) -> ScoredBoxes:
    """Those who are not the same as one who is kept before them."""
    kept: list[int] = []
    for number in range(len(found)):
        if not same[number, kept].any():
            kept.append(number)
    return found[kept]
