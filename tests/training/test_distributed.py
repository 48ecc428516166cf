"""distributed.py: true processes, started by torchrun, that meet by gloo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kinepose.artifacts.run_folder import read_log

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


def words(clips: Path, output: Path, batch_size: int) -> list[str]:
    given = {
        "clips": clips,
        "output": output,
        "iterations": 9,
        "warm-up": 2,
        "consistency-from": 2,
        "batch-size": batch_size,
        "prior-images": 4,
        "smallest-spread": 0,
        "image-every": 5,
        "device": "cpu",
        "model.heatmaps": 0,
    }
    settings = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return ["-m", "kinepose", "train", "--preset", "cpu", *settings]


def python(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=ONE_THREAD, timeout=300
    )


def torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *command)


def test_two_processes_train_as_one_does(clips, tmp_path):
    """But for heatmaps, whose batch norm sees the images of one process alone."""
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    for output, start in ((alone, python), (shared, torchrun)):
        done = start(*words(clips, output, batch_size=4))
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("9 iterations") == 1
    expected, found = read_log(alone), read_log(shared)
    assert [line["loss"] for line in found] == [line["loss"] for line in expected]
    assert {line["loss"] for line in found} == {"prior", "paired", "unpaired"}
    for one, two in zip(expected, found, strict=True):
        assert two["total"] == pytest.approx(one["total"], rel=2e-3), (one, two)
    files = [sorted(path.name for path in folder.rglob("*")) for folder in (alone, shared)]
    assert files[0] == files[1]
    before, after = (load_file(folder / "model.safetensors") for folder in (alone, shared))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=2e-3, rtol=0)


def test_what_cannot_be_shared_is_refused(clips, tmp_path):
    done = torchrun(*words(clips, tmp_path / "run", batch_size=3))
    assert done.returncode != 0
    assert "2 processes cannot share --batch-size 3" in done.stderr
    assert not (tmp_path / "run").exists()
