"""Whether a run kept the promise: what it said, what it wrote, what it left of what was there."""

import fnmatch
import hashlib
import os
import re
import signal
from pathlib import Path

import numpy as np

from tools.fuzz.cases import Case
from tools.fuzz.contents import nonsense
from tools.fuzz.pictures import FRAMES
from tools.fuzz.process import text_of

LONG_LINE, LONG_TEXT = 700, 12
"""Letters of a line, and lines, that are too many."""


def manifest(folder: Path) -> dict[str, str]:
    """Every path in a folder, with what tells whether it has changed."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place) / name
            relative = os.path.relpath(path, folder)
            if relative.split("/")[0] in (".tmp", ".state", ".stdout", ".stderr", ".hang"):
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


def told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("kinepose: ")]


def judge(case: Case, folder: Path, before: dict[str, str], found: dict) -> list[tuple[str, str]]:
    """(kind of failure, detail), empty if the promise was kept; found['class'] says how."""
    after = manifest(folder)
    status, stderr, stdout = found["status"], found["stderr"], found["stdout"]
    faults: list[tuple[str, str]] = []
    new = sorted(set(after) - set(before))
    changed = sorted(n for n in before if after.get(n) != before[n])
    lines = stderr.splitlines()
    said = told(stderr)
    if any(Path(n).name == "pwned" for n in after) or (folder / ".tmp/pwned").exists():
        faults.append(("code ran", "the input ran a program"))
    if found["hung"]:
        stack = _text(folder / ".hang")
        faults.append(("hang", _last_frame(stack)))
    elif status < 0:
        faults.append(
            (
                "killed",
                f"signal {signal.Signals(-status).name}; {_last_frame(_text(folder / '.hang'))}",
            )
        )
    elif found["bug"]:
        faults.append(("bug", _error_of(found["bug"])))
    elif "Traceback (most recent call last)" in stderr or (
        lines and status and "Error" in lines[-1] and not said
    ):
        kind = (
            "memory"
            if re.search(r"MemoryError|not enough memory|std::bad_alloc", stderr)
            else "traceback"
        )
        faults.append((kind, _error_of(stderr)))
    elif status and case.interrupt and found["interrupted"]:
        pass
    elif status:
        last = lines[-1] if lines else ""
        if status not in (1, 2):
            faults.append(("status", f"exit status {status}"))
        if not last.startswith("kinepose: "):
            faults.append(("no line", last[:200]))
        elif (
            len(last) > LONG_LINE + 2 * max(map(len, case.argv), default=0)
            or len(lines) > LONG_TEXT
        ):
            faults.append(
                ("long", f"{len(lines)} lines, the last of {len(last)} letters: {last[:160]}")
            )
        elif case.names and not any(name in last for name in case.names):
            faults.append(("unclear", _normal(last)))
        if re.search(r"\[Errno|0x[0-9a-f]{6,}|<class '|object at|NoneType|typing\.|usecols", last):
            faults.append(("jargon", _normal(last)))
    noise = [x for x in lines if not x.startswith(("kinepose: ", "passed over: ")) and x.strip()]
    if noise and not any(k in ("traceback", "hang", "killed", "memory") for k, _ in faults):
        found["noise"] = _normal(noise[0])[:160]
    if not status and not found["hung"]:
        if case.expect == "fail" and not found["interrupted"]:
            faults.append(
                (
                    "accepted",
                    "status 0" + (f"; said: {said[-1][:120]}" if said else " without a word"),
                )
            )
        if case.expect == "told" and not said:
            count = _frames_in(folder / "out/poses.npz")
            if "film" not in case.family or count != FRAMES:
                faults.append(("silent", f"status 0 without a word; {count} frames of {FRAMES}"))
        lacks = "--no-energy" in case.argv or "score" in case.family
        for name in new + [c for c in changed if c in after]:
            path = folder / name
            plain = path.is_file() and not path.is_symlink()
            if plain and (wrong := nonsense(path, lacks)):
                faults.append(("nonsense", f"{_plain_name(path)}: {wrong}"))
        if re.search(r"(?<![A-Za-z])(nan|NaN)(?![A-Za-z])", stdout):
            faults.append(("nonsense", "nan is printed"))
    lost = [n for n in changed if status or not _may(n, case.replaced)]
    by_design = "again" in case.family or case.family.startswith(
        ("reproduce", "synthworld", "options of synthworld", "output of synthworld")
    )
    if by_design and not status:
        lost = []
    lost = [n for n in lost if not (before[n] == "folder" and n in after)]
    if lost:
        gone = [n for n in lost if n not in after]
        faults.append(
            (
                "destroyed",
                f"{'removed' if gone else 'changed'}: {_plain_name(Path((gone or lost)[0]))}",
            )
        )
    parts = [n for n in new if re.match(r"\..*\.part", Path(n).name)]
    temporary = [p for p in (folder / ".tmp").rglob("*")] if (folder / ".tmp").is_dir() else []
    if parts or temporary:
        faults.append(("temporary files", _plain_name(Path(parts[0] if parts else temporary[0]))))
    if found["processes_left"] and not found["hung"]:
        faults.append(("processes left", ""))
    if status and new and not parts:
        whole = [n for n in new if after[n] != "folder"]
        broken = [n for n in whole if nonsense(folder / n, True)]
        if broken:
            faults.append(
                (
                    "half-written",
                    f"{_plain_name(Path(broken[0]))}: {nonsense(folder / broken[0], True)}",
                )
            )
        elif whole:
            found["left"] = f"{len(whole)} files, as {_plain_name(Path(whole[0]))}"
        else:
            found["left"] = "an empty folder"
    found["class"] = (
        "failed"
        if faults
        else "refused"
        if status
        else "interrupted"
        if found["interrupted"]
        else "ok"
        if case.expect == "ok"
        else "tolerated"
    )
    if case.expect == "ok" and status:
        faults.append(("good input refused", _normal(lines[-1] if lines else "")))
        found["class"] = "failed"
    return faults


def _may(name: str, patterns: tuple[str, ...]) -> bool:
    import fnmatch

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
    at = f"{frames[-1][0]}:{frames[-1][2]}" if frames else "?"
    return f"{error} in {at}"


def _last_frame(stack: str) -> str:
    frames = re.findall(r'File "[^"]*/kinepose/([^"]+)", line (\d+) in (\S+)', stack)
    other = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', stack)
    if frames:
        return f"{frames[0][0]}:{frames[0][2]}"
    return f"{Path(other[0][0]).name}:{other[0][2]}" if other else "?"


def _normal(text: str) -> str:
    """Without paths and numbers, so that the same fault has one name."""
    text = re.sub(r"(/[\w.+-]+)+/", "", text)
    text = re.sub(r"0x[0-9a-f]+", "0xN", text)
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "N", text)[:220]
