"""What finds people, by the detector's name: in each frame in passing, or in a whole shot."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinepose.geometry.boxes import Boxes, ScoredBoxes
from kinepose.io.errors import BadInputError
from kinepose.video.box_tables import FileBoxes, read_boxes
from kinepose.video.config import PeopleConfig
from kinepose.video.detectors import moving_people, network_detector, whole_image
from kinepose.video.display import ImageArray
from kinepose.video.images import is_images
from kinepose.video.reading import Frame, VideoInfo
from kinepose.video.searching import Search, search_video

if TYPE_CHECKING:
    from kinepose.detection.finding import Answer

_SURE = {"people": 0.45, "rtdetr": 0.5, "file": 0.0}
"""Score of a find that makes a person, unless the settings say another."""
IN_PASSING = 8.0
"""Length of the parts of a shot that are looked at, and held in memory, while later ones are read
[s] ..."""
_FOR_BACKGROUNDS = 60.0
"""... and where people are told from a background."""
_GOES_ON = 0.4
"""Share of that score with which somebody whom one knows of is found again."""


@dataclass(frozen=True)
class Finder:
    """A detector, ready for one video or for images."""

    detect: Callable[[Frame], ScoredBoxes]
    """In each frame in passing, or in each image [px of it]."""
    search: Callable[[Sequence[ImageArray], float, float], list[ScoredBoxes | None]] | None = None
    """If not in passing: in the small images of a shot [px of them], given its frames a second and
    its background motion; None for a frame that was not looked at."""
    closely: bool = False
    """Whether these are larger than thumbnails, where the video has the pixels."""
    from_file: FileBoxes | None = None
    """Everybody, known before the video is read."""
    sure: float = 0.0
    """Score of a find that makes a person; with less it may only be one who is known of."""
    longest: float = IN_PASSING
    """Length of what of a shot it best sees at once [s]."""


def make_finder(
    video: Path,
    config: PeopleConfig,
    info: VideoInfo,
    answer: "Answer | None",
    device: str | None = None,
) -> Finder:
    """The detector of the settings; `answer` computes what the network of `people` says.

    Without it, it computes on `device`, as that of `rtdetr` does; unless told, on a GPU if there is
    one.

    Raises:
        BadInputError: if it cannot be had, or is none for images.
    """
    nobody = np.zeros((0, 5))
    if config.detector == "none":
        return Finder(lambda frame: _scored(whole_image(frame.image)))
    if config.detector == "people":
        return _people_finder(video, config, answer or _shipped_answer(device))
    if config.detector == "rtdetr":
        detect = _loaded_detector(config.detector_weights, sure_score(config), device)
        return Finder(lambda frame: _scored(detect(frame.image)))
    if config.detector == "motion":
        if is_images(video):
            raise BadInputError(
                "the detector 'motion' needs a video; for images: --detector people, rtdetr, "
                "none, or file with --boxes CSV"
            )
        search = functools.partial(_moving, config.motion_threshold)
        return Finder(lambda frame: nobody, search, longest=_FOR_BACKGROUNDS)
    if config.boxes is None:
        raise BadInputError("the detector 'file' needs --boxes CSV")
    size = None if is_images(video) else (info.width, info.height)
    videos = read_boxes(config.boxes, video.name, size, sure_score(config))
    boxes = videos.get(video.name, videos.get(""))
    if boxes is None:
        raise BadInputError(
            f"{config.boxes} has no boxes for the video {video.name}: its column film names "
            f"{', '.join(sorted(videos)[:3])}; it has to be the file's name, with its suffix"
        )
    return Finder(lambda frame: nobody, from_file=boxes)


def _people_finder(video: Path, config: PeopleConfig, answer: "Answer") -> Finder:
    from kinepose.detection.finding import find_people_closely, find_people_in_video

    sure = sure_score(config)
    if is_images(video):
        return Finder(lambda image: find_people_closely(answer, image.image, sure))
    search: Search = functools.partial(
        find_people_in_video, answer, threshold=_GOES_ON * sure, sure=sure
    )
    nobody = np.zeros((0, 5))
    return Finder(
        lambda frame: nobody,
        lambda images, fps, _: search_video(images, fps, sure, search),
        closely=True,
        sure=sure,
    )


def _moving(
    threshold: float, thumbnails: Sequence[ImageArray], fps: float, motion: float
) -> list[ScoredBoxes | None]:
    return [_scored(boxes) for boxes in moving_people(thumbnails, fps, motion > threshold)]


def sure_score(config: PeopleConfig) -> float:
    """Score of a find that makes a person, by the settings or for their detector."""
    if config.detector_threshold is not None:
        return config.detector_threshold
    return _SURE[config.detector]


def _scored(boxes: Boxes) -> ScoredBoxes:
    return np.column_stack([boxes, np.ones(len(boxes))])


@functools.lru_cache(maxsize=1)
def _shipped_answer(device: str | None) -> "Answer":
    """Loaded once for all videos of a process; imports torch, which the other detectors do not."""
    import torch

    from kinepose.detection.finding import torch_answer
    from kinepose.detection.weights import load_detector

    return torch_answer(load_detector(), None if device is None else torch.device(device))


@functools.lru_cache(maxsize=1)
def _loaded_detector(weights: str, threshold: float, device: str | None) -> Callable[..., Boxes]:
    """Loaded once for all videos of a process."""
    return network_detector(weights, threshold, device)
