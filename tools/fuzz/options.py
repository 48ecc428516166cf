"""Every option of every command, with numbers and words that make no sense."""

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path

from tools.fuzz.cases import Case, copied, with_earlier, words
from tools.fuzz.damage import Numbers

from kinepose.commands import COMMANDS

BASES = {
    "predict": ("video.mp4 run", "predict video.mp4 --output out {poses}"),
    "prepare": ("video.mp4", "prepare video.mp4 --output out {cut}"),
    "train": ("", "train --output out {prior}"),
    "adapt": ("0000.mp4 run", "adapt 0000.mp4 --output out {adapt}"),
    "synthesize": ("", "synthesize --output out {videos}"),
    "synthworld": ("sw>out", "synthworld --output out --size tiny --workers 1"),
    "convert": ("lsp", "convert lsp --benchmark lsp --output out"),
    "export": ("poses.npz", "export poses.npz --output out --formats json csv"),
    "export-onnx": ("run", "export-onnx --output out.onnx --run run"),
    "evaluate": ("matched labels.npz", "evaluate matched labels.npz --output out.json"),
    "criteria": ("moved clips", "criteria moved --output out.json --clips clips"),
    "score": ("run sw", "score run --benchmark sw --output out.json --splits seen_world"),
    "reproduce": ("sw", "reproduce --output out {row}"),
    "figures": ("scores.json scores.npz", "figures scores.json --output out"),
    "report": ("plain/run>run", "report run --output out.html"),
    "info": ("run", "info run"),
    "app": ("run", "app --run run --port 0"),
}
"""Of each command, what it needs and a line that is good."""
SHARES = {
    **{"predict": 40, "prepare": 30, "train": 75, "adapt": 16, "synthesize": 40, "synthworld": 4},
    **{"convert": 5, "export": 6, "export-onnx": 4, "evaluate": 5, "criteria": 5, "score": 6},
    **{"reproduce": 14, "figures": 4, "report": 5, "info": 3, "app": 9},
}
"""Of the draw."""
STREAMED = ["--stream.renders", "8", "--stream.workers", "1", "--stream.size", "48"]
PAIRS = (
    *(["nan", "nan"], ["inf", "inf"], ["5", "1"], ["-1", "-1"], ["1"], ["word", "1"]),
    *(["0", "1e308"], ["0", "0"]),
)
PATHS = ("missing/place", "", "/dev/null", "a\nb", "x" * 300, "s3://bucket/x", "video.mp4")


def replaced_option(argv: list[str], option: str, values: list[str]) -> list[str]:
    """The option with other values, in place of those it has there."""
    if option in argv:
        start = argv.index(option)
        end = start + 1
        while end < len(argv) and not argv[end].startswith("--"):
            end += 1
        argv = argv[:start] + argv[end:]
    return [*argv, option, *values] if len(values) != 1 else [*argv, f"{option}={values[0]}"]


def settings_of(kind: type, prefix: str = "") -> list[tuple[str, typing.Any]]:
    """Every option of a command with its type."""
    found: list[tuple[str, typing.Any]] = []
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint, bare = hints[field.name], field.name.replace("_", "-")
        marks: tuple = ()
        while typing.get_origin(hint) is typing.Annotated:
            hint, *more = typing.get_args(hint)
            marks += tuple(more)
        told = repr(marks).upper()
        if "POSITIONAL" in told:
            continue
        if dataclasses.is_dataclass(hint):
            omitted = "OMITARGPREFIXES" in told or "OMIT_ARG_PREFIXES" in told
            found += settings_of(hint, prefix if omitted else f"{prefix}{bare}.")
        else:
            found.append((f"--{prefix}{bare}", hint))
    return found


def option_cases(good: Path, command: str) -> list[Case]:
    """Every option of a command with every value, and command lines that lack or double one."""
    needs, line = BASES[command]
    base, interrupt = words(line), 8.0 if command == "app" else 0.0
    family = f"options of {command}"
    made: list[Case] = []

    def add(what: str, argv: list[str], expect: str, says: tuple[str, ...] = ()) -> None:
        def make(folder: Path, numbers: Numbers) -> list[str]:
            copied(good, folder, needs)
            return with_earlier(good, folder, argv, numbers) if says else list(argv)

        made.append(Case(family, what, make, expect, says, interrupt=interrupt))

    for option, hint in settings_of(COMMANDS[command][1]):
        for values, expect in _values(option, hint):
            argv = replaced_option(base, option, values)
            if option.startswith("--stream.") and "renders" not in option:
                argv = replaced_option([*argv, *STREAMED], option, values)
            shown = " ".join(map(repr, values))[:80]
            add(f"{option} {shown}", argv, expect, _says(option, values))
    several = command in ("prepare", "adapt", "criteria", "export")
    add("an unknown option", [*base, "--no-such-option", "1"], "fail")
    add("an output that is missing", [*base, "--output"], "fail")
    add("one word too many", [*base, "surplus"], "any" if several else "fail")
    add("an option without its value", [*base, "--device"], "fail")
    return made


def _says(option: str, values: list[str]) -> tuple[str, ...]:
    """The option's name, as it is given or in files, or the value, as texts or paths are shown."""
    name = option.rsplit(".", 1)[-1].lstrip("-")
    long = [" ".join(value.split()) for value in values if len(value) > 2]
    shown = [form[:12] for value in long for form in (value, str(Path(value)))]
    return (name, name.replace("-", "_"), *shown)


def _values(option: str, hint: typing.Any) -> Iterator[tuple[list[str], str]]:
    """What an option of a type is tried with, and what is expected of it."""
    args, origin = typing.get_args(hint), typing.get_origin(hint)
    plain = {hint, *args}
    if bool in plain:
        yield ["maybe"], "fail"
    elif origin is tuple and args and args[0] is float:
        for values in PAIRS:
            wrong = {"nan", "word"} & set(values) or len(values) == 1 or values == ["5", "1"]
            yield values, "fail" if wrong else "any"
    elif origin is tuple and args and args[0] is int:
        for value in ("-1", "0", "word", "", "1.5", "99999999999999999999"):
            yield [value], "fail" if value in ("word", "", "1.5") else "any"
    elif int in plain or float in plain:
        yield from _numbers(option, int in plain)
    elif typing.Literal in {origin, *map(typing.get_origin, args)}:
        yield from (([value], "fail") for value in ("word", "", "NPZ"))
    elif Path in plain or any(Path in typing.get_args(arg) for arg in args):
        yield from (([value], "any") for value in PATHS if "output" not in option)
    elif str in plain or (args and args[0] is str):
        yield from (([value], "any") for value in ("", "word", "../x", "x" * 5000, "a\nb\x1b[31m"))


def _numbers(option: str, whole: bool) -> Iterator[tuple[list[str], str]]:
    for value in ("0", "-1", "nan", "inf", "1e308", "", "word"):
        if option == "--port" and value == "0":
            continue
        wrong = value in ("", "word", "nan") or (whole and value in ("inf", "1e308"))
        yield [value], "fail" if wrong else "any"
    if whole:
        yield ["99999999999999999999999"], "any"
        yield ["1.5"], "fail"
