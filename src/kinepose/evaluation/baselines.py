"""What every table must be read beside: the errors of answers that look at no image."""

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.evaluation.metrics import p_mpjpe
from kinepose.geometry.skeleton import PELVIS
from kinepose.method.forward_kinematics import forward_kinematics, has_trunk, local_kinematics


def baseline_errors(
    truth: Float[Tensor, "poses 17 3"], prior: Float[Tensor, "renders 17 3"]
) -> dict[str, Float[Tensor, " poses"]]:
    """P-MPJPE of what every table must be read beside, pose by pose [unit of the truth].

    The mean pose, the nearest of the prior's poses chosen by the label, and the floor.
    """
    nearest = torch.stack([p_mpjpe(pose.expand_as(truth), truth) for pose in prior]).amin(0)
    return {
        "mean_pose": mean_pose_errors(truth),
        "nearest_prior": nearest,
        "floor": floor_errors(truth),
    }


def mean_pose_errors(truth: Float[Tensor, "poses 17 3"]) -> Float[Tensor, " poses"]:
    """P-MPJPE of the one pose that is the mean of the labels: what looking at nothing gives.

    The mean is taken in the canonical frame, in which all people face the same way; nan if no pose
    has a trunk.
    """
    _, rotation = local_kinematics(truth)
    canonical = (truth - truth[:, [PELVIS]]) @ rotation
    return p_mpjpe(canonical[has_trunk(truth)].mean(0).expand_as(truth), truth)


def floor_errors(truth: Float[Tensor, "poses 17 3"]) -> Float[Tensor, " poses"]:
    """P-MPJPE of forward_kinematics(local_kinematics(truth)): our bone lengths, true directions."""
    parameters, _ = local_kinematics(truth)
    return p_mpjpe(forward_kinematics(parameters), truth)
