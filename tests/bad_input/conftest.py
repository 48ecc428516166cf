"""A folder of good inputs, and a command there that must be refused in one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bad_input.good_inputs import contents, labels, poses, write_clips
from tests.conftest import run_here

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.pose_files import write_labels, write_poses
from kinepose.training.config import PRESETS


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_model):
    """A folder to stand in, with good inputs: a run, poses, labels and clips."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    train = replace(PRESETS["cpu"], output=Path("run"))
    save_model(tiny_model, Path("run"), train=train)
    line = {"step": 1, "loss": "prior", "total": 1.0, "pose": 1.0, "seconds": 1.0}
    Path("run/log.jsonl").write_text(json.dumps(line) + "\n")
    write_poses(Path("poses.npz"), poses())
    write_labels(Path("labels.npz"), labels())
    write_clips(Path("clips"))
    return tmp_path


@pytest.fixture
def refused(place, monkeypatch, capsys):
    """A call that must end with status 2, one short line, and nothing changed; gives the line."""

    def call(*words):
        before = contents(place)
        status, lines = run_here(monkeypatch, capsys, *words)
        assert status == 2, lines
        assert len(lines) == 1 and lines[0].startswith("kinepose: ") and len(lines[0]) < 700
        for jargon in ("Traceback", "[Errno", "NoneType", "object at", "typing."):
            assert jargon not in lines[0]
        assert contents(place) == before
        return lines[0]

    return call
