"""The video's own camera, from where people are seen by T_c to where they stand in its frame.

T_c looks straight at one pelvis, from a distance that is always the same. The video's camera is a
pinhole that looks past most people: its focal length is known or assumed, its principal point is
the middle of the image, and its lens does not distort. Its frame has x to the right, y down and
z away. Points of the video are in px from its top left corner.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.rotations import smallest_rotation, unit
from kinepose.geometry.skeleton import PELVIS

NEAREST = 100.0
"""No joint is placed nearer to the camera than this [mm]."""


def assumed_focal(size: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch"]:
    """Focal length [px] of a camera of which only the image's width and height [px] are known.

    The diagonal, a field of view of 53 degrees from corner to corner, as CLIFF (Li et al. 2022)
    assumes.
    """
    return size.norm(dim=-1)


def turned_to(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """From a camera's axes to those of one in its place that looks at a point.

    T_c's looks at the pelvis. By the smallest rotation.
    """
    ahead = points.new_tensor([0.0, 0.0, 1.0])
    return smallest_rotation(unit(points, fallback=ahead), ahead)


def turn_to_video(
    joints: Float[Tensor, "*batch 17 3"],
    joints2d: Float[Tensor, "*batch 17 2"],
    focal: Float[Tensor, "*batch"],
    middle: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch 17 3"]:
    """Joints about the pelvis, from the axes of T_c's camera to those of the video's.

    The one looks along the ray on which the other sees the pelvis; the smallest rotation between
    the two is what distorts the image around the pelvis least: it stretches, and turns nothing.
    """
    offset = joints2d[..., PELVIS, :] - middle
    ray = torch.cat([offset, focal[..., None]], dim=-1)
    return joints @ turned_to(ray)


def locate(
    joints: Float[Tensor, "*batch 17 3"],
    joints2d: Float[Tensor, "*batch 17 2"],
    focal: Float[Tensor, "*batch"],
    middle: Float[Tensor, "*batch 2"],
) -> Float[Tensor, "*batch 3"]:
    """Where the pelvis is in the video camera's frame [mm], from joints [mm] about it in its axes.

    The translation t for which focal (X + t_x) = u (Z + t_z), with u = joints2d - middle, holds
    best over all joints, in x and y alike: linear least squares, with t_x and t_y eliminated.
    """
    across, depth = joints[..., :2], joints[..., 2:]
    u, f = joints2d - middle[..., None, :], focal[..., None, None]
    spread = u - u.mean(-2, keepdim=True)
    left_over = f * across - u * depth
    left_over = left_over - left_over.mean(-2, keepdim=True)
    shared = (spread * left_over).sum((-1, -2))
    distance = shared / spread.square().sum((-1, -2)).clamp(min=1e-12)
    distance = torch.maximum(distance, NEAREST - depth[..., 0].amin(-1))[..., None]
    sideways = (u * (depth + distance[..., None, :]) / f - across).mean(-2)
    return torch.cat([sideways, distance], dim=-1)
