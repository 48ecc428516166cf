"""The labelled renders of L_prior, in memory and on disk (Sec. 3.2, 3.3, 4)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from kinepose.geometry.devices import send
from kinepose.geometry.image_transforms import zoom_image
from kinepose.io.array_files import read_arrays, schema_of, write_npz
from kinepose.io.errors import BadInputError
from kinepose.method.batches import LabelledBatch, PaintingBatch, TaughtBatch
from kinepose.synthetic.single_images import Layers

FORMAT_VERSION = 2
Composed = TypeVar("Composed", LabelledBatch, PaintingBatch)
AsBytes = TypeVar("AsBytes", LabelledBatch, PaintingBatch, TaughtBatch)


@dataclass(frozen=True)
class PriorSet(Layers):
    """Renders with exact labels in the model's conventions."""

    joints2d: Float32[np.ndarray, "renders 17 2"]
    """From -1 to 1 across the crop."""
    joints3d: Float32[np.ndarray, "renders 17 3"]
    """The body's own joints in the frame C [canonical]."""
    camera: Float32[np.ndarray, "renders 9"]
    """The extended camera that fits best."""
    camera_residual: Float32[np.ndarray, " renders"]
    """Its root mean square distance from joints2d [half crop sides]."""


def save_prior(prior: PriorSet, path: Path) -> None:
    """Write prior.npz."""
    write_npz(path, vars(prior), schema_of(PriorSet), {"format_version": FORMAT_VERSION})


def load_prior(path: Path) -> PriorSet:
    """Read prior.npz.

    Raises:
        BadInputError: if it is missing, not such a file, or of another version.
    """
    prior = read_arrays(path, PriorSet, "labelled renders", {"format_version": FORMAT_VERSION})
    if not prior.image.size:
        raise BadInputError(f"{path} holds no renders")
    return prior


def as_numbers(batch: AsBytes) -> AsBytes:
    """Images and masks from 0 to 1, of bytes."""
    layers = {k: v for k, v in vars(batch).items() if v is not None and v.dtype == torch.uint8}
    return replace(batch, **{name: layer.float() / 255 for name, layer in layers.items()})


def plain_batch(prior: PriorSet, size: int) -> LabelledBatch:
    """All renders as they are, before mid grey: to score, and to learn by heart."""
    layers = layers_of(prior, np.arange(len(prior.image)))
    images = zoom_image(layers[:, :3] + 0.5 * (1 - layers[:, 3:4]), size)
    return LabelledBatch(images, torch.from_numpy(prior.joints2d), torch.from_numpy(prior.joints3d))


def layers_of(
    prior: PriorSet, rows: Int[np.ndarray, " batch"], device: torch.device | str = "cpu"
) -> Float[Tensor, "batch 5 size size"]:
    """Of some renders: the person in RGB on black, the mask and the shadow, 0 to 1."""
    layers = (prior.image, prior.mask, prior.shadow)
    person, *flat = (send(torch.from_numpy(layer[rows]), device) for layer in layers)
    person, flat = person.permute(0, 3, 1, 2), [layer[:, None] for layer in flat]
    return torch.cat([person, *flat], dim=1).float() / 255
