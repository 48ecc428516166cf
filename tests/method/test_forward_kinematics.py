import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from kinepose.geometry.skeleton import FREE_JOINTS, JOINT_NAMES, STANDARD_SKELETON, Skeleton
from kinepose.method.forward_kinematics import (
    PARAMETERS,
    bone_frames,
    forward_kinematics,
    local_kinematics,
    smallest_rotation,
    unit,
)

DTYPES = [torch.float32, torch.float64]
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-12}
AT = {name: joint for joint, name in enumerate(JOINT_NAMES)}
LENGTH = dict(zip(JOINT_NAMES, STANDARD_SKELETON.lengths, strict=True))
REST = np.array(STANDARD_SKELETON.rest_directions)

# Bones that v_k holds, (parent, joint), in its order; then those that the canonical rule places.
BONES = [
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("pelvis", "spine"),
    ("neck", "nose"),
    ("nose", "head_top"),
    ("neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
]
PLACED = [("pelvis", "right_hip"), ("pelvis", "left_hip"), ("pelvis", "neck")]

STIFF = Skeleton(
    lengths=(0.0, 1.0, 4.0, 3.0, 1.0, 4.0, 3.0, 2.0, 5.0, 1.0, 0.5, 1.5, 2.0, 2.5, 1.5, 2.0, 2.5),
    rest_directions=(
        *[(0.0, 0.0, -1.0)] * 4,  # legs hang
        *[(0.0, 0.0, 1.0)] * 3,  # spine, nose, head_top stand
        *[(0.0, 1.0, 0.0)] * 3,  # the left arm is held out, as is the right
        *[(0.0, -1.0, 0.0)] * 3,
    ),
)
"""A skeleton of round numbers whose rest directions are a T-pose."""


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def random_parameters(*batch, seed=0, dtype=torch.float64):
    """Poses away from the singularities: unit vectors not within 25 degrees of an antipode."""
    vectors = random(*batch, 13, 3, seed=seed)
    vectors /= vectors.norm(dim=-1, keepdim=True)
    near_antipode = (vectors * torch.from_numpy(REST)).sum(-1, keepdim=True) < -0.9
    vectors = torch.where(near_antipode, -vectors, vectors)
    hip_angle = random(*batch, 1, seed=seed + 1).clamp(-3, 3) * 0.5
    return torch.cat([hip_angle, vectors.flatten(-2)], dim=-1).to(dtype)


def turned_by(rotation, vector):
    return rotation.apply(np.asarray(vector))


def rotation_between(start, end):
    """The rotation about start x end by the angle between them (Rodrigues)."""
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis), np.dot(start, end)
    return Rotation.from_rotvec(axis / sine * math.atan2(sine, cosine))


def joints_one_by_one(parameters, skeleton=STANDARD_SKELETON):
    """T_fk for one pose, bone after bone, as geometry is explained to people."""
    length = dict(zip(JOINT_NAMES, skeleton.lengths, strict=True))
    hip_angle = parameters[0]
    hip_line = np.array([0, math.cos(hip_angle), math.sin(hip_angle)])
    about_x = Rotation.from_rotvec([hip_angle, 0, 0])
    place = {
        "pelvis": np.zeros(3),
        "neck": np.array([0, 0, length["neck"]]),
        "left_hip": length["left_hip"] * hip_line,
        "right_hip": -length["right_hip"] * hip_line,
    }
    upright = Rotation.identity()
    frame = {"pelvis": upright, "neck": upright, "left_hip": about_x, "right_hip": about_x}
    for index, (parent, joint) in enumerate(BONES):
        vector = parameters[1 + 3 * index : 4 + 3 * index]
        vector = vector / np.linalg.norm(vector)
        place[joint] = place[parent] + length[joint] * turned_by(frame[parent], vector)
        frame[joint] = frame[parent] * rotation_between(skeleton.rest_directions[index], vector)
    return np.stack([place[name] for name in JOINT_NAMES])


def bone_vectors(joints, pelvis_from_hips=False):
    """Vectors from parent to joint, [*, 16, 3], with the trunk instead of spine to neck."""
    joints = np.array(joints, dtype=np.float64)
    if pelvis_from_hips:
        joints[..., 0, :] = (joints[..., AT["left_hip"], :] + joints[..., AT["right_hip"], :]) / 2
    return np.stack(
        [joints[..., AT[j], :] - joints[..., AT[p], :] for p, j in BONES + PLACED], axis=-2
    )


BONE_LENGTHS = np.array([LENGTH[joint] for _, joint in BONES + PLACED])


# T_fk


def test_v_k_has_40_numbers_in_the_order_of_the_bones():
    assert PARAMETERS == 40
    assert [JOINT_NAMES[joint] for joint in FREE_JOINTS] == [joint for _, joint in BONES]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_forward_kinematics_equals_its_twin(batch, dtype):
    parameters = random(*batch, 40, seed=1, dtype=dtype)
    joints = forward_kinematics(parameters)
    assert joints.shape == (*batch, 17, 3)
    assert joints.dtype == dtype
    for index in np.ndindex(*batch):
        expected = joints_one_by_one(parameters[index].double().numpy())
        np.testing.assert_allclose(joints[index], expected, atol=30 * ROUNDING[dtype])


def test_t_pose_of_another_skeleton_by_hand():
    joints = forward_kinematics(torch.zeros(40), STIFF)
    expected = {
        "pelvis": (0, 0, 0),
        "right_hip": (0, -1, 0),
        "right_knee": (0, -1, -4),
        "right_ankle": (0, -1, -7),
        "left_hip": (0, 1, 0),
        "left_knee": (0, 1, -4),
        "left_ankle": (0, 1, -7),
        "spine": (0, 0, 2),
        "neck": (0, 0, 5),
        "nose": (0, 0, 6),
        "head_top": (0, 0, 6.5),
        "left_shoulder": (0, 1.5, 5),
        "left_elbow": (0, 3.5, 5),
        "left_wrist": (0, 6, 5),
        "right_shoulder": (0, -1.5, 5),
        "right_elbow": (0, -3.5, 5),
        "right_wrist": (0, -6, 5),
    }
    np.testing.assert_allclose(joints, [expected[name] for name in JOINT_NAMES], atol=1e-6)


def parameters_of(**vectors):
    """v_k of level hips, with the named vectors; all others zero, which means at rest."""
    parameters = torch.zeros(40, dtype=torch.float64)
    for index, (_, joint) in enumerate(BONES):
        if joint in vectors:
            parameters[1 + 3 * index : 4 + 3 * index] = torch.tensor(vectors[joint])
    return parameters


def test_a_parent_takes_its_children_along_by_hand():
    # The thigh is lifted forward: the shin at rest goes on forward, for it is told in the
    # thigh's frame. So does the arm that hangs.
    joints = forward_kinematics(
        parameters_of(left_knee=[1.0, 0, 0], left_elbow=[0, 0, -1.0]), STIFF
    )
    np.testing.assert_allclose(joints[AT["left_knee"]], [4, 1, 0], atol=1e-12)
    np.testing.assert_allclose(joints[AT["left_ankle"]], [7, 1, 0], atol=1e-12)
    np.testing.assert_allclose(joints[AT["left_elbow"]], [0, 1.5, 3], atol=1e-12)
    np.testing.assert_allclose(joints[AT["left_wrist"]], [0, 1.5, 0.5], atol=1e-12)


def test_seated_by_hand():
    # The thigh's frame has turned down (0, 0, -1) into forward and forward into up, so that the
    # shin that hangs points to -x of it.
    seated = parameters_of(right_knee=[1.0, 0, 0], right_ankle=[-1.0, 0, 0])
    joints = forward_kinematics(seated, STIFF)
    np.testing.assert_allclose(joints[AT["right_knee"]], [4, -1, 0], atol=1e-12)
    np.testing.assert_allclose(joints[AT["right_ankle"]], [4, -1, -3], atol=1e-12)


def test_hips_turn_about_x_and_take_the_legs_along_by_hand():
    parameters = torch.zeros(40, dtype=torch.float64)
    parameters[0] = math.pi / 2
    joints = forward_kinematics(parameters, STIFF)
    np.testing.assert_allclose(joints[AT["left_hip"]], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(joints[AT["right_hip"]], [0, 0, -1], atol=1e-12)
    # A quarter turn about x takes down to the left.
    np.testing.assert_allclose(joints[AT["left_knee"]], [0, 4, 1], atol=1e-12)
    np.testing.assert_allclose(joints[AT["spine"]], [0, 0, 2], atol=1e-12)


BOUNDED = st.floats(-1e3, 1e3, allow_nan=False, allow_subnormal=False, width=32)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(arrays(np.float32, 40, elements=BOUNDED), st.sampled_from(DTYPES))
def test_bone_lengths_are_exact_for_any_numbers(parameters, dtype):
    joints = forward_kinematics(torch.from_numpy(parameters).to(dtype))
    lengths = np.linalg.norm(bone_vectors(joints), axis=-1)
    np.testing.assert_allclose(lengths, BONE_LENGTHS, atol=ROUNDING[dtype] / 10)
    assert (joints[0] == 0).all()
    assert (joints[AT["neck"], :2] == 0).all()
    assert (joints[[AT["left_hip"], AT["right_hip"]], 0] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths_of_the_vectors_do_not_count(dtype):
    parameters = random(40, dtype=dtype)
    scaled = parameters.clone()
    scaled[1:] *= torch.logspace(-4, 6, 13, dtype=dtype).repeat_interleave(3)
    torch.testing.assert_close(
        forward_kinematics(scaled), forward_kinematics(parameters), atol=ROUNDING[dtype], rtol=0
    )


def test_float32_follows_float64():
    parameters = random_parameters(200, seed=2)
    joints = forward_kinematics(parameters.float())
    torch.testing.assert_close(joints.double(), forward_kinematics(parameters), atol=1e-5, rtol=0)


# The inverse


LATTICE = st.integers(-6, 6).map(lambda quarters: quarters / 4)


DOWN, UP, LEFT, RIGHT = (0, 0, -1), (0, 0, 1), (0, 1, 0), (0, -1, 0)
FORWARD, BACK = (1, 0, 0), (-1, 0, 0)
NATURAL = {
    "t_pose": (LEFT, LEFT, DOWN, DOWN),
    "standing": (DOWN, DOWN, DOWN, DOWN),
    "hands_up": (UP, UP, DOWN, DOWN),
    "seated": (DOWN, FORWARD, FORWARD, DOWN),
    "running": ((-1, 0, -1), (1, 0, -1), (1, 0, -1), BACK),
    "squatting": (FORWARD, FORWARD, (1, 0, 0.3), (-1, 0, -1)),
    "kneeling": (DOWN, (0, -1, 1), DOWN, BACK),
    "arms_folded": ((1, 0, -1), RIGHT, DOWN, DOWN),
}
"""Directions in C of the left upper arm, forearm, thigh and shin; the right ones mirror them."""


# The edges


# The pieces


def test_smallest_rotation_to_itself_is_none():
    start = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    torch.testing.assert_close(smallest_rotation(start, start), torch.eye(3).double())


def test_gradients():
    parameters = random_parameters(seed=15)
    parameters[1:20] *= 3.0
    assert torch.autograd.gradcheck(forward_kinematics, parameters.requires_grad_())
    joints = random(17, 3, seed=16).requires_grad_()
    assert torch.autograd.gradcheck(local_kinematics, joints, fast_mode=True)
    vectors = random(2, 4, 3, seed=17)
    start, end = vectors / vectors.norm(dim=-1, keepdim=True)
    assert torch.autograd.gradcheck(
        smallest_rotation, (start.requires_grad_(), end.requires_grad_())
    )


def test_bone_frames_are_rotations_that_take_rest_directions_to_bones():
    parameters = torch.randn(50, 40, generator=torch.Generator().manual_seed(5)).double()
    rotation = torch.from_numpy(Rotation.random(50, rng=5).as_matrix())
    joints = 1700 * forward_kinematics(parameters) @ rotation.mT + 300
    frames = bone_frames(joints)
    identity = torch.eye(3).expand(50, 17, 3, 3)
    np.testing.assert_allclose(frames @ frames.mT, identity, atol=1e-9)
    for rest, (parent, joint) in zip(REST, BONES, strict=True):
        bone = joints[:, AT[joint]] - joints[:, AT[parent]]
        turned = frames[:, AT[joint]] @ torch.from_numpy(rest)
        np.testing.assert_allclose(turned, unit(bone, bone), atol=1e-9)
    hip_line = joints[:, AT["left_hip"]] - joints[:, AT["right_hip"]]
    np.testing.assert_allclose(frames[:, AT["left_hip"], :, 1], unit(hip_line, bone), atol=1e-9)
