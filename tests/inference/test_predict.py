"""predict.py on a tiny video, with a tiny model whose weights are random."""

import csv
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from kinepose.artifacts.model_files import load_model, new_model, save_model
from kinepose.artifacts.pose_files import read_poses
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import predict
from kinepose.inference.temporal_filter import repair_sides, smooth_poses
from kinepose.inference.temporal_lifting import lift_over_time
from kinepose.io.errors import BadInputError
from kinepose.method.config import ModelConfig
from kinepose.method.forward_kinematics import stature
from kinepose.video.config import PeopleConfig
from kinepose.video.cropping import batches_with_sources, source_rows
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video

WIDTH, HEIGHT, FPS, FRAMES = 96, 128, 10.0, 25


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    config = ModelConfig(
        image_size=32,
        map_size=8,
        extended_camera=True,
        pretrained=None,
        backbone_stem=8,
        backbone_widths=(8, 8, 16),
        backbone_depths=(1, 1, 1),
        backbone_block="basic",
        branch_cells=2,
        branch_width=16,
        appearance_widths=(8,) * 10,
        pose_feature_width=8,
        decoder_widths=(8, 8, 8),
    )
    folder = tmp_path_factory.mktemp("run")
    save_model(new_model(config), folder)
    return folder


def frame_image(index):
    """Two figures before a gradient: one walks to the right, one stands from frame 5 to 19."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = np.linspace(60, 120, WIDTH)[None, :, None]
    x = 20 + index
    cv2.rectangle(image, (x, 30), (x + 15, 100), (220, 60, 40), -1)
    if 5 <= index < 20:
        cv2.rectangle(image, (70, 40), (84, 110), (40, 200, 90), -1)
    return image


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "two.mp4"
    write_video(path, (frame_image(i) for i in range(FRAMES)), FPS)
    return path


@pytest.fixture(scope="module")
def boxes(video):
    path = video.with_suffix(".csv")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "track", "x0", "y0", "x1", "y1"])
        for i in range(FRAMES):
            writer.writerow([i, 3, 20 + i, 30, 35 + i, 100])
            if 5 <= i < 20:
                writer.writerow([i, 8, 70, 40, 84, 110])
    return path


def predicted(video, run, output, **settings):
    predict(PredictConfig(video, output, run, device="cpu", viewer=False, **settings))
    return read_poses(output)


@pytest.fixture(scope="module")
def both(video, run, boxes, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "poses"
    people = PeopleConfig(detector="file", boxes=boxes)
    return output, predicted(video, run, output, people=people, batch_size=4)


def test_every_box_gets_a_pose_in_the_order_of_the_video(both):
    _, poses = both
    expected = [(i, t) for i in range(FRAMES) for t in (3, 8) if t == 3 or 5 <= i < 20]
    assert list(zip(poses.frame, poses.track, strict=True)) == expected
    assert poses.fps == FPS
    standing = poses.box[poses.track == 8]
    np.testing.assert_allclose(standing, np.tile([70, 40, 84, 110], (15, 1)), atol=0.5)
    assert np.isfinite(poses.energy).all() and (poses.energy > 0).all()
    assert (poses.confidence >= 0).all() and (poses.confidence <= 1).all()
    assert poses.video == "two.mp4" and set(poses.image.tolist()) == {""}
    np.testing.assert_allclose(poses.time, poses.frame / FPS, atol=1e-3)


def test_joints3d_hang_at_the_pelvis_and_are_as_tall_as_asked(both, video, run, tmp_path):
    _, poses = both
    assert (poses.joints3d[:, 0] == 0).all()
    tall = stature(torch.from_numpy(poses.joints3d)).numpy()
    np.testing.assert_allclose(tall, 1700, rtol=1e-4)
    settings = {"people": PeopleConfig(detector="none"), "energy": False, "overlay": False}
    short = predicted(video, run, tmp_path, height=900.0, **settings)
    np.testing.assert_allclose(stature(torch.from_numpy(short.joints3d)).numpy(), 900, rtol=1e-4)
    assert np.isnan(short.energy).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poses.npz", "results.json"]


def test_joints2d_lie_near_the_person(both):
    """A crop is 1.4 box heights wide; an untrained net puts the pelvis near its middle."""
    _, poses = both
    middle = (poses.box[:, :2] + poses.box[:, 2:]) / 2
    assert (np.abs(poses.joints2d[:, 0] - middle) < 70).all()
    assert np.ptp(poses.joints2d[:, :, 1], axis=1).max() < 1.4 * 80


def shown(poses, size):
    """Where a pinhole camera of that focal length sees joints3d about root [px]."""
    joints = poses.joints3d + poses.root[:, None]
    focal = poses.focal[:, None, None]
    return focal * joints[..., :2] / joints[..., 2:] + np.reshape(size, (-1, 1, 2)) / 2


def test_the_camera_would_show_the_people_where_the_image_does(both):
    _, poses = both
    np.testing.assert_allclose(poses.focal, np.hypot(WIDTH, HEIGHT), rtol=1e-6)
    missed = np.linalg.norm(shown(poses, [WIDTH, HEIGHT]) - poses.joints2d, axis=-1)
    assert missed.mean() < 2  # people are 70 px tall, and T_c always 3 canonical units away
    assert (poses.root[:, 2] > 500).all()
    walker = poses.root[poses.track == 3]
    assert walker[-1, 0] > walker[0, 0] + 200  # the one who walks to the right


def test_a_longer_lens_puts_people_farther_away(both, video, run, boxes, tmp_path):
    _, poses = both
    settings = {"energy": False, "overlay": False, "formats": ("csv", "trc")}
    people = PeopleConfig(detector="file", boxes=boxes)
    far = predicted(video, run, tmp_path, focal=1600.0, people=people, **settings)
    assert (far.focal == 1600).all()
    np.testing.assert_allclose(far.root[:, 2] / poses.root[:, 2], 10, rtol=0.1)
    names = ["poses.csv", "poses.npz", "results.json", "track_3.trc", "track_8.trc"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_images_have_a_focal_length_each(run, tmp_path):
    for name, size in (("a.png", (96, 128)), ("b.png", (300, 400))):
        cv2.imwrite(str(tmp_path / name), cv2.resize(frame_image(5), size))
    people = PeopleConfig(detector="none")
    poses = predicted(tmp_path, run, tmp_path / "out", people=people, overlay=False)
    np.testing.assert_allclose(poses.focal, [160, 500])
    missed = np.linalg.norm(shown(poses, [[96, 128], [300, 400]]) - poses.joints2d, axis=-1)
    assert (missed.mean(-1) < [3, 9]).all()


def test_poses_do_not_depend_on_the_size_of_a_batch(both, video, run, boxes, tmp_path):
    _, poses = both
    people = PeopleConfig(detector="file", boxes=boxes)
    again = predicted(video, run, tmp_path, people=people, batch_size=64, overlay=False)
    np.testing.assert_allclose(again.joints3d, poses.joints3d, atol=0.1)
    np.testing.assert_allclose(again.energy, poses.energy, rtol=1e-3)


def test_a_video_is_steadied_unless_told_otherwise(both, video, run, boxes, tmp_path):
    _, poses = both
    settings = {
        "people": PeopleConfig(detector="file", boxes=boxes),
        "energy": False,
        "overlay": False,
    }
    alone = {"pose_smoothing": 0.0, "lift_window": 0.0, "repair_sides": False}
    raw = predicted(video, run, tmp_path, batch_size=4, **alone, **settings)
    lifted = lift_over_time(load_model(run), raw, 0.16, 1700.0, (96, 128))
    again = smooth_poses(repair_sides(lifted), PredictConfig.pose_smoothing)
    np.testing.assert_allclose(again.joints3d, poses.joints3d, atol=0.01)
    np.testing.assert_allclose(again.joints2d, poses.joints2d, atol=0.01)
    with pytest.raises(BadInputError, match="--pose-smoothing"):
        predicted(video, run, tmp_path, pose_smoothing=-1.0, **settings)


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


def test_images_stand_alone(run, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for i, name in enumerate(["b.png", "a.png", "c.png"]):
        cv2.imwrite(str(images / name), frame_image(8 * i))
    people = PeopleConfig(detector="none")
    folder = predicted(images, run, tmp_path / "folder", people=people)
    alone = predicted(images / "b.png", run, tmp_path / "one", people=people)
    assert folder.frame.tolist() == [0, 1, 2] and folder.fps == 0
    np.testing.assert_allclose(alone.joints3d[0], folder.joints3d[1], atol=0.1)
    np.testing.assert_allclose(alone.energy[0], folder.energy[1], rtol=1e-3)
    drawn = sorted(path.name for path in (tmp_path / "folder" / "overlay").iterdir())
    assert drawn == ["a.png.png", "b.png.png", "c.png.png"]
    assert folder.image.tolist() == ["a.png", "b.png", "c.png"] and np.isnan(folder.time).all()


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
    ],
)
def test_settings_are_refused_before_the_video_is_read(settings, says, run, tmp_path):
    settings = dict(settings)
    with pytest.raises(BadInputError, match=says):
        people = PeopleConfig(**settings.pop("people", {}))
        video, output = tmp_path / "none.mp4", tmp_path / "out"
        predict(PredictConfig(video, output, run, people, **settings))
    assert not (tmp_path / "out").exists()


def test_source_rows_by_hand():
    time = np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0])
    track = np.array([0, 1, 0, 1, 0, 1, 0, 0])
    sources = source_rows(track, time, gap=1.0)
    # Track 0 is rows 0 2 4 6 7: a second later, and for the last two a second earlier.
    assert sources[[0, 2, 4, 6, 7]].tolist() == [4, 6, 7, 2, 4]
    # Track 1 is rows 1 3 5, one second long: the middle one has no row so far away.
    assert sources[[1, 5]].tolist() == [5, 1] and sources[3] in (1, 5)
    assert source_rows(np.array([4]), np.array([0.0]), 1.0).tolist() == [0]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_bring_every_row_once_with_its_source(batch_size):
    rng = np.random.default_rng(0)
    count = 60
    sources = np.clip(np.arange(count) + rng.integers(-7, 8, count), 0, count - 1)
    crops = (np.full((2, 2, 3), i, np.uint8) for i in range(count))
    seen = []
    for rows, images, lent in batches_with_sources(crops, sources, batch_size):
        assert 0 < len(rows) <= batch_size
        assert [image[0, 0, 0] for image in images] == rows.tolist()
        assert [image[0, 0, 0] for image in lent] == sources[rows].tolist()
        seen += rows.tolist()
    assert sorted(seen) == list(range(count))


def test_batches_hold_no_more_than_the_gap_needs():
    """Of 3000 crops no more than the gap and a few batches are alive at once."""
    alive = set()

    def crops(count):
        for number in range(count):
            crop = np.zeros((2, 2, 3), np.uint8)
            alive.add(number)
            weakref.finalize(crop, alive.discard, number)
            yield crop

    count, most = 3000, 0
    sources = source_rows(np.zeros(count, np.int64), np.arange(count) / 10, gap=2.0)
    for _ in batches_with_sources(crops(count), sources, 8):
        most = max(most, len(alive))
    assert 20 < most < 2 * 20 + 4 * 8
