"""T_c, from 3D joints to 2D joints by a fixed perspective camera (Sec. 3.1b of the paper).

The camera frame has x to the right, y down and z away from the viewer. A camera c holds (sin, cos)
of azimuth, elevation and roll; the extended camera adds log scale and a shift in x and y of the
image, all 0 in the paper. 2D joints run from -1 to 1 from edge to edge of the square crop, so
that the centre of pixel i of n lies at (i + 0.5) / n * 2 - 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinepose.geometry.devices import constant
from kinepose.geometry.rotations import rotation_about, unit

DISTANCE = 3.0
"""From the camera to the pelvis [canonical]: T_c = (0, 0, DISTANCE). About 5 m for an adult."""
HALF_SIDE = 0.7
"""Half the side of the crop at the depth of the pelvis [canonical]."""
FOCAL_LENGTH = DISTANCE / HALF_SIDE
"""Of the fixed camera P, in halves of the crop's side."""
OWN_CERTAINTY = 0.15
"""In `refit_camera`, of where a camera that was found from all that is seen shows a joint."""
NEAREST_DEPTH = 0.1
"""Depths are smoothly kept above this [canonical]."""


def project(
    joints: Float[Tensor, "*batch 17 3"], camera: Float[Tensor, "*batch camera"]
) -> Float[Tensor, "*batch 17 2"]:
    """T_c: p_3D [canonical], c -> p_2D = P(R_c p_3D + T_c), for a c of 6 numbers or, extended, 9.

    The camera looks at the pelvis, which therefore lies in the middle of the crop, or where the
    extended camera shifts it.
    """
    rotation = rotation_camera_from_canonical(camera)
    x, y, z = (joints @ rotation.transpose(-1, -2)).unbind(-1)
    depth = _smooth_floor(z + DISTANCE)
    joints2d = FOCAL_LENGTH * torch.stack([x / depth, y / depth], dim=-1)
    if camera.shape[-1] == 6:
        return joints2d
    log_scale, shift = camera[..., None, 6:7], camera[..., None, 7:9]
    return log_scale.exp() * joints2d + shift


def rotation_camera_from_canonical(
    camera: Float[Tensor, "*batch camera"],
) -> Float[Tensor, "*batch 3 3"]:
    """R_c = R_roll R_elevation R_0 R_azimuth, where R_0 shows an upright person from the front.

    Azimuth turns the person about C's z, elevation about the camera's x, roll about its z. Pairs
    (sin, cos) are normalised first; (0, 0) counts as angle 0.
    """
    azimuth, elevation, roll = (camera[..., i : i + 2] for i in (0, 2, 4))
    front = constant(((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0)), like=camera)
    return (
        _rotation(roll, axis=2) @ _rotation(elevation, axis=0) @ front @ _rotation(azimuth, axis=2)
    )


def camera_from_rotation(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The camera c whose R_c is the given rotation, with its elevation in [-pi/2, pi/2].

    Where the trunk points along the line of sight, azimuth and roll turn about one axis and any
    split between them is as good as another. For labels: there it has no gradient.
    """
    up_x, up_y, up_z = rotation[..., :, 2].unbind(-1)
    elevation = torch.atan2(-up_z, torch.hypot(up_x, up_y))
    roll = torch.atan2(up_x, -up_y)
    from_front = _pairs(torch.zeros_like(roll), elevation, roll)
    about_up = rotation_camera_from_canonical(from_front).transpose(-1, -2) @ rotation
    azimuth = torch.atan2(about_up[..., 1, 0], about_up[..., 0, 0])
    return _pairs(azimuth, elevation, roll)


def fit_camera(
    joints: Float[Tensor, "*batch 17 3"],
    rotation: Float[Tensor, "*batch 3 3"],
    joints2d: Float[Tensor, "*batch 17 2"],
) -> tuple[Float[Tensor, "*batch 9"], Float[Tensor, "*batch"]]:
    """The extended camera that shows joints [canonical] nearest to where they are in a crop.

    Its rotation_camera_from_canonical is given; scale and shift are the least-squares solution.
    Returns the camera and its residual, the root mean square distance [half crop sides].
    """
    angles = camera_from_rotation(rotation)
    camera = _with_scale_and_shift(joints, angles, joints2d, torch.ones_like(joints[..., 0]))
    residual = (project(joints, camera) - joints2d).square().sum(-1).mean(-1).sqrt()
    return camera, residual


def refit_camera(
    joints: Float[Tensor, "*batch 17 3"],
    camera: Float[Tensor, "*batch 9"],
    joints2d: Float[Tensor, "*batch 17 2"],
    certainty: Float[Tensor, "*batch 17"],
) -> Float[Tensor, "*batch 9"]:
    """The same view, with the scale and shift that show joints nearest to where they are seen.

    Weighted least squares, by the square of the certainty; where the camera itself would show a
    joint counts as seen with a certainty of OWN_CERTAINTY, which decides where little is seen.
    """
    seen, own = certainty.square()[..., None], OWN_CERTAINTY**2
    target = (seen * joints2d + own * project(joints, camera)) / (seen + own)
    return _with_scale_and_shift(joints, camera[..., :6], target, (seen + own).squeeze(-1))


def _with_scale_and_shift(
    joints: Float[Tensor, "*batch 17 3"],
    angles: Float[Tensor, "*batch 6"],
    joints2d: Float[Tensor, "*batch 17 2"],
    weight: Float[Tensor, "*batch 17"],
) -> Float[Tensor, "*batch 9"]:
    """The extended camera of these angles whose scale and shift are the least-squares solution."""
    share = (weight / weight.sum(-1, keepdim=True))[..., None]
    projected = project(joints, angles)
    centre, target_centre = ((share * points).sum(-2) for points in (projected, joints2d))
    spread, target_spread = projected - centre[..., None, :], joints2d - target_centre[..., None, :]
    size = (share * spread.square()).sum((-1, -2)).clamp(min=1e-12)
    scale = ((share * spread * target_spread).sum((-1, -2)) / size).clamp(min=1e-3)
    shift = target_centre - scale[..., None] * centre
    return torch.cat([angles, scale.log()[..., None], shift], dim=-1)


def _pairs(*angles: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch pairs"]:
    stacked = torch.stack(angles, dim=-1)
    return torch.stack([stacked.sin(), stacked.cos()], dim=-1).flatten(-2)


def _smooth_floor(depth: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Equal to the depth where it is well above NEAREST_DEPTH, never below it."""
    return NEAREST_DEPTH + functional.softplus(depth - NEAREST_DEPTH, beta=20)


def _rotation(pair: Float[Tensor, "*batch 2"], axis: int) -> Float[Tensor, "*batch 3 3"]:
    """By an angle given as (sin, cos), of any length; (0, 0) is angle 0."""
    sine, cosine = unit(pair, fallback=constant((0.0, 1.0), like=pair)).unbind(-1)
    return rotation_about(axis, sine, cosine)
