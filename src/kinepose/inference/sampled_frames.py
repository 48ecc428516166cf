"""Poses of all frames from those of some: a video lifted over time need not show E_P all of them.

What is lifted is a parabola through the joints of the frames about each (temporal_lifting.py),
which knows nothing faster than its window: frames closer than that only repeat their neighbours.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.inference.bones import between
from kinepose.inference.temporal_filter import stretches
from kinepose.video.cropping import Rows


def sampled_rows(rows: Rows, rate: float) -> Int64[np.ndarray, " sampled"]:
    """Of each person at least `rate` rows a second, evenly, and his first and last in a row."""
    chosen = []
    for run in stretches(rows.track, rows.frame):
        seconds = rows.time[run[-1]] - rows.time[run[0]]
        step = 1 if seconds <= 0 else max(1, int((len(run) - 1) / seconds / rate + 1e-6))
        chosen.append(np.append(run[:-1:step], run[-1]))
    return np.sort(np.concatenate(chosen))


def of_all_rows(
    poses: VideoPoses, sampled: Int64[np.ndarray, " sampled"], rows: Rows
) -> VideoPoses:
    """Poses at every row: between those at the sampled ones in time, bones turning evenly."""
    before, after, share = _neighbours(sampled, rows)

    def mixed(values: np.ndarray) -> np.ndarray:
        parts = share.reshape(-1, *[1] * (values.ndim - 1))
        return ((1 - parts) * values[before] + parts * values[after]).astype(values.dtype)

    joints3d = poses.joints3d.astype(np.float64)
    return replace(
        poses,
        frame=rows.frame,
        time=rows.time,
        image=np.full(len(rows.frame), ""),
        track=rows.track,
        box=rows.box.astype(np.float32),
        joints2d=mixed(poses.joints2d),
        joints3d=between(joints3d[before], joints3d[after], share).astype(np.float32),
        confidence=mixed(poses.confidence),
        root=mixed(poses.root),
        focal=mixed(poses.focal),
        energy=mixed(poses.energy),
    )


def _neighbours(
    sampled: Int64[np.ndarray, " sampled"], rows: Rows
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
    """The sampled rows before and after each row, as numbers among them, and how far it is on."""
    before, after = np.empty((2, len(rows.frame)), np.int64)
    share = np.zeros(len(rows.frame))
    for run in stretches(rows.track, rows.frame):
        number = np.flatnonzero(np.isin(sampled, run))
        places = np.searchsorted(rows.frame[run], rows.frame[sampled[number]])
        last = np.searchsorted(places, np.arange(len(run)), side="right") - 1
        following = np.minimum(last + 1, len(number) - 1)
        before[run], after[run] = number[last], number[following]
        start, end = rows.time[sampled[before[run]]], rows.time[sampled[after[run]]]
        lasts = np.where(end > start, end - start, 1)
        share[run] = (rows.time[run] - start) / lasts
    return before, after, share
