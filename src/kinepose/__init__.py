"""kinepose learns 3D human pose from videos without a single human label.

    import kinepose

    poses = kinepose.predict("walk.mp4")
    poses.joints3d, poses.time, poses.track
    poses.save("out", formats=["bvh", "trc"])

What stands here is the whole Python API (docs/api.md); it loads torch when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinepose.api import Poses, load_model, predict, push_to_hub
    from kinepose.io.errors import BadInputError, KineposeError

__version__ = "0.1.0"
__all__ = ["BadInputError", "KineposeError", "Poses", "load_model", "predict", "push_to_hub"]

_WHERE = dict.fromkeys(
    ("Poses", "load_model", "predict", "push_to_hub"), "kinepose.api"
) | dict.fromkeys(("BadInputError", "KineposeError"), "kinepose.io.errors")


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module 'kinepose' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
