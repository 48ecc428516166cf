"""Flip and in-plane rotation of an image and of everything that is said about it.

These are T and T^-1 of L_UNP (Sec. 3.3b of the paper), the mirroring and in-plane rotation that
augment the renders of L_prior, and the zoom that jitters their crops. Angles are in radians,
clockwise as seen on the screen.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinepose.geometry.devices import constant, index
from kinepose.geometry.skeleton import FREE_JOINTS, MIRRORED

_MIRRORED_FREE = tuple(FREE_JOINTS.index(MIRRORED[joint]) for joint in FREE_JOINTS)


def flip_image(
    images: Float[Tensor, "*batch channels height width"],
) -> Float[Tensor, "*batch channels height width"]:
    """Left becomes right."""
    return images.flip(-1)


def flip_joints2d(joints2d: Float[Tensor, "*batch 17 2"]) -> Float[Tensor, "*batch 17 2"]:
    """The sign of x changes, and each joint becomes its counterpart on the other side."""
    return joints2d[..., index(MIRRORED, joints2d), :] * constant((-1.0, 1.0), joints2d)


def flip_joints3d(joints: Float[Tensor, "*batch 17 3"]) -> Float[Tensor, "*batch 17 3"]:
    """The mirrored pose in the canonical frame: y, towards the left, changes its sign."""
    return joints[..., index(MIRRORED, joints), :] * constant((1.0, -1.0, 1.0), joints)


def flip_parameters(parameters: Float[Tensor, "*batch 40"]) -> Float[Tensor, "*batch 40"]:
    """v_k of the mirrored pose."""
    directions = parameters[..., 1:].unflatten(-1, (len(FREE_JOINTS), 3))
    mirrored = directions[..., index(_MIRRORED_FREE, parameters), :]
    mirrored = mirrored * constant((1.0, -1.0, 1.0), parameters)
    return torch.cat([-parameters[..., :1], mirrored.flatten(-2)], dim=-1)


def flip_camera(camera: Float[Tensor, "*batch camera"]) -> Float[Tensor, "*batch camera"]:
    """The camera that shows the mirrored pose in the mirrored image, for a c of 6 or 9."""
    signs = constant((-1.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0), camera)
    return camera * signs[: camera.shape[-1]]


def rotate_image(
    images: Float[Tensor, "batch channels size size"],
    angle: Float[Tensor, " batch"],
    outside: Literal["border", "zeros"] = "border",
) -> Float[Tensor, "batch channels size size"]:
    """Square images turned about their centre; the corners are filled from the border."""
    output_to_input = functional.pad(_rotation(-angle), (0, 1))
    return _resample(images, output_to_input, images.shape[-1], outside)


def rotate_joints2d(
    joints2d: Float[Tensor, "*batch 17 2"], angle: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 17 2"]:
    """2D joints turned about the centre of the crop."""
    return joints2d @ _rotation(angle).transpose(-1, -2)


def rotate_camera(
    camera: Float[Tensor, "*batch camera"], angle: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch camera"]:
    """The camera of the turned image, for a c of 6 or 9: roll grows, the pose stays as it is."""
    sine, cosine = camera[..., 4], camera[..., 5]
    roll = [
        sine * angle.cos() + cosine * angle.sin(),
        cosine * angle.cos() - sine * angle.sin(),
    ]
    turned = torch.cat([camera[..., :4], torch.stack(roll, dim=-1)], dim=-1)
    if camera.shape[-1] == 6:
        return turned
    shift = (_rotation(angle) @ camera[..., 7:9, None]).squeeze(-1)
    return torch.cat([turned, camera[..., 6:7], shift], dim=-1)


def zoom_image(
    images: Float[Tensor, "batch channels size size"],
    size: int,
    log_scale: Float[Tensor, " batch"] | None = None,
    shift: Float[Tensor, "batch 2"] | None = None,
    angle: Float[Tensor, " batch"] | None = None,
    outside: Literal["border", "zeros"] = "zeros",
) -> Float[Tensor, "batch channels {size} {size}"]:
    """Square images in a new size [px]: turned about their centre, enlarged, shifted.

    In this order, by an angle, by exp(log_scale), and by a shift in half sides.
    """
    count = len(images)
    log_scale = images.new_zeros(count) if log_scale is None else log_scale
    shift = images.new_zeros(count, 2) if shift is None else shift
    angle = images.new_zeros(count) if angle is None else angle
    linear = (-log_scale).exp()[:, None, None] * _rotation(-angle)
    output_to_input = torch.cat([linear, -linear @ shift[:, :, None]], dim=-1)
    return _resample(images, output_to_input, size, outside)


def zoom_joints2d(
    joints2d: Float[Tensor, "*batch 17 2"],
    log_scale: Float[Tensor, "*batch"],
    shift: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch 17 2"]:
    """2D joints in the enlarged and shifted image."""
    return log_scale.exp()[..., None, None] * joints2d + shift[..., None, :]


def zoom_camera(
    camera: Float[Tensor, "*batch 9"],
    log_scale: Float[Tensor, "*batch"],
    shift: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch 9"]:
    """The extended camera of the enlarged and shifted image."""
    scale = log_scale.exp()[..., None]
    changed = [camera[..., 6:7] + log_scale[..., None], scale * camera[..., 7:9] + shift]
    return torch.cat([camera[..., :6], *changed], dim=-1)


def _resample(
    images: Float[Tensor, "batch channels height width"],
    output_to_input: Float[Tensor, "batch 2 3"],
    size: int,
    outside: str,
) -> Float[Tensor, "batch channels {size} {size}"]:
    shape = [*images.shape[:2], size, size]
    grid = functional.affine_grid(output_to_input, shape, align_corners=False)
    return functional.grid_sample(images, grid, padding_mode=outside, align_corners=False)


def _rotation(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 2 2"]:
    """Clockwise on the screen, as y points down."""
    sine, cosine = angle.sin(), angle.cos()
    rows = [[cosine, -sine], [sine, cosine]]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
