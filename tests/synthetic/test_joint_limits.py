import math

import pytest
import torch

from kinepose.synthetic.body import RIG
from kinepose.synthetic.joint_limits import (
    LIMITS,
    clamp_to_limits,
    from_swing_twist,
    mirror_rotations,
    swing_reach,
    to_swing_twist,
)


def random_angles(count: int, size: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(count, 13, 3, generator=generator)


def within(angles: torch.Tensor) -> bool:
    twists = angles[:, 1:, 2]
    least, largest = LIMITS[1:, 2].unbind(-1)
    in_twist = ((twists >= least - 1e-5) & (twists <= largest + 1e-5)).all()
    return bool(in_twist) and float(swing_reach(angles).max()) <= 1 + 1e-5


def test_swing_and_twist_there_and_back():
    angles = random_angles(50, 0.8).clamp(-2.5, 2.5)
    angles = angles * (2.5 / angles[..., :2].norm(dim=-1, keepdim=True)).clamp(max=1)
    torch.testing.assert_close(to_swing_twist(from_swing_twist(angles)), angles)


def test_a_swing_points_the_bone_and_a_twist_does_not():
    down = torch.tensor([0.0, 0.0, -1.0])
    cases = {
        (-math.pi / 2, 0.0, 0.7): (0.0, -1.0, 0.0),  # a thigh lifted forward
        (0.0, -math.pi / 2, -0.4): (1.0, 0.0, 0.0),  # a left arm lifted sideways
        (0.0, 0.0, 1.2): (0.0, 0.0, -1.0),
    }
    for angles, expected in cases.items():
        x, y, z, w = from_swing_twist(torch.tensor(angles)).double().tolist()
        axis = torch.tensor([x, y, z], dtype=torch.float64)
        bone = down.double()
        once = torch.linalg.cross(axis, bone)
        turned = bone + 2 * w * once + 2 * torch.linalg.cross(axis, once)
        torch.testing.assert_close(turned.float(), torch.tensor(expected), atol=1e-6, rtol=0)


def test_clamping_ends_within_and_changes_nothing_that_is_within():
    angles = random_angles(200, 1.5)
    clamped = clamp_to_limits(angles)
    assert not within(angles)
    assert within(clamped)
    assert torch.equal(clamped[:, 0], angles[:, 0]), "the root is free"
    torch.testing.assert_close(clamp_to_limits(clamped), clamped)
    calm = clamped * 0.9
    torch.testing.assert_close(clamp_to_limits(calm), calm)


def test_between_two_poses_within_the_limits_lie_others():
    first, second = (clamp_to_limits(random_angles(200, 1.5, seed)) for seed in (1, 2))
    for share in (0.25, 0.5, 0.75):
        assert within(torch.lerp(first, second, share))


def test_left_and_right_have_the_same_limits():
    rotations = from_swing_twist(clamp_to_limits(random_angles(100, 1.5)))
    assert within(to_swing_twist(mirror_rotations(rotations)))
    assert torch.equal(mirror_rotations(mirror_rotations(rotations)), rotations)


@pytest.mark.parametrize("bone", ["left_knee", "right_knee", "left_elbow", "right_elbow"])
def test_knees_and_elbows_do_not_bend_backward(bone):
    backward = -1.0 if "knee" in bone else 1.0
    angles = torch.zeros(1, 13, 3)
    angles[0, RIG.index(bone), 0] = backward
    bent = clamp_to_limits(angles)[0, RIG.index(bone), 0] * backward
    assert math.degrees(float(bent)) == pytest.approx(3)
