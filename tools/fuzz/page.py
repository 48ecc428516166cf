"""The page to drop films on: bad films by HTTP, to one server of the true command line."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from tools.fuzz.cases import copied
from tools.fuzz.process import KINEPOSE, text_of

_PATIENCE = 90.0
"""For a film's poses [s]."""


def app_uploads(good: Path, work: Path) -> list[dict]:
    """A row of results.jsonl for each."""
    folder = work / "app"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    copied(good, folder, "run film.mp4")
    film = (folder / "film.mp4").read_bytes()
    argv = [KINEPOSE, "app", "--run", "run", "--port", "0", "--largest", "1"]
    environment = os.environ | {"TMPDIR": str(folder / "tmp")}
    with (folder / "stdout").open("w") as out:
        server = subprocess.Popen(
            argv,
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    address = _address(folder / "stdout")
    rows = [*_requests(address, film), *_uploads(address, film)]
    server.send_signal(signal.SIGINT)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        rows.append(_row("the end", False, "does not end by SIGINT in 20 s", time.monotonic()))
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    left = [path for path in (folder / "tmp").iterdir() if "torchinductor" not in path.name]
    rows.append(_row("nothing stays", not left, f"left: {left[:3]}", time.monotonic()))
    return rows


def _address(said: Path) -> str:
    """Where the server says that it listens."""
    for _ in range(300):
        time.sleep(0.2)
        if seen := re.search(r"http://127.0.0.1:\d+", text_of(said)):
            return seen[0]
    raise SystemExit(f"the page does not come up: {text_of(said)[-2000:]}")


def _ask(
    address: str, method: str, path: str, data: bytes | None = None, host: str = ""
) -> tuple[int, str]:
    """Status and text of the answer; status 0 if there is none."""
    request = urllib.request.Request(address + path, data, method=method)
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(4000).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(4000).decode("utf-8", "replace")
    except OSError as error:
        return 0, f"{type(error).__name__}: {error}"


def _requests(address: str, film: bytes) -> list[dict]:
    """What the server must refuse at once."""
    rows = []
    for words, (method, path, data) in {
        "no suffix": ("PUT", "/films/film", film),
        "a path": ("PUT", "/films/..%2F..%2Fx.mp4", film),
        "too large": ("PUT", "/films/a.mp4", bytes(2_000_000)),
        "no detector": ("PUT", "/films/a.mp4?detector=word", film),
        "detector file": ("PUT", "/films/a.mp4?detector=file", film),
        "no format": ("PUT", "/films/a.mp4?format=exe", film),
        "no such job": ("GET", "/jobs/xxx", None),
        "no such page": ("GET", "/etc/passwd", None),
        "a path in results": ("GET", "/jobs/xxx/..%2F..%2Fetc%2Fpasswd", None),
        "another method": ("POST", "/films/a.mp4", film),
        "a name of 5000 letters": ("PUT", f"/films/{'n' * 5000}.mp4?detector=word", film),
    }.items():
        began = time.monotonic()
        code, text = _ask(address, method, path, data)
        refused = 400 <= code < 500 or (words == "too large" and code == 0)
        rows.append(_row(words, refused, f"HTTP {code}: {text[:150]}", began))
    began = time.monotonic()
    code, text = _ask(address, "GET", "/", host="evil.example")
    rows.append(_row("another host", code == 400, f"HTTP {code}: {text[:100]}", began))
    return rows


def _uploads(address: str, film: bytes) -> list[dict]:
    """Films that are taken, and then fail in one line or have poses."""
    rows = []
    for words, (name, data) in {
        "an empty film": ("film.mp4", b""),
        "a text": ("film.mp4", b"no film\n" * 9),
        "a truncated film": ("film.mp4", film[: len(film) // 2]),
        "random bytes": ("film.mkv", np.random.default_rng(0).bytes(9000)),
        "a picture of text": ("a.png", b"no picture"),
        "a good film": ("film.mp4", film),
    }.items():
        began = time.monotonic()
        code, text = _ask(address, "PUT", f"/films/{name}?detector=none", data)
        state: dict = {}
        while code == 200 and time.monotonic() - began < _PATIENCE:
            state = json.loads(_ask(address, "GET", f"/jobs/{json.loads(text)['key']}")[1])
            if state["state"] not in ("waiting", "running"):
                break
            time.sleep(0.5)
        said = state.get("message") not in (None, "", "it ended unexpectedly")
        may_be_done = words in ("a good film", "a truncated film")
        fine = state.get("state") == "failed" and said and words != "a good film"
        fine |= may_be_done and state.get("state") == "done"
        rows.append(_row(words, fine, f"HTTP {code}: {json.dumps(state)[:200]}", began))
    return rows


def _row(words: str, fine: bool, detail: str, began: float) -> dict:
    return {
        "key": f"app/{words}",
        "family": "app uploads",
        "command": "app",
        "words": words,
        "class": "refused" if fine else "failed",
        "faults": [] if fine else [["app", detail[:200]]],
        "status": 0,
        "seconds": round(time.monotonic() - began, 1),
        "stderr": detail[:300],
        "megabytes": 0,
    }
