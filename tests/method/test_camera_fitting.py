"""The camera found from a rotation, and from joints in 2D."""

import math

import numpy as np
import pytest
import roma
import torch
from tests.method.test_camera_projection import (
    DTYPES,
    FRONT,
    ROUNDING,
    camera_of,
    random,
    standing_person,
)

from kinepose.method.camera_projection import (
    camera_from_rotation,
    fit_camera,
    project,
    rotation_camera_from_canonical,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (40,), (2, 3), (0,)])
def test_camera_from_any_rotation_and_back(batch, dtype):
    torch.manual_seed(0)
    rotation = roma.random_rotmat(batch, dtype=dtype)
    camera = camera_from_rotation(rotation)
    assert camera.shape == (*batch, 6)
    assert camera.dtype == dtype
    assert (camera[..., 3] >= 0).all()  # elevation within a quarter turn
    lengths = camera[..., ::2].hypot(camera[..., 1::2])
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    torch.testing.assert_close(
        rotation_camera_from_canonical(camera), rotation, atol=ROUNDING[dtype], rtol=0
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("elevation", [90.0, -90.0, 89.9999, -89.99])
def test_camera_with_the_trunk_along_the_line_of_sight(dtype, elevation):
    for azimuth, roll in [(0, 0), (30, 0), (-100, 70), (180, 180)]:
        rotation = rotation_camera_from_canonical(camera_of(azimuth, elevation, roll, dtype=dtype))
        camera = camera_from_rotation(rotation)
        assert camera.isfinite().all()
        found = rotation_camera_from_canonical(camera)
        torch.testing.assert_close(found, rotation, atol=ROUNDING[dtype], rtol=0)


def test_camera_from_rotation_by_hand():
    camera = camera_from_rotation(torch.from_numpy(FRONT))
    torch.testing.assert_close(camera, torch.tensor([0, 1, 0, 1, 0, 1.0], dtype=torch.float64))
    known = camera_of(azimuth=120, elevation=-35, roll=15)
    torch.testing.assert_close(camera_from_rotation(rotation_camera_from_canonical(known)), known)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_fit_camera_finds_the_camera_that_made_the_image(batch, dtype):
    joints = 0.3 * random(*batch, 17, 3, seed=7, dtype=dtype)
    camera = random(*batch, 9, seed=8, dtype=dtype)
    camera[..., 6:] *= 0.3
    rotation, joints2d = rotation_camera_from_canonical(camera), project(joints, camera)
    found, residual = fit_camera(joints, rotation, joints2d)
    assert found.dtype == residual.dtype == dtype
    assert residual.shape == batch
    tolerance = 100 * ROUNDING[dtype]
    torch.testing.assert_close(found[..., 6:], camera[..., 6:], atol=tolerance, rtol=0)
    torch.testing.assert_close(
        rotation_camera_from_canonical(found), rotation, atol=tolerance, rtol=0
    )
    torch.testing.assert_close(residual, torch.zeros_like(residual), atol=tolerance, rtol=0)


def test_fit_camera_equals_numpys_least_squares():
    joints, camera = 0.3 * random(17, 3, seed=10), random(6, seed=11)
    projected = project(joints, camera)
    joints2d = 0.8 * projected + 0.1 * random(17, 2, seed=12)
    found, residual = fit_camera(joints, rotation_camera_from_canonical(camera), joints2d)
    unknowns = np.zeros((34, 3))  # scale, shift in x, shift in y
    unknowns[:, 0] = projected.flatten()
    unknowns[0::2, 1] = unknowns[1::2, 2] = 1
    solution, squares, *_ = np.linalg.lstsq(unknowns, joints2d.flatten().numpy(), rcond=None)
    np.testing.assert_allclose(found[6].exp(), solution[0])
    np.testing.assert_allclose(found[7:], solution[1:])
    assert residual.item() == pytest.approx(math.sqrt(squares.item() / 17))


@pytest.mark.parametrize("dtype", DTYPES)
def test_fit_camera_to_what_no_camera_shows_is_finite(dtype):
    joints = standing_person().to(dtype)
    front = torch.from_numpy(FRONT).to(dtype)
    upside_down = -project(joints, camera_of(dtype=dtype))
    in_one_point = torch.zeros(17, 3, dtype=dtype)
    one_place = torch.full((17, 2), 0.3, dtype=dtype)
    for shown, target in [
        (joints, upside_down),
        (joints, one_place),
        (in_one_point, upside_down),
    ]:
        camera, residual = fit_camera(shown, front, target)
        assert camera.isfinite().all()
        assert residual.isfinite()
