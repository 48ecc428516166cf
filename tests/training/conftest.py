"""Settings of a run of eight steps with a tiny model."""

import shutil
from dataclasses import replace

import pytest
from tests.conftest import TINY_MODEL

from kinepose.training.config import PRESETS, TrainConfig


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
