"""What each loss is, and what moves and what stays when it trains."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from kinepose.dataset.pairs import PairBatch
from kinepose.dataset.renders import LabelledBatch
from kinepose.geometry.image_transforms import flip_image
from kinepose.method.losses import (
    LANDMARK_MAPS,
    ImageTransform,
    Weights,
    energy,
    joints2d_loss,
    paired_loss,
    prior_loss,
    trained_modules,
    unpaired_loss,
)

SIZE = 32
IDENTITY = ImageTransform(torch.zeros(4, dtype=torch.bool), torch.zeros(4))


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def pairs() -> PairBatch:
    valid = torch.ones(4, 1, SIZE, SIZE)
    valid[:, :, :8] = 0
    return PairBatch(pictures(0), pictures(1), pictures(2), valid, torch.arange(4))


@pytest.fixture
def labelled() -> LabelledBatch:
    generator = torch.Generator().manual_seed(3)
    return LabelledBatch(
        pictures(4),
        torch.rand(4, 17, 2, generator=generator),
        torch.rand(4, 17, 3, generator=generator),
    )


def elsewhere(pairs: PairBatch) -> PairBatch:
    """The pairs before other backgrounds, B_r."""
    return replace(pairs, background=pictures(5))


def all_terms(model, pairs, labelled):
    turn = ImageTransform(torch.tensor([True, False] * 2), torch.linspace(-0.5, 0.5, 4))
    return {
        "prior": lambda: prior_loss(model, labelled),
        "joints2d": lambda: joints2d_loss(model, labelled),
        "joints3d": lambda: prior_loss(model, labelled),
        "paired": lambda: paired_loss(model, pairs, Weights()),
        "unpaired": lambda: unpaired_loss(model, elsewhere(pairs), turn, Weights()),
    }


@pytest.mark.parametrize(
    ("loss", "moves"),
    [
        ("prior", {"pose_encoder"}),
        ("joints2d", {"pose_encoder"}),
        ("joints3d", {"pose_encoder"}),
        ("paired", {"pose_encoder", "appearance_encoder", "decoder"}),
        ("unpaired", {"pose_encoder", "appearance_encoder"}),
    ],
)
def test_what_a_loss_trains_moves_and_all_else_stays_bit_identical(
    tiny_model, pairs, labelled, loss, moves
):
    tiny_model.train()
    before = copy.deepcopy(tiny_model.state_dict())
    parameters = [p for m in trained_modules(tiny_model, loss) for p in m.parameters()]
    optimiser = torch.optim.Adagrad(parameters, lr=1e-3)
    total = sum(all_terms(tiny_model, pairs, labelled)[loss]().values())
    total.backward()
    optimiser.step()
    moved = {
        name.split(".")[0]
        for name, tensor in tiny_model.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert moved == moves
    if loss == "paired":  # every single parameter has a share
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)


def test_paired_loss_by_hand(tiny_model, pairs):
    model, weights = tiny_model, Weights(pixels=2.0, pose=3.0, appearance=5.0)
    with torch.no_grad():
        terms = paired_loss(model, pairs, weights)
        joints2d = model.predict(pairs.target).joints2d
        f_a = model.appearance(pairs.source)
        painted = model.paint(joints2d, f_a, pairs.background)
        below = (painted - pairs.target)[:, :, 8:].abs().mean()
        again = (joints2d - model.predict(painted).joints2d).abs().mean()
        clothes = (f_a - model.appearance(painted)).abs().mean()
    assert terms["pixels"] == pytest.approx(2 * below.item(), rel=1e-5)
    assert terms["pose"] == pytest.approx(3 * again.item(), rel=1e-5)
    assert terms["appearance"] == pytest.approx(5 * clothes.item(), rel=1e-5)


def test_pixels_without_a_known_background_do_not_count(tiny_model, pairs):
    nothing = replace(pairs, valid=torch.zeros_like(pairs.valid))
    assert paired_loss(tiny_model, nothing, Weights())["pixels"] == 0


def test_transform_is_undone_for_what_was_seen_in_the_transformed_picture():
    # A bright dot at each wrist; 'seeing' is finding the brightest pixel.
    images = torch.zeros(2, 3, 64, 64)
    left, right = (20, 40), (50, 12)  # column, row
    images[:, 0, left[1], left[0]] = 1
    images[:, 1, right[1], right[0]] = 1
    transform = ImageTransform(torch.tensor([True, False]), torch.tensor([0.4, -0.7]))

    def see(channel):
        flat = transform.apply(images)[:, channel].flatten(1).argmax(1)
        return (torch.stack([flat % 64, flat // 64], dim=-1) + 0.5) / 64 * 2 - 1

    seen = torch.zeros(2, 17, 2)
    # In a flipped picture the left wrist is seen as the right one.
    seen[0, 16], seen[0, 13] = see(0)[0], see(1)[0]
    seen[1, 13], seen[1, 16] = see(0)[1], see(1)[1]
    back = transform.undo(seen)
    expected = (torch.tensor([left, right]) + 0.5) / 64 * 2 - 1
    assert (back[:, [13, 16]] - expected).abs().max() < 1.5 / 64


def test_unpaired_loss_is_zero_for_an_encoder_that_sees_nothing(tiny_model, pairs):
    """Why D_I and L_prior are needed: constant poses would please the pose term."""
    for branch in (
        tiny_model.pose_encoder.parameters_branch,
        tiny_model.pose_encoder.camera_branch,
    ):
        branch[-1].weight.data.zero_()
    terms = unpaired_loss(tiny_model, elsewhere(pairs), IDENTITY, Weights())
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


def test_energy_is_the_unpaired_loss_of_one_picture_before_grey(tiny_model):
    images, sources = pictures(6), pictures(7)
    each = energy(tiny_model, images, sources)
    for i in range(4):
        grey = torch.full((1, 3, SIZE, SIZE), 0.5)
        one = PairBatch(sources[i : i + 1], images[i : i + 1], grey, None, torch.arange(1))
        still = ImageTransform(torch.zeros(1, dtype=torch.bool), torch.zeros(1))
        terms = unpaired_loss(tiny_model, one, still, Weights())
        assert each[i].item() == pytest.approx(sum(terms.values()).item(), rel=1e-4)


def test_a_flip_alone_is_its_own_inverse():
    flip = ImageTransform(torch.ones(4, dtype=torch.bool), torch.zeros(4))
    images = pictures(8)
    assert torch.allclose(flip.apply(images), flip_image(images), atol=1e-5)


def test_landmarks_are_told_where_joints_are_and_forgiven_those_outside(tiny_model, labelled):
    """A loop over the cells adds up how surprised the maps are."""
    inside = replace(labelled, joints2d=labelled.joints2d * 0.5)
    poses = tiny_model.predict(inside.images)
    terms = joints2d_loss(tiny_model, inside)
    size, total = poses.landmarks.shape[-1], 0.0
    for picture in range(4):
        for joint in range(17):
            x, y = inside.joints2d[picture, joint].tolist()
            weights = {}
            for row in range(size):
                for column in range(size):
                    dx, dy = (2 * column + 1) / size - 1 - x, (2 * row + 1) / size - 1 - y
                    weights[row, column] = math.exp(-(dx**2 + dy**2) / (2 * 0.1**2))
            for cell, weight in weights.items():
                said = poses.landmarks[picture, joint][cell].item()
                total -= weight / sum(weights.values()) * said
    assert terms["landmarks"].item() == pytest.approx(LANDMARK_MAPS * total / (4 * 17), rel=1e-4)
    outside = replace(labelled, joints2d=labelled.joints2d + 5)
    assert joints2d_loss(tiny_model, outside)["landmarks"].item() < 1e-6
