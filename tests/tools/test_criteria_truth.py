"""Criteria against the truth: a hand-worked table, and the numbers of a tiny model."""

import numpy as np
import pytest
import torch
from tools.criteria_truth import STATURE, against_labels, as_table, measure

from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.labels import read_clip_labels
from kinepose.dataset.pairs import load_images
from kinepose.evaluation.metrics import p_mpjpe


def test_the_table_by_hand():
    """`good` orders three runs as their errors do; `bad` the other way, where it says anything."""
    errors = {"a": (100.0, 50.0), "b": (101.0, 60.0), "c": (150.0, 70.0)}
    good = {"a": (1.0, 4.0), "b": (2.0, 5.0), "c": (3.0, 6.0)}
    bad = {"a": (3.0, np.nan), "b": (2.0, np.nan), "c": (1.0, np.nan)}
    table = {
        run: {
            video: {"good": good[run][i], "bad": bad[run][i], "error": errors[run][i]}
            for i, video in enumerate(("x", "y"))
        }
        for run in errors
    }
    head, _, _, first, second = as_table(table).splitlines()
    assert head == "3 runs, 2 videos; error 50 to 150 mm"
    # a and b are equally good on x: five pairs count, of which `bad` knows two
    assert first == "| good | +1.00 (+1.00 to +1.00) | - | 100% of 5 |"
    assert second == "| bad | -1.00 (-1.00 to -1.00) | - | 0% of 2 |"


def test_errors_and_criteria_of_a_model(tiny_model, clips, videos):
    held = read_clips([clips])
    folders = [videos / "labels"]
    told = measure(tiny_model, held, against_labels(held, folders))
    labels = read_clip_labels(folders, held, 1.0, 0)
    names = held.table["video"].to_numpy()[labels.rows]
    for video, numbers in told.items():
        of_video = names == video
        with torch.no_grad():
            poses = tiny_model.predict(load_images(held, labels.rows[of_video], 32))
        truth = STATURE * torch.from_numpy(labels.joints3d[of_video])
        expected = p_mpjpe(STATURE * poses.joints3d, truth).mean().item()
        assert numbers["error"] == pytest.approx(expected, rel=1e-4)
        assert 0 < numbers["uncertainty of peaks"] < 1 and numbers["turned 2D"] > 0
