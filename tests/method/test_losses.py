"""What each loss is, and what moves and what stays when it trains."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from kinepose.artifacts.model_files import new_model
from kinepose.geometry.image_transforms import flip_image
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.method.batches import LabelledBatch, PaintingBatch, PairBatch, PoseBatch
from kinepose.method.camera_projection import rotation_camera_from_canonical
from kinepose.method.losses import (
    HEATMAP_SIGMA,
    ImageTransform,
    Weights,
    energy,
    joints2d_loss,
    joints3d_loss,
    lifting_loss,
    painting_loss,
    paired_loss,
    pose_parameters,
    prior_loss,
    unpaired_loss,
)
from kinepose.method.model import Poses
from kinepose.training.losses import LOSSES

SIZE = 32
TRAINED = {loss.name: loss.trained for loss in LOSSES}
IDENTITY = ImageTransform(torch.zeros(4, dtype=torch.bool), torch.zeros(4))


def random_images(seed: int) -> torch.Tensor:
    return torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def pairs() -> PairBatch:
    valid = torch.ones(4, 1, SIZE, SIZE)
    valid[:, :, :8] = 0
    return PairBatch(random_images(0), random_images(1), random_images(2), valid, torch.arange(4))


@pytest.fixture
def labelled() -> LabelledBatch:
    generator = torch.Generator().manual_seed(3)
    return LabelledBatch(
        random_images(4),
        torch.rand(4, 17, 2, generator=generator),
        torch.rand(4, 17, 3, generator=generator),
        torch.rand(4, 9, generator=generator),
        random_images(9)[:, :1],
    )


@pytest.fixture
def poses() -> PoseBatch:
    generator = torch.Generator().manual_seed(10)
    shapes = [(4, 17, 2), (4, 17), (4, 17, 2), (4, 17, 3), (4, 9)]
    return PoseBatch(*(torch.rand(*shape, generator=generator) for shape in shapes))


def elsewhere(pairs: PairBatch) -> PairBatch:
    """The pairs before other backgrounds, B_r."""
    return replace(pairs, background=random_images(5))


def painting(pairs: PairBatch, labelled: LabelledBatch) -> PaintingBatch:
    """As if the pairs were renders."""
    return PaintingBatch(pairs.source, pairs.target, pairs.background, labelled.joints2d)


def all_terms(model, pairs, labelled, poses):
    turn = ImageTransform(torch.tensor([True, False] * 2), torch.linspace(-0.5, 0.5, 4))
    return {
        "prior": lambda: prior_loss(model, labelled),
        "lifting": lambda: lifting_loss(model, poses),
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


def test_painting_loss_by_hand(tiny_model, pairs, labelled):
    """Painted from the true joints; by a D_I that changes nothing, the background."""
    batch = painting(pairs, labelled)
    with torch.no_grad():
        maps, appearance = tiny_model.maps(batch.joints2d), tiny_model.appearance(batch.source)
        painted = tiny_model.decoder(maps, appearance, batch.background)
        loss = painting_loss(tiny_model, batch)["pixels"].item()
        tiny_model.decoder.fusion[-1].weight.zero_()
        unchanged = painting_loss(tiny_model, batch)["pixels"].item()
    assert loss == pytest.approx((painted - batch.target).abs().mean().item())
    assert unchanged == pytest.approx((batch.background - batch.target).abs().mean().item())
    assert abs(loss - unchanged) > 0.01


LEFT_WRIST, RIGHT_WRIST = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")


def says(joints2d, joints3d=None) -> Poses:
    """What a model that knows its answer says of every image."""
    joints3d = torch.zeros(len(joints2d), 17, 3) if joints3d is None else joints3d
    return Poses(torch.zeros(len(joints2d), 40), torch.zeros(len(joints2d), 9), joints3d, joints2d)


def knowing(model, poses, appearances, painted):
    """The model, but its networks answer by what they are shown, and fail if it is another thing.

    `poses` and `appearances` are pairs of an image and the answer.
    """

    def answer(of, pairs):
        return next(said for shown, said in pairs if torch.allclose(shown, of, atol=1e-5))

    model.predict = lambda images: answer(images, poses)
    model.appearance = lambda images: answer(images, appearances)
    model.paint = lambda *inputs: answer(torch.cat([part.flatten() for part in inputs]), painted)
    return model


def inputs_of_decoder(joints2d, appearance, background):
    return torch.cat([part.flatten() for part in (joints2d, appearance, background)])


def test_prior_loss_by_hand(tiny_model, labelled):
    """One image of four is off by 0.5 in 2D, all are by 0.2 along y in 3D."""
    labelled = replace(labelled, camera=None, mask=None)
    off2d, off3d = labelled.joints2d.clone(), labelled.joints3d.clone()
    off2d[:1] += 0.5
    off3d[..., 1] -= 0.2
    tiny_model.predict = lambda _: says(off2d, off3d)
    terms = {name: term.item() for name, term in prior_loss(tiny_model, labelled).items()}
    assert terms == pytest.approx({"joints2d": 0.5 / 4, "joints3d": 0.2 / 3}, rel=1e-5)
    (name, in_3d) = next(iter(joints3d_loss(tiny_model, labelled).items()))
    assert (name, in_3d.item()) == ("joints3d", terms["joints3d"])
    assert joints2d_loss(tiny_model, labelled)["joints2d"].item() == terms["joints2d"]


def test_paired_loss_by_hand_where_every_network_knows_its_answer(tiny_model, pairs):
    """|I_t - I^_t| is 0.25, |p_2D - p^_2D| 0.5, |f_a - f^_a| 0.125; the weights are 2, 3 and 5."""
    painted = pairs.target + 0.25
    p_2d, f_a = torch.rand(4, 17, 2), torch.rand(4, 2, 8, 8)
    model = knowing(
        tiny_model,
        poses=[(pairs.target, says(p_2d)), (painted, says(p_2d + 0.5))],
        appearances=[(pairs.source, f_a), (painted, f_a - 0.125)],
        painted=[(inputs_of_decoder(p_2d, f_a, pairs.background), painted)],
    )
    terms = paired_loss(model, pairs, Weights(pixels=2.0, pose=3.0, appearance=5.0))
    expected = {"pixels": 2 * 0.25, "pose": 3 * 0.5, "appearance": 5 * 0.125}
    assert {n: term.item() for n, term in terms.items()} == pytest.approx(expected, rel=1e-5)


def test_unpaired_loss_by_hand_of_an_image_that_is_mirrored_and_turned(tiny_model, pairs):
    """T mirrors all images and turns them by 90 degrees clockwise; the weights are 2, 3 and 5.

    E_P sees the right wrist of T(I~_t) at (0.5, 0.2). Turned back it is at (0.2, -0.5), mirrored
    back the left one at (-0.2, -0.5), and p_2D has it at (-0.2, -0.1): 0.4 away, in one number of
    34. E_A sees the image as it was painted.
    """
    pairs, painted = elsewhere(pairs), random_images(11)
    quarter = ImageTransform(torch.ones(4, dtype=torch.bool), torch.full((4,), math.pi / 2))
    turned = torch.rot90(flip_image(painted), -1, (2, 3))
    p_2d, seen = torch.zeros(4, 17, 2), torch.zeros(4, 17, 2)
    p_2d[:, LEFT_WRIST] = torch.tensor([-0.2, -0.1])
    seen[:, RIGHT_WRIST] = torch.tensor([0.5, 0.2])
    f_a = torch.rand(4, 2, 8, 8)
    model = knowing(
        tiny_model,
        poses=[(pairs.target, says(p_2d)), (turned, says(seen))],
        appearances=[(pairs.source, f_a), (painted, f_a + 0.125)],
        painted=[(inputs_of_decoder(p_2d, f_a, pairs.background), painted)],
    )
    terms = unpaired_loss(model, pairs, quarter, Weights(pixels=2.0, pose=3.0, appearance=5.0))
    expected = {"pose": 0.4 / 34, "appearance": 5 * 0.125}
    assert {n: term.item() for n, term in terms.items()} == pytest.approx(expected, rel=1e-5)


def test_pixels_without_a_known_background_do_not_count(tiny_model, pairs):
    nothing = replace(pairs, valid=torch.zeros_like(pairs.valid))
    assert paired_loss(tiny_model, nothing, Weights())["pixels"] == 0


def test_transform_is_undone_for_what_was_seen_in_the_transformed_image():
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
    # In a flipped image the left wrist is seen as the right one.
    seen[0, 16], seen[0, 13] = see(0)[0], see(1)[0]
    seen[1, 13], seen[1, 16] = see(0)[1], see(1)[1]
    back = transform.undo(seen)
    expected = (torch.tensor([left, right]) + 0.5) / 64 * 2 - 1
    assert (back[:, [13, 16]] - expected).abs().max() < 1.5 / 64


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


def test_energy_is_the_unpaired_loss_of_one_image_before_grey(tiny_model):
    images, sources = random_images(6), random_images(7)
    each = energy(tiny_model, images, sources)
    for i in range(4):
        grey = torch.full((1, 3, SIZE, SIZE), 0.5)
        one = PairBatch(sources[i : i + 1], images[i : i + 1], grey, None, torch.arange(1))
        still = ImageTransform(torch.zeros(1, dtype=torch.bool), torch.zeros(1))
        terms = unpaired_loss(tiny_model, one, still, Weights())
        assert each[i].item() == pytest.approx(sum(terms.values()).item(), rel=1e-4)


def test_a_flip_alone_is_its_own_inverse():
    flip = ImageTransform(torch.ones(4, dtype=torch.bool), torch.zeros(4))
    images = random_images(8)
    assert torch.allclose(flip.apply(images), flip_image(images), atol=1e-5)


@pytest.mark.parametrize("loss", ["paired", "unpaired"])
def test_gradients_reach_the_backbone_through_the_peaks(tiny_model, pairs, labelled, poses, loss):
    """Nothing else leads there: what the backbone sees under the peaks weighs nothing."""
    assert not tiny_model.pose_encoder.lifter.context.weight.any()
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
