"""pictures.py: pictures of every kind, and those that move."""

import os
import warnings
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from tests.tiny_films import texture

from kinepose.errors import BadInputError, BrokenFilmWarning, FilmWarning
from kinepose.video.display import PLAIN
from kinepose.video.pictures import is_pictures, natural_key, picture_paths, read_picture
from kinepose.video.reading import film_info, read_frames

pillow_heif.register_heif_opener()


def save(path: Path, picture: np.ndarray, **options: object) -> Path:
    Image.fromarray(picture).save(path, **options)
    return path


def test_names_are_sorted_as_people_do() -> None:
    names = [
        "walk_10.jpg",
        "walk_2.jpg",
        "Walk_1.jpg",
        "9.png",
        "walk.jpg",
        "10.png",
        "a1b10",
        "a1b9",
    ]
    expected = [
        "9.png",
        "10.png",
        "a1b9",
        "a1b10",
        "walk.jpg",
        "Walk_1.jpg",
        "walk_2.jpg",
        "walk_10.jpg",
    ]
    assert sorted(names, key=natural_key) == expected


def test_what_a_folder_holds_beside_pictures_is_counted_once(tmp_path: Path) -> None:
    for name in ("b.png", "a10.JPG", "a9.webp"):
        save(tmp_path / name, texture(0, 8, 8))
    for name in ("notes.txt", "clip.mp4", "more.txt", "._b.png", ".hidden"):
        (tmp_path / name).write_bytes(b"\0")
    (tmp_path / "results").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to("gone.png")
    with pytest.warns(FilmWarning, match=r"3 pictures .* not: 1 \.mp4, 2 \.png, 2 \.txt$"):
        paths = picture_paths(tmp_path)
    assert [path.name for path in paths] == ["a9.webp", "a10.JPG", "b.png"]
    (tmp_path / "results" / "c.png").write_bytes(b"\0")
    with pytest.warns(FilmWarning, match="1 folder"):
        picture_paths(tmp_path)
    with pytest.raises(BadInputError, match="companion"):
        picture_paths(tmp_path / "._b.png")


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".heic", ".avif", ".tif", ".bmp", ".png"])
def test_pictures_of_every_format(tmp_path: Path, suffix: str) -> None:
    picture = texture(0, 64, 96, 8.0)
    path = save(tmp_path / f"picture{suffix}", picture)
    assert np.abs(read_picture(path).astype(int) - picture).mean() < 6
    assert is_pictures(path) and len(list(read_frames(path))) == 1


def test_pictures_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    picture = texture(0, 64, 96, 8.0)
    path = save(tmp_path / "picture.jpg", picture, exif=exif, quality=95)
    assert np.abs(read_picture(path).astype(int) - np.rot90(picture, -1)).mean() < 6


def test_transparent_and_deep_pictures(tmp_path: Path) -> None:
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :4] = (250, 0, 0, 255)
    shown = read_picture(save(tmp_path / "alpha.png", picture))
    assert shown[0, 0].tolist() == [250, 0, 0] and shown[0, 7].tolist() == [PLAIN] * 3
    deep = np.full((8, 8), 40_000, np.uint16)
    assert abs(int(read_picture(save(tmp_path / "deep.png", deep))[0, 0, 0]) - 156) <= 1


def test_a_broken_picture_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "picture.jpg", texture(0))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadInputError, match=r"picture\.jpg"):
        read_picture(path)


def test_a_damaged_part_of_a_jpeg_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "picture.jpg", texture(0, 96, 72))
    good = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_picture(path)
    path.write_bytes(good[:-900] + bytes(500) + good[-400:])
    with pytest.warns(BrokenFilmWarning, match=r"picture\.jpg is broken"):
        assert read_picture(path).shape == (96, 72, 3)


def test_a_picture_that_claims_to_be_huge_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "picture.png", texture(0))
    path.write_bytes(path.read_bytes()[:16] + 2 * (60000).to_bytes(4) + path.read_bytes()[24:])
    assert is_pictures(path)
    with pytest.raises(BadInputError, match=r"picture\.png"):
        read_picture(path)


@pytest.mark.parametrize(
    ("suffix", "lossless"), [(".webp", True), (".png", False), (".gif", False)]
)
def test_animations_are_films_with_times(tmp_path: Path, suffix: str, lossless: bool) -> None:
    pictures = [Image.fromarray(np.full((16, 24, 3), 40 * i, np.uint8)) for i in range(5)]
    path = tmp_path / f"moves{suffix}"
    lasts = [100, 200, 50, 100, 100]
    options = {"lossless": True} if suffix == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=lasts, **options)
    assert not is_pictures(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.1, 0.3, 0.35, 0.45])
    np.testing.assert_allclose([frame.image.mean() for frame in frames], 40 * np.arange(5), atol=3)
    info = film_info(path)
    assert (info.width, info.height, info.frames) == (24, 16, 5) and info.fps > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda gif: gif[: len(gif) // 2], "its end is missing"),
        (lambda gif: gif[:-1], "its end is missing"),
        (lambda gif: gif + gif, "another film follows its end"),
        (lambda gif: gif[: len(gif) // 2] + bytes(len(gif) // 4) + gif[-99:], "damaged|missing"),
    ],
)
def test_a_gif_that_is_not_whole_says_so(tmp_path: Path, change, says: str) -> None:
    pictures = [Image.fromarray(texture(i, 64, 64)) for i in range(6)]
    path = tmp_path / "moves.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    path.write_bytes(change(path.read_bytes()))
    with pytest.warns(BrokenFilmWarning, match=says):
        assert list(read_frames(path))


def test_a_broken_animation_says_so(tmp_path: Path) -> None:
    pictures = [Image.fromarray(texture(i, 64, 64)) for i in range(6)]
    path = tmp_path / "moves.png"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(BrokenFilmWarning, match=r"moves\.png is broken"):
        assert 0 < len(list(read_frames(path))) < 6
