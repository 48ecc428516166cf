"""From poses as the model says them, in crops, to the axes and places of a video's camera."""

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.pinhole import locate, turn_to_video
from kinepose.io.errors import BadInputError
from kinepose.method.camera_projection import rotation_camera_from_canonical
from kinepose.method.forward_kinematics import stature
from kinepose.method.model import Poses


def joints_in_camera(poses: Poses, height: float) -> Float[Tensor, "batch 17 3"]:
    """p_3D in the axes of T_c's camera, pelvis at 0, the chain of stature as long as `height`.

    Raises:
        BadInputError: if a number of the poses is not finite.
    """
    rotation = rotation_camera_from_canonical(poses.camera)
    if not (torch.isfinite(poses.joints3d).all() and torch.isfinite(poses.joints2d).all()):
        raise BadInputError("the run's model finds poses that are not finite numbers: it is broken")
    joints = poses.joints3d - poses.joints3d[:, :1]
    scale = height / stature(joints).clamp(min=1e-6)
    return scale[:, None, None] * joints @ rotation.transpose(-1, -2)


def in_video(
    joints2d: Float[Tensor, "rows 17 2"],
    joints3d: Float[Tensor, "rows 17 3"],
    focal: Float[Tensor, " rows"],
    middle: Float[Tensor, "rows 2"],
) -> tuple[Float[Tensor, "rows 17 3"], Float[Tensor, "rows 3"]]:
    """`joints_in_camera` in the axes of the video's camera, and where the pelvis is there [mm].

    From the 2D joints, the focal length and the middle of the image [px].
    """
    in_image = joints2d.double(), focal.double(), middle.double()
    turned = turn_to_video(joints3d.double(), *in_image)
    return turned.float(), locate(turned, *in_image).float()
