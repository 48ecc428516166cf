"""Films and pictures, in and out, one frame at a time."""

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import UInt8

from kinepose.errors import BadInputError, BrokenFilmWarning
from kinepose.files import LONGEST_NAME, PICTURE_SUFFIXES, decoding, regular_file, replacing
from kinepose.threads import ahead

Picture = UInt8[np.ndarray, "_ _ 3"]

_TEXT_CODECS = frozenset({"ansi", "bintext", "xbin", "idf"})
"""FFmpeg paints text files as if they were films of a terminal."""
_TS_PACKETS = (188, 192, 204)
"""Lengths that the packets of MPEG-TS may have [bytes]."""
_AHEAD = 4
"""Frames that are decoded before they are asked for."""


@dataclass(frozen=True)
class Frame:
    """One frame of a film, or one picture of a folder; its pixels are made when asked for."""

    index: int
    """Number in the film, counted over all its frames, or in the folder's name order."""
    time: float
    """Since the first frame [s]; the index, for pictures."""
    develop: Callable[[tuple[int, int] | None], Picture]
    """RGB, the way up that the film asks to be shown; shrunk to (width, height) if some are given,
    each pixel the mean of what it covers. Not for several threads at once."""

    @cached_property
    def image(self) -> Picture:
        """RGB, as large as it is."""
        return self.develop(None)


@dataclass(frozen=True)
class FilmInfo:
    """What a film says of itself."""

    name: str
    width: int
    """As shown, after the rotation that the film asks for [px]."""
    height: int
    fps: float
    """Frames a second, on average; 0 for pictures."""
    frames: int
    """How many there should be; a guess for some formats."""


def is_pictures(path: Path) -> bool:
    """Whether this is a picture, or a folder (of pictures), rather than a film."""
    return path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES


def picture_paths(path: Path) -> list[Path]:
    """The pictures of a folder in name order, or the one picture.

    Raises:
        BadInputError: if there are none.
    """
    if not path.exists():
        raise BadInputError(f"no such file: {path}")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise BadInputError(f"no pictures in {path} ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return pictures


def check_name(film: Path) -> None:
    """That what is made of a film can be called like it.

    Raises:
        BadInputError: if its name is not UTF-8, in which poses, clips and pages are written, or
            leaves no room for a suffix.
    """
    try:
        film.name.encode()
    except UnicodeEncodeError as error:
        raise BadInputError(f"the name {film.name!r} is not UTF-8: rename the film") from error
    if len(film.stem.encode()) > LONGEST_NAME:
        raise BadInputError(f"the name {film.name} is too long: rename the film")


def film_info(path: Path) -> FilmInfo:
    """Size and pace of a film, from its head and first frame, or of a folder's first picture.

    Raises:
        BadInputError: if it cannot be read.
    """
    frames = _read_pictures(path) if is_pictures(path) else _decode(path)
    height, width, _ = next(frames).image.shape
    if is_pictures(path):
        return FilmInfo(path.name, width, height, 0.0, len(picture_paths(path)))
    with _opened(path) as (container, stream):
        fps = _average_fps(stream)
        seconds = (container.duration or 0) / av.time_base
        return FilmInfo(path.name, width, height, fps, stream.frames or round(seconds * fps))


def read_frames(path: Path, fps: float = 0.0) -> Iterator[Frame]:
    """The frames of a film, or the pictures of a folder in name order, in constant memory.

    Films are decoded a little ahead, in a thread of their own. With fps > 0 they are thinned out to
    that pace by their time stamps, so that a variable frame rate becomes as even as it can without
    a frame made up; 0 keeps every frame.

    Raises:
        BadInputError: if not one frame can be decoded. Where a film breaks further on, what can be
            decoded is given and a BrokenFilmWarning says so at the end.
    """
    if is_pictures(path):
        yield from _read_pictures(path)
        return
    last_beat = -1
    for frame in ahead(_decode(path), _AHEAD):
        beat = int(frame.time * fps + 0.01) if fps > 0 else frame.index
        if beat > last_beat:
            last_beat = beat
            yield frame


def write_video(
    path: Path, frames: Iterable[Picture], fps: float, options: dict[str, str] | None = None
) -> None:
    """Write frames as a film that every browser plays: H.264, 4:2:0; odd sizes lose a row.

    The options are x264's.

    Raises:
        BadInputError: if there are no frames, or the disk is full.
    """
    container = stream = None
    try:
        with replacing(path) as temporary:
            for image in frames:
                height, width = (length // 2 * 2 for length in image.shape[:2])
                if container is None or stream is None:
                    container = av.open(str(temporary), "w", format="mp4")
                    rate = Fraction(fps).limit_denominator(1001)
                    stream = container.add_stream("libx264", rate=rate)
                    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                    stream.options = {**options} if options else {}
                picture = np.ascontiguousarray(image[:height, :width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if container is None or stream is None:
                raise BadInputError(f"no frames to write to {path}")
            container.mux(stream.encode())
            container.close()
    except (OSError, av.FFmpegError) as error:
        raise BadInputError(f"cannot write {path}: {error}") from error


def _read_pictures(path: Path) -> Generator[Frame]:
    for index, picture in enumerate(picture_paths(path)):
        with decoding(picture, "picture"):  # its name may be any bytes, which imread cannot take
            encoded = np.frombuffer(regular_file(picture).read_bytes(), np.uint8)
            image = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise BadInputError(f"{picture} is no picture, or is broken")
        developed = partial(_shrunk, image.astype(np.uint8, copy=False))
        yield Frame(index, float(index), developed)


def _shrunk(image: Picture, size: tuple[int, int] | None) -> Picture:
    if size is None:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _decode(path: Path) -> Generator[Frame]:
    """Every frame of a film that decodes, in the size and the way up of the first."""
    index, time, end, start, damaged, broken = 0, 0.0, 0.0, None, False, ""
    darkroom = _Darkroom()
    with _opened(path) as (container, stream):
        rate, width, height = _average_fps(stream), 0, 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                damaged |= packet.is_corrupt
                decoded = packet.decode()
            except StopIteration:
                break
            except av.FFmpegError as error:
                broken = _reason(error)
                continue
            for picture in decoded:
                damaged |= picture.is_corrupt
                if index == 0:
                    width, height, start = picture.width, picture.height, picture.time
                if picture.time is not None and start is not None:
                    time = max(time, float(picture.time - start))
                else:
                    time = index / rate
                end = picture.time or time
                yield Frame(index, time, partial(darkroom.develop, picture, (width, height)))
                index += 1
        broken = _what_lacks(container, stream, index, end + 1 / rate) or broken
    broken = broken or ("frames are damaged" if damaged else "")
    if index == 0:
        raise BadInputError(f"cannot decode {path}: {broken or 'it holds no frames'}")
    if broken:
        message = f"{path.name} is broken ({broken}); {index} frames of it are used"
        warnings.warn(message, BrokenFilmWarning, stacklevel=2)


def _what_lacks(
    container: av.container.InputContainer, stream: av.VideoStream, frames: int, end: float
) -> str:
    """How much sooner a film ends than it promises, in words: after `frames`, at `end` [s].

    Small differences are no news. Formats that count no frames say when their pictures end, or all
    that is in them; those that say nothing at all may at least end within one of their packets.
    """
    if stream.frames:
        early = frames < 0.98 * stream.frames - 1
        return f"it ends after {frames} of {stream.frames} frames" if early else ""
    seconds = _promised_end(container, stream)
    if end < 0.98 * seconds - 2 / _average_fps(stream):
        return f"it ends after {end:.1f} of {seconds:.1f} s"
    if container.format.name == "mpegts" and all(container.size % n for n in _TS_PACKETS):
        return "its end is missing"
    return ""


def _promised_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """When the last picture should end, on the film's clock [s]; 0 where only sound may go on."""
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    with suppress(ValueError):  # Matroska's
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    if len(container.streams) > 1:
        return 0.0
    return ((container.duration or 0) + (container.start_time or 0)) / av.time_base


class _Darkroom:
    """What turns a film's frames into pictures: an FFmpeg scaler for each size.

    One for each frame, or one for several sizes in turn, would be set up anew again and again,
    which takes several times as long as its work.
    """

    def __init__(self) -> None:
        self.scalers: dict[tuple[int, int] | None, VideoReformatter] = {}

    def develop(
        self, picture: av.VideoFrame, full: tuple[int, int], size: tuple[int, int] | None
    ) -> Picture:
        """See Frame.develop; all frames are brought to the `full` size of the first."""
        turns = round(picture.rotation / 90)
        width, height = size or full
        if size is not None and turns % 2:
            width, height = height, width
        scaled = self.scalers.setdefault(size, VideoReformatter()).reformat(
            picture,
            width,
            height,
            format="rgb24",
            interpolation=Interpolation.BILINEAR if size is None else Interpolation.AREA,
        )
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns))


@contextmanager
def _opened(
    path: Path,
) -> Generator[tuple[av.container.InputContainer, av.VideoStream]]:
    """A film's container and its first stream of video, decoded by several threads."""
    regular_file(path)
    check_name(path)
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise BadInputError(f"{path} is not a film that can be read: {_reason(error)}") from error
    with container:
        if not container.streams.video:
            raise BadInputError(f"{path} holds no video")
        stream = container.streams.video[0]
        if stream.codec_context.name in _TEXT_CODECS:
            raise BadInputError(f"{path} is a text, not a film")
        stream.thread_type = "AUTO"
        yield container, stream


def _average_fps(stream: av.VideoStream) -> float:
    return float(stream.average_rate or stream.guessed_rate or 25)


def _reason(error: Exception) -> str:
    """What FFmpeg says, in one line and without its number."""
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
