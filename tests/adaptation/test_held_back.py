"""held_back.py: what is trained on and what is kept to check it."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinepose.adaptation.held_back import is_held_back, running_time, split_clips
from kinepose.dataset.clip_set import read_clips


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
