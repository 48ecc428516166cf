import math

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinepose.geometry.skeleton import JOINT_NAMES, STANDARD_SKELETON
from kinepose.method.camera_projection import (
    DISTANCE,
    FOCAL_LENGTH,
    HALF_SIDE,
    NEAREST_DEPTH,
    camera_from_rotation,
    fit_camera,
    project,
    rotation_camera_from_canonical,
)
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.method.spatial_maps import spatial_maps

DTYPES = [torch.float32, torch.float64]
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}
HEAD_TOP, NOSE = JOINT_NAMES.index("head_top"), JOINT_NAMES.index("nose")
LEFT_HIP, RIGHT_HIP = JOINT_NAMES.index("left_hip"), JOINT_NAMES.index("right_hip")
FRONT = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""R_0: the person's left to the right of the image, up to its top, forward to the viewer."""


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def camera_of(azimuth=0.0, elevation=0.0, roll=0.0, extra=(), dtype=torch.float64):
    """A camera from angles in degrees."""
    radians = [math.radians(angle) for angle in (azimuth, elevation, roll)]
    pairs = [value for angle in radians for value in (math.sin(angle), math.cos(angle))]
    return torch.tensor([*pairs, *extra], dtype=dtype)


def standing_person():
    """Three joints of note [canonical]; all others at the pelvis."""
    joints = torch.zeros(17, 3, dtype=torch.float64)
    joints[HEAD_TOP, 2] = 0.5
    joints[LEFT_HIP, 1], joints[RIGHT_HIP, 1] = 0.06, -0.06
    joints[NOSE] = torch.tensor([0.1, 0.0, 0.4])
    return joints


def test_upright_person_from_the_front_by_hand():
    joints2d = project(standing_person(), camera_of())
    np.testing.assert_allclose(joints2d[0], [0, 0], atol=1e-12)
    # 0.5 / 0.7 of the way from the middle to the top edge; the hips likewise, left on the right.
    np.testing.assert_allclose(joints2d[HEAD_TOP], [0, -0.5 / 0.7], atol=1e-9)
    np.testing.assert_allclose(joints2d[LEFT_HIP], [0.06 / 0.7, 0], atol=1e-9)
    np.testing.assert_allclose(joints2d[RIGHT_HIP], [-0.06 / 0.7, 0], atol=1e-9)
    # The nose is 0.1 nearer than the pelvis, 2.9 from the camera.
    np.testing.assert_allclose(joints2d[NOSE], [0, -0.4 * (3 / 0.7) / 2.9], atol=1e-9)


def test_azimuth_90_shows_the_person_facing_the_right_of_the_image():
    joints2d = project(standing_person(), camera_of(azimuth=90))
    np.testing.assert_allclose(joints2d[NOSE], [0.1 / 0.7, -0.4 / 0.7], atol=1e-9)
    # The left hip is on the far side: it lies in the middle, as the right one does.
    np.testing.assert_allclose(joints2d[LEFT_HIP], [0, 0], atol=1e-9)
    rotation = rotation_camera_from_canonical(camera_of(azimuth=90))
    np.testing.assert_allclose(rotation @ torch.tensor([0.0, 1, 0]).double(), [0, 0, 1], atol=1e-9)


def test_elevation_90_looks_down_on_the_head():
    joints2d = project(standing_person(), camera_of(elevation=90))
    np.testing.assert_allclose(joints2d[HEAD_TOP], [0, 0], atol=1e-9)
    # Facing the viewer from above means facing the bottom of the image; 0.4 nearer.
    np.testing.assert_allclose(joints2d[NOSE], [0, 0.1 * (3 / 0.7) / 2.6], atol=1e-9)


def test_roll_90_lays_the_head_to_the_right():
    joints2d = project(standing_person(), camera_of(roll=90))
    np.testing.assert_allclose(joints2d[HEAD_TOP], [0.5 / 0.7, 0], atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_rotation_equals_euler_angles_of_scipy(batch, dtype):
    camera = random(*batch, 9, seed=1, dtype=dtype)
    rotation = rotation_camera_from_canonical(camera)
    assert rotation.shape == (*batch, 3, 3)
    assert rotation.dtype == dtype
    for index in np.ndindex(*batch):
        pairs = camera[index].double().numpy()[:6].reshape(3, 2)
        azimuth, elevation, roll = np.arctan2(pairs[:, 0], pairs[:, 1])
        outside = Rotation.from_euler("ZX", [roll, elevation]).as_matrix()
        about_up = Rotation.from_rotvec([0, 0, azimuth]).as_matrix()
        np.testing.assert_allclose(
            rotation[index], outside @ FRONT @ about_up, atol=ROUNDING[dtype]
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_projection_equals_opencvs(batch, dtype):
    joints = 0.3 * random(*batch, 17, 3, seed=2, dtype=dtype)
    camera = random(*batch, 6, seed=3, dtype=dtype)
    joints2d = project(joints, camera)
    assert joints2d.shape == (*batch, 17, 2)
    assert joints2d.dtype == dtype
    matrix = np.diag([3 / 0.7, 3 / 0.7, 1.0])
    for index in np.ndindex(*batch):
        rotation = rotation_camera_from_canonical(camera[index]).double().numpy()
        turn, _ = cv2.Rodrigues(rotation)
        points = joints[index].double().numpy()
        expected, _ = cv2.projectPoints(points, turn, np.array([0.0, 0.0, 3.0]), matrix, None)
        np.testing.assert_allclose(joints2d[index], expected[:, 0], atol=10 * ROUNDING[dtype])


def test_extended_camera_of_zeros_is_the_papers():
    joints, camera = 0.3 * random(3, 17, 3, seed=4), random(3, 6, seed=5)
    extended = torch.cat([camera, torch.zeros(3, 3, dtype=torch.float64)], dim=-1)
    assert torch.equal(project(joints, extended), project(joints, camera))


def test_extended_camera_scales_and_then_shifts():
    camera = camera_of(extra=(math.log(2), 0.1, -0.2))
    joints2d = project(standing_person(), camera)
    np.testing.assert_allclose(joints2d[0], [0.1, -0.2], atol=1e-12)
    np.testing.assert_allclose(joints2d[HEAD_TOP], [0.1, -0.2 - 2 * 0.5 / 0.7], atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_the_direction_of_a_pair_counts(dtype):
    joints, camera = 0.3 * random(17, 3, dtype=dtype), random(6, seed=6, dtype=dtype)
    scales = torch.tensor([1e3, 1e3, 1e-4, 1e-4, 7, 7], dtype=dtype)
    torch.testing.assert_close(
        project(joints, camera), project(joints, scales * camera), atol=ROUNDING[dtype], rtol=0
    )


def test_camera_stands_outside_the_longest_reach_and_sees_all_of_a_standing_person():
    length = dict(zip(JOINT_NAMES, STANDARD_SKELETON.lengths, strict=True))
    arm = length["left_shoulder"] + length["left_elbow"] + length["left_wrist"]
    leg = length["left_hip"] + length["left_knee"] + length["left_ankle"]
    assert 2 * max(length["neck"] + arm, leg) < DISTANCE
    assert max(leg, length["neck"] + length["nose"] + length["head_top"]) < HALF_SIDE
    assert pytest.approx(DISTANCE / HALF_SIDE) == FOCAL_LENGTH


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("numbers", [6, 9])
def test_a_camera_of_zeros_shows_the_person_from_the_front(dtype, numbers):
    joints = standing_person().to(dtype).requires_grad_()
    camera = torch.zeros(numbers, dtype=dtype, requires_grad=True)
    joints2d = project(joints, camera)
    assert torch.equal(joints2d, project(joints, camera_of(dtype=dtype)))
    joints2d.square().sum().backward()
    assert joints.grad.isfinite().all()
    assert camera.grad.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nearness", [2.9, 3.0, 3.0001, 4.0, 1000.0])
def test_joints_at_and_behind_the_camera_stay_finite(dtype, nearness):
    joints = torch.zeros(17, 3, dtype=dtype)
    joints[:, 0] = nearness  # towards the camera
    joints[:, 1] = torch.linspace(-1, 1, 17, dtype=dtype)
    joints.requires_grad_()
    camera = camera_of(dtype=dtype).requires_grad_()
    joints2d = project(joints, camera)
    assert joints2d.isfinite().all()
    # Never mirrored, and never further out than at the nearest depth.
    assert (joints2d[:, 0].sign() == joints[:, 1].sign()).all()
    assert joints2d[:, 0].abs().max() <= FOCAL_LENGTH / NEAREST_DEPTH * 1.0001
    joints2d.sum().backward()
    assert joints.grad.isfinite().all()
    assert camera.grad.isfinite().all()


def test_depth_falls_smoothly_towards_its_floor():
    joints = torch.zeros(17, 3, dtype=torch.float64)
    joints[:, 1] = 1.0
    joints[:, 0] = torch.linspace(1.0, 3.5, 17)
    x = project(joints, camera_of())[:, 0]
    assert (x.diff() > 0).all()
    assert x[0].item() == pytest.approx(FOCAL_LENGTH / 2.0, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_through_all_three_transforms_are_finite_for_a_limb_at_the_camera(dtype):
    # Zero parameters but for the arm, which is stretched towards the viewer on the line of sight.
    joints = torch.zeros(17, 3, dtype=dtype)
    joints[12:14, 0] = torch.tensor([0.3, 0.6], dtype=dtype)
    joints.requires_grad_()
    maps = spatial_maps(project(joints, torch.zeros(6, dtype=dtype)), 8)
    maps.sum().backward()
    assert maps.isfinite().all()
    assert joints.grad.isfinite().all()

    parameters = torch.zeros(40, dtype=dtype, requires_grad=True)
    camera = torch.zeros(6, dtype=dtype, requires_grad=True)
    spatial_maps(project(forward_kinematics(parameters), camera), 8).sum().backward()
    assert parameters.grad.isfinite().all()
    assert camera.grad.isfinite().all()


def test_gradients():
    joints, camera = 0.4 * random(17, 3, seed=13), random(9, seed=14)
    away = rotation_camera_from_canonical(camera)[2]
    joints[2], joints[3] = -2.95 * away, -4 * away  # at the camera, behind it
    joints, camera = joints.requires_grad_(), camera.requires_grad_()
    paper_camera = camera[:6].detach().requires_grad_()
    assert torch.autograd.gradcheck(project, (joints, camera))
    assert torch.autograd.gradcheck(project, (joints, paper_camera), fast_mode=True)
    assert torch.autograd.gradcheck(rotation_camera_from_canonical, camera)
    rotation = rotation_camera_from_canonical(camera).detach().requires_grad_()
    assert torch.autograd.gradcheck(camera_from_rotation, rotation)
    joints = 0.3 * random(17, 3, seed=15)
    joints2d = (project(joints, camera).detach() + 0.1 * random(17, 2)).requires_grad_()
    inputs = (joints.requires_grad_(), rotation, joints2d)
    assert torch.autograd.gradcheck(fit_camera, inputs, fast_mode=True)
