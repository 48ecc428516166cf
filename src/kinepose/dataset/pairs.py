"""Pairs (I_s, I_t) with B_t, drawn from the clips that `prepare` wrote.

Everything random comes from the generator that is passed in, so that a run can be resumed.
"""

import io
import math

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Float64, Int, UInt8
from PIL import Image
from torch import Tensor

from kinepose.dataset.clip_set import ClipSet
from kinepose.io.errors import BadInputError
from kinepose.method.batches import PairBatch
from kinepose.video.cropping import crop_image

_ENDS_OF_GAP = 1e-6
"""Times are read from files; a gap this much [s] too small is large enough."""
_DECODED_BYTES = 2**30
_LARGEST_CROP = 4096
"""Side [px]."""


def long_enough(clips: ClipSet, paired: bool, smallest_gap: float) -> Int[np.ndarray, "_ 2"]:
    """Bounds of the clips of D_p or of D_unp that have a pair.

    Raises:
        BadInputError: if there is none.
    """
    bounds = _with_pairs(clips, paired, smallest_gap)
    if not len(bounds):
        kind = "still" if paired else "moving"
        raise BadInputError(
            f"no clip of the {kind} camera kind lasts {smallest_gap:g} s; prepare other videos, "
            "or see --smallest-gap"
        )
    return bounds


def has_pairs(clips: ClipSet, smallest_gap: float) -> bool:
    """Whether a clip of D_p is long enough."""
    return len(_with_pairs(clips, True, smallest_gap)) > 0


def _with_pairs(clips: ClipSet, paired: bool, smallest_gap: float) -> Int[np.ndarray, "_ 2"]:
    bounds = clips.paired if paired else clips.unpaired
    duration = clips.time[bounds[:, 1] - 1] - clips.time[bounds[:, 0]]
    return bounds[duration >= smallest_gap - _ENDS_OF_GAP]


def draw_pairs(
    clips: ClipSet,
    paired: bool,
    count: int,
    size: int,
    smallest_gap: float,
    generator: torch.Generator,
) -> PairBatch:
    """Pairs of D_p or of D_unp, at least smallest_gap [s] apart, shrunk to `size` px a side.

    Clips are drawn in proportion to their frames; within a clip each frame that has a partner is
    as likely a target as any, and each of its partners as likely its source.

    Raises:
        BadInputError: if no clip is long enough.
    """
    bounds = long_enough(clips, paired, smallest_gap)
    lengths = torch.as_tensor(bounds[:, 1] - bounds[:, 0], dtype=torch.float64)
    chosen = torch.multinomial(lengths, count, replacement=True, generator=generator)
    shares = torch.rand(count, 2, generator=generator, dtype=torch.float64).tolist()
    rows = [
        _draw_pair(clips.time, *bounds[clip].tolist(), smallest_gap, *numbers)
        for clip, numbers in zip(chosen.tolist(), shares, strict=True)
    ]
    sources, targets = np.array(rows).T
    return PairBatch(
        source=load_images(clips, sources, size),
        target=load_images(clips, targets, size),
        background=load_images(clips, targets, size, "background") if paired else None,
        valid=load_masks(clips, targets, size) if paired else None,
        rows=torch.from_numpy(targets.copy()),
    )


def draw_backgrounds(
    clips: ClipSet, count: int, size: int, generator: torch.Generator
) -> Float32[Tensor, "count 3 size size"]:
    """Backgrounds of D_p, for B_r and for the renders.

    Raises:
        BadInputError: if D_p is empty.
    """
    if not len(clips.paired):
        raise BadInputError("no clip of the still camera kind, whose backgrounds could be used")
    lengths = clips.paired[:, 1] - clips.paired[:, 0]
    ends = np.cumsum(lengths)
    drawn = torch.randint(int(ends[-1]), (count,), generator=generator).numpy()
    clip = np.searchsorted(ends, drawn, side="right")
    rows = clips.paired[clip, 1] - (ends[clip] - drawn)
    return load_images(clips, rows, size, "background")


def load_images(
    clips: ClipSet, rows: Int[np.ndarray, " count"], size: int, column: str = "image"
) -> Float32[Tensor, "count 3 size size"]:
    """The crops, or the backgrounds, of these rows, 0 to 1."""
    images = torch.stack([_shrunk(clips, column, row, size) for row in rows.tolist()])
    return images.permute(0, 3, 1, 2).float().div_(255)


def _draw_pair(
    time: Float64[np.ndarray, " rows"],
    first: int,
    end: int,
    smallest_gap: float,
    for_target: float,
    for_source: float,
) -> tuple[int, int]:
    """Source and target row of a clip, by two numbers of [0, 1)."""
    clock, gap = time[first:end], smallest_gap - _ENDS_OF_GAP
    targets = np.flatnonzero((clock - clock[0] >= gap) | (clock[-1] - clock >= gap))
    target = targets[int(for_target * len(targets))]
    sources = np.flatnonzero(np.abs(clock - clock[target]) >= gap)
    source = sources[int(for_source * len(sources))]
    return int(first + source), int(first + target)


def load_masks(
    clips: ClipSet, rows: Int[np.ndarray, " count"], size: int
) -> Float32[Tensor, "count 1 size size"]:
    """Which share of each pixel of the backgrounds of these rows is known."""
    masks = torch.stack([_shrunk(clips, "valid", row, size) for row in rows.tolist()])
    return masks.permute(0, 3, 1, 2).float().div_(255)


def _shrunk(
    clips: ClipSet, column: str, row: int, size: int
) -> UInt8[Tensor, "{size} {size} channels"]:
    """An image of the set, each pixel the mean of what it covers; kept, while there is room."""
    image = clips.decoded.get((column, row, size))
    if image is None:
        part = clips.part[row]
        pixels = stored_image(clips, row, math.ceil(size / part), column)
        if part < 1:
            pixels = crop_image(pixels, len(pixels) * np.array([0.5, 0.5, part]), size)
        else:
            pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
        image = torch.from_numpy(pixels.reshape(size, size, -1)).to(clips.device)
        if len(clips.decoded) < _DECODED_BYTES // image.nbytes:
            clips.decoded[column, row, size] = image
    return image


def stored_image(
    clips: ClipSet, row: int, size: int, column: str = "image"
) -> UInt8[np.ndarray, "side side *channels"]:
    """An image of the set as it is stored, or at half its size where `size` px a side are enough.

    Raises:
        BadInputError: if it is broken.
    """
    encoded = np.frombuffer(clips.table[column][row].as_buffer(), np.uint8)
    pixels = _decode(encoded, size, grey=column == "valid")
    if pixels is None:
        video, frame = (clips.table[name][row].as_py() for name in ("video", "frame"))
        raise BadInputError(
            f"the {column} of frame {frame} of {video} is broken in the clips: prepare it again"
        )
    return pixels


def _decode(
    encoded: UInt8[np.ndarray, " bytes"], size: int, grey: bool
) -> UInt8[np.ndarray, "side side *channels"] | None:
    """A mask, or an image (RGB), at half its size where that is enough: half the time.

    None if it is none, or is larger than `prepare` makes them.
    """
    try:
        width, height = Image.open(io.BytesIO(encoded.tobytes())).size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if width != height or width > _LARGEST_CROP:
        return None
    mode = cv2.IMREAD_GRAYSCALE
    if not grey:
        mode = cv2.IMREAD_REDUCED_COLOR_2 if height >= 2 * size - 1 else cv2.IMREAD_COLOR
    image = cv2.imdecode(encoded, mode)
    if image is None or grey:
        return image
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
