"""A run as files: which model it is, its log, its images, what others may read of it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.run_folder import (
    count_parameters,
    model_sha256,
    paints_people,
    read_last_images,
    read_log,
    read_run_config,
    run_folder,
    without_places,
)
from kinepose.io.errors import BadInputError
from kinepose.io.settings import SHIPPED


@pytest.fixture
def run(tiny_model, tmp_path) -> Path:
    save_model(tiny_model, tmp_path / "run", turns={"prior": 3})
    return tmp_path / "run"


def test_what_a_run_says_of_its_model(run, tiny_model):
    assert read_run_config(run).model == tiny_model.config
    assert count_parameters(run) == sum(t.numel() for t in tiny_model.state_dict().values())
    data = (run / "model.safetensors").read_bytes()
    assert model_sha256(run) == hashlib.sha256(data).hexdigest()
    with pytest.raises(BadInputError, match="is not a run: it has no model"):
        model_sha256(run.parent)


def test_a_model_without_weights_is_one_line(run):
    save_file({}, run / "model.safetensors")
    with pytest.raises(BadInputError, match=r"model.safetensors holds no weights"):
        count_parameters(run)


def test_the_packages_model_is_a_run():
    assert (run_folder(SHIPPED) / "model.safetensors").is_file()
    assert run_folder(Path("mine")) == Path("mine")
    assert read_run_config(SHIPPED).train is not None


@pytest.mark.parametrize(("turns", "paints"), [({"prior": 3}, False), ({"paired": 1}, True)])
def test_who_paints_people_had_turns_of_a_loss_that_trains_it(tiny_model, tmp_path, turns, paints):
    save_model(tiny_model, tmp_path, turns=turns)
    assert paints_people(read_run_config(tmp_path)) == paints


def test_a_line_of_the_log_that_was_cut_short_is_passed_over(run):
    lines = [
        {"step": step, "loss": "prior", "total": 0.5, "seconds": 1.0, "joints": step / 8}
        for step in range(3)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    assert read_log(run) == []
    (run / "log.jsonl").write_text(text + '{"step": 3, "lo')
    assert read_log(run) == lines
    (run / "log.jsonl").write_text('{"step": -1}\nword\n[]\n' + text)
    assert read_log(run) == lines


def test_the_last_images_are_those_of_the_highest_step(run):
    size, maps = np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 33, 4, 4), np.uint8)
    arrays = dict.fromkeys(("source", "target", "background", "reconstruction"), size)
    arrays |= dict.fromkeys(("pose_images", "appearance_images", "background_images"), size)
    arrays |= {"maps": maps, "joints2d": np.zeros((2, 17, 2), np.float32)}
    arrays["transfers"] = np.zeros((2, 2, 2, 8, 8, 3), np.uint8)
    assert read_last_images(run) is None
    (run / "images").mkdir()
    for step in (5, 12):
        np.savez(run / "images" / f"step_{step:08d}.npz", **arrays | {"source": size + step})
    step, held = read_last_images(run)
    assert step == 12 and (held.source == 12).all()


def test_of_paths_the_last_two_parts_are_told():
    said = {"clips": ["/home/me/data/walk", "s3://bucket/a/b"], "seed": 3, "start": "run"}
    told = {"clips": ["data/walk", "a/b"], "seed": 3, "start": "run"}
    assert without_places(said) == told
