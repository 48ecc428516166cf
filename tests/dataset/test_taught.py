"""What a teacher says of clips, and the batches that are drawn of it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.clips import SCHEMA
from kinepose.dataset.config import CompositionConfig
from kinepose.dataset.pairs import load_images
from kinepose.dataset.taught import Taught, draw_taught, load_taught, save_taught, teach
from kinepose.geometry.agreement import agreeing
from kinepose.geometry.skeleton import MIRRORED
from kinepose.io.errors import BadInputError
from kinepose.method.confidence import joint_confidence

STORED, COUNT, SIZE = 112, 6, 96
SPOT = np.array([30.0, 70.0])
"""Where in the stored crop a spot lies [px]."""
RIGHT_HAND, LEFT_HAND = 16, 13
PLAIN = CompositionConfig(hidden=0.0, grey=0.0, blur=0.0, coarse=0.0, noise=0.0, jpeg=0.0)


@pytest.fixture
def clips(tmp_path: Path) -> ClipSet:
    """Two people's clips of three frames; a person's box is 0.8 of the crop, stored with 1.4."""
    rows = []
    for track in (0, 1):
        for frame in range(COUNT // 2):
            image = np.full((STORED, STORED, 3), 40 + 30 * frame + 10 * track, np.uint8)
            image[64:77, 24:37] = 255
            rows.append(
                {
                    **{"video": "a.mp4", "clip": 0, "track": track, "frame": frame},
                    **{"time": frame / 30, "paired": False, "fps": 30.0, "reason": "because"},
                    "image": cv2.imencode(".png", image)[1].tobytes(),
                    "box": [100.0, 100.0, 180.0, 200.0],
                    "crop": [140.0, 150.0, 140.0],
                    "background_motion": 1.0,
                }
            )
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "a.parquet")
    return read_clips([tmp_path], margin=1.25)


def taught_by(joints2d: np.ndarray, certainty: np.ndarray) -> Taught:
    crop = np.tile(np.array([140.0, 150.0, 125.0], np.float32), (COUNT, 1))
    return Taught(crop, joints2d.astype(np.float32), certainty.astype(np.float32))


def test_a_teacher_says_where_the_frames_of_a_clip_agree(tiny_model, clips):
    taught = teach(tiny_model, clips)
    with torch.inference_mode():
        images = load_images(clips, np.arange(COUNT), 32)
        poses = tiny_model.predict(images)
        sure = joint_confidence(tiny_model, images, poses)
    seen = poses.keypoints.joints2d.numpy().astype(float)
    for rows in (slice(0, 3), slice(3, 6)):
        in_frame = seen[rows] * 125 / 2 + [140.0, 150.0]
        tolerance = np.full(3, 0.04 * 100)
        times = np.arange(3) / 30
        places, certainty = agreeing(in_frame, sure[rows].double().numpy(), times, tolerance, 0.16)
        local = (places - [140.0, 150.0]) / (125 / 2)
        np.testing.assert_allclose(taught.joints2d[rows], local, atol=1e-4)
        np.testing.assert_allclose(taught.certainty[rows], certainty, atol=1e-5)


@pytest.mark.parametrize("roll", [0.0, 40.0])
def test_joints_stay_on_what_they_were_on(clips, roll):
    """A spot that is a joint: turned, enlarged, moved, mirrored, it lies where the joint does."""
    joints2d = np.zeros((COUNT, 17, 2))
    joints2d[:, RIGHT_HAND] = ((SPOT + 0.5) / STORED * 2 - 1) * 1.4 / 1.25
    taught = taught_by(joints2d, np.tile(np.arange(17) / 17, (COUNT, 1)))
    certainty = taught.certainty
    composition = replace(PLAIN, roll=roll, any_way=0.0, shift=0.05)
    generator = torch.Generator().manual_seed(0)
    batch = draw_taught(clips, taught, 40, SIZE, composition, generator)
    mirrored = 0
    for image, joints, sure in zip(batch.images, batch.joints2d, batch.certainty, strict=True):
        grey = image.float().mean(0)
        weight = (grey - grey.median() - 20).clamp(min=0)
        middles = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
        spot = [float((weight.sum(axis) * middles).sum() / weight.sum()) for axis in (0, 1)]
        flipped = not np.array_equal(sure, certainty[0])
        hand = LEFT_HAND if flipped else RIGHT_HAND
        np.testing.assert_allclose(joints[hand], spot, atol=0.02)
        expected = certainty[0][list(MIRRORED)] if flipped else certainty[0]
        np.testing.assert_array_equal(sure, expected)
        mirrored += flipped
    assert 8 < mirrored < 32


def test_people_are_as_long_as_the_composition_says(clips):
    """The spot is 13 px of a stored crop in which the person has 100 / 140 of the side."""
    taught = taught_by(np.zeros((COUNT, 17, 2)), np.ones((COUNT, 17)))
    composition = replace(PLAIN, roll=0.0, any_way=0.0, shift=0.0, length=(0.6, 0.6))
    batch = draw_taught(clips, taught, 8, SIZE, composition, torch.Generator().manual_seed(1))
    expected = 13 / STORED * 140 / 100 * 0.6 * SIZE
    for image in batch.images:
        grey = image.float().mean(0)
        low, high = grey.median(), grey.max()
        area = ((grey - low) / (high - low)).clamp(0, 1).sum()
        assert area.sqrt().item() == pytest.approx(expected, rel=0.06)


def test_the_generator_decides_the_batch(clips):
    taught = taught_by(np.zeros((COUNT, 17, 2)), np.ones((COUNT, 17)))
    draw = [
        draw_taught(clips, taught, 4, 32, CompositionConfig(), torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    ]
    assert torch.equal(draw[0].images, draw[1].images)
    assert not torch.equal(draw[0].images, draw[2].images)


def test_what_a_teacher_said_of_other_clips_is_one_line(clips, tmp_path):
    taught = taught_by(np.zeros((COUNT, 17, 2)), np.ones((COUNT, 17)))
    save_taught(taught, tmp_path / "taught.npz")
    np.testing.assert_array_equal(
        load_taught(tmp_path / "taught.npz", clips).certainty, taught.certainty
    )
    save_taught(replace(taught, crop=taught.crop + 1), tmp_path / "taught.npz")
    with pytest.raises(BadInputError, match="other clips"):
        load_taught(tmp_path / "taught.npz", clips)
