"""Batches of renders in endless variety: turned, moved, recoloured, before random backgrounds."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinepose.dataset.renders import LabelledBatch, PriorSet, layers_of
from kinepose.geometry.devices import fork, send
from kinepose.geometry.image_transforms import (
    flip_camera,
    flip_image,
    flip_joints2d,
    flip_joints3d,
    rotate_camera,
    rotate_joints2d,
    zoom_camera,
    zoom_image,
    zoom_joints2d,
)
from kinepose.method.forward_kinematics import local_kinematics


@dataclass(frozen=True)
class Augmentation:
    """How far renders are changed in a batch."""

    rotation: float
    """Largest rotation in the plane [rad]."""
    crop_jitter: float
    """Largest shift [half crop sides] and log scale; 0 keeps the pelvis in the middle."""
    margin: float = 1.0
    """Side of the renders, in sides of the crops that are wanted."""
    colour: float = 0.4
    """Largest relative change of brightness, contrast and colour, of person and background each."""
    hidden: float = 0.0
    """Share of pictures with a thing in them that, one in three times, hides some of the person."""
    noise: float = 0.0
    """Largest standard deviation of a picture's noise."""
    blur: float = 0.0
    """Share of pictures that come from fewer pixels than they have."""


@dataclass(frozen=True)
class RenderBatch(LabelledBatch):
    """Pictures of synthetic people, with all that is known of them."""

    background: Float[Tensor, "batch 3 size size"]
    """The picture without the person, but with the shadow."""
    mask: Float[Tensor, "batch 1 size size"]
    """Share of each pixel that shows the person."""
    camera: Float[Tensor, "batch 9"]
    """The extended camera c that shows joints3d nearest to joints2d."""

    @property
    def parameters(self) -> Float[Tensor, "batch 40"]:
        """v_k of the poses."""
        return local_kinematics(self.joints3d)[0]


def draw_renders(
    prior: PriorSet,
    backgrounds: Float[Tensor, "batch 3 size size"],
    augmentation: Augmentation,
    generator: torch.Generator,
) -> RenderBatch:
    """Random renders, each before a background of its own: turned, moved, mirrored, recoloured.

    They are made on the device of the backgrounds; the generator is the processor's.
    """
    count, size, device = backgrounds.shape[0], backgrounds.shape[-1], backgrounds.device
    rows = torch.randint(len(prior.image), (count,), generator=generator).numpy()
    luck = fork(generator, device)

    def uniform(*shape: int) -> Float[Tensor, "..."]:
        return torch.rand(shape, generator=luck, device=device) * 2 - 1

    angle = augmentation.rotation * uniform(count)
    log_scale = augmentation.crop_jitter * uniform(count) + math.log(augmentation.margin)
    shift = augmentation.crop_jitter * uniform(count, 2)

    layers = zoom_image(layers_of(prior, rows, device), size, log_scale, shift, angle)
    mask, shadow = layers[:, 3:4], layers[:, 4:]
    full = layers[:, :3] / mask.clamp(min=1e-3)
    person = _recolour(full, uniform(count, 5), augmentation.colour)
    backgrounds = _recolour(backgrounds, uniform(count, 5), augmentation.colour) * (1 - shadow)
    images = torch.lerp(backgrounds, person, mask)
    if augmentation.hidden:
        images, mask = _hide(images, mask, augmentation.hidden, luck)
    if augmentation.blur:
        images = _blur(images, augmentation.blur, luck, generator)
    if augmentation.noise:
        strength = augmentation.noise / 2 * (uniform(count, 1, 1, 1) + 1)
        images = images + strength * torch.randn(images.shape, generator=luck, device=device)

    joints2d, joints3d, camera = (
        send(torch.from_numpy(labels[rows]), device)
        for labels in (prior.joints2d, prior.joints3d, prior.camera)
    )
    joints2d = zoom_joints2d(rotate_joints2d(joints2d, angle), log_scale, shift)
    camera = zoom_camera(rotate_camera(camera, angle), log_scale, shift)
    flipped = uniform(count) < 0
    joints3d = torch.where(flipped[:, None, None], flip_joints3d(joints3d), joints3d)
    pictures = torch.cat([images, backgrounds, mask], dim=1)
    pictures = torch.where(flipped[:, None, None, None], flip_image(pictures), pictures)
    return RenderBatch(
        images=pictures[:, :3].clamp(0, 1),
        joints2d=torch.where(flipped[:, None, None], flip_joints2d(joints2d), joints2d),
        joints3d=joints3d,
        background=pictures[:, 3:6],
        mask=pictures[:, 6:],
        camera=torch.where(flipped[:, None], flip_camera(camera), camera),
    )


def _recolour(
    images: Float[Tensor, "batch 3 size size"], change: Float[Tensor, "batch 5"], strength: float
) -> Float[Tensor, "batch 3 size size"]:
    """Contrast about the mean, brightness, and a gain for each channel."""
    factors = 1 + strength * change[:, :, None, None]
    mean = images.mean((1, 2, 3), keepdim=True)
    changed = (images - mean) * factors[:, :1] + mean * factors[:, 1:2]
    return (changed * factors[:, 2:].sqrt()).clamp(0, 1)


def _hide(
    images: Float[Tensor, "batch 3 size size"],
    mask: Float[Tensor, "batch 1 size size"],
    share: float,
    luck: torch.Generator,
) -> tuple[Float[Tensor, "batch 3 size size"], Float[Tensor, "batch 1 size size"]]:
    """An upright box in some pictures, which shows a part of another picture of the batch."""
    count, size = len(images), images.shape[-1]

    def drawn(*shape: int) -> Float[Tensor, "..."]:
        return torch.rand(shape, generator=luck, device=images.device)

    low = drawn(count, 2) * 1.2 - 0.3
    high = low + 0.1 + 0.4 * drawn(count, 2)
    at = (torch.arange(size, device=images.device) + 0.5) / size
    inside = (at >= low[..., None]) & (at < high[..., None])
    box = inside[:, 1, :, None] & inside[:, 0, None, :]
    box &= (drawn(count) < share)[:, None, None]
    images = torch.where(box[:, None], images.roll(1, 0), images)
    return images, mask * ~box[:, None]


def _blur(
    images: Float[Tensor, "batch 3 size size"],
    share: float,
    luck: torch.Generator,
    generator: torch.Generator,
) -> Float[Tensor, "batch 3 size size"]:
    """Some pictures as if enlarged from fewer pixels, the same number for all of a batch."""
    fewer = 0.4 + 0.5 * float(torch.rand((), generator=generator))
    small = functional.interpolate(images, scale_factor=fewer, mode="area")
    large = functional.interpolate(small, images.shape[-2:], mode="bilinear")
    chosen = torch.rand(len(images), generator=luck, device=images.device) < share
    return torch.where(chosen[:, None, None, None], large, images)
