"""output_folder.py: a folder holds the results of one video and one set of settings."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.run_folder import model_sha256
from kinepose.inference import output_folder
from kinepose.inference.config import ExportConfig, PredictConfig
from kinepose.inference.output_folder import (
    RECORD,
    check_output,
    export_record,
    replacing_results,
)
from kinepose.io.errors import BadInputError
from kinepose.io.places import check_places
from kinepose.video.config import PeopleConfig


def prediction_record(config):
    return output_folder.prediction_record(config, model_sha256(config.run))


@pytest.fixture
def config(tmp_path, tiny_model):
    save_model(tiny_model, tmp_path / "run")
    (tmp_path / "video.mp4").write_bytes(b"a video")
    return PredictConfig(tmp_path / "video.mp4", tmp_path / "out", tmp_path / "run")


def write(folder, record, *names):
    with replacing_results(folder, record, True) as beside:
        for name in names:
            (beside / name).write_text(f"{name} of {record['video']}")


def with_results(config):
    results = ("poses.npz", "track_1.bvh", "viewer.html", "overlay.mp4")
    write(config.output, prediction_record(config), *results)
    (config.output / "mine.txt").write_text("mine")


def check(config, **settings):
    config = replace(config, **settings)
    check_output(config.output, prediction_record(config), config.overwrite)


def names(config):
    return sorted(path.name for path in config.output.iterdir())


def test_the_same_video_and_settings_may_come_again_in_other_formats(config):
    check(config)
    with_results(config)
    before = names(config)
    check(config, formats=("csv",), viewer=False, batch_size=3)
    write(config.output, prediction_record(replace(config, overlay=False)), "poses.csv")
    assert names(config) == sorted([*before, "poses.csv"])


def test_another_video_and_other_settings_are_refused_or_replace_all(config, tmp_path):
    with_results(config)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another video")
    with pytest.raises(BadInputError, match=r"another video \(video\.mp4\).*--overwrite"):
        check(config, video=other)
    with pytest.raises(BadInputError, match=r"other settings \(focal, height\)"):
        check(config, height=1800.0, focal=900.0)
    with pytest.raises(BadInputError, match=r"other settings \(people\)"):
        check(config, people=PeopleConfig("none"))
    check(config, video=other, overwrite=True)
    write(config.output, prediction_record(replace(config, video=other)), "poses.npz")
    assert names(config) == ["mine.txt", "poses.npz", RECORD]
    assert "other.mp4" in (config.output / "poses.npz").read_text()


def test_what_somebody_made_of_results_is_not_replaced(config, tmp_path):
    with_results(config)
    mine = ("track_1_clean.bvh", "poses_old.csv", "overlay/notes.png")
    (config.output / "overlay").mkdir()
    for name in mine:
        (config.output / name).write_text("mine")
    other = replace(config, height=1800.0)
    write(config.output, prediction_record(other), "poses.npz")
    assert all((config.output / name).read_text() == "mine" for name in mine)
    assert not (config.output / "track_1.bvh").exists()


def test_what_was_there_stays_until_all_is_written(config, tmp_path):
    """Whoever fails halfway, or at the last moment, has lost nothing and left nothing."""
    with_results(config)
    before = {path.name: path.read_bytes() for path in config.output.iterdir()}
    other = prediction_record(replace(config, height=1800.0))
    with pytest.raises(KeyboardInterrupt), replacing_results(config.output, other, True) as beside:
        (beside / "poses.npz").write_text("new")
        assert {name: (config.output / name).read_bytes() for name in before} == before
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in config.output.iterdir()} == before
    with pytest.raises(BadInputError), replacing_results(tmp_path / "deep/new", other, False):
        raise BadInputError("")
    assert not (tmp_path / "deep").exists()


def test_results_that_came_meanwhile_are_not_replaced(config, tmp_path):
    """Two commands found the folder empty; who ends first has it, unless told otherwise."""
    record, other = (prediction_record(replace(config, height=height)) for height in (1.0, 2.0))
    for overwrite in (False, True):
        with (
            pytest.raises(BadInputError, match="other settings")
            if not overwrite
            else nullcontext(),
            replacing_results(config.output, other, overwrite) as later,
        ):
            (later / "poses.npz").write_text("later")
            write(config.output, record, "poses.npz", "track_0.bvh")
        held = (config.output / "poses.npz").read_text()
        assert (held == "later") == overwrite
        assert names(config) == ["poses.npz", RECORD, *["track_0.bvh"] * (not overwrite)]
    with replacing_results(config.output, other, False) as again:
        (again / "poses.csv").write_text("the same")
        write(config.output, other, "poses.npz")
    assert names(config) == ["poses.csv", "poses.npz", RECORD]


def test_results_of_a_move_that_was_cut_off_are_nobodys(config, monkeypatch):
    with_results(config)
    other = prediction_record(replace(config, height=1800.0))

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("kinepose.inference.output_folder.os.replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(config.output, other, "poses.npz")
    for record in (other, prediction_record(config)):
        with pytest.raises(BadInputError, match="do not say of what"):
            check_output(config.output, record, False)


def test_a_video_that_changed_is_another_and_a_copy_is_not(config, tmp_path):
    with_results(config)
    copy = tmp_path / "elsewhere" / "video.mp4"
    copy.parent.mkdir()
    copy.write_bytes(config.video.read_bytes())
    check(config, video=copy)
    copy.write_bytes(b"A video")
    with pytest.raises(BadInputError, match="another video"):
        check(config, video=copy)


def test_results_that_name_nothing_are_not_mixed_with_others(config):
    config.output.mkdir()
    (config.output / "notes.txt").write_text("mine")
    check(config)
    (config.output / "track_0.bvh").write_text("whose?")
    with pytest.raises(BadInputError, match="do not say of what"):
        check(config)


@pytest.mark.parametrize("folder", ["out", "walk [1]"])
@pytest.mark.parametrize("name", ["overlay.mp4", "track_7.bvh", "results.json"])
def test_no_result_replaces_the_video(config, folder, name):
    output = config.output.with_name(folder)
    output.mkdir()
    (output / name).write_bytes(b"a video")
    with pytest.raises(BadInputError, match="is read"):
        check_places(replace(config, video=output / name, output=output, overwrite=True))


@pytest.mark.parametrize("name", ["video.mp4", "boxes.csv", "run/config.json"])
def test_detections_replace_nothing_that_is_read(config, tmp_path, name):
    (tmp_path / "boxes.csv").write_text("frame,track,x0,y0,x1,y1\n0,0,1,1,20,40\n")
    people = PeopleConfig(detector="file", boxes=tmp_path / "boxes.csv")
    with pytest.raises(BadInputError, match=r"cannot write .*: it is read"):
        check_places(replace(config, people=people, detections=tmp_path / name))
    check_places(replace(config, people=people, detections=tmp_path / "found.csv"))


@pytest.mark.parametrize("name", ["poses.npz", "poses.csv", "track_0.trc", "results.json", ""])
def test_detections_are_none_of_the_results(config, name):
    with pytest.raises(BadInputError, match=r"cannot write .* is written too"):
        check_places(replace(config, detections=config.output / name))


def test_exports_of_other_poses_are_not_mixed(tmp_path):
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, name=np.array(name))
    config = ExportConfig(tmp_path / "a.npz", tmp_path / "out", ("trc",))
    write(config.output, export_record(config, config.poses, "a.mp4"), "track_0.trc")
    check_output(config.output, export_record(config, config.poses, "a.mp4"), False)
    with pytest.raises(BadInputError, match="another video"):
        check_output(config.output, export_record(config, tmp_path / "b.npz", "b.mp4"), False)
    with pytest.raises(BadInputError, match=r"other settings \(poses\)"):
        check_output(config.output, export_record(config, tmp_path / "b.npz", "a.mp4"), False)


def test_the_folder_one_is_in_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "walk").mkdir()
    monkeypatch.chdir(tmp_path / "walk")
    assert PredictConfig(Path("."), Path("../out")).video.name == "walk"
