"""predict.py: what it writes, and what stays as it was when it fails."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.inference.two_figures import FPS, FRAMES, frame_image

from kinepose.artifacts.pose_files import read_poses
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
