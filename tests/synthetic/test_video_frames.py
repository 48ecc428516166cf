from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from kinepose.synthetic.body import random_person
from kinepose.synthetic.config import MotionConfig, SceneConfig, SynthesizeConfig
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import to_camera, to_image
from kinepose.synthetic.scene import Actor, place, random_camera
from kinepose.synthetic.video_frames import detect, shoot

VIDEO = SynthesizeConfig(output=Path("videos"), size=48, fps=10)


@pytest.fixture(scope="module")
def actor() -> Actor:
    generator = np.random.default_rng(4)
    motion = random_motion(generator, 12, 10.0, MotionConfig())
    return place(motion, random_person(generator), 10.0)


def video(actor: Actor, config: SynthesizeConfig) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks, by a static camera."""
    camera = random_camera(
        np.random.default_rng(0), actor, config.size, 10.0, moving=False, scene=SceneConfig()
    )
    frames = shoot(np.random.default_rng(1), config, actor, camera, moving=False)
    images, masks = zip(*frames, strict=True)
    return np.stack(images), np.stack(masks)


def test_one_image_and_mask_a_frame(actor):
    images, masks = video(actor, VIDEO)
    assert images.shape == (12, 48, 48, 3) and images.dtype == np.uint8
    assert masks.min() == 0 and masks.max() == 1
    assert 0.005 < (masks > 0.5).mean() < 0.3


@pytest.mark.parametrize("appearance", ["video", "dressed", "foreign"])
@pytest.mark.parametrize("moving", [False, True])
def test_labelled_joints_lie_on_the_mask(actor, appearance, moving):
    camera = random_camera(np.random.default_rng(0), actor, 96, 10.0, moving, SceneConfig())
    config = replace(VIDEO, size=96, appearance=appearance)
    frames = shoot(np.random.default_rng(1), config, actor, camera, moving)
    joints2d = to_image(camera, to_camera(camera, actor.joints)).floor().long().numpy()
    inside = []
    for (_, mask), joints in zip(frames, joints2d, strict=True):
        x, y = joints[((joints >= 0) & (joints < 96)).all(1)].T
        inside.append(cv2.dilate((mask > 0.3).astype(np.uint8), np.ones((3, 3), np.uint8))[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 150 and inside.mean() > 0.995


def test_noise_and_blur_are_as_strong_as_the_settings_say(actor):
    quiet = SceneConfig(noise=(0.0, 0.0), blur=(0.05, 0.05))
    clean, _ = video(actor, replace(VIDEO, scene=quiet))
    noisy, _ = video(actor, replace(VIDEO, scene=replace(quiet, noise=(6.0, 6.0))))
    inside = (clean > 30) & (clean < 225)
    grain = (noisy.astype(float) - clean)[inside]
    assert abs(grain.mean()) < 0.2 and grain.std() == pytest.approx(6.0, rel=0.05)
    soft, _ = video(actor, replace(VIDEO, scene=replace(quiet, blur=(2.0, 2.0))))
    steps = [np.abs(np.diff(each.astype(int), axis=2)).mean() for each in (soft, clean)]
    assert steps[0] < 0.6 * steps[1]


def test_videos_are_grainy_and_renders_are_not(actor):
    images, masks = video(actor, VIDEO)
    clean, _ = video(actor, replace(VIDEO, appearance="render"))
    nobody = (masks == 0).all(0)
    nobody[10:] = False  # far from feet and their shadow
    assert clean[:, nobody].std(0).max() == 0
    assert images[:, nobody].std(0).min() > 0


def test_an_occluder_hides_a_part(actor):
    _, masks = video(actor, VIDEO)
    _, seen = video(actor, replace(VIDEO, scene=SceneConfig(occluders=1.0)))
    assert (seen <= masks + 1e-6).all()
    assert 0.2 * masks.sum() < seen.sum() < 0.98 * masks.sum()
    hidden = (masks > 0.5) & (seen < 0.5)
    assert hidden.any() and not (seen[:, hidden.any(0)] > 0.5).any(), "it stands still"


def test_an_open_shutter_blurs_what_moves(actor):
    _, sharp = video(actor, VIDEO)
    images, blurred = video(actor, replace(VIDEO, scene=SceneConfig(shutter=1.0)))
    assert len(images) == 12, "labels stay those of the middle of the exposure"

    def soft(masks: np.ndarray) -> float:
        return float(((masks > 0.01) & (masks < 0.99)).mean())

    assert soft(blurred) > 1.2 * soft(sharp)
    np.testing.assert_allclose(blurred.sum((1, 2)), sharp.sum((1, 2)), rtol=0.15)


@pytest.mark.parametrize("appearance", ["video", "dressed"])
def test_what_stands_still_is_not_blurred(actor, appearance):
    moves = {"vertices": actor.vertices, "joints": actor.joints, "bones": actor.bones}
    still = {name: each[:1].expand(4, *each.shape[1:]) for name, each in moves.items()}
    statue = replace(actor, **still)
    _, sharp = video(statue, replace(VIDEO, appearance=appearance))
    _, open_long = video(
        statue, replace(VIDEO, appearance=appearance, scene=SceneConfig(shutter=1.0))
    )
    np.testing.assert_allclose(open_long, sharp, atol=1e-6)


def test_boxes_are_tight_but_for_some_jitter():
    mask = np.zeros((100, 100), np.float32)
    mask[20:70, 30:50] = 1.0
    generator = np.random.default_rng(0)
    boxes = [detect(generator, mask) for _ in range(500)]
    found = np.stack([box for box in boxes if box is not None])
    assert 0.97 < len(found) / 500 < 1.0, "now and then none is found"
    np.testing.assert_allclose(found.mean(0), [30, 20, 50, 70], atol=0.15)
    assert found.std(0).min() > 0.3 and np.abs(found - [30, 20, 50, 70]).max() < 3.5


def test_boxes_stay_in_the_image_and_nobody_has_none():
    full = np.ones((40, 40), np.float32)
    generator = np.random.default_rng(0)
    boxes = np.stack(
        [box for box in (detect(generator, full) for _ in range(50)) if box is not None]
    )
    assert boxes.min() >= 0 and boxes.max() <= 40
    assert detect(generator, 0 * full) is None


def test_cameras_may_move_too(actor):
    camera = random_camera(
        np.random.default_rng(0), actor, 48, 10.0, moving=True, scene=SceneConfig()
    )
    assert not torch.equal(camera.rotation[0], camera.rotation[-1])
    config = replace(VIDEO, scene=SceneConfig(shutter=0.5, occluders=1.0))
    frames = list(shoot(np.random.default_rng(1), config, actor, camera, moving=True))
    assert len(frames) == 12
