"""How far a human joint turns, and rotations as (swing, twist) within those limits.

A rotation of the rig is a swing about a horizontal axis, the bone's direction, after a twist about
the bone itself (z). The three numbers (swing x, swing y, twist z) [rad] are what limits and smooth
random motion are made of, as the set of poses within the limits is convex in them.
"""

import math

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.synthetic.body import RIG, RIG_MIRRORED

_DEGREES = {
    "chest": ((-25, 65), (-35, 35), (-40, 40)),
    "neck": ((-45, 45), (-35, 35), (-70, 70)),
    "left_hip": ((-130, 25), (-60, 20), (-40, 50)),
    "left_knee": ((-3, 150), (-1, 1), (-1, 1)),
    "left_ankle": ((-45, 45), (-30, 30), (-30, 30)),
    "left_shoulder": ((-165, 55), (-145, 30), (-80, 80)),
    "left_elbow": ((-145, 3), (-1, 1), (-60, 60)),
}
"""Least and largest swing x (negative: limbs forward, trunk backward), swing y (negative: to the
left) and twist of the joints of the midline and of the left side, as in textbooks of anatomy."""


def _limits() -> Float[Tensor, "bones 3 2"]:
    limits = torch.zeros(len(RIG), 3, 2)
    for bone, name in enumerate(RIG[1:], start=1):
        left = _DEGREES[name.replace("right_", "left_")]
        limits[bone] = torch.tensor(left)
        if name.startswith("right_"):
            limits[bone, 1:] = -limits[bone, 1:].flip(-1)
    return limits.deg2rad()


LIMITS = _limits()
"""Least and largest (swing x, swing y, twist) of each bone [rad]; the root has none."""


def to_swing_twist(rotations: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Unit quaternions (x, y, z, w) -> (swing x, swing y, twist) [rad]."""
    z, w = rotations[..., 2], rotations[..., 3]
    twist = 2 * torch.atan2(z, w)
    twist = torch.remainder(twist + math.pi, 2 * math.pi) - math.pi
    about_z = _about_z(twist)
    swing = roma.unitquat_to_rotvec(roma.quat_product(rotations, roma.quat_conjugation(about_z)))
    return torch.cat([swing[..., :2], twist[..., None]], dim=-1)


def from_swing_twist(angles: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """(swing x, swing y, twist) [rad] -> unit quaternions (x, y, z, w)."""
    swing = torch.cat([angles[..., :2], torch.zeros_like(angles[..., :1])], dim=-1)
    return roma.quat_product(roma.rotvec_to_unitquat(swing), _about_z(angles[..., 2]))


def clamp_to_limits(angles: Float[Tensor, "*batch 13 3"]) -> Float[Tensor, "*batch 13 3"]:
    """Swing and twist drawn back to the border of their joint's limits; the root stays free."""
    swing = angles[..., :2] / swing_reach(angles)[..., None].clamp(min=1.0)
    least, largest = LIMITS.to(angles)[1:, 2].unbind(-1)
    twist = torch.cat([angles[..., :1, 2], angles[..., 1:, 2].clamp(least, largest)], dim=-1)
    return torch.cat([swing, twist[..., None]], dim=-1)


def swing_reach(angles: Float[Tensor, "*batch 13 3"]) -> Float[Tensor, "*batch 13"]:
    """Size of a swing in terms of its limit: at most 1 within; 0 for the root.

    The two swings share an ellipse in each quadrant: an arm that is all the way up cannot be all
    the way out as well.
    """
    limits, swing = LIMITS.to(angles)[1:, :2], angles[..., 1:, :2]
    limit = torch.where(swing < 0, -limits[..., 0], limits[..., 1])
    reach = (swing / limit).square().sum(-1).sqrt()
    return torch.nn.functional.pad(reach, (1, 0))


def mirror_rotations(rotations: Float[Tensor, "*batch 13 4"]) -> Float[Tensor, "*batch 13 4"]:
    """The pose seen in a mirror: left becomes right."""
    signs = rotations.new_tensor([1.0, -1.0, -1.0, 1.0])
    return rotations[..., RIG_MIRRORED, :] * signs


def _about_z(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 4"]:
    zero = torch.zeros_like(angle)
    return torch.stack([zero, zero, (angle / 2).sin(), (angle / 2).cos()], dim=-1)
