"""What moves and what stays when a loss trains."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.method.random_batches import IDENTITY, elsewhere, painting, taught

from kinepose.artifacts.model_files import new_model
from kinepose.method.losses import (
    ImageTransform,
    Weights,
    joints2d_loss,
    joints3d_loss,
    lifting_loss,
    painting_loss,
    paired_loss,
    pose_parameters,
    prior_loss,
    teacher_loss,
    unpaired_loss,
)
from kinepose.training.losses import LOSSES

TRAINED = {loss.name: loss.trained for loss in LOSSES}


def all_terms(model, pairs, labelled, poses):
    turn = ImageTransform(torch.tensor([True, False] * 2), torch.linspace(-0.5, 0.5, 4))
    return {
        "prior": lambda: prior_loss(model, labelled),
        "lifting": lambda: lifting_loss(model, poses),
        "teacher": lambda: teacher_loss(model, taught(labelled)),
        "joints2d": lambda: joints2d_loss(model, labelled),
        "joints3d": lambda: joints3d_loss(model, labelled),
        "labels": lambda: prior_loss(model, labelled),
        "painting": lambda: painting_loss(model, painting(pairs, labelled)),
        "paired": lambda: paired_loss(model, pairs, Weights()),
        "unpaired": lambda: unpaired_loss(model, elsewhere(pairs), turn, Weights()),
    }


@pytest.mark.parametrize(
    ("loss", "moves"),
    [
        ("prior", {"pose_encoder"}),
        ("lifting", {"pose_encoder.lifter"}),
        ("teacher", {"pose_encoder"}),
        ("joints2d", {"pose_encoder"}),
        ("joints3d", {"pose_encoder"}),
        ("labels", {"pose_encoder"}),
        ("painting", {"appearance_encoder", "decoder"}),
        ("paired", {"pose_encoder", "appearance_encoder", "decoder"}),
        ("unpaired", {"pose_encoder", "appearance_encoder"}),
    ],
)
def test_what_a_loss_trains_moves_and_all_else_stays_bit_identical(
    tiny_model, pairs, labelled, poses, loss, moves
):
    tiny_model.train()
    before = copy.deepcopy(tiny_model.state_dict())
    if loss in ("paired", "unpaired"):
        tiny_model.pose_encoder.eval()
    parameters = TRAINED[loss](tiny_model)
    optimiser = torch.optim.Adagrad(parameters, lr=1e-3)
    total = sum(all_terms(tiny_model, pairs, labelled, poses)[loss]().values())
    total.backward()
    optimiser.step()
    moved = {
        next((part for part in moves if name.startswith(f"{part}.")), name)
        for name, tensor in tiny_model.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert moved == moves
    if loss in ("painting", "paired"):  # every single parameter has a share
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)


def test_unpaired_loss_is_zero_for_an_encoder_that_sees_nothing(tiny_config, pairs):
    """Why D_I and L_prior are needed: constant poses would please the pose term."""
    model = new_model(replace(tiny_config, heatmaps=0)).eval()
    for branch in (model.pose_encoder.parameters_branch, model.pose_encoder.camera_branch):
        branch[-1].weight.data.zero_()
    torch.nn.init.normal_(model.decoder.fusion[-1].weight, std=0.1)
    terms = unpaired_loss(model, elsewhere(pairs), IDENTITY, Weights())
    assert terms["pose"] == 0
    assert terms["appearance"] > 0


def test_gradients_of_unpaired_loss_pass_through_the_frozen_decoder(tiny_model, pairs):
    tiny_model.decoder.requires_grad_(False)
    painted = {}
    tiny_model.decoder.register_forward_hook(
        lambda _module, _inputs, output: painted.update(image=output) or output.retain_grad()
    )
    terms = unpaired_loss(tiny_model, elsewhere(pairs), IDENTITY, Weights())
    sum(terms.values()).backward()
    assert painted["image"].grad.abs().sum() > 0
    assert all(p.grad is None for p in tiny_model.decoder.parameters())
    assert all(p.grad is not None for p in tiny_model.appearance_encoder.parameters())


@pytest.mark.parametrize("loss", ["paired", "unpaired"])
def test_joints_of_the_frame_are_held_where_those_of_what_is_painted_should_be_the_same(
    tiny_model, pairs, labelled, poses, loss, monkeypatch
):
    """Where paint says nothing of the pose, a frame's own joints are given no gradient."""
    monkeypatch.setattr(tiny_model, "paint", lambda *_: torch.zeros_like(pairs.target))
    frames = replace(pairs, target=pairs.target.clone().requires_grad_())
    terms = all_terms(tiny_model, frames, labelled, poses)[loss]()
    terms["pose"].backward()
    assert terms["pose"] > 0
    assert frames.target.grad is None or not frames.target.grad.any()
    assert any(p.grad is not None and p.grad.any() for p in pose_parameters(tiny_model))


@pytest.mark.parametrize("loss", ["paired", "unpaired"])
def test_gradients_reach_the_backbone_through_the_peaks(tiny_model, pairs, labelled, poses, loss):
    """Nothing else leads there."""
    terms = all_terms(tiny_model, pairs, labelled, poses)[loss]()
    terms["pose"].backward()
    for part in (tiny_model.pose_encoder.backbone, tiny_model.pose_encoder.heatmaps.maps):
        assert all(p.grad.abs().sum() > 0 for p in part.parameters())


def test_what_is_frozen_keeps_every_bit(tiny_config, labelled):
    model = new_model(replace(tiny_config, frozen_stages=1)).train()
    before = copy.deepcopy(model.pose_encoder.backbone.state_dict())
    optimiser = torch.optim.Adam(pose_parameters(model), lr=0.1)
    sum(prior_loss(model, labelled).values()).backward()
    optimiser.step()
    for name, tensor in model.pose_encoder.backbone.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert model.pose_encoder.heatmaps.maps.weight.grad.abs().sum() > 0
