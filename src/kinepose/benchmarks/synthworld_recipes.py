"""What each version of `synthworld` is made of. A version never changes: a better one is a new one.

No person, clothes, scene or motion of a test is seen in training: each video draws people, clothes
and scenes anew, from seeds that differ by split, and the motions of `unseen_motion` and the places
of `unseen_place` occur nowhere else.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from kinepose.synthetic.config import Appearance, MotionConfig, SceneConfig
from kinepose.synthetic.mocap_clips import DEEPMIMIC_TRAINING

PRIOR_SEED = 0
"""Of the 20 renders, which are those of `train` as well."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    videos: float
    """Factor on the number of videos."""
    seconds: float
    fps: int
    side: int
    """Of the videos [px]."""


SIZES = {
    "tiny": Size(0.2, 2.0, 6, 64),
    "small": Size(1.0, 6.0, 12, 160),
    "full": Size(8.0, 8.0, 25, 256),
}


@dataclass(frozen=True)
class Split:
    """One part of the benchmark: how many videos in the size `small`, and of what."""

    videos: int
    camera: Literal["static", "moving", "mixed"]
    motion: MotionConfig
    seed: int
    scene: SceneConfig = field(default_factory=SceneConfig)
    appearance: Appearance = "video"


@dataclass(frozen=True)
class World:
    """A version of the benchmark."""

    splits: dict[str, Split]
    tests: tuple[str, ...]
    """The splits that `score` scores; the others are for training and for choices."""
    content: dict[str, tuple[str, ...]]
    """Hashes of the videos, labels and boxes of a size, as made by different processors."""


_OTHER_SCENES = SceneConfig(
    clutter=14.0,
    distance=(2.6, 3.8),
    height=(2.4, 3.4),
    roll=5.0,
    sun=(10.0, 25.0),
    softness=(0.0, 0.2),
    warmth=0.25,
    exposure=(1.2, 1.6),
    noise=(5.0, 9.0),
    compression=28,
)


def _one_by_one(*clips: str) -> MotionConfig:
    return MotionConfig(only=clips, apart=True)


_SEEN_1 = _one_by_one(*DEEPMIMIC_TRAINING)
_UNSEEN_1 = _one_by_one("dance_b", "getup_facedown", "jump", "kick")
_EVERYTHING_1 = MotionConfig(only=DEEPMIMIC_TRAINING)

_TRAINING_2 = (
    *DEEPMIMIC_TRAINING,
    *(f"cmu_01_{trial}" for trial in ("01", "08")),
    *(f"cmu_02_{trial:02d}" for trial in range(1, 11)),
    *("cmu_03_01", "cmu_03_02"),
    *(f"cmu_05_{trial:02d}" for trial in range(1, 16)),
    *(f"cmu_06_{trial:02d}" for trial in range(1, 15)),
    *(f"cmu_07_{trial:02d}" for trial in range(1, 13)),
    *("cmu_10_01", "cmu_10_03", "cmu_12_01", "cmu_14_19"),
    *("cmu_content_box_1", "cmu_content_box_2", "cmu_content_female_walk", "cmu_content_hop"),
    *("cmu_content_jump_across", "cmu_content_jumping_jack", "cmu_content_swim"),
    *("cmu_content_walk", "cmu_content_wipe"),
)
_EVERYTHING_2 = MotionConfig(only=_TRAINING_2)
_SEEN_2 = _one_by_one(
    *("cartwheel", "crawl", "run", "walk", "cmu_01_01", "cmu_02_05", "cmu_05_07", "cmu_06_03"),
    *("cmu_10_01", "cmu_content_box_1", "cmu_content_jumping_jack", "cmu_content_wipe"),
)
_UNSEEN_2 = _one_by_one(
    *("dance_b", "getup_facedown", "jump", "kick", "cmu_01_14", "cmu_05_16", "cmu_05_17"),
    *("cmu_05_18", "cmu_05_19", "cmu_05_20", "cmu_06_15", "cmu_content_box_3", "cmu_content_kick"),
)
_PLACES = SceneConfig(places="training")
_OTHER_PLACES = replace(_PLACES, places="test")
_OTHER_VIEWS = replace(_OTHER_SCENES, places="training")

WORLDS = {
    1: World(
        {
            "train_static": Split(40, "static", _EVERYTHING_1, 11_001),
            "train_moving": Split(20, "moving", _EVERYTHING_1, 11_002),
            "validation": Split(11, "mixed", _SEEN_1, 11_003),
            "seen_world": Split(11, "static", _SEEN_1, 11_004),
            "unseen_motion": Split(12, "static", _UNSEEN_1, 11_005),
            "unseen_look": Split(11, "static", _SEEN_1, 11_006, _OTHER_SCENES),
            "foreign_look": Split(11, "static", _SEEN_1, 11_007, appearance="foreign"),
            "moving_camera": Split(11, "moving", _SEEN_1, 11_008),
        },
        ("seen_world", "unseen_motion", "unseen_look", "foreign_look", "moving_camera"),
        {"small": ("ce31a3a76c458a04", "9305428278a1c73a")},
    ),
    2: World(
        {
            "train_static": Split(40, "static", _EVERYTHING_2, 12_001, _PLACES, "dressed"),
            "train_moving": Split(20, "moving", _EVERYTHING_2, 12_002, _PLACES, "dressed"),
            "train_foreign": Split(24, "mixed", _EVERYTHING_2, 12_003, _PLACES, "foreign"),
            "validation": Split(12, "mixed", _SEEN_2, 12_004, _PLACES, "dressed"),
            "validation_foreign": Split(12, "mixed", _SEEN_2, 12_005, _PLACES, "foreign"),
            "seen_world": Split(12, "static", _SEEN_2, 12_006, _PLACES, "dressed"),
            "unseen_motion": Split(13, "static", _UNSEEN_2, 12_007, _PLACES, "dressed"),
            "unseen_place": Split(12, "static", _SEEN_2, 12_008, _OTHER_PLACES, "dressed"),
            "unseen_look": Split(12, "static", _SEEN_2, 12_009, _OTHER_VIEWS, "dressed"),
            "foreign_look": Split(12, "static", _SEEN_2, 12_010, _PLACES, "foreign"),
            "moving_camera": Split(12, "moving", _SEEN_2, 12_011, _PLACES, "dressed"),
        },
        (
            *("seen_world", "unseen_motion", "unseen_place", "unseen_look", "foreign_look"),
            "moving_camera",
        ),
        {"tiny": ("30cd5150e0d00f9e",), "small": ("befa73d81f136efa",)},
    ),
}
