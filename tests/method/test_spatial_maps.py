import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS
from kinepose.method.spatial_maps import MAPS, pixel_centres, spatial_maps

ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}


def random_joints(*batch, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*batch, 17, 2, generator=generator, dtype=dtype) * 2.4 - 1.2


def paper_maps(joints2d, height, width, sigma, limb_width, limb_reach):
    """The paper's own steps, pixel by pixel: midpoint, slope, turn, Gaussian (Sec. 3.1c)."""
    maps = np.zeros((33, height, width))
    for row in range(height):
        for column in range(width):
            x, y = (column + 0.5) / width * 2 - 1, (row + 0.5) / height * 2 - 1
            for joint, (joint_x, joint_y) in enumerate(joints2d):
                squared = (x - joint_x) ** 2 + (y - joint_y) ** 2
                maps[joint, row, column] = math.exp(-0.5 * squared / sigma**2)
            for limb, (parent, child) in enumerate(LIMBS):
                (x1, y1), (x2, y2) = joints2d[parent], joints2d[child]
                slope = math.atan2(y2 - y1, x2 - x1)
                from_middle = x - (x1 + x2) / 2, y - (y1 + y2) / 2
                along = math.cos(slope) * from_middle[0] + math.sin(slope) * from_middle[1]
                across = -math.sin(slope) * from_middle[0] + math.cos(slope) * from_middle[1]
                length = math.hypot(x2 - x1, y2 - y1)
                sigma_x = math.sqrt(limb_width**2 + (limb_reach * length) ** 2)
                exponent = (along / sigma_x) ** 2 + (across / limb_width) ** 2
                maps[17 + limb, row, column] = math.exp(-0.5 * exponent)
    return maps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("settings_", [(0.1, 0.06, 0.3), (0.25, 0.15, 0.6)])
def test_maps_are_the_papers(dtype, settings_):
    joints2d = random_joints(dtype=dtype)
    joints2d[6] = joints2d[5]  # a limb of no length
    maps = spatial_maps(joints2d, (7, 9), *settings_)
    assert maps.dtype == dtype
    expected = paper_maps(joints2d.double().numpy(), 7, 9, *settings_)
    np.testing.assert_allclose(maps, expected, rtol=0, atol=ROUNDING[dtype])


def test_pixel_centres_by_hand():
    middles = pixel_centres(2, 4, torch.zeros(0).double())
    assert middles.shape == (2, 4, 2)
    np.testing.assert_array_equal(middles[0, :, 0], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_array_equal(middles[:, 0, 1], [-0.5, 0.5])


def test_a_joint_at_the_centre_of_a_pixel_is_the_peak_of_its_map():
    joints2d = torch.full((17, 2), 9.0)
    joints2d[13] = torch.tensor([(4 + 0.5) / 7 * 2 - 1, (1 + 0.5) / 5 * 2 - 1])
    maps = spatial_maps(joints2d, (5, 7))
    assert maps.shape == (33, 5, 7)
    assert maps[13, 1, 4] == pytest.approx(1.0)
    assert maps[13].argmax() == 1 * 7 + 4
    # One pixel to the right is 2/7 away, one down 2/5: exp(-d^2 / (2 sigma^2)).
    assert maps[13, 1, 5].item() == pytest.approx(math.exp(-((2 / 7) ** 2) / 0.02), rel=1e-5)
    assert maps[13, 2, 4].item() == pytest.approx(math.exp(-((2 / 5) ** 2) / 0.02), rel=1e-5)
    assert maps[:13].max() == 0.0


def test_a_limb_is_a_ridge_from_joint_to_joint():
    joints2d = torch.full((17, 2), 50.0, dtype=torch.float64)
    elbow, wrist = JOINT_NAMES.index("left_elbow"), JOINT_NAMES.index("left_wrist")
    joints2d[elbow], joints2d[wrist] = torch.tensor([[-0.5, 0.0], [0.5, 0.0]], dtype=torch.float64)
    limb = LIMBS.index((elbow, wrist))
    ridge = spatial_maps(joints2d, 101)[17 + limb]
    assert ridge[50, 50] == pytest.approx(1.0)
    # Along the limb the deviation is sqrt(0.06^2 + (0.3 * 1)^2), across it 0.06. A pixel is 2/101.
    along = (20 * 2 / 101) ** 2 / (0.06**2 + 0.09)
    assert ridge[50, 70].item() == pytest.approx(math.exp(-0.5 * along))
    assert ridge[50, 30].item() == pytest.approx(math.exp(-0.5 * along))
    across = (3 * 2 / 101) ** 2 / 0.06**2
    assert ridge[53, 50].item() == pytest.approx(math.exp(-0.5 * across))


def test_a_limb_that_points_at_the_camera_has_a_round_map():
    maps = spatial_maps(torch.zeros(17, 2, dtype=torch.float64), 20, sigma=0.06)
    for limb in maps[17:]:
        torch.testing.assert_close(limb, maps[0])


def test_swapping_the_ends_of_a_limb_changes_nothing():
    joints2d = random_joints()
    swapped = joints2d.clone()
    swapped[[15, 16]] = joints2d[[16, 15]]
    limb = 17 + LIMBS.index((15, 16))
    torch.testing.assert_close(spatial_maps(joints2d, 9)[limb], spatial_maps(swapped, 9)[limb])


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64]),
    angle=st.floats(-4, 4),
    distance=st.floats(0, 1e6),
    spread=st.floats(0, 1e6),
)
def test_joints_however_far_outside_give_maps_from_0_to_1_and_finite_gradients(
    dtype, angle, distance, spread
):
    line = torch.tensor([math.cos(angle), math.sin(angle)], dtype=dtype)
    places = distance + spread * torch.linspace(-1, 1, 17, dtype=dtype)
    joints2d = (places[:, None] * line).requires_grad_()
    maps = spatial_maps(joints2d, 6)
    assert maps.isfinite().all()
    assert maps.min() >= 0
    assert maps.max() <= 1
    maps.sum().backward()
    assert joints2d.grad.isfinite().all()


def test_a_far_limb_that_crosses_the_crop_is_drawn_where_it_crosses():
    joints2d = torch.full((17, 2), 1e4)
    joints2d[15], joints2d[16] = torch.tensor([-5e3, -5e3 + 0.25]), torch.tensor([5e3, 5e3 + 0.25])
    crossing = spatial_maps(joints2d, 16)[17 + LIMBS.index((15, 16))]
    x, y = pixel_centres(16, 16, torch.zeros(0).double()).unbind(-1)
    across = (y - x - 0.25) / math.sqrt(2)
    expected = (-0.5 * (across / 0.06) ** 2).exp()
    torch.testing.assert_close(crossing.double(), expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)])
def test_any_batch_shape_and_an_int_for_a_square(batch):
    joints2d = random_joints(*batch, dtype=torch.float32)
    maps = spatial_maps(joints2d, 4)
    assert maps.shape == (*batch, MAPS, 4, 4)
    assert torch.equal(maps, spatial_maps(joints2d, (4, 4)))
    for index in np.ndindex(*batch):
        torch.testing.assert_close(maps[index], spatial_maps(joints2d[index], 4))


def test_gradients():
    joints2d = random_joints(seed=3) * 0.7
    joints2d[10] = joints2d[9]  # a limb of no length
    joints2d.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: spatial_maps(p, (2, 3), 0.3, 0.2, 0.4), joints2d)
