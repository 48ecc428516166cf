"""export.py: JSON and CSV read back, and what is refused."""

import csv
import json
import resource
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from tests.inference.motion_readers import read_bvh, read_trc
from tests.inference.two_people import FPS, first_rows, one_row

from kinepose.artifacts.pose_files import VideoPoses, read_poses, write_poses
from kinepose.cli import main
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.inference.export import check_c3d_length, check_formats, export_poses
from kinepose.io.errors import BadInputError
from kinepose.video.reading import VideoInfo


def test_json_and_csv_hold_what_the_arrays_hold(poses, exported):
    video = json.loads((exported / "poses.json").read_text())
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
    with (exported / "poses.csv").open(newline="") as file:
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


@pytest.mark.parametrize(
    ("frames", "fps", "rate", "fits"),
    [
        (65535, 25.0, None, True),
        (65536, 25.0, None, False),
        (65536, 25.0, 24.9, True),
        (701, 10.0, 935.0, True),
        (701, 10.0, 937.0, False),
        (65536, 0.0, None, False),
        (2, 0.0, 10_000.0, True),
    ],
)
def test_how_long_a_video_c3d_holds_is_known_before(frames, fps, rate, fits):
    with nullcontext() if fits else pytest.raises(BadInputError, match="up to 65535, v would end"):
        check_c3d_length(VideoInfo("v", 64, 48, fps, frames), rate)


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


def test_export_writes_later_what_predict_would_have(
    poses, exported, monkeypatch, capsys, tmp_path
):
    write_poses(tmp_path / "poses" / "poses.npz", poses)
    output = tmp_path / "deep" / "motions"
    words = ("--formats", "trc", "bvh", "--output", output)
    printed = run(monkeypatch, capsys, "export", tmp_path / "poses", *words)
    names = ["track_3.trc", "track_8.trc", "track_3.bvh", "track_8.bvh"]
    assert printed.splitlines() == [str(output / name) for name in names]
    for name in names:
        assert (output / name).read_text() == (exported / name).read_text()
    again = read_poses(exported / "poses.npz")
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
