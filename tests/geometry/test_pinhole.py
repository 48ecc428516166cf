import cv2
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from kinepose.geometry.pinhole import NEAREST, assumed_focal, locate, turn_to_video
from kinepose.method.camera_projection import project
from kinepose.method.forward_kinematics import forward_kinematics

FOCAL = torch.tensor(900.0, dtype=torch.float64)
MIDDLE = torch.tensor([640.0, 360.0], dtype=torch.float64)
R_0 = torch.tensor([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]], dtype=torch.float64)
MATRIX = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])


def body(seed):
    """A pose [canonical], pelvis at 0, in any attitude towards the video's camera."""
    generator = torch.Generator().manual_seed(seed)
    parameters = torch.randn(40, generator=generator, dtype=torch.float64)
    rotation = torch.from_numpy(Rotation.random(rng=seed).as_matrix())
    return forward_kinematics(parameters), rotation


def recorded(joints, root):
    """Where OpenCV's pinhole camera sees joints [mm] about a root [px]."""
    return torch.from_numpy(
        cv2.projectPoints((joints + root).numpy(), np.zeros(3), np.zeros(3), MATRIX, None)[0][:, 0]
    )


def at_angle(degrees, direction, distance):
    """A root [mm] so far off the axis of the camera, to that side of the image."""
    across, ahead = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    side = [across * np.cos(np.radians(direction)), across * np.sin(np.radians(direction))]
    return distance * torch.tensor([*side, ahead], dtype=torch.float64)


@pytest.mark.parametrize("degrees", [0, 20, 45])
@pytest.mark.parametrize("direction", [0, 130, 250])
def test_a_person_is_found_where_the_image_shows_them(degrees, direction):
    canonical, rotation = body(seed=degrees + direction)
    joints = 1700 * canonical @ rotation.T
    root = at_angle(degrees, direction, 4200)
    found = locate(joints, recorded(joints, root), FOCAL, MIDDLE)
    np.testing.assert_allclose(found, root, atol=1e-3)


def test_the_root_is_near_the_one_of_the_smallest_error_in_the_image():
    """Of joints2d that no position explains; the slow way moves the root until they fit best."""
    rng = np.random.default_rng(0)
    canonical, rotation = body(seed=1)
    joints, root = 1700 * canonical @ rotation.T, at_angle(25, 200, 5000)
    joints2d = recorded(joints, root) + torch.from_numpy(rng.normal(0, 5, (17, 2)))
    found = locate(joints, joints2d, FOCAL, MIDDLE)
    best = least_squares(
        lambda t: (recorded(joints, torch.from_numpy(t)) - joints2d).numpy().ravel(), root.numpy()
    )
    np.testing.assert_allclose(found, best.x, rtol=0.01)
    left_over = (recorded(joints, found) - joints2d).square().sum()
    assert left_over < 1.03 * 2 * best.cost


def test_turning_by_hand():
    """A person seen 45 degrees to the right: what was straight behind them is now half right."""
    joints = torch.zeros(17, 3, dtype=torch.float64)
    joints[1], joints[2] = torch.tensor([0.0, 0, 100]), torch.tensor([0.0, 100, 0])
    joints2d = (MIDDLE + torch.tensor([900.0, 0])).expand(17, 2)
    turned = turn_to_video(joints, joints2d, FOCAL, MIDDLE)
    np.testing.assert_allclose(turned[1], [100 * 0.5**0.5, 0, 100 * 0.5**0.5], atol=1e-9)
    np.testing.assert_allclose(turned[2], [0, 100, 0], atol=1e-9)  # down stays down
    ahead = turn_to_video(joints, MIDDLE.expand(17, 2), FOCAL, MIDDLE)
    np.testing.assert_allclose(ahead, joints, atol=1e-9)


def rotation_seen_by_t_c(canonical, joints2d, start):
    """R_c of the extended camera that shows a body nearest to where it is in a crop of the
    video."""
    low, high = joints2d.amin(0), joints2d.amax(0)
    in_crop = (joints2d - (low + high) / 2) / (0.7 * (high - low).amax())

    def miss(x):
        """`project` turns by its own R_0, whatever the angles of the camera: undone before."""
        turned = canonical @ matrix(x).T @ R_0
        return (project(turned, torch.tensor([0, 1, 0, 1, 0, 1, *x[3:]])) - in_crop).ravel()

    return matrix(least_squares(miss, [*Rotation.from_matrix(start).as_rotvec(), 0, 0, 0]).x)


def matrix(x):
    return torch.from_numpy(Rotation.from_rotvec(x[:3]).as_matrix())


def angle(rotation):
    return np.degrees(Rotation.from_matrix(rotation).magnitude())


@pytest.mark.parametrize("degrees", [0, 15, 30])
def test_a_person_at_the_side_is_turned_into_the_videos_axes(degrees):
    """T_c is fitted to crops as training fits it; its rotation is then set right, and the root.

    Not exactly: a crop is a part of a flat image, which is stretched towards its border, and T_c
    is always at the same distance.
    """
    errors, unturned, displaced = [], [], []
    for seed in range(8):
        canonical, rotation = body(seed)
        root = at_angle(degrees, 45 * seed, 5500)
        joints2d = recorded(1700 * canonical @ rotation.T, root)
        rotation_c = rotation_seen_by_t_c(canonical, joints2d, rotation)
        turned = turn_to_video(1700 * canonical @ rotation_c.T, joints2d, FOCAL, MIDDLE)
        turned_rotation = torch.linalg.lstsq(1700 * canonical, turned).solution.T
        errors.append(angle(turned_rotation @ rotation.T))
        unturned.append(angle(rotation_c @ rotation.T))
        displaced.append((locate(turned, joints2d, FOCAL, MIDDLE) - root).norm() / root.norm())
    assert np.median(unturned) == pytest.approx(degrees, abs=2.5)
    assert np.median(errors) < 3 and max(errors) < 7
    assert np.median(displaced) < 0.02 and max(displaced) < 0.06


def test_what_cannot_be_is_finite_and_in_front_of_the_camera():
    canonical, _ = body(seed=3)
    joints = 1700 * canonical
    collapsed = MIDDLE.expand(17, 2) + 5
    mirrored = MIDDLE - 200 * canonical[:, :2]
    for joints2d in (collapsed, mirrored):
        root = locate(joints, joints2d, FOCAL, MIDDLE)
        assert root.isfinite().all()
        assert (joints + root)[:, 2].min() == pytest.approx(NEAREST)


def test_the_assumed_focal_length_is_the_diagonal():
    assert assumed_focal(torch.tensor([[1920.0, 1080.0], [3.0, 4.0]])).tolist() == [
        pytest.approx(2202.907, abs=1e-3),
        5,
    ]
