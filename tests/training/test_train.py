import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
import tyro
from safetensors.torch import load_file
from tests.conftest import TINY_MODEL

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import paints_people, read_last_images, read_log, read_run_config
from kinepose.dataset.config import StreamConfig
from kinepose.evaluation.evaluate import score_overfit
from kinepose.io.errors import BadInputError, TrainingError
from kinepose.training.config import PRESETS, TrainConfig
from kinepose.training.losses import LOSSES
from kinepose.training.schedule import learning_rate
from kinepose.training.train import train


@pytest.fixture
def config(tmp_path, clips, prior) -> TrainConfig:
    output = tmp_path / "run"
    output.mkdir()
    shutil.copy(prior, output / "prior.npz")
    return replace(
        PRESETS["cpu"],
        output=output,
        clips=(clips,),
        iterations=8,
        warm_up=2,
        consistency_from=2,
        batch_size=3,
        prior_images=4,
        threads=1,
        model=TINY_MODEL,
    )


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_full_labels_follow_the_warm_up(config, videos):
    train(replace(config, variant="full", labels=(videos / "labels",)))
    log = read_log(config.output)
    assert [line["loss"] for line in log] == ["prior"] * 2 + ["labels"] * 6


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


def test_compiled_networks_train_as_others_do(config, tmp_path):
    """In a process of its own: here functions check shapes, which torch cannot compile."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("no C++ compiler")
    model = replace(TINY_MODEL, heatmaps=0, backbone_widths=(8,), backbone_depths=(1,))
    settings = replace(config, clips=(), variant="prior", iterations=4, model=model)
    here = shutil.copytree(config.output, tmp_path / "here")
    train(replace(settings, output=here))
    made = tmp_path / "made"
    done = subprocess.run(
        [sys.executable, "-c", COMPILED],
        input=repr(replace(settings, compile=True)),
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": str(made)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "No working C++ compiler" in done.stdout.splitlines()[0]
    assert list(made.rglob("*.so")), "nothing was compiled"
    expected, found = read_log(here), read_log(config.output)
    assert [line["loss"] for line in found] == [line["loss"] for line in expected]
    for one, other in zip(expected, found, strict=True):
        assert other["total"] == pytest.approx(one["total"], rel=1e-3)
    assert found[-1]["total"] < 0.95 * found[0]["total"], "too little learnt to show anything"
    assert weights(here).keys() == weights(config.output).keys()
    files = [sorted(path.name for path in folder.rglob("*")) for folder in (here, config.output)]
    assert files[0] == files[1]
    train(replace(settings, iterations=5))  # a run goes on without


COMPILED = """
import sys
from pathlib import PosixPath
from torch._inductor import config
from kinepose.dataset.config import *
from kinepose.method.config import *
from kinepose.synthetic.config import *
from kinepose.training.config import *
from kinepose.io.errors import BadInputError
from kinepose.training.train import train
from kinepose.dataset import backgrounds
backgrounds.IMAGES = 24
settings, compiler = eval(sys.stdin.read()), config.cpp.cxx
config.cpp.cxx = ("nothing",)
try:
    train(settings)
except BadInputError as error:
    print(error)
assert [path.name for path in settings.output.iterdir()] == ["prior.npz"]
config.cpp.cxx = compiler
train(settings)
"""


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


def test_minutes_end_a_run_cleanly(config):
    train(replace(config, iterations=10**6, minutes=0.02))
    steps = len(read_log(config.output))
    assert 0 < steps < 10**6
    load_model(config.output)


def test_images_hold_what_the_report_draws(config):
    train(replace(config, image_every=4, warm_up=8))
    assert len(list((config.output / "images").glob("*.npz"))) == 2
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


def test_a_loss_that_is_not_finite_stops_the_run_in_one_line(config):
    with pytest.raises(TrainingError, match="not finite") as caught:
        train(replace(config, learning_rate=100.0, gradient_clip=0.0, iterations=50))
    assert "\n" not in str(caught.value)
    load_model(config.output)


def test_poses_that_become_one_stop_the_run(config):
    with pytest.raises(TrainingError, match="become one"):
        train(replace(config, learning_rate=0.0, image_every=4))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"clips": ()}, "needs --clips"),
        ({"clips": (Path("nowhere"),)}, "nowhere"),
        ({"variant": "full"}, "--labels"),
        ({"variant": "full", "labels": (Path("nowhere"),)}, "nowhere"),
        ({"crop_jitter": 0.1, "model": replace(TINY_MODEL, extended_camera=False)}, "extended"),
        ({"batch_size": 0}, "--batch-size"),
        ({"image_every": 0}, "--image-every"),
        ({"threads": -1}, "--threads"),
        ({"smallest_gap": 60.0}, "--smallest-gap"),
        ({"seed": -1}, "--seed"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"average": 1.5}, "--average"),
        ({"rise": -1}, "--rise"),
        (
            {
                "stream": StreamConfig(renders=1),
                "crop_jitter": 0.0,
                "model": replace(TINY_MODEL, extended_camera=False),
            },
            "--stream.renders needs --model.extended-camera",
        ),
        ({"prior_images": 5}, "holds 4 renders"),
        ({"backgrounds": Path("nowhere")}, "nowhere"),
    ],
)
def test_settings_that_cannot_be_met_are_one_line(config, settings, says):
    with pytest.raises(BadInputError, match=says) as caught:
        train(replace(config, **settings))
    assert "\n" not in str(caught.value)
    assert [path.name for path in config.output.iterdir()] == ["prior.npz"]  # of the fixture


def test_a_batch_of_one_trains(config, tmp_path):
    """Of images in which more than one cell is left where batch norm takes their mean."""
    model = replace(TINY_MODEL, image_size=64, map_size=16)
    config = replace(config, output=tmp_path / "large", batch_size=1, model=model)
    train(config)
    assert len(read_log(config.output)) == 8


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
    """Within 20 mm of what the skeleton's fixed proportions allow."""
    model = replace(TINY_MODEL, **sizes)
    train(replace(config, overfit=4, iterations=900, learning_rate=2e-3, warm_up=0, model=model))
    scores = score_overfit(config.output)
    assert scores["p_mpjpe"] < scores["floor"] + 20
