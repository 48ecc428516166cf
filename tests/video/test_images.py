"""images.py: images of every kind, and those that move."""

import os
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms
from tests.tiny_videos import texture

from kinepose.io.errors import BadInputError, BrokenVideoWarning, VideoWarning
from kinepose.video.display import PLAIN
from kinepose.video.images import image_paths, is_images, natural_key, read_image
from kinepose.video.reading import read_frames, video_info

pillow_heif.register_heif_opener()


def save(path: Path, image: np.ndarray, **options: object) -> Path:
    Image.fromarray(image).save(path, **options)
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


def test_what_a_folder_holds_beside_images_is_counted_once(tmp_path: Path) -> None:
    for name in ("b.png", "a10.JPG", "a9.webp"):
        save(tmp_path / name, texture(0, 8, 8))
    for name in ("notes.txt", "clip.mp4", "more.txt", "._b.png", ".hidden"):
        (tmp_path / name).write_bytes(b"\0")
    (tmp_path / "results").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "nowhere.png").symlink_to("gone.png")
    with pytest.warns(VideoWarning, match=r"3 images .* not: 1 \.mp4, 2 \.png, 2 \.txt$"):
        paths = image_paths(tmp_path)
    assert [path.name for path in paths] == ["a9.webp", "a10.JPG", "b.png"]
    (tmp_path / "results" / "c.png").write_bytes(b"\0")
    with pytest.warns(VideoWarning, match="1 folder"):
        image_paths(tmp_path)
    with pytest.raises(BadInputError, match="companion"):
        image_paths(tmp_path / "._b.png")


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".heic", ".avif", ".tif", ".bmp", ".png"])
def test_images_of_every_format(tmp_path: Path, suffix: str) -> None:
    image = texture(0, 64, 96, 8.0)
    path = save(tmp_path / f"image{suffix}", image)
    assert np.abs(read_image(path).astype(int) - image).mean() < 6
    assert is_images(path) and len(list(read_frames(path))) == 1


def test_images_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image = texture(0, 64, 96, 8.0)
    path = save(tmp_path / "image.jpg", image, exif=exif, quality=95)
    assert np.abs(read_image(path).astype(int) - np.rot90(image, -1)).mean() < 6


def test_transparent_and_deep_images(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 4), np.uint8)
    image[:, :4] = (250, 0, 0, 255)
    shown = read_image(save(tmp_path / "alpha.png", image))
    assert shown[0, 0].tolist() == [250, 0, 0] and shown[0, 7].tolist() == [PLAIN] * 3
    deep = np.full((8, 8), 40_000, np.uint16)
    assert abs(int(read_image(save(tmp_path / "deep.png", deep))[0, 0, 0]) - 156) <= 1


def test_a_broken_image_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "image.jpg", texture(0))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadInputError, match=r"image\.jpg"):
        read_image(path)


def test_a_damaged_part_of_a_png_is_one_line(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for start in range(100, len(whole) - 100, 997):
        path.write_bytes(whole[:start] + bytes(50) + whole[start + 50 :])
        with pytest.raises(BadInputError, match=r"a\.png is no image, or is broken"):
            read_image(path)


def test_a_damaged_part_of_a_jpeg_is_said(tmp_path: Path) -> None:
    path = save(tmp_path / "image.jpg", texture(0, 96, 72))
    good = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(path)
    path.write_bytes(good[:-900] + bytes(500) + good[-400:])
    with pytest.warns(BrokenVideoWarning, match=r"image\.jpg is broken"):
        assert read_image(path).shape == (96, 72, 3)


def test_an_image_that_claims_to_be_huge_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", texture(0))
    path.write_bytes(path.read_bytes()[:16] + 2 * (60000).to_bytes(4) + path.read_bytes()[24:])
    assert is_images(path)
    with pytest.raises(BadInputError, match=r"image\.png"):
        read_image(path)


@pytest.mark.parametrize(
    ("suffix", "lossless"), [(".webp", True), (".png", False), (".gif", False)]
)
def test_animations_are_videos_with_times(tmp_path: Path, suffix: str, lossless: bool) -> None:
    images = [Image.fromarray(np.full((16, 24, 3), 40 * i, np.uint8)) for i in range(5)]
    path = tmp_path / f"moves{suffix}"
    lasts = [100, 200, 50, 100, 100]
    options = {"lossless": True} if suffix == ".webp" else {}
    images[0].save(path, save_all=True, append_images=images[1:], duration=lasts, **options)
    assert not is_images(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.1, 0.3, 0.35, 0.45])
    np.testing.assert_allclose([frame.image.mean() for frame in frames], 40 * np.arange(5), atol=3)
    info = video_info(path)
    assert (info.width, info.height, info.frames) == (24, 16, 5) and info.fps > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda gif: gif[: len(gif) // 2], "its end is missing"),
        (lambda gif: gif[:-1], "its end is missing"),
        (lambda gif: gif + gif, "another video follows its end"),
        (lambda gif: gif[: len(gif) // 2] + bytes(len(gif) // 4) + gif[-99:], "damaged|missing"),
    ],
)
def test_a_gif_that_is_not_whole_says_so(tmp_path: Path, change, says: str) -> None:
    images = [Image.fromarray(texture(i, 64, 64)) for i in range(6)]
    path = tmp_path / "moves.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    path.write_bytes(change(path.read_bytes()))
    with pytest.warns(BrokenVideoWarning, match=says):
        assert list(read_frames(path))


def test_a_broken_animation_says_so(tmp_path: Path) -> None:
    images = [Image.fromarray(texture(i, 64, 64)) for i in range(6)]
    path = tmp_path / "moves.png"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(BrokenVideoWarning, match=r"moves\.png is broken"):
        assert 0 < len(list(read_frames(path))) < 6


def test_the_cover_of_an_animation_is_none_of_its_images(tmp_path: Path) -> None:
    """PNG may bring an image for those alone who do not know animations."""
    cover, *moves = (Image.fromarray(np.full((16, 24, 3), 50 * i, np.uint8)) for i in range(4))
    path = tmp_path / "moves.png"
    cover.save(path, save_all=True, append_images=moves, duration=[200, 50, 90], default_image=True)
    frames = list(read_frames(path))
    np.testing.assert_allclose([frame.image.mean() for frame in frames], [50, 100, 150], atol=1)
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.2, 0.25])
    assert video_info(path).frames == 3


@pytest.mark.parametrize("name", ["pages.tif", "moves.webp"])
def test_further_images_of_one_file_in_a_folder_are_said(tmp_path: Path, name: str) -> None:
    pages = [Image.fromarray(np.full((16, 24, 3), 60 * i, np.uint8)) for i in range(3)]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    with pytest.warns(VideoWarning, match=f"{name} holds 3 images: one of them"):
        assert len(list(read_frames(tmp_path))) == 1


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_images_of_high_dynamic_range(tmp_path: Path, suffix: str) -> None:
    """PQ's 100 cd/m2 becomes 69 of 100."""
    path = tmp_path / f"image{suffix}"
    if suffix == ".heic":
        options = {"color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9}
        save(path, np.full((64, 64, 3), 130, np.uint8), quality=-1, chroma=444, **options)
    else:
        with av.open(str(path), "w", format="avif") as container:
            stream = container.add_stream("libsvtav1", rate=1, options={"crf": "5"})
            stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p10le"
            stream.codec_context.color_trc, stream.codec_context.color_primaries = 16, 9
            frame = av.VideoFrame(64, 64, "yuv420p10le")
            for plane, level in zip(frame.planes, (509, 512, 512), strict=True):
                row = np.full((plane.height, plane.line_size // 2), level, np.uint16)
                plane.update(row.tobytes())
            frame.color_trc, frame.color_primaries = 16, 9
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    assert abs(read_image(path).mean() - 255 * 0.69 ** (1 / 2.4)) < 6


def test_heic_is_turned_as_its_own_box_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # from which pillow-heif makes the box
    image = texture(0, 64, 96, 8.0)
    path = save(tmp_path / "image.heic", image, quality=95, exif=exif.tobytes())
    assert np.abs(read_image(path).astype(int) - np.rot90(image, -1)).mean() < 6


def test_fractions_are_no_colours(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(path)
    with pytest.raises(BadInputError, match="not colours"):
        read_image(path)


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "1", "LA", "LAB"])
def test_images_of_every_mode(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(np.repeat(texture(0, 64, 96, 8.0)[..., :1], 3, axis=2))
    if mode == "LAB":
        changed = ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    else:
        changed = image.convert(mode)
    path = tmp_path / ("image.tif" if mode in ("CMYK", "LAB") else "image.png")
    changed.save(path)
    expected = np.asarray(image if mode in ("CMYK", "LAB") else changed.convert("RGB"))
    assert np.abs(read_image(path).astype(int) - expected).mean() < 3


def test_a_photo_with_a_video_behind_it_is_the_photo(tmp_path: Path) -> None:
    """As phones store moving photos."""
    image = texture(0, 64, 96, 8.0)
    path = save(tmp_path / "image.jpg", image, quality=95)
    path.write_bytes(path.read_bytes() + b"\0\0\0\x18ftypmp42" + bytes(3000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.abs(read_image(path).astype(int) - image).mean() < 3


def test_times_of_animated_avif_do_not_drift(tmp_path: Path) -> None:
    """Of 30000 / 1001 frames a second, each of which lasts 33.37 ms."""
    with av.open(str(tmp_path / "moves.avif"), "w") as container:
        stream = container.add_stream("libsvtav1", rate=Fraction(30000, 1001))
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {"preset": "12", "svtav1-params": "lp=1"}
        for i in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 8 * i, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    times = [frame.time for frame in read_frames(tmp_path / "moves.avif")]
    np.testing.assert_allclose(times, np.arange(30) * 1.001 / 30, atol=6e-4)


def test_colour_profiles_of_palettes_count(tmp_path: Path) -> None:
    """A profile in which red and green are exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = (
        int.from_bytes(profile[tag + 4 : tag + 8])
        for tag in (profile.index(name, 128) for name in (b"rXYZ", b"gXYZ"))
    )
    held = bytes(profile)
    profile[red : red + 20], profile[green : green + 20] = (
        held[green : green + 20],
        held[red : red + 20],
    )
    image = Image.fromarray(np.full((8, 8, 3), (200, 60, 20), np.uint8)).quantize(4)
    image.save(tmp_path / "a.png", icc_profile=bytes(profile))
    np.testing.assert_allclose(read_image(tmp_path / "a.png")[4, 4], (60, 200, 20), atol=4)


def test_more_than_16_bits_are_no_colours(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 2**20, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(BadInputError, match="measurements"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("b\udcff.png", r"'b\\udcff\.png' is not UTF-8"), (f"{'b' * 240}.png", "is too long")],
)
@pytest.mark.parametrize("alone", [True, False])
def test_an_image_whose_name_nothing_can_have_is_refused_first(
    tmp_path: Path, name: str, reason: str, alone: bool
) -> None:
    """Overlays are called NAME.png."""
    for image in ("a.png", name):
        save(tmp_path / image, texture(0, 8, 8))
    with pytest.raises(BadInputError, match=f"^the name .*{reason}"):
        video_info(tmp_path / name if alone else tmp_path)


def test_an_image_with_a_long_name_has_room_for_a_suffix(tmp_path: Path) -> None:
    save(tmp_path / f"{'b' * 236}.png", texture(0, 8, 8))
    assert video_info(tmp_path).frames == 1
