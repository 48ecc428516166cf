"""How sure a model is of each 2D joint, from 0 to 1.

Of a model whose E_P has landmarks: how much of a joint's map lies where p_2D says the joint is, so
that it takes both a map that is certain and branches that agree with it. Of another model: how
well p_2D agrees with p_2D of the mirrored picture. No label calibrates it; confidences of different
models do not compare.
"""

from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.image_transforms import flip_image, flip_joints2d
from kinepose.method.model import Model, Poses
from kinepose.method.spatial_maps import heatmaps, pixel_centres

NEAR = 0.2
"""What lies this far off counts exp(-1/2) = 0.61, what lies twice as far 0.14 [half crop sides]."""


def joint_confidence(
    model: Model, images: Float[Tensor, "batch 3 size size"], poses: Poses
) -> Float[Tensor, "batch 17"]:
    """Of the poses that the model found in these pictures."""
    if poses.landmarks is not None:
        return landmark_confidence(poses.landmarks, poses.joints2d)
    mirrored = flip_joints2d(model.predict(flip_image(images)).joints2d)
    return (-0.5 * (poses.joints2d - mirrored).square().sum(-1) / NEAR**2).exp()


def landmark_confidence(
    log_maps: Float[Tensor, "batch 17 rows columns"], joints2d: Float[Tensor, "batch 17 2"]
) -> Float[Tensor, "batch 17"]:
    """The mean nearness to p_2D, from 0 to 1, over where a joint may be by its map."""
    places = pixel_centres(*log_maps.shape[-2:], joints2d)
    return (log_maps.exp() * heatmaps(joints2d, places, NEAR)).sum((-1, -2)).clamp(max=1)
