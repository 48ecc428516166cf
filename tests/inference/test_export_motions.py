"""export.py: BVH, TRC and C3D read back, whose joints are ours."""

import numpy as np
import pytest
from tests.inference.motion_readers import read_bvh, read_c3d, read_trc
from tests.inference.two_people import AT, AWAY, FPS, HERE, in_world, one_row

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS, STANDARD_SKELETON
from kinepose.inference.export import export_poses
from kinepose.synthetic.mocap_files import read_bvh as read_bvh_file
from kinepose.synthetic.motion import CLIP_FPS, STEP_LEG
from kinepose.synthetic.retargeting import retarget

NAMED_FROM_LEFT_TO_RIGHT = ("right_wrist", "right_hip", "left_hip", "left_wrist")


@pytest.mark.parametrize("track", [3, 8])
def test_bvh_joints_are_ours_to_a_tenth_of_a_millimetre(poses, exported, track):
    frame, expected = in_world(poses, track)
    joints, fps, _ = read_bvh(exported / f"track_{track}.bvh")
    assert fps == pytest.approx(FPS) and len(joints) == frame[-1] - frame[0] + 1
    np.testing.assert_allclose(joints[frame - frame[0]], expected, atol=0.1)


def test_bvh_moves_on_through_a_gap(poses, exported):
    """The root goes straight, bones keep their lengths, and no joint leaves its way."""
    joints, _, _ = read_bvh(exported / "track_3.bvh")
    gap = AWAY - HERE[0]
    before, after = joints[gap[0] - 1], joints[gap[-1] + 1]
    share = (np.arange(len(gap)) + 1) / (len(gap) + 1)
    path = before[0] + share[:, None] * (after[0] - before[0])
    np.testing.assert_allclose(joints[gap, 0], path, atol=0.1)
    for parent, joint in LIMBS:
        if (parent, joint) != (AT["spine"], AT["neck"]):
            lengths = np.linalg.norm(joints[:, joint] - joints[:, parent], axis=-1)
            assert np.ptp(lengths) < 0.1
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    assert steps[gap].max() < 2 * np.delete(steps, gap, axis=0).max()


def test_synthetic_people_can_do_what_a_bvh_file_holds(exported):
    """The hips, at the height of legs of their own, go 100 mm a frame towards the camera."""
    motion = retarget(read_bvh_file(exported / "track_8.bvh"))
    assert len(motion.root) == 1 + int(6 / FPS * CLIP_FPS)
    leg = 1.7 * sum(STANDARD_SKELETON.lengths[AT[f"left_{joint}"]] for joint in ("knee", "ankle"))
    steps = np.array([0.03, -0.1, 0]) * FPS / CLIP_FPS * STEP_LEG / leg  # x left, y backward, z up
    np.testing.assert_allclose(np.diff(motion.root, axis=0).mean(0), steps, atol=1e-4)


def test_trc_markers_are_ours_and_empty_in_a_gap(poses, exported):
    for track in (3, 8):
        frame, expected = in_world(poses, track)
        head, markers, numbers, times, joints = read_trc(exported / f"track_{track}.trc")
        assert head["DataRate"] == "12.5" and head["Units"] == "mm"
        assert head["NumFrames"] == str(len(joints)) and head["NumMarkers"] == "17"
        assert tuple(markers) == JOINT_NAMES
        assert numbers.tolist() == list(range(frame[0] + 1, frame[-1] + 2))
        np.testing.assert_allclose(times, (numbers - 1) / FPS, atol=1e-6)
        np.testing.assert_allclose(joints[frame - frame[0]], expected, atol=0.001)
        missing = np.isnan(joints).all((1, 2))
        assert np.array_equal(np.flatnonzero(missing) + frame[0], AWAY if track == 3 else [])
        assert np.isfinite(joints[~missing]).all()


def test_c3d_points_are_ours_and_invalid_in_a_gap(poses, exported):
    for track in (3, 8):
        frame, expected = in_world(poses, track)
        joints, header, point = read_c3d(exported / f"track_{track}.c3d")
        assert header["first_frame"] == frame[0] and header["last_frame"] == frame[-1]
        assert point["RATE"]["value"] == [FPS] and point["UNITS"]["value"] == ["mm"]
        assert tuple(point["LABELS"]["value"]) == JOINT_NAMES
        np.testing.assert_allclose(joints[frame - frame[0]], expected, atol=0.001)
        missing = np.isnan(joints).all((1, 2))
        assert np.array_equal(np.flatnonzero(missing) + frame[0], AWAY if track == 3 else [])


def standing():
    """A person in a T who faces the camera, 5 m away and 1 m to the camera's right, by hand."""
    lengths = 1700 * np.array(STANDARD_SKELETON.lengths)
    joints = np.zeros((17, 3))
    half, thigh, shin, spine, trunk, nose, top, collar, upper, fore = lengths[
        [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    ]
    for side, sign in (("right", -1), ("left", 1)):  # their left is to the camera's right
        joints[AT[f"{side}_hip"]] = [sign * half, 0, 0]
        joints[AT[f"{side}_knee"]] = [sign * half, thigh, 0]
        joints[AT[f"{side}_ankle"]] = [sign * half, thigh + shin, 0]
        shoulder = np.array([sign * 0.88, 0.48, 0]) * collar / np.hypot(0.88, 0.48)
        joints[AT[f"{side}_shoulder"]] = np.array([0, -trunk, 0]) + shoulder
        joints[AT[f"{side}_elbow"]] = joints[AT[f"{side}_shoulder"]] + [sign * upper, 0, 0]
        joints[AT[f"{side}_wrist"]] = joints[AT[f"{side}_elbow"]] + [sign * fore, 0, 0]
    joints[AT["spine"]], joints[AT["neck"]] = [0, -spine, 0], [0, -trunk, 0]
    forward = np.array([0, -0.56, -0.83]) / np.hypot(0.56, 0.83)
    joints[AT["nose"]] = joints[AT["neck"]] + nose * forward
    joints[AT["head_top"]] = joints[AT["nose"]] + top * forward[[0, 2, 1]] * [1, 1, -1]
    return joints


def test_who_stands_in_a_t_is_the_rest_pose_and_left_is_left_and_up_is_up(poses, tmp_path):
    joints3d = standing()[None].astype(np.float32)
    root = np.float32([[1000, 0, 5000]])
    export_poses(one_row(poses, joints3d=joints3d, root=root), ("bvh", "trc", "c3d"), tmp_path)
    joints, _, rotations = read_bvh(tmp_path / "track_3.bvh")
    np.testing.assert_allclose(rotations, 0, atol=1e-4)
    *_, from_trc = read_trc(tmp_path / "track_3.trc")
    from_c3d, *_ = read_c3d(tmp_path / "track_3.c3d")
    for read in (joints[0], from_trc[0], from_c3d[0]):
        np.testing.assert_allclose(read[0], [1000, 0, -5000], atol=0.01)
        x = [read[AT[name], 0] for name in NAMED_FROM_LEFT_TO_RIGHT]
        assert x == sorted(x) and x[0] < 400 and x[-1] > 1600
        assert read[AT["head_top"], 1] > read[AT["neck"], 1] + 150 > 500
        assert read[AT["left_ankle"], 1] < -700
        assert read[AT["nose"], 2] > -4950  # in front of the neck: nearer to the camera


def test_bones_of_uneven_length_keep_their_directions(poses, tmp_path):
    """Without T_fk a bone may change its length: in BVH it has its median."""
    mine = np.flatnonzero(poses.track == 8)
    stretched = poses.joints3d.copy()
    stretched[mine, AT["left_wrist"]] += np.linspace(-0.3, 0.3, len(mine), dtype=np.float32)[
        :, None
    ] * (stretched[mine, AT["left_wrist"]] - stretched[mine, AT["left_elbow"]])
    changed = VideoPoses(**(vars(poses) | {"joints3d": stretched}))
    export_poses(changed, ("bvh",), tmp_path)
    joints, _, _ = read_bvh(tmp_path / "track_8.bvh")
    _, expected = in_world(poses, 8)
    np.testing.assert_allclose(joints, expected, atol=0.1)
