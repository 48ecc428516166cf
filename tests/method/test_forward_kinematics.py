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
    canonical_joints,
    forward_kinematics,
    has_trunk,
    local_kinematics,
    smallest_rotation,
    stature,
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


LATTICE = st.integers(-6, 6).map(lambda quarters: quarters / 4)


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


def natural_joints(pose):
    joints = np.zeros((17, 3))
    joints[AT["left_hip"], 1], joints[AT["right_hip"], 1] = LENGTH["left_hip"], -LENGTH["right_hip"]
    joints[AT["spine"], 2], joints[AT["neck"], 2] = LENGTH["spine"], LENGTH["neck"]
    joints[AT["nose"]] = joints[AT["neck"]] + np.array([0.6, 0, 0.8]) * LENGTH["nose"]
    joints[AT["head_top"]] = joints[AT["nose"]] + np.array([-0.6, 0, 0.8]) * LENGTH["head_top"]
    for side, sign in [("left", 1), ("right", -1)]:
        joints[AT[f"{side}_shoulder"]] = joints[AT["neck"]]
        joints[AT[f"{side}_shoulder"], 1] = sign * LENGTH["left_shoulder"]
        limbs = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")]
        for (parent, joint), left in zip(limbs, NATURAL[pose], strict=True):
            direction = np.array(left) * [1, sign, 1]
            bone = direction / np.linalg.norm(direction) * LENGTH[f"left_{joint}"]
            joints[AT[f"{side}_{joint}"]] = joints[AT[f"{side}_{parent}"]] + bone
    return joints


@pytest.mark.parametrize("pose", NATURAL)
def test_natural_poses_are_exact_and_far_from_the_singularities(pose):
    joints = torch.from_numpy(natural_joints(pose))
    parameters, rotation = local_kinematics(joints)
    torch.testing.assert_close(rotation, torch.eye(3).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(forward_kinematics(parameters), joints, atol=1e-12, rtol=0)
    from_rest = (parameters[1:].reshape(13, 3).numpy() * REST).sum(-1)
    assert from_rest.min() > math.cos(math.radians(155))


# The edges


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


# The pieces


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


def test_smallest_rotation_to_itself_is_none():
    start = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    torch.testing.assert_close(smallest_rotation(start, start), torch.eye(3).double())


def test_stature_and_canonical_joints_of_a_person_by_hand():
    joints = natural_joints("standing")
    turn = Rotation.from_rotvec([0.4, -1.2, 0.3])
    elsewhere = torch.from_numpy(turn.apply(1700 * joints) + np.array([100, 200, 4000]))
    assert stature(elsewhere).item() == pytest.approx(1700)
    found, rotation = canonical_joints(elsewhere)
    np.testing.assert_allclose(found, joints, atol=1e-9)
    np.testing.assert_allclose(rotation, turn.as_matrix(), atol=1e-9)


def test_canonical_joints_keep_the_proportions_of_their_body():
    joints = random(5, 17, 3, seed=14)
    found, rotation = canonical_joints(joints)
    torch.testing.assert_close(stature(found), torch.ones(5).double())
    expected = bone_vectors(joints, pelvis_from_hips=True)
    back = bone_vectors(found @ rotation.transpose(-1, -2)) * stature(joints)[:, None, None].numpy()
    np.testing.assert_allclose(back, expected, atol=1e-10)
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found[:, AT["neck"], :2], 0, atol=1e-12)
    np.testing.assert_allclose(found[:, AT["left_hip"], 0], 0, atol=1e-12)


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
