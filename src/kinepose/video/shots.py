"""A video read once from end to end, in stretches without a shot change."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from kinepose.geometry.boxes import Boxes, ScoredBoxes
from kinepose.video.display import ImageArray
from kinepose.video.reading import Frame, VideoInfo, read_frames, video_info

THUMBNAIL = 256
"""Longer side of the small images that show cuts, camera motion and people [px] ..."""
CLOSER = 384
"""... and of larger ones, for people alone, of videos of twice as many pixels a side."""
_LATE = 3
"""A cut is known this many frames after it, and so is left room for at the end of a stretch."""
_SHORTEST_SHOT = 0.5
"""Cuts nearer to the last one are taken for flashes [s]."""


@dataclass(frozen=True)
class Sight:
    """What was found in one frame."""

    boxes: Boxes
    """[px]"""
    scores: Float[np.ndarray, " people"]
    """From 0 to 1; 1 where a detector has none."""
    appearance: Float[np.ndarray, "people n"]
    """See appearance.appearance_of."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive frames without a cut between them; what is kept of them is small."""

    new_shot: bool
    """Whether a cut (or the video's start) lies before it, rather than the limit of length."""
    fps: float
    """Frames a second, on average, by what the video states."""
    frames: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    thumbnails: list[ImageArray] = field(default_factory=list)
    closer: list[ImageArray] = field(default_factory=list)
    """The same, or larger, for those who look for people."""
    found: list[ScoredBoxes] = field(default_factory=list)
    """What `detect` found in each frame."""

    @property
    def pace(self) -> float:
        """Frames a second by their own times; what the video states, for a single frame."""
        seconds = self.times[-1] - self.times[0]
        return (len(self.times) - 1) / seconds if seconds > 0 else self.fps

    def split(self, count: int, new_shot: bool) -> tuple["Stretch", "Stretch"]:
        """The first `count` frames, and the others."""
        head = replace(
            self,
            frames=self.frames[:count],
            times=self.times[:count],
            thumbnails=self.thumbnails[:count],
            closer=self.closer[:count],
            found=self.found[:count],
        )
        tail = replace(
            self,
            new_shot=new_shot,
            frames=self.frames[count:],
            times=self.times[count:],
            thumbnails=self.thumbnails[count:],
            closer=self.closer[count:],
            found=self.found[count:],
        )
        return head, tail


def read_stretches(
    video: Path,
    fps: float,
    longest: float,
    detect: Callable[[Frame], ScoredBoxes],
    closely: bool = False,
) -> Iterator[Stretch]:
    """Cut a video at its shot changes, and shots longer than `longest` [s] into several stretches.

    Each frame is given to `detect` in passing, so that one reading serves all; `closely` is whether
    people are looked for in more than thumbnails. Memory is that of the small images of one
    stretch. Cuts are PySceneDetect's: changes of content that stand out from the frames around
    them, which camera motion does not.

    Raises:
        BadInputError: if the video cannot be read.
    """
    info = video_info(video)
    pace = min(fps, info.fps) if fps > 0 else info.fps
    size = _small_size(info, THUMBNAIL)
    is_large = closely and max(info.width, info.height) >= 2 * CLOSER
    closer_size = _small_size(info, CLOSER) if is_large else size
    cuts = AdaptiveDetector(min_scene_len=max(_LATE, round(_SHORTEST_SHOT * pace)))
    stretch, start = Stretch(True, pace), 0
    for position, frame in enumerate(read_frames(video, fps)):
        closer = frame.develop(closer_size)
        small = cv2.resize(closer, size, interpolation=cv2.INTER_AREA) if is_large else closer
        stretch.frames.append(frame.index)
        stretch.times.append(frame.time)
        stretch.thumbnails.append(small.astype(np.uint8, copy=False))
        stretch.closer.append(closer)
        stretch.found.append(detect(frame))
        sparse = np.ascontiguousarray(small[::2, ::2, ::-1])  # BGR, enough for means of pixels
        for cut in cuts.process_frame(FrameTimecode(position, fps=pace), sparse):
            length = cut.frame_num - start
            if length > 0 and _lasts(stretch.thumbnails[length - 1 :]):
                head, stretch = stretch.split(length, new_shot=True)
                start = cut.frame_num
                yield head
        if frame.time - stretch.times[0] > longest and len(stretch.frames) > _LATE:
            head, stretch = stretch.split(len(stretch.frames) - _LATE, new_shot=False)
            start += len(head.frames)
            yield head
    yield stretch


def _lasts(thumbnails: list[ImageArray]) -> bool:
    """Whether the image does not come back to what it was before a cut, as after a flash."""
    before, at_cut, *after = (image.astype(np.float32) for image in thumbnails)
    change = np.square(at_cut - before).mean()
    return all(np.square(later - before).mean() > 0.5 * change for later in after)


def _small_size(info: VideoInfo, longer_side: int) -> tuple[int, int]:
    scale = min(1.0, longer_side / max(info.height, info.width))
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))
