"""distributed.py: true processes, started by torchrun, that meet by gloo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kinepose.artifacts.run_folder import read_log

ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}


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


WHO_DOES_WHAT = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from tests.conftest import TINY_MODEL
from kinepose.artifacts.model_files import new_model
from kinepose.artifacts.run_folder import read_log
from kinepose.dataset import backgrounds, render_stream
from kinepose.dataset.config import StreamConfig
from kinepose.synthetic.single_images import SEQUENCE
from kinepose.training.checkpoint import Run, restore, save
from kinepose.training.config import PRESETS
from kinepose.training.distributed import joined, rank
from kinepose.training.materials import gather

make = render_stream._make_missing

def told_make(paths, make_one, workers, what):
    lacking = [path for path in paths if not path.is_file()]
    sys.stdout.write(f"process {rank()} makes {len(lacking)} {what}\\n")
    if what == "poses":
        make(paths, make_one, workers, what)
    for path in lacking:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

if __name__ == "__main__":
    output = Path(sys.argv[1])
    backgrounds.IMAGES, render_stream._make_missing, render_stream._CHUNK = 24, told_make, 1
    stream = StreamConfig(renders=SEQUENCE, size=48, poses=SEQUENCE, workers=1)
    config = replace(
        PRESETS["kinepose"], output=output, prior_images=4, model=TINY_MODEL, stream=stream
    )
    with joined(torch.device("cpu")) as device:
        gather(config, device)
        run = Run(replace(config, output=output / str(rank())), new_model(TINY_MODEL), {}, step=1)
        save(run)
        line = '{{"step": {}, "loss": "prior", "total": 1.0, "seconds": 1.0}}\\n'
        (run.config.output / "log.jsonl").write_text(line.format(1) + line.format(2))
        restore(run)
        left = len(read_log(run.config.output))
        sys.stdout.write(f"process {rank()} leaves {left} lines of 2\\n")
"""


def test_one_process_makes_what_all_read_and_cuts_the_log(output, tmp_path):
    script = tmp_path / "who.py"
    script.write_text(WHO_DOES_WHAT)
    done = torchrun(str(script), str(output))
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(line for line in done.stdout.splitlines() if line.startswith("process")) == [
        "process 0 leaves 1 lines of 2",
        "process 0 makes 1 poses",
        "process 0 makes 1 renders",
        "process 1 leaves 2 lines of 2",
        "process 1 makes 0 poses",
        "process 1 makes 0 renders",
    ]


def test_what_cannot_be_shared_is_refused(clips, tmp_path):
    done = torchrun(*words(clips, tmp_path / "run", batch_size=3))
    assert done.returncode != 0
    assert "2 processes cannot share --batch-size 3" in done.stderr
    assert not (tmp_path / "run").exists()
