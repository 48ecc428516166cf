"""What a sequence of the stream of renders shows."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from tests.dataset.test_render_stream import SMALL

from kinepose.dataset.config import StreamConfig
from kinepose.dataset.render_stream import (
    label_renders,
)
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.method.camera_projection import project
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.single_images import SEQUENCE, Renders, render_sequence


@pytest.fixture(scope="module")
def sequences() -> list[Renders]:
    """Eight people, each in one set of clothes."""
    return [render_sequence(StreamConfig(size=64), seed=2, number=number) for number in range(8)]


def test_a_sequence_is_one_person_in_one_set_of_clothes_in_different_poses(sequences):
    for sequence in sequences:
        bones = sequence.joints3d[:, [2, 3, 5, 12]] - sequence.joints3d[:, [1, 2, 4, 11]]
        lengths = np.linalg.norm(bones, axis=-1)
        np.testing.assert_allclose(lengths, lengths[:1].repeat(SEQUENCE, 0), rtol=1e-3)
        poses = label_renders(sequence).joints3d
        apart = np.linalg.norm(poses[1:] - poses[:-1], axis=-1).mean(-1)
        assert np.median(apart) > 0.02, "[canonical]"
    legs = [
        np.linalg.norm(sequence.joints3d[0, 2] - sequence.joints3d[0, 1]) for sequence in sequences
    ]
    assert np.ptp(legs) > 20, "[mm]"
    colours = np.stack([sequence.image[sequence.mask == 255].mean(0) for sequence in sequences])
    assert colours.std(0).min() > 10


def test_people_fill_their_images(sequences):
    joints2d = np.concatenate([sequence.joints2d for sequence in sequences])
    middle = (joints2d.min(1) + joints2d.max(1)) / 2
    assert np.abs(middle).mean() < 0.1
    largest = np.abs(joints2d).max((1, 2))
    assert np.median(largest) > 0.75 and largest.max() < 1 / 1.1
    border = np.concatenate([sequence.mask[:, [0, -1]] for sequence in sequences])
    assert not (border > 128).any(), "hands and feet stay inside"
    for sequence in sequences:
        assert (sequence.image[sequence.mask == 0] == 0).all(), "people are on black"


def test_joints_lie_on_the_mask(sequences):
    inside = []
    for sequence in sequences:
        size = sequence.mask.shape[1]
        pixels = np.floor((sequence.joints2d + 1) / 2 * size).astype(int)
        for mask, joints in zip(sequence.mask, pixels, strict=True):
            grown = cv2.dilate((mask > 80).astype(np.uint8), np.ones((3, 3), np.uint8))
            x, y = joints[((joints >= 0) & (joints < size)).all(1)].T
            inside.append(grown[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 0.97 * 8 * SEQUENCE * 17
    assert inside.mean() > 0.998


def test_labels_are_opencvs_projection(sequences):
    """Of joints3d in the camera's axes, with the focal length that fits best."""
    for sequence in sequences[:2]:
        for joints3d, joints2d in zip(
            sequence.joints3d.astype(float), sequence.joints2d, strict=True
        ):
            sight = joints3d[:, :2] / joints3d[:, 2:]
            focal = float((sight * joints2d).sum() / (sight**2).sum())
            matrix = np.diag([focal, focal, 1.0])
            expected, _ = cv2.projectPoints(joints3d, np.zeros(3), np.zeros(3), matrix, None)
            half = sequence.mask.shape[1] / 2
            assert np.abs(expected[:, 0] - joints2d).max() * half < 1e-3, "[px]"


def test_the_models_camera_shows_them_so(sequences):
    for sequence in sequences:
        labels = label_renders(sequence)
        joints3d, camera = torch.from_numpy(labels.joints3d), torch.from_numpy(labels.camera)
        away = project(joints3d, camera).numpy() - sequence.joints2d
        residual = np.sqrt((away**2).sum(-1).mean(-1))
        np.testing.assert_allclose(residual, labels.camera_residual, atol=1e-5)
        assert residual.max() < 0.06


def test_left_is_left(sequences):
    """In the frame C noses are before the neck, toes are not behind, and knees bend backward."""
    joints = np.concatenate([label_renders(sequence).joints3d for sequence in sequences])
    assert (joints[:, JOINT_NAMES.index("nose"), 0] > joints[:, 8, 0]).all()
    thighs = joints[:, [2, 5]] - joints[:, [1, 4]]
    shins = joints[:, [3, 6]] - joints[:, [2, 5]]
    axes = np.cross(thighs, shins)
    size = np.linalg.norm(thighs, axis=-1) * np.linalg.norm(shins, axis=-1)
    bent = np.linalg.norm(axes, axis=-1) > 0.6 * size
    leftward = (axes * (joints[:, 4] - joints[:, 1])[:, None]).sum(-1)
    assert bent.sum() > 50 and (leftward[bent] > 0).all()


def test_most_people_look_like_those_of_videos_and_some_like_the_papers_renders():
    def shadows(video: float) -> list[int]:
        config = StreamConfig(size=32, video_like=video, dressed=0.0)
        return [int(render_sequence(config, 0, number).shadow.max()) for number in range(3)]

    assert min(shadows(1.0)) > 0
    assert max(shadows(0.0)) == 0, "software that shades a model casts no shadows"


def test_settings_of_motion_and_scene_are_heeded(tmp_path):
    def sequence(**settings: object) -> Renders:
        return render_sequence(replace(SMALL, video_like=1.0, **settings), seed=0, number=0)

    plain = sequence()
    still = sequence(motion=MotionConfig(captured=0.0, mixed=0.0, procedural=1.0, perturbation=0.0))
    assert not np.array_equal(still.joints3d, plain.joints3d)
    dark = sequence(scene=SceneConfig(exposure=(0.1, 0.1)))
    assert np.array_equal(dark.mask, plain.mask)
    assert dark.image.mean() < 0.5 * plain.image.mean()
    overcast = sequence(scene=SceneConfig(softness=(1.0, 1.0)))
    bare = sequence(scene=SceneConfig(softness=(0.0, 0.0)))
    assert overcast.shadow.max() < 0.5 * bare.shadow.max()
