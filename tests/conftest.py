"""One tiny model, and one tiny synthetic video on its way through the whole house."""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import contextlib
import functools
from dataclasses import replace
from pathlib import Path

import jaxtyping
import pytest
import torch

from kinepose import cli
from kinepose.artifacts.model_files import new_model
from kinepose.benchmarks.config import SynthworldConfig
from kinepose.dataset.config import PrepareConfig
from kinepose.method.config import CPU_MODEL, ModelConfig
from kinepose.method.model import Model
from kinepose.synthetic.config import SynthesizeConfig
from kinepose.video.config import PeopleConfig

TINY_MODEL = replace(
    CPU_MODEL,
    image_size=32,
    map_size=8,
    backbone="resnet",
    pretrained=None,
    frozen_stages=0,
    backbone_stem=8,
    backbone_widths=(8, 8, 8, 16),
    backbone_depths=(1, 1, 1, 1),
    backbone_block="basic",
    heatmaps=8,
    branch_width=32,
    appearance_widths=(8,) * 10,
    pose_feature_width=8,
    decoder_widths=(16, 8, 8),
)


@contextlib.contextmanager
def no_shape_checks():
    """Those of tests would fix the size of a batch as a network is exported."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture(autouse=True)
def few_backgrounds(monkeypatch):
    """Trainings of seconds need no hundreds of places."""
    monkeypatch.setattr("kinepose.dataset.backgrounds.IMAGES", 24)


@pytest.fixture
def tiny_config() -> ModelConfig:
    return TINY_MODEL


@pytest.fixture
def tiny_model() -> Model:
    """Untrained, but for a decoder that paints something: a new one paints the background alone."""
    torch.manual_seed(0)
    model = new_model(TINY_MODEL).eval()
    torch.nn.init.normal_(model.decoder.fusion[-1].weight, std=0.1)
    return model


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Two videos of synthetic people, one with a still and one with a moving camera."""
    from kinepose.synthetic.synthesize import synthesize

    folder = tmp_path_factory.mktemp("videos")
    synthesize(
        SynthesizeConfig(
            output=folder, videos=2, seconds=2.0, size=96, fps=10, camera="mixed", seed=3, workers=1
        )
    )
    return folder


@pytest.fixture(scope="session")
def clips(videos, tmp_path_factory):
    """The clips of those videos."""
    from kinepose.dataset.prepare import prepare

    folder = tmp_path_factory.mktemp("clips")
    prepare(
        PrepareConfig(
            videos=tuple(sorted((videos / "films").glob("*.mp4"))),
            output=folder,
            people=PeopleConfig(detector="file", boxes=videos / "boxes.csv"),
            shortest_clip=1.0,
            crop_size=64,
            largest_invalid=1.0,
            workers=1,
        )
    )
    return folder


@pytest.fixture(scope="session")
def prior(tmp_path_factory):
    """A file of four labelled renders for TINY_MODEL, as a run of one thread makes them."""
    from kinepose.dataset.render_stream import render_prior_set
    from kinepose.dataset.renders import save_prior
    from kinepose.io.threads import networks_in_one_thread

    path = tmp_path_factory.mktemp("prior") / "prior.npz"
    with networks_in_one_thread():
        save_prior(render_prior_set(4, seed=0, size=64), path)
    return path


@pytest.fixture(scope="session")
def synthworlds(tmp_path_factory):
    """The smallest benchmark there is, in any version, made as everyone makes theirs."""
    from kinepose.benchmarks.synthworld import make_synthworld

    @functools.cache
    def made(version: int) -> Path:
        folder = tmp_path_factory.mktemp("benchmark") / "tiny"
        make_synthworld(SynthworldConfig(folder, version, "tiny", workers=1))
        return folder

    return made


@pytest.fixture(scope="session")
def synthworld(synthworlds):
    """That of today."""
    return synthworlds(2)


def run_here(monkeypatch, capsys, *words):
    """A command in this process: its exit status and the lines of its stderr."""
    monkeypatch.setattr(sys, "argv", ["kinepose", *map(str, words)])
    try:
        cli.main()
    except SystemExit as stop:
        status = stop.code
    else:
        status = 0
    return status, capsys.readouterr().err.splitlines()
