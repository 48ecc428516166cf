"""Videos and images as a player shows them, one frame at a time."""

import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinepose.io.errors import BadInputError, BrokenVideoWarning, VideoWarning
from kinepose.io.threads import ahead
from kinepose.video.clock import Beats, timed
from kinepose.video.containers import (
    Damage,
    check_name,
    decoded,
    open_container,
    promised_frames,
    stated_fps,
    what_lacks,
)
from kinepose.video.display import Display, ImageArray, check_shown, stated_colours
from kinepose.video.fields import deinterlaced
from kinepose.video.images import (
    animation_size,
    image_paths,
    is_animation,
    is_images,
    read_animation,
    read_image,
    shrunk,
)

EVEN = 1e-3
"""How far from its place a frame of an even rate may be [s]: many files count in milliseconds."""
_AHEAD = 4
"""Frames that are decoded before they are asked for."""


@dataclass(frozen=True)
class Frame:
    """One frame of a video, or one image of a folder; its pixels are made when asked for."""

    index: int
    """Number in the video, counted over all its frames, or in the folder's natural order."""
    time: float
    """When it is shown, since the first frame [s]; the index, for images."""
    develop: Callable[[tuple[int, int] | None], ImageArray]
    """RGB, as a player shows it; shrunk to (width, height) if some are given, each pixel the mean
    of what it covers. Not for several threads at once."""

    @cached_property
    def image(self) -> ImageArray:
        """RGB, as large as it is."""
        return self.develop(None)


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself."""

    name: str
    width: int
    """As shown, turned as the video asks, in square pixels [px]."""
    height: int
    fps: float
    """Frames a second, on average; 0 for images."""
    frames: int
    """How many there should be; a guess for some formats."""


def video_info(path: Path) -> VideoInfo:
    """Size and pace of a video, from its head and first frame, or of a folder's first image.

    Raises:
        BadInputError: if it cannot be read, or what is made of it cannot be called like it.
    """
    height, width, _ = next(_frames(path)).image.shape
    if is_images(path):
        images = image_paths(path)
        for named in (path, *images):
            check_name(named)
        return VideoInfo(path.name, width, height, 0.0, len(images))
    if is_animation(path):
        frames, fps = animation_size(path)
        return VideoInfo(path.name, width, height, fps, frames)
    with open_container(path) as (container, stream):
        frames, fps = promised_frames(container, stream), stated_fps(container, stream)
        return VideoInfo(path.name, width, height, fps, frames)


def read_frames(path: Path, fps: float = 0.0) -> Iterator[Frame]:
    """The frames of a video, or the images of a folder in natural order, in constant memory.

    Videos are decoded a little ahead, in a thread of their own. With fps > 0 they are thinned out
    to that pace by their time stamps, so that a variable frame rate becomes as even as it can
    without a frame made up; 0 keeps every frame.

    Raises:
        BadInputError: if not one frame can be decoded. Where a video breaks further on, what can be
            decoded is given and a BrokenVideoWarning says so at the end.
    """
    if is_images(path):
        yield from _read_images(path)
        return
    beats = Beats(fps)
    yield from (frame for frame in ahead(_frames(path), _AHEAD) if beats.falls_on(frame.time))


def frame_rate(times: Float[np.ndarray, " frames"], stated: float) -> float:
    """Of frames at these times [s]: what the video states if they keep to it, or their mean."""
    if stated > 0 and is_even(times, stated):
        return stated
    return (len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else stated


def is_even(times: Float[np.ndarray, " frames"], fps: float) -> bool:
    """Whether the first frame, at 0, and all that follow come at this rate."""
    return bool(np.abs(times - np.arange(len(times)) / fps).max(initial=0) <= EVEN)


def _frames(path: Path) -> Generator[Frame]:
    if is_images(path):
        return _read_images(path)
    return _read_animation(path) if is_animation(path) else _decode(path)


def _read_images(path: Path) -> Generator[Frame]:
    for index, image in enumerate(image_paths(path)):
        yield Frame(index, float(index), partial(shrunk, read_image(image)))


def _read_animation(path: Path) -> Generator[Frame]:
    for index, moment in enumerate(read_animation(path)):
        yield Frame(index, moment.time, partial(shrunk, moment.image))


def _decode(path: Path) -> Generator[Frame]:
    """Every frame of a video that decodes, shown as the first is."""
    index, start, end, display, same, damage = 0, 0.0, 0.0, None, True, Damage()
    with open_container(path) as (container, stream):
        codec = stream.codec_context
        contained, aspect = stated_colours(codec), codec.sample_aspect_ratio
        images = deinterlaced(decoded(container, stream, damage))
        for time, lasts, image in timed(images, path.name, container, stream):
            if display is None:
                check_shown(path.name, image, stream)
                display = Display(image, stream.sample_aspect_ratio, contained)
                start = image.time or 0.0
            if same and not display.has_shape(image):
                same = False
                _warn_of_shapes(path.name, index, "follows is fitted into the first's")
            if same and codec.sample_aspect_ratio != aspect == stream.sample_aspect_ratio:
                same = False
                _warn_of_shapes(path.name, index, "follows keeps the pixels of the first")
            end = max(end, (start + time if image.time is None else image.time) + lasts)
            yield Frame(index, time, partial(display.develop, image))
            index += 1
        broken = what_lacks(path, container, stream, start, end) or damage.described()
    if index == 0:
        raise BadInputError(f"cannot decode {path}: {broken or 'it holds no frames'}")
    if broken:
        message = f"{path.name} is broken ({broken}); {index} frames of it are used"
        warnings.warn(message, BrokenVideoWarning, stacklevel=2)


def _warn_of_shapes(name: str, index: int, what: str) -> None:
    message = f"{name} changes its shape in frame {index}: what {what}"
    warnings.warn(message, VideoWarning, stacklevel=3)
