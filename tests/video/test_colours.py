"""Colours of tiny videos of every kind: ranges, matrices, high dynamic range, transparency."""

from pathlib import Path

import av
import numpy as np
import pytest
from tests.tiny_videos import first

from kinepose.io.errors import BadInputError
from kinepose.video.display import PLAIN
from kinepose.video.reading import read_frames, video_info


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
