import cv2
import numpy as np

from kinepose.detection.compositing import lay_over, turned
from kinepose.detection.cutouts import SEEN, cut_out
from kinepose.detection.degradation import degraded
from kinepose.detection.furniture import random_furniture
from kinepose.detection.scenes import compose_batch
from kinepose.detection.things import random_thing


def cutouts() -> np.ndarray:
    """One 'person' like no place: a magenta rectangle."""
    cutout = np.zeros((1, 64, 64, 4), np.uint8)
    cutout[0, :64, :24] = [255, 0, 255, 255]
    return cutout


def compose(seed: int, count: int = 6, side: int = 96):
    return compose_batch(np.random.default_rng(seed), cutouts(), None, count, side)


def test_the_generator_alone_decides_what_is_composed() -> None:
    first, second, other = compose(0), compose(0), compose(1)
    for name, array in vars(first).items():
        np.testing.assert_array_equal(array, vars(second)[name])
    assert (first.images != other.images).any()


def test_boxes_lie_around_the_people(monkeypatch) -> None:
    monkeypatch.setattr("kinepose.detection.scenes.degraded", lambda generator, image: image)
    monkeypatch.setattr("kinepose.detection.scenes._THINGS", 0.0)
    monkeypatch.setattr("kinepose.detection.scenes._HOW_MANY", (0, 1, 0, 0, 0, 0))
    scenes = compose(3, count=20)
    assert (scenes.wanted | scenes.unclear).sum(1).max() == 1
    checked = 0
    for image, box, wanted in zip(
        scenes.images, scenes.boxes[:, 0], scenes.wanted[:, 0], strict=True
    ):
        red, green, blue = (image[..., c].astype(int) for c in range(3))
        rows, columns = np.nonzero((red - green > 90) & (blue - green > 90))
        if wanted and len(rows) > 50:
            seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(box - seen).max() <= 2
            checked += 1
    assert checked > 8


def test_nobody_is_both_wanted_and_unclear_and_boxes_lie_within_the_image() -> None:
    scenes = compose(5, count=30)
    assert not (scenes.wanted & scenes.unclear).any()
    boxes = scenes.boxes[scenes.wanted]
    assert boxes.min() >= 0
    assert boxes.max() <= 96
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert 0.5 < scenes.wanted.sum() / 30 < 3


def test_a_cutout_is_the_person_in_the_corner() -> None:
    mask = np.zeros((100, 100), np.uint8)
    cv2.ellipse(mask, (60, 50), (10, 40), 0, 0, 360, 255, -1)
    image = np.dstack([mask // 2] * 3)
    cutout = cut_out(image, mask, 41)
    assert cutout.shape == (41, 41, 4)
    rows, columns = np.nonzero(cutout[..., 3] > SEEN)
    assert (rows.min(), columns.min()) == (0, 0)
    assert np.ptp(rows) + 1 == 41
    assert abs(np.ptp(columns) + 1 - 41 * 21 / 81) <= 1
    assert not cut_out(image, np.zeros_like(mask), 41).any()


def test_things_are_their_surface_where_they_are() -> None:
    generator = np.random.default_rng(0)
    for _ in range(12):
        surface = np.full((48, 48, 3), 200, np.uint8)
        thing = random_thing(generator, surface)
        inside = thing[..., 3] == 255
        assert inside.any()
        assert (thing[inside][:, :3] == 200).all()
        assert (thing[thing[..., 3] == 0] == 0).all()


def test_furniture_fills_its_image_and_is_nothing_elsewhere() -> None:
    generator = np.random.default_rng(0)
    surface = np.full((64, 64, 3), 200, np.uint8)
    shares = []
    for _ in range(40):
        piece = random_furniture(generator, surface)
        _, _, width, height = cv2.boundingRect(piece[..., 3])
        assert 58 <= max(width, height) <= 64
        assert (piece[piece[..., 3] == 0] == 0).all()
        assert piece[piece[..., 3] > 127][:, :3].any()
        shares.append((piece[..., 3] > 127).mean())
    assert 0.03 < np.median(shares) < 0.4, "bars and plates, not blobs"


def test_what_a_camera_does_keeps_size_and_mean() -> None:
    generator = np.random.default_rng(0)
    image = np.full((64, 64, 3), 120, np.uint8)
    means = [degraded(generator, image).mean() for _ in range(40)]
    assert all(degraded(generator, image).shape == image.shape for _ in range(10))
    assert 90 < np.mean(means) < 150


def test_layers_are_laid_over_where_they_should_be() -> None:
    image, owner = np.full((40, 40, 3), 100, np.uint8), np.full((40, 40), -1, np.int16)
    layers = np.zeros((10, 20, 4), np.uint8)
    layers[2:8, 4:16] = [40, 50, 60, 255]
    layers[8, 4:16] = [20, 25, 30, 128]
    expected = image.copy()
    expected[0:3, 30:40] = [80, 50, 30]
    expected[3, 30:40] = [90, 75, 65]  # half of it, half of what is behind
    box = lay_over(image, owner, layers, np.array([26, -5]), 7, np.array([2.0, 1.0, 0.5]))
    assert np.abs(image.astype(int) - expected).max() <= 1
    assert box is not None
    assert box.tolist() == [30, 0, 40, 4]
    assert (owner == 7).sum() == 40
    assert lay_over(image, owner, layers, np.array([45, 0]), 8, np.ones(3)) is None


def test_turning_keeps_the_length_and_the_area() -> None:
    cutout = cutouts()[0]
    for angle, mirrored in ((0.0, False), (90.0, True), (33.0, False)):
        layers = turned(cutout, 40.0, angle, mirrored)
        mask = layers[..., 3].astype(float) / 255
        assert abs(mask.sum() - 40 * 15) < 40
        radians = np.radians(angle)
        width = abs(np.cos(radians)) * 15 + abs(np.sin(radians)) * 40
        assert abs(layers.shape[1] - width) <= 2
