"""Photographs of people who may stand on their hands: each is looked at the four ways up.

Most renders of the training, and most people, are more or less upright. Where time does not matter,
E_P sees a crop turned by quarter turns as well, and that way is kept of which it is most certain.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinepose.geometry.image_transforms import rotate_camera, rotate_joints2d
from kinepose.method.model import Poses
from kinepose.method.pose_encoder import Keypoints

Estimate = Callable[[Float[Tensor, "batch 3 size size"]], Poses]
UPRIGHT = 0.05
"""What mean certainty the image as it is has in advance of the others (docs/notebook.md)."""


def any_way_up(estimate: Estimate) -> Estimate:
    """The same, but for each crop by the way round of which the heatmaps are most certain.

    An estimate without heatmaps stays as it is.
    """

    def best(images: Float[Tensor, "batch 3 size size"]) -> Poses:
        upright = estimate(images)
        if upright.keypoints is None:
            return upright
        turned = [estimate(torch.rot90(images, turns, (-2, -1))) for turns in (1, 2, 3)]
        ways = [upright, *turned]
        certainty = torch.stack([mean_certainty(way) for way in ways])
        certainty[0] += UPRIGHT
        way = certainty.argmax(0)
        return pick_ways([_turned_back(poses, turns) for turns, poses in enumerate(ways)], way)

    return best


def mean_certainty(poses: Poses) -> Float[Tensor, " batch"]:
    """Of what the heatmaps say, over the joints."""
    assert poses.keypoints is not None
    return poses.keypoints.certainty.mean(-1)


def _turned_back(poses: Poses, turns: int) -> Poses:
    """Poses of images that torch.rot90 turned (counterclockwise), for those as they were."""
    assert poses.keypoints is not None
    angle = torch.full_like(poses.camera[:, 0], turns * math.pi / 2)
    return Poses(
        poses.parameters,
        rotate_camera(poses.camera, angle),
        poses.joints3d,
        rotate_joints2d(poses.joints2d, angle),
        Keypoints(rotate_joints2d(poses.keypoints.joints2d, angle), poses.keypoints.certainty),
    )


def pick_ways(ways: list[Poses], way: Int[Tensor, " batch"]) -> Poses:
    """Of each image what one of the ways says, by heatmaps."""
    rows = torch.arange(len(way), device=way.device)

    def pick(numbers: list[Float[Tensor, "batch *_"]]) -> Float[Tensor, "batch *_"]:
        return torch.stack(numbers)[way, rows]

    seen = [poses.keypoints for poses in ways if poses.keypoints is not None]
    return Poses(
        *(pick([getattr(p, name) for p in ways]) for name in _FIELDS),
        Keypoints(pick([k.joints2d for k in seen]), pick([k.certainty for k in seen])),
    )


_FIELDS = ("parameters", "camera", "joints3d", "joints2d")
