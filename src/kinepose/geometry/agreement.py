"""Where the frames of a video agree that a joint is.

A heatmap that errs does so for some frames, and is mostly less certain then. So a joint's place in
a frame is read from a parabola through its places in the frames about it, by their certainties, and
those far off it hardly count: a robust local regression (Cleveland 1979, with Cauchy's weights).
"""

import numpy as np
from jaxtyping import Bool, Float64

WINDOW = 0.16
"""Standard deviation, in time, of what counts about a frame [s]."""
TOLERANCE = 0.04
"""A place this far off the parabola counts half [longer sides of the person's box]."""
_LEAST_CERTAINTY = 0.02
"""Added to all, so that something is said where nothing is seen."""
_ROUNDS = 6
"""Of fitting a parabola and weighing the places by it."""
_STIFFNESS = (0.0, 0.02, 0.02)
"""How much slope and bend are drawn to 0: as by this share of the weights, a `window` away."""
_REACH = 3.0
"""Frames farther off count nothing [windows]."""
_MOST_NEAR = 64
"""Frames about one that count at most; of more, some are passed over."""
_CHUNK = 2**15
"""Frames about frames that are held at once."""


def agreeing(
    places: Float64[np.ndarray, "frames joints 2"],
    certainty: Float64[np.ndarray, "frames joints"],
    times: Float64[np.ndarray, " frames"],
    tolerance: Float64[np.ndarray, " moments"],
    window: float,
    moments: Float64[np.ndarray, " moments"] | None = None,
) -> tuple[Float64[np.ndarray, "moments joints 2"], Float64[np.ndarray, "moments joints"]]:
    """Places on robust parabolas through those of the frames about each, and how certain these are.

    `certainty` is from 0 to 1, and its square weighs a place; `tolerance` is in the unit of places.
    `moments` are the times that are asked for, no farther than a window from some frame; unless
    told, those of the frames.
    """
    moments = times if moments is None else moments
    first = np.searchsorted(times, moments - _REACH * window)
    end = np.searchsorted(times, moments + _REACH * window, side="right")
    middle = np.searchsorted(times, moments).clip(max=end - 1)
    most = int((end - first).max(initial=1))
    every = -(-most // _MOST_NEAR)
    steps = every * np.arange(-(-most // every))
    chunk = max(1, _CHUNK // len(steps))
    parts = []
    for rows in np.split(np.arange(len(moments)), range(chunk, len(moments), chunk)):
        # Of very many frames every second or third counts, the one in the middle among them.
        near = (first[rows] + (middle[rows] - first[rows]) % every)[:, None] + steps
        inside = near < end[rows, None]
        near = np.where(inside, near, 0)
        after = (times[near] - moments[rows, None]) / window
        parts.append(_fit(places[near], certainty[near], after, inside, tolerance[rows]))
    fitted, sure = zip(*parts, strict=True)
    return np.concatenate(fitted), np.concatenate(sure)


def _fit(
    seen: Float64[np.ndarray, "rows near joints 2"],
    sure: Float64[np.ndarray, "rows near joints"],
    after: Float64[np.ndarray, "rows near"],
    inside: Bool[np.ndarray, "rows near"],
    tolerance: Float64[np.ndarray, " rows"],
) -> tuple[Float64[np.ndarray, "rows joints 2"], Float64[np.ndarray, "rows joints"]]:
    """Weighted least squares, again and again with the weights that the last parabola gives.

    `after` is in windows.
    """
    powers = np.stack([np.ones_like(after), after, after**2], axis=1)
    squares = (powers[:, :, None] * powers[:, None]).reshape(len(after), 9, -1)
    prior = (inside * np.exp(-0.5 * after**2))[..., None] * (sure + _LEAST_CERTAINTY) ** 2
    weight = prior
    for _ in range(_ROUNDS):
        share = weight / weight.sum(1, keepdims=True)
        moments = (squares @ share).transpose(0, 2, 1).reshape(*share.shape[::2], 3, 3)
        towards = powers @ (share[..., None] * seen).reshape(*after.shape, -1)
        towards = towards.reshape(len(after), 3, -1, 2).transpose(0, 2, 1, 3)
        parabola = np.linalg.solve(moments + np.diag(_STIFFNESS), towards)
        flat = parabola.transpose(0, 2, 1, 3).reshape(len(after), 3, -1)
        off = seen - (powers.transpose(0, 2, 1) @ flat).reshape(seen.shape)
        off = np.hypot(off[..., 0], off[..., 1])
        weight = prior / (1 + (off / tolerance[:, None, None]) ** 2)
    return parabola[:, :, 0], (weight * sure).sum(1) / weight.sum(1)
