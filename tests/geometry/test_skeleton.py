import numpy as np
import pytest

from kinepose.geometry.skeleton import (
    FREE_JOINTS,
    JOINT_NAMES,
    LEFT_HIP,
    LIMBS,
    MIRRORED,
    NECK,
    PARENTS,
    PELVIS,
    RIGHT_HIP,
    STANDARD_SKELETON,
)

TREE = {
    "right_hip": "pelvis",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "left_hip": "pelvis",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "spine": "pelvis",
    "neck": "spine",
    "nose": "neck",
    "head_top": "nose",
    "left_shoulder": "neck",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "right_shoulder": "neck",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
}
"""Human3.6M's 17 joints with their parents, in its order after the pelvis."""


def test_order_and_tree_are_those_of_h36m():
    assert ("pelvis", *TREE) == JOINT_NAMES
    assert {JOINT_NAMES[joint]: JOINT_NAMES[parent] for parent, joint in LIMBS} == TREE
    assert PARENTS[PELVIS] == -1
    assert len(LIMBS) == 16


def test_parents_come_before_their_children():
    assert all(parent < joint for parent, joint in LIMBS)


def test_every_joint_is_either_placed_by_the_canonical_rule_or_free():
    by_rule = {PELVIS, RIGHT_HIP, LEFT_HIP, NECK}
    assert len(FREE_JOINTS) == 13
    assert by_rule.isdisjoint(FREE_JOINTS)
    assert by_rule.union(FREE_JOINTS) == set(range(17))


def test_mirrored_swaps_left_and_right_and_keeps_the_tree():
    for joint, name in enumerate(JOINT_NAMES):
        side, _, part = name.partition("_")
        counterpart = {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)
        assert JOINT_NAMES[MIRRORED[joint]] == counterpart
        if joint != PELVIS:
            assert PARENTS[MIRRORED[joint]] == MIRRORED[PARENTS[joint]]


def test_chain_of_stature_is_one_long():
    names = ("left_knee", "left_ankle", "neck", "nose", "head_top")
    lengths = dict(zip(JOINT_NAMES, STANDARD_SKELETON.lengths, strict=True))
    assert sum(lengths[name] for name in names) == pytest.approx(1.0, abs=1e-9)


def test_left_and_right_are_mirror_images():
    lengths = STANDARD_SKELETON.lengths
    assert [lengths[joint] for joint in MIRRORED] == list(lengths)
    rest = dict(zip(FREE_JOINTS, np.array(STANDARD_SKELETON.rest_directions), strict=True))
    for joint, direction in rest.items():
        np.testing.assert_array_equal(rest[MIRRORED[joint]], direction * [1, -1, 1])
        assert np.linalg.norm(direction) == pytest.approx(1.0, abs=1e-12)
