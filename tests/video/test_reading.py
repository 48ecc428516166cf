import struct
import warnings
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.tiny_videos import FPS, HEIGHT, WIDTH, save_video, texture, walker_frames

from kinepose.io.errors import BadInputError, BrokenVideoWarning
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video


def test_every_frame_comes_in_order_with_its_time(tmp_path: Path) -> None:
    frames, _, _ = walker_frames(1.0)
    video = save_video(tmp_path / "video.mp4", frames)
    read = list(read_frames(video))
    assert [frame.index for frame in read] == list(range(len(frames)))
    assert np.allclose([frame.time for frame in read], np.arange(len(frames)) / FPS, atol=1e-3)
    for frame, image in zip(read, frames, strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 5
    info = video_info(video)
    assert (info.width, info.height, info.frames) == (WIDTH, HEIGHT, len(frames))
    assert info.fps == pytest.approx(FPS)


def test_a_variable_frame_rate_is_evened_out_by_time_stamps(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 0.12, 0.3, 0.34, 0.5, 0.9, 0.94, 1.0]
    video = save_video(tmp_path / "video.mkv", walker_frames(1.0)[0][: len(times)], times)
    read = list(read_frames(video))
    assert np.allclose([frame.time for frame in read], times, atol=2e-3)
    assert [frame.index for frame in read_frames(video, fps=5.0)] == [0, 4, 6, 7, 9]
    assert len(list(read_frames(video, fps=1000.0))) == len(times)


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_videos_are_shown_the_way_up_that_they_ask_for(
    tmp_path: Path, degrees: int, turns: int
) -> None:
    image = texture(0)
    video = save_video(tmp_path / "video.mp4", [image] * 3)
    data = bytearray(video.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # after version, times, ids, duration, layer and volume
    cosine, sine = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    one = 1 << 16
    rows = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = struct.pack(">9i", *rows)
    video.write_bytes(data)
    upright = np.rot90(image, turns)
    (first, *_) = read_frames(video)
    assert first.image.shape == upright.shape
    assert np.abs(first.image.astype(int) - upright).mean() < 5
    assert (video_info(video).height, video_info(video).width) == upright.shape[:2]
    small = cv2.resize(first.image, (50, 30), interpolation=cv2.INTER_AREA)
    assert np.abs(first.develop((50, 30)).astype(int) - small).mean() < 2


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.mp4", b"no video\n" * 100, "not a video"),
        ("text.txt", b"no video\n" * 100, "text"),
        ("empty.mp4", b"", "not a video"),
        ("missing.mp4", None, "no such file"),
        ("bytes\udcff.mp4", b"", "not UTF-8"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match=reason) as refused:
        next(read_frames(path))
    assert "\n" not in str(refused.value)
    assert name in str(refused.value) or repr(name) in str(refused.value)


def test_what_decodes_of_a_broken_video_is_used(tmp_path: Path) -> None:
    video = save_video(tmp_path / "video.avi", walker_frames(2.0)[0], codec="mjpeg")
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.warns(BrokenVideoWarning, match=r"video\.avi is broken"):
        read = list(read_frames(video))
    assert 5 < len(read) < 20


@pytest.mark.parametrize(
    ("name", "codec", "share", "reason"),
    [
        ("video.mp4", "libx264", 0.6, "after [0-9.]+ of 3.0 s"),
        ("video.mp4", "mjpeg", 0.99, "end is missing"),
        ("video.mkv", "libx264", 0.6, "after [0-9.]+ of 3.0 s"),
        ("video.mkv", "mjpeg", 0.8, "after [0-9.]+ of 3.0 s"),
        ("video.ts", "libx264", 0.9, "end is missing"),
        ("video.avi", "mjpeg", 0.95, "end is missing|after"),
    ],
)
def test_a_video_that_ends_within_a_frame_says_so_and_a_whole_one_does_not(
    tmp_path: Path, name: str, codec: str, share: float, reason: str
) -> None:
    video = save_video(tmp_path / name, walker_frames(3.0)[0], codec=codec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(video))) == 36
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * share)])
    with pytest.warns(BrokenVideoWarning, match=reason) as said:
        read = list(read_frames(video))
    assert f"{len(read)} frames of it are used" in str(said[0].message) and 5 < len(read) <= 36


def test_a_video_whose_sound_goes_on_is_whole(tmp_path: Path) -> None:
    video = tmp_path / "video.mkv"
    with av.open(str(video), "w") as container:
        shown, sound = container.add_stream("mjpeg", rate=FPS), container.add_stream("pcm_s16le")
        shown.height, shown.width, shown.pix_fmt = HEIGHT, WIDTH, "yuvj420p"
        silence = av.AudioFrame("s16", "mono", 48000)
        silence.sample_rate = 48000
        for second in range(5):
            silence.pts = 48000 * second
            container.mux(sound.encode(silence))
        for frame in walker_frames(0.5)[0]:
            container.mux(shown.encode(av.VideoFrame.from_ndarray(frame)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(video))) == 6


def test_a_video_that_asks_to_be_turned_is_turned_whole_and_small(tmp_path: Path) -> None:
    lying, standing = tmp_path / "lying.mp4", tmp_path / "standing.mp4"
    write_video(lying, walker_frames(0.5)[0], float(FPS))
    held = bytearray(lying.read_bytes())
    matrix = held.index(b"tkhd") + 44  # of ISO 14496-12, 8.3.2: x' = -y, y' = x, a quarter turn
    held[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    standing.write_bytes(held)
    assert (video_info(standing).width, video_info(standing).height) == (HEIGHT, WIDTH)
    for before, after in zip(read_frames(lying), read_frames(standing), strict=True):
        np.testing.assert_array_equal(after.image, np.rot90(before.image, -1))
        small, expected = after.develop((HEIGHT // 2, WIDTH // 2)), before.develop((64, 48))
        np.testing.assert_array_equal(small, np.rot90(expected, -1))


def test_a_video_cut_off_before_its_index_is_refused(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    write_video(video, walker_frames(1.0)[0], float(FPS))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(BadInputError, match="not a video"):
        next(read_frames(video))


def test_images_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for level, name in ((30, "b.png"), (20, "a.jpg"), (40, "c.PNG")):
        cv2.imwrite(str(tmp_path / name), np.full((8, 12, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    read = list(read_frames(tmp_path))
    assert [frame.index for frame in read] == [0, 1, 2]
    assert [int(frame.image.mean()) for frame in read] == [20, 30, 40]
    assert video_info(tmp_path).fps == 0
    assert len(list(read_frames(tmp_path / "a.jpg"))) == 1


def test_images_are_red_green_blue(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((4, 4, 3), (0, 0, 255), np.uint8))
    assert next(read_frames(tmp_path / "red.png")).image[0, 0].tolist() == [255, 0, 0]


def test_an_empty_folder_and_a_broken_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no images"):
        next(read_frames(tmp_path))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG, and then nothing")
    with pytest.raises(BadInputError, match=r"broken\.png"):
        next(read_frames(tmp_path))


def test_written_videos_are_read_back(tmp_path: Path) -> None:
    frames = [texture(i, 33, 51, 6.0) for i in range(5)]
    write_video(tmp_path / "new" / "video.mp4", frames, 29.97)
    read = list(read_frames(tmp_path / "new" / "video.mp4"))
    assert len(read) == 5
    for frame, image in zip(read, frames, strict=True):
        assert frame.image.shape == (32, 50, 3)
        assert np.abs(frame.image.astype(int) - image[:32, :50]).mean() < 12
    assert video_info(tmp_path / "new" / "video.mp4").fps == pytest.approx(29.97, abs=0.01)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def failing():
        yield texture(0)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_video(tmp_path / "video.mp4", failing(), 10.0)
    with pytest.raises(BadInputError, match="no frames"):
        write_video(tmp_path / "video.mp4", [], 10.0)
    assert list(tmp_path.iterdir()) == []


def test_images_a_pixel_thin_are_no_video(tmp_path):
    with pytest.raises(BadInputError, match="a pixel thin"):
        write_video(tmp_path / "thin.mp4", [np.zeros((1, 64, 3), np.uint8)], 25.0)
