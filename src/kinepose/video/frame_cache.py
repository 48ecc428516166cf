"""Frames shrunk to what their crops need, and kept so that a video need not be decoded again."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinepose.io.errors import BadInputError
from kinepose.video.box_tables import FileBoxes
from kinepose.video.clock import Beats
from kinepose.video.config import PeopleConfig
from kinepose.video.display import ImageArray
from kinepose.video.people import Shot, crops_around
from kinepose.video.reading import Frame, VideoInfo

_KEPT_BYTES = 2**31
"""Most room on disk for the frames of one video."""
_LEAST = 0.9
"""A crop's side in a kept frame is at least this share of the side that it is resampled to, if the
video has the pixels."""

Crops = Float[np.ndarray, "_ 3"]


@dataclass(frozen=True)
class Shrinking:
    """How much the frames of a clip are shrunk on being developed.

    All that follows, medians above all, is of these small frames.
    """

    size: tuple[int, int]
    """Width and height [px]."""
    scale: tuple[float, float]
    """To these shares of the video's."""

    def image(self, frame: Frame) -> ImageArray:
        """The small frame, RGB."""
        return frame.image if self.scale == (1.0, 1.0) else frame.develop(self.size)

    def boxes(self, boxes: Float[np.ndarray, "_ 4"]) -> Float[np.ndarray, "_ 4"]:
        """From px of the video to px of the small frames."""
        return boxes * np.tile(self.scale, 2)


class KeptFrames:
    """The first frames of a video, shrunk as its people suggest, in a nameless file.

    Where boxes are known before the video is read they tell how small its frames may be. Otherwise
    it can be guessed that crops are at least half as wide as the image's shorter side. `rate` is
    how many of each second are kept (clock.Beats), 0 all.
    """

    def __init__(
        self,
        folder: Path,
        info: VideoInfo,
        crop_size: int,
        config: PeopleConfig,
        guess: bool,
        rate: float = 0.0,
    ) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._info, self._crop_size, self._config = info, crop_size, config
        self._guess, self._beats = guess, Beats(rate)
        self._room = self._seen = 0
        self._places: dict[int, int] = {}
        """Of the kept frames by their position."""
        self._kept: Shrinking | None = None

    def keep(self, frame: Frame, tracks: FileBoxes | None) -> None:
        """The next frame of the video, while there is room."""
        if self._kept is None:
            self._kept = self._expected(tracks)
            self._room = _KEPT_BYTES if tracks or self._guess else 0
        self._seen += 1
        width, height = self._kept.size
        if not self._beats.falls_on(frame.time) or self._room < 3 * width * height:
            return
        image = np.ascontiguousarray(self._kept.image(frame))
        written = 0
        with suppress(OSError):  # a full disk
            written = self._file.write(image.data)
        if written == image.nbytes:
            self._room -= written
            self._places[self._seen - 1] = len(self._places)
        else:
            self._room = 0

    def of_shot(
        self,
        shot: Shot,
        crops: Iterable[Crops],
        places: Sequence[int],
        frames: Iterable[tuple[int, Frame]],
    ) -> tuple[Shrinking, Iterator[tuple[int, ImageArray]]]:
        """How small a shot's frames are for these crops, and those at `places` in it, in order.

        They are the kept ones or, where not all of them are or they are too small, the video's:
        `frames` goes through it, with positions, from shot to shot.

        Raises:
            BadInputError: while they are given, if the video ends before the shot does.
        """
        wanted = self._shrinking(_smallest(crops))
        are_kept = all(shot.first + place in self._places for place in places)
        if self._kept is not None and are_kept and wanted.size <= self._kept.size:
            return self._kept, self._images(shot, places)
        return wanted, _developed(shot, places, frames, wanted, self._info.name)

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    def _expected(self, tracks: FileBoxes | None) -> Shrinking:
        """How small frames may be, as far as that is known before people are found."""
        if tracks:
            boxes = [np.stack(list(track.values())) for track in tracks.values()]
            return self._shrinking(_smallest(crops_around(b, self._config) for b in boxes))
        return self._shrinking(min(self._info.width, self._info.height) / 2)

    def _shrinking(self, smallest: float) -> Shrinking:
        """By as many halves as leave the smallest crop _LEAST times as wide as it becomes."""
        width, height = self._info.width, self._info.height
        factor = max(2, int(2 * smallest // (_LEAST * self._crop_size))) / 2
        size = max(1, round(width / factor)), max(1, round(height / factor))
        return Shrinking(size, (size[0] / width, size[1] / height))

    def _images(self, shot: Shot, places: Sequence[int]) -> Iterator[tuple[int, ImageArray]]:
        assert self._kept is not None
        width, height = self._kept.size
        for place in places:
            image = np.empty((height, width, 3), np.uint8)
            self._file.seek(self._places[shot.first + place] * image.nbytes)
            self._file.readinto(image.data)
            yield place, image


def _developed(
    shot: Shot,
    places: Sequence[int],
    frames: Iterable[tuple[int, Frame]],
    small: Shrinking,
    name: str,
) -> Iterator[tuple[int, ImageArray]]:
    wanted = {shot.first + place for place in places}
    for position, frame in frames:
        if position in wanted:
            yield position - shot.first, small.image(frame)
        if position == shot.end - 1:
            return
    raise BadInputError(f"{name} gave fewer frames the second time it was read")


def _smallest(crops: Iterable[Crops]) -> float:
    return min(float(of_track[:, 2].min()) for of_track in crops)
