"""Labels of clips: whose they are, where in the crop, in which frames of reference."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from kinepose.artifacts.pose_files import VideoLabels, write_labels
from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.clips import SCHEMA
from kinepose.dataset.labels import read_clip_labels
from kinepose.geometry.skeleton import PELVIS
from kinepose.io.errors import BadInputError
from kinepose.synthetic.body import Person, load_body, pose_body

CROP = (200.0, 100.0, 160.0)
"""Centre and side [px]."""


def clips(*keys: tuple[str, int, int]) -> ClipSet:
    """Rows of these videos, frames and tracks."""
    rows = [
        dict.fromkeys(SCHEMA.names)
        | {"video": video, "frame": frame, "track": track, "crop": list(CROP)}
        for video, frame, track in keys
    ]
    table = pa.Table.from_pylist(rows, SCHEMA)
    none = np.zeros((0, 2), np.int64)
    return ClipSet(table, np.zeros(len(rows)), none, none, np.ones(len(rows)))


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """Somebody upright, 5 m before the camera and beside its axis, y down [mm]."""
    rest, adult = torch.tensor([0.0, 0, 0, 1]).repeat(1, 13, 1), Person(0.5, 0.67, *[0.5] * 4)
    joints = pose_body(load_body(), adult, rest)[1][0].numpy()
    upright = 1000 * joints[:, [0, 2, 1]] * [1, -1, 1]
    return (upright - upright[PELVIS] + [1500, 0, 5000]).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, body: np.ndarray) -> Path:
    """Labels of a.mp4: frames 0 to 4 of track 0, 2 to 4 of track 1; joints say which they are."""
    frame, track = np.array([0, 1, 2, 3, 4, 2, 3, 4]), np.array([0] * 5 + [1] * 3)
    joints2d = np.tile(np.float32(CROP[:2]), (8, 17, 1))
    joints2d[:, 0] += np.stack([8.0 * frame, 40.0 * track], -1)
    joints3d = np.tile(body, (8, 1, 1))
    number = np.array(1, np.float32)
    write_labels(tmp_path / "a.npz", VideoLabels(frame, track, joints2d, joints3d, number, number))
    return tmp_path


def test_labels_go_by_video_frame_and_track(folder: Path):
    asked = clips(("b.mp4", 2, 0), ("a.mp4", 2, 1), ("a.mp4", 9, 0), ("a.mp4", 3, 0))
    labels = read_clip_labels([folder / "none", folder], asked, 1.0, seed=0)
    assert labels.rows.tolist() == [1, 3]
    half = CROP[2] / 2
    expected = [[16 / half, 40 / half], [24 / half, 0.0]]
    np.testing.assert_allclose(labels.joints2d[:, 0], expected, atol=1e-6)
    assert (labels.joints2d[:, 1:] == 0).all(), "the middle of the crop"


def test_the_body_turned_and_put_back_is_the_one_before_the_camera(folder: Path, body: np.ndarray):
    """Towards the camera's axis by the angle at which the pelvis is seen."""
    labels = read_clip_labels([folder], clips(("a.mp4", 0, 0)), 1.0, seed=0)
    turned = labels.joints3d[0] @ labels.rotation[0].T
    angle = np.arctan2(1500, 5000)
    c, s = np.cos(angle), np.sin(angle)
    about_y = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    expected = (body - body[PELVIS]) @ about_y.T
    scale = np.linalg.norm(turned) / np.linalg.norm(expected)
    np.testing.assert_allclose(turned / scale, expected, atol=1.0)  # [mm]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_share_may_be_used_in_3d_the_same_by_seed(folder: Path, share: float):
    asked = clips(*(("a.mp4", i, 0) for i in range(5)), *(("a.mp4", i, 1) for i in (2, 3, 4)))
    first, again, other = (read_clip_labels([folder], asked, share, s) for s in (1, 1, 2))
    assert len(first.rows) == 8 and len(first.has_joints3d) == max(1, round(8 * share))
    assert first.has_joints3d.tolist() == again.has_joints3d.tolist()
    assert share != 0.5 or first.has_joints3d.tolist() != other.has_joints3d.tolist()


def test_labels_of_nobody_here_are_refused(folder: Path):
    for key in (("b.mp4", 0, 0), ("a.mp4", 0, 1), ("a.mp4", 7, 0)):
        with pytest.raises(BadInputError, match="no frame of the clips has a label"):
            read_clip_labels([folder], clips(key), 1.0, seed=0)
