"""From boxes in single frames to tracks: one a person, without gaps, smooth over time."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from kinepose.video.shots import Boxes

LEAST_OVERLAP = 0.1
"""Intersection over union of one person's boxes in consecutive finds."""

Finds = dict[int, Float[np.ndarray, " 4"]]
"""One person's boxes by the position of their frame."""


def link(
    found: Sequence[Boxes], times: Sequence[float], cuts: Iterable[int], longest_gap: float
) -> list[Finds]:
    """Follow people by the overlap of their boxes; all of a frame are assigned at once.

    A person not found for longer than longest_gap [s], unless in the very frame before, or behind a
    cut (position of a shot's first frame), is a new one.
    """
    cuts, done, active = set(cuts), [], []
    for position, boxes in enumerate(found):
        time = times[position]
        kept = [
            track
            for track in active
            if position not in cuts
            and (max(track) == position - 1 or time - times[max(track)] <= longest_gap)
        ]
        done += [track for track in active if not any(track is other for other in kept)]
        active = kept
        overlap = overlaps(np.array([track[max(track)] for track in active]).reshape(-1, 4), boxes)
        free = set(range(len(boxes)))
        for track, box in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[track, box] >= LEAST_OVERLAP:
                active[track][position] = boxes[box]
                free.remove(int(box))
        active += [{position: boxes[box]} for box in sorted(free)]
    return done + active


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


def overlaps(
    first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every two boxes."""
    a, b = first[:, None], second[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared / union


def _leaps(before: Float[np.ndarray, " 4"], after: Float[np.ndarray, " 4"]) -> bool:
    """Whether the middle moves farther than the longer side of either box."""
    distance = np.linalg.norm(after[:2] + after[2:] - before[:2] - before[2:]) / 2
    return bool(distance > max((before[2:] - before[:2]).max(), (after[2:] - after[:2]).max()))
