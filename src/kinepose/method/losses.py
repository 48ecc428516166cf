"""The three losses of the paper, and the supervised ones of its variants.

Each is a pure function of a model and a batch, and returns its terms by name, weighted; their sum
is the loss. |.| is the mean absolute difference, over all numbers of a batch. The functions at the
end say which parameters a loss trains; training/losses.py says when each loss has its turn.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from kinepose.geometry.image_transforms import (
    flip_image,
    flip_joints2d,
    rotate_image,
    rotate_joints2d,
)
from kinepose.method.batches import (
    LabelledBatch,
    PaintingBatch,
    PairBatch,
    PoseBatch,
    TaughtBatch,
)
from kinepose.method.camera_projection import rotation_camera_from_canonical
from kinepose.method.model import Model, Poses
from kinepose.method.spatial_maps import heatmaps, pixel_centres

HEATMAP_SIGMA = 0.05
"""Width of the Gaussian that a joint's heatmap is told to be [half crop sides]."""
_COVER = 0.03
"""Weight of what the person covers: it matters first, and pixels in the end."""
_FAR_OUTSIDE = 1e-4
"""Sum of a heatmap below which its joint counts as outside the image: no map can show it."""

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
    """T of L_UNP: a flip for some images of a batch, then a rotation in the plane."""

    flipped: Bool[Tensor, " batch"]
    angle: Float[Tensor, " batch"]
    """[rad]"""

    def apply(self, images: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 h w"]:
        """T."""
        flipped = torch.where(self.flipped[:, None, None, None], flip_image(images), images)
        return rotate_image(flipped, self.angle)

    def undo(self, joints2d: Float[Tensor, "batch 17 2"]) -> Float[Tensor, "batch 17 2"]:
        """T^-1, of what was seen in the transformed image; sides are exchanged by a flip."""
        upright = rotate_joints2d(joints2d, -self.angle)
        return torch.where(self.flipped[:, None, None], flip_joints2d(upright), upright)


def prior_loss(model: Model, batch: LabelledBatch) -> Terms:
    """L_prior: supervision of p_3D and p_2D on the renders (Sec. 3.2, 3.3).

    Where the batch knows the camera's axes also of R_c p_3D, which tells front from back, and
    where E_P has heatmaps also of these (neither is in the paper). With labels of videos in place
    of those of renders it is the loss of the variant 'full'.
    """
    poses = model.predict(batch.images)
    return _joints3d_terms(poses, batch.joints3d, batch.camera) | _joints2d_terms(
        poses, batch.joints2d, batch.mask
    )


def lifting_loss(model: Model, batch: PoseBatch) -> Terms:
    """Supervision of what the branches say of 2D joints of poses that nobody rendered.

    Not in the paper: poses without images are endless, and their 2D joints are disturbed as the
    heatmaps' are.
    """
    poses = model.lift(batch.seen2d, batch.certainty)
    terms = {"joints2d": _difference(poses.joints2d, batch.joints2d)}
    return _joints3d_terms(poses, batch.joints3d, batch.camera) | terms


def painting_loss(model: Model, batch: PaintingBatch) -> Terms:
    """|I_t - I^_t| of renders, painted from where their joints are; and what the person covers.

    Not in the paper, whose D_I learns from what E_P says of videos, and so E_P's mistakes as well.
    """
    appearance = model.appearance(batch.source, batch.source_joints2d)
    painted = model.painted(batch.joints2d, appearance, batch.background)
    terms = {"pixels": _difference(painted.image, batch.target)}
    if painted.cover is not None:
        told = functional.binary_cross_entropy_with_logits(painted.cover, batch.mask)
        terms["cover"] = _COVER * told
    return terms


def teacher_loss(model: Model, batch: TaughtBatch) -> Terms:
    """Supervision of the heatmaps by what a teacher says, as far as it is certain.

    Not in the paper (dataset/taught.py). A joint has the square of its certainty as weight.
    """
    keypoints = model.see(batch.images)
    assert keypoints.maps is not None
    weights = batch.certainty.square()
    return {"heatmaps": _heatmap_term(keypoints.maps.joints, batch.joints2d, weights)}


def joints2d_loss(model: Model, batch: LabelledBatch) -> Terms:
    """Supervision of p_2D alone, of the variant 'weakly' (Sec. 4a)."""
    return _joints2d_terms(model.predict(batch.images), batch.joints2d, batch.mask)


def joints3d_loss(model: Model, batch: LabelledBatch) -> Terms:
    """Supervision of p_3D alone, of the variant 'semi' (Sec. 4a)."""
    return _joints3d_terms(model.predict(batch.images), batch.joints3d, batch.camera)


def _joints3d_terms(
    poses: Poses,
    joints3d: Float[Tensor, "batch 17 3"],
    camera: Float[Tensor, "batch 9"] | None,
) -> Terms:
    """Of p_3D [canonical], and of R_c p_3D where the camera is known."""
    terms = {"joints3d": _difference(poses.joints3d, joints3d)}
    if camera is not None:
        said, wanted = (
            joints @ rotation_camera_from_canonical(c).transpose(-1, -2)
            for joints, c in ((poses.joints3d, poses.camera), (joints3d, camera))
        )
        terms["in_camera"] = _difference(said, wanted)
    return terms


def _joints2d_terms(
    poses: Poses,
    joints2d: Float[Tensor, "batch 17 2"],
    mask: Float[Tensor, "batch 1 size size"] | None,
) -> Terms:
    """Of p_2D, and of the heatmaps of an E_P that has them."""
    terms = {"joints2d": _difference(poses.joints2d, joints2d)}
    if poses.keypoints is None or (maps := poses.keypoints.maps) is None:
        return terms
    terms["heatmaps"] = _heatmap_term(maps.joints, joints2d, torch.ones_like(joints2d[..., 0]))
    if mask is not None:
        shown = functional.adaptive_avg_pool2d(mask, maps.mask.shape[-1]).squeeze(1)
        terms["mask"] = functional.binary_cross_entropy_with_logits(maps.mask, shown)
    return terms


def _heatmap_term(
    log_maps: Float[Tensor, "batch 17 rows columns"],
    joints2d: Float[Tensor, "batch 17 2"],
    weights: Float[Tensor, "batch 17"],
) -> Float[Tensor, ""]:
    """Cross-entropy against Gaussians at the joints, but for those that no map can show."""
    cells = pixel_centres(*log_maps.shape[-2:], joints2d)
    wanted = heatmaps(joints2d, cells, HEATMAP_SIGMA)
    total = wanted.sum((-1, -2), keepdim=True)
    weights = weights * (total.flatten(1) > _FAR_OUTSIDE)
    cross_entropy = -(wanted / total.clamp(min=_FAR_OUTSIDE) * log_maps).sum((-1, -2))
    return (cross_entropy * weights).sum() / weights.sum().clamp(min=1)


def paired_loss(model: Model, batch: PairBatch, weights: Weights) -> Terms:
    """L_P = |I_t - I^_t| + lambda_1 |p_2D - p^_2D| + lambda_2 |f_a - f^_a| (Sec. 3.3a).

    Pixels whose background is not known are left out of the first term; terms without weight are
    left out altogether. p_2D is held in the second: gradients pass through p^_2D alone, or poses
    become one, as what is painted before D_I can paint limbs is the same for all (docs/results.md).
    """
    assert batch.background is not None and batch.valid is not None
    poses = model.predict(batch.target)
    appearance = model.appearance(batch.source)
    painted = model.paint(poses.joints2d, appearance, batch.background)
    pixels = (painted - batch.target).abs() * batch.valid
    terms = {"pixels": weights.pixels * pixels.sum() / (3 * batch.valid.sum()).clamp(min=1)}
    if weights.pose:
        again = model.predict(painted).joints2d
        terms["pose"] = weights.pose * _difference(poses.joints2d.detach(), again)
    if weights.appearance:
        again = model.appearance(painted)
        terms["appearance"] = weights.appearance * _difference(appearance, again)
    return terms


def unpaired_loss(
    model: Model, batch: PairBatch, transform: ImageTransform, weights: Weights
) -> Terms:
    """L_UNP = |p_2D - p~_2D| + lambda_2 |f_a - f~_a| (Sec. 3.3b); the batch's background is B_r.

    D_I is the energy function: gradients pass through it, and nothing in it changes. T acts on
    E_P's input alone. p_2D is held, as in L_P.
    """
    assert batch.background is not None
    poses = model.predict(batch.target)
    appearance = model.appearance(batch.source)
    painted = model.paint(poses.joints2d, appearance, batch.background)
    again = transform.undo(model.predict(transform.apply(painted)).joints2d)
    return {
        "pose": _difference(poses.joints2d.detach(), again),
        "appearance": weights.appearance * _difference(appearance, model.appearance(painted)),
    }


@torch.no_grad()
def energy(
    model: Model,
    images: Float[Tensor, "batch 3 size size"],
    sources: Float[Tensor, "batch 3 size size"],
) -> Float[Tensor, " batch"]:
    """L_UNP's disagreement for each image, with T = identity and before a grey background.

    Both terms have weight 1, whatever lambda_2 the model was trained with.
    """
    joints2d, appearance = model.predict(images).joints2d, model.appearance(sources)
    painted = model.paint(joints2d, appearance, torch.full_like(images, 0.5))
    again = model.predict(painted).joints2d
    pose = (joints2d - again).abs().mean((1, 2))
    return pose + (appearance - model.appearance(painted, again)).abs().mean((1, 2, 3))


def pose_parameters(model: Model) -> list[nn.Parameter]:
    """What L_prior trains: E_P, and the network that bypasses T_fk in an ablation."""
    return model.pose_encoder.trained_parameters() + _parameters(model.kinematics_network)


def lifter_parameters(model: Model) -> list[nn.Parameter]:
    """What is trained without images: E_P's branches."""
    return _parameters(model.pose_encoder.lifter)


def all_parameters(model: Model) -> list[nn.Parameter]:
    """What L_P trains: E_P, E_A and D_I.

    The convolutions from maps to f_2D belong to D_I, as does the network that bypasses T_m in an
    ablation.
    """
    return pose_parameters(model) + painting_parameters(model)


def encoder_parameters(model: Model) -> list[nn.Parameter]:
    """What L_UNP trains: E_P and E_A; D_I is frozen."""
    return pose_parameters(model) + _parameters(model.appearance_encoder)


def painting_parameters(model: Model) -> list[nn.Parameter]:
    """What paints: E_A and D_I."""
    painters = (model.appearance_encoder, model.decoder, model.maps_network)
    return [parameter for network in painters for parameter in _parameters(network)]


def _parameters(module: nn.Module | None) -> list[nn.Parameter]:
    return [] if module is None else list(module.parameters())


def _difference(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    return (a - b).abs().mean()
