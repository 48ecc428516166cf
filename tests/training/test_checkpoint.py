"""The state of a run: its running average, and a long training that was interrupted."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.conftest import TINY_MODEL

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import read_log
from kinepose.dataset.config import StreamConfig
from kinepose.dataset.render_stream import poses_ahead, render_ahead
from kinepose.synthetic.single_images import SEQUENCE
from kinepose.training.checkpoint import Run, follow
from kinepose.training.config import PRESETS, TrainConfig
from kinepose.training.train import train

STREAM = StreamConfig(renders=SEQUENCE, size=48, poses=SEQUENCE, pose_batch=8, loaders=0, workers=1)


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> StreamConfig:
    """One sequence of renders and one of poses, made here in place of other processes."""
    folder = tmp_path_factory.mktemp("ahead")

    def make(paths, make_one, workers, what):
        for number, path in enumerate(paths):
            path.parent.mkdir(exist_ok=True)
            make_one(number, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinepose.dataset.render_stream._CHUNK", 1)
        patch.setattr("kinepose.dataset.render_stream._make_missing", make)
        render_ahead(STREAM, 0, folder)
        poses_ahead(STREAM, 0, folder)
    return replace(STREAM, folder=folder)


@pytest.fixture
def config(output, stream) -> TrainConfig:
    return replace(
        PRESETS["kinepose"],
        output=output,
        iterations=9,
        batch_size=3,
        prior_images=4,
        rise=3,
        average=0.9,
        bfloat16=False,
        threads=1,
        stream=stream,
        model=TINY_MODEL,
    )


def files(run: Path) -> dict[str, torch.Tensor]:
    state = load_file(run / "state.safetensors")
    return state | {f"kept.{k}": v for k, v in load_file(run / "model.safetensors").items()}


def test_the_running_average_by_hand(config, tiny_model):
    run = Run(config, tiny_model, {})
    follow(run)
    bias = tiny_model.pose_encoder.lifter.camera_branch.bias
    start = bias.detach().clone()
    counts = [b for b in tiny_model.buffers() if not b.is_floating_point()]
    assert torch.equal(run.average.pose_encoder.lifter.camera_branch.bias, start)
    expected = start.clone()
    for step, decay in ((1, 2 / 11), (2, 3 / 12), (1000, 0.9)):
        with torch.no_grad():
            bias += step
            for count in counts:
                count += 1
        run.step = step
        follow(run)
        expected = decay * expected + (1 - decay) * bias
        found = run.average.pose_encoder.lifter.camera_branch.bias
        torch.testing.assert_close(found, expected.detach())
    held = [b for b in run.average.buffers() if not b.is_floating_point()]
    assert counts and all(torch.equal(*pair) for pair in zip(counts, held, strict=True))
    assert not any(p.requires_grad for p in run.average.parameters())
    still = Run(replace(config, average=0.0), tiny_model, {})
    follow(still)
    assert still.average is None


@pytest.mark.parametrize("stops", [(4,), (1, 5, 6)])
def test_an_interrupted_run_ends_at_the_bits_of_one_that_never_was(config, tmp_path, stops):
    config = replace(config, cooldown=0.0)  # which would begin earlier in a shorter run
    whole = replace(config, output=shutil.copytree(config.output, tmp_path / "whole"))
    train(whole)
    for iterations in (*stops, 9):
        train(replace(config, iterations=iterations))
    expected, found = files(whole.output), files(config.output)
    assert expected.keys() == found.keys()
    assert {name.split(".")[0] for name in found} == {
        *("model", "average", "kept", "prior", "lifting"),
    }
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


def test_what_is_kept_is_the_average_and_says_how_it_came(config):
    train(config)
    log = read_log(config.output)
    assert [line["loss"] for line in log] == ["prior", "lifting"] * 4 + ["prior"]
    assert {"joints3d", "in_camera", "joints2d", "heatmaps", "mask"} < log[0].keys()
    described = json.loads((config.output / "config.json").read_text())
    assert described["turns"] == {"prior": 5, "lifting": 4}
    assert described["train"]["average"] == 0.9
    assert described["train"]["stream"]["composition"]["length"] == [0.58, 0.95]
    assert load_model(config.output).config == TINY_MODEL
    held = files(config.output)
    kept = {name: tensor for name, tensor in held.items() if name.startswith("kept.")}
    for name, tensor in kept.items():
        assert torch.equal(tensor, held[name.replace("kept.", "average.")]), name
    assert not all(torch.equal(t, held[n.replace("kept.", "model.")]) for n, t in kept.items())


def test_lifting_leaves_the_networks_that_see_images_alone(config):
    """Even what batch norm counts."""
    train(replace(config, iterations=1))
    before = load_file(config.output / "state.safetensors")
    train(replace(config, iterations=2))
    after = load_file(config.output / "state.safetensors")
    names = [name for name in after if name.startswith("model.")]
    moved = {name for name in names if not torch.equal(before[name], after[name])}
    assert moved and all(name.startswith("model.pose_encoder.lifter.") for name in moved)
