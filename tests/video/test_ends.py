"""ends.py: a video file that is shorter than it says, however little of it is missing."""

import struct
import warnings

import av
import pytest
from tests.tiny_videos import save_video, walker_frames

from kinepose.io.errors import BadInputError, BrokenVideoWarning
from kinepose.video.ends import is_cut_off
from kinepose.video.reading import read_frames

FRAMES = walker_frames(1.0)[0]


@pytest.mark.parametrize("kind", ["avi", "mkv", "mov", "mp4"])
def test_whole_files_are_whole_and_one_byte_less_is_said(tmp_path, kind):
    codec = "mjpeg" if kind == "avi" else "libx264"
    video = save_video(tmp_path / f"video.{kind}", FRAMES, codec=codec)
    assert not is_cut_off(video)
    assert len(list(read_frames(video))) == len(FRAMES)
    video.write_bytes(video.read_bytes()[:-1])
    assert is_cut_off(video)


def test_a_video_that_lacks_a_frame_says_so(tmp_path):
    video = save_video(tmp_path / "video.mkv", FRAMES)
    data = video.read_bytes()
    video.write_bytes(data[: data.rindex(b"\xa3") - 30])  # the last of its blocks
    with pytest.warns(BrokenVideoWarning, match="its end is missing"):
        assert len(list(read_frames(video))) in (len(FRAMES) - 1, len(FRAMES) - 2)


def test_what_says_no_length_or_is_none_of_these_is_not_cut_off(tmp_path):
    video = tmp_path / "video"
    segment = b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67"
    box = struct.pack(">I4s", 16, b"ftyp") + bytes(8)
    for data, cut in [
        (b"", False),
        (b"RI", False),
        (b"a text\n" * 9, False),
        (segment + b"\xff" + bytes(9), False),  # unknown, as of a stream
        (segment + b"\x01" + b"\xff" * 7 + bytes(9), False),
        (segment + b"\x89" + bytes(9), False),
        (segment + b"\x8a" + bytes(9), True),
        (segment + b"\x40\x0a" + bytes(10), False),
        (box + struct.pack(">I4s", 0, b"mdat") + bytes(50), False),  # to the end
        (box + struct.pack(">I4sQ", 1, b"mdat", 66) + bytes(50), False),
        (box + struct.pack(">I4sQ", 1, b"mdat", 2**40) + bytes(50), True),
        (box + bytes(range(200, 255)), False),  # no box
    ]:
        video.write_bytes(data)
        assert is_cut_off(video) == cut, data[:20]


def test_a_video_that_begins_within_a_group_of_images_says_so(tmp_path):
    video = tmp_path / "video.avi"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.height, stream.width = FRAMES[0].shape[:2]
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(video))) == len(FRAMES)
    data = bytearray(video.read_bytes())
    for lost in (data.index(b"00dc", data.index(b"movi")), data.index(b"idx1")):
        data[lost : lost + 4] = b"JUNK"
    video.write_bytes(data)
    with pytest.warns(BrokenVideoWarning, match="its beginning is missing"):
        assert len(list(read_frames(video))) == len(FRAMES) - 1


def patched(video, old, new):
    data = video.read_bytes()
    assert old in data
    video.write_bytes(data.replace(old, new))


def test_a_codec_that_nobody_knows_is_one_line(tmp_path):
    video = save_video(tmp_path / "video.mp4", FRAMES)
    patched(video, b"avc1", b"qqq1")
    with pytest.raises(BadInputError, match="of a codec that FFmpeg does not know"):
        next(read_frames(video))


def test_words_of_a_video_that_are_not_utf8_are_no_matter(tmp_path):
    video = save_video(tmp_path / "video.mp4", FRAMES)
    patched(video, b"VideoHandler", b"Vid\xff\xfeHandler")
    assert len(list(read_frames(video))) == len(FRAMES)


def test_an_image_in_a_videos_place_is_a_video_of_one_frame(tmp_path):
    from PIL import Image

    video = tmp_path / "video.mp4"
    Image.fromarray(FRAMES[0]).save(video, "tiff")  # FFmpeg gives its EXIF, PyAV does not know it
    assert len(list(read_frames(video))) == 1
