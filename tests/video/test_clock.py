"""clock.py: when frames are shown, in videos whose own clock does not say it plainly."""

import struct
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kinepose.io.errors import BrokenVideoWarning, VideoWarning
from kinepose.video.clock import Beats
from kinepose.video.reading import read_frames, video_info

COUNT, RATE = 12, 25


def video(
    path: Path, codec: str, times: Sequence[float] | None = None, form: str | None = None
) -> Path:
    """Frames that brighten, at these times [s] or evenly, with B-frames where the codec has any."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width = 32, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.options = {} if codec == "mjpeg" else {"bf": "2"}
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(COUNT):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 20 * i, np.uint8))
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def shown(path: Path) -> tuple[list[float], list[float]]:
    """When, and how bright."""
    frames = list(read_frames(path))
    return [frame.time for frame in frames], [float(frame.image.mean()) for frame in frames]


EVEN = np.arange(COUNT) / RATE
BRIGHT = 20 * np.arange(COUNT)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_of_avi_come_evenly_though_it_numbers_them_as_decoded(
    tmp_path: Path, codec: str
) -> None:
    times, bright = shown(video(tmp_path / "video.avi", codec))
    np.testing.assert_allclose(times, EVEN, atol=1e-6)
    np.testing.assert_allclose(bright, BRIGHT, atol=4)


def test_frames_of_avi_that_are_deinterlaced_keep_their_times(tmp_path: Path) -> None:
    path = tmp_path / "video.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"flags": "+ildct+ilme"})
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for i in range(COUNT):
            frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 20 * i, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    times, bright = shown(path)
    np.testing.assert_allclose(times, EVEN, atol=1e-6)
    np.testing.assert_allclose(bright, BRIGHT, atol=4)


def test_a_video_that_is_delayed_and_trimmed_is_whole(tmp_path: Path) -> None:
    """An edit list of an empty edit of 0.2 s, and of 0.3 s of the video."""
    path = video(tmp_path / "video.mp4", "libx264")
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack(">I", data[data.index(b"edts") - 4 :][:4])
    edits = struct.pack(">I4sIIIiIIiI", 40, b"elst", 0, 2, 200, -1, 1 << 16, 300, 1024, 1 << 16)
    at = data.index(b"edts") - 4
    data[at : at + length] = struct.pack(">I4s", 8 + len(edits), b"edts") + edits
    for box in (b"moov", b"trak"):
        place = data.index(box) - 4
        (size,) = struct.unpack(">I", data[place : place + 4])
        data[place : place + 4] = struct.pack(">I", size + 8 + len(edits) - length)
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        times, _ = shown(path)
    assert 7 <= len(times) <= 9
    np.testing.assert_allclose(times, EVEN[: len(times)], atol=1e-3)


def test_a_video_without_a_clock_says_so(tmp_path: Path) -> None:
    """Whoever dumped these JPEGs gave all of them the time 0."""
    with av.open(str(tmp_path / "video.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuvj420p"
        for _ in range(3):
            for packet in stream.encode(
                av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), np.uint8))
            ):
                packet.pts = packet.dts = 0
                container.mux(packet)
    with pytest.warns(VideoWarning, match="gives all its 3 frames one time"):
        times = [frame.time for frame in read_frames(tmp_path / "video.mkv")]
    np.testing.assert_allclose(times, [0, 1 / RATE, 2 / RATE])


def test_the_ticks_of_a_bare_stream_are_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "video.m4v"
    with av.open(str(path), "w", format="m4v") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(24000, 1001))
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(48, 32, "yuv420p")))
        container.mux(stream.encode())
    with pytest.warns(VideoWarning, match="states no frame rate"):
        assert [round(frame.time, 6) for frame in read_frames(path)] == [0, 0.04, 0.08]


@pytest.mark.parametrize(("suffix", "codec"), [(".ts", "libx264"), (".mpg", "mpeg2video")])
@pytest.mark.parametrize("leap", [-3.0, 900.0])
def test_time_goes_on_where_streams_are_joined(
    tmp_path: Path, suffix: str, codec: str, leap: float
) -> None:
    first = video(tmp_path / f"a{suffix}", codec, EVEN + 5.0 if codec == "libx264" else None)
    second = video(
        tmp_path / f"b{suffix}", codec, EVEN + 5.0 + leap if codec == "libx264" else None
    )
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        times, bright = shown(joined)
    np.testing.assert_allclose(times, np.arange(2 * COUNT) / RATE, atol=2e-3)
    np.testing.assert_allclose(bright, [*BRIGHT, *BRIGHT], atol=4)
    lines = [str(warning.message) for warning in said]
    assert any("leaps (1 x)" in line for line in lines)
    assert not any("it ends after" in line for line in lines)


def test_a_pause_is_no_leap(tmp_path: Path) -> None:
    times = np.where(np.arange(COUNT) < 5, EVEN, EVEN + 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read, _ = shown(video(tmp_path / "video.ts", "libx264", times.tolist()))
    np.testing.assert_allclose(read, times, atol=1e-3)


def test_a_bare_stream_has_the_rate_that_its_codec_states(tmp_path: Path) -> None:
    path = tmp_path / "video.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=50, options={"bf": "2"})
        stream.height, stream.width = 32, 48
        for _ in range(COUNT):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        times, _ = shown(path)
    np.testing.assert_allclose(times, np.arange(COUNT) / 50, atol=1e-9)
    assert video_info(path).fps == 50


def test_where_nothing_states_a_rate_one_is_assumed_aloud(tmp_path: Path) -> None:
    path = video(tmp_path / "video.mjpeg", "mjpeg", form="mjpeg")
    with pytest.warns(VideoWarning, match=r"video\.mjpeg states no frame rate: 25 frames"):
        times, _ = shown(path)
    np.testing.assert_allclose(times, EVEN, atol=1e-9)


def test_the_rate_of_a_bare_dv_stream_is_not_that_of_its_clock(tmp_path: Path) -> None:
    path = tmp_path / "video.dv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.height, stream.width, stream.pix_fmt = 576, 720, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((576, 720, 3), np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert video_info(path).fps == 25


def test_a_cut_group_of_images_begins_with_its_first_whole_one(tmp_path: Path) -> None:
    """As recorders cut: what refers to frames before the cut is left out, not painted grey."""
    path = tmp_path / "video.ts"
    with av.open(str(path), "w") as container:
        options = {"bf": "3", "g": "12", "x264-params": "open-gop=1"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.height, stream.width = 32, 48
        for i in range(36):
            image = np.full((32, 48, 3), 6 * i, np.uint8)
            image[:, : i + 1] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    whole = path.read_bytes()
    path.write_bytes(whole[len(whole) // 3 // 188 * 188 :])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BrokenVideoWarning)
        times, _ = shown(path)
        images = [frame.image for frame in read_frames(path)]
    assert 8 < len(times) < 34
    numbers = [image[:, -4:].mean() / 6 for image in images]
    np.testing.assert_allclose(numbers, np.arange(36 - len(images), 36), atol=0.5)
    np.testing.assert_allclose(np.diff(times), 1 / RATE, atol=1e-3)


@pytest.mark.parametrize(
    ("times", "rate", "taken"),
    [
        (np.arange(8) / 60, 30.0, [0, 2, 4, 6]),
        (np.arange(8) / 59.94, 30.0, [0, 2, 4, 6]),
        (np.arange(8) / 25, 30.0, [*range(8)]),
        (np.arange(8) / 25, 0.0, [*range(8)]),
        (np.round(np.arange(8) / 30, 3), 30.0, [*range(8)]),  # in milliseconds
        (np.arange(6) / 50, 30.0, [0, 2, 4, 5]),
        (np.array([0, 1, 2, 40, 41, 80, 81]) / 240, 30.0, [0, 3, 5]),  # bursts
    ],
)
def test_frames_are_taken_by_their_own_times(times, rate, taken) -> None:
    beats = Beats(rate)
    assert [i for i, time in enumerate(times.tolist()) if beats.falls_on(time)] == taken


@pytest.mark.parametrize("still", [2, COUNT])
def test_only_a_clock_that_stands_to_the_end_gives_way_to_the_rate(
    tmp_path: Path, still: int
) -> None:
    path = tmp_path / "video.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuvj420p"
        for i in range(COUNT):
            image = np.zeros((32, 48, 3), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image)):
                packet.pts = packet.dts = max(0, i + 1 - still)
                container.mux(packet)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        times, _ = shown(path)
        taken = list(read_frames(path, RATE / 2))
    assert any("one time" in str(warning.message) for warning in said) == (still == COUNT)
    expected = EVEN if still == COUNT else np.maximum(0, np.arange(COUNT) - 1) / RATE
    np.testing.assert_allclose(times, expected, atol=1e-3)
    assert len(taken) == COUNT // 2
