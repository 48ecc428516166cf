"""The command line: reads settings, runs a command, says in one line what was wrong."""

import contextlib
import io
import itertools
import os
import re
import signal
import sys
import warnings
from collections.abc import Generator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import tyro

from kinepose.commands import COMMANDS
from kinepose.io.errors import KineposeError, SettingError, VideoWarning
from kinepose.io.places import check_places
from kinepose.training.config import PRESETS, TrainConfig

BUG = 70
"""Exit status where we are to blame: sysexits' EX_SOFTWARE."""
LONGEST_LINE = 600
"""Letters of what is said of an error; of more, which only names can cause, the ends."""


def main() -> None:
    """Run the command of sys.argv; what the user did wrong is one line and status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files are bytes
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # no bars in files; the app wants them, and says
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return
    if words[0] not in COMMANDS:
        _fail(f"no command {words[0]!r}: {', '.join(COMMANDS)}")
    function, settings = COMMANDS[words[0]]
    try:
        with _warnings_in_one_line(), _ending_tidily() as told_to_end:
            config = _parse(words[0], settings, words[1:])
            check_places(config)
            function(config)
    except KineposeError as error:
        _fail(str(error))
    except OSError as error:
        where = error.filename2 or error.filename or words[0]  # of two, the one that was wanted
        _fail(f"{error.strerror or error}: {os.fsdecode(where)}")
    except KeyboardInterrupt:
        _fail("interrupted")
    except MemoryError:
        _fail(f"{words[0]}: there is not enough memory for this")
    except Exception:
        if told_to_end.is_set():  # what was interrupted may make another error of it
            _fail("interrupted")
        from kinepose.io.bug_report import write_bug_report

        _fail(f"this is a bug; please send its developers {write_bug_report(words)}", BUG)


@contextlib.contextmanager
def _ending_tidily() -> Generator[Event]:
    """SIGTERM, too, ends what runs as Ctrl-C does, so that nothing half-done stays."""
    told_to_end = Event()

    def end(*_: Any) -> None:
        told_to_end.set()
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            if before[number] != signal.SIG_IGN:  # as of what runs in the background
                signal.signal(number, end)
        yield told_to_end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextlib.contextmanager
def _warnings_in_one_line() -> Generator[None]:
    """What is wrong with a video is said as errors are, and once, however often it is decoded.

    What libraries say of it besides is for their developers.
    """
    said = set()

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, VideoWarning) and str(message) not in said:
            said.add(str(message))
            from tqdm import tqdm

            tqdm.write(f"kinepose: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show  # ty: ignore[invalid-assignment]
        yield


def _parse(command: str, settings: type, words: list[str]) -> Any:
    options: dict[str, Any] = {}
    if option := _empty(words):
        _fail(f"{option} is empty (kinepose {command} --help)")
    if word := next(filter(_is_dashed, words), None):
        _fail(
            f"there is no option {word}; a file called so is ./{word} (kinepose {command} --help)"
        )
    if settings is TrainConfig:
        options["default"] = _defaults(words)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(settings, args=words, prog=f"kinepose {command}", **options)
    except SystemExit as stop:
        if stop.code:
            _fail(f"{_first_paragraph(complaint.getvalue())} (kinepose {command} --help)")
        raise
    except SettingError as error:
        option = _option(error.setting, words)
        _fail(f"{option} {error.reason} (kinepose {command} --help)")


def _empty(words: list[str]) -> str | None:
    """The first option whose value is empty: nothing is called so, and a path would be '.'."""
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=")
        if not word:
            return before if before.startswith("--") else "a name"
        if option.startswith("--") and equals and not value:
            return option
    return None


def _is_dashed(word: str) -> bool:
    """Whether a word looks like a short option, of which there is but one."""
    if not word.startswith("-") or word.startswith("--") or word == "-h":
        return False
    try:
        float(word)
    except ValueError:
        return True
    return False


def _option(setting: str, words: list[str]) -> str:
    """The option of a setting, with what stands before its name if it was given so."""
    name = setting.split(".")[0].replace("_", "-")
    given = (word.partition("=")[0] for word in words if word.startswith("--"))
    return next((option for option in given if option.endswith(f".{name}")), f"--{name}")


def _first_paragraph(box: str) -> str:
    """What tyro says between the first rules of its box, without the types of Python.

    Its box is drawn in ASCII where the terminal knows no more.
    """
    lines = [line.strip("│╭╮╰╯|+ ") for line in box.splitlines()[1:]]
    said = itertools.dropwhile(_is_rule, lines)
    text = " ".join(itertools.takewhile(lambda line: not _is_rule(line), said))
    return re.sub(r" into tuple type .*", "", text)


def _is_rule(line: str) -> bool:
    return line.startswith(("─", "---"))


def _defaults(words: list[str]) -> TrainConfig:
    """Of all other settings, by the preset, and of the model, by the run to start from."""
    preset, start = _named(words, "--preset") or "cpu", _named(words, "--start")
    if preset not in PRESETS:
        _fail(f"no preset {preset!r}: {', '.join(PRESETS)}")
    defaults = PRESETS[preset]
    if start is None:
        return defaults
    from kinepose.artifacts.run_folder import read_run_config

    return replace(defaults, model=read_run_config(Path(start)).model)


def _named(words: list[str], option: str) -> str | None:
    """What an option is on the command line."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(f"{option}="):
            return word.split("=", 1)[1]
    return None


def _usage() -> str:
    lines = ["usage: kinepose COMMAND ...    (kinepose COMMAND --help for its settings)", ""]
    for name, (_, settings) in COMMANDS.items():
        summary, *_ = (settings.__doc__ or "").splitlines()
        lines.append(f"  {name:<16}{summary}")
    return "\n".join(lines)


def _fail(message: str, status: int = 2) -> None:
    words = " ".join(message.split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)  # names are any bytes
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
    print(f"kinepose: {line}", file=sys.stderr)
    raise SystemExit(status)
