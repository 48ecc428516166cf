"""An E_P with heatmaps: what the lifter may and may not heed, and what is frozen."""

from dataclasses import replace

import pytest
import torch

from kinepose.artifacts.model_files import new_model
from kinepose.geometry.image_transforms import flip_joints2d, zoom_camera
from kinepose.geometry.skeleton import MIRRORED
from kinepose.io.errors import BadInputError
from kinepose.method.camera_projection import project
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.method.pose_encoder import Lifter


@pytest.fixture
def lifter(tiny_config) -> Lifter:
    """Its answers differ from joints to joints."""
    torch.manual_seed(0)
    lifter = Lifter(tiny_config.branch_width).eval()
    for layer in (lifter.parameters_branch, lifter.camera_branch):
        torch.nn.init.normal_(layer.weight, std=0.2)
    return lifter


@pytest.fixture
def seen() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    joints2d = torch.rand(5, 17, 2, generator=generator) - 0.5
    return joints2d, torch.rand(5, 17, generator=generator)


@torch.no_grad()
def test_moved_and_enlarged_joints_are_the_same_pose_by_a_moved_and_enlarged_camera(lifter, seen):
    joints2d, certainty = seen
    v_k, camera = lifter(joints2d, certainty)
    assert v_k.std(0).min() > 0.01
    log_scale, shift = torch.linspace(-0.7, 0.7, 5), torch.linspace(-0.3, 0.5, 10).view(5, 2)
    moved = joints2d * log_scale.exp()[:, None, None] + shift[:, None]
    again, zoomed = lifter(moved, certainty)
    torch.testing.assert_close(again, v_k, atol=1e-4, rtol=0)
    torch.testing.assert_close(zoomed, zoom_camera(camera, log_scale, shift), atol=1e-4, rtol=0)


@torch.no_grad()
def test_where_a_joint_of_no_certainty_lies_changes_nothing(lifter, seen):
    joints2d, certainty = seen
    certainty = torch.where(torch.arange(17) % 3 == 0, 0.0, certainty)
    elsewhere = torch.where((certainty == 0)[..., None], joints2d.flip(1) * 3 + 1, joints2d)
    expected, found = lifter(joints2d, certainty), lifter(elsewhere, certainty)
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)
    with_it = torch.where(certainty == 0, 0.1, certainty)
    assert (lifter(elsewhere, with_it)[0] - expected[0]).abs().max() > 0.01
    nothing = lifter(joints2d, torch.zeros_like(certainty))
    assert all(each.isfinite().all() for each in nothing)


@torch.no_grad()
def test_mirrored_joints_are_the_mirrored_pose_seen_in_a_mirror(lifter, seen):
    """By what the camera shows of the pose, which is told nothing of v_k's conventions."""

    def shown(joints2d: torch.Tensor, certainty: torch.Tensor) -> torch.Tensor:
        v_k, camera = lifter(joints2d, certainty)
        return project(forward_kinematics(v_k), camera)

    joints2d, certainty = seen
    mirrored = shown(flip_joints2d(joints2d), certainty[:, list(MIRRORED)])
    assert (mirrored - shown(joints2d, certainty)).abs().max() > 0.01
    torch.testing.assert_close(mirrored, flip_joints2d(shown(joints2d, certainty)))


def test_what_is_seen_in_images_is_lifted(tiny_model):
    poses = tiny_model.predict(torch.rand(3, 3, 32, 32))
    lifted = tiny_model.lift(poses.keypoints.joints2d, poses.keypoints.certainty)
    torch.testing.assert_close(lifted.joints2d, poses.joints2d)
    torch.testing.assert_close(lifted.parameters, poses.parameters)


def test_what_is_frozen_is_not_trained(tiny_config):
    trained = {}
    for frozen in (0, 1):
        encoder = new_model(replace(tiny_config, frozen_stages=frozen)).pose_encoder
        ids = {id(parameter) for parameter in encoder.trained_parameters()}
        trained[frozen] = {n for n, p in encoder.named_parameters() if id(p) in ids}
    backbone = {name for name in trained[0] if name.startswith("backbone.")}
    assert backbone and trained[1] == trained[0] - backbone
    lite = replace(tiny_config, backbone="efficientnet-lite0", frozen_stages=3)
    encoder = new_model(lite).pose_encoder
    ids = {id(parameter) for parameter in encoder.trained_parameters()}
    kept = {n.rsplit(".layers")[0] for n, p in encoder.named_parameters() if id(p) not in ids}
    assert {name.removesuffix(".0.bias").removesuffix(".0.weight") for name in kept} == {
        *("backbone.stem", "backbone.blocks.0.0", "backbone.blocks.1.0", "backbone.blocks.1.1"),
    }


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"extended_camera": False}, "--model.heatmaps needs --model.extended-camera"),
        (
            {"backbone_widths": (8, 8), "backbone_depths": (1, 1)},
            "--model.heatmaps needs a backbone of four stages, not 2",
        ),
        ({"image_size": 48, "map_size": 12}, "32, 64, 96 ... px, not 48"),
        ({"heatmaps": -8}, "heatmaps -8"),
        ({"frozen_stages": -1}, "frozen-stages -1"),
        ({"crop_margin": 0.0}, "crop-margin 0"),
    ],
)
def test_settings_that_cannot_be_met_are_one_line(tiny_config, settings, says):
    with pytest.raises(BadInputError, match=says) as caught:
        new_model(replace(tiny_config, **settings))
    assert "\n" not in str(caught.value)
