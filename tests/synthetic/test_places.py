import math
import time

import cv2
import numpy as np
import pytest

from kinepose.io.errors import BadInputError
from kinepose.synthetic import places
from kinepose.synthetic.places import (
    perspective_view,
    random_view,
    read_panorama,
    training_places,
    view_of,
)


def sphere(height: int = 64) -> np.ndarray:
    """A panorama whose colours say the direction: (x, y, z) + 1 in halves of 255."""
    azimuth = (np.arange(2 * height) + 0.5) / height * math.pi - math.pi
    elevation = math.pi / 2 - (np.arange(height) + 0.5) / height * math.pi
    flat = np.cos(elevation)[:, None]
    directions = [flat * np.sin(azimuth), flat * np.cos(azimuth)]
    directions.append(np.repeat(np.sin(elevation)[:, None], 2 * height, 1))
    return np.round((np.stack(directions, -1) + 1) / 2 * 255).astype(np.uint8)


def directions_of(view: np.ndarray) -> np.ndarray:
    return view / 255 * 2 - 1


def slow_view(panorama, yaw, pitch, roll, fov, width, height) -> np.ndarray:
    """Pixel by pixel, turned by sines and cosines written out, and blended by hand."""
    yaw, pitch, roll = map(math.radians, (yaw, pitch, roll))
    rows, columns = panorama.shape[:2]
    view = np.zeros((height, width, 3))
    for row in range(height):
        for column in range(width):
            half = math.tan(math.radians(fov) / 2)
            right = (2 * (column + 0.5) / width - 1) * half
            down = (2 * (row + 0.5) - height) / width * half
            right, down = (
                right * math.cos(roll) - down * math.sin(roll),
                right * math.sin(roll) + down * math.cos(roll),
            )
            ahead = math.cos(pitch) + down * math.sin(pitch)
            up = math.sin(pitch) - down * math.cos(pitch)
            azimuth = math.atan2(right, ahead) + yaw
            elevation = math.atan2(up, math.hypot(right, ahead))
            at_column = (azimuth / (2 * math.pi) + 0.5) * columns - 0.5
            at_row = min(max((0.5 - elevation / math.pi) * rows - 0.5, 0), rows - 1)
            for i in (math.floor(at_row), math.floor(at_row) + 1):
                for j in (math.floor(at_column), math.floor(at_column) + 1):
                    weight = (1 - abs(at_row - i)) * (1 - abs(at_column - j))
                    view[row, column] += weight * panorama[min(i, rows - 1), j % columns]
    return view


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll", "fov", "size"),
    [
        (0.0, 0.0, 0.0, 60.0, (24, 24)),
        (75.0, 20.0, 0.0, 40.0, (16, 30)),
        (179.0, -35.0, 10.0, 90.0, (28, 20)),
        (-120.0, 88.0, -50.0, 70.0, (20, 20)),
    ],
)
def test_a_view_is_that_of_the_slow_version(yaw, pitch, roll, fov, size):
    panorama = np.random.default_rng(0).integers(0, 255, (16, 32, 3), dtype=np.uint8)
    panorama = cv2.resize(panorama, (64, 32), interpolation=cv2.INTER_CUBIC)
    view = perspective_view(panorama, yaw, pitch, roll, fov, *size)
    slow = slow_view(panorama, yaw, pitch, roll, fov, *size)
    assert view.shape == (size[1], size[0], 3)
    apart = np.abs(view - slow)  # OpenCV blends in steps of 1/32 of a pixel
    assert apart.max() < 8 and apart.mean() < 1


@pytest.mark.parametrize(
    ("yaw", "pitch", "ahead"),
    [
        (0.0, 0.0, (0.0, 1.0, 0.0)),
        (90.0, 0.0, (1.0, 0.0, 0.0)),
        (-90.0, 0.0, (-1.0, 0.0, 0.0)),
        (0.0, 60.0, (0.0, 0.5, 0.866)),
    ],
)
def test_the_middle_of_a_view_is_where_the_camera_looks(yaw, pitch, ahead):
    view = directions_of(perspective_view(sphere(), yaw, pitch, 30.0, 20.0, 31, 31))
    np.testing.assert_allclose(view[15, 15], ahead, atol=0.03)


def test_right_is_right_up_is_up_and_a_camera_turned_clockwise_sees_things_turn_back():
    view = directions_of(perspective_view(sphere(), 0.0, 0.0, 0.0, 90.0, 31, 31))
    assert view[15, -1, 0] > 0.6 > -0.6 > view[15, 0, 0]
    assert view[0, 15, 2] > 0.6 > -0.6 > view[-1, 15, 2]
    turned = directions_of(perspective_view(sphere(), 0.0, 0.0, 20.0, 90.0, 31, 31))
    assert turned[15, -1, 2] < -0.2, "what is to the right of a camera turned clockwise lies lower"


def test_a_small_view_of_a_fine_panorama_is_smooth():
    """Stripes of one pixel become grey, and do not flicker."""
    stripes = np.zeros((256, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    view = perspective_view(stripes, 0.0, 0.0, 0.0, 60.0, 16, 16)
    assert np.abs(view.astype(float) - 127).max() < 40


def test_places_of_training_and_of_tests_share_nothing():
    assert len(training_places()) == 36 and len(places.test_places()) == 9
    kept = {place.tobytes() for place in places.test_places()}
    assert not kept & {place.tobytes() for place in training_places()}
    for place in (*training_places(), *places.test_places()):
        assert place.shape == (512, 1024, 3)


@pytest.mark.parametrize("size", [(40, 70), (64, 64), (5, 3)])
def test_random_views_differ_and_the_same_seed_sees_the_same(size):
    place = training_places()[1]
    views, again = (
        [random_view(generator, place, *size) for _ in range(8)]
        for generator in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert {view.shape for view in views} == {(*size, 3)}
    assert all(map(np.array_equal, views, again))
    assert len({view.tobytes() for view in views}) == 8


def test_views_are_seen_fast_enough_to_be_made_while_training_runs():
    """A core makes 170 a second; far fewer would say that something is done pixel by pixel."""
    generator = np.random.default_rng(0)
    panoramas = training_places()[:20]
    start = time.process_time()
    for place in panoramas:
        random_view(generator, place, 256, 256)
    assert 20 / (time.process_time() - start) > 30


def test_the_same_camera_sees_the_same_however_it_is_described():
    level = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    focal = 10 / math.tan(math.radians(30))
    first = view_of(sphere(), level, focal, 20, 12)
    assert np.array_equal(first, perspective_view(sphere(), 0.0, 0.0, 0.0, 60.0, 20, 12))


def test_what_is_no_panorama_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a JPEG")
    cv2.imwrite(str(tmp_path / "square.png"), np.zeros((8, 8, 3), np.uint8))
    cases = {
        "broken.jpg": "broken.jpg: not an image that can be read",
        "missing.jpg": "missing.jpg: not an image that can be read",
        "square.png": "square.png: no panorama: 8 x 8 px",
    }
    for name, message in cases.items():
        with pytest.raises(BadInputError, match=message) as caught:
            read_panorama(tmp_path / name)
        assert "\n" not in str(caught.value)
    red = np.zeros((4, 8, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_panorama(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]
