"""Backgrounds for the renders of L_prior and B_r, the random backgrounds of L_UNP (Sec. 3.3)."""

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.data.pairs import ClipSet, draw_backgrounds
from kinepose.synthetic.backgrounds import (
    procedural_background,
    random_crop,
    read_photographs,
)

PROCEDURAL_SCENES = 400
"""How many scenes a run makes up; each is seen in endless crops, mirrored and recoloured."""


@dataclass(frozen=True)
class BackgroundSource:
    """Where random backgrounds come from."""

    pictures: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    """Made-up scenes, and as many photographs if there are any, some of them several times."""
    clips: ClipSet | None
    """Clips whose backgrounds are known (D_p); if there are any, half of all come from them."""


def open_backgrounds(
    folder: Path | None, clips: ClipSet | None, size: int, seed: int
) -> BackgroundSource:
    """Made-up scenes, the backgrounds of D_p, and the photographs of a folder.

    Raises:
        BadInputError: if the folder holds no readable picture.
    """
    photographs = read_photographs(folder) if folder is not None else ()
    numbers = np.random.default_rng(seed)
    scenes = [procedural_background(numbers, 2 * size, 2 * size) for _ in range(PROCEDURAL_SCENES)]
    repeated = islice(cycle(photographs), len(scenes)) if photographs else ()
    has_paired = clips is not None and len(clips.paired) > 0
    return BackgroundSource((*scenes, *repeated), clips if has_paired else None)


def draw_random_backgrounds(
    source: BackgroundSource, count: int, size: int, generator: torch.Generator
) -> Float[Tensor, "{count} 3 {size} {size}"]:
    """Random crops of pictures, and of the backgrounds of D_p as many, in random order."""
    seed = int(torch.randint(2**62, (), generator=generator))
    numbers = np.random.default_rng(seed)
    from_clips = count // 2 if source.clips is not None else 0
    chosen = numbers.integers(len(source.pictures), size=count - from_clips)
    crops = np.stack([random_crop(numbers, source.pictures[i], size, size) for i in chosen])
    drawn = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    if source.clips is not None and from_clips:
        paired = draw_backgrounds(source.clips, from_clips, size, generator)
        drawn = torch.cat([drawn, paired])
    return drawn[torch.randperm(count, generator=generator)]
