"""The inverse of T_fk: v_k from joints."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from tests.method.test_canonical_joints import natural_joints
from tests.method.test_forward_kinematics import (
    BONE_LENGTHS,
    BONES,
    DTYPES,
    LATTICE,
    NATURAL,
    REST,
    STIFF,
    bone_vectors,
    parameters_of,
    random,
    random_parameters,
    rotation_between,
)

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.method.forward_kinematics import (
    forward_kinematics,
    has_trunk,
    local_kinematics,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (50,), (2, 3), (0,)])
def test_v_k_comes_back_from_joints_in_any_frame_and_unit(batch, dtype):
    parameters = random_parameters(*batch, seed=3, dtype=dtype)
    turns = Rotation.random(math.prod(batch), random_state=0).as_matrix().reshape(*batch, 3, 3)
    turns = torch.from_numpy(turns).to(dtype)
    joints = 1700 * forward_kinematics(parameters) @ turns.transpose(-1, -2) + 300
    found, rotation = local_kinematics(joints)
    assert found.dtype == rotation.dtype == dtype
    assert has_trunk(joints).all()
    tolerance = {torch.float32: 2e-3, torch.float64: 1e-10}[dtype]
    torch.testing.assert_close(found, parameters, atol=tolerance, rtol=0)
    torch.testing.assert_close(rotation, turns, atol=tolerance, rtol=0)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(arrays(np.float64, (17, 3), elements=LATTICE))
def test_directions_of_all_bones_are_kept_and_lengths_are_ours(joints):
    # Joints on a coarse lattice: bones along axes, bones of no length, hips along the trunk.
    parameters, rotation = local_kinematics(torch.from_numpy(joints))
    assert parameters.isfinite().all()
    assert rotation.isfinite().all()
    if not has_trunk(torch.from_numpy(joints)):
        return
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert abs(parameters[0]) < math.pi / 2
    rebuilt = bone_vectors(forward_kinematics(parameters) @ rotation.T)
    given_bones = bone_vectors(joints, pelvis_from_hips=True)
    lengths = np.linalg.norm(given_bones, axis=-1)
    long = lengths > 0
    expected = given_bones[long] * (BONE_LENGTHS[long] / lengths[long])[:, None]
    np.testing.assert_allclose(rebuilt[long], expected, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(rebuilt, axis=-1), BONE_LENGTHS, atol=1e-12)


def test_inverse_equals_its_twin():
    joints = random(17, 3, seed=4)
    parameters, rotation = local_kinematics(joints)
    place = dict(zip(JOINT_NAMES, joints.numpy(), strict=True))
    place["pelvis"] = (place["left_hip"] + place["right_hip"]) / 2
    up = place["neck"] - place["pelvis"]
    hip_line = place["left_hip"] - place["right_hip"]
    forward = np.cross(hip_line, up)
    left = np.cross(up, forward)
    basis = np.stack([v / np.linalg.norm(v) for v in (forward, left, up)], axis=-1)
    np.testing.assert_allclose(rotation, basis, atol=1e-12)
    hip_angle = math.pi / 2 - math.acos(
        hip_line @ up / np.linalg.norm(hip_line) / np.linalg.norm(up)
    )
    assert parameters[0].item() == pytest.approx(hip_angle)
    canonical = Rotation.from_matrix(basis)
    hips = canonical * Rotation.from_rotvec([hip_angle, 0, 0])
    frame = {"pelvis": canonical, "neck": canonical, "left_hip": hips, "right_hip": hips}
    for index, (parent, joint) in enumerate(BONES):
        bone = place[joint] - place[parent]
        vector = frame[parent].inv().apply(bone / np.linalg.norm(bone))
        np.testing.assert_allclose(parameters[1 + 3 * index : 4 + 3 * index], vector, atol=1e-10)
        frame[joint] = frame[parent] * rotation_between(REST[index], vector)


def test_a_hip_line_turned_past_upright_comes_back_as_the_person_turned_round():
    parameters = random_parameters(seed=5)
    parameters[0] = 2.5
    joints = forward_kinematics(parameters)
    found, rotation = local_kinematics(joints)
    assert found[0].item() == pytest.approx(math.pi - 2.5)
    torch.testing.assert_close(rotation, torch.tensor([-1.0, -1.0, 1.0]).double().diag())
    torch.testing.assert_close(forward_kinematics(found) @ rotation.T, joints)


def test_the_given_pelvis_does_not_count():
    joints = random(17, 3, seed=6)
    moved = joints.clone()
    moved[0] += 5.0
    assert torch.equal(local_kinematics(moved)[0], local_kinematics(joints)[0])


def test_another_skeleton_round_trip_by_hand():
    parameters = parameters_of(left_knee=[1.0, 0, 0], left_elbow=[0, 0, -1.0])
    joints = forward_kinematics(parameters, STIFF)
    found, rotation = local_kinematics(joints, STIFF)
    np.testing.assert_allclose(rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found[7:10], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found[10:13], [0, 0, -1], atol=1e-12)  # straight: at rest
    np.testing.assert_allclose(forward_kinematics(found, STIFF), joints, atol=1e-12)


@pytest.mark.parametrize("pose", NATURAL)
def test_natural_poses_are_exact_and_far_from_the_singularities(pose):
    joints = torch.from_numpy(natural_joints(pose))
    parameters, rotation = local_kinematics(joints)
    torch.testing.assert_close(rotation, torch.eye(3).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(forward_kinematics(parameters), joints, atol=1e-12, rtol=0)
    from_rest = (parameters[1:].reshape(13, 3).numpy() * REST).sum(-1)
    assert from_rest.min() > math.cos(math.radians(155))
