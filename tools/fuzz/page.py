"""The page to drop videos on: bad videos by HTTP, to one server of the true command line."""

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
"""For a video's poses [s]."""


def app_uploads(good: Path, work: Path) -> list[dict]:
    """A row of results.jsonl for each."""
    folder = work / "app"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    copied(good, folder, "run video.mp4")
    video = (folder / "video.mp4").read_bytes()
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
    rows = [*_requests(address, video), *_uploads(address, video)]
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


def _requests(address: str, video: bytes) -> list[dict]:
    """What the server must refuse at once."""
    rows = []
    for words, (method, path, data) in {
        "no suffix": ("PUT", "/videos/video", video),
        "a path": ("PUT", "/videos/..%2F..%2Fx.mp4", video),
        "too large": ("PUT", "/videos/a.mp4", bytes(2_000_000)),
        "no detector": ("PUT", "/videos/a.mp4?detector=word", video),
        "detector file": ("PUT", "/videos/a.mp4?detector=file", video),
        "no format": ("PUT", "/videos/a.mp4?format=exe", video),
        "no such job": ("GET", "/jobs/xxx", None),
        "no such page": ("GET", "/etc/passwd", None),
        "a path in results": ("GET", "/jobs/xxx/..%2F..%2Fetc%2Fpasswd", None),
        "another method": ("POST", "/videos/a.mp4", video),
        "a name of 5000 letters": ("PUT", f"/videos/{'n' * 5000}.mp4?detector=word", video),
    }.items():
        began = time.monotonic()
        code, text = _ask(address, method, path, data)
        refused = 400 <= code < 500 or (words == "too large" and code == 0)
        rows.append(_row(words, refused, f"HTTP {code}: {text[:150]}", began))
    began = time.monotonic()
    code, text = _ask(address, "GET", "/", host="evil.example")
    rows.append(_row("another host", code == 400, f"HTTP {code}: {text[:100]}", began))
    return rows


def _uploads(address: str, video: bytes) -> list[dict]:
    """Videos that are taken, and then fail in one line or have poses."""
    rows = []
    for words, (name, data) in {
        "an empty video": ("video.mp4", b""),
        "a text": ("video.mp4", b"no video\n" * 9),
        "a truncated video": ("video.mp4", video[: len(video) // 2]),
        "random bytes": ("video.mkv", np.random.default_rng(0).bytes(9000)),
        "an image of text": ("a.png", b"no image"),
        "a good video": ("video.mp4", video),
    }.items():
        began = time.monotonic()
        code, text = _ask(address, "PUT", f"/videos/{name}?detector=none", data)
        state: dict = {}
        while code == 200 and time.monotonic() - began < _PATIENCE:
            state = json.loads(_ask(address, "GET", f"/jobs/{json.loads(text)['key']}")[1])
            if state["state"] not in ("waiting", "running"):
                break
            time.sleep(0.5)
        said = state.get("message") not in (None, "", "it ended unexpectedly")
        may_be_done = words in ("a good video", "a truncated video")
        fine = state.get("state") == "failed" and said and words != "a good video"
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
