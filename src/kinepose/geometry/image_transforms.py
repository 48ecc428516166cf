"""Flip and in-plane rotation of a picture and of everything that is said about it.

These are T and T^-1 of L_UNP (Sec. 3.3b of the paper) and the mirroring and in-plane rotation that
augment the renders of L_prior. Angles are in radians, clockwise as seen on the screen.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kinepose.geometry.skeleton import FREE_JOINTS, MIRRORED

_MIRRORED_FREE = [FREE_JOINTS.index(MIRRORED[joint]) for joint in FREE_JOINTS]


def flip_image(
    images: Float[Tensor, "*batch channels height width"],
) -> Float[Tensor, "*batch channels height width"]:
    """Left becomes right."""
    return images.flip(-1)


def flip_joints2d(joints2d: Float[Tensor, "*batch 17 2"]) -> Float[Tensor, "*batch 17 2"]:
    """The sign of x changes, and each joint becomes its counterpart on the other side."""
    return joints2d[..., MIRRORED, :] * joints2d.new_tensor([-1.0, 1.0])


def flip_joints3d(joints: Float[Tensor, "*batch 17 3"]) -> Float[Tensor, "*batch 17 3"]:
    """The mirrored pose in the canonical frame: y, towards the left, changes its sign."""
    return joints[..., MIRRORED, :] * joints.new_tensor([1.0, -1.0, 1.0])


def flip_parameters(parameters: Float[Tensor, "*batch 40"]) -> Float[Tensor, "*batch 40"]:
    """v_k of the mirrored pose."""
    directions = parameters[..., 1:].unflatten(-1, (len(FREE_JOINTS), 3))
    mirrored = directions[..., _MIRRORED_FREE, :] * parameters.new_tensor([1.0, -1.0, 1.0])
    return torch.cat([-parameters[..., :1], mirrored.flatten(-2)], dim=-1)


def flip_camera(camera: Float[Tensor, "*batch camera"]) -> Float[Tensor, "*batch camera"]:
    """The camera that shows the mirrored pose in the mirrored picture, for a c of 6 or 9."""
    signs = camera.new_tensor([-1.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    return camera * signs[: camera.shape[-1]]


def rotate_image(
    images: Float[Tensor, "batch channels size size"], angle: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channels size size"]:
    """Square pictures turned about their centre; the corners are filled from the border."""
    grid_from_output = functional.pad(_rotation(-angle), (0, 1))
    grid = functional.affine_grid(grid_from_output, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def rotate_joints2d(
    joints2d: Float[Tensor, "*batch 17 2"], angle: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 17 2"]:
    """2D joints turned about the centre of the crop."""
    return joints2d @ _rotation(angle).transpose(-1, -2)


def rotate_camera(
    camera: Float[Tensor, "*batch camera"], angle: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch camera"]:
    """The camera of the turned picture, for a c of 6 or 9: roll grows, the pose stays as it is."""
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


def _rotation(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 2 2"]:
    """Clockwise on the screen, as y points down."""
    sine, cosine = angle.sin(), angle.cos()
    rows = [[cosine, -sine], [sine, cosine]]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
