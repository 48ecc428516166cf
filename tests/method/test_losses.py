"""What each loss on images is, by hand."""

import math
from dataclasses import replace

import pytest
import torch
from tests.method.random_batches import SIZE, elsewhere, painting, random_images

from kinepose.geometry.image_transforms import flip_image
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.method.batches import PairBatch
from kinepose.method.losses import (
    ImageTransform,
    Weights,
    energy,
    joints2d_loss,
    joints3d_loss,
    painting_loss,
    paired_loss,
    prior_loss,
    unpaired_loss,
)
from kinepose.method.model import Poses


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
    model.appearance = lambda images, joints2d=None: answer(images, appearances)
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
