"""From one person's boxes in some frames to boxes without gaps, smooth over time."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d

Finds = dict[int, Float[np.ndarray, " 4"]]
"""One person's boxes by the position of their frame."""


def split_at_jumps(
    frames: Finds, times_of_frames: dict[int, float], longest_gap: float
) -> list[Finds]:
    """Cut one track of a file where, within longest_gap [s], its box leaps farther than its size.

    Detectors that follow nobody, and keep one find a frame, leap from one person to another.
    """
    pieces: list[Finds] = []
    last: int | None = None
    for frame in sorted(frames):
        box = frames[frame]
        if last is None or (
            times_of_frames[frame] - times_of_frames[last] <= longest_gap
            and _leaps(frames[last], box)
        ):
            pieces.append({})
        pieces[-1][frame] = box
        last = frame
    return pieces


def fill_and_smooth(
    finds: Finds, times: Sequence[float], cuts: Iterable[int], longest_gap: float, sigma: float
) -> tuple[Int[np.ndarray, " frames"], Float[np.ndarray, "frames 4"]]:
    """Positions and boxes of a track, interpolated over gaps up to longest_gap [s], then smoothed.

    sigma [frames] is the Gaussian's. Nothing is carried over a longer gap or a cut.
    """
    found = np.array(sorted(finds))
    clock, cuts = np.asarray(times), np.array(sorted(cuts))
    shot = np.searchsorted(cuts, found, side="right")
    ends = np.flatnonzero((np.diff(clock[found]) > longest_gap) | (np.diff(shot) > 0)) + 1
    positions, boxes = [], []
    for run in np.split(found, ends):
        every = np.arange(run[0], run[-1] + 1)
        known = np.array([finds[position] for position in run])
        filled = np.stack([np.interp(clock[every], clock[run], side) for side in known.T], axis=-1)
        positions.append(every)
        boxes.append(smooth(filled, sigma))
    return np.concatenate(positions), np.concatenate(boxes)


def smooth(values: Float[np.ndarray, "frames n"], sigma: float) -> Float[np.ndarray, "frames n"]:
    """A Gaussian over time; beyond the ends the values go on as they come, so that none lags."""
    if sigma <= 0 or len(values) < 2:
        return values
    reach = int(4 * sigma + 0.5)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    smoothed = gaussian_filter1d(padded, sigma, axis=0, mode="nearest")
    return smoothed[reach : len(padded) - reach]


def _leaps(before: Float[np.ndarray, " 4"], after: Float[np.ndarray, " 4"]) -> bool:
    """Whether the middle moves farther than the longer side of either box."""
    distance = np.linalg.norm(after[:2] + after[2:] - before[:2] - before[2:]) / 2
    return bool(distance > max((before[2:] - before[:2]).max(), (after[2:] - after[:2]).max()))
