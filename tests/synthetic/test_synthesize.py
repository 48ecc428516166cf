import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from kinepose.artifacts.pose_files import read_labels
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError
from kinepose.method.forward_kinematics import (
    canonical_joints,
)
from kinepose.synthetic.config import MotionConfig, SceneConfig, SynthesizeConfig
from kinepose.synthetic.synthesize import synthesize
from kinepose.video.box_tables import read_boxes
from kinepose.video.reading import read_frames, video_info

FRAMES, SIZE = 8, 48
TINY = SynthesizeConfig(
    output=Path("videos"),
    videos=2,
    seconds=0.8,
    size=SIZE,
    fps=10,
    camera="mixed",
    seed=3,
    workers=1,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """One video by a static camera, one by a moving one."""
    folder = tmp_path_factory.mktemp("world") / "tiny"
    synthesize(replace(TINY, output=folder))
    return folder


@pytest.fixture(scope="module")
def mannequins(tmp_path_factory) -> Path:
    """The same of people who look foreign."""
    folder = tmp_path_factory.mktemp("world") / "foreign"
    synthesize(replace(TINY, output=folder, appearance="foreign"))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def frames_of(folder: Path, video: int) -> np.ndarray:
    frames = read_frames(folder / "films" / f"film_{video:04d}.mp4")
    return np.stack([frame.image for frame in frames]).astype(float)


def test_videos_labels_and_boxes_are_written_and_nothing_else(videos):
    assert sorted(contents(videos)) == [
        "boxes.csv",
        "films/film_0000.mp4",
        "films/film_0001.mp4",
        "labels/film_0000.npz",
        "labels/film_0001.npz",
    ]
    info = video_info(videos / "films/film_0001.mp4")
    assert (info.width, info.height, info.fps, info.frames) == (SIZE, SIZE, 10.0, FRAMES)


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path):
    """As a user runs it: in processes of its own.

    In a process that has done other things before, the last bit of a float32 may differ.
    """
    for workers in (1, 2):
        words = ("synthesize", "--output", tmp_path / str(workers), "--workers", workers)
        small = ("--videos", 2, "--seconds", 0.8, "--size", 48, "--fps", 10, "--camera", "mixed")
        rest = ("--occluders", 1, "--shutter", 0.5)
        command = [sys.executable, "-m", "kinepose", *map(str, (*words, *small, *rest))]
        subprocess.run(command, check=True, capture_output=True)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


@pytest.mark.parametrize("appearance", ["video", "foreign"])
def test_another_seed_gives_other_videos_and_a_video_does_not_depend_on_those_before_it(
    videos, mannequins, appearance, tmp_path
):
    videos = mannequins if appearance == "foreign" else videos
    synthesize(replace(TINY, output=tmp_path / "one", videos=1, appearance=appearance))
    synthesize(replace(TINY, output=tmp_path / "other", videos=1, seed=1, appearance=appearance))
    name = "films/film_0000.mp4"
    assert contents(tmp_path / "one")[name] == contents(videos)[name]
    assert contents(tmp_path / "other")[name] != contents(videos)[name]
    assert np.abs(frames_of(videos, 0) - frames_of(tmp_path / "other", 0)).mean() > 5
    assert np.abs(frames_of(videos, 0)[0] - frames_of(videos, 1)[0]).mean() > 5


def test_labels_are_what_the_readers_expect(videos):
    with np.load(videos / "labels/film_0000.npz", allow_pickle=False) as arrays:
        kinds = {name: (arrays[name].dtype, arrays[name].shape) for name in arrays.files}
        assert tuple(arrays["joint_names"].tolist()) == JOINT_NAMES
        assert arrays["format_version"] == 1
    assert kinds["frame"] == kinds["track"] == (np.int64, (FRAMES,))
    assert kinds["joints2d"] == (np.float32, (FRAMES, 17, 2))
    assert kinds["joints3d"] == (np.float32, (FRAMES, 17, 3))
    assert kinds["focal"] == kinds["fps"] == (np.float32, ())
    labels = read_labels(videos / "labels/film_0000.npz")
    assert labels.frame.tolist() == list(range(FRAMES)) and set(labels.track) == {0}
    assert labels.fps == 10


@pytest.mark.parametrize("video", [0, 1])
@pytest.mark.parametrize("appearance", ["video", "foreign"])
def test_labels_in_2d_are_opencvs_projection_of_those_in_3d(videos, mannequins, appearance, video):
    """Static camera or moving; OpenCV's pixels have their centres at whole numbers."""
    path = (mannequins if appearance == "foreign" else videos) / f"labels/film_{video:04d}.npz"
    labels = read_labels(path)
    lengths = np.load(path)["focal_by_frame"].astype(float)
    assert (np.ptp(lengths) > 0) == (video == 1), "moving cameras zoom"
    centre = SIZE / 2 - 0.5
    for frame, focal in enumerate(lengths):
        matrix = np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1]])
        joints3d = labels.joints3d[frame].astype(float)
        expected, _ = cv2.projectPoints(joints3d, np.zeros(3), np.zeros(3), matrix, None)
        assert np.abs(labels.joints2d[frame] - (expected[:, 0] + 0.5)).max() < 1e-3
    assert labels.joints3d[..., 2].min() > 1000, "[mm]"
    heights = np.linalg.norm(labels.joints3d[:, 10] - labels.joints3d[:, 0], axis=-1)
    assert 400 < heights.mean() < 1000, "from the pelvis to the top of the head [mm]"


def test_left_is_left_in_the_camera_too(videos, mannequins):
    """No label is of a mirror image: noses are before the neck, and knees bend backward."""
    paths = [path for folder in (videos, mannequins) for path in (folder / "labels").iterdir()]
    joints3d = np.concatenate([read_labels(path).joints3d for path in paths])
    joints, _ = canonical_joints(torch.from_numpy(joints3d).double())
    assert (joints[:, 9, 0] > joints[:, 8, 0]).all()
    thighs, shins = (
        torch.nn.functional.normalize(joints[:, end] - joints[:, start], dim=-1)
        for end, start in (([2, 5], [1, 4]), ([3, 6], [2, 5]))
    )
    axes = torch.linalg.cross(thighs, shins)
    bent = axes.norm(dim=-1) > 0.5
    leftward = (axes * (joints[:, 4] - joints[:, 1])[:, None]).sum(-1)
    assert bent.sum() > 5 and (leftward[bent] > 0).all()


def test_compression_and_photographs_are_seen_in_videos(tmp_path):
    """Before a green wall, coarse and fine."""
    (tmp_path / "wall").mkdir()
    cv2.imwrite(str(tmp_path / "wall" / "green.png"), np.full((64, 64, 3), (30, 220, 30), np.uint8))
    for name, rate in (("fine", 5), ("coarse", 45)):
        scene = SceneConfig(backgrounds=tmp_path / "wall", compression=rate)
        synthesize(replace(TINY, output=tmp_path / name, scene=scene))
    sizes = [
        (tmp_path / name / "films/film_0000.mp4").stat().st_size for name in ("fine", "coarse")
    ]
    assert sizes[0] > 2 * sizes[1]
    for video in (0, 1):
        red, green, blue = np.moveaxis(frames_of(tmp_path / "fine", video)[:, :4], -1, 0)
        assert np.median(green - np.maximum(red, blue)) > 60


@pytest.mark.parametrize("video", [0, 1])
def test_boxes_hold_the_joints(videos, video):
    boxes = read_boxes(videos / "boxes.csv")[f"film_{video:04d}.mp4"][0]
    labels = read_labels(videos / f"labels/film_{video:04d}.npz")
    assert set(boxes) <= set(range(FRAMES)) and len(boxes) >= FRAMES - 2
    for frame, (x0, y0, x1, y1) in boxes.items():
        low, high = labels.joints2d[frame].min(0), labels.joints2d[frame].max(0)
        slack = 2 + 0.12 * max(high - low)
        in_box = (low > [x0 - slack, y0 - slack]) & (high < [x1 + slack, y1 + slack])
        assert in_box.all() or min(x0, y0) <= 0 or max(x1, y1) >= SIZE
        assert x1 - x0 < (high - low)[0] + 2 * slack and y1 - y0 < (high - low)[1] + 3 * slack


def test_boxes_are_rows_of_a_csv(videos):
    with (videos / "boxes.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["film", "frame", "track", "x0", "y0", "x1", "y1"]
    assert {row[0] for row in rows[1:]} == {"film_0000.mp4", "film_0001.mp4"}


def test_the_background_stands_still_or_moves_as_its_camera_does(videos):
    """Along the upper border, where there are no people; means of many pixels tame the noise."""
    changes = []
    for video in (0, 1):
        blocks = frames_of(videos, video)[:, :6].reshape(2, FRAMES // 2, 6, SIZE // 6, 6, 3)
        before, after = blocks.mean((1, 2, 4))
        changes.append(np.abs(after - before).mean())
    assert changes[0] < 1 and changes[1] > 2 * changes[0]


def test_people_walk_about_before_static_cameras_but_for_a_share_of_videos(tmp_path):
    def ways(folder: Path, standing: float) -> list[float]:
        motion = MotionConfig(standing=standing)
        config = replace(TINY, output=folder, videos=4, seconds=5.0, fps=4, size=32)
        synthesize(replace(config, camera="static", motion=motion))
        labels = [read_labels(path) for path in sorted((folder / "labels").iterdir())]
        return [float(np.ptp(each.joints3d[:, 0, ::2], axis=0).max()) for each in labels]

    standing, roaming = ways(tmp_path / "standing", 1.0), ways(tmp_path / "roaming", 0.0)
    assert np.mean(standing) < 0.7 * np.mean(roaming)
    assert min(roaming) > 900


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"videos": 0}, "--videos 0"),
        ({"seconds": 0.0}, "less than a frame"),
        ({"seconds": 0.04}, "less than a frame"),
        ({"seconds": -1.0}, "--seconds -1.0: must be at least 0"),
        ({"seconds": float("nan")}, "--seconds nan"),
        ({"seconds": float("inf")}, "--seconds inf"),
        ({"fps": 0}, "--fps 0: must be at least 1"),
        ({"size": 33}, "--size 33"),
        ({"size": 16}, "--size 16"),
        ({"size": -2}, "--size -2"),
        ({"seed": -1}, "--seed -1"),
        ({"workers": -1}, "--workers -1"),
        ({"motion": {"captured": 0.0, "mixed": 0.0, "procedural": 0.0}}, "--captured"),
        ({"motion": {"mixed": -0.1}}, "--mixed -0.1"),
        ({"motion": {"speed": 0.5}}, "--speed 0.5"),
        ({"motion": {"standing": 1.5}}, "--standing 1.5"),
        ({"motion": {"longest_stay": 0.0}}, "--longest-stay 0.0"),
        ({"motion": {"longest_stay": float("inf")}}, "--longest-stay inf"),
        ({"motion": {"only": ("fly",)}}, "motion.only fly"),
        ({"scene": {"shutter": 2.0}}, "--shutter 2.0"),
        ({"scene": {"distance": (6.0, 4.0)}}, "--distance.*the smaller one first"),
        ({"scene": {"exposure": (float("nan"), 1.0)}}, "--exposure"),
    ],
)
def test_bad_settings_are_named_and_nothing_is_left(tmp_path, changes, message):
    output = tmp_path / "films"
    kinds = {"motion": MotionConfig, "scene": SceneConfig}
    with pytest.raises(BadInputError, match=message) as caught:
        made = {n: kinds[n](**v) if n in kinds else v for n, v in changes.items()}
        synthesize(replace(TINY, output=output, **made))
    assert "\n" not in str(caught.value)
    assert not output.exists()


@pytest.mark.parametrize("folder", ["missing", "empty", "broken"])
def test_bad_photographs_are_named_and_nothing_is_left(tmp_path, folder):
    photographs, output = tmp_path / folder, tmp_path / "films"
    if folder != "missing":
        photographs.mkdir()
    if folder == "broken":
        (photographs / "broken.png").write_bytes(b"no image")
    with pytest.raises(BadInputError, match=folder):
        synthesize(replace(TINY, output=output, scene=SceneConfig(backgrounds=photographs)))
    assert not output.exists()


def test_an_output_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(BadInputError, match="cannot write"):
        synthesize(replace(TINY, output=tmp_path / "taken"))
    assert contents(tmp_path) == {"taken": b"mine"}


def test_a_video_that_cannot_be_written_leaves_nothing_half_done(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/film_0000.npz").mkdir()
    with pytest.raises(BadInputError, match="cannot write"):
        synthesize(replace(TINY, output=tmp_path, videos=1))
    assert sorted(contents(tmp_path)) == ["films/film_0000.mp4"], "whole; no boxes, no part files"
