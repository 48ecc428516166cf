"""People who are cut at the waist are seen as large as whole ones; beyond the image nothing is."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinepose.dataset.config import StreamConfig
from kinepose.dataset.render_stream import label_renders
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.inference import predict as predict_module
from kinepose.inference.beyond_border import LENGTHS, guess_beyond, reach_below
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import find_poses
from kinepose.synthetic.single_images import render_sequence
from kinepose.video.config import PeopleConfig
from kinepose.video.cropping import Rows
from kinepose.video.writing import write_video

WIDTH, HEIGHT = 640, 480
UPPER = [i for i, name in enumerate(JOINT_NAMES) if not name.endswith(("hip", "knee", "ankle"))]


def rows_of_two(seconds=3, fps=4, bottoms=(480.0, 480.0)) -> Rows:
    """Two people beside each other, in order of frames, whose boxes end at these heights."""
    frame = np.repeat(np.arange(seconds * fps), 2)
    track = np.tile([0, 1], seconds * fps)
    left = np.where(track == 0, 100.0, 400.0)
    bottom = np.where(track == 0, *bottoms)
    box = np.stack([left, bottom - 200, left + 100, bottom], axis=1)
    crop = np.stack([left + 50, bottom - 100, np.full(len(frame), 250.0)], axis=1)
    size = np.tile([WIDTH, HEIGHT], (len(frame), 1)).astype(float)
    return Rows(frame, track, frame / fps, box, crop, size)


class Looks:
    """What was looked at; people are `lengths` boxes long, and clear where crops are as large."""

    def __init__(self, lengths, clearest=0.8):
        self.lengths, self.clearest, self.rows = lengths, clearest, []

    def __call__(self, rows: Rows, tried: bool):
        self.rows.append(rows)
        assert tried == (len(self.rows) == 2)
        assert (np.diff(rows.frame) >= 0).all(), "as crops are given"
        people = zip(rows.track, rows.time, strict=True)
        true = np.array([self.lengths(track, time) for track, time in people])
        return self.clearest - 0.5 * np.abs(np.log(rows.crop[:, 2] / (1.25 * 200 * true)))


def test_crops_are_as_long_as_people_are():
    """One is twice as long as her box, and from the third second on as long; the other is whole."""
    looks = Looks(lambda track, time: 1.0 if track or time >= 2 else 2.0)
    rows = rows_of_two(seconds=4)
    found = reach_below(rows, looks, are_images=False)
    cut = (rows.track == 0) & (rows.time < 2)
    np.testing.assert_allclose(found.crop[cut], [[150, 480, 500]] * cut.sum())
    np.testing.assert_array_equal(found.crop[~cut], rows.crop[~cut])
    np.testing.assert_array_equal(found.box, rows.box)
    once, again = looks.rows
    assert len(once.frame) == 2 * 8 and len(again.frame) == 8 * (len(LENGTHS) - 1)


def test_a_look_that_errs_changes_nothing():
    looks = Looks(lambda _, time: 1.6 if time == 1 else 2.5)
    found = reach_below(rows_of_two(), looks, are_images=False)
    np.testing.assert_allclose(found.crop[:, 2], 2.5 * 250)


def test_the_head_stays_where_it_is_in_crops_of_any_length():
    for length in LENGTHS[1:]:
        found = reach_below(rows_of_two(), Looks(lambda *_, true=length: true), are_images=True)
        above = found.crop[:, 1] - found.crop[:, 2] / 2 / 1.25
        np.testing.assert_allclose(above, 280.0, err_msg="the upper end of the box")


@pytest.mark.parametrize(
    ("bottoms", "clearest", "times"),
    [((400.0, 300.0), 0.2, 0), ((420.0, 300.0), 0.2, 2), ((480.0, 480.0), 0.61, 1)],
)
def test_who_is_far_from_the_border_or_clear_is_left_alone(bottoms, clearest, times):
    looks = Looks(lambda *_: 1.0, clearest)
    rows = rows_of_two(bottoms=bottoms)
    np.testing.assert_array_equal(reach_below(rows, looks, are_images=False).crop, rows.crop)
    assert len(looks.rows) == times


def test_who_lies_is_left_alone_and_who_spreads_his_arms_is_not():
    rows = rows_of_two()
    lying = replace(rows, box=rows.box + np.array([-110, 0, 110, 0]))
    assert reach_below(lying, Looks(lambda *_: 2.0), are_images=False) is lying
    box = rows.box + np.array([-80, 0, 80, 0])  # 260 wide, 200 high
    wide = replace(rows, box=box, crop=rows.crop * np.array([1, 1, 1.3]))
    found = reach_below(wide, Looks(lambda *_: 2.0), are_images=False)
    np.testing.assert_allclose(
        found.crop, np.column_stack([rows.crop[:, 0], 0 * rows.crop[:, :2] + [480, 500]])
    )


def test_a_longer_crop_must_be_surer_by_more_than_a_little():
    for surer, wins in [(0.04, False), (0.06, True)]:
        rows = rows_of_two()

        def look(rows, tried, more=surer):
            return np.full(len(rows.frame), 0.4 + (more if tried else 0.0))

        found = reach_below(rows, look, are_images=True)
        assert (found.crop != rows.crop).any() == wins


def test_of_images_each_is_decided_by_itself():
    looks = Looks(lambda track, time: 2.0 if time % 0.5 else 1.0, 0.65)
    rows = rows_of_two()
    found = reach_below(rows, looks, are_images=True)
    np.testing.assert_allclose(found.crop[:, 2], np.where(rows.time % 0.5, 500.0, 250.0))


@pytest.mark.parametrize("place", [(0.1, 0.85), (-0.85, 0.1)])
def test_a_joint_beyond_the_image_counts_for_nothing(tiny_model, place):
    """Below, and at the left; nor does it matter how far."""
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        poses = tiny_model.predict(images)
        seen = poses.keypoints
        joints2d = 0.5 * seen.joints2d
        joints2d[2, 3] = 0.95 * torch.tensor(place)  # on the border
        rows = rows_of_two(seconds=1, fps=2).some(np.arange(3))
        rows = replace(rows, crop=np.tile([80.0, 400.0, 200.0], (3, 1)))  # 0.8 each way to borders
        results = []
        for far in (1.0, 1.1):
            joints2d[1, 6] = far * torch.tensor(place)
            lifted = tiny_model.lift(joints2d.clone(), seen.certainty)
            results.append((lifted, guess_beyond(tiny_model, lifted, rows)))
    (before, near), (_, far) = results
    assert near.keypoints.certainty[1, 6] == 0
    assert (near.keypoints.certainty > 0).sum() == 3 * 17 - 1
    for name in ("parameters", "joints3d", "joints2d", "camera"):
        torch.testing.assert_close(getattr(near, name), getattr(far, name))
        same, other = getattr(near, name), getattr(before, name)
        assert torch.equal(same[[0, 2]], other[[0, 2]]) and not torch.equal(same[1], other[1])


@pytest.mark.parametrize("as_video", [False, True])
def test_cut_at_the_waist_people_keep_their_arms(tmp_path, monkeypatch, as_video):
    """Renders of one person, by the package's weights; in a video, one a second."""
    prior = label_renders(render_sequence(StreamConfig(size=256, dressed=1.0), 3, 2))
    places = 128 * (prior.joints2d + 1)
    neck, hips = (JOINT_NAMES.index(name) for name in ("neck", "pelvis"))
    upright = places[:, hips, 1] - places[:, neck, 1] > 40
    waist = float(np.median(places[upright, hips, 1])) + 6
    upright = np.flatnonzero(upright & (np.abs(places[:, hips, 1] - waist) < 10))
    end = round(waist) // 2 * 2
    stills = np.where(prior.mask[upright, :end, :, None] > 0, prior.image[upright, :end], 128)
    path = tmp_path / ("video.mp4" if as_video else "images")
    if as_video:
        write_video(path, iter(stills.astype(np.uint8)), 1.0)
    else:
        path.mkdir()
        for number, still in enumerate(stills):
            cv2.imwrite(str(path / f"{number:02d}.png"), still[..., ::-1])
    with (tmp_path / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "track", "x0", "y0", "x1", "y1"])
        for number, mask in enumerate(prior.mask[upright, :end]):
            y, x = np.nonzero(mask > 128)
            writer.writerow([number, 0, x.min(), y.min(), x.max() + 1, end])
    people = PeopleConfig(detector="file", boxes=tmp_path / "boxes.csv", longest_gap=5.0)
    config = PredictConfig(
        path, tmp_path, people=people, views=1, lift_window=0.0, pose_smoothing=0.0
    )

    def errors():
        poses = find_poses(config)
        away = np.linalg.norm(poses.joints2d - places[upright[poses.frame]], axis=-1)[:, UPPER]
        return away.mean(), poses.confidence

    found, confidence = errors()
    monkeypatch.setattr(predict_module, "reach_below", lambda rows, *_: rows)
    before, _ = errors()
    assert found < 0.6 * before
    assert (confidence[:, [3, 6]] == 0).mean() > 0.5, "ankles"
