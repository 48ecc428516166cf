"""Settings of a run of eight steps with a tiny model."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import TINY_MODEL

from kinepose.training.config import PRESETS, TrainConfig


@pytest.fixture
def output(tmp_path, prior) -> Path:
    """Folder of a run that finds its few renders made."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(prior, folder / "prior.npz")
    return folder


@pytest.fixture
def config(output, clips) -> TrainConfig:
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
