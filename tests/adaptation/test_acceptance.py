"""acceptance.py and checks.py: whether a model became better on a video."""

import json
import math

import numpy as np
import pytest
import torch
from tests.adaptation.tiny_starts import turned_up

from kinepose.adaptation.acceptance import Criteria, change, criteria_of
from kinepose.adaptation.checks import Check, best_check, overall_change, read_checks, write_checks
from kinepose.adaptation.label_free import hits, silhouettes, steadiness
from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.pairs import load_images, load_masks
from kinepose.inference.placement import joints_in_camera
from kinepose.io.errors import BadInputError


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
