"""The three losses of the paper, and the supervised ones of its variants.

Each is a pure function of a model and a batch, and returns its terms by name, weighted; their sum
is the loss. |.| is the mean absolute difference, over all numbers of a batch. Which parameters a
loss trains is said by `trained_modules`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinepose.dataset.pairs import PairBatch
from kinepose.dataset.renders import LabelledBatch
from kinepose.geometry.image_transforms import (
    flip_image,
    flip_joints2d,
    rotate_image,
    rotate_joints2d,
)
from kinepose.method.heatmap_head import centres
from kinepose.method.model import Model, Poses
from kinepose.method.spatial_maps import heatmaps, pixel_centres

LANDMARK_MAPS = 0.05
"""Weight of the landmarks' maps: a cross-entropy of some 3 nats beside distances of some 0.1."""
_FAR_OUTSIDE = 1e-4
"""Sum of a heatmap below which its joint counts as outside the picture: no map can show it."""

LossName = Literal["prior", "paired", "unpaired", "joints2d", "joints3d"]
Terms = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of L_P and L_UNP."""

    pixels: float = 1.0
    pose: float = 1.0
    """lambda_1 of L_P; the same term of L_UNP has weight 1."""
    appearance: float = 1.0
    """lambda_2"""


@dataclass(frozen=True)
class ImageTransform:
    """T of L_UNP: a flip for some pictures of a batch, then a rotation in the plane."""

    flipped: Bool[Tensor, " batch"]
    angle: Float[Tensor, " batch"]
    """[rad]"""

    def apply(self, images: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 h w"]:
        """T."""
        flipped = torch.where(self.flipped[:, None, None, None], flip_image(images), images)
        return rotate_image(flipped, self.angle)

    def undo(self, joints2d: Float[Tensor, "batch 17 2"]) -> Float[Tensor, "batch 17 2"]:
        """T^-1, of what was seen in the transformed picture; sides are exchanged by a flip."""
        upright = rotate_joints2d(joints2d, -self.angle)
        return torch.where(self.flipped[:, None, None], flip_joints2d(upright), upright)


def prior_loss(model: Model, batch: LabelledBatch) -> Terms:
    """L_prior: supervision of p_3D and p_2D on the renders (Sec. 3.2, 3.3).

    With labels of films in place of those of renders it is the loss of the variants 'semi' and
    'full 3D'.
    """
    poses = model.predict(batch.images)
    difference = _difference(poses.joints3d, batch.joints3d)
    return {"joints3d": difference, **_joints2d_terms(model, poses, batch.joints2d)}


def joints2d_loss(model: Model, batch: LabelledBatch) -> Terms:
    """Supervision of p_2D alone, of the variant 'weakly' (Sec. 4a)."""
    return _joints2d_terms(model, model.predict(batch.images), batch.joints2d)


def _joints2d_terms(model: Model, poses: Poses, joints2d: Float[Tensor, "batch 17 2"]) -> Terms:
    """Of p_2D, and of the landmarks of an E_P that has them: their maps and their centres."""
    terms = {"joints2d": _difference(poses.joints2d, joints2d)}
    if poses.landmarks is not None:
        places = pixel_centres(*poses.landmarks.shape[-2:], joints2d)
        wanted = heatmaps(joints2d, places, model.config.sigma)
        wanted = wanted / wanted.sum((-1, -2), keepdim=True).clamp(min=_FAR_OUTSIDE)
        surprise = -(wanted * poses.landmarks).sum((-1, -2)).mean()
        terms["landmarks"] = LANDMARK_MAPS * surprise
        terms["centres"] = _difference(centres(poses.landmarks), joints2d)
    return terms


def paired_loss(model: Model, batch: PairBatch, weights: Weights) -> Terms:
    """L_P = |I_t - I^_t| + lambda_1 |p_2D - p^_2D| + lambda_2 |f_a - f^_a| (Sec. 3.3a).

    Pixels whose background is not known are left out of the first term; terms without weight are
    left out altogether.
    """
    assert batch.background is not None and batch.valid is not None
    poses = model.predict(batch.target)
    appearance = model.appearance(batch.source)
    painted = model.paint(poses.joints2d, appearance, batch.background)
    pixels = (painted - batch.target).abs() * batch.valid
    terms = {"pixels": weights.pixels * pixels.sum() / (3 * batch.valid.sum()).clamp(min=1)}
    if weights.pose:
        again = model.predict(painted).joints2d
        terms["pose"] = weights.pose * _difference(poses.joints2d, again)
    if weights.appearance:
        again = model.appearance(painted)
        terms["appearance"] = weights.appearance * _difference(appearance, again)
    return terms


def unpaired_loss(
    model: Model, batch: PairBatch, transform: ImageTransform, weights: Weights
) -> Terms:
    """L_UNP = |p_2D - p~_2D| + lambda_2 |f_a - f~_a| (Sec. 3.3b); the batch's background is B_r.

    D_I is the energy function: gradients pass through it, and nothing in it changes. T acts on
    E_P's input alone.
    """
    assert batch.background is not None
    poses = model.predict(batch.target)
    appearance = model.appearance(batch.source)
    painted = model.paint(poses.joints2d, appearance, batch.background)
    again = transform.undo(model.predict(transform.apply(painted)).joints2d)
    return {
        "pose": _difference(poses.joints2d, again),
        "appearance": weights.appearance * _difference(appearance, model.appearance(painted)),
    }


def trained_modules(model: Model, loss: LossName) -> list[nn.Module]:
    """What a loss trains; all else keeps its parameters and buffers bit for bit.

    The convolutions from maps to f_2D belong to D_I. The networks that bypass T_fk or T_m in the
    ablations stand with their neighbours: the one with E_P, the other with D_I.
    """
    pose = [model.pose_encoder, model.kinematics_network]
    appearance = [model.appearance_encoder]
    decoder = [model.decoder, model.maps_network]
    chosen = {
        "prior": pose,
        "joints2d": pose,
        "joints3d": pose,
        "paired": pose + appearance + decoder,
        "unpaired": pose + appearance,
    }[loss]
    return [module for module in chosen if module is not None]


@torch.no_grad()
def energy(
    model: Model,
    images: Float[Tensor, "batch 3 size size"],
    sources: Float[Tensor, "batch 3 size size"],
) -> Float[Tensor, " batch"]:
    """L_UNP's disagreement for each picture, with T = identity and before a grey background.

    Both terms have weight 1, whatever lambda_2 the model was trained with.
    """
    joints2d, appearance = model.predict(images).joints2d, model.appearance(sources)
    painted = model.paint(joints2d, appearance, torch.full_like(images, 0.5))
    pose = (joints2d - model.predict(painted).joints2d).abs().mean((1, 2))
    return pose + (appearance - model.appearance(painted)).abs().mean((1, 2, 3))


def _difference(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    return (a - b).abs().mean()
