"""docs/extending.md does what it says: its Python and its commands are run, section by section."""

import glob
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import TINY_MODEL, run_here

from kinepose.artifacts.pose_files import VideoPoses, read_labels, write_poses
from kinepose.artifacts.run_folder import read_log, read_run_config
from kinepose.dataset.clip_set import read_clips
from kinepose.training.config import TrainConfig
from kinepose.training.losses import LOSSES
from kinepose.training.train import train

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.M | re.S)


@pytest.fixture
def follow(monkeypatch, capsys, tmp_path):
    """Do what a section of the page says, in an empty folder; what its names stand for then."""
    monkeypatch.chdir(tmp_path)

    def follow(section: str) -> dict:
        names: dict = {}
        for kind, text in BLOCK.findall(SECTIONS[section]):
            if kind == "python":
                exec(compile(text, f"docs/extending.md: {section}", "exec"), names)
                continue
            for line in text.splitlines():
                command, *words = shlex.split(line)
                assert command == "kinepose"
                found = [path for word in words for path in sorted(glob.glob(word)) or [word]]
                assert run_here(monkeypatch, capsys, *found)[0] == 0
        return names

    return follow


def test_a_data_set(videos, tmp_path, follow):
    (tmp_path / "dancers").mkdir()
    truth = {}
    for video in (videos / "films").glob("*.mp4"):
        (tmp_path / "dancers" / video.name).symlink_to(video)
        truth[video.stem] = labels = read_labels(videos / "labels" / f"{video.stem}.npz")
        path = tmp_path / "dancers" / f"{video.stem}.npz"
        np.savez(path, joints2d=labels.joints2d, joints3d=labels.joints3d)
    follow("A data set")
    for name, labels in truth.items():
        laid_out = read_labels(tmp_path / "laid-out" / "labels" / f"{name}.npz")
        np.testing.assert_array_equal(laid_out.joints3d, labels.joints3d)
        assert laid_out.focal == pytest.approx(float(labels.focal), rel=0.01)
    clips = read_clips((tmp_path / "clips",))
    assert {Path(video).stem for video in clips.table["video"].to_pylist()} <= truth.keys()
    assert len(clips.table) >= 20


def test_a_loss(clips, tmp_path, follow):
    mirror = follow("A loss")["MIRROR"]
    config = TrainConfig(
        tmp_path / "run", (clips,), iterations=10, warm_up=2, consistency_from=4, batch_size=2
    )
    config = replace(config, model=TINY_MODEL, prior_images=4, device="cpu")
    train(config, losses=(*LOSSES, mirror))
    log = read_log(tmp_path / "run")
    turns = [line for line in log if line["loss"] == "mirror"]
    assert turns and all(line["step"] > 4 and line["mirror"] > 0 for line in turns)
    train(replace(config, iterations=14), losses=(*LOSSES, mirror))
    assert len(read_log(tmp_path / "run")) == 14
    assert read_run_config(tmp_path / "run").turns["mirror"] > len(turns)


def test_a_backbone(follow):
    model = follow("A backbone")["model"]
    _, _, joints3d, _ = model(torch.rand(2, 3, 64, 64))
    joints3d.sum().backward()
    first = next(model.pose_encoder.backbone.network.parameters())
    assert first.grad is not None and first.grad.abs().sum() > 0


def test_an_export_format(follow, tmp_path):
    frames, joints = 5, np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float32)
    root = np.linspace([0, 0, 3000], [400, 0, 3000], frames).astype(np.float32)
    poses = VideoPoses(
        video=np.array("walk.mp4"),
        frame=np.arange(frames),
        time=np.arange(frames) / 10,
        image=np.full(frames, ""),
        track=np.full(frames, 7),
        box=np.tile(np.float32([0, 0, 10, 20]), (frames, 1)),
        joints2d=joints[..., :2],
        joints3d=joints - joints[:, :1],
        confidence=np.ones((frames, 17), np.float32),
        root=root,
        focal=np.full(frames, 500, np.float32),
        energy=np.full(frames, np.nan, np.float32),
        fps=np.array(10, np.float32),
    )
    write_poses(tmp_path / "poses.npz", poses)
    follow("An export format")
    written = np.loadtxt(tmp_path / "track_7.pelvis")
    np.testing.assert_allclose(written, root * [1, -1, -1] / 1000, atol=1e-6)


def test_every_section_is_followed_here():
    followed = {"A data set", "A loss", "A backbone", "An export format"}
    assert {name for name, text in SECTIONS.items() if "```" in text} == followed
