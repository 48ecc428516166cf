"""An input: files in a folder, a command line, and what may come of it."""

import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tools.fuzz.damage import Numbers

REPLACED = ("out", "out.*")
"""What most commands may replace when they succeed."""
_TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("cases.toml").read_text())


@dataclass
class Case:
    """One input."""

    family: str
    words: str
    make: Callable[[Path, Numbers], list[str]]
    """Puts files into the folder of the run, and gives the command line."""
    expect: str = "any"
    """any: either; fail; told: if accepted, not without a word (or all frames)."""
    names: tuple[str, ...] = ()
    """The message should hold one of these."""
    replaced: tuple[str, ...] = REPLACED
    """What the command may replace when it succeeds."""
    damaged: str = ""
    """The file that was changed, if it is one."""
    interrupt: float = 0.0
    """When Ctrl-C is pressed [s]; 0: never."""
    key: str = ""
    argv: list[str] = field(default_factory=list)


def words(text: str) -> list[str]:
    """A command line with the parts of cases.toml, as {cut}, in their places."""
    parts: dict[str, str] = {}
    for name, part in _TABLES["parts"].items():
        parts[name] = part.format_map(parts)
    return text.format_map(parts).split()


def copied(good: Path, folder: Path, needs: str) -> None:
    """Good inputs, some under other names: 'run>run2'."""
    for need in needs.split():
        name, _, called = need.partition(">")
        to = folder / (called or name)
        to.parent.mkdir(parents=True, exist_ok=True)
        if (good / name).is_dir():
            shutil.copytree(good / name, to, symlinks=True)
        else:
            shutil.copy(good / name, to)


def with_earlier(good: Path, folder: Path, argv: list[str], numbers: Numbers) -> list[str]:
    """In one case of three, results of an earlier call and something of the user's own."""
    if numbers.random() > 0.35:
        return list(argv)
    more = []
    if "out" in argv and not (folder / "out").exists():
        earlier = {"predict": "poses", "export": "exported", "evaluate": "poses"}.get(argv[0])
        if earlier:
            copied(good, folder, f"{earlier}>out")
            more = ["--overwrite"] if argv[0] in ("predict", "export") else []
        (folder / "out").mkdir(exist_ok=True)
        (folder / "out/notes.txt").write_text("mine\n")
    for name in ("out.json", "out.html", "out.onnx"):
        if name in argv:
            (folder / name).write_text("an earlier result\n")
    return [*argv, *more]


def case(
    good: Path,
    family: str,
    what: str,
    argv: list[str],
    needs: str = "",
    before: Callable[[Path], object] | None = None,
    **more: Any,
) -> Case:
    """One whose files are good inputs and what `before` puts among them."""

    def make(folder: Path, numbers: Numbers) -> list[str]:
        copied(good, folder, needs)
        if before is not None:
            before(folder)
        return list(argv)

    return Case(family, what, make, **more)


def table_cases(good: Path) -> list[Case]:
    """Those of cases.toml."""
    return [
        case(
            good,
            family["name"],
            row["words"],
            words(row["run"]),
            row.get("needs", ""),
            partial(_put, row.get("put", {})),
            expect=row.get("expect", "fail"),
            names=tuple(row.get("says", ())),
            replaced=tuple(row.get("replaces", family.get("replaces", REPLACED))),
        )
        for family in _TABLES["family"]
        for row in family["cases"]
    ]


def _put(put: dict[str, str], folder: Path) -> None:
    for name, what in put.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if what == "missing":
            path.unlink()
        elif what == "folder":
            path.mkdir()
        elif what.startswith("link "):
            path.symlink_to(what.removeprefix("link "))
        else:
            path.write_text(f"{what}\n")
