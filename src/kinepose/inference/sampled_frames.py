"""Poses of all frames from those of some: a video lifted over time need not show E_P all of them.

What is lifted is a parabola through the joints of the frames about each (temporal_lifting.py),
which knows little that is faster than its window. The straight lines drawn here serve where nothing
was looked at within a window.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.inference.bones import between
from kinepose.inference.temporal_filter import stretches
from kinepose.video.clock import Beats
from kinepose.video.cropping import Rows


def sampled_rows(
    rows: Rows,
    frames: Int64[np.ndarray, " frames"],
    times: Float64[np.ndarray, " frames"],
    rate: float,
) -> Int64[np.ndarray, " sampled"]:
    """Rows of `rate` of a video's frames a second (clock.Beats), which have these times [s].

    Of who is in none of these frames in a row, the first.
    """
    beats = Beats(rate)
    taken = frames[[beats.falls_on(time) for time in times.tolist()]]
    is_sampled = np.isin(rows.frame, taken)
    for run in stretches(rows.track, rows.frame):
        if not is_sampled[run].any():
            is_sampled[run[0]] = True
    return np.flatnonzero(is_sampled)


def of_all_rows(
    poses: VideoPoses, sampled: Int64[np.ndarray, " sampled"], rows: Rows
) -> VideoPoses:
    """Poses at every row: between those at the sampled ones in time, bones turning evenly.

    Before the first and after the last of somebody they stay as they are there.
    """
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
        following = np.searchsorted(places, np.arange(len(run)), side="right")
        before[run] = number[np.maximum(following - 1, 0)]
        after[run] = number[np.minimum(following, len(number) - 1)]
        start, end = rows.time[sampled[before[run]]], rows.time[sampled[after[run]]]
        lasts = np.where(end > start, end - start, 1)
        share[run] = ((rows.time[run] - start) / lasts).clip(0, 1)
    return before, after, share
