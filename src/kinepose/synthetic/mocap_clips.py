"""The package's own clips of motion capture, and which of them are kept for tests."""

import functools
from collections.abc import Sequence
from importlib.resources import files

import torch
from safetensors import safe_open
from torch.nn.functional import normalize

from kinepose.io.errors import BadInputError
from kinepose.synthetic.motion import Motion

TEST_CLIPS = (
    *("dance_b", "getup_facedown", "jump", "kick"),
    *("cmu_01_14", "cmu_05_16", "cmu_05_17", "cmu_05_18", "cmu_05_19", "cmu_05_20", "cmu_06_15"),
    *("cmu_11_01", "cmu_content_box_3", "cmu_content_kick"),
)
"""Nothing trains on these; cmu_11_01 and cmu_content_kick are one recording."""
DEEPMIMIC_TRAINING = (
    *("backflip", "cartwheel", "crawl", "dance_a", "getup_faceup", "punch"),
    *("roll", "run", "spin", "spinkick", "walk"),
)
"""What the 20 renders of L_prior and version 1 of `synthworld` know, whatever the package has."""
_FLYING = ("backflip", "jump", "run", "spin", "spinkick")
"""The clips of DeepMimic in which both feet leave the ground."""


@functools.cache
def captured_clips() -> dict[str, Motion]:
    """All clips by name, at CLIP_FPS: 15 of DeepMimic, and those of CMU, whose names say so."""
    clips = {}
    assets = files("kinepose.synthetic") / "assets"
    with safe_open(str(assets / "motions.safetensors"), framework="pt") as archive:
        for name in _names(archive.keys()):
            root = archive.get_tensor(f"{name}.root")
            flight = torch.full((len(root),), float(name in _FLYING))
            clips[name] = Motion(archive.get_tensor(f"{name}.rotations"), root, flight)
    with safe_open(str(assets / "cmu.safetensors"), framework="pt") as archive:
        for name in _names(archive.keys()):
            rotations = normalize(archive.get_tensor(f"{name}.rotations").float(), dim=-1)
            root, flight = (archive.get_tensor(f"{name}.{part}") for part in ("root", "flight"))
            clips[name] = Motion(rotations, root, flight.float())
    return clips


def training_clips() -> tuple[str, ...]:
    """The names of all clips but TEST_CLIPS."""
    return tuple(name for name in sorted(captured_clips()) if name not in TEST_CLIPS)


def clips_named(only: tuple[str, ...]) -> dict[str, Motion]:
    """The clips that the setting `only` lets people show; all of training if it names none.

    Raises:
        BadInputError: if the package has no such clip.
    """
    own = captured_clips()
    unknown = sorted(set(only) - set(own))
    if unknown:
        raise BadInputError(f"motion.only {unknown[0]}: the package has only {', '.join(own)}.")
    return {name: own[name] for name in only or training_clips()}


def _names(keys: Sequence[str]) -> list[str]:
    return sorted({key.split(".")[0] for key in keys})
