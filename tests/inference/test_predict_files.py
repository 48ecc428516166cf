"""predict.py: what it writes, and what stays as it was when it fails."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tests.inference.two_figures import FPS, FRAMES, frame_image

from kinepose.artifacts.model_files import load_model, save_model
from kinepose.artifacts.pose_files import read_poses
from kinepose.artifacts.run_folder import model_sha256
from kinepose.inference import predict as predict_module
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import predict
from kinepose.io.errors import BadInputError
from kinepose.method.views import VIEWS
from kinepose.video.config import PeopleConfig
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video


def test_the_overlay_shows_the_video_and_the_skeletons_beside_it(both):
    output, _ = both
    info = video_info(output / "overlay.mp4")
    assert (info.frames, info.fps) == (FRAMES, FPS)
    assert (info.width, info.height) == (360 + 240, 480)  # 96 x 128 enlarged, two views of 240
    first = next(read_frames(output / "overlay.mp4")).image
    video = cv2.resize(frame_image(0), (360, 480), interpolation=cv2.INTER_CUBIC)
    far_from_the_person = np.s_[:, 330:360]
    changed = first[far_from_the_person].astype(int) - video[far_from_the_person]
    assert np.abs(changed).mean() < 6
    assert np.abs(first[:, :330].astype(int) - video[:, :330]).mean() > 3
    for view in (first[:240, 360:], first[240:, 360:]):
        assert (np.ptp(view.reshape(-1, 3).astype(int), axis=0) > 80).all()


def test_another_video_does_not_mix_with_what_is_there(both, run, tmp_path):
    output, poses = both
    image = tmp_path / "one.png"
    cv2.imwrite(str(image), frame_image(3))
    only_poses = {"overlay": False, "viewer": False}
    config = PredictConfig(image, output, run, PeopleConfig("none"), device="cpu", **only_poses)
    with pytest.raises(BadInputError, match=r"another video \(two\.mp4\)"):
        predict(config)
    assert len(read_poses(output).frame) == len(poses.frame)
    copied = tmp_path / "copied"
    shutil.copytree(output, copied)
    predict(replace(config, output=copied, overwrite=True))
    assert sorted(path.name for path in copied.iterdir()) == ["poses.npz", "results.json"]
    assert read_poses(copied).video == "one.png"


def test_nothing_stays_when_it_fails(run, boxes, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("I am no video.\n" * 50)
    output = tmp_path / "deep" / "poses"
    for video, folder in [(text, run), (tmp_path / "none.mp4", run), (text, tmp_path)]:
        with pytest.raises(BadInputError) as caught:
            predict(PredictConfig(video, output, folder, PeopleConfig("none"), device="cpu"))
        assert "\n" not in str(caught.value)
    assert not output.parent.exists()


def test_earlier_results_stay_when_the_overlay_fails(both, video, run, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    shutil.copytree(both[0], folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_):
        raise BadInputError("is the disk full?")

    monkeypatch.setattr("kinepose.inference.predict.write_timed_video", full)
    config = PredictConfig(video, folder, run, PeopleConfig("none"), device="cpu", energy=False)
    with pytest.raises(BadInputError, match="full"):
        predict(replace(config, overwrite=True))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_nobody_is_one_clear_line(run, tmp_path):
    video = tmp_path / "empty.mp4"
    write_video(video, (frame_image(0) for _ in range(20)), FPS)
    with pytest.raises(BadInputError, match="no"):
        predict(PredictConfig(video, tmp_path / "out", run, PeopleConfig("motion"), device="cpu"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"batch_size": 0}, "--batch-size"),
        ({"energy_gap": float("nan")}, "--energy-gap"),
        ({"people": {"longest_gap": -1.0}}, "--longest-gap"),
        ({"people": {"detector_threshold": 7.0}}, "--detector-threshold"),
        ({"onnx": Path("none.onnx")}, r"no such file: none\.onnx"),
        ({"views": len(VIEWS) + 1}, "--views 7"),
    ],
)
def test_settings_are_refused_before_the_video_is_read(settings, says, run, tmp_path):
    settings = dict(settings)
    with pytest.raises(BadInputError, match=says):
        people = PeopleConfig(**settings.pop("people", {}))
        video, output = tmp_path / "none.mp4", tmp_path / "out"
        predict(PredictConfig(video, output, run, people, **settings))
    assert not (tmp_path / "out").exists()


def test_what_c3d_cannot_number_is_said_before_anything_is_done(run, tmp_path):
    pytest.importorskip("ezc3d", reason="kinepose[formats] is not installed")
    video, people = tmp_path / "seven_seconds.mp4", PeopleConfig("none")
    write_video(video, (frame_image(0) for _ in range(70)), FPS)
    config = PredictConfig(video, tmp_path / "out", run, people, device="cpu", formats=("c3d",))
    with pytest.raises(BadInputError, match=r"seven_seconds\.mp4 would end at 69001: name a lower"):
        predict(replace(config, rate=10_000.0))
    assert not (tmp_path / "out").exists()


def after(monkeypatch, name, happens):
    """Let something happen after predict.py called, for the first time, what it calls so."""
    function, happened = getattr(predict_module, name), []

    def call(*words, **settings):
        result = function(*words, **settings)
        if not happened:
            happened.append(happens())
        return result

    monkeypatch.setattr(predict_module, name, call)


@pytest.mark.parametrize(
    ("moment", "by_the_new"),
    [("model_sha256", True), ("load_model", True), ("people_in_video", False)],
)
def test_a_run_that_learns_on_meanwhile_is_named_as_it_was(
    run, video, tmp_path, monkeypatch, moment, by_the_new
):
    """Whatever weights found the poses, these are named, in both files."""
    learning, later = tmp_path / "learning", tmp_path / "later"
    shutil.copytree(run, learning)
    model = load_model(run)
    torch.nn.init.normal_(next(model.pose_encoder.parameters()), std=0.3)
    save_model(model, later)
    settings = {"overlay": False, "viewer": False, "bfloat16": False, "device": "cpu"}
    config = PredictConfig(video, tmp_path / "out", learning, PeopleConfig("none"), **settings)
    saved = later / "model.safetensors", learning / "model.safetensors"
    after(monkeypatch, moment, lambda: shutil.copyfile(*saved))
    predict(config)
    monkeypatch.undo()
    whose = later if by_the_new else run
    predict(replace(config, run=whose, output=tmp_path / "again"))
    poses, again = read_poses(config.output), read_poses(tmp_path / "again")
    np.testing.assert_array_equal(poses.joints3d, again.joints3d)
    assert poses.model_sha256 == again.model_sha256 == model_sha256(whose)
    record = json.loads((config.output / "results.json").read_text())
    assert record["settings"]["run"] == model_sha256(whose)


@pytest.mark.parametrize("moment", ["people_in_video", "export_poses"])
def test_images_that_changed_meanwhile_are_one_line(run, tmp_path, monkeypatch, moment):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(images / name), frame_image(3))
    after(monkeypatch, moment, lambda: shutil.copy(images / "a.png", images / "z.png"))
    settings = {"overlay": False, "viewer": False, "device": "cpu"}
    with pytest.raises(BadInputError, match="images changed while it was read") as caught:
        predict(PredictConfig(images, tmp_path / "out", run, PeopleConfig("none"), **settings))
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_rows_without_a_crop_are_no_poses(run, video, boxes, tmp_path, monkeypatch):
    crops_of = predict_module.crops_of

    def some(*words):
        yield from itertools.islice(crops_of(*words), 20)

    monkeypatch.setattr(predict_module, "crops_of", some)
    people = PeopleConfig("file", boxes=boxes)
    config = PredictConfig(video, tmp_path / "out", run, people, device="cpu", batch_size=16)
    with pytest.raises(BadInputError, match="24 of 40 crops did not come"):
        predict(config)
    assert not (tmp_path / "out").exists()
