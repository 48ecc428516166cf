"""Poses between sampled frames: straight ones are exact, bones keep their lengths."""

import numpy as np
import pytest

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.inference.sampled_frames import of_all_rows, sampled_rows
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


@pytest.mark.parametrize("rate", [1000.0, 30.0, 12.0, 0.5])
def test_who_moves_evenly_is_where_he_was(rate: float) -> None:
    whole, chosen = poses_of(ROWS), sampled_rows(ROWS, rate)
    some = poses_of(ROWS.some(chosen))
    filled = of_all_rows(some, chosen, ROWS)
    for name in ("frame", "track", "time", "box", "joints2d", "joints3d", "confidence", "root"):
        np.testing.assert_allclose(getattr(filled, name), getattr(whole, name), atol=1e-4)
    np.testing.assert_allclose(filled.energy, whole.energy, atol=1e-5)


def test_rows_are_as_many_a_second_as_asked_for_and_hold_the_ends() -> None:
    assert sampled_rows(ROWS, 60.0).tolist() == list(range(20))
    chosen = ROWS.some(sampled_rows(ROWS, 20.0))
    assert chosen.frame[chosen.track == 0].tolist() == [0, 3, 6, 9, 11]
    assert chosen.frame[chosen.track == 1].tolist() == [4, 7, 8, 20, 22]
    assert len(sampled_rows(rows_of([0] * 9, [*range(9)], fps=25.0), 30.0)) == 9
