"""Backgrounds for the renders of L_prior and B_r, the random backgrounds of L_UNP (Sec. 3.3)."""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class BackgroundSource:
    """Where random backgrounds come from; procedural ones are always among them."""

    photographs: tuple[UInt8[np.ndarray, "_ _ 3"], ...] = ()
    clips: ClipSet | None = None
    """Clips whose backgrounds are known (D_p)."""


def open_backgrounds(folder: Path | None, clips: ClipSet | None) -> BackgroundSource:
    """The photographs of a folder if one is named, else the backgrounds of D_p if there are any.

    Raises:
        BadInputError: if the folder holds no readable picture.
    """
    if folder is not None:
        return BackgroundSource(photographs=read_photographs(folder))
    has_paired = clips is not None and len(clips.paired) > 0
    return BackgroundSource(clips=clips if has_paired else None)


def draw_random_backgrounds(
    source: BackgroundSource, count: int, size: int, generator: torch.Generator
) -> Float[Tensor, "{count} 3 {size} {size}"]:
    """Half of them from the source if it has any, the rest procedural, in random order."""
    seed = int(torch.randint(2**62, (), generator=generator))
    numbers = np.random.default_rng(seed)
    if source.clips is not None:
        drawn = draw_backgrounds(source.clips, count // 2, size, generator)
    else:
        photographs = source.photographs
        chosen = numbers.integers(len(photographs), size=count // 2) if photographs else ()
        crops = [random_crop(numbers, photographs[i], size, size) for i in chosen]
        drawn = _tensor(crops, size)
    procedural = [procedural_background(numbers, size, size) for _ in range(count - len(drawn))]
    every = torch.cat([drawn, _tensor(procedural, size)])
    return every[torch.randperm(count, generator=generator)]


def _tensor(
    pictures: list[UInt8[np.ndarray, "size size 3"]], size: int
) -> Float[Tensor, "count 3 {size} {size}"]:
    stacked = np.stack(pictures) if pictures else np.zeros((0, size, size, 3), np.uint8)
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255
