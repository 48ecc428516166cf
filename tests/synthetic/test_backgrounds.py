import struct
import zlib

import cv2
import numpy as np
import pytest

from kinepose.io.errors import BadInputError, BrokenVideoWarning
from kinepose.synthetic.backgrounds import (
    procedural_background,
    random_crop,
    read_photographs,
)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 50), (7, 90), (1, 1)])
@pytest.mark.parametrize("floor_line", [None, 0.0, 0.4, 0.99, 3.0, -2.0])
def test_any_size_and_any_floor(height, width, floor_line):
    generator = np.random.default_rng(0)
    for _ in range(5):
        scene = procedural_background(generator, height, width, floor_line)
        assert scene.shape == (height, width, 3)


def test_the_same_seed_paints_the_same_and_scenes_differ():
    scenes, again = (
        np.stack([procedural_background(generator, 32, 32) for _ in range(24)])
        for generator in (np.random.default_rng(0), np.random.default_rng(0))
    )
    assert np.array_equal(scenes, again)
    apart = np.abs(scenes[:, None].astype(float) - scenes[None]).mean((2, 3, 4))
    assert apart[np.triu_indices(24, 1)].min() > 8, "levels of 255, on average over the image"


def test_scenes_have_contents_and_are_neither_black_nor_white():
    generator = np.random.default_rng(1)
    scenes = np.stack([procedural_background(generator, 48, 48) for _ in range(60)]).astype(float)
    assert np.median(scenes.std((1, 2)).mean(-1)) > 15
    assert 60 < scenes.mean() < 180
    assert scenes.mean((1, 2, 3)).std() > 25, "some are dark, some are bright"


def photographs(folder, *sizes):
    generator = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for index, (height, width) in enumerate(sizes):
        rendered = generator.integers(0, 255, (height, width, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), rendered)
    return folder


def test_photographs_are_read_in_name_order_and_shrunk(tmp_path):
    folder = photographs(tmp_path, (20, 30), (1500, 600), (5, 5))
    (tmp_path / "notes.txt").write_text("not an image")
    shapes = [rendered.shape for rendered in read_photographs(folder)]
    assert shapes == [(20, 30, 3), (1024, 410, 3), (5, 5, 3)]


def test_photographs_are_rgb(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_photographs(tmp_path)[0][0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (200, 5), (64, 64)])
def test_crops_of_photographs_of_any_size(tmp_path, size):
    (photograph,) = read_photographs(photographs(tmp_path / str(size), size))
    generator = np.random.default_rng(0)
    crops = [random_crop(generator, photograph, 16, 24) for _ in range(6)]
    assert {crop.shape for crop in crops} == {(16, 24, 3)}
    if min(size) > 1:
        assert len({crop.tobytes() for crop in crops}) == 6


def test_a_broken_photograph_is_named(tmp_path):
    photographs(tmp_path, (8, 8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a JPEG")
    with pytest.raises(BadInputError, match=r"broken\.jpg is no image") as caught:
        read_photographs(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png", "cut.webp"])
def test_a_photograph_that_is_cut_off_is_named(tmp_path, name):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert cv2.imwrite(str(path), noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(BadInputError, match=r"cut.* is no image, or is broken"):
        read_photographs(tmp_path)


def test_a_photograph_that_is_damaged_within_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    data = bytearray(cv2.imencode(".jpg", noise)[1].tobytes())
    data[2000:2400] = bytes(400)
    (tmp_path / "damaged.jpg").write_bytes(data)
    with pytest.warns(BrokenVideoWarning, match=r"damaged.jpg is broken"):
        assert read_photographs(tmp_path)[0].shape == (60, 80, 3)


def test_a_photograph_of_a_line_of_pixels_is_shrunk_too(tmp_path):
    cv2.imwrite(str(tmp_path / "line.png"), np.zeros((1, 20_000, 3), np.uint8))
    assert read_photographs(tmp_path)[0].shape == (1, 1024, 3)


def test_a_photograph_too_large_to_read_is_named(tmp_path):
    """200,000 px a side, says its header."""
    header = struct.pack(">4sIIBBBBB", b"IHDR", 200_000, 200_000, 8, 2, 0, 0, 0)
    checked = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + checked)
    with pytest.raises(BadInputError, match=r"vast\.png is no image"):
        read_photographs(tmp_path)


def test_no_photographs(tmp_path):
    with pytest.raises(BadInputError, match="no photographs"):
        read_photographs(tmp_path)
    with pytest.raises(BadInputError, match="no such folder"):
        read_photographs(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="no such folder"):
        read_photographs(tmp_path / "file")
