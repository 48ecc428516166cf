"""What a run to start from says of itself, and how lively its model is."""

import torch

PAINTS = {
    "train": {"output": "run", "iterations": 10, "pose_consistency": 0.2},
    "turns": {"prior": 4, "paired": 6},
}


@torch.no_grad()
def turned_up(model, factor):
    """The model, once what its encoder says depends so much more on the image; 0: constant."""
    lifter = model.pose_encoder.lifter
    for layer in (lifter.parameters_branch, lifter.camera_branch):
        layer.weight *= factor
    return model
