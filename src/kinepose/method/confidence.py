"""How sure a model is of each 2D joint, from 0 to 1.

Of a model whose E_P has heatmaps: how much of a joint's map lies about its peak, and how near p_2D
is to that peak, so that it takes both a map that is certain and branches that agree with it. Of
another model: how well p_2D agrees with p_2D of the mirrored image. No label calibrates it;
confidences of different models do not compare.
"""

from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.image_transforms import flip_image, flip_joints2d
from kinepose.method.model import Model, Poses

NEAR = 0.2
"""What lies this far off counts exp(-1/2) = 0.61, what lies twice as far 0.14 [half crop sides]."""


def joint_confidence(
    model: Model, images: Float[Tensor, "batch 3 size size"], poses: Poses
) -> Float[Tensor, "batch 17"]:
    """Of the poses that the model found in these images."""
    if (seen := poses.keypoints) is not None:
        return seen.certainty * _nearness(poses.joints2d, seen.joints2d)
    mirrored = flip_joints2d(model.predict(flip_image(images)).joints2d)
    return _nearness(poses.joints2d, mirrored)


def _nearness(
    one: Float[Tensor, "batch 17 2"], other: Float[Tensor, "batch 17 2"]
) -> Float[Tensor, "batch 17"]:
    return (-0.5 * (one - other).square().sum(-1) / NEAR**2).exp()
