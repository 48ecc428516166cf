"""Unit vectors and rotation matrices, finite where the textbook's formulas are not."""

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.devices import constant

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
"""The rotation that changes nothing."""


def unit(
    vectors: Float[Tensor, "*#batch size"],
    fallback: Float[Tensor, "*#batch size"],
    shortest: float = 1e-8,
) -> Float[Tensor, "*batch size"]:
    """Vectors scaled to length 1; where one is no longer than `shortest`, the fallback instead."""
    squared = vectors.square().sum(-1, keepdim=True)
    long_enough = squared > shortest**2
    safe = torch.where(long_enough, squared, torch.ones_like(squared))
    return torch.where(long_enough, vectors * safe.rsqrt(), fallback)


def smallest_rotation(
    start: Float[Tensor, "*#batch 3"], end: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """The rotation by the smallest angle that takes the unit vector `start` to `end`.

    It is the half turn about `start` followed by the half turn about the bisector of the two, and
    so a true rotation even at the antipode, where the bisector is any perpendicular: there, and as
    near to it as rounding leaves the sum of the two without a direction.
    """
    shortest = torch.finfo(start.dtype).eps ** 0.5
    bisector = unit(start + end, fallback=any_perpendicular(start), shortest=shortest)
    return _half_turn(bisector) @ _half_turn(start)


def _half_turn(axis: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    return 2 * axis[..., :, None] * axis[..., None, :] - constant(IDENTITY, like=axis)


def any_perpendicular(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """A unit vector at a right angle to each unit vector."""
    smallest = vectors.abs().argmin(dim=-1)
    axis = torch.nn.functional.one_hot(smallest, 3).to(vectors)
    perpendicular = torch.linalg.cross(vectors, axis)
    return perpendicular / perpendicular.norm(dim=-1, keepdim=True)


def rotation_about(
    axis: int, sine: Float[Tensor, "*batch"], cosine: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Right-handed rotation about axis 0 (x) or 2 (z)."""
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    if axis == 0:
        rows = [[one, zero, zero], [zero, cosine, -sine], [zero, sine, cosine]]
    else:
        rows = [[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
