"""confidence.py: by hand, and what it must do when maps or branches change."""

import math
from dataclasses import replace

import torch

from kinepose.artifacts.model_files import new_model
from kinepose.method.confidence import NEAR, joint_confidence
from kinepose.method.model import Poses
from kinepose.method.pose_encoder import Keypoints


@torch.no_grad()
def test_heatmaps_by_hand(tiny_model):
    """Certainty times how near p_2D is to the peak, 0.2 and 0 and far off."""
    images = torch.rand(1, 3, 32, 32)
    poses = tiny_model.predict(images)
    certainty = torch.linspace(0, 1, 17)[None]
    for away, factor in (
        ([0.0, 0.0], 1.0),
        ([0.12, -0.16], math.exp(-0.5 * (0.2 / NEAR) ** 2)),
        ([1e3, 0.0], 0.0),
    ):
        seen = Keypoints(poses.joints2d + torch.tensor(away), certainty)
        found = joint_confidence(tiny_model, images, replace(poses, keypoints=seen))
        torch.testing.assert_close(found, factor * certainty, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_without_heatmaps_an_image_and_its_mirror_image_are_asked(tiny_config):
    torch.manual_seed(0)
    model = new_model(replace(tiny_config, heatmaps=0)).eval()
    images = torch.rand(3, 3, 32, 32)
    poses = model.predict(images)
    confidence = joint_confidence(model, images, poses)
    assert ((confidence >= 0) & (confidence <= 1)).all()
    elsewhere = Poses(poses.parameters, poses.camera, poses.joints3d, poses.joints2d + 1)
    assert (joint_confidence(model, images, elsewhere) < 0.01).all()
    middle = torch.zeros_like(poses.joints2d)
    model.predict = lambda _: Poses(poses.parameters, poses.camera, poses.joints3d, middle)
    assert (joint_confidence(model, images, model.predict(images)) == 1).all()
