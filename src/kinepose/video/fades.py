"""Where a shot comes up from one colour at its beginning, or goes down to one at its end."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from kinepose.video.display import ImageArray

_WHOLE = 0.9
"""Share of a shot's usual contrast from which on an image counts as whole ..."""
_FADED = 0.5
"""... if it was once below this share before, or falls below it afterwards."""
_SAME = 0.7
"""Correlation of faded images with the first whole one: they are that image, only fainter."""
_PLAIN = 4.0
"""Contrast of an image without an image [standard deviation, 0 to 255]."""
_EVERY = 4
"""Pixels along each side of which one is looked at."""


def unfaded(thumbnails: Sequence[ImageArray]) -> slice:
    """The frames between a fade in and a fade out; all of them, where there is none."""
    few = np.stack([image[::_EVERY, ::_EVERY] for image in thumbnails])
    contrast = few.std((1, 2, 3))
    first = _faded(few, contrast)
    last = _faded(few[::-1], contrast[::-1])
    return slice(first, len(thumbnails) - last)


def _faded(
    thumbnails: UInt8[np.ndarray, "frames height width 3"],
    contrast: Float[np.ndarray, " frames"],
) -> int:
    """How many frames at the beginning are of a fade in."""
    first = int(np.argmax(contrast >= _WHOLE * np.median(contrast)))
    rises = np.diff(contrast[: first + 1]) >= -1.0
    if contrast[0] >= _FADED * contrast[first] or not rises.all():
        return 0
    whole = thumbnails[first].astype(np.float64).ravel()
    for image, spread in zip(thumbnails[:first], contrast[:first], strict=True):
        if spread > _PLAIN and np.corrcoef(image.ravel(), whole)[0, 1] < _SAME:
            return 0
    return first
