"""What stands still behind the people: background motion, B_t, and where B_t is known.

Sec. 3.3 of the paper, 'Separating paired and unpaired samples'.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinepose.video.display import ImageArray

PERSON_SHARE = 0.4
"""Largest share of the image that human action changes; the paper: 10 to 20 %, but people fill
more of videos that were cut closely around them (docs/method.md)."""
LEAST_DIFFERENCE = 22
"""From the background, in the channel that differs most, of what counts as a person [0 to 255]."""
_MOTION_SAMPLES = 16
_SAMPLES = 40
"""Most frames that a median is taken from."""
_SAMPLE_BYTES = 256 * 2**20
"""Most memory that these frames take; of very large frames fewer are sampled."""
_FEWEST_SAMPLES = 9
_EVIDENCE = 0.1
"""Share of a window's samples, and ..."""
_FEWEST_SEEN = 3
"""... their number, in which a pixel must lie outside all people to be known."""
_BAND_BYTES = 2**19
"""The median is taken of bands of the image whose samples fill this, a processor's cache."""
_BOX_MARGIN = 0.05
"""Boxes are widened by this on each side, in their longer sides, before they count as people."""


def background_motion(thumbnails: Sequence[ImageArray]) -> float:
    """The paper's pixel-wise L2 between frames of a clip [0 to 255].

    Root mean square difference of two frames over the pixels that change least (all but
    PERSON_SHARE of them), so that people do not count; for each sampled frame its median distance
    to the others, and of these the 90 % quantile, so that a camera that turns once is noticed while
    the flash of a moment is not.
    """
    count = min(len(thumbnails), _MOTION_SAMPLES)
    if count < 2:
        return 0.0
    chosen = np.linspace(0, len(thumbnails) - 1, count).round().astype(int)
    sampled = np.stack([thumbnails[place] for place in chosen]).astype(np.float32)
    distances = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            change = (sampled[i] - sampled[j]).reshape(-1, 3)
            squares = np.einsum("pc,pc->p", change, change) / 3
            kept = max(1, round((1 - PERSON_SHARE) * squares.size))
            least = np.partition(squares, kept - 1)[:kept]
            distances[i, j] = distances[j, i] = np.sqrt(least.mean())
    to_others = distances[~np.eye(count, dtype=bool)].reshape(count, count - 1)
    return float(np.quantile(np.median(to_others, axis=1), 0.9, method="lower"))


@dataclass(frozen=True)
class Background:
    """An estimate of the scene without people, for the frames of a clip around one moment."""

    image: ImageArray
    known: Bool[np.ndarray, "height width"]
    """Where people left the pixel free often enough; elsewhere a person may be in the image."""


def estimate_background(
    samples: Sequence[ImageArray], people: Sequence[Float[np.ndarray, "_ 4"]]
) -> Background:
    """B_t: the median of frames, at each pixel over those in which it lies outside all boxes [px].

    A pixel is known if it lies outside in a tenth of the frames, and in three at least; the others
    get the median of all frames, which holds the person if he never left.
    """
    size = samples[0].shape[:2]
    inside = [[_pixels(box, size) for box in boxes] for boxes in people]
    seen = np.zeros(size, np.uint8)
    for rectangles in inside:
        seen += _outside(rectangles, size)
    known = seen >= max(_FEWEST_SEEN, _EVIDENCE * len(samples))
    background = masked_median(samples, [_outside(r, size) | ~known for r in inside])
    return Background(background, known)


@dataclass(frozen=True)
class Window:
    """Which frames of a clip a median is taken from, and which it serves, by their place."""

    samples: tuple[int, ...]
    first: int
    end: int


def plan_windows(times: Sequence[float], length: float, frame_bytes: int) -> tuple[Window, ...]:
    """Windows of `length` [s], half overlapping, that cover a clip whose frames have these times.

    Each frame is served by the window whose middle is nearest, and lies inside it.
    """
    most = max(_FEWEST_SAMPLES, min(_SAMPLES, _SAMPLE_BYTES // frame_bytes))
    clock = np.asarray(times) - times[0]
    duration = float(clock[-1])
    length = min(length, duration) if length > 0 else duration
    count = 1 if duration <= length else int(np.ceil(2 * duration / length)) - 1
    middles = np.linspace(length / 2, duration - length / 2, count)
    edges = (middles[1:] + middles[:-1]) / 2
    served = [0, *np.searchsorted(clock, edges).tolist(), len(clock)]
    step = length / (most - 1) or 1.0
    ticks = np.searchsorted(clock, np.arange(0, duration + step, step) - 1e-9)
    grid = np.unique(np.minimum(ticks, len(clock) - 1))
    windows = []
    for middle, first, end in zip(middles, served[:-1], served[1:], strict=True):
        if first == end:  # the clock leaps over it
            continue
        near = np.abs(clock[grid] - middle) <= length / 2 + 1e-9
        windows.append(Window(tuple(grid[near].tolist()), first, end))
    return tuple(windows)


def gather_backgrounds(
    images: Iterable[tuple[int, ImageArray]],
    windows: Sequence[Window],
    people_at: Callable[[int], Float[np.ndarray, "_ 4"]],
) -> Iterator[tuple[int, ImageArray, list[Background]]]:
    """A clip's frames with their places, each with the estimates of the windows that end by it.

    No more frames are held than one window samples.
    """
    held: dict[int, ImageArray] = {}
    done = 0
    for place, image in images:
        ahead = windows[done:]
        if any(place in window.samples for window in ahead):
            held[place] = image
        estimates = []
        for window in ahead:
            if window.samples[-1] > place:
                held = {kept: held[kept] for kept in held if kept >= window.samples[0]}
                break
            samples = [held[sample] for sample in window.samples]
            estimates.append(
                estimate_background(samples, [people_at(sample) for sample in window.samples])
            )
        done += len(estimates)
        yield place, image, estimates


def masked_median(
    samples: Sequence[ImageArray], counted: Sequence[Bool[np.ndarray, "height width"]]
) -> ImageArray:
    """The (lower) median of each value over the samples that count at its pixel.

    Found bit by bit from the highest: the median is at least b if fewer than half lie below b.
    Eight passes of comparisons on bytes take a third of the time of sorting, in bands that stay in
    the processor's cache; samples that do not count are made 255, which lies below nothing.
    Where none counts the median is 255.
    """
    median = np.zeros_like(samples[0])
    rows = max(1, _BAND_BYTES // (len(samples) * median[0].size))
    for start in range(0, len(median), rows):
        band = slice(start, start + rows)
        counts = np.stack([pixels[band] for pixels in counted])
        values = np.stack([sample[band] for sample in samples])
        values |= np.where(counts, 0, 255).astype(np.uint8)[..., None]
        needed = ((counts.sum(0) + 1) // 2).astype(np.uint8)[..., None]
        for bit in reversed(range(8)):
            candidate = median[band] | np.uint8(1 << bit)
            below = np.add.reduce((values < candidate).view(np.uint8), axis=0, dtype=np.uint8)
            median[band] = np.where(below < needed, candidate, median[band])
    return median


def unknown_share(known: Bool[np.ndarray, "height width"], box: Float[np.ndarray, " 4"]) -> float:
    """Share of a box's pixels, as far as it lies in the image, without a known background."""
    x0, y0, x1, y1 = _corners(box, known.shape)
    inside = known[y0:y1, x0:x1]
    return float(1 - inside.mean()) if inside.size else 0.0


def _outside(rectangles: list[tuple[slice, slice]], size: tuple[int, int]) -> np.ndarray:
    free = np.ones(size, bool)
    for rectangle in rectangles:
        free[rectangle] = False
    return free


def _pixels(box: Float[np.ndarray, " 4"], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a box with its margin."""
    margin = _BOX_MARGIN * max(box[2] - box[0], box[3] - box[1])
    x0, y0, x1, y1 = _corners(box + margin * np.array([-1, -1, 1, 1]), size)
    return slice(y0, y1), slice(x0, x1)


def _corners(box: Float[np.ndarray, " 4"], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in whole pixels, cut to an image of (height, width)."""
    height, width = size
    x0, x1 = (int(v) for v in np.clip([np.floor(box[0]), np.ceil(box[2])], 0, width))
    y0, y1 = (int(v) for v in np.clip([np.floor(box[1]), np.ceil(box[3])], 0, height))
    return x0, y0, x1, y1
