"""Runs that lie, by their settings, their logs or their weights, get one line."""

import json
import math
import os
import socket
import struct
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.bad_input.good_inputs import contents

from kinepose.adaptation.checks import read_adaptation
from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.run_folder import read_log, read_run_config
from kinepose.benchmarks.synthworld import read_synthworld
from kinepose.evaluation.score import read_scores
from kinepose.io.errors import BadInputError, TrainingError
from kinepose.io.schema import read_json
from kinepose.paper.reproduce import Record
from kinepose.training.checkpoint import Run, save
from kinepose.training.config import PRESETS
from kinepose.training.losses import LOSSES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=6,
)


@settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.data())
def test_any_json_in_a_config_is_a_run_or_one_line(place, data):
    held = json.loads((place / "run/config.json").read_text())
    part = data.draw(st.sampled_from([held, held["model"], held["train"], held["train"]["stream"]]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
    (place / "odd").mkdir(exist_ok=True)
    (place / "odd/config.json").write_text(json.dumps(held))
    try:
        assert read_run_config(place / "odd").model.sigma > 0
    except BadInputError as error:
        assert str(error).startswith(f"{place}/odd/config.json: ") and "\n" not in str(error)
        assert len(str(error)) < len(str(place)) + 300


def put(path, **changes):
    """Settings of the model with other values."""
    held = json.loads(path.read_text())
    held["model"] |= changes
    path.write_text(json.dumps(held))


def put_train(path, **changes):
    held = json.loads(path.read_text())
    held["train"] |= changes
    path.write_text(json.dumps(held))


LYING_RUNS = {
    "nested deep": (lambda run: (run / "config.json").write_text("[" * 100_000), "not JSON"),
    "UTF-16": (lambda run: (run / "config.json").write_bytes("{}".encode("utf-16")), "not JSON"),
    "NaN in what is kept": (
        lambda run: put_train(run / "config.json", learning_rate=math.nan),
        "a number in it is not finite",
    ),
    "an unknown setting": (lambda run: put(run / "config.json", more=1), "model.more"),
    "null": (
        lambda run: put(run / "config.json", decoder_widths=None),
        "model.decoder_widths null",
    ),
    "an object": (lambda run: put(run / "config.json", branch_width={}), "model.branch_width"),
    "10^400": (lambda run: put(run / "config.json", sigma=10**400), "model.sigma 1000"),
    "NaN": (lambda run: put(run / "config.json", appearance_dropout=math.nan), "finite"),
    "10^9 wide": (lambda run: put(run / "config.json", branch_width=10**9), "at most"),
    "too few widths": (lambda run: put(run / "config.json", appearance_widths=[]), "widths"),
    "maps of 10^12": (lambda run: put(run / "config.json", map_size=10**12), "model.map_size"),
    "heatmaps of odd crops": (
        lambda run: put(run / "config.json", heatmaps=8, image_size=33),
        "config.json: --model.heatmaps needs",
    ),
    "another width": (lambda run: put(run / "config.json", branch_width=33), "does not fit"),
    "a config that is a pipe": (
        lambda run: ((run / "config.json").unlink(), os.mkfifo(run / "config.json")),
        "a pipe",
    ),
    "weights of nan": (lambda run: weights(run, lambda t: t * math.nan), "not finite"),
    "weights turned": (lambda run: weights(run, lambda t: t.T), "does not fit"),
    "weights of int": (lambda run: weights(run, lambda t: t.int()), "does not fit"),
    "weights cut off": (
        lambda run: (run / "model.safetensors").write_bytes(
            (run / "model.safetensors").read_bytes()[:5000]
        ),
        "no file of safetensors",
    ),
    "a head of 2^63": (
        lambda run: (run / "model.safetensors").write_bytes(struct.pack("<Q", 2**63)),
        "no file of safetensors",
    ),
    "a socket": (lambda run: bind(run / "model.safetensors"), "a socket"),
}


def weights(run, change):
    held = load_file(run / "model.safetensors")
    name = next(n for n, t in held.items() if t.ndim == 2 and t.shape[0] != t.shape[1])
    held[name] = change(held[name]).contiguous()
    save_file(held, run / "model.safetensors")


def bind(path):
    path.unlink()
    socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))


@pytest.mark.parametrize("lie", LYING_RUNS)
def test_a_run_that_lies_is_one_line(lie, refused, place):
    change, says = LYING_RUNS[lie]
    change(place / "run")
    (place / "video.mp4").write_bytes(b"no video")
    assert says in refused("predict", "video.mp4", "--output", "out", "--run", "run")


def test_a_backbone_that_cannot_be_built_is_one_line(place):
    held = json.loads((place / "run/config.json").read_text())
    for name, value in (("id2label", 0), ("hidden_act", 1e308), ("model_type", "bert")):
        changed = held | {"backbone": held["backbone"] | {name: value}}
        (place / "run/config.json").write_text(json.dumps(changed))
        with pytest.raises(BadInputError, match=r"run/config\.json is no description"):
            load_model(place / "run")


def test_lines_of_a_log_that_are_none_are_passed_over(place):
    log = place / "run/log.jsonl"
    good = log.read_bytes()
    bad = [b"{", b"[1]", b'{"step": 2}', b"\xff\xfe", b"[" * 100_000]
    bad += [good.replace(b"1.0", word) for word in (b"null", b'"word"', b"NaN", b"[]")]
    log.write_bytes(good + b"\n".join(bad) + b"\n")
    assert [line["step"] for line in read_log(place / "run")] == [1]


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (read_adaptation, '{"finished": true, "settings": {}, "change": "x"}', "change"),
        (read_adaptation, '{"finished": 1, "settings": {}}', "finished 1"),
        (read_synthworld, '{"version": 1, "size": NaN, "content": null}', "size"),
        (read_scores, '{"splits": {}, "model_sha256": "", "benchmark": {}}', "benchmark.version"),
        (lambda path: read_json(path, Record), '{"benchmark": 3}', "benchmark 3"),
        (lambda path: read_json(path, dict[str, float]), '"word"', "word"),
        (lambda path: read_json(path, dict[str, float]), '{"a": Infinity}', "a inf"),
    ],
)
def test_json_of_every_kind_is_checked(place, read, text, says):
    for name in ("adaptation.json", "synthworld.json", "any.json"):
        (place / name).write_text(text)
    path = place if read in (read_adaptation, read_synthworld) else place / "any.json"
    with pytest.raises(BadInputError, match=says) as caught:
        read(path)
    assert "\n" not in str(caught.value) and ".json" in str(caught.value)


@pytest.mark.parametrize("name", ["model", "average", "two.parts", ""])
def test_a_loss_has_a_name_that_its_state_can_be_kept_under(name):
    with pytest.raises(ValueError, match="cannot be called"):
        replace(LOSSES[0], name=name)


def test_weights_that_are_not_finite_are_never_saved(place, tiny_model):
    config = replace(PRESETS["cpu"], output=place / "kept")
    state = Run(config, tiny_model, {})
    save(state)
    before = contents(place)
    with torch.no_grad():
        next(tiny_model.parameters()).mul_(math.inf)
    with pytest.raises(TrainingError, match="is not finite; the last checkpoint is in"):
        save(state)
    assert contents(place) == before


def test_weights_that_are_cut_off_are_not_described(refused, place):
    path = place / "run/model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "model.safetensors" in refused("info", "run")


def test_tensors_that_share_a_place_are_not_described(refused, place):
    path = place / "run/model.safetensors"
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + length])
    head["more"] = next(tensor for name, tensor in head.items() if name != "__metadata__")
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    assert "model.safetensors: one tensor does not begin" in refused("info", "run")
