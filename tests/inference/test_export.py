"""export.py: every format read back by somebody else's reader, or by ten lines of our own."""

import csv
import itertools
import json
import resource
import sys

import ezc3d
import numpy as np
import pybvh
import pytest
import torch

from kinepose.artifacts.pose_files import VideoPoses, read_poses, write_poses
from kinepose.cli import main
from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS, STANDARD_SKELETON
from kinepose.inference.export import check_formats, export_poses
from kinepose.io.errors import BadInputError
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.synthetic.mocap_files import read_bvh as read_bvh_file
from kinepose.synthetic.motion import CLIP_FPS, STEP_LEG
from kinepose.synthetic.retargeting import retarget

FPS = 12.5
AT = {name: joint for joint, name in enumerate(JOINT_NAMES)}
FROM_FRONT = torch.tensor([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
"""To the camera's axes from those of C, of a person who faces the camera."""
TO_WORLD = np.array([1.0, -1.0, -1.0])
HERE, AWAY = [*range(2, 9), *range(15, 22)], np.arange(9, 15)
"""Person 3 is there from frame 2 to 21, with a gap; person 8 from frame 6 to 12."""
NAMED_FROM_LEFT_TO_RIGHT = ("right_wrist", "right_hip", "left_hip", "left_wrist")


def people() -> VideoPoses:
    """Two people 1.7 m tall who face the camera and move; one leaves and comes back."""
    generator = torch.Generator().manual_seed(0)
    rest = torch.tensor([0.0, *itertools.chain(*STANDARD_SKELETON.rest_directions)])
    start, change = (0.4 * torch.randn(2, 40, generator=generator) for _ in range(2))
    change[:, 0] = start[:, 0] = torch.tensor([0.2, -0.1])
    rows = sorted([(frame, 3) for frame in HERE] + [(frame, 8) for frame in range(6, 13)])
    joints3d, root = [], []
    for frame, track in rows:
        person, time = int(track == 8), frame / 20
        pose = forward_kinematics(rest + start[person] + time * change[person])
        joints3d.append((1700 * pose @ FROM_FRONT.T).numpy())
        root.append([800 * person - 400 + 30 * frame, 150, 5000 - 100 * frame])
    frame, track = np.array(rows).T
    root = np.array(root, np.float32)
    joints3d = np.stack(joints3d)
    in_video = joints3d + root[:, None]
    return VideoPoses(
        video=np.array("video.mp4"),
        frame=frame,
        time=frame / FPS,
        image=np.full(len(rows), ""),
        track=track,
        box=np.tile(np.float32([10, 20.5, 110, 220]), (len(rows), 1)),
        joints2d=800 * in_video[..., :2] / in_video[..., 2:] + np.float32([320, 240]),
        joints3d=joints3d,
        confidence=np.random.default_rng(0).uniform(0, 1, (len(rows), 17)).astype(np.float32),
        root=root,
        focal=np.full(len(rows), 800, np.float32),
        energy=np.where(track == 3, frame / 7, np.nan).astype(np.float32),
        fps=np.array(FPS, np.float32),
    )


@pytest.fixture(scope="module")
def poses():
    return people()


@pytest.fixture(scope="module")
def folder(poses, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    written = export_poses(poses, ("npz", "json", "csv", "bvh", "trc", "c3d"), folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in written)
    return folder


def in_world(poses, track):
    """Frames and joints of a person [mm], y up, as they should be read back."""
    mine = poses.track == track
    return poses.frame[mine], (poses.joints3d + poses.root[:, None])[mine] * TO_WORLD


def read_bvh(path):
    """Joints [mm], the file's rate and rotations [rad], by pybvh."""
    bvh = pybvh.read_bvh_file(path, world_up="+y")
    ours = [bvh.joint_names.index(name) for name in JOINT_NAMES]
    return 10 * bvh.joint_positions()[:, ours], bvh.fps, bvh.joint_angles


def read_trc(path):
    """Head, frame numbers, times and markers, counted as strictly as OpenSim's TRCFileAdapter."""
    title, keys, values, names, axes, empty, *rows = path.read_text().split("\n")
    assert title.split("\t") == ["PathFileType", "4", "(X/Y/Z)", path.name]
    assert empty == "" and rows.pop() == ""
    head = dict(zip(keys.split("\t"), values.split("\t"), strict=True))
    markers = [name for name in names.split("\t") if name][2:]
    assert axes.split() == [f"{a}{i + 1}" for i in range(len(markers)) for a in "XYZ"]
    fields = [row.split("\t") for row in rows]
    assert {len(row) for row in fields} == {2 + 3 * len(markers) + 1}  # a tab ends each
    table = np.array([[float(field or "nan") for field in row[:-1]] for row in fields])
    return head, markers, table[:, 0], table[:, 1], table[:, 2:].reshape(len(rows), -1, 3)


def read_c3d(path):
    """Points [mm] by ezc3d, nan where they are marked as invalid; and all that is beside them."""
    c3d = ezc3d.c3d(str(path))
    joints = c3d["data"]["points"][:3].transpose(2, 1, 0)
    invalid = c3d["data"]["meta_points"]["residuals"][0].T < 0
    assert np.array_equal(np.isnan(joints[..., 0]), invalid)
    return joints, c3d["header"]["points"], c3d["parameters"]["POINT"]


def test_json_and_csv_hold_what_the_arrays_hold(poses, folder):
    video = json.loads((folder / "poses.json").read_text())
    assert (
        video["video"] == "video.mp4"
        and video["fps"] == FPS
        and tuple(video["joint_names"]) == JOINT_NAMES
    )
    from_json = {
        (person["track"], pose["frame"]): pose
        for person in video["people"]
        for pose in person["poses"]
    }
    with (folder / "poses.csv").open(newline="") as file:
        from_csv = {(int(row["track"]), int(row["frame"])): row for row in csv.DictReader(file)}
    keys = list(zip(poses.track.tolist(), poses.frame.tolist(), strict=True))
    assert list(from_csv) == keys and set(from_json) == set(keys)
    for row, key in enumerate(keys):
        pose, line = from_json[key], from_csv[key]
        time = poses.frame[row] / FPS
        assert pose["time"] == pytest.approx(time) and float(line["time"]) == pytest.approx(time)
        for name in ("box", "root", "focal", "joints2d", "joints3d", "confidence"):
            np.testing.assert_allclose(pose[name], getattr(poses, name)[row], atol=0.0051)
        box = [float(line[name]) for name in ("x0", "y0", "x1", "y1")]
        root = [float(line[name]) for name in ("root_x", "root_y", "root_z")]
        np.testing.assert_allclose(box, poses.box[row], atol=0.0051)
        np.testing.assert_allclose(root, poses.root[row], atol=0.0051)
        assert float(line["focal"]) == 800
        for joint, name in enumerate(JOINT_NAMES):
            joints2d = [float(line[f"{name}_{axis}"]) for axis in "uv"]
            joints3d = [float(line[f"{name}_{axis}"]) for axis in "xyz"]
            confidence = float(line[f"{name}_confidence"])
            assert confidence == pytest.approx(poses.confidence[row, joint], abs=0.0051)
            np.testing.assert_allclose(joints2d, poses.joints2d[row, joint], atol=0.0051)
            np.testing.assert_allclose(joints3d, poses.joints3d[row, joint], atol=0.0051)
        if np.isnan(poses.energy[row]):
            assert pose["energy"] is None and line["energy"] == ""
        else:
            assert pose["energy"] == pytest.approx(float(line["energy"]))
            assert pose["energy"] == pytest.approx(poses.energy[row], abs=1e-6)


@pytest.mark.parametrize("track", [3, 8])
def test_bvh_joints_are_ours_to_a_tenth_of_a_millimetre(poses, folder, track):
    frame, expected = in_world(poses, track)
    joints, fps, _ = read_bvh(folder / f"track_{track}.bvh")
    assert fps == pytest.approx(FPS) and len(joints) == frame[-1] - frame[0] + 1
    np.testing.assert_allclose(joints[frame - frame[0]], expected, atol=0.1)


def test_bvh_moves_on_through_a_gap(poses, folder):
    """The root goes straight, bones keep their lengths, and no joint leaves its way."""
    joints, _, _ = read_bvh(folder / "track_3.bvh")
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


def test_synthetic_people_can_do_what_a_bvh_file_holds(folder):
    """The hips, at the height of legs of their own, go 100 mm a frame towards the camera."""
    motion = retarget(read_bvh_file(folder / "track_8.bvh"))
    assert len(motion.root) == 1 + int(6 / FPS * CLIP_FPS)
    leg = 1.7 * sum(STANDARD_SKELETON.lengths[AT[f"left_{joint}"]] for joint in ("knee", "ankle"))
    steps = np.array([0.03, -0.1, 0]) * FPS / CLIP_FPS * STEP_LEG / leg  # x left, y backward, z up
    np.testing.assert_allclose(np.diff(motion.root, axis=0).mean(0), steps, atol=1e-4)


def test_trc_markers_are_ours_and_empty_in_a_gap(poses, folder):
    for track in (3, 8):
        frame, expected = in_world(poses, track)
        head, markers, numbers, times, joints = read_trc(folder / f"track_{track}.trc")
        assert head["DataRate"] == "12.5" and head["Units"] == "mm"
        assert head["NumFrames"] == str(len(joints)) and head["NumMarkers"] == "17"
        assert tuple(markers) == JOINT_NAMES
        assert numbers.tolist() == list(range(frame[0] + 1, frame[-1] + 2))
        np.testing.assert_allclose(times, (numbers - 1) / FPS, atol=1e-6)
        np.testing.assert_allclose(joints[frame - frame[0]], expected, atol=0.001)
        missing = np.isnan(joints).all((1, 2))
        assert np.array_equal(np.flatnonzero(missing) + frame[0], AWAY if track == 3 else [])
        assert np.isfinite(joints[~missing]).all()


def test_c3d_points_are_ours_and_invalid_in_a_gap(poses, folder):
    for track in (3, 8):
        frame, expected = in_world(poses, track)
        joints, header, point = read_c3d(folder / f"track_{track}.c3d")
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


def first_rows(poses, count):
    return {name: value[:count] if value.ndim else value for name, value in vars(poses).items()}


def one_row(poses, **changes):
    """The first row alone, changed."""
    return VideoPoses(**(first_rows(poses, 1) | changes))


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


def test_images_are_a_frame_a_second(poses, tmp_path):
    none = {"fps": np.array(0, np.float32), "time": np.array([np.nan])}
    images = one_row(poses, image=np.array(["a.png"]), **none)
    export_poses(images, ("json", "csv", "bvh", "trc", "c3d"), tmp_path)
    assert read_bvh(tmp_path / "track_3.bvh")[1] == 1
    assert read_trc(tmp_path / "track_3.trc")[0]["DataRate"] == "1"
    video = json.loads((tmp_path / "poses.json").read_text())
    assert video["fps"] == 0 and video["people"][0]["poses"][0]["time"] is None
    assert video["people"][0]["poses"][0]["image"] == "a.png"
    with (tmp_path / "poses.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["image"] == "a.png" and line["time"] == ""


def test_a_file_that_c3d_cannot_hold_or_the_disk_is_one_line(poses, tmp_path):
    long = VideoPoses(
        **(
            first_rows(poses, 2)
            | {"frame": np.array([0, 65535]), "time": np.array([0, 65535 / FPS])}
        )
    )
    with pytest.raises(BadInputError, match="65535"):
        export_poses(long, ("c3d",), tmp_path / "long")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(BadInputError, match="disk"):
            export_poses(poses, ("c3d",), tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_without_ezc3d_there_is_no_c3d_but_everything_else(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(BadInputError, match=r"kinepose\[formats\]"):
        check_formats(("npz", "c3d"), tmp_path)
    check_formats(("npz", "json", "csv", "bvh", "trc"), tmp_path)


def run(monkeypatch, capsys, *words):
    """What `kinepose` prints, and the one line with which it fails, if it does."""
    monkeypatch.setattr(sys, "argv", ["kinepose", *map(str, words)])
    try:
        main()
    except SystemExit as stop:
        assert stop.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line
    return capsys.readouterr().out


def test_export_writes_later_what_predict_would_have(poses, folder, monkeypatch, capsys, tmp_path):
    write_poses(tmp_path / "poses" / "poses.npz", poses)
    output = tmp_path / "deep" / "motions"
    words = ("--formats", "trc", "bvh", "--output", output)
    printed = run(monkeypatch, capsys, "export", tmp_path / "poses", *words)
    names = ["track_3.trc", "track_8.trc", "track_3.bvh", "track_8.bvh"]
    assert printed.splitlines() == [str(output / name) for name in names]
    for name in names:
        assert (output / name).read_text() == (folder / name).read_text()
    again = read_poses(folder / "poses.npz")
    np.testing.assert_array_equal(again.root, poses.root)
    np.testing.assert_array_equal(again.focal, poses.focal)


def test_bad_input_is_one_line_and_nothing_stays(poses, monkeypatch, capsys, tmp_path):
    write_poses(tmp_path / "poses.npz", poses)
    text = tmp_path / "text"
    text.write_text("no folder")
    empty = VideoPoses(**first_rows(poses, 0))
    write_poses(tmp_path / "empty.npz", empty)
    output = ("--output", tmp_path / "out")
    video = ("predict", "video.mp4", "--run", tmp_path, *output)
    export = ("export", tmp_path / "poses.npz")
    for words, says in [
        ((*export, *output, "--formats", "fbx"), "fbx"),
        ((*export, *output, "--formats"), "format"),
        ((*export, "--formats", "trc", "--output", text), "no folder"),
        ((*export, "--formats", "trc", "--output", text / "deep"), "no folder"),
        (("export", tmp_path / "none.npz", "--formats", "trc", *output), "none.npz"),
        (("export", text, "--formats", "trc", *output), "text"),
        (("export", tmp_path / "empty.npz", "--formats", "trc", *output), "no poses"),
        ((*video, "--formats", "fbx"), "fbx"),
        ((*video, "--focal", "0"), "--focal"),
        ((*video, "--focal", "nan"), "--focal"),
        ((*video, "--height", "0"), "--height"),
        ((*video[:4], "--output", text), "no folder"),
    ]:
        assert says in run(monkeypatch, capsys, *words), words
    assert {path.name for path in tmp_path.iterdir()} == {"poses.npz", "text", "empty.npz"}
