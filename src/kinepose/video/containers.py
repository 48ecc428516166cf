"""Files that hold videos: opened, a stream chosen, decoded; what they lack."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
from av.codec.context import Flags as CodecFlags
from av.format import Flags
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext

from kinepose.io.errors import BadInputError, VideoWarning
from kinepose.io.files import LONGEST_NAME, regular_file
from kinepose.video.ends import what_file_lacks

_TEXT_CODECS = frozenset({"ansi", "bintext", "xbin", "idf"})
"""FFmpeg paints text files as if they were videos of a terminal."""
_TS_PACKETS = (188, 192, 204)
"""Lengths that the packets of MPEG-TS may have [bytes]."""
_IN_ORDER_OF_DECODING = frozenset({"avi"})
"""Formats that number their frames as they are decoded, and do not say when they are shown."""
_KNOW_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders for transparent videos."""
_HAS_EDIT_LISTS = "mp4"
"""In FFmpeg's name for a family of formats."""
_IMAGE_A_PACKET = frozenset({"mpeg1video"})
"""Codecs without hidden images or halves of images."""
_DURATION = "DURATION"
"""Of a stream of Matroska, among what it says of itself."""
_FASTEST = 1000
"""Frames a second of a bare stream at most: what states more means the ticks of its clock."""
_LONGEST_WAIT, _MOST_WAITING = 3600.0, 32
"""A decoded image waits for others that are shown before it, and for the end of a pause: so long
at most [s], or for so many."""
_NO_VIDEO = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.dependent
)
"""Covers, previews, and the tiles of larger images."""


@dataclass
class Damage:
    """What is noticed of a video while it is decoded."""

    corrupt: bool = False
    reason: str = ""
    """What FFmpeg said last of what it could not decode."""

    def described(self) -> str:
        """In words; empty if nothing is wrong."""
        return self.reason or ("frames are damaged" if self.corrupt else "")


def check_name(path: Path) -> None:
    """That what is made of a video, or of an image, can be called like it.

    Raises:
        BadInputError: if its name is not UTF-8, in which poses, clips and pages are written, or
            leaves no room for a suffix.
    """
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise BadInputError(f"the name {path.name!r} is not UTF-8: rename it") from error
    if len(path.name.encode()) > LONGEST_NAME:
        raise BadInputError(f"the name {path.name} is too long: rename it")


@contextmanager
def open_container(
    path: Path,
) -> Generator[tuple[av.container.InputContainer, av.VideoStream]]:
    """A video's container and the stream that players show, decoded by several threads.

    Raises:
        BadInputError: if there is no video at the path.
    """
    regular_file(path)
    check_name(path)
    try:
        container = av.open(address(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"{path} is not a video that can be read: {_said(error)}") from error
    with container:
        stream = _shown(container, path)
        if stream.codec_context.name in _TEXT_CODECS:
            raise BadInputError(f"{path} is a text, not a video")
        stream.thread_type = "AUTO"
        stream.codec_context.flags |= CodecFlags.unaligned  # else no odd columns are cut off
        yield container, stream


def address(path: Path) -> str:
    """For FFmpeg, which takes what stands before a colon for a protocol."""
    return f"file:{path}"


def decoded(
    container: av.container.InputContainer, stream: av.VideoStream, damage: Damage
) -> Generator[av.VideoFrame]:
    """Every frame that decodes, in the order of their times."""
    packets, decoder = container.demux(stream), _decoder(stream)
    by_decoding = container.format.name in _IN_ORDER_OF_DECODING
    may_begin_anywhere, begins = bool(container.format.flags & Flags.ts_discont.value), True
    lacking, longest_wait = 0, max(_LONGEST_WAIT, _MOST_WAITING / stated_fps(container, stream))
    while True:
        try:
            packet = next(packets)
            lacking += packet.size > 0
            damage.corrupt |= packet.is_corrupt or _is_out_of_place(packet, longest_wait)
            if begins and not (packet.is_keyframe or may_begin_anywhere):
                damage.reason = "its beginning is missing"
            begins = False
            frames = decoder.decode(packet)
        except StopIteration:
            if lacking > 0 and decoder.name in _IMAGE_A_PACKET:
                damage.reason = damage.reason or f"{lacking} of its images do not decode"
            return
        except av.FFmpegError as error:
            damage.reason = _said(error)
            continue
        lacking -= len(frames)
        for frame in frames:
            damage.corrupt |= frame.is_corrupt
            if by_decoding:
                frame.pts = frame.dts
            yield frame


def _is_out_of_place(packet: av.Packet, longest_wait: float) -> bool:
    """Whether an image should be shown long before or after it is decoded: it may be left out."""
    if packet.pts is None or packet.dts is None or packet.time_base is None:
        return False
    return abs(float((packet.pts - packet.dts) * packet.time_base)) > longest_wait


def _decoder(stream: av.VideoStream) -> VideoCodecContext:
    """The stream's own, or one that knows of transparency where FFmpeg's does not."""
    codec = stream.codec_context
    other = _KNOW_ALPHA.get(codec.name) if stream.metadata.get("alpha_mode") == "1" else None
    if other is None or other not in av.codecs_available:
        return codec
    return cast(VideoCodecContext, VideoCodecContext.create(other, "r"))


def has_no_times(container: av.container.InputContainer) -> bool:
    """Whether a video is the bare stream of a codec, for whose times FFmpeg takes 25 a second."""
    return bool(container.format.flags & Flags.no_timestamps.value)


def has_one_time(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Whether all images of a video have one time, by its packets, which are read once more."""
    with suppress(av.FFmpegError), av.open(container.name, metadata_errors="replace") as again:
        packets = (packet for packet in again.demux(stream.index) if packet.size)
        times = (packet.dts if packet.pts is None else packet.pts for packet in packets)
        first = next(times, None)
        return all(time == first for time in times)
    return True


def bare_rate(stream: av.VideoStream) -> float:
    """Frames a second of the bare stream of a codec, as it says; 0 if it says nothing of use."""
    rate = float(stream.codec_context.framerate or 0)
    return rate if rate <= _FASTEST else 0.0


def stated_fps(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Frames a second on average, as the video says; 25 if it says nothing."""
    if has_no_times(container):
        return bare_rate(stream) or 25.0
    average, tick = stream.average_rate, stream.time_base
    if average is None or (tick is not None and average * tick >= 1):  # that of the clock, for DV
        average = stream.guessed_rate or average
    return float(average or 25)


def promised_frames(container: av.container.InputContainer, stream: av.VideoStream) -> int:
    """How many frames there should be; of a video that was trimmed, of what is left; or a guess."""
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    span = promised_end(container, stream) - start
    if span <= 0:
        span = (container.duration or 0) / av.time_base
    by_time = round(span * stated_fps(container, stream))
    return (
        min(stream.frames, by_time + 1) if stream.frames and by_time else stream.frames or by_time
    )


def what_lacks(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    start: float,
    end: float,
) -> str:
    """How much sooner a video ends than it promises, in words; from `start` to `end` on its clock.

    Small differences are no news but in Matroska, which says to the millisecond when the last
    image ends. Others say when their images end, or all that is in them; those that say nothing at
    all may at least end within one of their packets.
    """
    seconds, frame = promised_end(container, stream) - start, 1 / stated_fps(container, stream)
    slack = 0.6 * frame if _DURATION in stream.metadata else 0.02 * seconds + 2 * frame
    if end - start < seconds - slack:
        return f"it ends after {end - start:.1f} of {seconds:.1f} s"
    if container.format.name == "mpegts" and all(container.size % n for n in _TS_PACKETS):
        return "its end is missing"
    return what_file_lacks(path)


def promised_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """When the last image should end, on the video's clock [s]; 0 where only sound may go on.

    FFmpeg's duration of a video with an edit list is that of its images or, if these are trimmed,
    reaches from 0 to their end: of the two the sooner end is meant.
    """
    if stream.duration is not None and stream.time_base is not None:
        start = stream.start_time or 0
        from_zero = _HAS_EDIT_LISTS in container.format.name and 0 < start < stream.duration
        return float((stream.duration + (0 if from_zero else start)) * stream.time_base)
    with suppress(ValueError):
        hours, minutes, seconds = stream.metadata.get(_DURATION, "").split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    if len(container.streams) > 1:
        return 0.0
    return ((container.duration or 0) + (container.start_time or 0)) / av.time_base


def _shown(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The stream that is the video and, of several, the one marked as default."""
    if not container.streams.video:
        raise BadInputError(f"{path} holds no video")
    videos = [stream for stream in container.streams.video if not stream.disposition & _NO_VIDEO]
    if not videos:
        raise BadInputError(f"{path} holds a cover, a preview or tiles, but no video")
    videos = [stream for stream in videos if stream.codec_context is not None]
    if not videos:
        raise BadInputError(f"{path} holds video of a codec that FFmpeg does not know")
    videos = [stream for stream in videos if stream.frames != 1] or videos
    videos = [stream for stream in videos if stream.disposition & Disposition.default] or videos
    best = container.streams.best("video")
    shown = next((stream for stream in videos if stream is best), videos[0])
    if len(videos) > 1:
        size = f"{shown.codec_context.width} x {shown.codec_context.height} px"
        message = f"{path.name} holds {len(videos)} videos: stream {shown.index}, {size}, is taken"
        warnings.warn(message, VideoWarning, stacklevel=5)
    return shown


def _said(error: Exception) -> str:
    """What FFmpeg says, in one line and without its number."""
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
