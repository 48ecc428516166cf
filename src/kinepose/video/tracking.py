"""From one person's boxes in some frames to boxes without gaps, smooth over time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d

Finds = dict[int, Float[np.ndarray, " 4"]]
"""One person's boxes by the position of their frame."""


@dataclass(frozen=True)
class Track:
    """One person in the frames of a video."""

    number: int
    frames: Int[np.ndarray, " frames"]
    """The video's own numbers, ascending; may have gaps."""
    boxes: Float[np.ndarray, "frames 4"]
    """Smoothed over time: x0, y0, x1, y1 [px]."""
    scores: Float[np.ndarray, " frames"]
    """How sure the detector is, interpolated; 1 where it does not say."""
    crops: Float[np.ndarray, "frames 3"]
    """Centre x, centre y, side [px], by the side rule."""


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

    sigma [s] is the Gaussian's. Nothing is carried over a longer gap or a cut; what lies between
    consecutive frames is no gap, however long.
    """
    found = np.array(sorted(finds))
    clock, cuts = np.asarray(times), np.array(sorted(cuts))
    shot = np.searchsorted(cuts, found, side="right")
    gaps = (np.diff(clock[found]) > longest_gap) & (np.diff(found) > 1)
    ends = np.flatnonzero(gaps | (np.diff(shot) > 0)) + 1
    positions, boxes = [], []
    for run in np.split(found, ends):
        every = np.arange(run[0], run[-1] + 1)
        known = np.array([finds[position] for position in run])
        filled = _at(clock[every], clock[run], known)
        positions.append(every)
        boxes.append(smooth(filled, clock[every], sigma))
    return np.concatenate(positions), np.concatenate(boxes)


def smooth(
    values: Float[np.ndarray, "frames n"], times: Float[np.ndarray, " frames"], sigma: float
) -> Float[np.ndarray, "frames n"]:
    """A Gaussian over time [s]; beyond the ends the values go on as they come, so that none lags.

    Values at uneven times are taken at even ones between, and brought back.
    """
    if sigma <= 0 or len(values) < 2 or times[-1] <= times[0]:
        return values
    even = np.linspace(times[0], times[-1], len(times))
    sigma = sigma / (even[1] - even[0])
    reach = int(4 * sigma + 0.5)
    padded = np.pad(
        _at(even, times, values), ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd"
    )
    smoothed = gaussian_filter1d(padded, sigma, axis=0, mode="nearest")
    return _at(times, even, smoothed[reach : len(padded) - reach])


def _at(
    wanted: Float[np.ndarray, " moments"],
    times: Float[np.ndarray, " frames"],
    values: Float[np.ndarray, "frames n"],
) -> Float[np.ndarray, "moments n"]:
    """Values between those at some times."""
    return np.stack([np.interp(wanted, times, column) for column in values.T], axis=-1)


def _leaps(before: Float[np.ndarray, " 4"], after: Float[np.ndarray, " 4"]) -> bool:
    """Whether the middle moves farther than the longer side of either box."""
    distance = np.linalg.norm(after[:2] + after[2:] - before[:2] - before[2:]) / 2
    return bool(distance > max((before[2:] - before[:2]).max(), (after[2:] - after[:2]).max()))
