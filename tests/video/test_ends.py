"""ends.py: a video file that is shorter than it says, however little of it is missing."""

import re
import struct
import warnings

import av
import pytest
from tests.tiny_videos import save_video, walker_frames

from kinepose.io.errors import BadInputError, BrokenVideoWarning
from kinepose.video.ends import what_file_lacks
from kinepose.video.reading import read_frames

FRAMES = walker_frames(1.0)[0]


def encoded(video, codec, rate):
    with av.open(str(video), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = FRAMES[0].shape[:2]
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    return video


@pytest.mark.parametrize("kind", ["avi", "mkv", "mov", "mp4"])
def test_whole_files_are_whole_and_one_byte_less_is_said(tmp_path, kind):
    codec = "mjpeg" if kind == "avi" else "libx264"
    video = save_video(tmp_path / f"video.{kind}", FRAMES, codec=codec)
    assert what_file_lacks(video) == ""
    assert len(list(read_frames(video))) == len(FRAMES)
    video.write_bytes(video.read_bytes()[:-1])
    assert what_file_lacks(video) == "its end is missing"


def test_a_video_that_lacks_a_frame_says_so(tmp_path):
    video = save_video(tmp_path / "video.mkv", FRAMES)
    data = video.read_bytes()
    video.write_bytes(data[: data.rindex(b"\xa3") - 30])  # the last of its blocks
    with pytest.warns(BrokenVideoWarning, match="its end is missing"):
        assert len(list(read_frames(video))) in (len(FRAMES) - 1, len(FRAMES) - 2)


EBML, SEGMENT, CLUSTER = b"\x1a\x45\xdf\xa3\x80", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
TRACKS = b"\x16\x54\xae\x6b\x85" + b"\xae\x83" + b"\xd7\x81\x02"
"""Of Matroska: one track, number 2."""
BLOCK, UNKNOWN, ROOM = b"\xa3\x85\x82\x00\x00\x00\x07", b"\xff", b"\xec\x82\x00\x00"
BOX = struct.pack(">I4s", 16, b"ftyp") + bytes(8)
PACK, PACKET = b"\0\0\1\xba\x44" + bytes(9), b"\0\0\1\xe0\0\x04abcd"
PACK_OF_MPEG1, END_OF_PACKS = b"\0\0\1\xba\x21" + bytes(7), b"\0\0\1\xb9"
LACKING = {
    "": [
        *(b"", b"RI", b"a text\n" * 9),
        EBML + SEGMENT + UNKNOWN + TRACKS + CLUSTER + UNKNOWN + BLOCK + CLUSTER + b"\x87" + BLOCK,
        EBML + SEGMENT + b"\x01" + b"\xff" * 7 + TRACKS + CLUSTER + UNKNOWN + ROOM + BLOCK,
        EBML + SEGMENT + b"\x40\x0a" + TRACKS + b"more that is no matter",
        EBML + SEGMENT + b"\x9a" + TRACKS + CLUSTER + b"\x8b" + ROOM + BLOCK,
        BOX + struct.pack(">I4s", 0, b"mdat") + bytes(50),  # to the end
        BOX + struct.pack(">I4sQ", 1, b"mdat", 66) + bytes(50),
        BOX + bytes(range(200, 255)),  # no box
        PACK + PACKET + bytes(17) + PACK_OF_MPEG1 + PACKET + END_OF_PACKS + bytes(5),
        PACK[:-1] + b"\x02\xff\xff" + PACKET,
        PACK + b"\0\0\1\xe0\0\0" + PACKET[4:] + PACK,  # a packet that does not say its length
        EBML + ROOM + SEGMENT + b"\x8a" + TRACKS,
    ],
    "its end is missing": [
        EBML + SEGMENT + b"\x8b" + TRACKS,
        EBML + SEGMENT + UNKNOWN + TRACKS + CLUSTER + UNKNOWN + BLOCK[:-1],
        BOX + struct.pack(">I4sQ", 1, b"mdat", 2**40) + bytes(50),
        PACK + PACKET[:-1],
        b"RIFF\x0a\0\0\0AVI LIST",
    ],
    "a part of it is damaged": [
        EBML + b"\x17" + SEGMENT[1:] + UNKNOWN,
        EBML + SEGMENT + UNKNOWN + TRACKS + CLUSTER + UNKNOWN + BLOCK[:2] + b"\x81" + BLOCK[3:],
        EBML + SEGMENT + UNKNOWN + TRACKS + CLUSTER + UNKNOWN + b"\xb3" + BLOCK[1:],
        EBML + SEGMENT + UNKNOWN + TRACKS + CLUSTER + b"\x83" + BLOCK,
        EBML + SEGMENT + UNKNOWN + TRACKS + b"\x1f\x43\xb6\x74" + b"\x87" + BLOCK,
        PACK + b"\0\0\2" + PACKET[3:],
        PACK + b"\0\0\1\x4d" + PACKET[4:],
    ],
    "another video follows its end": [
        *(2 * (EBML + SEGMENT + b"\x8a" + TRACKS), 2 * (EBML + SEGMENT + UNKNOWN + TRACKS)),
        2 * b"RIFF\x05\0\0\0AVI x\0",
    ],
}


@pytest.mark.parametrize("lacks", LACKING)
def test_what_files_lack_by_their_parts(tmp_path, lacks):
    video = tmp_path / "video"
    for data in LACKING[lacks]:
        video.write_bytes(data)
        assert what_file_lacks(video) == lacks, data


def test_a_block_that_is_lost_is_said(tmp_path):
    video = save_video(tmp_path / "video.mkv", FRAMES, codec="mjpeg")
    data = bytearray(video.read_bytes())
    *_, block, _ = re.finditer(rb"\xa3[\x40-\x7f].\x81..\x80", data, re.DOTALL)
    data[block.start() + 3] = 0x87  # the number of its track
    video.write_bytes(data)
    with pytest.warns(BrokenVideoWarning, match="a part of it is damaged"):
        assert len(list(read_frames(video))) == len(FRAMES) - 1


def assert_whole(video):
    """All frames come, and nothing is said."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(read_frames(video))) == len(FRAMES)


def test_an_image_of_mpeg_that_does_not_decode_is_said(tmp_path):
    video = encoded(tmp_path / "video.mpg", "mpeg1video", 25)
    assert_whole(video)
    data = bytearray(video.read_bytes())
    data[data.index(b"\0\0\1\0")] = 0x25  # where the first image begins
    video.write_bytes(data)
    with pytest.warns(BrokenVideoWarning, match="1 of its images do not decode"):
        assert len(list(read_frames(video))) == len(FRAMES) - 1


def test_a_video_that_begins_within_a_group_of_images_says_so(tmp_path):
    video = encoded(tmp_path / "video.avi", "mpeg4", 12)
    assert_whole(video)
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
