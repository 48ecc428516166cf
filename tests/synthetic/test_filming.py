from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinepose.config import MotionConfig, SceneConfig, SynthesizeConfig
from kinepose.synthetic.body import random_person
from kinepose.synthetic.choreography import random_motion
from kinepose.synthetic.filming import detect, shoot
from kinepose.synthetic.stage import Actor, film_camera, place

FILM = SynthesizeConfig(output=Path("films"), size=48, fps=10)


@pytest.fixture(scope="module")
def actor() -> Actor:
    generator = np.random.default_rng(4)
    motion = random_motion(generator, 12, 10.0, MotionConfig())
    return place(motion, random_person(generator), 10.0)


def film(actor: Actor, config: SynthesizeConfig) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and masks, by a static camera."""
    camera = film_camera(
        np.random.default_rng(0), actor, config.size, 10.0, moving=False, scene=SceneConfig()
    )
    frames = shoot(np.random.default_rng(1), config, actor, camera, moving=False)
    pictures, masks = zip(*frames, strict=True)
    return np.stack(pictures), np.stack(masks)


def test_one_picture_and_mask_a_frame(actor):
    pictures, masks = film(actor, FILM)
    assert pictures.shape == (12, 48, 48, 3) and pictures.dtype == np.uint8
    assert masks.min() == 0 and masks.max() == 1
    assert 0.005 < (masks > 0.5).mean() < 0.3


def test_films_are_grainy_and_renders_are_not(actor):
    pictures, masks = film(actor, FILM)
    clean, _ = film(actor, replace(FILM, look="render"))
    nobody = (masks == 0).all(0)
    nobody[10:] = False  # far from feet and their shadow
    assert clean[:, nobody].std(0).max() == 0
    assert pictures[:, nobody].std(0).min() > 0


def test_an_occluder_hides_a_part(actor):
    _, masks = film(actor, FILM)
    _, seen = film(actor, replace(FILM, scene=SceneConfig(occluders=1.0)))
    assert (seen <= masks + 1e-6).all()
    assert 0.2 * masks.sum() < seen.sum() < 0.98 * masks.sum()
    hidden = (masks > 0.5) & (seen < 0.5)
    assert hidden.any() and not (seen[:, hidden.any(0)] > 0.5).any(), "it stands still"


def test_an_open_shutter_blurs_what_moves(actor):
    _, sharp = film(actor, FILM)
    pictures, blurred = film(actor, replace(FILM, scene=SceneConfig(shutter=1.0)))
    assert len(pictures) == 12, "labels stay those of the middle of the exposure"

    def soft(masks: np.ndarray) -> float:
        return float(((masks > 0.01) & (masks < 0.99)).mean())

    assert soft(blurred) > 1.2 * soft(sharp)
    np.testing.assert_allclose(blurred.sum((1, 2)), sharp.sum((1, 2)), rtol=0.15)


def test_what_stands_still_is_not_blurred(actor):
    statue = Actor(actor.vertices[:1].expand(4, -1, -1), actor.joints[:1].expand(4, -1, -1))
    _, sharp = film(statue, FILM)
    _, open_long = film(statue, replace(FILM, scene=SceneConfig(shutter=1.0)))
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


def test_boxes_stay_in_the_picture_and_nobody_has_none():
    full = np.ones((40, 40), np.float32)
    generator = np.random.default_rng(0)
    boxes = np.stack(
        [box for box in (detect(generator, full) for _ in range(50)) if box is not None]
    )
    assert boxes.min() >= 0 and boxes.max() <= 40
    assert detect(generator, 0 * full) is None


def test_cameras_may_move_too(actor):
    camera = film_camera(
        np.random.default_rng(0), actor, 48, 10.0, moving=True, scene=SceneConfig()
    )
    assert not torch.equal(camera.rotation[0], camera.rotation[-1])
    config = replace(FILM, scene=SceneConfig(shutter=0.5, occluders=1.0))
    frames = list(shoot(np.random.default_rng(1), config, actor, camera, moving=True))
    assert len(frames) == 12
