"""A tiny model to start from, and settings to adapt it to the two tiny videos."""

from dataclasses import replace

import pytest
import torch
from tests.adaptation.tiny_starts import PAINTS, turned_up
from tests.conftest import TINY_MODEL

from kinepose.adaptation.config import AdaptConfig
from kinepose.artifacts.model_files import new_model, save_model
from kinepose.video.config import PeopleConfig


@pytest.fixture
def lively(tiny_model):
    """A new model's branches start almost constant; this one's do not."""
    return turned_up(tiny_model, 1000.0)


@pytest.fixture
def start(lively, tmp_path):
    save_model(lively, tmp_path / "start", **PAINTS)
    return tmp_path / "start"


@pytest.fixture
def painter(tmp_path):
    """A run without heatmaps, which learns by L_P and L_UNP."""
    torch.manual_seed(0)
    model = new_model(replace(TINY_MODEL, heatmaps=0))
    for branch in (model.pose_encoder.parameters_branch, model.pose_encoder.camera_branch):
        torch.nn.init.normal_(branch[-1].weight, std=0.2)  # new ones start almost constant
    save_model(model, tmp_path / "painter", **PAINTS)
    return tmp_path / "painter"


@pytest.fixture
def config(videos, start, tmp_path):
    return AdaptConfig(
        videos=tuple(sorted((videos / "films").glob("*.mp4"))),
        output=tmp_path / "run",
        start=start,
        people=PeopleConfig(detector="file", boxes=videos / "boxes.csv"),
        shortest_clip=1.0,
        largest_invalid=1.0,
        held_back=0.4,
        iterations=6,
        check_every=2,
        patience=4,
        batch_size=2,
        renders=0,
        workers=1,
        device="cpu",
        threads=1,
    )
