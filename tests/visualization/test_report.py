"""report.py on folders written for the test: the page holds what they hold, and nothing more."""

import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from kinepose.artifacts.pose_files import VideoPoses, describe_poses, write_poses
from kinepose.artifacts.run_folder import (
    FORMAT_VERSION,
    count_parameters,
    read_last_images,
    read_log,
)
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError
from kinepose.video.writing import write_video
from kinepose.visualization.config import ReportConfig
from kinepose.visualization.report import describe_run, write_report

SCORES = {
    "mpjpe": 111.1,
    "n_mpjpe": 99.9,
    "p_mpjpe": 77.7,
    "labels": "video.npz",
    "frames": {"matched": 9, "labelled": 10},
    "joints2d": {"error_px": 4.4, "error_share_of_box": 0.033},
    "per_joint": {"p_mpjpe": {name: 10.0 + i for i, name in enumerate(JOINT_NAMES)}},
    "baselines": {"mean_pose": {"p_mpjpe": 123.4}, "floor": {"p_mpjpe": 9.8}},
}


def write_run(folder, images=True, **changes):
    folder.mkdir(parents=True)
    config = {
        "format_version": FORMAT_VERSION,
        "model": {"image_size": 64, "map_size": 16, "decoder_widths": [64, 48]},
        "train": {
            "output": "run",
            "preset": "cpu",
            "variant": "unsupervised",
            "iterations": 90,
            "clips": ["a<b"],
        },
    }
    (folder / "config.json").write_text(json.dumps(config | changes))
    save_file({"a": np.zeros((10, 7)), "b": np.zeros(30)}, folder / "model.safetensors")
    lines = [
        {"step": i, "loss": name, "total": 1 / i, "pose": 1 / i, "seconds": 60.0 * i}
        for i, name in enumerate(["prior", "paired"] * 6, start=1)
    ]
    log = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "log.jsonl").write_text(log + '{"step": 13, "lo')
    if images:
        write_images(folder / "images" / "step_00000005.npz")
        write_images(folder / "images" / "step_00000010.npz")
    return folder


def write_images(path):
    rng = np.random.default_rng(0)

    def images(*shape):
        return rng.integers(0, 255, (*shape, 16, 16, 3), np.uint8)

    path.parent.mkdir(exist_ok=True)
    np.savez(
        path,
        source=images(3),
        target=images(3),
        background=images(3),
        maps=rng.integers(0, 255, (3, 33, 4, 4), np.uint8),
        reconstruction=images(3),
        joints2d=rng.uniform(-1, 1, (3, 17, 2)).astype(np.float32),
        pose_images=images(2),
        appearance_images=images(3),
        background_images=images(2),
        transfers=images(2, 3, 2),
    )


def write_prediction(folder, frames=12, fps=25.0):
    rng = np.random.default_rng(0)
    write_poses(
        folder / "poses.npz",
        VideoPoses(
            video=np.array("video.mp4"),
            frame=np.arange(frames),
            time=np.arange(frames) / fps if fps else np.full(frames, np.nan),
            image=np.array(["" if fps else f"{i}.png" for i in range(frames)]),
            track=np.zeros(frames, np.int64),
            box=np.tile(np.float32([1, 2, 30, 60]), (frames, 1)),
            joints2d=rng.uniform(0, 50, (frames, 17, 2)).astype(np.float32),
            joints3d=rng.uniform(-800, 800, (frames, 17, 3)).astype(np.float32),
            confidence=rng.uniform(0, 1, (frames, 17)).astype(np.float32),
            root=np.tile(np.float32([0, 0, 5000]), (frames, 1)),
            focal=np.full(frames, 500, np.float32),
            energy=rng.uniform(0, 1, frames).astype(np.float32),
            fps=np.array(fps, np.float32),
        ),
    )
    if fps:
        stills = (np.full((48, 64, 3), 20 * i, np.uint8) for i in range(frames))
        write_video(folder / "overlay.mp4", stills, fps)
    return folder


class Page(HTMLParser):
    """What a browser would load, the headings, and the text."""

    def __init__(self, path):
        super().__init__()
        self.sources, self.names, self.text = [], [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sources += [attributes[key] for key in ("src", "href") if key in attributes]
        assert tag not in ("script", "link", "iframe")
        if tag == "img":
            self.names.append(attributes["alt"])

    def handle_data(self, data):
        self.text += data


def test_the_page_of_a_full_run(tmp_path):
    run = write_run(tmp_path / "run")
    poses = write_prediction(tmp_path / "elsewhere")
    (poses / "METRICS.json").write_text(json.dumps(SCORES))
    write_report(ReportConfig(run, tmp_path / "file.html", poses / "poses.npz"))
    write_report(ReportConfig(run, tmp_path / "out" / "page.html", poses))
    assert (tmp_path / "file.html").read_text() == (tmp_path / "out" / "page.html").read_text()
    page = Page(tmp_path / "out" / "page.html")
    for text in ["111.1", "99.9", "77.7", "123.4", "9 of 10", "3.3 %", "unsupervised", "a<b"]:
        assert text in page.text
    assert "After 10 iterations" in page.text
    assert "poses: 12, people: 1, frames: 12" in page.text
    assert len([name for name in page.names if name.startswith("Overlay")]) == 6
    for name in ["Losses over", "Source, target", "2D joints", "17 heatmaps", "Pose of one"]:
        assert any(alt.startswith(name) for alt in page.names), name
    assert {"3D skeletons as recorded and from the side", "Energy over time"} <= set(page.names)
    assert "no scores" not in page.text.lower()


def test_everything_is_inside_the_page(tmp_path):
    run = write_run(tmp_path / "run")
    write_prediction(tmp_path / "poses")
    write_report(ReportConfig(run, tmp_path / "page.html"))
    page = Page(tmp_path / "page.html")
    assert all(source.startswith(("data:image/", "#")) for source in page.sources)
    assert not re.search(r"url\(|@import|https?://", (tmp_path / "page.html").read_text())
    inlined = [source for source in page.sources if source.startswith("data:image/")]
    assert len(inlined) == len(page.names) >= 12
    for source in inlined:
        kind, _, data = source.partition(";base64,")
        content = np.frombuffer(base64.b64decode(data, validate=True), np.uint8)
        if kind == "data:image/svg+xml":
            assert b"<svg" in content.tobytes()
        else:
            assert cv2.imdecode(content, cv2.IMREAD_COLOR) is not None


def test_a_run_without_images_or_poses_says_so(tmp_path):
    run = write_run(tmp_path / "run", images=False)
    (run / "log.jsonl").unlink()
    write_report(ReportConfig(run, tmp_path / "page.html"))
    page = Page(tmp_path / "page.html")
    for note in ["no images yet", "No poses yet", "No scores yet", "no log.jsonl"]:
        assert note in page.text
    assert page.names == []


def test_poses_of_images(tmp_path):
    run = write_run(tmp_path / "run", images=False)
    poses = write_prediction(tmp_path / "poses", frames=2, fps=0.0)
    (poses / "overlay").mkdir()
    for name in "ab":
        cv2.imwrite(str(poses / "overlay" / f"{name}.png"), np.zeros((40, 60, 3), np.uint8))
    write_report(ReportConfig(run, tmp_path / "page.html"))
    assert [n for n in Page(tmp_path / "page.html").names if n.startswith("Overlay")] == [
        "Overlay 1 of 2",
        "Overlay 2 of 2",
    ]


def test_bad_input_gets_one_clear_line_and_no_page(tmp_path):
    run = write_run(tmp_path / "run")
    empty = tmp_path / "empty"
    empty.mkdir()
    other = write_run(tmp_path / "other", format_version=99)
    broken = write_run(tmp_path / "broken")
    (broken / "model.safetensors").write_text("no weights")
    untrained = write_run(tmp_path / "untrained")
    described = json.loads((untrained / "config.json").read_text())
    (untrained / "config.json").write_text(json.dumps(described | {"train": 3}))
    badly_scored = write_prediction(tmp_path / "scored")
    (badly_scored / "METRICS.json").write_text("{}")
    for folder, poses, says in [
        (empty, None, "is not a run"),
        (tmp_path / "none", None, "is not a run"),
        (other, None, "format_version 99"),
        (broken, None, "model.safetensors"),
        (untrained, None, "train 3"),
        (run, empty, "no such file"),
        (run, badly_scored, r"METRICS\.json: labels is missing"),
    ]:
        with pytest.raises(BadInputError, match=says) as caught:
            write_report(ReportConfig(folder, tmp_path / "out" / "page.html", poses))
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()


def test_descriptions(tmp_path):
    run = write_run(tmp_path / "run")
    described = describe_run(run)
    for words in ["unsupervised", "64 px", "12 of 90", "12.0 min", "prior 0.091, paired 0.083"]:
        assert words in described
    poses = write_prediction(tmp_path / "poses")
    for path in (poses, poses / "poses.npz"):
        assert "poses: 12, people: 1, frames: 12" in describe_poses(path)
        assert "frames 0 to 11 at 25 a second" in describe_poses(path)
    (tmp_path / "junk.npz").write_text("junk")
    with pytest.raises(BadInputError, match="no npz file"):
        describe_poses(tmp_path / "junk.npz")


def test_runs_are_read_as_files(tmp_path):
    run = write_run(tmp_path / "run")
    assert count_parameters(run) == 100
    with (run / "log.jsonl").open("a") as log:
        log.write('[1]\n{"a": 1}\n{"step": 13')
    assert len(read_log(run)) == 12
    images = read_last_images(run)
    assert images is not None and images[0] == 10
    assert read_last_images(write_run(tmp_path / "other", images=False)) is None
    (run / "images" / "step_00000011.npz").write_text("cut short")
    with pytest.raises(BadInputError, match="is broken"):
        read_last_images(run)
