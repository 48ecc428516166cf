"""Skirts, and the lower parts of coats: cloth around both legs, hung on the posed body.

Rings of vertices lie around the two legs at levels from above the hips downward. A level is a share
of the leg's length: 0 at the hips, 1/2 at the knees, 1 at the ankles, below 0 up the trunk.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinepose.synthetic.body import BodyModel
from kinepose.synthetic.clothing import Skirt

_AROUND, _LEVELS = 24, 9
_TOP = -0.2
"""Level of the upper border."""
_SLACK = 0.015
"""Least distance of the cloth from the legs at rest [m]."""
_BONES_WITHIN = ("root", "pelvis", "spine05", "upperleg", "lowerleg")
_RIGHT_HIP, _LEFT_HIP, _SPINE = 1, 4, 7


def skirt_faces() -> Int[Tensor, "faces 3"]:
    """Faces of a skirt's vertices: outside, then inside, so that the cloth has two sides."""
    ring, column = torch.meshgrid(torch.arange(_LEVELS - 1), torch.arange(_AROUND), indexing="ij")
    upper = (ring * _AROUND + column).flatten()
    upper_next = (ring * _AROUND + (column + 1) % _AROUND).flatten()
    lower, lower_next = upper + _AROUND, upper_next + _AROUND
    outside = torch.cat(
        [
            torch.stack([upper, lower, upper_next], -1),
            torch.stack([upper_next, lower, lower_next], -1),
        ]
    )
    return torch.cat([outside, outside.flip(1) + _LEVELS * _AROUND]).int()


def skirt_places(body: BodyModel, part: float) -> Float[Tensor, "vertices 4"]:
    """Where the vertices of a skirt down to the ankles lie on the body at rest, and their part."""
    hips = body.bone_heads[[body.bones.index(f"upperleg01.{side}") for side in "LR"]]
    ankles = body.bone_heads[[body.bones.index(f"foot.{side}") for side in "LR"]]
    z = torch.lerp(hips[0, 2], ankles[0, 2], torch.linspace(_TOP, 1, _LEVELS))
    angle = _angles()
    rings = torch.stack([0.2 * angle.cos(), 0.2 * angle.sin()], dim=-1).expand(_LEVELS, -1, 2)
    z = z[:, None, None].expand(-1, _AROUND, 1)
    places = torch.cat([rings, z, torch.full_like(z, part)], dim=-1).flatten(0, 1)
    return places.repeat(2, 1)


def hang_skirt(
    body: BodyModel,
    vertices: Float[Tensor, "frames vertices 3"],
    joints: Float[Tensor, "frames 17 3"],
    skirt: Skirt,
) -> Float[Tensor, "frames skirt 3"]:
    """Vertices of a skirt on a body whose vertices and joints are known [m]."""
    levels = torch.linspace(_TOP, skirt.length, _LEVELS)
    right, left = (_leg(joints, hip, levels) for hip in (_RIGHT_HIP, _LEFT_HIP))
    middle = (right + left) / 2
    down = torch.nn.functional.normalize(torch.gradient(middle, dim=1)[0], dim=-1)
    across = (joints[:, _LEFT_HIP] - joints[:, _RIGHT_HIP])[:, None].expand_as(down)
    behind = torch.nn.functional.normalize(torch.linalg.cross(across, down), dim=-1)
    across = torch.linalg.cross(down, behind)
    cosine, sine = _angles().cos()[:, None], _angles().sin()[:, None]
    outward = cosine * across[:, :, None] + sine * behind[:, :, None]
    centre = torch.lerp(right[:, :, None], left[:, :, None], (0.5 + cosine).clamp(0, 1))
    radius = _radii(body, vertices[0], joints[0], levels) + skirt.flare * levels.clamp(min=0)
    return (centre + radius[:, None, None] * outward).flatten(1, 2).repeat(1, 2, 1)


def _angles() -> Float[Tensor, " around"]:
    return torch.arange(_AROUND) * (2 * math.pi / _AROUND)


def _leg(
    joints: Float[Tensor, "frames 17 3"], hip: int, levels: Float[Tensor, " levels"]
) -> Float[Tensor, "frames levels 3"]:
    """The leg's middle at each level; above the hips it goes up the trunk."""
    start, knee, ankle = (joints[:, None, hip + i] for i in range(3))
    up = torch.nn.functional.normalize(joints[:, None, _SPINE] - joints[:, None, 0], dim=-1)
    length = (knee - start).norm(dim=-1, keepdim=True) + (ankle - knee).norm(dim=-1, keepdim=True)
    level = levels[None, :, None]
    return (
        start
        + level.clamp(max=0) * -length * up
        + level.clamp(0, 0.5) * 2 * (knee - start)
        + (level - 0.5).clamp(min=0) * 2 * (ankle - knee)
    )


def _radii(
    body: BodyModel,
    vertices: Float[Tensor, "vertices 3"],
    joints: Float[Tensor, "17 3"],
    levels: Float[Tensor, " levels"],
) -> Float[Tensor, " levels"]:
    """Distance of the cloth from the legs' middles at each level, so that all flesh is within."""
    bones = [i for i, bone in enumerate(body.bones) if bone.startswith(_BONES_WITHIN)]
    flesh = vertices[torch.isin(body.dominant_bone, torch.tensor(bones))]
    measured = torch.linspace(_TOP, 1, 12)
    right, left = (_leg(joints[None], hip, measured)[0] for hip in (_RIGHT_HIP, _LEFT_HIP))
    apart = torch.stack(
        [torch.cdist(flesh, position) for position in (right, left, (right + left) / 2)]
    )
    nearest, level = apart.amin(0).min(1)
    radii = torch.zeros(12).scatter_reduce(0, level, nearest, "amax")
    position = (levels - _TOP) / (1 - _TOP) * 11
    before = position.long().clamp(max=10)
    return torch.lerp(radii[before], radii[before + 1], position - before) + _SLACK
