"""Each finding once more, by the true command line."""

import os
import resource
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tools.fuzz.cases import Case
from tools.fuzz.judge import Fault, judge, prepared
from tools.fuzz.process import (
    KINEPOSE,
    LARGEST_FILE,
    LIMIT,
    MEMORY,
    bug_report,
    end_session,
    text_of,
)

_SLOWER = 15.0
"""What starting Python and importing all takes at most [s]."""


@dataclass(frozen=True)
class Confirmation:
    """What the true command line made of an input."""

    faults: list[Fault]
    status: int


def confirm_all(found: dict[tuple, Case], work: Path, seed: int) -> dict[tuple, Confirmation]:
    """Each kind of finding by one of its inputs; the findings of one input by one run."""
    done: dict[str, Confirmation] = {}
    for number, case in enumerate(found.values()):
        if case.key not in done:
            folder = work / "findings" / f"{number:03d}"
            done[case.key] = _confirm(case, folder, seed)
            for name in (".stdout", ".stderr"):
                (folder / name).replace(folder / f"printed{name}")
            shutil.rmtree(folder / ".tmp", ignore_errors=True)
            prepared(case, folder / "input", seed)
            _trim(folder)
            line = " ".join(map(_quoted, ["kinepose", *case.argv]))
            (folder / "command.txt").write_bytes(os.fsencode(f"{line}\n"))
    return {signature: done[case.key] for signature, case in found.items()}


def _confirm(case: Case, folder: Path, seed: int) -> Confirmation:
    argv, before = prepared(case, folder, seed)
    (folder / ".tmp").mkdir()
    places = {"TMPDIR": str(folder / ".tmp"), "XDG_STATE_HOME": str(folder / ".state")}
    with (folder / ".stdout").open("wb") as out, (folder / ".stderr").open("wb") as err:
        process = subprocess.Popen(
            [KINEPOSE, *argv],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=os.environ | places,
            preexec_fn=_limit,
            start_new_session=True,
        )
        hung, interrupted = _wait(process, case.interrupt)
    found = {
        "bug": bug_report(folder),
        "status": process.returncode,
        "hung": hung,
        "interrupted": interrupted,
        "processes_left": end_session(process.pid),
        "stdout": text_of(folder / ".stdout"),
        "stderr": text_of(folder / ".stderr"),
    }
    return Confirmation(judge(case, folder, before, found), process.returncode)


def _wait(process: subprocess.Popen, interrupt: float) -> tuple[bool, bool]:
    """Whether it hung, and was killed; whether it was interrupted."""
    hung, interrupted, began = False, False, time.monotonic()
    while process.poll() is None:
        taken = time.monotonic() - began
        if interrupt and taken > interrupt + _SLOWER and not interrupted:
            interrupted = True
            process.send_signal(signal.SIGINT)
        if taken > LIMIT + _SLOWER:
            hung = True
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.05)
    return hung, interrupted


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _quoted(word: str) -> str:
    return shlex.quote(word) if len(word) < 400 else f"{word[:20]}...({len(word)} letters)"


def _trim(folder: Path) -> None:
    """Large files go."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 8_000_000:
            path.unlink()
