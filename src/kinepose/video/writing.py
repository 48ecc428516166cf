"""Videos that every browser plays."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from kinepose.io.errors import BadInputError
from kinepose.io.files import replacing
from kinepose.video.containers import address
from kinepose.video.display import ImageArray

_TICK = Fraction(1, 90_000)
"""Of the clock of written videos [s]: a whole number for the usual rates."""

TimedImage = tuple[float, ImageArray]
"""When it is shown first [s], and RGB."""


def write_video(
    path: Path, frames: Iterable[ImageArray], fps: float, options: dict[str, str] | None = None
) -> None:
    """Write frames at an even pace. See `write_timed_video`."""
    timed = ((index / fps, image) for index, image in enumerate(frames))
    write_timed_video(path, timed, fps, options)


def write_timed_video(
    path: Path, frames: Iterable[TimedImage], fps: float, options: dict[str, str] | None = None
) -> None:
    """Write frames, each shown until the next one: H.264, 4:2:0; odd sizes lose a row.

    `fps`, their rate on average, tells x264 what to expect, and how long the last one is shown. The
    options are x264's.

    Raises:
        BadInputError: if there are no frames, one is a pixel thin, or the disk is full.
    """
    container = stream = None
    try:
        with replacing(path) as temporary:
            for start, duration, image in _with_durations(frames, 1 / fps):
                height, width = (length // 2 * 2 for length in image.shape[:2])
                if not (height and width):
                    raise BadInputError(f"cannot write {path}: an image of it is a pixel thin")
                if container is None or stream is None:
                    container = av.open(address(temporary), "w", format="mp4")
                    rate = Fraction(fps).limit_denominator(1001)
                    stream = container.add_stream("libx264", rate=rate)
                    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                    stream.options = {**options} if options else {}
                    stream.codec_context.time_base = _TICK
                pixels = np.ascontiguousarray(image[:height, :width])
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.duration, frame.time_base = start, duration, _TICK
                container.mux(stream.encode(frame))
            if container is None or stream is None:
                raise BadInputError(f"no frames to write to {path}")
            container.mux(stream.encode())
            container.close()
    except (OSError, av.FFmpegError) as error:
        raise BadInputError(f"cannot write {path}: {error.strerror or error}") from error


def _with_durations(
    frames: Iterable[TimedImage], last: float
) -> Iterator[tuple[int, int, ImageArray]]:
    """Start and duration of each image [ticks]; the last one has `last` [s]."""
    held: tuple[int, ImageArray] | None = None
    for time, image in frames:
        tick = round(time / _TICK)
        if held is not None:
            tick = max(tick, held[0] + 1)
            yield held[0], tick - held[0], held[1]
        held = tick, image
    if held is not None:
        yield held[0], max(1, round(last / _TICK)), held[1]
