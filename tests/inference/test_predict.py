"""predict.py on a tiny video, with a tiny model whose weights are random: the poses."""

import cv2
import numpy as np
import pytest
import torch
from tests.inference.two_figures import FPS, FRAMES, HEIGHT, WIDTH, frame_image, predicted

from kinepose.artifacts.model_files import load_model, save_model
from kinepose.geometry.skeleton import MIRRORED
from kinepose.inference import predict
from kinepose.inference.config import PredictConfig
from kinepose.inference.temporal_filter import repair_sides, smooth_poses
from kinepose.inference.temporal_lifting import lift_over_time
from kinepose.io.errors import BadInputError
from kinepose.method.forward_kinematics import stature
from kinepose.video.config import PeopleConfig


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


def test_half_precision_says_nearly_the_same(both, video, run, boxes, tmp_path):
    """The same 8 bits of mantissa on every machine: some of a hundred mm, but not nothing."""
    _, poses = both
    people = PeopleConfig(detector="file", boxes=boxes)
    half = predicted(video, run, tmp_path, bfloat16=True, people=people, overlay=False)
    off = np.linalg.norm(half.joints3d - poses.joints3d, axis=-1)
    assert 0.01 < off.mean() < 10


def test_a_video_is_steadied_unless_told_otherwise(both, video, run, boxes, tmp_path):
    _, poses = both
    settings = {
        "people": PeopleConfig(detector="file", boxes=boxes),
        "energy": False,
        "overlay": False,
    }
    alone = {"pose_smoothing": 0.0, "lift_window": 0.0, "repair_sides": False}
    raw = predicted(video, run, tmp_path, batch_size=4, **alone, **settings)
    seen = np.ones(len(raw.frame), bool)
    lifted = lift_over_time(load_model(run), raw, 0.16, 1700.0, (96, 128), seen)
    again = smooth_poses(repair_sides(lifted), PredictConfig.pose_smoothing)
    np.testing.assert_allclose(again.joints3d, poses.joints3d, atol=0.01)
    np.testing.assert_allclose(again.joints2d, poses.joints2d, atol=0.01)
    with pytest.raises(BadInputError, match="--pose-smoothing"):
        predicted(video, run, tmp_path, pose_smoothing=-1.0, **settings)


def test_a_mirrored_photograph_has_the_mirrored_joints(tiny_model, tmp_path):
    """As E_P sees both of each; what it says of one alone differs."""
    images, run = tmp_path / "images", tmp_path / "run"
    save_model(tiny_model, run)
    images.mkdir()
    cv2.imwrite(str(images / "a.png"), frame_image(3))
    cv2.imwrite(str(images / "b.png"), cv2.flip(frame_image(3), 1))
    people = PeopleConfig(detector="none")
    poses = predicted(images, run, tmp_path / "poses", people=people)
    mirrored = poses.joints2d[1][list(MIRRORED)]
    mirrored[:, 0] = WIDTH - mirrored[:, 0]
    np.testing.assert_allclose(poses.joints2d[0], mirrored, atol=0.1)
    np.testing.assert_allclose(poses.confidence[0], poses.confidence[1][list(MIRRORED)], atol=1e-3)


def test_a_video_is_looked_at_in_two_ways(tiny_model, video, tmp_path):
    run, people = tmp_path / "run", PeopleConfig(detector="none")
    save_model(tiny_model, run)
    usual, two, one = (
        predicted(video, run, tmp_path / str(views), people=people, overlay=False, views=views)
        for views in (0, 2, 1)
    )
    np.testing.assert_array_equal(usual.joints2d, two.joints2d)
    assert np.abs(usual.joints2d - one.joints2d).max() > 1


def test_what_was_looked_at_counts(tiny_model, video, tmp_path, monkeypatch):
    """At 5 of its 10 frames a second every second one."""
    run, people = tmp_path / "run", PeopleConfig(detector="none")
    save_model(tiny_model, run)
    told = []
    lift = predict.lift_over_time
    monkeypatch.setattr(predict, "lift_over_time", lambda *a: told.append(a[-1]) or lift(*a))
    predicted(video, run, tmp_path / "out", people=people, overlay=False, pose_rate=5.0)
    assert len(told[0]) > 10 and (told[0][1:] != told[0][:-1]).all()


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


def test_people_are_looked_for_where_it_is_told_to_compute(run, tmp_path, monkeypatch):
    """Not on a GPU that torch says it has, but has not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cv2.imwrite(str(tmp_path / "a.png"), frame_image(10))
    people = PeopleConfig("people", detector_threshold=1e-4)
    poses = predicted(tmp_path / "a.png", run, tmp_path / "out", people=people, overlay=False)
    assert len(poses.frame) > 0
