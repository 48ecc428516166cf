"""train.py: which losses train, in which order, and what they leave."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import TINY_MODEL
from tests.training.weights_of_runs import same, weights

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import paints_people, read_last_images, read_log, read_run_config
from kinepose.dataset.config import StreamConfig
from kinepose.evaluation.evaluate import score_overfit
from kinepose.training.config import PRESETS
from kinepose.training.losses import LOSSES
from kinepose.training.schedule import learning_rate
from kinepose.training.train import train


def test_full_labels_follow_the_warm_up(config, videos):
    train(replace(config, variant="full", labels=(videos / "labels",)))
    log = read_log(config.output)
    assert [line["loss"] for line in log] == ["prior"] * 2 + ["labels"] * 6


def test_losses_take_turns_after_the_warm_up(config):
    train(config)
    log = read_log(config.output)
    assert [line["loss"] for line in log] == [
        *("prior", "prior", "unpaired", "prior", "paired", "unpaired", "prior", "paired"),
    ]
    assert [line["step"] for line in log] == list(range(1, 9))
    assert set(log[4]) >= {"pixels", "pose", "appearance", "total", "seconds"}
    assert log[4]["total"] == pytest.approx(
        log[4]["pixels"] + log[4]["pose"] + log[4]["appearance"], abs=1e-5
    )
    load_model(config.output)


@pytest.mark.parametrize(
    ("settings", "losses"),
    [
        ({"variant": "prior"}, {"prior"}),
        ({"unpaired": False}, {"prior", "paired"}),
        ({"variant": "weakly"}, {"prior", "paired", "unpaired", "joints2d"}),
        ({"variant": "semi"}, {"prior", "paired", "unpaired", "joints3d"}),
        ({"variant": "full"}, {"labels"}),
    ],
)
def test_variants_train_by_their_supervision(config, videos, settings, losses):
    labels = settings.get("variant") in ("weakly", "semi", "full") and (videos / "labels",)
    train(replace(config, labels=labels or (), warm_up=0, **settings))
    assert {line["loss"] for line in read_log(config.output)} == losses


def test_a_teacher_speaks_once_and_a_run_goes_on(config, tmp_path, monkeypatch):
    """E_P alone learns, and not its branches; what the teacher said stays with the run."""
    start = replace(config, variant="prior", clips=(), output=tmp_path / "start")
    train(start)
    stream = StreamConfig(poses=64, folder=tmp_path / "poses", workers=1)
    settings = replace(config, variant="teacher", warm_up=0, start=start.output, iterations=6)
    settings = replace(
        settings, stream=stream, smallest_gap=60.0, image_every=2, smallest_spread=0.0
    )
    train(replace(settings, output=tmp_path / "whole"))
    train(replace(settings, iterations=3))
    monkeypatch.setattr("kinepose.training.train.teach", None)
    train(settings)
    assert [line["loss"] for line in read_log(config.output)] == ["prior", "teacher"] * 3
    assert same(weights(tmp_path / "whole"), weights(config.output))
    moved = {
        name.partition(".")[0] if ".lifter." not in name else "branches"
        for name, tensor in weights(start.output).items()
        if not torch.equal(tensor, weights(config.output)[name])
    }
    assert moved == {"pose_encoder"}


def test_e_a_and_d_i_learn_from_renders_alone_and_a_run_goes_on(config, tmp_path):
    stream = StreamConfig(renders=64, size=48, folder=tmp_path / "renders", workers=1, loaders=0)
    model = replace(TINY_MODEL, extended_camera=True)
    settings = replace(config, variant="painting", clips=(), warm_up=0, stream=stream, model=model)
    train(replace(settings, iterations=0, output=tmp_path / "first"))
    train(replace(settings, output=tmp_path / "whole"))
    for iterations in (3, 8):
        train(replace(settings, iterations=iterations))
    assert same(weights(tmp_path / "whole"), weights(config.output))
    moved = {
        name.split(".")[0]
        for name, tensor in weights(tmp_path / "first").items()
        if not torch.equal(tensor, weights(config.output)[name])
    }
    assert moved == {"appearance_encoder", "decoder"}
    assert paints_people(read_run_config(config.output))


def test_the_branches_learn_alone_and_heatmaps_stay(config, tmp_path):
    start = replace(config, variant="prior", clips=(), iterations=2, output=tmp_path / "start")
    train(start)
    stream = StreamConfig(folder=tmp_path / "stream", poses=64, workers=1)
    settings = replace(config, variant="lifting", clips=(), stream=stream, start=start.output)
    train(replace(settings, warm_up=0))
    assert [line["loss"] for line in read_log(config.output)] == ["lifting"] * 8
    before, after = weights(start.output), weights(config.output)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and moved <= {n for n in before if n.startswith("pose_encoder.lifter.")}


def test_consistency_and_unpaired_videos_wait_until_people_are_painted(config):
    train(replace(config, consistency_from=6))
    for line in read_log(config.output):
        assert line["loss"] != "unpaired" or line["step"] > 6
        if line["loss"] == "paired":
            assert ("pose" in line) == (line["step"] > 6)


def test_a_decoder_can_learn_first_from_an_encoder_that_stays(config, tmp_path):
    def part(folder: Path, name: str) -> dict[str, torch.Tensor]:
        return {key: value for key, value in weights(folder).items() if key.startswith(name)}

    base = shutil.copytree(config.output, tmp_path / "base")
    train(replace(config, output=base, warm_up=4, iterations=4))
    settings = replace(config, start=base, warm_up=0, decoder_first=6)
    train(replace(settings, iterations=6))
    assert {line["loss"] for line in read_log(config.output)} == {"paired"}
    assert same(part(base, "pose_encoder"), part(config.output, "pose_encoder"))
    for name in ("decoder", "appearance_encoder"):
        assert not same(part(base, name), part(config.output, name))
    train(replace(settings, iterations=12))
    assert {line["loss"] for line in read_log(config.output)[6:]} > {"paired"}
    assert not same(part(base, "pose_encoder"), part(config.output, "pose_encoder"))


def test_rates_by_hand(config):
    """They rise over the first steps, fall over the last of the run, and L_UNP has a tenth."""
    config = replace(config, learning_rate=0.8, unpaired_rate=0.1, rise=4, cooldown=0.2)
    rates = {
        ("prior", 0.0, 0): 0.2,
        ("prior", 0.0, 3): 0.8,
        ("lifting", 0.8, 9): 0.8,
        ("lifting", 0.95, 9): 0.2,
        ("unpaired", 0.9, 1): 0.02,
        ("paired", 1.0, 9): 0.0,
    }
    by_name = {loss.name: loss for loss in LOSSES}
    for (loss, progress, step), rate in rates.items():
        found = learning_rate(config, by_name[loss], progress, step)
        assert found == pytest.approx(rate, abs=1e-9), (loss, progress, step)


@pytest.mark.parametrize("ablation", [{"kinematics": "network"}, {"maps": "network"}])
def test_ablations_train(config, ablation):
    train(replace(config, model=replace(TINY_MODEL, **ablation)))
    assert len(read_log(config.output)) == 8


def test_the_paper_preset_trains_by_all_three_losses(clips, tmp_path):
    """At full size, from noise in place of the weights of the Hub."""
    paper = PRESETS["paper"]
    train(
        replace(
            paper,
            output=tmp_path / "run",
            clips=(clips,),
            iterations=3,
            warm_up=0,
            consistency_from=0,
            batch_size=2,
            prior_images=2,
            model=replace(paper.model, pretrained=None),
        )
    )
    log = read_log(tmp_path / "run")
    assert [line["loss"] for line in log] == ["prior", "paired", "unpaired"]
    assert load_model(tmp_path / "run").config.image_size == 224


def test_images_hold_what_the_report_draws(config):
    train(replace(config, image_every=4, warm_up=8))
    (newest,) = (config.output / "images").iterdir()
    assert newest.name == "step_00000008.npz"
    step, arrays = read_last_images(config.output)
    images = vars(arrays)
    assert step == 8
    count = len(images["target"])
    for name in ("source", "target", "background", "reconstruction"):
        assert images[name].shape == (count, 32, 32, 3)
        assert images[name].dtype == np.uint8
    assert images["maps"].shape == (count, 33, 8, 8)
    assert images["transfers"].shape[:3] == (
        len(images["pose_images"]),
        len(images["appearance_images"]),
        len(images["background_images"]),
    )


def test_a_batch_of_one_trains(config, tmp_path):
    """Of images in which more than one cell is left where batch norm takes their mean."""
    model = replace(TINY_MODEL, image_size=64, map_size=16)
    config = replace(config, output=tmp_path / "large", batch_size=1, model=model)
    train(config)
    assert len(read_log(config.output)) == 8


@pytest.mark.parametrize(
    "sizes",
    [
        {"heatmaps": 16, "backbone_widths": (8, 16, 16, 32), "branch_width": 128},
        {
            "heatmaps": 0,
            **{"backbone_widths": (16, 32), "backbone_depths": (1, 1)},
            **{"branch_width": 256, "branch_cells": 4},
        },
    ],
)
def test_renders_can_be_learnt_by_heart(config, sizes):
    """Within 20 mm of what the skeleton's fixed proportions allow; by seed 0 one of the four comes
    out back to front."""
    by_heart = replace(config, overfit=4, seed=1, model=replace(TINY_MODEL, **sizes))
    train(replace(by_heart, iterations=450, learning_rate=2e-3, warm_up=0))
    scores = score_overfit(config.output)
    assert scores["p_mpjpe"] < scores["floor"] + 20
