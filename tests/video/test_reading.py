import struct
import warnings
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.tiny_films import FPS, HEIGHT, WIDTH, texture, walker_frames, write_film

from kinepose.errors import BadInputError, BrokenFilmWarning
from kinepose.video.reading import film_info, read_frames
from kinepose.video.writing import write_video


def test_every_frame_comes_in_order_with_its_time(tmp_path: Path) -> None:
    frames, _, _ = walker_frames(1.0)
    film = write_film(tmp_path / "film.mp4", frames)
    read = list(read_frames(film))
    assert [frame.index for frame in read] == list(range(len(frames)))
    assert np.allclose([frame.time for frame in read], np.arange(len(frames)) / FPS, atol=1e-3)
    for frame, image in zip(read, frames, strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 5
    info = film_info(film)
    assert (info.width, info.height, info.frames) == (WIDTH, HEIGHT, len(frames))
    assert info.fps == pytest.approx(FPS)


def test_a_variable_frame_rate_is_evened_out_by_time_stamps(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 0.12, 0.3, 0.34, 0.5, 0.9, 0.94, 1.0]
    film = write_film(tmp_path / "film.mkv", walker_frames(1.0)[0][: len(times)], times)
    read = list(read_frames(film))
    assert np.allclose([frame.time for frame in read], times, atol=2e-3)
    assert [frame.index for frame in read_frames(film, fps=5.0)] == [0, 4, 6, 7, 9]
    assert len(list(read_frames(film, fps=1000.0))) == len(times)


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_films_are_shown_the_way_up_that_they_ask_for(
    tmp_path: Path, degrees: int, turns: int
) -> None:
    image = texture(0)
    film = write_film(tmp_path / "film.mp4", [image] * 3)
    data = bytearray(film.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # after version, times, ids, duration, layer and volume
    cosine, sine = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    one = 1 << 16
    rows = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = struct.pack(">9i", *rows)
    film.write_bytes(data)
    upright = np.rot90(image, turns)
    (first, *_) = read_frames(film)
    assert first.image.shape == upright.shape
    assert np.abs(first.image.astype(int) - upright).mean() < 5
    assert (film_info(film).height, film_info(film).width) == upright.shape[:2]
    small = cv2.resize(first.image, (50, 30), interpolation=cv2.INTER_AREA)
    assert np.abs(first.develop((50, 30)).astype(int) - small).mean() < 2


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.mp4", b"no film\n" * 100, "not a film"),
        ("text.txt", b"no film\n" * 100, "text"),
        ("empty.mp4", b"", "not a film"),
        ("missing.mp4", None, "no such file"),
        ("bytes\udcff.mp4", b"", "not UTF-8"),
    ],
)
def test_what_is_no_film_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match=reason) as refused:
        next(read_frames(path))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value) or repr(name) in str(refused.value)


def test_what_decodes_of_a_broken_film_is_used(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.avi", walker_frames(2.0)[0], codec="mjpeg")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.warns(BrokenFilmWarning, match=r"film\.avi is broken"):
        read = list(read_frames(film))
    assert 5 < len(read) < 20


@pytest.mark.parametrize(
    ("name", "codec", "share", "reason"),
    [
        ("film.mp4", "libx264", 0.6, "after [0-9.]+ of 3.0 s"),
        ("film.mp4", "mjpeg", 0.99, "end is missing"),
        ("film.mkv", "libx264", 0.6, "after [0-9.]+ of 3.0 s"),
        ("film.mkv", "mjpeg", 0.8, "after [0-9.]+ of 3.0 s"),
        ("film.ts", "libx264", 0.9, "end is missing"),
        ("film.avi", "mjpeg", 0.95, "end is missing|after"),
    ],
)
def test_a_film_that_ends_within_a_frame_says_so_and_a_whole_one_does_not(
    tmp_path: Path, name: str, codec: str, share: float, reason: str
) -> None:
    film = write_film(tmp_path / name, walker_frames(3.0)[0], codec=codec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(film))) == 36
    film.write_bytes(film.read_bytes()[: int(film.stat().st_size * share)])
    with pytest.warns(BrokenFilmWarning, match=reason) as said:
        read = list(read_frames(film))
    assert f"{len(read)} frames of it are used" in str(said[0].message) and 5 < len(read) <= 36


def test_a_film_whose_sound_goes_on_is_whole(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as container:
        video, sound = container.add_stream("mjpeg", rate=FPS), container.add_stream("pcm_s16le")
        video.height, video.width, video.pix_fmt = HEIGHT, WIDTH, "yuvj420p"
        silence = av.AudioFrame("s16", "mono", 48000)
        silence.sample_rate = 48000
        for second in range(5):
            silence.pts = 48000 * second
            container.mux(sound.encode(silence))
        for frame in walker_frames(0.5)[0]:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(film))) == 6


def test_a_film_that_asks_to_be_turned_is_turned_whole_and_small(tmp_path: Path) -> None:
    lying, standing = tmp_path / "lying.mp4", tmp_path / "standing.mp4"
    write_video(lying, walker_frames(0.5)[0], float(FPS))
    held = bytearray(lying.read_bytes())
    matrix = held.index(b"tkhd") + 44  # of ISO 14496-12, 8.3.2: x' = -y, y' = x, a quarter turn
    held[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    standing.write_bytes(held)
    assert (film_info(standing).width, film_info(standing).height) == (HEIGHT, WIDTH)
    for before, after in zip(read_frames(lying), read_frames(standing), strict=True):
        np.testing.assert_array_equal(after.image, np.rot90(before.image, -1))
        small, expected = after.develop((HEIGHT // 2, WIDTH // 2)), before.develop((64, 48))
        np.testing.assert_array_equal(small, np.rot90(expected, -1))


def test_a_film_cut_off_before_its_index_is_refused(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    write_video(film, walker_frames(1.0)[0], float(FPS))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(BadInputError, match="not a film"):
        next(read_frames(film))


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for level, name in ((30, "b.png"), (20, "a.jpg"), (40, "c.PNG")):
        cv2.imwrite(str(tmp_path / name), np.full((8, 12, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    read = list(read_frames(tmp_path))
    assert [frame.index for frame in read] == [0, 1, 2]
    assert [int(frame.image.mean()) for frame in read] == [20, 30, 40]
    assert film_info(tmp_path).fps == 0
    assert len(list(read_frames(tmp_path / "a.jpg"))) == 1


def test_pictures_are_red_green_blue(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((4, 4, 3), (0, 0, 255), np.uint8))
    assert next(read_frames(tmp_path / "red.png")).image[0, 0].tolist() == [255, 0, 0]


def test_an_empty_folder_and_a_broken_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no pictures"):
        next(read_frames(tmp_path))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG, and then nothing")
    with pytest.raises(BadInputError, match=r"broken\.png"):
        next(read_frames(tmp_path))


def test_written_films_are_read_back(tmp_path: Path) -> None:
    frames = [texture(i, 33, 51, 6.0) for i in range(5)]
    write_video(tmp_path / "new" / "film.mp4", frames, 29.97)
    read = list(read_frames(tmp_path / "new" / "film.mp4"))
    assert len(read) == 5
    for frame, image in zip(read, frames, strict=True):
        assert frame.image.shape == (32, 50, 3)
        assert np.abs(frame.image.astype(int) - image[:32, :50]).mean() < 12
    assert film_info(tmp_path / "new" / "film.mp4").fps == pytest.approx(29.97, abs=0.01)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def failing():
        yield texture(0)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_video(tmp_path / "film.mp4", failing(), 10.0)
    with pytest.raises(BadInputError, match="no frames"):
        write_video(tmp_path / "film.mp4", [], 10.0)
    assert list(tmp_path.iterdir()) == []


def test_pictures_a_pixel_thin_are_no_film(tmp_path):
    with pytest.raises(BadInputError, match="a pixel thin"):
        write_video(tmp_path / "thin.mp4", [np.zeros((1, 64, 3), np.uint8)], 25.0)
