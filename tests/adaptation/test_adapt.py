"""adapt.py and acceptance.py on the two tiny videos, with tiny models."""

import copy
import hashlib
import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from kinepose.adaptation.acceptance import Criteria, change, criteria_of
from kinepose.adaptation.adapt import _settings, _watcher, adapt
from kinepose.adaptation.checks import Check, best_check, overall_change, read_checks, write_checks
from kinepose.adaptation.config import AdaptConfig
from kinepose.adaptation.held_back import is_held_back, running_time, split_clips
from kinepose.adaptation.label_free import hits, silhouettes, steadiness
from kinepose.artifacts.model_files import load_model, save_model
from kinepose.artifacts.run_folder import read_log, read_run_config
from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.pairs import load_images, load_masks
from kinepose.inference.placement import joints_in_camera
from kinepose.io.errors import BadInputError
from kinepose.training.checkpoint import Run, trained_with
from kinepose.video.config import PeopleConfig

PAINTS = {
    "train": {"output": "run", "iterations": 10, "pose_consistency": 0.2},
    "turns": {"prior": 4, "paired": 6},
}


@pytest.fixture
def lively(tiny_model):
    """A new model's branches start almost constant; this one's do not."""
    return turned_up(tiny_model, 1000.0)


@pytest.fixture
def start(lively, tmp_path):
    save_model(lively, tmp_path / "start", **PAINTS)
    return tmp_path / "start"


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
    assert {line["loss"] for line in read_log(config.output / "training")} == {
        *("prior", "paired", "unpaired")
    }
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


@torch.no_grad()
def turned_up(model, factor):
    """The model, once what its encoder says depends so much more on the image; 0: constant."""
    lifter = model.pose_encoder.lifter
    for layer in (lifter.parameters_branch, lifter.camera_branch):
        layer.weight *= factor
    return model


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


def test_videos_without_backgrounds_train_a_model_that_paints(config, tmp_path):
    moving = [video for video in config.videos if "1" in video.stem]
    adapt(replace(config, videos=tuple(moving), output=tmp_path / "moving"))
    log = read_log(tmp_path / "moving" / "training")
    assert [line["loss"] for line in log] == ["prior", "unpaired"] * 3


def test_training_and_what_is_held_back_are_the_whole_and_share_nothing(clips, tmp_path):
    split_clips(clips, tmp_path / "a", tmp_path / "b", 0.4)

    def rows(folder):
        tables = [pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]
        return [
            (r["video"], r["clip"], r["track"], r["frame"]) for t in tables for r in t.to_pylist()
        ]

    training, held_back = rows(tmp_path / "a"), rows(tmp_path / "b")
    assert sorted([*training, *held_back]) == sorted(rows(clips))
    assert 0.3 < len(held_back) / len(rows(clips)) < 0.5
    assert {row[0] for row in held_back} == {row[0] for row in training}
    read_clips([tmp_path / "a"])


@given(st.floats(0.5, 500), st.floats(0.02, 0.5))
def test_blocks_are_a_share_of_a_long_video_and_consecutive(length, share):
    clock = np.arange(0, length, 0.04)
    held = is_held_back(clock, share)
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], held, [0]]))))[::2] * 0.04
    assert (runs < 1.1).all()
    if length > 10 / share:
        assert held.mean() == pytest.approx(share, rel=0.25)
        assert (runs > 0.9).mean() > 0.8
    elif length > 2:
        assert 0 < held.mean() < 0.6


def test_running_time_by_hand():
    clip = np.array([0, 0, 0, 0, 1, 1])
    track = np.array([0, 0, 1, 1, 1, 1])
    time = np.array([1.0, 1.5, 1.0, 1.25, 7.0, 9.0])
    assert running_time(clip, track, time).tolist() == [0, 0.5, 0.5, 0.75, 0.75, 2.75]


def test_criteria_are_those_of_a_slow_loop(clips, lively):
    held = read_clips([clips])
    changed = criteria_of(lively, held)
    table = held.table.to_pylist()
    assert len(changed) == 2
    for video, criteria in changed.items():
        rows = [i for i, row in enumerate(table) if row["video"] == video]
        seen, flat = [], []
        for row in rows:
            image = load_images(held, np.array([row]), 32)
            with torch.no_grad():
                poses = lively.predict(image)
            seen.append(joints_in_camera(poses, 1700.0)[0].numpy())
            flat.append(poses.joints2d[0].numpy())
        person = np.zeros(len(rows), int)
        time = np.array([table[row]["time"] for row in rows])
        jitter = steadiness(np.stack(seen), person, time).ratio
        assert criteria.jitter == pytest.approx(jitter, rel=1e-3)
        if table[rows[0]]["paired"]:
            shown = [load_images(held, np.array([r]), 32) for r in rows]
            behind = [load_images(held, np.array([r]), 32, "background") for r in rows]
            on_person = [silhouettes(*each)[0] for each in zip(shown, behind, strict=True)]
            known = [load_masks(held, np.array([r]), 32)[0, 0].numpy() >= 0.99 for r in rows]
            fit = hits(np.stack(flat), np.stack(on_person), np.stack(known), person, time).fit
            assert criteria.fit == pytest.approx(fit, abs=1e-3)
        else:
            assert math.isnan(criteria.fit)


def test_a_constant_model_is_as_bad_as_can_be(clips, lively):
    held = read_clips([clips])
    before = criteria_of(lively, held)
    for video, criteria in criteria_of(turned_up(lively, 0.0), held).items():
        assert criteria.jitter == math.inf
        assert change(criteria, before[video]) == math.inf


def test_change_by_hand():
    before = Criteria(jitter=1.0, fit=0.5)
    assert change(before, before) == 1
    assert change(Criteria(0.5, 0.5), before) == pytest.approx(0.5**0.5)
    assert change(Criteria(1.0, 0.0), before) == pytest.approx(2**0.5)
    assert change(Criteria(math.inf, 0.9), before) == math.inf
    assert change(Criteria(0.01, 0.5), before) == pytest.approx(0.25**0.5)
    assert change(before, Criteria(math.inf, 0.5)) == pytest.approx(0.25**0.5)
    assert change(Criteria(math.inf, 0.9), Criteria(math.inf, 0.5)) < 1
    nothing = Criteria(math.nan, math.nan)
    assert change(nothing, nothing) == 1
    assert change(Criteria(0.5, math.nan), Criteria(1.0, math.nan)) == 0.5


def test_the_best_check_is_better_on_the_whole_and_makes_no_video_worse():
    def check(step, a, b):
        return Check(step, {"a": Criteria(a, 1.0), "b": Criteria(b, 1.0)})

    before = check(0, 1.0, 1.0)
    slightly, unfair = check(1, 0.85, 0.85), check(2, 0.1, 1.3)
    better, best, gone = check(3, 0.5, 1.0), check(4, 0.3, 1.1), check(5, math.inf, 0.1)
    assert best_check([before, slightly]) is before
    assert best_check([before, unfair, gone]) is before
    assert best_check([before, better, slightly]) is better
    assert best_check([before, better, best, unfair, gone]) is best
    assert overall_change(best, before) == pytest.approx((0.3 * 1.1) ** (1 / 4))


def test_what_was_seen_is_written_as_json_and_read_again(tmp_path):
    def strict(number):
        raise ValueError(f"{number} is not JSON")

    before = Check(0, {"a.mp4": Criteria(0.5, math.nan)})
    checks = [
        Check(30, {"a.mp4": Criteria(math.inf, math.nan)}),
        Check(60, {"a.mp4": Criteria(math.nan, 1.0)}),
    ]
    write_checks(tmp_path, checks)
    lines = (tmp_path / "checks.jsonl").read_text().splitlines()
    held = [json.loads(line, parse_constant=strict) for line in lines]
    assert held[0]["videos"]["a.mp4"] == {"jitter": "constant", "fit": None}
    assert repr(read_checks(tmp_path, before)) == repr(checks)
    for broken in (
        *(lines[1][:40], "NaN", "{}", "[]", '{"step": 90, "videos": {"b.mp4": {}}}'),
        '{"step": 90, "videos": {"a.mp4": {"jitter": "x", "fit": 1}}}',
    ):
        (tmp_path / "checks.jsonl").write_text(f"{lines[0]}\n{broken}\n")
        with pytest.raises(BadInputError, match=r"checks\.jsonl"):
            read_checks(tmp_path, before)


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
    save_model(tiny_model, tmp_path / "renders", train={"output": "run", "variant": "prior"})
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
