"""The labelled renders of L_prior: on disk, and as augmented batches (Sec. 3.2, 3.3, 4)."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.geometry.camera_projection import fit_camera
from kinepose.geometry.forward_kinematics import canonical_joints
from kinepose.geometry.image_transforms import (
    flip_image,
    flip_joints2d,
    flip_joints3d,
    rotate_image,
    rotate_joints2d,
    zoom_image,
    zoom_joints2d,
)

FORMAT_VERSION = 1


@dataclass(frozen=True)
class PriorSet:
    """Renders of people without a background, with exact labels in the model's conventions."""

    image: UInt8[np.ndarray, "renders size size 3"]
    """The person on black, RGB: a pixel that is covered by half is half as bright."""
    mask: UInt8[np.ndarray, "renders size size"]
    """How much of each pixel the person covers, of 255."""
    joints2d: Float[np.ndarray, "renders 17 2"]
    """From -1 to 1 across the crop."""
    joints3d: Float[np.ndarray, "renders 17 3"]
    """The body's own joints in the frame C [canonical]."""
    camera: Float[np.ndarray, "renders 9"]
    """The extended camera that fits best."""
    camera_residual: Float[np.ndarray, " renders"]
    """Its root mean square distance from joints2d [half crop sides]."""


@dataclass(frozen=True)
class LabelledBatch:
    """Pictures with labels, as the networks take them."""

    images: Float[Tensor, "batch 3 size size"]
    joints2d: Float[Tensor, "batch 17 2"]
    """From -1 to 1 across the crop."""
    joints3d: Float[Tensor, "batch 17 3"]
    """[canonical]"""


def render_prior_set(count: int, seed: int, size: int) -> PriorSet:
    """Render `count` people by the project's own renderer; the same seed gives the same set."""
    from kinepose.synthetic.scene import render_prior

    renders = render_prior(count, seed, size)
    joints3d, rotation = canonical_joints(torch.from_numpy(renders.joints3d).double())
    joints2d = torch.from_numpy(renders.joints2d).double()
    camera, residual = fit_camera(joints3d, rotation, joints2d)
    labels = (joints2d, joints3d, camera, residual)
    return PriorSet(
        renders.image, renders.mask, *(label.numpy().astype(np.float32) for label in labels)
    )


def save_prior(prior: PriorSet, path: Path) -> None:
    """Write prior.npz."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, format_version=np.int64(FORMAT_VERSION), **asdict(prior))


def load_prior(path: Path) -> PriorSet:
    """Read prior.npz.

    Raises:
        BadInputError: if it is missing, not such a file, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if (version := int(arrays["format_version"])) != FORMAT_VERSION:
                raise BadInputError(
                    f"{path} has format version {version}; this kinepose reads {FORMAT_VERSION}"
                )
            return PriorSet(**{field.name: arrays[field.name] for field in fields(PriorSet)})
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError(f"{path} is not a file of labelled renders: {error}") from error


def plain_batch(prior: PriorSet, size: int) -> LabelledBatch:
    """All renders as they are, before mid grey: to score, and to learn by heart."""
    every = torch.arange(len(prior.image))
    person, mask, joints2d, joints3d = _take(prior, every)
    grey = torch.full_like(person, 0.5)
    images = zoom_image(_composite(person, mask, grey), size)
    return LabelledBatch(images, joints2d, joints3d)


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
    """Random renders, each before a background of its own: turned, moved, mirrored, recoloured."""
    count, size = backgrounds.shape[0], backgrounds.shape[-1]

    def uniform(*shape: int) -> Float[Tensor, "..."]:
        return torch.rand(shape, generator=generator) * 2 - 1

    chosen = torch.randint(len(prior.image), (count,), generator=generator)
    person, mask, joints2d, joints3d = _take(prior, chosen)

    angle = augmentation.rotation * uniform(count)
    log_scale = augmentation.crop_jitter * uniform(count)
    shift = augmentation.crop_jitter * uniform(count, 2)
    layers = rotate_image(torch.cat([person, mask], dim=1), angle, outside="zeros")
    layers = zoom_image(layers, size, log_scale, shift)
    joints2d = zoom_joints2d(rotate_joints2d(joints2d, angle), log_scale, shift)

    mask = layers[:, 3:]
    full = layers[:, :3] / mask.clamp(min=1e-3)
    person = mask * _recolour(full, uniform(count, 5), augmentation.colour)
    backgrounds = _recolour(backgrounds, uniform(count, 5), augmentation.colour)
    images = _composite(person, mask, backgrounds)

    flipped: Bool[Tensor, " batch"] = torch.rand(count, generator=generator) < 0.5
    return LabelledBatch(
        torch.where(flipped[:, None, None, None], flip_image(images), images),
        torch.where(flipped[:, None, None], flip_joints2d(joints2d), joints2d),
        torch.where(flipped[:, None, None], flip_joints3d(joints3d), joints3d),
    )


def _take(
    prior: PriorSet, rows: Int64[Tensor, " batch"]
) -> tuple[
    Float[Tensor, "batch 3 size size"],
    Float[Tensor, "batch 1 size size"],
    Float[Tensor, "batch 17 2"],
    Float[Tensor, "batch 17 3"],
]:
    chosen = rows.numpy()
    person = torch.from_numpy(prior.image[chosen]).permute(0, 3, 1, 2).float() / 255
    mask = torch.from_numpy(prior.mask[chosen])[:, None].float() / 255
    joints2d, joints3d = prior.joints2d[chosen], prior.joints3d[chosen]
    return person, mask, torch.from_numpy(joints2d), torch.from_numpy(joints3d)


def _composite(
    person: Float[Tensor, "batch 3 size size"],
    mask: Float[Tensor, "batch 1 size size"],
    background: Float[Tensor, "batch 3 size size"],
) -> Float[Tensor, "batch 3 size size"]:
    return person + background * (1 - mask)


def _recolour(
    images: Float[Tensor, "batch 3 size size"], change: Float[Tensor, "batch 5"], strength: float
) -> Float[Tensor, "batch 3 size size"]:
    """Contrast about the mean, brightness, and a gain for each channel."""
    factors = 1 + strength * change[:, :, None, None]
    mean = images.mean((1, 2, 3), keepdim=True)
    changed = (images - mean) * factors[:, :1] + mean * factors[:, 1:2]
    return (changed * factors[:, 2:].sqrt()).clamp(0, 1)
