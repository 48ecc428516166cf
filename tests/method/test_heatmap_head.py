"""Where joints are seen: peaks by hand, at borders, of maps that are torn."""

import pytest
import torch

from kinepose.method.heatmap_head import HeatmapHead, peaks


def log_maps(*cells: tuple[int, int, float], rows: int = 12, columns: int = 16) -> torch.Tensor:
    """One map of 1 x 1 x rows x columns with these probabilities at (row, column)."""
    maps = torch.full((1, 1, rows, columns), 1e-30, dtype=torch.float64)
    for row, column, probability in cells:
        maps[0, 0, row, column] = probability
    return maps.log()


def test_a_peak_by_hand():
    """The mean of cells 5 and 6 by 3 to 1; a sixth of the map lies elsewhere."""
    place, share = peaks(log_maps((4, 5, 0.6), (4, 6, 0.2), (10, 14, 0.2)))
    column, row = (0.6 * 5.5 + 0.2 * 6.5) / 0.8, 4.5
    expected = torch.tensor([column / 16 * 2 - 1, row / 12 * 2 - 1], dtype=torch.float64)
    torch.testing.assert_close(place[0, 0], expected)
    assert share.item() == pytest.approx(0.8)


def test_of_two_peaks_the_higher_one_is_the_joint_and_nothing_between():
    place, share = peaks(log_maps((3, 2, 0.45), (3, 13, 0.55)))
    torch.testing.assert_close(place[0, 0, 0].item(), 13.5 / 16 * 2 - 1)
    assert share.item() == pytest.approx(0.55)


@pytest.mark.parametrize("cell", [(0, 0), (0, 15), (11, 0), (11, 15), (1, 14), (6, 0)])
def test_a_peak_at_the_border_is_where_it_is(cell):
    place, share = peaks(log_maps((*cell, 1.0)))
    row, column = cell
    expected = torch.tensor([(column + 0.5) / 8 - 1, (row + 0.5) / 6 - 1], dtype=torch.float64)
    torch.testing.assert_close(place[0, 0], expected)
    assert share.item() == pytest.approx(1.0)


def test_gradients_of_places_and_certainty_reach_the_maps():
    torch.manual_seed(0)
    maps = (3 * torch.randn(2, 3, 7, 9, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda m: peaks(m.flatten(2).log_softmax(-1).view_as(m)), maps, atol=1e-6
    )
    place, _ = peaks(maps.flatten(2).log_softmax(-1).view_as(maps))
    place.sum().backward()
    assert (maps.grad.flatten(2) != 0).sum(-1).min() >= 25, "each cell of the window"


def test_maps_are_probabilities_at_a_quarter_of_the_image():
    head = HeatmapHead((4, 8, 8, 16, 32), width=8).eval()
    sizes = [(48, 32), (24, 16), (12, 8), (6, 4), (3, 2)]
    features = [torch.rand(2, c, *s) for c, s in zip((4, 8, 8, 16, 32), sizes, strict=True)]
    maps = head(features)
    assert maps.joints.shape == (2, 17, 24, 16) and maps.mask.shape == (2, 24, 16)
    torch.testing.assert_close(maps.joints.exp().sum((2, 3)), torch.ones(2, 17))
