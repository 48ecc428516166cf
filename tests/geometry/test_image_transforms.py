import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinepose.geometry.image_transforms import (
    flip_camera,
    flip_image,
    flip_joints2d,
    flip_joints3d,
    flip_parameters,
    rotate_camera,
    rotate_image,
    rotate_joints2d,
    zoom_image,
    zoom_joints2d,
)
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.method.camera_projection import project, rotation_camera_from_canonical
from kinepose.method.forward_kinematics import forward_kinematics, local_kinematics
from kinepose.method.spatial_maps import spatial_maps

DTYPES = [torch.float32, torch.float64]
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}
MIRROR = np.diag([1.0, -1.0, 1.0])


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def other_side(name):
    side, _, part = name.partition("_")
    return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)


OTHER_SIDE = [JOINT_NAMES.index(other_side(name)) for name in JOINT_NAMES]


def image_of_dots(joints2d, size):
    """An image, [1, 17, size, size], with a smooth dot at each joint in a channel of its own."""
    return spatial_maps(joints2d, size, sigma=0.08)[None, :17]


def centres_of_dots(image):
    size = image.shape[-1]
    middles = (np.arange(size) + 0.5) / size * 2 - 1
    mass = image[0].double().numpy()
    mass = mass / mass.sum((1, 2), keepdims=True)
    return np.stack([(mass.sum(1) * middles).sum(-1), (mass.sum(2) * middles).sum(-1)], axis=-1)


def test_a_flipped_dot_lands_where_the_formula_says():
    joints2d = random(17, 2).clamp(-1.5, 1.5) * 0.4
    image = flip_image(image_of_dots(joints2d, 48))
    # The image does not know of left and right, so channels keep their joints' names.
    expected = joints2d.numpy() * [-1, 1]
    np.testing.assert_allclose(centres_of_dots(image), expected, atol=1e-3)
    np.testing.assert_allclose(flip_joints2d(joints2d), expected[OTHER_SIDE])


@pytest.mark.parametrize("degrees", [-170.0, -30.0, 12.5, 45.0, 90.0])
def test_a_turned_dot_lands_where_the_formula_says(degrees):
    joints2d = random(17, 2, seed=1).clamp(-1.5, 1.5) * 0.3
    angle = torch.tensor([math.radians(degrees)], dtype=torch.float64)
    image = rotate_image(image_of_dots(joints2d, 64), angle)
    turned = rotate_joints2d(joints2d[None], angle)[0]
    np.testing.assert_allclose(centres_of_dots(image), turned, atol=2e-3)


def test_rotation_is_clockwise_on_the_screen_by_hand():
    joints2d = torch.zeros(17, 2, dtype=torch.float64)
    joints2d[0] = torch.tensor([1.0, 0.0])  # three o'clock
    joints2d[1] = torch.tensor([0.0, -0.5])  # twelve o'clock
    turned = rotate_joints2d(joints2d, torch.tensor(math.pi / 2, dtype=torch.float64))
    np.testing.assert_allclose(turned[0], [0, 1], atol=1e-12)  # six
    np.testing.assert_allclose(turned[1], [0.5, 0], atol=1e-12)  # three

    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 1] = 1.0
    clockwise = rotate_image(image, torch.tensor([math.pi / 2]))
    expected = np.rot90(image[0, 0].numpy(), k=-1)
    np.testing.assert_allclose(clockwise[0, 0], expected, atol=1e-5)
    assert clockwise[0, 0].argmax() == 1 * 4 + 3


def test_rotate_image_equals_a_pixel_by_pixel_twin():
    size, angles = 6, [0.4, -1.3]
    images = random(2, 2, size, size, seed=2)
    expected = np.zeros(images.shape)
    for index, angle in enumerate(angles):
        cosine, sine = math.cos(angle), math.sin(angle)
        for row in range(size):
            for column in range(size):
                x, y = column - (size - 1) / 2, row - (size - 1) / 2
                # Where the pixel comes from: the inverse rotation; outside, the nearest border.
                from_x = min(max(cosine * x + sine * y + (size - 1) / 2, 0), size - 1)
                from_y = min(max(-sine * x + cosine * y + (size - 1) / 2, 0), size - 1)
                left, top = int(from_x), int(from_y)
                right, bottom = min(left + 1, size - 1), min(top + 1, size - 1)
                u, v = from_x - left, from_y - top
                image = images[index].numpy()
                expected[index, :, row, column] = (
                    (1 - u) * (1 - v) * image[:, top, left]
                    + u * (1 - v) * image[:, top, right]
                    + (1 - u) * v * image[:, bottom, left]
                    + u * v * image[:, bottom, right]
                )
    turned = rotate_image(images, torch.tensor(angles, dtype=torch.float64))
    np.testing.assert_allclose(turned, expected, atol=1e-12)


def test_corners_are_filled_from_the_border():
    turned = rotate_image(torch.full((1, 3, 8, 8), 0.7), torch.tensor([0.8]))
    torch.testing.assert_close(turned, torch.full((1, 3, 8, 8), 0.7))


def test_corners_are_left_black_on_demand():
    turned = rotate_image(torch.ones(1, 1, 8, 8), torch.tensor([math.pi / 4]), outside="zeros")
    assert turned[0, 0, 0, 0] == 0
    torch.testing.assert_close(turned[0, 0, 3:5, 3:5], torch.ones(2, 2))


def test_a_left_hand_becomes_the_right_hand_by_hand():
    wrist_left, wrist_right = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")
    joints2d, joints = torch.zeros(17, 2), torch.zeros(17, 3)
    joints2d[wrist_left], joints[wrist_left] = torch.tensor([0.3, 0.1]), torch.tensor([1, 2, 3.0])
    assert flip_joints2d(joints2d)[wrist_right].tolist() == pytest.approx([-0.3, 0.1])
    assert flip_joints3d(joints)[wrist_right].tolist() == [1, -2, 3]
    assert (flip_joints3d(joints)[wrist_left] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_flip_commutes_with_forward_kinematics(batch, dtype):
    parameters = random(*batch, 40, seed=3, dtype=dtype)
    flipped = forward_kinematics(flip_parameters(parameters))
    assert flipped.dtype == dtype
    expected = flip_joints3d(forward_kinematics(parameters))
    torch.testing.assert_close(flipped, expected, atol=ROUNDING[dtype], rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_flip_commutes_with_forward_kinematics_at_zero_and_at_the_antipodes(dtype):
    zero = torch.zeros(40, dtype=dtype)
    rest, _ = local_kinematics(forward_kinematics(zero))
    for parameters in (zero, torch.cat([rest[:1] + 0.2, -rest[1:]])):
        flipped = forward_kinematics(flip_parameters(parameters))
        expected = flip_joints3d(forward_kinematics(parameters))
        torch.testing.assert_close(flipped, expected, atol=ROUNDING[dtype], rtol=0)


def test_flip_commutes_with_the_inverse():
    joints = random(20, 17, 3, seed=4)
    parameters, rotation = local_kinematics(joints)
    mirrored, mirrored_rotation = local_kinematics(flip_joints3d(joints))
    torch.testing.assert_close(flip_parameters(parameters), mirrored)
    np.testing.assert_allclose(mirrored_rotation, MIRROR @ rotation.numpy() @ MIRROR, atol=1e-12)


@pytest.mark.parametrize("numbers", [6, 9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_flip_commutes_with_projection(numbers, dtype):
    joints = 0.3 * random(2, 3, 17, 3, seed=5, dtype=dtype)
    camera = random(2, 3, numbers, seed=6, dtype=dtype)
    if numbers == 9:
        camera[..., 6:] *= 0.2
    flipped = project(flip_joints3d(joints), flip_camera(camera))
    assert flipped.dtype == dtype
    torch.testing.assert_close(
        flipped, flip_joints2d(project(joints, camera)), atol=20 * ROUNDING[dtype], rtol=0
    )


def test_flip_of_the_camera_is_diag_r_m():
    camera = random(10, 9, seed=7)
    rotation = rotation_camera_from_canonical(camera).numpy()
    expected = np.diag([-1.0, 1.0, 1.0]) @ rotation @ MIRROR
    np.testing.assert_allclose(
        rotation_camera_from_canonical(flip_camera(camera)), expected, atol=1e-12
    )


@pytest.mark.parametrize("numbers", [6, 9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_turning_the_image_changes_the_roll_and_never_the_pose(numbers, dtype):
    joints = 0.3 * random(2, 3, 17, 3, seed=8, dtype=dtype)
    camera = random(2, 3, numbers, seed=9, dtype=dtype)
    if numbers == 9:
        camera[..., 6:] *= 0.2
    angle = random(2, 3, seed=10, dtype=dtype)
    turned = project(joints, rotate_camera(camera, angle))
    assert turned.dtype == dtype
    torch.testing.assert_close(
        turned, rotate_joints2d(project(joints, camera), angle), atol=20 * ROUNDING[dtype], rtol=0
    )


def test_roll_of_the_turned_camera_is_a_rotation_about_the_line_of_sight():
    camera, angle = random(8, 6, seed=11), random(8, seed=12)
    before = rotation_camera_from_canonical(camera).numpy()
    about_sight = Rotation.from_rotvec(angle.numpy()[:, None] * [0, 0, 1]).as_matrix()
    after = rotation_camera_from_canonical(rotate_camera(camera, angle))
    np.testing.assert_allclose(after, about_sight @ before, atol=1e-12)


def test_flips_are_their_own_inverse():
    images, joints2d, joints = random(2, 3, 4, 5), random(2, 17, 2), random(2, 17, 3)
    parameters, camera = random(2, 40), random(2, 9)
    assert torch.equal(flip_image(flip_image(images)), images)
    assert torch.equal(flip_joints2d(flip_joints2d(joints2d)), joints2d)
    assert torch.equal(flip_joints3d(flip_joints3d(joints)), joints)
    assert torch.equal(flip_parameters(flip_parameters(parameters)), parameters)
    assert torch.equal(flip_camera(flip_camera(camera)), camera)


def test_rotations_are_undone_by_the_opposite_angle():
    joints2d, camera, angle = random(4, 17, 2), random(4, 9), random(4)
    back = rotate_joints2d(rotate_joints2d(joints2d, angle), -angle)
    torch.testing.assert_close(back, joints2d, atol=1e-12, rtol=0)
    back = rotate_camera(rotate_camera(camera, angle), -angle)
    torch.testing.assert_close(back, camera, atol=1e-12, rtol=0)


def test_flip_after_a_turn_is_the_opposite_turn_after_a_flip():
    images, joints2d, angle = random(3, 2, 7, 7), random(3, 17, 2), random(3)
    torch.testing.assert_close(
        flip_image(rotate_image(images, angle)),
        rotate_image(flip_image(images), -angle),
        atol=1e-12,
        rtol=0,
    )
    torch.testing.assert_close(
        flip_joints2d(rotate_joints2d(joints2d, angle)),
        rotate_joints2d(flip_joints2d(joints2d), -angle),
        atol=1e-12,
        rtol=0,
    )


def test_gradients():
    angle = random(2, seed=13).requires_grad_()
    joints2d, joints = random(2, 17, 2).requires_grad_(), random(2, 17, 3).requires_grad_()
    parameters, images = random(2, 40).requires_grad_(), random(2, 1, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(flip_image, images)
    assert torch.autograd.gradcheck(flip_joints2d, joints2d)
    assert torch.autograd.gradcheck(flip_joints3d, joints)
    assert torch.autograd.gradcheck(flip_parameters, parameters)
    assert torch.autograd.gradcheck(rotate_joints2d, (joints2d, angle))
    assert torch.autograd.gradcheck(rotate_image, (images, angle), fast_mode=True)
    zoom = 0.2 * random(2, seed=17), 0.2 * random(2, 2, seed=18)
    log_scale, shift = (amount.requires_grad_() for amount in zoom)
    assert torch.autograd.gradcheck(zoom_joints2d, (joints2d, log_scale, shift))
    assert torch.autograd.gradcheck(
        lambda *inputs: zoom_image(inputs[0], 3, *inputs[1:]), (images, log_scale, shift)
    )
    for numbers in (6, 9):
        camera = random(2, numbers).requires_grad_()
        assert torch.autograd.gradcheck(flip_camera, camera)
        assert torch.autograd.gradcheck(rotate_camera, (camera, angle))
