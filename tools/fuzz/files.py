"""Files that commands read, in files.toml, and every way in which each can be damaged."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.fuzz.arrays import npz_mutations
from tools.fuzz.cases import Case, copied, with_earlier, words
from tools.fuzz.containers import (
    hdf5_mutations,
    mat_mutations,
    onnx_mutations,
    parquet_mutations,
    tensor_mutations,
)
from tools.fuzz.damage import (
    BYTES,
    PLACES,
    PLAINLY_BAD,
    WRONG_TYPES,
    Damage,
    Mutation,
    Numbers,
    put_in_place,
)
from tools.fuzz.images import png_bytes
from tools.fuzz.odd_videos import special_videos
from tools.fuzz.tables import bvh_mutations, csv_mutations
from tools.fuzz.texts import config_mutations, json_mutations, log_mutations

BY_KIND: dict[str, Callable[[bytes], list[Damage]]] = {
    "npz": npz_mutations,
    "json": json_mutations,
    "config": config_mutations,
    "csv": csv_mutations,
    "tensors": tensor_mutations,
    "parquet": parquet_mutations,
    "bvh": bvh_mutations,
    "hdf5": hdf5_mutations,
    "mat": mat_mutations,
    "onnx": onnx_mutations,
    "log": log_mutations,
}
_REPEATED = ("truncated", "bytes flipped", "bytes flipped in its head", "bytes flipped in its tail")
_WHOLE = frozenset({"npz", "config", "json", "tensors", "parquet", "onnx"})
"""Kinds of which no part is of use."""


@dataclass(frozen=True)
class Target:
    """A file that a command reads."""

    name: str
    argv: list[str]
    needs: str
    file: str
    kind: str = ""
    weight: int = 10
    expect: str = "any"
    """Of mutations of bytes."""
    says: tuple[str, ...] = ()
    optional: bool = False
    """Whether the command can do without it."""
    rebuilt: bool = False
    """Whether the command can make it anew."""
    odd_videos: bool = False
    """Whether it is tried with videos that are unusual as well."""
    unused: bool = False
    """Whether the command may pass over what is wrong with arrays that it does not use."""


def targets(good: Path) -> list[Target]:
    """Those of files.toml; a * stands for the first file of a folder."""
    table = tomllib.loads(Path(__file__).with_name("files.toml").read_text())
    made = []
    for row in table["files"]:
        argv, file = words(row.pop("run")), row.pop("file")
        if "*" in file:
            found = sorted(p for p in good.glob(file) if p.name[0] != "_")[0]
            file = str(found.relative_to(good))
        made.append(Target(argv=argv, file=file, says=tuple(row.pop("says", ())), **row))
    return made


def cases_of(good: Path, target: Target) -> list[Case]:
    """Every mutation of a file: what stands in its place, its bytes, its contents."""
    must = "any" if target.optional or target.rebuilt else "fail"
    made = [
        _case(
            good, target, f"in its place: {place}", must, lambda f, n, p=place: put_in_place(f, p)
        )
        for place in PLACES
    ]
    for what, data in WRONG_TYPES.items():
        made.append(
            _rewritten(good, target, f"{what} under its name", must, lambda d, n, x=data: x)
        )
    for what, mutate in BYTES.items():
        many = 6 if what in (*_REPEATED, "a part zeroed") else 1
        for i in range(many):
            shown = f"{what} ({i + 1})" if many > 1 else what
            made.append(_rewritten(good, target, shown, _of_bytes(target, what, must), mutate))
    if target.odd_videos:
        made += _odd_videos(good, target)
    if target.kind == "image":
        made += _images(good, target)
    if target.kind in BY_KIND:
        base = (good / _origin(target)).read_bytes()
        for what, mutate, expect in BY_KIND[target.kind](base):
            made.append(_rewritten(good, target, what, _of_kind(target, what, expect), mutate))
    return made


def _of_bytes(target: Target, what: str, must: str) -> str:
    """What may come of a mutation of bytes."""
    if what in PLAINLY_BAD or (what == "truncated" and target.kind in _WHOLE):
        return must
    image = target.kind == "image" and not target.file.endswith(".bmp")
    if image and what in ("truncated", "a part zeroed"):
        return "told"
    return target.expect


def _of_kind(target: Target, what: str, expect: str) -> str:
    """What may come of a mutation of its contents."""
    if target.rebuilt or (target.optional and target.kind != "npz"):
        return "any"
    if target.name.startswith(("info", "report")) and target.kind in ("npz", "config", "json"):
        return "any"
    if "focal_by_frame" in what:
        return "any"  # `synthesize` alone writes it, and nothing reads it
    array = what.split()[0]
    unused = ("focal", "energy", "video", "model_sha256", "fps", "confidence", "root")
    of_renders = ("camera", "camera_residual", "shadow", "mask")
    if target.unused and (array in unused or (target.kind == "npz" and array in of_renders)):
        return "any"
    return expect


def _case(
    good: Path, target: Target, what: str, expect: str, change: Callable[[Path, Numbers], object]
) -> Case:
    path = Path(target.file)

    def make(folder: Path, numbers: Numbers) -> list[str]:
        copied(good, folder, target.needs)
        change(folder / target.file, numbers)
        return with_earlier(good, folder, target.argv, numbers)

    names = (*target.says, path.name, path.parent.name or path.stem, path.parts[0])
    return Case(
        target.name,
        f"{path.name}: {what}",
        make,
        expect,
        tuple(filter(None, names)),
        damaged=target.file,
    )


def _rewritten(good: Path, target: Target, what: str, expect: str, mutate: Mutation) -> Case:
    def change(file: Path, numbers: Numbers) -> None:
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(mutate(data, numbers))

    return _case(good, target, what, expect, change)


def _odd_videos(good: Path, target: Target) -> list[Case]:
    path = Path(target.file)
    others = " ".join(need for need in target.needs.split() if need != target.file)
    made = []
    for what, (kind, build, expect) in special_videos().items():
        name = f"{path.stem}.{kind}"

        def make(folder: Path, numbers: Numbers, name=name, build=build) -> list[str]:
            copied(good, folder, f"{others} video.mkv>other.mp4")
            build(folder / name)
            argv = with_earlier(good, folder, target.argv, numbers)
            return [name if word == target.file else word for word in argv]

        made.append(Case(target.name, f"video: {what}", make, expect, (path.stem,)))
    return made


def _images(good: Path, target: Target) -> list[Case]:
    def png(what: str, width: int, height: int, real: bool = True) -> Case:
        expect = "any" if real else "fail"
        return _rewritten(good, target, what, expect, lambda d, n: png_bytes(width, height, real))

    made = [
        png("a PNG says 60000 x 60000", 60000, 60000, real=False),
        png("a PNG of 1 x 1 px", 1, 1),
        png("a PNG of 20000 x 1 px", 20000, 1),
    ]
    if target.name == "predict image png":
        made += [png(f"a PNG of {n} x {n} px", n, n) for n in (30000, 16000)]
    return made


def _origin(target: Target) -> str:
    """Where among the good inputs the file comes from, which may be called otherwise there."""
    for need in target.needs.split():
        name, _, called = need.partition(">")
        if called and (target.file == called or target.file.startswith(f"{called}/")):
            return name + target.file[len(called) :]
    return target.file
