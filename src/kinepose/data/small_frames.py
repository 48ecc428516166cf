"""Frames shrunk to what their crops need, and kept so that a film need not be decoded again."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinepose.config import PeopleConfig
from kinepose.data.detectors import FileBoxes
from kinepose.data.people import crops_around
from kinepose.data.video import FilmInfo, Frame, Picture

_KEPT_BYTES = 2**30
"""Most room on disk for the frames of one film."""


@dataclass(frozen=True)
class Shrinking:
    """How much the frames of a clip are shrunk on being developed.

    All that follows, medians above all, is of these small frames.
    """

    size: tuple[int, int]
    """Width and height [px]."""
    scale: tuple[float, float]
    """To these shares of the film's."""

    def picture(self, frame: Frame) -> Picture:
        """The small frame, RGB."""
        return frame.image if self.scale == (1.0, 1.0) else frame.develop(self.size)

    def boxes(self, boxes: Float[np.ndarray, "_ 4"]) -> Float[np.ndarray, "_ 4"]:
        """From px of the film to px of the small frames."""
        return boxes * np.tile(self.scale, 2)


def shrinking(
    crops: Iterable[Float[np.ndarray, "_ 3"]], info: FilmInfo, crop_size: int
) -> Shrinking:
    """By the whole number that leaves the smallest crop between one and two times `crop_size`."""
    smallest = min(float(of_track[:, 2].min()) for of_track in crops)
    factor = max(1, int(smallest // crop_size))
    width, height = (max(1, round(length / factor)) for length in (info.width, info.height))
    return Shrinking((width, height), (width / info.width, height / info.height))


class KeptFrames:
    """The first frames of a film, shrunk as its boxes suggest, in a nameless file.

    Where the boxes are known before the film is read they tell how small its frames may be.
    """

    def __init__(self, folder: Path, info: FilmInfo, crop_size: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._info, self._crop_size = info, crop_size
        self._count = 0
        self.shrinking: Shrinking | None = None

    def add(self, frame: Frame, tracks: FileBoxes, config: PeopleConfig) -> None:
        """The next frame of the film, while there is room."""
        if self.shrinking is None:
            boxes = [np.stack(list(track.values())) for track in tracks.values()]
            crops = (crops_around(of_track, config, 0.0) for of_track in boxes)
            self.shrinking = shrinking(crops, self._info, self._crop_size)
        if (self._count + 1) * self._bytes <= _KEPT_BYTES:
            self._file.write(np.ascontiguousarray(self.shrinking.picture(frame)).data)
            self._count += 1

    def hold(self, first: int, end: int, wanted: Shrinking) -> bool:
        """Whether the frames from position `first` to before `end` are here, and so small."""
        return 0 <= first <= end <= self._count and wanted == self.shrinking

    def picture(self, position: int) -> Picture:
        """The frame at this position among those that were added."""
        assert self.shrinking is not None
        width, height = self.shrinking.size
        picture = np.empty((height, width, 3), np.uint8)
        self._file.seek(position * picture.nbytes)
        self._file.readinto(picture.data)
        return picture

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    @property
    def _bytes(self) -> int:
        return 0 if self.shrinking is None else 3 * self.shrinking.size[0] * self.shrinking.size[1]
