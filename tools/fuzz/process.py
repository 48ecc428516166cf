"""Runs of kinepose: forked from a process that has imported it, or by the true command line."""

import base64
import faulthandler
import importlib
import io
import json
import multiprocessing.util
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
import traceback
import typing
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LIMIT = float(os.environ.get("FUZZ_LIMIT", "60"))
"""After which a run counts as hung [s]."""
MEMORY = 8 * 2**30
LARGEST_FILE = 3 * 2**30
OTHERS = ("h5py", "scipy.io", "pybvh", "ezc3d", "onnxruntime", "matplotlib.figure", "uvicorn")
"""What kinepose imports when it needs it."""
KINEPOSE = str(Path(sys.executable).with_name("kinepose"))


class Zygote:
    """A process that has imported kinepose, and forks one child for each input."""

    def __init__(self) -> None:
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(ours[1])
            os.close(theirs[0])
            try:
                _serve(os.fdopen(ours[0], "r"), os.fdopen(theirs[1], "w"))
            finally:
                os._exit(0)
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.back = os.fdopen(ours[1], "w"), os.fdopen(theirs[0], "r")

    def run(
        self, argv: list[str], folder: Path, interrupt: float = 0.0, limit: float = LIMIT
    ) -> dict:
        """How it ended and what it said; after `limit` [s] it is killed."""
        ask = {
            "argv": [base64.b64encode(os.fsencode(word)).decode() for word in argv],
            "folder": str(folder),
            "interrupt": interrupt,
            "limit": limit,
        }
        self.to.write(json.dumps(ask) + "\n")
        self.to.flush()
        answer = json.loads(self.back.readline())
        answer["bug"] = bug_report(folder)
        for name in ("stdout", "stderr"):
            answer[name] = text_of(folder / f".{name}")
        return answer

    def end(self) -> None:
        """No more runs."""
        self.to.close()
        os.waitpid(self.pid, 0)


def _serve(asks: typing.TextIO, answers: typing.TextIO) -> None:
    import kinepose.cli
    import kinepose.dataset.backgrounds

    modules = [found.name for found in pkgutil.walk_packages(kinepose.__path__, "kinepose.")]
    for name in [*modules, *OTHERS]:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    kinepose.dataset.backgrounds.IMAGES = 24
    for line in asks:
        ask = json.loads(line)
        argv = [os.fsdecode(base64.b64decode(word)) for word in ask["argv"]]
        folder, began = Path(ask["folder"]), time.monotonic()
        pid = os.fork()
        if not pid:
            _child(kinepose.cli.main, argv, folder, ask["limit"])
        found = _waited(pid, began, ask["interrupt"], ask["limit"])
        answers.write(json.dumps(found) + "\n")
        answers.flush()


def _child(main: Callable[[], None], argv: list[str], folder: Path, limit: float) -> None:
    """One run; does not return."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.chdir(folder)
    (folder / ".tmp").mkdir(exist_ok=True)
    os.environ |= {"TMPDIR": str(folder / ".tmp"), "XDG_STATE_HOME": str(folder / ".state")}

    tempfile.tempdir = None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, name in ((1, ".stdout"), (2, ".stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb"), "utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb"), "utf-8", "backslashreplace")
    where = (folder / ".hang").open("w")
    faulthandler.dump_traceback_later(limit - 2, file=where)
    faulthandler.enable(where)
    sys.argv = ["kinepose", *argv]
    status = 0
    try:
        main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
        multiprocessing.util._exit_function()  # as Python does at its end
        os._exit(status & 255)


def _waited(pid: int, began: float, interrupt: float, limit: float) -> dict:
    """How the child ended; it is killed after `limit`, with all that it started."""
    hung = interrupted = False
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        taken = time.monotonic() - began
        if interrupt and taken > interrupt and not interrupted:
            interrupted = True
            os.kill(pid, signal.SIGINT)
        if taken > limit and not hung:
            hung = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.005 if taken < 1 else 0.03)
    left = end_session(pid)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - began, 2),
        "megabytes": used.ru_maxrss // 1024,
        "hung": hung,
        "interrupted": interrupted,
        "processes_left": left,
    }


def end_session(session: int) -> bool:
    """Whether somebody lives on of a session that we started; they are killed.

    What ends when its parent does, as multiprocessing's tracker of resources, gets a moment.
    """
    for _ in range(40):
        left = [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if _lives(pid, session)
        ]
        if not left:
            return False
        time.sleep(0.05)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return True


def _lives(pid: int, session: int) -> bool:
    """Whether a process is of a session, and is more than a dead entry in the table."""
    try:
        state, _, _, its = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:  # it is gone
        return False
    return int(its) == session and state != "Z"


def bug_report(folder: Path) -> str:
    """What kinepose would have us send its developers."""
    return "".join(text_of(path) for path in sorted((folder / ".state").rglob("*.txt")))


def text_of(path: Path, limit: int = 200_000) -> str:
    """The beginning of a text; none if it is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(limit).decode("utf-8", "backslashreplace")
