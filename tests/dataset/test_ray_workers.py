"""ray_workers.py: a true Ray of two workers, started as `prepare --ray` starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tiny_videos import save_video, texture

from kinepose.dataset.ray_workers import on_ray
from kinepose.io.errors import BadInputError

pytest.importorskip("ray")
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {"OMP_NUM_THREADS": "1"}


def prepare(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kinepose", "prepare", *map(str, words), "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # `make test &` ignores it
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_ray_goes_on_and_writes_the_same_bytes(videos, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    first, second = sorted((videos / "films").glob("*.mp4"))
    settings = ("--detector", "file", "--boxes", videos / "boxes.csv", "--crop-size", 64)
    settings = (*settings, "--shortest-clip", 1, "--largest-invalid", 1, "--output")
    alone, on_ray = tmp_path / "alone", tmp_path / "on_ray"
    every = (first, second, tmp_path / "text.mp4")
    calls = [(*every, *settings, alone), (first, *settings, on_ray)]
    for call in [prepare(*words) for words in calls]:
        assert not call.communicate(timeout=300)[1].count("Traceback") and not call.returncode
    finished = (on_ray / f"{first.stem}.parquet").stat().st_mtime_ns
    call = prepare(*every, *settings, on_ray, "--ray")
    said, complaints = call.communicate(timeout=300)
    assert call.returncode == 0, complaints
    assert f"{on_ray}: 2 clips" in said and "of 2 videos; 1 videos passed over" in said
    kinds = {line.split(":")[0].strip() for line in complaints.splitlines()}
    assert kinds <= {"videos", "passed over", ""}, "Ray is to be quiet"
    assert contents(on_ray) == contents(alone) and len(contents(alone)) == 3
    assert (on_ray / f"{first.stem}.parquet").stat().st_mtime_ns == finished


def test_nothing_stays_of_what_is_broken_off(tmp_path):
    long = save_video(tmp_path / "long.mp4", [texture(0, 240, 320), texture(1, 240, 320)] * 250)
    output = tmp_path / "deep" / "clips"
    words = ("--detector", "none", "--shortest-clip", 1, "--output", output, "--ray")
    call = prepare(long, *words)
    while not list(output.glob(".long.*.part.parquet")) and call.poll() is None:
        time.sleep(0.02)
    call.send_signal(signal.SIGINT)
    complaints = call.communicate(timeout=300)[1]
    assert call.returncode == 2, complaints
    assert complaints.splitlines()[-1] == "kinepose: interrupted"
    assert not output.parent.exists()


def test_what_cannot_be_had_is_one_line(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    for name, says in ((address, "refused"), ("nonsense", "Invalid address")):
        monkeypatch.setenv("RAY_ADDRESS", name)
        with pytest.raises(BadInputError, match=f"RAY_ADDRESS={name}: .*{says}") as caught:
            list(on_ray(str, [1], workers=1))
        assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInputError, match=r"pip install 'kinepose\[ray\]'"):
        list(on_ray(str, [1], workers=1))
