"""display.py and fields.py: turned, squeezed, cropped and interlaced videos, each made here."""

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from tests.tiny_videos import first, save_video, texture

from kinepose.io.errors import VideoWarning
from kinepose.video.display import PLAIN
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video

ORIENTATIONS = [
    (sx, 0, 0, sy) if straight else (0, sx, sy, 0)
    for straight, sx, sy in itertools.product((True, False), (1, -1), (1, -1))
]
"""a, b, c, d of ISO 14496-12, 8.3.2: x' = a x + c y, y' = b x + d y."""


def ask_to_be_shown(video: Path, a: float, b: float, c: float, d: float) -> None:
    """Write the display matrix of an MP4 anew."""
    data = bytearray(video.read_bytes())
    matrix = data.index(b"tkhd") + 44
    numbers = [round(65536 * number) for number in (a, b, 0, c, d, 0, 0, 0)]
    data[matrix : matrix + 36] = struct.pack(">9i", *numbers, 1 << 30)
    video.write_bytes(data)


@pytest.mark.parametrize(("a", "b", "c", "d"), ORIENTATIONS)
def test_videos_are_turned_and_mirrored_as_they_ask(
    tmp_path: Path, a: int, b: int, c: int, d: int
) -> None:
    image = texture(0, 24, 32)
    video = save_video(tmp_path / "video.mp4", [image] * 3)
    ask_to_be_shown(video, a, b, c, d)
    x, y = np.meshgrid(np.arange(32), np.arange(24))
    across, down = a * x + c * y, b * x + d * y
    shown = np.empty((np.ptp(down) + 1, np.ptp(across) + 1, 3), int)
    shown[down - down.min(), across - across.min()] = image
    assert np.abs(first(video) - shown).mean() < 5
    assert (video_info(video).height, video_info(video).width) == shown.shape[:2]


def test_a_video_that_is_to_be_shown_askew_says_so(tmp_path: Path) -> None:
    video = save_video(tmp_path / "video.mp4", [texture(0, 24, 32)] * 3)
    ask_to_be_shown(video, 0.9, 0.4, -0.4, 0.9)
    with pytest.warns(VideoWarning, match="askew"):
        next(read_frames(video))


@pytest.mark.parametrize(("aspect", "size"), [((4, 3), (96, 128)), ((1, 2), (192, 96))])
def test_pixels_are_square(tmp_path: Path, aspect: tuple[int, int], size: tuple[int, int]) -> None:
    image = texture(1, 96, 96)
    video = tmp_path / "video.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "8"})
        stream.height, stream.width, stream.pix_fmt = 96, 96, "yuv444p"
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    shown = first(video)
    assert shown.shape[:2] == size
    assert np.abs(shown - cv2.resize(image, size[::-1])).mean() < 6


def test_fields_become_frames_of_one_moment_each(tmp_path: Path) -> None:
    """A bar moves 4 px a field; woven frames show a comb, whole ones a bar."""

    def moment(field: int) -> np.ndarray:
        image = np.full((64, 96, 3), 60, np.uint8)
        image[:, 8 + 4 * field : 20 + 4 * field] = 200
        return image

    video = tmp_path / "video.mkv"
    with av.open(str(video), "w") as container:
        flags = {"flags": "+ildct+ilme", "qmin": "1", "qmax": "1"}
        stream = container.add_stream("mpeg2video", rate=10, options=flags)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for i in range(8):
            woven = moment(2 * i)
            woven[1::2] = moment(2 * i + 1)[1::2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(woven)))
        container.mux(stream.encode())
    frames = list(read_frames(video))
    assert [frame.index for frame in frames] == list(range(8))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(8) / 10, atol=1e-3)
    for i, frame in enumerate(frames):
        comb = np.abs(np.diff(frame.image[8:-8].astype(int), axis=0)).max()
        assert comb < 60  # woven: 140
        nearer = [np.abs(frame.image - moment(2 * i + k).astype(int)).mean() for k in (0, 1)]
        assert min(nearer) < 8


def test_absurd_pixels_are_square(tmp_path: Path) -> None:
    video = tmp_path / "video.mkv"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = 32, 256
        stream.codec_context.sample_aspect_ratio = Fraction(1, 255)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 256, 3), np.uint8))))
        container.mux(stream.encode())
    with pytest.warns(VideoWarning, match="taken for square"):
        assert next(read_frames(video)).image.shape == (32, 256, 3)


def test_frames_of_another_shape_are_not_squeezed(tmp_path: Path) -> None:
    """A call that is turned from lying to standing: a square stays one, over grey."""

    def part(height: int, width: int) -> bytes:
        path = tmp_path / "part.h264"
        image = np.full((height, width, 3), 60, np.uint8)
        image[height // 2 - 16 : height // 2 + 16, width // 2 - 16 : width // 2 + 16] = 220
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10, options={"crf": "1"})
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv444p"
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
        return path.read_bytes()

    video = tmp_path / "video.h264"
    video.write_bytes(part(96, 128) + part(128, 96) + part(48, 64))
    with pytest.warns(VideoWarning, match="changes its shape in frame 3"):
        frames = [frame.image.astype(int) for frame in read_frames(video)]
    assert {frame.shape for frame in frames} == {(96, 128, 3)} and len(frames) == 9
    bright = [(frame[..., 0] > 180) for frame in frames]
    sides = [(np.ptp(np.where(b)[0]) + 1, np.ptp(np.where(b)[1]) + 1) for b in bright]
    for (height, width), expected in zip(sides, [32] * 3 + [24] * 3 + [64] * 3, strict=True):
        assert abs(height - expected) <= 2 and abs(width - expected) <= 2
    assert np.abs(frames[4][:, :20] - PLAIN).max() <= 1


def test_what_is_cut_off_at_the_left_is_not_shown(tmp_path: Path) -> None:
    write_video(tmp_path / "whole.mp4", [np.full((32, 64, 3), 90, np.uint8)] * 3, 10.0)
    cropped = str(tmp_path / "video.ts")
    with av.open(str(tmp_path / "whole.mp4")) as whole, av.open(cropped, "w") as container:
        source = whole.streams.video[0]
        stream = container.add_stream_from_template(source)
        crop = "h264_mp4toannexb,h264_metadata=crop_left=6:crop_right=4"
        cut = BitStreamFilterContext(crop, source)
        for packet in whole.demux(source):
            for kept in cut.filter(packet if packet.dts is not None else None):
                kept.stream = stream
                container.mux(kept)
    assert first(tmp_path / "video.ts").shape == (32, 54, 3)


def test_pixels_that_change_their_shape_are_said(tmp_path: Path) -> None:
    def part(aspect: Fraction) -> bytes:
        path = tmp_path / "part.m2v"
        with av.open(str(path), "w", format="mpeg2video") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
            stream.codec_context.sample_aspect_ratio = aspect
            for _ in range(6):
                container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
            container.mux(stream.encode())
        return path.read_bytes()

    video = tmp_path / "video.m2v"
    video.write_bytes(part(Fraction(1)) + part(Fraction(4, 3)))
    with pytest.warns(VideoWarning, match=r"changes its shape .* keeps the pixels of the first"):
        assert {frame.image.shape for frame in read_frames(video)} == {(48, 64, 3)}
