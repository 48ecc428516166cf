"""A turned image has the same poses, turned; the way of which maps are most certain is kept."""

import math
from dataclasses import replace

import torch

from kinepose.geometry.image_transforms import rotate_joints2d
from kinepose.inference import any_way_up as module
from kinepose.inference.any_way_up import any_way_up
from kinepose.method.camera_projection import project


def test_a_turned_image_has_the_poses_of_the_image_turned(tiny_model, monkeypatch):
    monkeypatch.setattr(module, "UPRIGHT", 0.0)
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    estimate = any_way_up(tiny_model.predict)
    with torch.inference_mode():
        single = tiny_model.predict(images).keypoints.certainty.mean(-1)
        poses = estimate(images)
        turned = estimate(torch.rot90(images, 1, (-2, -1)))
    certain = poses.keypoints.certainty.mean(-1)
    assert (certain >= single - 1e-6).all() and (certain > single).any()
    torch.testing.assert_close(project(poses.joints3d, poses.camera), poses.joints2d)
    quarter = torch.full((6,), -math.pi / 2)
    expected = rotate_joints2d(poses.joints2d, quarter)
    torch.testing.assert_close(turned.joints2d, expected, atol=1e-4, rtol=0)
    expected = rotate_joints2d(poses.keypoints.joints2d, quarter)
    torch.testing.assert_close(turned.keypoints.joints2d, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned.joints3d, poses.joints3d)


def test_without_heatmaps_an_image_is_looked_at_once(tiny_model):
    images, shown = torch.rand(2, 3, 32, 32), []

    def estimate(images):
        shown.append(images)
        return replace(tiny_model.predict(images), keypoints=None)

    with torch.inference_mode():
        poses = any_way_up(estimate)(images)
        expected = tiny_model.predict(images)
    torch.testing.assert_close(poses.joints2d, expected.joints2d)
    assert len(shown) == 1
