"""containers.py: which stream is the video, and which of its frames are shown."""

import struct
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image
from tests.tiny_videos import first, save_video, walker_frames

from kinepose.io.errors import BadInputError, BrokenVideoWarning, VideoWarning
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video


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


def test_an_image_that_should_be_shown_in_years_is_missed(tmp_path: Path) -> None:
    """FFmpeg leaves out what lies behind the end that the file's edit list states."""
    video = tmp_path / "video.mov"
    write_video(video, walker_frames(2.0)[0], 12.0)
    data = bytearray(video.read_bytes())
    at = data.index(b"ctts") + 12 + 8 * 4 + 4  # delay of the fifth entry
    data[at] ^= 0x70
    video.write_bytes(data)
    with pytest.warns(BrokenVideoWarning, match="frames are damaged"):
        assert len(list(read_frames(video))) == 23


def test_a_late_start_and_less_than_a_frame_a_second(tmp_path: Path) -> None:
    times = [7.0, 9.5, 13.0, 13.5, 20.0]
    video = save_video(tmp_path / "video.mkv", walker_frames(1.0)[0][:5], times)
    read = [frame.time for frame in read_frames(video)]
    np.testing.assert_allclose(read, np.array(times) - 7, atol=1e-3)


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
