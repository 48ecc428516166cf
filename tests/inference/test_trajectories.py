"""Motions of videos whose frames come unevenly, read back by readers of other people."""

from dataclasses import replace

import bvhio
import ezc3d
import numpy as np
import pytest
from tests.inference.motion_readers import read_trc
from tests.inference.two_people import people

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS
from kinepose.inference.bones import joints_of, lengths_and_directions, turned_between
from kinepose.inference.export import export_poses
from kinepose.inference.trajectories import video_motions

AT = {name: joint for joint, name in enumerate(JOINT_NAMES)}
TIMES = np.concatenate([np.arange(0, 1, 1 / 30), np.arange(1, 2, 0.1), np.arange(2, 3, 1 / 30)])
"""30, 10, 30 frames a second: their mean is 23.4."""
SPIN = 1.5
"""Of the person about the upright [rad/s]; the pelvis goes 400 mm/s to the right."""


def truth(times):
    """Joints in the world at any time [mm], y up."""
    poses = people()
    joints = (poses.joints3d[0] * [1.0, -1.0, -1.0])[None]
    cosine, sine, zero = np.cos(SPIN * times), np.sin(SPIN * times), np.zeros(len(times))
    about = np.array([[cosine, zero, sine], [zero, zero + 1, zero], [-sine, zero, cosine]])
    turned = joints @ about.transpose(2, 1, 0)
    path = np.stack([400 * times, zero + 100, zero - 4000], axis=-1)
    return turned + path[:, None]


def uneven(times=TIMES, track=0):
    world = truth(times) * [1.0, -1.0, -1.0]
    count = len(times)
    return VideoPoses(
        video=np.array("video.mp4"),
        frame=np.arange(count),
        time=times,
        image=np.full(count, ""),
        track=np.full(count, track),
        box=np.tile(np.float32([0, 0, 9, 9]), (count, 1)),
        joints2d=np.zeros((count, 17, 2), np.float32),
        joints3d=(world - world[:, :1]).astype(np.float32),
        confidence=np.ones((count, 17), np.float32),
        root=world[:, 0].astype(np.float32),
        focal=np.full(count, 800, np.float32),
        energy=np.zeros(count, np.float32),
        fps=np.array((count - 1) / (times[-1] - times[0]), np.float32),
    )


@pytest.mark.parametrize("rate", [None, 25.0, 60.0])
def test_every_format_has_the_pose_of_its_time(tmp_path, capsys, rate):
    """Between two frames bones turn by up to 9 degrees: their ways are nearly straight."""
    poses = uneven()
    export_poses(poses, ("bvh", "trc", "c3d"), tmp_path, rate)
    said = capsys.readouterr().out
    assert said.startswith("bvh, trc, c3d: resampled") and said.count("\n") == 1
    fps = rate or float(poses.fps)
    _, _, numbers, times, from_trc = read_trc(tmp_path / "track_0.trc")
    assert abs(times[-1] - TIMES[-1]) <= 1 / fps
    np.testing.assert_allclose(times, (numbers - 1) / fps, atol=1e-5)
    expected = truth(times)
    np.testing.assert_allclose(from_trc, expected, atol=6)
    c3d = ezc3d.c3d(str(tmp_path / "track_0.c3d"))
    assert c3d["parameters"]["POINT"]["RATE"]["value"][0] == pytest.approx(fps)
    np.testing.assert_allclose(c3d["data"]["points"][:3].transpose(2, 1, 0), from_trc, atol=0.01)
    from_bvh, step = read_bvhio(tmp_path / "track_0.bvh")
    assert step == pytest.approx(1 / fps, abs=1e-7)
    np.testing.assert_allclose(from_bvh, from_trc, atol=0.2)


def read_bvhio(path):
    """Joints [mm] and the time of a frame [s], by bvhio."""
    held = bvhio.readAsBvh(str(path))
    root = bvhio.convertBvhToHierarchy(held.Root)
    joints = np.empty((held.FrameCount, 17, 3))
    by_name = {joint.Name: joint for joint, _, _ in root.layout()}
    for frame in range(held.FrameCount):
        root.loadPose(frame)
        joints[frame] = [10 * np.array(by_name[name].PositionWorld) for name in JOINT_NAMES]
    return joints, held.FrameTime


def test_who_was_found_in_no_frame_of_a_motion_keeps_his_bones(tmp_path):
    """Boxes every 50 frames: the times of none are those of the motion's frames."""
    poses = uneven(np.array([0.53, 2.117, 3.74]))
    fps = np.array(23.4, np.float32)
    poses = replace(poses, frame=np.array([10, 60, 110]), fps=fps)
    (motion,) = video_motions(poses)
    assert not motion.found.any()
    export_poses(poses, ("bvh",), tmp_path)
    joints, _ = read_bvhio(tmp_path / "track_0.bvh")
    assert np.isfinite(joints).all() and len(joints) == len(motion.frame)
    lengths = lengths_and_directions(joints)[0]
    expected = lengths_and_directions(truth(poses.time))[0][:1]
    np.testing.assert_allclose(lengths, np.tile(expected, (len(joints), 1, 1)), atol=0.2)


def test_an_even_video_is_taken_as_it_is(tmp_path, capsys):
    poses = uneven(np.arange(40) / 25)
    (motion,) = video_motions(poses)
    np.testing.assert_allclose(motion.joints, truth(poses.time), atol=1e-2)
    assert motion.frame.tolist() == list(range(40)) and motion.found.all()
    rounded = replace(poses, time=poses.time.round(3))  # as Matroska writes them
    np.testing.assert_array_equal(video_motions(rounded)[0].joints, motion.joints)
    export_poses(poses, ("trc",), tmp_path)
    assert capsys.readouterr().out == ""


def test_where_nobody_was_found_there_is_nobody_between_the_frames_either():
    poses = uneven()
    away = (poses.time > 0.5) & (poses.time < 1.25)
    rest = VideoPoses(**{n: v[~away] if v.ndim else v for n, v in vars(poses).items()})
    (motion,) = video_motions(rest, 50.0)
    times = motion.frame / 50
    last, comes = poses.time[~away & (poses.time < 1)][-1], poses.time[poses.time >= 1.25][0]
    missing = (times > last + 2e-3) & (times < comes - 2e-3)
    np.testing.assert_array_equal(motion.found, ~missing)
    assert np.isnan(motion.found_joints[missing]).all() and np.isfinite(motion.joints).all()
    for parent, joint in LIMBS:
        if (parent, joint) != (AT["spine"], AT["neck"]):
            lengths = np.linalg.norm(motion.joints[:, joint] - motion.joints[:, parent], axis=-1)
            assert np.ptp(lengths) < 0.1


def test_a_single_frame_is_a_motion():
    poses = uneven()
    one = VideoPoses(**{n: v[7:8] if v.ndim else v for n, v in vars(poses).items()})
    (motion,) = video_motions(one)
    assert len(motion.frame) == 1 and motion.found.all()
    np.testing.assert_allclose(motion.joints, truth(poses.time[7:8]), atol=0.01)


def test_bones_and_back():
    joints = truth(TIMES[:3])
    np.testing.assert_allclose(joints_of(joints[:, 0], *lengths_and_directions(joints)), joints)


def test_directions_turn_the_shortest_way_at_an_even_pace():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 50, 3))
    before, after = (
        ends / np.linalg.norm(ends, axis=-1, keepdims=True) for ends in (before, after)
    )
    whole = np.arccos((before * after).sum(-1))
    for share in (0.0, 0.3, 1.0):
        between = turned_between(before, after, np.full((50, 1), share))
        np.testing.assert_allclose(np.linalg.norm(between, axis=-1), 1)
        angle = np.arccos((before * between).sum(-1).clip(-1, 1))
        np.testing.assert_allclose(angle, share * whole, atol=1e-6)
    assert np.isfinite(turned_between(before, -before, np.full((50, 1), 0.5))).all()
