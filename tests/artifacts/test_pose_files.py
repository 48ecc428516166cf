"""poses.npz and labels: what is written is read again, that of earlier versions too."""

from dataclasses import replace

import numpy as np
import pytest

from kinepose.artifacts.pose_files import (
    VideoLabels,
    VideoPoses,
    describe_poses,
    read_labels,
    read_poses,
    write_labels,
    write_poses,
)
from kinepose.io.errors import BadInputError

ROWS = 4


@pytest.fixture
def poses() -> VideoPoses:
    rng = np.random.default_rng(0)
    joints = rng.normal(0, 300, (ROWS, 17, 3)).astype(np.float32)
    return VideoPoses(
        video=np.array("walk.mp4"),
        frame=np.arange(ROWS),
        time=np.arange(ROWS) / 25,
        image=np.full(ROWS, ""),
        track=np.repeat([3, 7], 2),
        box=np.tile(np.float32([0, 0, 30, 60]), (ROWS, 1)),
        joints2d=joints[..., :2],
        joints3d=joints,
        confidence=rng.random((ROWS, 17), np.float32),
        root=np.tile(np.float32([0, 0, 5000]), (ROWS, 1)),
        focal=np.full(ROWS, 500, np.float32),
        energy=np.full(ROWS, np.nan, np.float32),
        fps=np.array(25, np.float32),
    )


def same(first: VideoPoses | VideoLabels, second: VideoPoses | VideoLabels) -> bool:
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def test_poses_are_read_as_they_were_written(poses, tmp_path):
    write_poses(tmp_path / "poses.npz", poses)
    assert same(read_poses(tmp_path / "poses.npz"), poses)
    assert same(read_poses(tmp_path), poses), "the folder that `predict` writes"
    assert "4, people: 2, frames: 4" in describe_poses(tmp_path / "poses.npz")


def test_an_energy_that_nobody_asked_for_is_not_in_the_file(poses, tmp_path):
    path = tmp_path / "poses.npz"
    write_poses(path, poses)
    with np.load(path, allow_pickle=False) as held:
        assert "energy" not in held
        older = dict(held) | {"energy": poses.energy}
    np.savez(path, **older)
    assert same(read_poses(path), poses), "as it was written before"
    asked = replace(poses, energy=np.float32([1, 2, 3, np.nan]))
    write_poses(path, asked)
    assert same(read_poses(path), asked)


def test_poses_that_call_the_video_as_version_4_did_are_the_same(poses, tmp_path):
    path = tmp_path / "poses.npz"
    write_poses(path, poses)
    with np.load(path, allow_pickle=False) as held:
        older = dict(held)
    older["film"] = older.pop("video")
    np.savez(path, **older | {"format_version": np.array(4)})
    assert same(read_poses(path), poses)
    np.savez(path, **older | {"format_version": np.array(3)})
    with pytest.raises(BadInputError, match=r"that we read: its format version: 3"):
        read_poses(path)


def test_labels_are_read_as_they_were_written(poses, tmp_path):
    lens = np.array(500, np.float32)
    labels = VideoLabels(poses.frame, poses.track, poses.joints2d, poses.joints3d, lens, poses.fps)
    write_labels(tmp_path / "walk.npz", labels)
    assert same(read_labels(tmp_path / "walk.npz"), labels)
    assert "labels: 4" in describe_poses(tmp_path / "walk.npz")
    with pytest.raises(BadInputError, match="holds no poses"):
        read_poses(tmp_path / "walk.npz")
