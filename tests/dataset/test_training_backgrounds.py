import cv2
import numpy as np
import pytest
import torch

from kinepose.dataset import backgrounds
from kinepose.dataset.backgrounds import (
    draw_random_backgrounds,
    open_backgrounds,
    training_backgrounds,
)
from kinepose.synthetic import places

RED, GREEN = (220, 20, 20), (20, 200, 20)


def evenly(colour: tuple[int, int, int], height: int) -> np.ndarray:
    return np.full((height, 2 * height, 3), colour, np.uint8)


@pytest.fixture
def coloured(monkeypatch):
    """Places that may be trained on are green, those of tests are red."""
    monkeypatch.setattr(backgrounds, "training_places", lambda: (evenly(GREEN, 32),))
    monkeypatch.setattr(places, "test_places", lambda: (evenly(RED, 32),))


def share_of(images: np.ndarray, channel: int) -> float:
    """Of images that are of one colour all over."""
    means = images.reshape(len(images), -1, 3).astype(float)
    even = means.std(1).max(-1) < 5
    others = [i for i in range(3) if i != channel]
    strong = means.mean(1)[:, channel] > 2 * means.mean(1)[:, others].max(-1)
    return float((even & strong).mean())


def test_an_image_depends_on_the_seed_and_its_number_alone():
    images = training_backgrounds(3, 6, 24)
    assert images.shape == (6, 24, 24, 3)
    assert np.array_equal(training_backgrounds(3, 4, 24), images[:4])
    assert not np.array_equal(training_backgrounds(4, 4, 24), images[:4])
    assert len({image.tobytes() for image in images}) == 6


def test_three_of_four_are_views_of_places_that_may_be_trained_on(coloured):
    images = training_backgrounds(0, 200, 16)
    assert share_of(images, 1) == pytest.approx(0.75, abs=0.12)
    assert share_of(images, 0) < 0.05


def test_half_are_photographs_where_there_are_any(coloured, tmp_path):
    cv2.imwrite(str(tmp_path / "blue.png"), np.full((20, 30, 3), (230, 20, 20), np.uint8))
    images = training_backgrounds(0, 200, 16, tmp_path)
    assert share_of(images, 2) == pytest.approx(0.5, abs=0.12)
    assert share_of(images, 1) == pytest.approx(0.375, abs=0.12)


def test_what_is_drawn_for_training_is_crops_of_these_images(coloured, monkeypatch):
    monkeypatch.setattr(backgrounds, "IMAGES", 40)
    source = open_backgrounds(None, None, 8, seed=0)
    assert source.images.shape == (40, 3, 16, 16) and source.clips is None
    drawn = draw_random_backgrounds(source, 64, 8, torch.Generator().manual_seed(0))
    assert drawn.shape == (64, 3, 8, 8)
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
    greenest = drawn.mean((2, 3)).argmax(1) == 1
    assert 0.55 < float(greenest.float().mean()) < 0.98
