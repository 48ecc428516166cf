"""Settings that cannot be met, and runs that stop because nothing is learnt any more."""

import math
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.conftest import TINY_MODEL

from kinepose.artifacts.model_files import load_model
from kinepose.dataset.clips import SCHEMA
from kinepose.dataset.config import StreamConfig
from kinepose.io.errors import BadInputError, TrainingError
from kinepose.io.settings import SHIPPED
from kinepose.training.train import train


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
        ({"variant": "teacher"}, "--start"),
        ({"variant": "lifting", "start": SHIPPED}, "--warm-up 0"),
        ({"variant": "lifting", "warm_up": 0}, "needs --start"),
        ({"variant": "lifting", "warm_up": 0, "start": SHIPPED}, "--stream.poses"),
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


def test_a_teacher_of_another_model_or_without_frames_leaves_nothing(config, tmp_path):
    start = replace(config, variant="prior", clips=(), iterations=2, output=tmp_path / "start")
    train(start)
    taught = replace(config, variant="teacher", start=start.output)
    with pytest.raises(BadInputError, match="another model"):
        train(replace(taught, model=replace(TINY_MODEL, branch_width=16)))
    empty = tmp_path / "empty"
    empty.mkdir()
    pq.write_table(SCHEMA.empty_table(), empty / "a.parquet")
    with pytest.raises(BadInputError, match="no frame"):
        train(replace(taught, clips=(empty,)))
    assert [path.name for path in config.output.iterdir()] == ["prior.npz"]
