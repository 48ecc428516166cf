"""From what the detector says to boxes."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinepose.detection.network import STRIDE
from kinepose.geometry.boxes import ScoredBoxes, inside, overlaps

_SAME = 0.6
"""Intersection over union of two finds above which the surer one alone is kept."""

_ONE_PERSON = 0.5
"""The same, of finds in several views of an image."""
_PART = 0.8
"""Share of a find within a surer one above which it is a part of the same person."""

_IN_COMMON = 0.1
"""How near their tops and their sides are of two finds of somebody, with legs and without [lengths
of the longer]."""


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


def agreed(views: Sequence[ScoredBoxes]) -> ScoredBoxes:
    """What several views of one image say together: boxes weighted by their scores.

    The score is the mean of those of the half of the views that are surest.
    """
    numbered = [np.column_stack([found, np.full(len(found), n)]) for n, found in enumerate(views)]
    left = np.concatenate(numbered)
    left = left[np.argsort(-left[:, 4], kind="stable")]
    people = []
    while len(left):
        same = overlaps(left[:1, :4], left[:, :4])[0] > _ONE_PERSON
        same &= left[:, 5] != left[0, 5]  # in one view they are two
        same[0] = True
        finds, left = left[same], left[~same]
        surest = np.zeros(len(views))
        np.maximum.at(surest, finds[:, 5].astype(int), finds[:, 4])
        score = np.sort(surest)[len(views) // 2 :].mean()
        people.append([*np.average(finds[:, :4], axis=0, weights=finds[:, 4]), score])
    return np.array(people).reshape(-1, 5)


def without_parts(found: ScoredBoxes) -> ScoredBoxes:
    """Without those who lie within a surer one, as the upper half of somebody does.

    Of somebody with legs and without, the longer one is kept unless the other is much surer.
    """
    found = _surest_first(found)
    found = _apart(found, inside(found[:, :4], found[:, :4]) > _PART)
    found = found[np.argsort(-_lengths(found) * found[:, 4], kind="stable")]
    return _surest_first(_apart(found, _differ_at_the_bottom(found)))


def _surest_first(found: ScoredBoxes) -> ScoredBoxes:
    return found[np.argsort(-found[:, 4], kind="stable")]


def _apart(found: ScoredBoxes, same: Bool[np.ndarray, "finds finds"]) -> ScoredBoxes:
    """Those who are not the same as one who is kept before them."""
    kept: list[int] = []
    for number in range(len(found)):
        if not same[number, kept].any():
            kept.append(number)
    return found[kept]


def _differ_at_the_bottom(found: ScoredBoxes) -> Bool[np.ndarray, "finds finds"]:
    """Whether two have their tops and sides in common, which a child before a grown-up has not."""
    lengths = _lengths(found)
    apart = np.abs(found[:, None, :3] - found[None, :, :3]).max(-1)
    return apart < _IN_COMMON * np.maximum(lengths[:, None], lengths[None])


def _lengths(found: ScoredBoxes) -> Float[np.ndarray, " finds"]:
    return found[:, 3] - found[:, 1]
