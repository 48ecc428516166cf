"""confidence.py: by hand, and what it must do when maps or branches change."""

import math

import torch

from kinepose.method.confidence import NEAR, joint_confidence, landmark_confidence
from kinepose.method.model import Poses, new_model
from kinepose.settings import ModelConfig

TINY = ModelConfig(
    image_size=32,
    map_size=8,
    pretrained=None,
    backbone_stem=8,
    backbone_widths=(8, 8),
    backbone_depths=(1, 1),
    backbone_block="basic",
    branch_width=16,
    appearance_widths=(8,) * 10,
    pose_feature_width=8,
    decoder_widths=(8, 8, 8),
)


def peaks(column):
    """Maps of 20 x 20 cells that are sure of one, at x = -0.95 + column / 10 and y = 0.05."""
    maps = torch.full((1, 17, 20, 20), -math.inf)
    maps[:, :, 10, column] = 0.0
    return maps


def test_landmarks_by_hand():
    joints2d = torch.tensor([0.05, 0.05]).expand(1, 17, 2)
    torch.testing.assert_close(landmark_confidence(peaks(10), joints2d), torch.ones(1, 17))
    off = landmark_confidence(peaks(12), joints2d)
    torch.testing.assert_close(off, torch.full((1, 17), math.exp(-0.5 * (0.2 / NEAR) ** 2)))
    torn = torch.logaddexp(peaks(10), peaks(0)) - math.log(2)
    torch.testing.assert_close(landmark_confidence(torn, joints2d), torch.full((1, 17), 0.5))
    nowhere = torch.full((1, 17, 20, 20), -math.log(400))
    assert (landmark_confidence(nowhere, joints2d) < 0.07).all()
    assert (landmark_confidence(peaks(10), joints2d + 1e3) == 0).all()


@torch.no_grad()
def test_without_landmarks_a_picture_and_its_mirror_image_are_asked():
    torch.manual_seed(0)
    model = new_model(TINY).eval()
    images = torch.rand(3, 3, 32, 32)
    poses = model.predict(images)
    confidence = joint_confidence(model, images, poses)
    assert ((confidence >= 0) & (confidence <= 1)).all()
    elsewhere = Poses(poses.parameters, poses.camera, poses.joints3d, poses.joints2d + 1)
    assert (joint_confidence(model, images, elsewhere) < 0.01).all()
    middle = torch.zeros_like(poses.joints2d)
    model.predict = lambda _: Poses(poses.parameters, poses.camera, poses.joints3d, middle)
    assert (joint_confidence(model, images, model.predict(images)) == 1).all()
