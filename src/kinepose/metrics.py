"""How far a pose is from the truth, one number a pose, in the unit of the input.

Each metric takes (predicted, truth) with the root at the origin: centring them on the pelvis, or
on the point that a benchmark asks for, is the caller's. The alignments are functions of their own,
so that errors can be read joint by joint.
"""

import roma
import torch
from jaxtyping import Float
from torch import Tensor


def mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the joints."""
    return joint_errors(predicted, truth).mean(-1)


def n_mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the joints once each pose has its best scale (Rhodin et al. 2018)."""
    return mpjpe(scaled(predicted, truth), truth)


def p_mpjpe(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch"]:
    """Mean distance of the joints once each pose is aligned: Martinez' protocol 2, PA-MPJPE."""
    return mpjpe(aligned(predicted, truth), truth)


def joint_errors(
    predicted: Float[Tensor, "*batch joints dimensions"],
    truth: Float[Tensor, "*batch joints dimensions"],
) -> Float[Tensor, "*batch joints"]:
    """Distance of each joint from where it is, in 2D or 3D."""
    return (predicted - truth).norm(dim=-1)


def scaled(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints 3"]:
    """Each predicted pose p times <p, g> / <p, p>, its least-squares scale to the truth g.

    A scale below 0, of a pose that is the wrong way round, is kept, as VideoPose3D keeps it. A
    pose that is all zeros stays so.
    """
    product = (predicted * truth).sum((-1, -2))
    square = predicted.square().sum((-1, -2))
    scale = product / torch.where(square > 0, square, 1)
    return scale[..., None, None] * predicted


def aligned(
    predicted: Float[Tensor, "*batch joints 3"], truth: Float[Tensor, "*batch joints 3"]
) -> Float[Tensor, "*batch joints 3"]:
    """Each predicted pose after the similarity, det(R) = +1, that brings it nearest to the truth.

    A pose whose joints all lie in one point goes to the centre of the truth, the limit of scale 0.
    """
    spread = (predicted - predicted.mean(-2, keepdim=True)).abs().amax((-1, -2), keepdim=True)
    extent = predicted.abs().amax((-1, -2), keepdim=True)
    is_point = spread <= 8 * torch.finfo(predicted.dtype).eps * extent
    usable = torch.where(is_point, truth, predicted)
    rotation, shift, scale = roma.rigid_points_registration(usable, truth, compute_scaling=True)
    moved = scale[..., None, None] * usable @ rotation.transpose(-1, -2) + shift[..., None, :]
    return torch.where(is_point, truth.mean(-2, keepdim=True), moved)
