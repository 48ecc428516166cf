import math

import numpy as np
import pytest
import torch
from tests.tiny_videos import overlap

from kinepose.detection.decoding import decode, distinct
from kinepose.detection.network import STRIDE
from kinepose.detection.targets import Targets, heatmap_loss, make_targets, sides_loss

BOXES = [
    [[10.0, 20.0, 70.0, 120.0], [90.0, 5.0, 128.0, 44.0]],
    [[0.0, 0.0, 128.0, 128.0], [0.0] * 4],
]
WANTED = [[True, True], [True, False]]


def targets(unclear: list[list[bool]] | None = None) -> Targets:
    unclear = unclear or [[False] * 2] * 2
    tensors = torch.tensor(BOXES), torch.tensor(WANTED), torch.tensor(unclear)
    return make_targets(*tensors, 16, 16)


def said(meant: Targets) -> tuple[torch.Tensor, torch.Tensor]:
    """What a perfect detector would say."""
    return torch.logit(meant.heatmap, 1e-6), meant.sides.clamp(min=1e-3).log()


def test_a_perfect_answer_is_decoded_to_the_boxes() -> None:
    found = decode(*said(targets()), 0.9)
    for boxes, wanted, people in zip(BOXES, WANTED, found, strict=True):
        expected = np.array(boxes)[wanted]
        order = np.argsort(people[:, 0])
        best = np.array(expected)[np.argsort(expected[:, 0])]
        np.testing.assert_allclose(people[order, :4], best, atol=1e-3)


def test_the_heatmap_is_a_gaussian_around_the_cell_of_each_middle() -> None:
    heatmap = targets().heatmap[0]
    # The first box: its middle (40, 70) px lies in cell (5, 8); it is 7.5 by 12.5 cells large.
    assert heatmap[8, 5] == 1
    assert heatmap[8, 6] == pytest.approx(math.exp(-((9 / 7.5) ** 2) / 2))
    assert heatmap[10, 5] == pytest.approx(math.exp(-((2 * 9 / 12.5) ** 2) / 2))
    assert (heatmap == 1).sum() == 2


def test_each_person_counts_the_same_in_the_sides() -> None:
    assert targets().near.sum((1, 2)).tolist() == pytest.approx([2, 1])


def test_who_may_be_left_unfound_is_not_counted() -> None:
    boxes = torch.tensor([[[64.0, 64.0, 128.0, 128.0], [0.0, 0.0, 48.0, 128.0]]])
    wanted, unclear = torch.tensor([[False, True]]), torch.tensor([[True, False]])
    meant = make_targets(boxes, wanted, unclear, 16, 16)
    assert (meant.counted[0, 8:, 8:] == 0).all()
    assert meant.counted.sum() == 16 * 16 - 8 * 8
    anybody = torch.full((1, 16, 16), -20.0)
    anybody[0, 12, 12] = 5.0
    assert heatmap_loss(anybody, meant) == heatmap_loss(anybody.clamp(max=-20), meant)


def test_sides_loss_is_one_minus_the_generalised_overlap() -> None:
    box = np.array([16.0, 16.0, 80.0, 104.0])
    other = np.array([8.0, 40.0, 72.0, 120.0])
    yes, no = torch.tensor([[True]]), torch.tensor([[False]])
    meant = make_targets(torch.tensor(box)[None, None].float(), yes, no, 16, 16)
    told = make_targets(torch.tensor(other)[None, None].float(), yes, no, 16, 16)
    both = (box[2:] - box[:2]).prod() + (other[2:] - other[:2]).prod()
    union = both / (1 + overlap(box, other))
    around = (np.maximum(box[2:], other[2:]) - np.minimum(box[:2], other[:2])).prod()
    expected = 1 - overlap(box, other) + (around - union) / around
    loss = sides_loss(told.sides.clamp(min=1e-3).log(), meant)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert sides_loss(meant.sides.clamp(min=1e-3).log(), meant).item() == pytest.approx(0, abs=1e-4)


def test_a_step_along_the_gradient_lessens_both_losses() -> None:
    meant, generator = targets(), torch.Generator().manual_seed(0)
    logits = torch.randn(2, 16, 16, generator=generator).requires_grad_()
    sides = torch.randn(2, 4, 16, 16, generator=generator).requires_grad_()
    before = heatmap_loss(logits, meant), sides_loss(sides, meant)
    sum(before).backward()
    after = (
        heatmap_loss(logits - 1e-2 * logits.grad, meant),
        sides_loss(sides - 1e-2 * sides.grad, meant),
    )
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_of_two_finds_of_one_person_the_surer_is_kept() -> None:
    found = np.array([[0, 0, 10, 20, 0.5], [1, 0, 10, 20, 0.8], [8, 0, 30, 20, 0.6]], float)
    assert distinct(found)[:, 4].tolist() == [0.8, 0.6]
    assert STRIDE == 8
