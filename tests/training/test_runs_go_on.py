"""Runs that stop, are killed or start from another end at the numbers that they should."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
import torch
import tyro
from tests.conftest import TINY_MODEL
from tests.training.weights_of_runs import same, weights

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import read_log, read_run_config
from kinepose.io.errors import BadInputError
from kinepose.training.config import TrainConfig
from kinepose.training.train import train


def test_a_run_goes_on_from_the_weights_of_another(config, tmp_path):
    train(config)
    start = config.output
    again = replace(config, output=tmp_path / "again", start=start, iterations=0, seed=1)
    train(again)
    assert same(weights(start), weights(again.output))
    turns = Counter(line["loss"] for line in read_log(start))
    assert read_run_config(again.output).turns == turns, "of all that made these weights"
    train(replace(again, iterations=3))
    turns.update(line["loss"] for line in read_log(again.output))
    assert read_run_config(again.output).turns == turns
    parts = replace(TINY_MODEL, painting="parts", decoder_widths=(8, 8, 8))
    anew = replace(again, output=tmp_path / "anew", iterations=0, model=parts)
    train(anew)
    before, after = weights(start), weights(anew.output)
    kept = {name for name in before if name.startswith("pose_encoder.")}
    assert kept and all(torch.equal(before[name], after[name]) for name in kept)
    held = set(read_run_config(anew.output).turns)
    assert held == set(turns) - {"paired"}, "E_A and D_I began anew"
    frozen = replace(TINY_MODEL, frozen_stages=1)
    stays = replace(again, output=tmp_path / "frozen", iterations=3, warm_up=3, model=frozen)
    train(stays)
    assert load_model(stays.output).config == frozen, "which stages learn is up to each run"
    after, backbone = weights(stays.output), {n for n in kept if ".backbone." in n}
    assert backbone == {name for name in kept if torch.equal(before[name], after[name])} != set()
    other = replace(TINY_MODEL, branch_width=16)
    with pytest.raises(BadInputError, match="another model"):
        train(replace(again, output=tmp_path / "other", model=other))


def test_clips_at_an_address_train_the_same_and_a_run_goes_on(config, clips, tmp_path):
    words = ["--clips", "memory://trained", "clips/", "--output", "run"]
    assert tyro.cli(TrainConfig, args=words).clips == ("memory://trained", Path("clips"))
    memory = fsspec.filesystem("memory")
    for file in clips.iterdir():
        memory.pipe_file(f"/trained/{file.name}", file.read_bytes())
    here = shutil.copytree(config.output, tmp_path / "here")
    train(replace(config, output=here))
    for iterations in (5, 8):
        train(replace(config, clips=("memory://trained",), iterations=iterations))
    assert same(weights(here), weights(config.output))
    assert len(read_log(config.output)) == 8


def test_the_same_seed_ends_at_the_same_numbers_and_another_at_others(config, tmp_path):
    def run(name: str, seed: int) -> dict[str, torch.Tensor]:
        output = shutil.copytree(config.output, tmp_path / name)
        train(replace(config, output=output, seed=seed))
        return weights(output)

    first = run("first", 0)
    assert same(first, run("again", 0))
    assert not same(first, run("other", 1))


def test_a_killed_run_ends_at_the_numbers_of_one_that_never_was(config, tmp_path):
    whole = shutil.copytree(config.output, tmp_path / "whole")
    train(replace(config, output=whole, iterations=40))

    command = (
        "import sys; from pathlib import Path; from dataclasses import replace;"
        "from kinepose.training.config import PRESETS; from kinepose.training.train import train;"
        "from kinepose.dataset import backgrounds; backgrounds.IMAGES = 24;"
        "from tests.conftest import TINY_MODEL;"
        "train(replace(PRESETS['cpu'], output=Path(sys.argv[1]), clips=(Path(sys.argv[2]),),"
        "iterations=4000, warm_up=2, consistency_from=2, batch_size=3, prior_images=4, threads=1,"
        "model=TINY_MODEL, checkpoint_minutes=0.0))"
    )
    words = [sys.executable, "-c", command, str(config.output), str(config.clips[0])]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(words, cwd=root, stderr=subprocess.DEVNULL)
    log = config.output / "log.jsonl"
    while process.poll() is None and not (log.is_file() and log.read_text().count("\n") >= 6):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed_at = log.read_text().count("\n")
    assert 6 <= killed_at < 40, "the run was killed too early or too late to show anything"

    train(replace(config, iterations=40))
    assert same(weights(whole), weights(config.output))
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    expected = read_log(whole)
    assert [row["step"] for row in rows] == list(range(1, 41))
    assert [row["total"] for row in rows] == [row["total"] for row in expected]
    turns = Counter(row["loss"] for row in rows)
    assert read_run_config(whole).turns == read_run_config(config.output).turns == turns


def test_minutes_end_a_run_cleanly(config):
    train(replace(config, iterations=10**6, minutes=0.02))
    steps = len(read_log(config.output))
    assert 0 < steps < 10**6
    load_model(config.output)


def test_a_broken_state_is_one_line(config):
    train(config)
    (config.output / "state.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadInputError, match=r"state\.safetensors is no file of safetensors"):
        train(replace(config, iterations=12))


def test_a_run_with_other_settings_is_not_overwritten(config):
    train(config)
    before = weights(config.output)
    with pytest.raises(BadInputError, match="learning_rate"):
        train(replace(config, learning_rate=1e-2))
    assert same(before, weights(config.output))
