import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinepose.geometry.crops import crop_to_frame, frame_to_crop
from kinepose.method.spatial_maps import pixel_centres


def test_corners_edges_and_centre_by_hand():
    crop = torch.tensor([100.0, 50.0, 40.0])
    frame = torch.tensor([[80.0, 30.0], [120.0, 70.0], [100.0, 50.0], [110.0, 30.0], [140.0, 50.0]])
    expected = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [0.5, -1.0], [2.0, 0.0]])
    assert torch.equal(frame_to_crop(frame, crop), expected)
    assert torch.equal(crop_to_frame(expected, crop), frame)


def test_a_dot_in_the_frame_lies_at_its_pixel_of_the_cut_out_image():
    frame = np.zeros((40, 60))
    frame[17, 31] = 1.0
    cut = frame[10:26, 20:36]
    row, column = np.argwhere(cut == 1.0)[0]
    in_crop = frame_to_crop(torch.tensor([[31.5, 17.5]]), torch.tensor([28.0, 18.0, 16.0]))
    torch.testing.assert_close(
        in_crop[0].double(), pixel_centres(16, 16, torch.zeros(0).double())[row, column]
    )


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64]),
    centre=st.tuples(st.floats(-2000, 4000), st.floats(-2000, 4000)),
    side=st.floats(1, 4000),
    point=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
)
def test_there_and_back_again(dtype, centre, side, point):
    crop = torch.tensor([*centre, side], dtype=dtype)
    points = torch.tensor([point], dtype=dtype)
    there = crop_to_frame(points, crop)
    back = frame_to_crop(there, crop)
    assert there.dtype == back.dtype == dtype
    rounding = 10 * torch.finfo(dtype).eps * (5 + 4000 / side)
    torch.testing.assert_close(back, points, atol=rounding, rtol=0)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_each_of_a_batch_has_its_own_crop(batch):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(*batch, 5, 2, generator=generator) * 100
    crops = torch.rand(*batch, 3, generator=generator) * 50 + 10
    in_crop = frame_to_crop(points, crops)
    assert in_crop.shape == points.shape
    for index in np.ndindex(*batch):
        x, y, side = crops[index].tolist()
        for point, found in zip(points[index].tolist(), in_crop[index].tolist(), strict=True):
            expected = ((point[0] - x) * 2 / side, (point[1] - y) * 2 / side)
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("convert", [frame_to_crop, crop_to_frame])
def test_gradients(convert):
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(2, 3, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    crop = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.7]], dtype=torch.float64)
    assert torch.autograd.gradcheck(convert, (points, crop.requires_grad_()))
