"""Stature, the frame C of a person, and whether there is a trunk to find it by."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tests.method.test_forward_kinematics import AT, LENGTH, NATURAL, bone_vectors, random

from kinepose.method.forward_kinematics import (
    canonical_joints,
    stature,
)


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
