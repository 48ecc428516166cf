"""Batches of renders in endless variety: turned, moved, recoloured, before random backgrounds."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.dataset.renders import PriorSet, layers_of
from kinepose.geometry.devices import fork, send
from kinepose.geometry.image_transforms import (
    flip_image,
    flip_joints2d,
    flip_joints3d,
    rotate_joints2d,
    zoom_image,
    zoom_joints2d,
)
from kinepose.method.batches import LabelledBatch


@dataclass(frozen=True)
class Augmentation:
    """How far renders are changed in a batch."""

    rotation: float
    """Largest rotation in the plane [rad]."""
    crop_jitter: float
    """Largest shift [half crop sides] and log scale; 0 keeps the pelvis in the middle."""
    colour: float = 0.4
    """Largest relative change of brightness, contrast and colour, of person and background each."""


def draw_renders(
    prior: PriorSet,
    backgrounds: Float[Tensor, "batch 3 size size"],
    augmentation: Augmentation,
    generator: torch.Generator,
) -> LabelledBatch:
    """Random renders, each before a background of its own: turned, moved, mirrored, recoloured.

    They are made on the device of the backgrounds; the generator is the processor's.
    """
    count, size, device = backgrounds.shape[0], backgrounds.shape[-1], backgrounds.device
    rows = torch.randint(len(prior.image), (count,), generator=generator).numpy()
    forked = fork(generator, device)

    def uniform(*shape: int) -> Float[Tensor, "..."]:
        return torch.rand(shape, generator=forked, device=device) * 2 - 1

    angle = augmentation.rotation * uniform(count)
    log_scale = augmentation.crop_jitter * uniform(count)
    shift = augmentation.crop_jitter * uniform(count, 2)

    layers = zoom_image(layers_of(prior, rows, device), size, log_scale, shift, angle)
    mask, shadow = layers[:, 3:4], layers[:, 4:]
    full = layers[:, :3] / mask.clamp(min=1e-3)
    person = _recolour(full, uniform(count, 5), augmentation.colour)
    backgrounds = _recolour(backgrounds, uniform(count, 5), augmentation.colour) * (1 - shadow)
    images = torch.lerp(backgrounds, person, mask)
    joints2d, joints3d = (
        send(torch.from_numpy(labels[rows]), device) for labels in (prior.joints2d, prior.joints3d)
    )
    joints2d = zoom_joints2d(rotate_joints2d(joints2d, angle), log_scale, shift)
    flipped = uniform(count) < 0
    stacked = torch.cat([images, mask], dim=1)
    stacked = torch.where(flipped[:, None, None, None], flip_image(stacked), stacked)
    return LabelledBatch(
        images=stacked[:, :3].clamp(0, 1),
        joints2d=torch.where(flipped[:, None, None], flip_joints2d(joints2d), joints2d),
        joints3d=torch.where(flipped[:, None, None], flip_joints3d(joints3d), joints3d),
        mask=stacked[:, 3:],
    )


def _recolour(
    images: Float[Tensor, "batch 3 size size"], change: Float[Tensor, "batch 5"], strength: float
) -> Float[Tensor, "batch 3 size size"]:
    """Contrast about the mean, brightness, and a gain for each channel."""
    factors = 1 + strength * change[:, :, None, None]
    mean = images.mean((1, 2, 3), keepdim=True)
    changed = (images - mean) * factors[:, :1] + mean * factors[:, 1:2]
    return (changed * factors[:, 2:].sqrt()).clamp(0, 1)
