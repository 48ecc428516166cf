"""Poses between sampled frames: straight ones are exact, bones keep their lengths."""

from dataclasses import replace

import numpy as np
import pytest

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.inference.sampled_frames import of_all_rows, sampled_rows
from kinepose.inference.temporal_filter import stretches
from kinepose.video.cropping import Rows


def rows_of(track: list[int], frame: list[int], fps: float = 60.0) -> Rows:
    count = len(frame)
    order = np.lexsort([track, frame])
    numbers = np.array(frame)[order]
    return Rows(
        frame=numbers,
        track=np.array(track)[order],
        time=numbers / fps,
        box=np.column_stack([numbers, numbers, numbers + 10, numbers + 20]).astype(float),
        crop=np.zeros((count, 3)),
        frame_size=np.full((count, 2), 100.0),
    )


ROWS = rows_of([0] * 12 + [1] * 5 + [1] * 3, [*range(12), *range(4, 9), *range(20, 23)])


def poses_of(rows: Rows) -> VideoPoses:
    """Everybody walks along a line, and turns nothing."""
    count = len(rows.frame)
    along = rows.frame[:, None, None].astype(np.float32)
    shape = np.random.default_rng(0).normal(size=(1, 17, 3)).astype(np.float32)
    return VideoPoses(
        video=np.array("v.mp4"),
        frame=rows.frame,
        time=rows.time,
        image=np.full(count, ""),
        track=rows.track,
        box=rows.box.astype(np.float32),
        joints2d=np.broadcast_to(along, (count, 17, 2)) + shape[..., :2],
        joints3d=np.broadcast_to(shape, (count, 17, 3)).copy(),
        confidence=np.broadcast_to(along[..., 0] / 100, (count, 17)).copy(),
        root=np.broadcast_to(along[..., 0], (count, 3)).copy(),
        focal=np.full(count, 100, np.float32),
        energy=along[:, 0, 0] / 10,
        fps=np.array(60, np.float32),
        model_sha256=np.array(""),
    )


FRAMES = np.arange(23)


@pytest.mark.parametrize("every", [1, 2, 4, 50])
def test_who_moves_evenly_is_where_he_was_or_at_the_nearest_place(every: int) -> None:
    whole, chosen = poses_of(ROWS), sampled_rows(ROWS, FRAMES, FRAMES / 60, 60 / every)
    some = poses_of(ROWS.some(chosen))
    filled = of_all_rows(some, chosen, ROWS)
    for name in ("frame", "track", "time", "box"):
        np.testing.assert_array_equal(getattr(filled, name), getattr(whole, name))
    nearest = np.empty_like(ROWS.frame)
    for run in stretches(ROWS.track, ROWS.frame):
        seen = [frame for frame in ROWS.frame[run] if frame % every == 0] or [ROWS.frame[run[0]]]
        nearest[run] = ROWS.frame[run].clip(seen[0], seen[-1])
    expected = poses_of(replace(ROWS, frame=nearest))
    for name in ("joints2d", "joints3d", "confidence", "root", "energy"):
        np.testing.assert_allclose(getattr(filled, name), getattr(expected, name), atol=1e-4)


def test_rows_of_every_third_frame_and_of_who_is_in_none() -> None:
    assert sampled_rows(ROWS, FRAMES, FRAMES / 60, 0.0).tolist() == list(range(20))
    chosen = ROWS.some(sampled_rows(ROWS, FRAMES, FRAMES / 60, 20.0))
    assert chosen.frame[chosen.track == 0].tolist() == [0, 3, 6, 9]
    assert chosen.frame[chosen.track == 1].tolist() == [6, 21]
    chosen = ROWS.some(sampled_rows(ROWS, FRAMES, FRAMES / 60, 6.0))
    assert chosen.frame[chosen.track == 1].tolist() == [4, 20]
