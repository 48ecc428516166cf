"""Square images enlarged, shifted and turned about their centre."""

import math

import numpy as np
import pytest
import torch
from tests.geometry.test_image_transforms import (
    DTYPES,
    ROUNDING,
    centres_of_dots,
    image_of_dots,
    random,
)

from kinepose.geometry.image_transforms import (
    zoom_image,
    zoom_joints2d,
)
from kinepose.method.camera_projection import project


@pytest.mark.parametrize("size", [40, 64, 90])
def test_a_zoomed_dot_lands_where_the_formula_says(size):
    joints2d = random(2, 17, 2, seed=14).clamp(-1.5, 1.5) * 0.3
    log_scale = torch.tensor([0.2, -0.5], dtype=torch.float64)
    shift = torch.tensor([[0.1, -0.2], [-0.3, 0.15]], dtype=torch.float64)
    dots = torch.cat([image_of_dots(person, 64) for person in joints2d])
    images = zoom_image(dots, size, log_scale, shift)
    assert images.shape == (2, 17, size, size)
    zoomed = zoom_joints2d(joints2d, log_scale, shift)
    for image, expected in zip(images, zoomed, strict=True):
        np.testing.assert_allclose(centres_of_dots(image[None]), expected, atol=2e-3)


def test_zoom_by_hand():
    joints2d = torch.zeros(17, 2)
    joints2d[5] = torch.tensor([0.5, -0.25])
    zoomed = zoom_joints2d(joints2d, torch.tensor(math.log(2)), torch.tensor([0.1, 0.2]))
    np.testing.assert_allclose(zoomed[5], [1.1, -0.3], atol=1e-6)
    np.testing.assert_allclose(zoomed[0], [0.1, 0.2], atol=1e-6)

    # Half a side to the right and down is two of four pixels.
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    moved = zoom_image(image, 4, shift=torch.tensor([[1.0, 1.0]]))[0, 0]
    np.testing.assert_allclose(moved[2:, 2:], image[0, 0, :2, :2], atol=1e-5)
    assert (moved[:2] == 0).all()
    assert (moved[:, :2] == 0).all()
    moved = zoom_image(image, 4, shift=torch.tensor([[1.0, 1.0]]), outside="border")[0, 0]
    np.testing.assert_allclose(moved[:2, :2], 0.0, atol=1e-5)  # the corner's own value
    np.testing.assert_allclose(moved[2:, 0], [0, 4], atol=1e-5)

    torch.testing.assert_close(zoom_image(image, 4), image)
    halved = zoom_image(image, 2)[0, 0]  # each new pixel lies amid four old ones
    np.testing.assert_allclose(halved, [[2.5, 4.5], [10.5, 12.5]], atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_extended_camera_absorbs_a_zoom(dtype):
    joints = 0.3 * random(2, 3, 17, 3, seed=15, dtype=dtype)
    camera = random(2, 3, 9, seed=16, dtype=dtype)
    camera[..., 6:] *= 0.2
    log_scale, shift = 0.3 * random(2, 3, dtype=dtype), 0.3 * random(2, 3, 2, dtype=dtype)
    zoomed = zoom_joints2d(project(joints, camera), log_scale, shift)
    assert zoomed.dtype == dtype
    absorbed = camera.clone()
    absorbed[..., 6] += log_scale
    absorbed[..., 7:] = camera[..., 7:] * log_scale.exp()[..., None] + shift
    torch.testing.assert_close(project(joints, absorbed), zoomed, atol=20 * ROUNDING[dtype], rtol=0)
