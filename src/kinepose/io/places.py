"""Which files a command reads and which it writes, as marked at its settings; none may be both.

`Reads` and `Writes` are annotations of paths. A mark without names means the path itself, with all
that is in it; names are those of files in a folder, of folders if they end with a slash, and of
all that are called so if they hold a star.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from kinepose.io.errors import BadInputError
from kinepose.io.files import kind_of


@dataclass(frozen=True)
class Reads:
    """Of a setting: files that the command reads."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Writes:
    """Of a setting: files that the command writes or replaces; {format} is each of `formats`."""

    names: tuple[str, ...] = ()


RUN = Reads(
    (
        *("config.json", "model.safetensors", "state.safetensors", "prior.npz", "log.jsonl"),
        *("images/", "training/", "adaptation.json", "checks.jsonl", "figures.json", "taught.npz"),
    )
)
"""What a run consists of."""
RESULTS = (
    *("results.json", "poses.npz", "poses.json", "poses.csv", "overlay.mp4", "overlay/"),
    *("overlay/*.png", "viewer.html", "track_*.bvh", "track_*.trc", "track_*.c3d"),
)
"""What `predict` and `export` write, all of which another video's results replace."""
POSES = Reads(RESULTS)


_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/")
"""Of s3://bucket/clips, as a path; where addresses can be read they are texts, not paths."""


def check_places(config: Any) -> None:
    """Refuse to write onto, into or around what is read or also written, by whatever links.

    Also refuse what is read but is no file of this machine, and to write a file over a folder.

    Raises:
        BadInputError: if something is in the way.
    """
    marked = [(mark, list(_places(path, mark, config))) for path, mark in _marked(config)]
    written = [places for mark, places in marked if isinstance(mark, Writes)]
    read = [path for mark, places in marked if isinstance(mark, Reads) for path, _ in places]
    for path in read:
        if _ADDRESS.match(str(path)) and kind_of(path) == "nothing":
            raise BadInputError(f"{path} is an address: name a file or folder of this machine")
        if kind_of(path) not in ("nothing", "a file", "a folder"):
            raise BadInputError(f"{path} is {kind_of(path)}, not a file")
    there = [path for path in read if "*" in path.name or kind_of(path) != "nothing"]
    taken = [("read", _finder(there))]
    for places in written:
        for path, is_folder in places:
            _check_kind(path, is_folder)
            for what, find in taken:
                if (other := find(path)) is not None:
                    which = "it" if path == other else other
                    raise BadInputError(
                        f"cannot write {path}: {which} is {what}; name another place for it"
                    )
        taken.append(("written too", _finder([path for path, _ in places])))


def _finder(paths: list[Path]) -> Callable[[Path], Path | None]:
    """Finds which of the paths another one is, lies in or lies around, by whatever links."""
    within = {Path(os.path.realpath(path)): path for path in paths}
    around = {parent: path for real, path in within.items() for parent in real.parents}
    files = {_file(path): path for path in paths if path.exists()}
    stars = {real: path for real, path in within.items() if "*" in real.name}

    def find(path: Path) -> Path | None:
        real = Path(os.path.realpath(path))
        for place in (real, *real.parents):
            if place in within:
                return within[place]
        for place, held in (within if "*" in real.name else stars).items():
            if place.parent == real.parent and _alike(place.name, real.name):
                return held
        return around.get(real) or (files.get(_file(path)) if path.exists() else None)

    return find


def _alike(one: str, other: str) -> bool:
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def _file(path: Path) -> tuple[int, int]:
    """The file itself, whatever its name."""
    return path.stat().st_dev, path.stat().st_ino


def _marked(config: Any) -> Iterator[tuple[Path, Reads | Writes]]:
    """Every path of some settings, and of those within, with its mark."""
    hints = get_type_hints(type(config), include_extras=True)
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            yield from _marked(value)
        for path in value if isinstance(value, tuple) else (value,):
            for mark in _marks(hints[field.name]) if isinstance(path, Path) else ():
                yield path, mark


def _marks(hint: Any) -> Iterator[Reads | Writes]:
    """Of a path, of a path that may be left out, or of several paths."""
    if get_origin(hint) is Annotated:
        yield from (part for part in get_args(hint)[1:] if isinstance(part, Reads | Writes))
    for part in get_args(hint):
        if get_origin(part) is not None:
            yield from _marks(part)


def _places(path: Path, mark: Reads | Writes, config: Any) -> Iterator[tuple[Path, bool]]:
    """Paths, and whether they are folders."""
    if not mark.names or (isinstance(mark, Reads) and not path.is_dir()):
        yield path, False
        return
    for name in mark.names:
        for form in getattr(config, "formats", ()) if "{format}" in name else ("",):
            yield path / name.replace("{format}", form), name.endswith("/")


def _check_kind(path: Path, is_folder: bool) -> None:
    kind, wanted = kind_of(path), "a folder" if is_folder else "a file"
    if kind not in ("nothing", wanted):
        raise BadInputError(f"cannot write {path}: it is {kind}, not {wanted}")
