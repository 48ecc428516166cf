"""adapt.py on the two tiny videos, with tiny models."""

import copy
import hashlib
import json
import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tests.adaptation.tiny_starts import PAINTS, turned_up
from tests.conftest import TINY_MODEL

from kinepose.adaptation.acceptance import criteria_of
from kinepose.adaptation.adapt import _settings, _watcher, adapt
from kinepose.adaptation.checks import Check, best_check
from kinepose.artifacts.model_files import load_model, new_model, save_model
from kinepose.artifacts.run_folder import read_log, read_run_config
from kinepose.dataset.clip_set import read_clips
from kinepose.io.errors import BadInputError
from kinepose.training.checkpoint import Run, trained_with


def hashes(*folders):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def same(a, b):
    a, b = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return all(torch.equal(a[name], b[name]) for name in a)


def test_adapt_writes_a_run_and_leaves_its_input_alone(config, videos, start, capsys):
    before = hashes(videos, start)
    adapt(config)
    assert hashes(videos, start) == before
    assert trained_with(config.output).pose_consistency == 0.2
    held = json.loads((config.output / "adaptation.json").read_text())
    assert held["finished"] and held["iterations"] == 6
    assert {line["loss"] for line in read_log(config.output / "training")} == {"prior", "teacher"}
    trained, branches = config.output / "training", "pose_encoder.lifter."
    before, after = (load_file(run / "model.safetensors") for run in (start, trained))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and not any(name.startswith(branches) for name in moved)
    assert any(name.startswith(branches) for name in before)
    turns = read_run_config(config.output).turns
    assert sum(turns.values()) == 10 + held["kept"], "those of the start are among them"
    kept = config.output if held["kept"] else start
    assert same(config.output, kept)
    printed = capsys.readouterr().out.splitlines()[-1]
    assert "better" in printed and "all iterations were made" in printed
    finished = hashes(config.output)
    adapt(config)
    assert capsys.readouterr().out.splitlines()[-1] == printed
    with pytest.raises(BadInputError, match="iterations 6, not 8"):
        adapt(replace(config, iterations=8))
    with pytest.raises(BadInputError, match="adaptation with videos "):
        adapt(replace(config, videos=config.videos[:1]))
    assert hashes(config.output) == finished


def test_the_same_seed_gives_the_same_weights_although_one_was_interrupted(
    config, tmp_path, monkeypatch
):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    adapt(replace(config, output=whole))
    calls = []

    def interrupted(*arguments):
        calls.append(None)
        if len(calls) == 3:  # in the second check of training
            raise KeyboardInterrupt
        return criteria_of(*arguments)

    monkeypatch.setattr("kinepose.adaptation.adapt.criteria_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adapt(replace(config, output=stopped))
    assert not json.loads((stopped / "adaptation.json").read_text())["finished"]
    load_model(stopped)
    adapt(replace(config, output=stopped))
    assert len(calls) == 3 + 1 + 2, "the check that was made is not made again"
    assert same(whole, stopped) and same(whole / "training", stopped / "training")
    assert (whole / "checks.jsonl").read_text() == (stopped / "checks.jsonl").read_text()
    states = [json.loads((folder / "adaptation.json").read_text()) for folder in (whole, stopped)]
    assert states[0] == states[1]
    other = tmp_path / "other"
    adapt(replace(config, output=other, seed=1))
    assert not same(whole / "training", other / "training")


def test_what_got_better_is_kept_until_nothing_better_comes(config, clips, lively):
    held_back, settings = read_clips([clips]), _settings(config)
    checks = [Check(0, criteria_of(turned_up(copy.deepcopy(lively), 0.0), held_back))]
    watch = _watcher(replace(config, patience=2), settings, held_back, checks)
    run = Run(settings, lively, {}, step=2, turns=Counter(prior=5, paired=7))
    assert watch(run) and best_check(checks).step == 2
    assert read_run_config(config.output).turns == {"prior": 5, "paired": 7}
    assert same(config.output, config.start)
    again = load_model(config.output)
    turned_up(lively, 0.0)
    for step, continues in [(4, True), (6, False), (6, False)]:
        run.step = step
        assert watch(run) == continues
        assert len(checks) == 1 + step // 2
    kept = load_model(config.output).state_dict()
    assert all(torch.equal(kept[name], value) for name, value in again.state_dict().items())


def test_a_model_without_heatmaps_learns_by_l_p_and_l_unp(config, painter, tmp_path):
    config = replace(config, start=painter)
    adapt(config)
    losses = {line["loss"] for line in read_log(config.output / "training")}
    assert losses == {"prior", "paired", "unpaired"}
    moving = [video for video in config.videos if "1" in video.stem]
    adapt(replace(config, videos=tuple(moving), output=tmp_path / "moving"))
    log = read_log(tmp_path / "moving" / "training")
    assert [line["loss"] for line in log] == ["prior", "unpaired"] * 3, "no backgrounds there"


def test_what_is_judged_and_kept_is_the_average_of_the_weights(config, clips, lively):
    held_back, settings = read_clips([clips]), _settings(config)
    constant = turned_up(copy.deepcopy(lively), 0.0)
    checks = [Check(0, criteria_of(constant, held_back))]
    run = Run(settings, constant, {}, step=2, average=lively)
    assert _watcher(config, settings, held_back, checks)(run) and best_check(checks).step == 2
    assert same(config.output, config.start)


@pytest.mark.parametrize(
    "held", ["{", "[]", '{"finished": false}', '{"finished": 1, "settings": 3}']
)
def test_a_broken_state_is_one_line(config, held):
    config.output.mkdir()
    (config.output / "adaptation.json").write_text(held)
    with pytest.raises(BadInputError, match=r"adaptation\.json"):
        adapt(config)


def test_videos_that_tell_nothing_leave_nothing(config, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 100)
    with pytest.raises(BadInputError, match="not a video"):
        adapt(replace(config, videos=(text,)))
    assert not config.output.exists()
    (config.output / "mine").mkdir(parents=True)
    with pytest.raises(BadInputError, match="not a video"):
        adapt(replace(config, videos=(text,)))
    assert [path.name for path in config.output.rglob("*")] == ["mine"]


def test_an_interrupted_preparation_goes_on_and_takes_no_other_videos(config, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("kinepose.adaptation.adapt.split_clips", interrupted)
        adapt(config)
    cut = hashes(config.output / "clips")
    assert len(cut) == 3
    with pytest.raises(BadInputError, match="adaptation with videos "):
        adapt(replace(config, videos=config.videos[:1]))
    adapt(replace(config, iterations=config.iterations))
    assert hashes(config.output / "clips") == cut


def test_bad_input_is_one_line(config, videos, tiny_model, tmp_path):
    renders = new_model(replace(TINY_MODEL, heatmaps=0))
    save_model(renders, tmp_path / "renders", train={"output": "run", "variant": "prior"})
    save_model(tiny_model, tmp_path / "taken", **PAINTS)
    videos = tmp_path / "prepared"
    (videos / "clips").mkdir(parents=True)
    for changes, says in [
        ({"start": tmp_path}, "not a run"),
        ({"start": tmp_path / "renders"}, "paints no people"),
        ({"output": tmp_path / "taken"}, "another run"),
        ({"output": config.start}, "another run"),
        ({"output": videos}, "holds clips of something else"),
        ({"seed": -1}, "--seed"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"held_back": 0.0}, "--held-back"),
        ({"iterations": 0}, "--iterations"),
        ({"videos": (tmp_path / "none.mp4",)}, "none.mp4"),
        ({"shortest_clip": 60.0}, "shortest-clip"),
    ]:
        with pytest.raises(BadInputError, match=says) as caught:
            adapt(replace(config, **changes))
        assert "\n" not in str(caught.value)
        assert not (config.output / "model.safetensors").exists()
