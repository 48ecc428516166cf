"""What the losses that know the pose are, by hand."""

import math
from dataclasses import replace

import pytest
import torch

from kinepose.method.batches import TaughtBatch
from kinepose.method.camera_projection import rotation_camera_from_canonical
from kinepose.method.losses import (
    HEATMAP_SIGMA,
    joints2d_loss,
    lifting_loss,
    prior_loss,
    teacher_loss,
)
from kinepose.method.model import Poses


def test_heatmaps_are_told_where_joints_are_and_forgiven_those_outside(tiny_model, labelled):
    """A loop over the cells adds up how surprised the maps are."""
    joints2d = labelled.joints2d * 1.6 - 0.8
    joints2d[0, 3] = joints2d[2, :5] = 4.0
    poses = tiny_model.predict(labelled.images)
    terms = joints2d_loss(tiny_model, replace(labelled, joints2d=joints2d))
    maps, total, inside = poses.keypoints.maps.joints, 0.0, 0
    size = maps.shape[-1]
    for image in range(4):
        for joint in range(17):
            x, y = joints2d[image, joint].tolist()
            if max(abs(x), abs(y)) > 1:
                continue
            inside, weights = inside + 1, {}
            for row in range(size):
                for column in range(size):
                    dx, dy = (2 * column + 1) / size - 1 - x, (2 * row + 1) / size - 1 - y
                    exponent = -(dx**2 + dy**2) / (2 * HEATMAP_SIGMA**2)
                    weights[row, column] = math.exp(exponent)
            for cell, weight in weights.items():
                total -= weight / sum(weights.values()) * maps[image, joint][cell].item()
    assert inside == 4 * 17 - 6
    assert terms["heatmaps"].item() == pytest.approx(total / inside, rel=1e-4)
    outside = replace(labelled, joints2d=labelled.joints2d + 5)
    assert joints2d_loss(tiny_model, outside)["heatmaps"].item() == 0


def test_a_teacher_counts_by_the_square_of_its_certainty(tiny_model, labelled):
    """As one joint at a time, in the mean that squares weigh; what it does not know is nothing."""
    joints2d = labelled.joints2d * 1.6 - 0.8
    certainty = torch.rand(4, 17, generator=torch.Generator().manual_seed(1)) + 0.5
    whole = TaughtBatch(labelled.images, joints2d, certainty)
    told = total = 0.0
    for joint in range(17):
        alone = torch.zeros_like(certainty)
        alone[:, joint] = certainty[:, joint]
        weight = alone.square().sum().item()
        told += (
            weight * teacher_loss(tiny_model, replace(whole, certainty=alone))["heatmaps"].item()
        )
        total += weight
    assert teacher_loss(tiny_model, whole)["heatmaps"].item() == pytest.approx(
        told / total, rel=1e-4
    )
    nothing = replace(whole, certainty=torch.zeros_like(certainty))
    assert teacher_loss(tiny_model, nothing)["heatmaps"].item() == 0


def test_the_mask_is_told_what_share_of_each_cell_shows_the_person(tiny_model, labelled):
    said = tiny_model.predict(labelled.images).keypoints.maps.mask
    total = 0.0
    for image in range(4):
        for row in range(8):
            for column in range(8):
                cell = labelled.mask[image, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
                share, logit = cell.mean().item(), said[image, row, column].item()
                total -= share * -math.log1p(math.exp(-logit))
                total -= (1 - share) * -math.log1p(math.exp(logit))
    terms = joints2d_loss(tiny_model, labelled)
    assert terms["mask"].item() == pytest.approx(total / (4 * 64), rel=1e-4)
    assert "mask" not in joints2d_loss(tiny_model, replace(labelled, mask=None))


def test_a_pose_seen_from_behind_is_told_from_one_seen_from_the_front(tiny_model, labelled):
    """By hand: turned half about z, x and y of the one joint that is not at the pelvis change."""
    joints3d = torch.zeros(4, 17, 3)
    joints3d[:, 5] = torch.tensor([0.3, -0.2, 0.1])
    front, behind = torch.zeros(4, 9), torch.zeros(4, 9)
    front[:, 1:6:2], behind[:, 1:6:2] = 1.0, torch.tensor([-1.0, 1.0, 1.0])
    said = Poses(torch.zeros(4, 40), behind, joints3d, labelled.joints2d)
    tiny_model.predict = lambda _: said
    terms = prior_loss(tiny_model, replace(labelled, joints3d=joints3d, camera=front))
    assert terms["joints3d"] == terms["joints2d"] == 0
    assert terms["in_camera"].item() == pytest.approx((0.6 + 0.4) / (17 * 3), rel=1e-5)
    terms = prior_loss(tiny_model, replace(labelled, joints3d=joints3d, camera=behind))
    assert terms["in_camera"].item() == pytest.approx(0, abs=1e-7)
    assert "in_camera" not in prior_loss(tiny_model, replace(labelled, camera=None))


def test_lifting_loss_by_hand(tiny_model, poses):
    terms = lifting_loss(tiny_model, poses)
    said = tiny_model.lift(poses.seen2d, poses.certainty)
    assert terms["joints2d"] == (said.joints2d - poses.joints2d).abs().mean()
    assert terms["joints3d"] == (said.joints3d - poses.joints3d).abs().mean()
    turned = [
        torch.einsum("bij,bkj->bki", rotation_camera_from_canonical(camera), joints3d)
        for camera, joints3d in ((said.camera, said.joints3d), (poses.camera, poses.joints3d))
    ]
    expected = (turned[0] - turned[1]).abs().mean()
    torch.testing.assert_close(terms["in_camera"], expected)
    assert set(terms) == {"joints2d", "joints3d", "in_camera"}
