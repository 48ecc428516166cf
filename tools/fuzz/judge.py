"""Whether a run kept the promise: what it said, what it wrote, what it left of what was there."""

import fnmatch
import hashlib
import os
import re
import shutil
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tools.fuzz.cases import Case
from tools.fuzz.contents import nonsense
from tools.fuzz.images import FRAMES
from tools.fuzz.process import text_of
from tools.fuzz.well_formed import is_well_formed

Fault = tuple[str, str]
"""Its kind, and what."""
Manifest = dict[str, str]
"""Every path in a folder, with what tells whether it has changed."""

LONG_LINE, LONG_TEXT = 700, 12
"""Letters of a line, and lines, that are too many."""
_OURS = (".tmp", ".state", ".stdout", ".stderr", ".hang")
_JARGON = re.compile(
    r"\[Errno|0x[0-9a-f]{6,}|<class '|object at|NoneType|typing\.|usecols|codec can't"
)
_BY_DESIGN = ("reproduce", "synthworld", "options of synthworld", "output of synthworld")
"""Families whose commands go on with what lies in the output."""


def prepared(case: Case, folder: Path, seed: int) -> tuple[list[str], Manifest]:
    """The command line of an input, whose files are put into a new folder, and what is there."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    case.argv = case.make(folder, np.random.default_rng([seed, zlib.crc32(case.key.encode())]))
    return case.argv, manifest(folder)


def manifest(folder: Path) -> Manifest:
    """Of what is there, but for what the runs of this package leave."""
    found: Manifest = {}
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place) / name
            relative = os.path.relpath(path, folder)
            if relative.split("/")[0] in _OURS:
                continue
            if path.is_symlink():
                found[relative] = f"link {os.readlink(path)}"
            elif path.is_dir():
                found[relative] = "folder"
            elif path.is_file():
                data = path.read_bytes() if path.stat().st_size < 2**26 else b""
                found[relative] = f"file {path.stat().st_size} {hashlib.sha1(data).hexdigest()}"
            else:
                found[relative] = "special"
    return found


def judge(case: Case, folder: Path, before: Manifest, found: dict) -> list[Fault]:
    """What is wrong, nothing if the promise was kept; found['class'] says how it was kept."""
    after = manifest(folder)
    faults = [
        *_ending(case, folder, found),
        *_results(case, folder, before, after, found),
        *_losses(case, before, after, found["status"]),
        *_leftovers(folder, before, after, found),
    ]
    kept = ("refused" if found["status"] else "tolerated", "interrupted")[found["interrupted"]]
    found["class"] = "failed" if faults else kept
    lines = found["stderr"].splitlines()
    noise = [x for x in lines if not x.startswith(("kinepose: ", "passed over: ")) and x.strip()]
    if noise and not any(k in ("traceback", "hang", "killed", "memory") for k, _ in faults):
        found["noise"] = normal(noise[0])[:160]
    return faults


def _ending(case: Case, folder: Path, found: dict) -> Iterator[Fault]:
    """Of the run itself: a hang, a signal, a traceback, or a line that says too little."""
    status, stderr = found["status"], found["stderr"]
    lines = stderr.splitlines()
    last = lines[-1] if lines else ""
    if found["hung"]:
        yield "hang", _last_frame(text_of(folder / ".hang"))
    elif status < 0:
        name = signal.Signals(-status).name
        yield "killed", f"signal {name}; {_last_frame(text_of(folder / '.hang'))}"
    elif found["bug"]:
        yield "bug", _error_of(found["bug"])
    elif "Traceback (most recent call last)" in stderr or (
        status and "Error" in last and not _said(stderr)
    ):
        full = re.search(r"MemoryError|not enough memory|std::bad_alloc", stderr)
        yield "memory" if full else "traceback", _error_of(stderr)
    elif status and not found["interrupted"]:
        yield from _line(case, status, lines, last)


def _line(case: Case, status: int, lines: list[str], last: str) -> Iterator[Fault]:
    """Of what was said to refuse an input."""
    if status not in (1, 2):
        yield "status", f"exit status {status}"
    longest = LONG_LINE + 2 * max(map(len, case.argv), default=0)
    if not last.startswith("kinepose: "):
        yield "no line", last[:200]
    elif len(last) > longest or len(lines) > LONG_TEXT:
        yield "long", f"{len(lines)} lines, the last of {len(last)} letters: {last[:160]}"
    elif case.names and not any(name in last for name in case.names):
        yield "unclear", normal(last)
    if _JARGON.search(last):
        yield "jargon", normal(last)


def _results(
    case: Case, folder: Path, before: Manifest, after: Manifest, found: dict
) -> Iterator[Fault]:
    """Of status 0: what should have been refused, or said, and files that nobody can read."""
    if found["status"] or found["hung"]:
        return
    said = _said(found["stderr"])
    if case.expect == "fail" and not found["interrupted"]:
        yield "accepted", f"status 0; said: {said[-1][:120]}" if said else "status 0 without a word"
    if case.expect == "told" and not said and not is_well_formed(folder / case.damaged):
        count = _frames_in(folder / "out/poses.npz")
        if "video" not in case.family or count != FRAMES:
            yield "silent", f"status 0 without a word; {count} frames of {FRAMES}"
    for name in sorted(name for name in after if after[name] != before.get(name)):
        path = folder / name
        plain = path.is_file() and not path.is_symlink()
        if plain and (wrong := nonsense(path)):
            yield "nonsense", f"{_plain_name(path)}: {wrong}"
    if re.search(r"(?<![A-Za-z])(nan|NaN)(?![A-Za-z])", found["stdout"]):
        yield "nonsense", "nan is printed"


def _losses(case: Case, before: Manifest, after: Manifest, status: int) -> Iterator[Fault]:
    """Of what was there: gone, or changed where it must not be."""
    if not status and ("again" in case.family or case.family.startswith(_BY_DESIGN)):
        return
    changed = sorted(name for name in before if after.get(name) != before[name])
    lost = [name for name in changed if status or not _may(name, case.replaced)]
    lost = [name for name in lost if not (before[name] == "folder" and name in after)]
    if lost:
        gone = [name for name in lost if name not in after]
        what = "removed" if gone else "changed"
        yield "destroyed", f"{what}: {_plain_name(Path((gone or lost)[0]))}"


def _leftovers(folder: Path, before: Manifest, after: Manifest, found: dict) -> Iterator[Fault]:
    """Of what should not be there: programs of the input, processes, temporary or half files."""
    new = sorted(set(after) - set(before))
    if any(Path(name).name == "pwned" for name in after) or (folder / ".tmp/pwned").exists():
        yield "code ran", "the input ran a program"
    if found["processes_left"] and not found["hung"]:
        yield "processes left", ""
    parts = [Path(name) for name in new if re.match(r"\..*\.part", Path(name).name)]
    if unfinished := [*parts, *(folder / ".tmp").rglob("*")]:
        yield "temporary files", _plain_name(unfinished[0])
    if found["status"] and new and not parts:
        whole = [name for name in new if after[name] != "folder"]
        broken = [(name, wrong) for name in whole if (wrong := nonsense(folder / name))]
        for name, wrong in broken[:1]:
            yield "half-written", f"{_plain_name(Path(name))}: {wrong}"
        found["left"] = f"{len(whole)} files, as {whole[0]}" if whole else "an empty folder"


def _said(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("kinepose: ")]


def _may(name: str, patterns: tuple[str, ...]) -> bool:
    return any(
        name == p
        or (name.startswith(f"{p}/") and "notes.txt" not in name)
        or (fnmatch.fnmatch(name, p) and "notes.txt" not in name)
        for p in patterns
    )


def _frames_in(path: Path) -> int:
    try:
        with np.load(path) as held:
            return len(np.unique(held["frame"]))
    except Exception:
        return 0


def _plain_name(path: Path) -> str:
    return re.sub(r"\d{4,}", "N", str(Path(*path.parts[-2:])))[:60]


def _error_of(stderr: str) -> str:
    """The last frame of kinepose and the error."""
    frames = re.findall(r'File "[^"]*/kinepose/([^"]+)", line (\d+), in (\S+)', stderr)
    lines = re.findall(r"^([\w.]*(?:[eE]rror|Exception|Violation|BadZipFile))\b", stderr, re.M)
    error = lines[-1].split(".")[-1] if lines else (stderr.strip().splitlines() or [""])[-1][:80]
    where = f"{frames[-1][0]}:{frames[-1][2]}" if frames else "?"
    return f"{error} in {where}"


def _last_frame(stack: str) -> str:
    frames = re.findall(r'File "[^"]*/kinepose/([^"]+)", line (\d+) in (\S+)', stack)
    other = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', stack)
    if frames:
        return f"{frames[0][0]}:{frames[0][2]}"
    return f"{Path(other[0][0]).name}:{other[0][2]}" if other else "?"


def normal(text: str) -> str:
    """Without paths and numbers, so that the same fault has one name."""
    text = re.sub(r"(/[\w.+-]+)+/", "", text)
    text = re.sub(r"0x[0-9a-f]+", "0xN", text)
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "N", text)[:220]
