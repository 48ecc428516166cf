"""A stretch of a video looked at: who is found in it, how its camera moves, what is nobody."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from kinepose.geometry.boxes import Boxes, ScoredBoxes
from kinepose.io.memory import give_back_free_memory
from kinepose.video.appearance import appearance_of
from kinepose.video.background import background_motion
from kinepose.video.fades import unfaded
from kinepose.video.finders import Finder
from kinepose.video.shots import Sight, Stretch
from kinepose.video.still_things import things_of


@dataclass(frozen=True)
class Seen:
    """What is left of a stretch once it has been looked at."""

    stretch: Stretch
    """Without its thumbnails."""
    motion: float
    sights: list[Sight | None]
    things: Boxes
    """Finds that are nobody, as they never stir [px]."""


def look_at(stretch: Stretch, finder: Finder) -> Seen:
    """Find people and camera motion in it, and give its memory back."""
    thumbnails, found = stretch.thumbnails, [*stretch.found]
    part = unfaded(thumbnails)
    motion = background_motion(thumbnails[part])
    scale, things = np.ones(4), np.zeros((0, 4))
    if finder.search is not None:
        scale = stretch.scale
        found[part] = finder.search(thumbnails[part], stretch.pace, motion)
        if finder.sure > 0:
            things = scale * things_of(thumbnails, found, stretch.times, finder.sure)
    sights = [_sight(stretch, *pair, scale) for pair in enumerate(found)]
    give_back_free_memory()
    return Seen(replace(stretch, thumbnails=[]), motion, sights, things)


def _sight(
    stretch: Stretch, position: int, found: ScoredBoxes | None, scale: Float[np.ndarray, " 4"]
) -> Sight | None:
    """What was found in a frame, in px of the video, with the appearance in its thumbnail."""
    if found is None:
        return None
    boxes = found[:, :4] * scale
    appearance = appearance_of(stretch.thumbnails[position], boxes / stretch.scale)
    return Sight(boxes, found[:, 4], appearance)
