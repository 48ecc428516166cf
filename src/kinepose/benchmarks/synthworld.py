"""`synthworld`: the benchmark that everyone can make. A fixed recipe, a version, a content hash."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kinepose.benchmarks.config import SynthworldConfig
from kinepose.benchmarks.synthworld_recipes import PRIOR_SEED, SIZES, WORLDS, Split
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.prepare import prepare
from kinepose.dataset.render_stream import render_prior_set
from kinepose.dataset.renders import save_prior
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder, read_whole
from kinepose.io.schema import read_json, write_json
from kinepose.synthetic.config import SynthesizeConfig
from kinepose.synthetic.synthesize import synthesize
from kinepose.video.config import PeopleConfig


@dataclass(frozen=True)
class Description:
    """synthworld.json: which benchmark lies in a folder."""

    version: int
    size: Literal["tiny", "small", "full"]
    content: str | None
    """content_hash of what was made; none while it is not finished."""


def make_synthworld(config: SynthworldConfig) -> None:
    """Videos, labels, boxes and clips of every split, in folders of their names; synthworld.json.

    What an earlier call finished is kept.

    Raises:
        BadInputError: if the folder holds a benchmark of another version or size, or cannot be
            written.
    """
    check_folder(config.output)
    _begin(config)
    for name, split in WORLDS[config.version].splits.items():
        recipe = _recipe(split, config, config.output / name)
        if not (recipe.output / "boxes.csv").is_file():
            print(f"{name}:")
            synthesize(recipe)
        videos = tuple(sorted((recipe.output / "films").glob("*.mp4")))
        people = PeopleConfig(detector="file", boxes=recipe.output / "boxes.csv", side="frame")
        clips = PrepareConfig(videos, recipe.output / "clips", people, workers=config.workers)
        prepare(replace(clips, shortest_clip=1.0, crop_size=128))
    save_prior(render_prior_set(20, PRIOR_SEED, 192), config.output / "prior.npz")
    content = content_hash(config.output, config.version)
    print(describe(_write_description(config, content)))


def read_synthworld(benchmark: Path) -> Description:
    """Version, size and content hash of a benchmark on disk.

    Raises:
        BadInputError: if there is none, it was not finished, or is of an unknown version.
    """
    held = _read_description(benchmark)
    if held.content is None:
        raise BadInputError(f"{benchmark} is not finished; `kinepose synthworld` goes on with it")
    if held.version not in WORLDS:
        raise BadInputError(f"{benchmark} holds synthworld {held.version}, unknown to kinepose")
    return held


def check_content(benchmark: Path, held: Description) -> None:
    """Make sure that videos, labels and boxes are still those whose hash the description has.

    Raises:
        BadInputError: if one is missing or was changed: figures would be of something else.
    """
    found = content_hash(benchmark, held.version)
    if found != held.content:
        raise BadInputError(
            f"{benchmark} has changed since it was made: its content is {found}, not "
            f"{held.content}; make it again in another folder"
        )


def describe(held: Description) -> str:
    """One line that says which benchmark figures were made on."""
    world = WORLDS.get(held.version)
    published = world.content.get(held.size, ()) if world else ()
    if not published:
        standing = "no bytes of this size are published"
    elif held.content in published:
        standing = "as published"
    else:
        standing = "not the published bytes; say so beside figures"
    return f"synthworld {held.version} {held.size}, content {held.content} ({standing})"


def holds_synthworld(folder: Path, version: int, size: str) -> bool:
    """Whether a folder holds a finished benchmark of a version in a size."""
    try:
        held = _read_description(folder)
    except BadInputError:
        return False
    return (held.version, held.size) == (version, size) and held.content is not None


def _begin(config: SynthworldConfig) -> None:
    """Say at once which benchmark a folder is for, so that what is unfinished is not mixed."""
    if not (config.output / "synthworld.json").exists():
        _write_description(config, None)
        return
    held = _read_description(config.output)
    if (held.version, held.size) != (config.version, config.size):
        raise BadInputError(
            f"{config.output} holds synthworld {held.version} {held.size}: name another "
            "folder, or that version and size"
        )


def _write_description(config: SynthworldConfig, content: str | None) -> Description:
    described = Description(config.version, config.size, content)
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
        videos=round(size.videos * split.videos),
        seconds=size.seconds,
        fps=size.fps,
        size=size.side,
        camera=split.camera,
        seed=split.seed,
        motion=split.motion,
        scene=split.scene,
        appearance=split.appearance,
        workers=config.workers,
    )


def content_hash(benchmark: Path, version: int) -> str:
    """Of the bytes of all videos, labels and boxes; the first 16 digits of SHA-256."""
    digest = hashlib.sha256()
    for split in WORLDS[version].splits:
        paths = [*benchmark.glob(f"{split}/films/*.mp4"), *benchmark.glob(f"{split}/labels/*.npz")]
        for path in [*sorted(paths), *benchmark.glob(f"{split}/boxes.csv")]:
            digest.update(str(path.relative_to(benchmark)).encode(errors="surrogateescape"))
            digest.update(read_whole(path))
    return digest.hexdigest()[:16]
