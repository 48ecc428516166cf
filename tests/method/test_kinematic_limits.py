"""T_fk and its inverse where a pose is degenerate, no number, at rest or at an antipode."""

import math

import numpy as np
import pytest
import torch
from tests.method.test_forward_kinematics import (
    AT,
    BONE_LENGTHS,
    DTYPES,
    REST,
    ROUNDING,
    bone_vectors,
    random,
    random_parameters,
    rotation_between,
)

from kinepose.method.forward_kinematics import (
    forward_kinematics,
    has_trunk,
    local_kinematics,
    smallest_rotation,
    unit,
)


def degenerate(kind, dtype):
    joints = random(17, 3, seed=7, dtype=dtype)
    if kind == "all in one point":
        joints[:] = 0
    if kind == "hips in one point":
        joints[AT["left_hip"]] = joints[AT["right_hip"]]
    if kind == "neck between the hips":
        joints[AT["neck"]] = (joints[AT["left_hip"]] + joints[AT["right_hip"]]) / 2
    if kind == "hips along the trunk":
        trunk = joints[AT["neck"]] - joints[AT["right_hip"]]
        joints[AT["left_hip"]] = joints[AT["right_hip"]] + 0.2 * trunk
    if kind == "knee on hip, wrist on elbow":
        joints[AT["left_knee"]] = joints[AT["left_hip"]]
        joints[AT["right_wrist"]] = joints[AT["right_elbow"]]
    return joints


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "usable"),
    [
        ("all in one point", False),
        ("hips in one point", False),
        ("neck between the hips", False),
        ("hips along the trunk", False),
        ("knee on hip, wrist on elbow", True),
    ],
)
def test_degenerate_poses_are_flagged_and_finite_with_finite_gradients(kind, usable, dtype):
    joints = degenerate(kind, dtype).requires_grad_()
    assert has_trunk(joints).item() is usable
    parameters, rotation = local_kinematics(joints)
    rebuilt = forward_kinematics(parameters)
    assert parameters.isfinite().all()
    assert rotation.isfinite().all()
    assert rebuilt.isfinite().all()
    (rebuilt.square().sum() + (rebuilt @ rotation.T).sum()).backward()
    assert joints.grad.isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("joint", ["pelvis", "neck", "left_hip", "right_wrist"])
def test_what_is_no_number_is_flagged_and_spreads_to_no_other_pose(value, joint):
    joints = random(3, 17, 3, seed=8)
    joints[1, AT[joint], 1] = value
    assert has_trunk(joints).tolist() == [True, False, True]
    parameters, rotation = local_kinematics(joints)
    assert parameters.isfinite().all()
    assert rotation.isfinite().all()
    torch.testing.assert_close(parameters[2], local_kinematics(joints[2])[0])


def test_has_trunk_does_not_depend_on_unit_or_place():
    joints = random(50, 17, 3, seed=9)
    assert has_trunk(joints).all()
    assert has_trunk(joints * 1e-3 + 4).all()
    assert has_trunk(joints * 1e4).all()
    joints[:, AT["left_hip"]] = joints[:, AT["right_hip"]]
    assert not has_trunk(joints).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-9, -1.0, -1e-3])
def test_zero_vectors_and_antipodes_give_finite_poses_and_gradients(scale, dtype):
    rest = torch.from_numpy(REST).to(dtype).flatten()
    parameters = torch.cat([torch.zeros(1, dtype=dtype), scale * rest]).requires_grad_()
    joints = forward_kinematics(parameters)
    lengths = np.linalg.norm(bone_vectors(joints.detach()), axis=-1)
    np.testing.assert_allclose(lengths, BONE_LENGTHS, atol=ROUNDING[dtype])
    (joints * random(17, 3, dtype=dtype)).sum().backward()
    assert parameters.grad.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_vectors_count_as_rest(dtype):
    rest = torch.cat([torch.zeros(1), torch.from_numpy(REST).flatten()]).to(dtype)
    torch.testing.assert_close(
        forward_kinematics(torch.zeros(40, dtype=dtype)), forward_kinematics(rest)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bone", range(13))
def test_joints_come_back_also_with_a_bone_at_its_antipode(bone, dtype):
    parameters = random_parameters(20, seed=10, dtype=dtype)
    scales = torch.linspace(0.3, 3, 20, dtype=dtype)[:, None]
    parameters[:, 1 + 3 * bone : 4 + 3 * bone] = -scales * torch.from_numpy(REST[bone]).to(dtype)
    joints = forward_kinematics(parameters)
    found, rotation = local_kinematics(joints)
    rebuilt = forward_kinematics(found) @ rotation.transpose(-1, -2)
    tolerance = {torch.float32: 1e-4, torch.float64: 1e-9}[dtype]
    torch.testing.assert_close(rebuilt, joints, atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_smallest_rotation_equals_the_one_about_the_cross_product(dtype):
    pairs = random(30, 2, 3, seed=11)
    pairs /= pairs.norm(dim=-1, keepdim=True)
    rotation = smallest_rotation(pairs[:, 0].to(dtype), pairs[:, 1].to(dtype))
    for found, (start, end) in zip(rotation, pairs.numpy(), strict=True):
        expected = rotation_between(start, end).as_matrix()
        np.testing.assert_allclose(found, expected, atol=10 * ROUNDING[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("away", [0.0, 1e-12, 1e-8, 1e-6, 1e-4, 1e-2])
def test_smallest_rotation_stays_a_rotation_up_to_the_antipode(away, dtype):
    start = random(200, 3, seed=12)
    start = (start / start.norm(dim=-1, keepdim=True)).to(dtype)
    end = unit(-start + away * random(200, 3, seed=13, dtype=dtype), fallback=start)
    rotation = smallest_rotation(start, end)
    identity = torch.eye(3, dtype=dtype).expand_as(rotation)
    torch.testing.assert_close(
        rotation @ rotation.transpose(-1, -2), identity, atol=ROUNDING[dtype], rtol=0
    )
    torch.testing.assert_close(
        torch.linalg.det(rotation), torch.ones(200, dtype=dtype), atol=ROUNDING[dtype], rtol=0
    )
    # Within the square root of rounding of the antipode, the antipode will do.
    turned = (rotation @ start[..., None]).squeeze(-1)
    tolerance = 3 * torch.finfo(dtype).eps ** 0.5
    torch.testing.assert_close(turned, end, atol=tolerance, rtol=0)
