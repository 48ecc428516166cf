"""How images lie in the crops that are made of them: turned, enlarged, shifted."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor

from kinepose.dataset.config import CompositionConfig
from kinepose.geometry.image_transforms import flip_joints2d, rotate_joints2d, zoom_joints2d

Placement = tuple[float, float, Float32[np.ndarray, " 2"]]
"""Of an image in a crop: turned about its middle [rad], enlarged (log), shifted [half sides]."""


def random_angle(composition: CompositionConfig, generator: np.random.Generator) -> float:
    """By which an image is turned in the plane [rad]."""
    angle = math.radians(composition.roll) * generator.normal()
    if generator.random() < composition.any_way:
        angle = generator.uniform(-math.pi, math.pi)
    return angle


def placed(
    joints2d: Float32[np.ndarray, "batch 17 2"],
    placements: list[Placement],
    flipped: Bool[Tensor, " batch"],
) -> Float32[Tensor, "batch 17 2"]:
    """Where crops show the joints of images that lie in them so."""
    angle, log_scale, shift = stacked(placements)
    found = zoom_joints2d(rotate_joints2d(torch.from_numpy(joints2d), angle), log_scale, shift)
    return torch.where(flipped[:, None, None], flip_joints2d(found), found)


def stacked(
    placements: list[Placement],
) -> tuple[Float32[Tensor, " batch"], Float32[Tensor, " batch"], Float32[Tensor, "batch 2"]]:
    """Angles, log scales and shifts."""
    angle, log_scale, shift = zip(*placements, strict=True)
    return torch.tensor(angle), torch.tensor(log_scale), torch.from_numpy(np.stack(shift))


def matrix_to_crop(placement: Placement, side: int, size: int) -> Float[np.ndarray, "2 3"]:
    """From an image of `side` px to its crop of `size` px.

    For OpenCV, whose pixels have their centres at whole numbers.
    """
    angle, log_scale, shift = placement
    scale = math.exp(log_scale)
    turn = scale * in_plane(angle)
    linear = turn * size / side
    offset = size / 2 * (1 + shift - turn.sum(1))
    return np.column_stack([linear, offset + linear @ [0.5, 0.5] - 0.5])


def ready_to_shrink(
    image: UInt8[np.ndarray, "side side channels"], matrix: Float[np.ndarray, "2 3"]
) -> UInt8[np.ndarray, "side side channels"]:
    """The image, so blurred that pixels of its crop are the mean of what they cover."""
    shrink = float(np.linalg.norm(matrix[:, 0]))
    return cv2.GaussianBlur(image, (0, 0), 0.4 / shrink) if shrink < 0.7 else image


def in_plane(angle: float) -> Float[np.ndarray, "2 2"]:
    """A rotation [rad], clockwise on the screen, as y points down."""
    sine, cosine = math.sin(angle), math.cos(angle)
    return np.array([[cosine, -sine], [sine, cosine]])
