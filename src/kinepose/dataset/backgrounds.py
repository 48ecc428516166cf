"""Backgrounds for the renders of L_prior and B_r, the random backgrounds of L_UNP (Sec. 3.3).

They lie on the device that trains, and are cropped and recoloured there.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.pairs import draw_backgrounds
from kinepose.geometry.devices import fork
from kinepose.geometry.image_transforms import flip_image, zoom_image
from kinepose.synthetic.backgrounds import (
    procedural_background,
    random_crop,
    read_photographs,
)
from kinepose.synthetic.places import random_view, training_places

IMAGES = 800
"""How many a run takes or makes up; each is seen in endless crops, mirrored and recoloured."""
_PLACES, _MADE_UP, _PHOTOGRAPHS = 3, 1, 4
"""How often backgrounds are of each kind; the last only where there is a folder."""
_TINT = 0.08 * math.sqrt(3)
"""Of a uniform distribution with the standard deviation 0.08."""


@dataclass(frozen=True)
class BackgroundSource:
    """Where random backgrounds come from."""

    images: UInt8[Tensor, "images 3 side side"]
    """What `training_backgrounds` makes."""
    clips: ClipSet | None
    """Clips whose backgrounds are known (D_p); if there are any, half of all come from them."""


@functools.lru_cache(maxsize=1)
def training_backgrounds(
    seed: int, count: int, side: int, folder: Path | None = None
) -> UInt8[np.ndarray, "{count} {side} {side} 3"]:
    """Views of the places that may be trained on, made-up scenes, parts of a folder's photographs.

    What the seed and an image's number say, whatever the count.

    Raises:
        BadInputError: if the folder holds no readable image.
    """
    photographs = read_photographs(folder) if folder is not None else ()
    weights = np.array([_PLACES, _MADE_UP, _PHOTOGRAPHS if photographs else 0])
    images = np.empty((count, side, side, 3), np.uint8)
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        kind = generator.choice(3, p=weights / weights.sum())
        if kind == 0:
            place = training_places()[generator.integers(len(training_places()))]
            images[number] = random_view(generator, place, side, side)
        elif kind == 1:
            images[number] = procedural_background(generator, side, side)
        else:
            photograph = photographs[generator.integers(len(photographs))]
            images[number] = random_crop(generator, photograph, side, side)
    return images


def open_backgrounds(
    folder: Path | None,
    clips: ClipSet | None,
    size: int,
    seed: int,
    device: torch.device | str = "cpu",
) -> BackgroundSource:
    """Places, made-up scenes, the photographs of a folder, and the backgrounds of D_p.

    For crops of `size` px; on the device where the clips should be as well.

    Raises:
        BadInputError: if the folder holds no readable image.
    """
    made = training_backgrounds(seed, IMAGES, 2 * size, folder)
    images = torch.from_numpy(made).to(device).permute(0, 3, 1, 2)
    has_paired = clips is not None and len(clips.paired) > 0
    return BackgroundSource(images, clips if has_paired else None)


def draw_random_backgrounds(
    source: BackgroundSource, count: int, size: int, generator: torch.Generator
) -> Float[Tensor, "{count} 3 {size} {size}"]:
    """Random crops of images, and of the backgrounds of D_p as many, in random order."""
    from_clips = count // 2 if source.clips is not None else 0
    drawn = _random_crops(source.images, count - from_clips, size, generator)
    if source.clips is not None and from_clips:
        paired = draw_backgrounds(source.clips, from_clips, size, generator)
        drawn = torch.cat([drawn, paired])
    forked = fork(generator, drawn.device)
    return drawn[torch.randperm(count, generator=forked, device=drawn.device)]


def _random_crops(
    images: UInt8[Tensor, "images 3 side side"],
    count: int,
    size: int,
    generator: torch.Generator,
) -> Float[Tensor, "{count} 3 {size} {size}"]:
    """Windows of 0.3 to 1 of the images' sides, perhaps mirrored, their colours shifted."""
    device, forked = images.device, fork(generator, images.device)

    def drawn(low: float, high: float, *more: int) -> Float[Tensor, "..."]:
        return low + (high - low) * torch.rand(count, *more, generator=forked, device=device)

    chosen = torch.randint(len(images), (count,), generator=forked, device=device)
    part, where = drawn(0.3, 1.0), drawn(-1.0, 1.0, 2)
    shift = where * (part - 1)[:, None] / part[:, None]
    crops = zoom_image(images[chosen].float() / 255, size, -part.log(), shift, outside="border")
    crops = torch.where(drawn(-1.0, 1.0, 1, 1, 1) < 0, flip_image(crops), crops)
    gamma, gain = drawn(0.7, 1.4, 1, 1, 1), drawn(0.7, 1.1, 1, 1, 1)
    tint = drawn(1 - _TINT, 1 + _TINT, 3, 1, 1)
    return (crops.pow(gamma) * gain * tint).clamp(0, 1)
