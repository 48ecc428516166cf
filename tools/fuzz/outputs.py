"""Every command that writes, told to write where it cannot or where it is odd to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.fuzz.cases import REPLACED, Case, case, words

FOLDERS = {
    "predict": ("video.mp4 run", "predict video.mp4 {all}"),
    "prepare": ("video.mp4", "prepare video.mp4 {cut}"),
    "train": ("", "train {prior}"),
    "adapt": ("0000.mp4 run", "adapt 0000.mp4 {adapt}"),
    "synthesize": ("", "synthesize {videos}"),
    "convert": ("lsp", "convert lsp --benchmark lsp"),
    "export": ("poses.npz", "export poses.npz --formats json csv bvh trc c3d"),
    "figures": ("scores.json scores.npz", "figures scores.json"),
    "synthworld": ("", "synthworld --size tiny --workers 1"),
    "reproduce": ("sw", "reproduce {row}"),
}
"""Commands whose output is a folder: what they need, and the rest of their command lines."""
FILES = {
    "evaluate": ("matched labels.npz", "evaluate matched labels.npz"),
    "criteria": ("poses", "criteria poses"),
    "score": ("run sw", "score run --benchmark sw --splits seen_world"),
    "report": ("plain/run>run", "report run"),
    "export-onnx": ("run", "export-onnx --run run"),
}
"""Those whose output is a file."""


@dataclass(frozen=True)
class Place:
    """Somewhere to write to."""

    path: str
    expect: str
    before: Callable[[Path], object] | None = None


def _taken(folder: Path) -> None:
    (folder / "taken").write_text("mine\n")


PLACES = {
    "a file": Place("taken", "fail", _taken),
    "below a file": Place("taken/x/y", "fail", _taken),
    "a dangling link": Place("out", "any", lambda f: (f / "out").symlink_to("nowhere")),
    "a link to itself": Place("out", "any", lambda f: (f / "out").symlink_to("out")),
    "in /proc": Place("/proc/x", "fail"),
    "in /sys": Place("/sys/x", "fail"),
    "/dev/null": Place("/dev/null", "fail"),
    "/dev/full": Place("/dev/full", "fail"),
    "empty": Place("", "fail"),
    "a name of 300 bytes": Place("o" * 300, "fail"),
    "a name of 255 bytes": Place("o" * 255, "any"),
    "4500 bytes of folders": Place("/".join(["dir"] * 1200), "fail"),
    "a name with a line break and quotes": Place("o\n'\"$(touch pwned)", "any"),
    "a name that is not UTF-8": Place("o\udcff\udcfe", "any"),
}
A_FOLDER = Place("taken/", "any", lambda f: (f / "taken").mkdir())
"""In place of a file."""


def output_cases(good: Path) -> list[Case]:
    """Every command and every place."""
    made = []
    for command, (needs, line) in (FOLDERS | FILES).items():
        for what, place in PLACES.items():
            if command in FILES and what == "a file":
                what, place = "a folder, for a file", A_FOLDER
            shown = place.path[:40].replace("\n", " ").strip("/").split("/")[0][:12]
            made.append(
                case(
                    good,
                    f"output of {command}",
                    f"--output {what}",
                    [*words(line), f"--output={place.path}"],
                    needs,
                    place.before,
                    expect=place.expect,
                    names=(shown or "out", "output", "name", "/proc", "/dev", "File"),
                    replaced=(*REPLACED, "o*", "nowhere", "nowhere*"),
                )
            )
    return made
