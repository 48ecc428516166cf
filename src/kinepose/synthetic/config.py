"""Which settings make people and places at all: what is out of range is named in one line."""

from kinepose.errors import BadInputError
from kinepose.ranges import Ranges, check_ranges
from kinepose.settings import MotionConfig, SceneConfig

_MOTION: Ranges = {
    "captured": (0.0, 1e6),
    "mixed": (0.0, 1e6),
    "procedural": (0.0, 1e6),
    "locomotion": (0.0, 1.0),
    "walks_between": (0.0, 1.0),
    "longest_stay": (0.5, 3600.0),
    "standing": (0.0, 1.0),
    "speed": (1.0, 10.0),
    "perturbation": (0.0, 90.0),
}
_SCENE: Ranges = {
    "clutter": (0.0, 1000.0),
    "distance": (1.0, 100.0),
    "height": (-100.0, 100.0),
    "roll": (0.0, 180.0),
    "zoom": (0.0, 1.0),
    "shake": (0.0, 1.0),
    "sun": (5.0, 90.0),
    "softness": (0.0, 1.0),
    "warmth": (0.0, 1.0),
    "exposure": (0.0, 10.0),
    "blur": (0.05, 100.0),
    "noise": (0.0, 255.0),
    "compression": (0.0, 51.0),
    "occluders": (0.0, 1.0),
    "shutter": (0.0, 1.0),
}


def check_motion(motion: MotionConfig, option: str) -> None:
    """Settings of motion, whose options begin with `option`.

    Raises:
        BadInputError: if nobody can move by them.
    """
    check_ranges(motion, _MOTION, option)
    if motion.captured + motion.mixed + motion.procedural == 0:
        raise BadInputError(f"{option}captured, mixed and procedural are all 0; nobody moves.")


def check_scene(scene: SceneConfig, option: str) -> None:
    """Settings of scenes, whose options begin with `option`.

    Raises:
        BadInputError: if one is out of range.
    """
    check_ranges(scene, _SCENE, option)
