"""display.py, fields.py and containers.py on tiny videos of every kind, each made here."""

import itertools
import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from av.stream import Disposition
from PIL import Image
from tests.tiny_videos import save_video, texture, walker_frames

from kinepose.io.errors import BadInputError, VideoWarning
from kinepose.video.display import PLAIN
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video

ORIENTATIONS = [
    (sx, 0, 0, sy) if straight else (0, sx, sy, 0)
    for straight, sx, sy in itertools.product((True, False), (1, -1), (1, -1))
]
"""a, b, c, d of ISO 14496-12, 8.3.2: x' = a x + c y, y' = b x + d y."""


def first(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return next(read_frames(path)).image.astype(int)


def ask_to_be_shown(video: Path, a: float, b: float, c: float, d: float) -> None:
    """Write the display matrix of an MP4 anew."""
    data = bytearray(video.read_bytes())
    matrix = data.index(b"tkhd") + 44
    numbers = [round(65536 * number) for number in (a, b, 0, c, d, 0, 0, 0)]
    data[matrix : matrix + 36] = struct.pack(">9i", *numbers, 1 << 30)
    video.write_bytes(data)


def lossless(path: Path, planes: list[np.ndarray], pix_fmt: str, **tags: int) -> Path:
    """A video of these frames, as they are, with tags of colour; 4 frames of each array."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width = planes[0].shape[-2:]
        stream.pix_fmt = pix_fmt
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for _ in range(4):
            frame = av.VideoFrame(stream.width, stream.height, pix_fmt)
            for plane, values in zip(frame.planes, planes, strict=True):
                width = plane.line_size // values.itemsize
                row = np.zeros((plane.height, width), values.dtype)
                row[:, : plane.width] = values[: plane.height, : plane.width]
                plane.update(row.tobytes())
            for name, value in tags.items():
                setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def flat(*levels: int, size: tuple[int, int] = (16, 32), kind: type = np.uint8) -> list[np.ndarray]:
    return [np.full(size, level, kind) for level in levels]


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


@pytest.mark.parametrize(
    ("color_range", "level", "shown"), [(1, 16, 0), (1, 235, 255), (2, 16, 16), (2, 235, 235)]
)
def test_limited_and_full_range(tmp_path: Path, color_range: int, level: int, shown: int) -> None:
    video = lossless(
        tmp_path / "video.mkv", flat(level, 128, 128), "yuv444p", color_range=color_range
    )
    assert np.abs(first(video) - shown).max() <= 1


@pytest.mark.parametrize(
    ("rows", "colorspace", "red"),
    [
        (16, 2, (81, 90, 240)),
        (720, 2, (63, 102, 240)),
        (16, 1, (63, 102, 240)),
        (720, 5, (81, 90, 240)),
    ],
)
def test_the_matrix_is_the_videos_own_or_that_of_its_size(
    tmp_path: Path, rows: int, colorspace: int, red: tuple[int, int, int]
) -> None:
    """Y'CbCr of red: by BT.601 81, 90, 240, by BT.709 63, 102, 240."""
    planes = flat(*red, size=(rows, 32))
    video = lossless(
        tmp_path / "video.mkv", planes, "yuv444p", color_range=1, colorspace=colorspace
    )
    assert np.abs(first(video)[8, 16] - [254, 0, 0]).max() <= 2


@pytest.mark.parametrize(("trc", "signal"), [(16, 520), (18, 512)])
def test_high_dynamic_range_becomes_an_ordinary_image(
    tmp_path: Path, trc: int, signal: int
) -> None:
    """Grey: PQ's 100 cd/m2 becomes 69 of 100, and HLG's middle, 51 on a display of 1000, 46."""
    level = round(64 + 876 * signal / 1023)
    planes = flat(level, 512, 512, kind=np.uint16)
    tags = {"color_trc": trc, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    image = first(lossless(tmp_path / "video.mkv", planes, "yuv444p10le", **tags))
    assert np.ptp(image) <= 2
    assert abs(image.mean() - 255 * (0.69 if trc == 16 else 0.46) ** (1 / 2.4)) < 4


def test_what_is_transparent_lies_over_a_plain_colour(tmp_path: Path) -> None:
    video = tmp_path / "video.mov"
    image = np.zeros((16, 16, 4), np.uint8)
    image[:, :8] = (250, 0, 0, 255)
    image[:, 8:12] = (0, 250, 0, 128)
    image[:, 12:] = (0, 0, 250, 0)
    with av.open(str(video), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "rgba"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgba")))
        container.mux(stream.encode())
    shown = first(video)
    assert np.abs(shown[:, :8] - [250, 0, 0]).max() <= 1
    assert np.abs(shown[:, 8:12] - [PLAIN // 2, 189, PLAIN // 2]).max() <= 2
    assert np.abs(shown[:, 12:] - PLAIN).max() <= 1


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_webm_lies_over_a_plain_colour(tmp_path: Path, codec: str) -> None:
    image = np.full((32, 64, 4), (200, 200, 200, 255), np.uint8)
    image[:, 32:, 3] = 64
    with av.open(str(tmp_path / "video.webm"), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"b": "2M", "auto-alt-ref": "0"})
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuva420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgba")))
        container.mux(stream.encode())
    shown = first(tmp_path / "video.webm")
    assert abs(shown[:, :28].mean() - 200) < 4
    assert abs(shown[:, 36:].mean() - (64 * 200 + 191 * PLAIN) / 255) < 4
    assert [frame.time for frame in read_frames(tmp_path / "video.webm")] == [0, 0.1, 0.2]


def with_a_still_first(path: Path, of_still: Disposition, video: bool = True) -> Path:
    with av.open(str(path), "w") as container:
        still = container.add_stream("mjpeg", rate=10)
        still.height, still.width, still.pix_fmt = 64, 64, "yuvj420p"
        still.disposition = of_still
        if video:
            stream = container.add_stream("libx264", rate=10)
            stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
            stream.disposition = Disposition.default
        grey = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8))
        container.mux(still.encode(grey))
        container.mux(still.encode())
        if video:
            for _ in range(6):
                image = np.full((32, 48, 3), 200, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
    return path


def test_the_video_is_the_stream_that_players_show(tmp_path: Path) -> None:
    for name, of_still in (("video.mkv", Disposition(0)), ("video.mp4", Disposition.attached_pic)):
        video = with_a_still_first(tmp_path / name, of_still)
        info = video_info(video)
        assert (info.width, info.height, info.frames) == (48, 32, 6)
        assert len(list(read_frames(video))) == 6 and abs(first(video).mean() - 200) < 3


def test_a_cover_alone_is_no_video(tmp_path: Path) -> None:
    cover = with_a_still_first(tmp_path / "cover.mp4", Disposition.attached_pic, video=False)
    with pytest.raises(BadInputError, match="no video"):
        video_info(cover)


def test_a_name_with_colons_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(Path("12:30:05.mp4"), walker_frames(0.5)[0], 12.0)
    assert video_info(Path("12:30:05.mp4")).frames == 6


def test_a_trimmed_video_is_whole(tmp_path: Path) -> None:
    """As phones trim: all frames stay in the file, its edit list names those to show."""
    video = tmp_path / "video.mp4"
    images = [np.full((32, 32, 3), 20 * i, np.uint8) for i in range(12)]
    write_video(video, images, 10.0, {"bf": "2", "crf": "1"})
    data = bytearray(video.read_bytes())
    entry = data.index(b"elst") + 12
    lasts, start = struct.unpack(">Ii", data[entry : entry + 8])
    ticks = lasts * 90_000 // (1000 * 12)
    data[entry : entry + 8] = struct.pack(">Ii", lasts // 2, start + 4 * ticks)
    video.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = list(read_frames(video))
    assert len(frames) == 6
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(6) / 10, atol=1e-3)
    levels = [frame.image.mean() for frame in frames]
    np.testing.assert_allclose(levels, 20 * np.arange(4, 10), atol=4)


def test_a_late_start_and_less_than_a_frame_a_second(tmp_path: Path) -> None:
    times = [7.0, 9.5, 13.0, 13.5, 20.0]
    video = save_video(tmp_path / "video.mkv", walker_frames(1.0)[0][:5], times)
    read = [frame.time for frame in read_frames(video)]
    np.testing.assert_allclose(read, np.array(times) - 7, atol=1e-3)


def test_colours_that_the_container_alone_names(tmp_path: Path) -> None:
    """ProRes whose frames say nothing, in a MOV that says HLG: its grey is not 126 but 183."""
    video = tmp_path / "video.mov"
    tags = {"color_trc": 18, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    with av.open(str(video), "w") as container:
        stream = container.add_stream("prores_ks", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv422p10le"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for _ in range(3):
            frame = av.VideoFrame(48, 32, "yuv422p10le")
            for plane, level in zip(frame.planes, (502, 512, 512), strict=True):
                row = np.full((plane.height, plane.line_size // 2), level, np.uint16)
                plane.update(row.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    image = first(video)
    assert np.ptp(image) <= 2 and abs(image.mean() - 255 * 0.46 ** (1 / 2.4)) < 4


@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_colours_that_are_not_read_are_one_line(tmp_path: Path, matrix: int) -> None:
    video = lossless(tmp_path / "video.mkv", flat(90, 128, 128), "yuv444p", colorspace=matrix)
    with pytest.raises(BadInputError, match=r"video\.mkv has colours that are not read"):
        video_info(video)


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


def test_of_two_videos_in_one_file_one_is_named(tmp_path: Path) -> None:
    video = tmp_path / "video.mkv"
    with av.open(str(video), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream, side in zip(streams, (32, 64), strict=True):
            stream.height = stream.width = side
            stream.disposition = Disposition.default
        for stream in streams:
            image = np.full((stream.height, stream.width, 3), 90, np.uint8)
            for _ in range(5):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            container.mux(stream.encode())
    with pytest.warns(VideoWarning, match=r"video\.mkv holds 2 videos: stream \d, .* px, is taken"):
        video_info(video)


def test_a_still_beside_a_video_is_none(tmp_path: Path) -> None:
    """In MOV, whose tracks say how many frames they have, even if the still comes by default."""
    video = with_a_still_first(tmp_path / "video.mov", Disposition.default)
    info = video_info(video)
    assert (info.width, info.height, info.frames) == (48, 32, 6) and abs(
        first(video).mean() - 200
    ) < 3


def test_side_data_that_is_not_known_does_no_harm(tmp_path: Path) -> None:
    """FFmpeg says of JPEGs what Exif says; PyAV does not know that it may."""
    image = np.full((32, 48, 3), 60, np.uint8)
    image[:, :24] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(image).save(tmp_path / "video.mp4", format="JPEG", exif=exif, quality=95)
    shown = first(tmp_path / "video.mp4")
    assert np.abs(shown - np.rot90(image, -1)).mean() < 3


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
