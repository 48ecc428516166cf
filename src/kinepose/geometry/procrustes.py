"""Poses laid over each other: Procrustes' alignment, behind every P-MPJPE."""

import roma
import torch
from jaxtyping import Float
from torch import Tensor


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
