"""`synthworld`: the benchmark that everyone can make. A fixed recipe, a version, a content hash.

No person, clothes, scene or motion of a test is seen in training: each film draws people, clothes
and scenes anew, from seeds that differ by split, and the motions of `unseen_motion` occur nowhere
else. The recipe of a version never changes: a better one gets a new version.
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kinepose.dataset.prepare import prepare
from kinepose.dataset.render_stream import render_prior_set
from kinepose.dataset.renders import save_prior
from kinepose.errors import BadInputError
from kinepose.files import check_folder, regular_file
from kinepose.schema import read_json, write_json
from kinepose.settings import (
    Look,
    MotionConfig,
    PeopleConfig,
    PrepareConfig,
    SceneConfig,
    SynthesizeConfig,
    SynthworldConfig,
)
from kinepose.synthetic.mocap_clips import DEEPMIMIC_TRAINING
from kinepose.synthetic.synthesize import synthesize

VERSION = 1
TESTS = ("seen_world", "unseen_motion", "unseen_look", "foreign_look", "moving_camera")
CONTENT = {"small": "ce31a3a76c458a04"}
"""Hash of the films, labels and boxes of a size, as first made."""

PRIOR_SEED = 0
"""Of the 20 renders, which are those of `train` as well."""
_UNSEEN = ("dance_b", "getup_facedown", "jump", "kick")
_EVERYTHING = MotionConfig(only=DEEPMIMIC_TRAINING)
_ONE_BY_ONE = MotionConfig(only=DEEPMIMIC_TRAINING, apart=True)
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


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    films: float
    """Factor on the number of films."""
    seconds: float
    fps: int
    side: int
    """Of the films [px]."""


SIZES = {
    "tiny": Size(0.2, 2.0, 6, 64),
    "small": Size(1.0, 6.0, 12, 160),
    "full": Size(8.0, 8.0, 25, 256),
}


@dataclass(frozen=True)
class Description:
    """synthworld.json: which benchmark lies in a folder."""

    version: int
    size: Literal["tiny", "small", "full"]
    content: str | None
    """content_hash of what was made; none while it is not finished."""


@dataclass(frozen=True)
class Split:
    """One part of the benchmark: how many films in the size `small`, and of what."""

    films: int
    camera: Literal["static", "moving", "mixed"]
    motion: MotionConfig
    seed: int
    scene: SceneConfig = field(default_factory=SceneConfig)
    look: Look = "film"


SPLITS = {
    "train_static": Split(40, "static", _EVERYTHING, 11_001),
    "train_moving": Split(20, "moving", _EVERYTHING, 11_002),
    "validation": Split(11, "mixed", _ONE_BY_ONE, 11_003),
    "seen_world": Split(11, "static", _ONE_BY_ONE, 11_004),
    "unseen_motion": Split(12, "static", replace(_ONE_BY_ONE, only=_UNSEEN), 11_005),
    "unseen_look": Split(11, "static", _ONE_BY_ONE, 11_006, scene=_OTHER_SCENES),
    "foreign_look": Split(11, "static", _ONE_BY_ONE, 11_007, look="foreign"),
    "moving_camera": Split(11, "moving", _ONE_BY_ONE, 11_008),
}


def make_synthworld(config: SynthworldConfig) -> None:
    """Films, labels, boxes and clips of every split, in folders of their names; synthworld.json.

    What an earlier call finished is kept.

    Raises:
        BadInputError: if the folder holds a benchmark of another version or size, or cannot be
            written.
    """
    check_folder(config.output)
    _claim(config)
    for name, split in SPLITS.items():
        recipe = _recipe(split, config, config.output / name)
        if not (recipe.output / "boxes.csv").is_file():
            print(f"{name}:")
            synthesize(recipe)
        films = tuple(sorted((recipe.output / "films").glob("*.mp4")))
        people = PeopleConfig(detector="file", boxes=recipe.output / "boxes.csv", side="frame")
        clips = PrepareConfig(films, recipe.output / "clips", people, workers=config.workers)
        prepare(replace(clips, shortest_clip=1.0, crop_size=128))
    save_prior(render_prior_set(20, PRIOR_SEED, 192), config.output / "prior.npz")
    print(describe(_write_description(config, content_hash(config.output))))


def read_synthworld(benchmark: Path) -> Description:
    """Version, size and content hash of a benchmark on disk.

    Raises:
        BadInputError: if there is none, or it was not finished.
    """
    held = _read_description(benchmark)
    if held.content is None:
        raise BadInputError(f"{benchmark} is not finished; `kinepose synthworld` goes on with it")
    return held


def check_content(benchmark: Path, held: Description) -> None:
    """Make sure that films, labels and boxes are still those whose hash the description has.

    Raises:
        BadInputError: if one is missing or was changed: figures would be of something else.
    """
    found = content_hash(benchmark)
    if found != held.content:
        raise BadInputError(
            f"{benchmark} has changed since it was made: its content is {found}, not "
            f"{held.content}; make it again in another folder"
        )


def describe(held: Description) -> str:
    """One line that says which benchmark figures were made on."""
    published = CONTENT.get(held.size)
    if published is None:
        standing = "no bytes of this size are published"
    elif held.content == published:
        standing = "as published"
    else:
        standing = "not the published bytes; say so beside figures"
    return f"synthworld {held.version} {held.size}, content {held.content} ({standing})"


def holds_synthworld(folder: Path, size: str) -> bool:
    """Whether a folder holds the finished benchmark of this version in a size."""
    try:
        held = _read_description(folder)
    except BadInputError:
        return False
    return (held.version, held.size) == (VERSION, size) and held.content is not None


def _claim(config: SynthworldConfig) -> None:
    """Say at once which benchmark a folder is for, so that what is unfinished is not mixed."""
    if not (config.output / "synthworld.json").exists():
        _write_description(config, None)
        return
    held = _read_description(config.output)
    if (held.version, held.size) != (VERSION, config.size):
        raise BadInputError(
            f"{config.output} holds synthworld {held.version} {held.size}: name another "
            f"folder, or that size"
        )


def _write_description(config: SynthworldConfig, content: str | None) -> Description:
    described = Description(VERSION, config.size, content)
    write_json(config.output / "synthworld.json", described)
    return described


def _read_description(benchmark: Path) -> Description:
    path = benchmark / "synthworld.json"
    if not path.exists():
        raise BadInputError(
            f"{benchmark} holds no synthworld; `kinepose synthworld --output {benchmark}` makes it"
        )
    return read_json(path, Description)


def _recipe(split: Split, config: SynthworldConfig, folder: Path) -> SynthesizeConfig:
    size = SIZES[config.size]
    return SynthesizeConfig(
        folder,
        name=folder.name,
        clips=round(size.films * split.films),
        seconds=size.seconds,
        fps=size.fps,
        size=size.side,
        camera=split.camera,
        seed=split.seed,
        motion=split.motion,
        scene=split.scene,
        look=split.look,
        workers=config.workers,
    )


def content_hash(benchmark: Path) -> str:
    """Of the bytes of all films, labels and boxes; the first 16 digits of SHA-256."""
    digest = hashlib.sha256()
    for split in SPLITS:
        paths = [*benchmark.glob(f"{split}/films/*.mp4"), *benchmark.glob(f"{split}/labels/*.npz")]
        for path in [*sorted(paths), *benchmark.glob(f"{split}/boxes.csv")]:
            digest.update(str(path.relative_to(benchmark)).encode(errors="surrogateescape"))
            digest.update(regular_file(path).read_bytes())
    return digest.hexdigest()[:16]
