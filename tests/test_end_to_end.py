"""Every command, as a user would type it, one after the other."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from tests.conftest import run_here

from kinepose.artifacts.pose_files import read_poses

KINEPOSE = [sys.executable, "-m", "kinepose"]
ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def kinepose(*words: object) -> subprocess.CompletedProcess[str]:
    command = [*KINEPOSE, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)


def write_video_as(video: Path, copy: Path) -> None:
    """The video in another container, each frame an image."""
    with av.open(str(video)) as source, av.open(str(copy), "w") as container:
        (shown,) = source.streams.video
        stream = container.add_stream("mjpeg", rate=shown.average_rate)
        stream.width, stream.height, stream.pix_fmt = shown.width, shown.height, "yuvj420p"
        for frame in source.decode(shown):
            container.mux(stream.encode(frame.reformat(format="yuvj420p")))
        container.mux(stream.encode())


def succeeds(*words: object) -> str:
    done = kinepose(*words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == "", "what went well is told on stdout"
    return done.stdout


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Path:
    """A folder in which every command has run."""
    root = tmp_path_factory.mktemp("walk")
    succeeds(
        *("synthesize", "--output", root / "films", "--videos", 2, "--seconds", 2),
        *("--size", 96, "--fps", 10, "--camera", "mixed", "--seed", 3, "--workers", 1),
    )
    videos = sorted((root / "films" / "films").glob("*.mp4"))
    boxes = root / "films" / "boxes.csv"
    succeeds(
        *("prepare", *videos, "--output", root / "clips", "--shortest-clip", 1, "--workers", 1),
        *("--detector", "file", "--boxes", boxes, "--crop-size", 64, "--largest-invalid", 1),
    )
    succeeds(
        *("train", "--clips", root / "clips", "--output", root / "run", "--preset", "cpu"),
        *(
            "--iterations",
            6,
            "--warm-up",
            2,
            "--consistency-from",
            2,
            "--batch-size",
            2,
            "--prior-images",
            3,
        ),
    )
    succeeds(
        *("predict", videos[0], "--run", root / "run", "--output", root / "poses"),
        *("--detector", "file", "--boxes", boxes, "--device", "cpu", "--energy"),
    )
    labels = root / "films" / "labels" / f"{videos[0].stem}.npz"
    succeeds("evaluate", root / "poses", labels, "--output", root / "poses" / "metrics.json")
    succeeds("report", root / "run", "--output", root / "page.html", "--poses", root / "poses")
    succeeds(
        *("adapt", videos[1], "--output", root / "adapted", "--start", root / "run"),
        *("--detector", "file", "--boxes", boxes, "--largest-invalid", 1, "--workers", 1),
        *("--iterations", 2, "--check-every", 1, "--batch-size", 2, "--renders", 0),
    )
    return root


def test_poses_are_what_the_readme_promises(walk):
    with np.load(walk / "poses" / "poses.npz", allow_pickle=False) as poses:
        rows = len(poses["frame"])
        assert rows > 10
        assert poses["box"].shape == (rows, 4)
        assert poses["joints2d"].shape == (rows, 17, 2)
        assert poses["joints3d"].shape == (rows, 17, 3)
        assert np.abs(poses["joints3d"][:, 0]).max() == 0
        assert poses["root"].shape == (rows, 3) and (poses["root"][:, 2] > 0).all()
        assert poses["confidence"].shape == (rows, 17)
        assert poses["video"] == "film_0000.mp4"
        assert poses["focal"] == pytest.approx(np.full(rows, 96 * 2**0.5))
        assert np.isfinite(poses["energy"]).all()
        assert list(poses["joint_names"])[:2] == ["pelvis", "right_hip"]
        assert poses["fps"] == 10
    assert (walk / "poses" / "overlay.mp4").stat().st_size > 0
    assert "</html>" in (walk / "poses" / "viewer.html").read_text()


def test_metrics_and_page_are_there(walk):
    metrics = json.loads((walk / "poses" / "metrics.json").read_text())
    assert 0 < metrics["p_mpjpe"] < metrics["mpjpe"] < 3000
    page = (walk / "page.html").read_text()
    assert "<img" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_criteria_need_no_labels(walk):
    written = walk / "criteria.json"
    succeeds("criteria", walk / "poses", "--clips", (walk / "clips").as_uri(), "--output", written)
    (video,) = json.loads(written.read_text())["videos"]
    assert video["video"] == "film_0000.mp4" and set(video) >= {"steadiness", "hits"}


def test_info_describes_clips_run_and_poses(walk):
    assert "D_p" in (described := succeeds("info", walk / "clips"))
    uri = (walk / "clips").as_uri()
    assert succeeds("info", uri).replace(uri, str(walk / "clips")) == described
    assert "cpu" in succeeds("info", walk / "run")
    assert "people: 1" in succeeds("info", walk / "poses")
    assert "teacher" in succeeds("info", walk / "adapted")


def test_adapt_says_what_it_gained_and_leaves_a_run(walk):
    held = json.loads((walk / "adapted" / "adaptation.json").read_text())
    assert held["finished"] and 0 <= held["kept"] <= held["iterations"]
    (video,) = held["videos"].values()
    assert video.keys() == {"before", "after", "change"}
    succeeds("report", walk / "adapted", "--output", walk / "adapted.html")


def test_a_resumed_run_that_is_done_stays_as_it_is(walk):
    before = (walk / "run" / "log.jsonl").read_text()
    succeeds(
        *("train", "--clips", walk / "clips", "--output", walk / "run", "--preset", "cpu"),
        *(
            "--iterations",
            6,
            "--warm-up",
            2,
            "--consistency-from",
            2,
            "--batch-size",
            2,
            "--prior-images",
            3,
        ),
    )
    assert (walk / "run" / "log.jsonl").read_text() == before


def test_bad_input_is_one_line_and_status_2(walk, tmp_path, monkeypatch, capsys):
    def fails(*words: object) -> str:
        """The one line of complaint of a command that must fail."""
        status, (line,) = run_here(monkeypatch, capsys, *words)
        assert status == 2 and line.startswith("kinepose: ")
        return line

    text = tmp_path / "video.mp4"
    text.write_text("this is no video")
    empty = tmp_path / "empty"
    empty.mkdir()
    video = next((walk / "films" / "films").glob("*.mp4"))
    run = ("--run", walk / "run", "--output", tmp_path / "out")
    assert "nowhere" in fails("predict", "nowhere.mp4", *run)
    assert "video.mp4" in fails("predict", text, *run)
    assert "empty" in fails("predict", empty, *run)
    assert "--boxes" in fails("predict", video, *run, "--detector", "file")
    assert "not a run" in fails(
        "predict", video, "--run", empty, "--output", tmp_path / "out", "--detector", "none"
    )
    assert not (tmp_path / "out").exists()
    assert "video.mp4" in fails("prepare", text, "--output", tmp_path / "clips")
    assert "empty" in fails("train", "--clips", empty, "--output", tmp_path / "run")
    assert "--bogus" in fails("train", "--bogus", 3)
    assert "bogus" in fails("bogus")
    assert "bogus" in fails("train", "--preset", "bogus")
    assert "nowhere" in fails("info", "nowhere")
    assert "npz" in fails("evaluate", text, text, "--output", tmp_path / "m.json")
    assert "two or more" in fails("criteria", walk / "poses", "--views")
    assert "not a run" in fails("report", empty, "--output", tmp_path / "page.html")
    assert "not a run" in fails("adapt", video, "--start", empty, "--output", tmp_path / "adapted")
    assert "it is a folder" in fails("report", walk / "run", "--output", empty)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "video.mp4"]
    assert not list(empty.iterdir())


def test_a_video_that_is_cut_short_is_predicted_with_one_line(walk, tmp_path):
    whole, video = next((walk / "films" / "films").glob("*.mp4")), tmp_path / "cut é.mkv"
    write_video_as(whole, video)
    video.write_bytes(video.read_bytes()[: int(0.8 * video.stat().st_size)])
    done = kinepose(
        *("predict", video, "--run", walk / "run", "--output", tmp_path / "poses"),
        *("--detector", "none", "--device", "cpu", "--no-viewer", "--no-energy"),
    )
    assert done.returncode == 0
    frames = len(read_poses(tmp_path / "poses").frame)
    reason = r"it ends after 1\.\d of 2\.0 s"
    line = rf"kinepose: cut é\.mkv is broken \({reason}\); {frames} frames of it are used\n"
    assert re.fullmatch(line, done.stderr) and 10 < frames < 20


def test_a_disk_without_room_is_one_line(walk, tmp_path):
    """A limit on the size of files stands in for a full disk: both fail amid a write."""

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    run = tmp_path / "run"
    words = ("train", "--output", run, "--variant", "prior", "--iterations", 2)
    command = [*KINEPOSE, *map(str, words), "--prior-images", "2"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, preexec_fn=little_room
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("kinepose: ")
    assert "Traceback" not in done.stderr
    assert not (run / "model.safetensors").exists()
    assert not list(tmp_path.rglob("*.part*"))
