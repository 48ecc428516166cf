import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinepose.dataset.augmentation import Augmentation, RenderBatch, draw_renders
from kinepose.dataset.render_stream import label_renders
from kinepose.dataset.renders import PriorSet
from kinepose.geometry.image_transforms import flip_joints2d
from kinepose.geometry.skeleton import JOINT_NAMES, MIRRORED
from kinepose.method.camera_projection import project
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.settings import StreamConfig
from kinepose.synthetic.single_images import TAKE, render_take

AS_IT_IS = Augmentation(rotation=0.0, crop_jitter=0.0, colour=0.0)
MUCH = Augmentation(rotation=0.5, crop_jitter=0.15, margin=1.3)
SIZE = 48


@pytest.fixture(scope="module")
def pool() -> PriorSet:
    """Three takes of the stream."""
    config = StreamConfig(size=64)
    takes = [label_renders(render_take(config, seed=1, number=number)) for number in range(3)]
    columns = zip(*(vars(take).values() for take in takes), strict=True)
    return PriorSet(*map(np.concatenate, columns))


def draw(
    pool: PriorSet, augmentation: Augmentation, count: int = 96, seed: int = 0, grey: float = 0.5
) -> RenderBatch:
    """A batch before even backgrounds, each of another grey around the one that is given."""
    shades = grey + 0.3 * torch.linspace(-1, 1, count)
    backgrounds = shades[:, None, None, None].expand(count, 3, SIZE, SIZE).contiguous()
    return draw_renders(pool, backgrounds, augmentation, torch.Generator().manual_seed(seed))


def mirrored_like(plain: RenderBatch, batch: RenderBatch) -> RenderBatch:
    """The second batch, with those pictures mirrored that are so in the first alone."""
    other = (plain.joints2d != batch.joints2d).any(-1).any(-1)[:, None, None, None]
    images, mask = (
        torch.where(other, layer.flip(-1), layer) for layer in (batch.images, batch.mask)
    )
    joints2d = torch.where(other[..., 0], flip_joints2d(batch.joints2d), batch.joints2d)
    return replace(batch, images=images, mask=mask, joints2d=joints2d)


def dotted(pool: PriorSet, joint: int, row: int) -> PriorSet:
    """One render, in whose picture there is nothing but a red spot at one joint."""
    size = pool.image.shape[1]
    at = (pool.joints2d[row, joint] + 1) / 2 * size - 0.5
    x, y = np.meshgrid(np.arange(size) - at[0], np.arange(size) - at[1])
    picture = np.zeros((1, size, size, 3), np.uint8)
    picture[0, ..., 0] = 255 * np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    one = PriorSet(*(array[row : row + 1] for array in vars(pool).values()))
    return replace(one, image=picture, mask=np.full_like(one.mask, 255), shadow=0 * one.shadow)


@pytest.mark.parametrize("name", ["left_wrist", "right_ankle", "nose"])
@pytest.mark.parametrize(
    "augmentation", [AS_IT_IS, replace(AS_IT_IS, margin=1.3), replace(MUCH, colour=0.0)]
)
def test_a_spot_at_a_joint_stays_at_that_joint(pool, name, augmentation):
    """Mirrored, the left wrist's spot is where the other person's right wrist is."""
    joint = JOINT_NAMES.index(name)
    drawn = draw(dotted(pool, joint, row=7), augmentation, count=24)
    one = torch.from_numpy(pool.joints3d[7])
    mirrored = (drawn.joints3d - one).abs().amax((1, 2)) > 1e-3
    assert 0 < mirrored.sum() < 24
    expected = torch.where(
        mirrored[:, None], drawn.joints2d[:, MIRRORED[joint]], drawn.joints2d[:, joint]
    )
    weight = (drawn.images - drawn.background * (1 - drawn.mask))[:, 0].double()
    centres = torch.linspace(-1, 1, 2 * SIZE + 1)[1::2].double()
    found = torch.stack([(weight.sum(axis) @ centres) for axis in (1, 2)], dim=-1)
    found = found / weight.sum((1, 2))[:, None]
    inside = (expected.abs() < 0.8).all(-1)
    assert inside.sum() > 8
    assert (found - expected)[inside].abs().max() < 0.25 * 2 / SIZE


def test_joints_lie_on_the_mask(pool):
    drawn = draw(pool, MUCH)
    pixels = ((drawn.joints2d + 1) / 2 * SIZE).floor().long().numpy()
    inside = []
    for mask, joints in zip(drawn.mask[:, 0].numpy(), pixels, strict=True):
        grown = cv2.dilate((mask > 0.3).astype(np.uint8), np.ones((3, 3), np.uint8))
        x, y = joints[((joints >= 0) & (joints < SIZE)).all(1)].T
        inside.append(grown[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 0.95 * 17 * 96
    assert inside.mean() > 0.998


def test_the_camera_shows_the_joints_where_they_are(pool):
    """As well as it did in the renders: the residual grows with the picture, and so does what the
    skeleton's standard lengths cost."""
    drawn, as_it_is = draw(pool, MUCH), draw(pool, AS_IT_IS)

    def apart(batch: RenderBatch, joints3d: torch.Tensor) -> torch.Tensor:
        away = project(joints3d, batch.camera) - batch.joints2d
        return away.square().sum(-1).mean(-1).sqrt()

    largest = float(pool.camera_residual.max()) * 1.3 * math.exp(0.15)
    assert largest < 0.05
    assert apart(drawn, drawn.joints3d).max() < 1.001 * largest
    residuals = apart(as_it_is, as_it_is.joints3d).numpy()
    assert np.abs(residuals[:, None] - pool.camera_residual).min(1).max() < 1e-5
    assert apart(drawn, forward_kinematics(drawn.parameters)).max() < 0.12


def test_left_is_left_and_people_are_no_mirror_images(pool):
    """Noses are before the neck and knees bend backward, in mirrored pictures too."""
    joints = draw(pool, MUCH).joints3d
    assert (joints[:, 9] - joints[:, 8])[:, 0].min() > 0
    hips, knees, ankles = joints[:, [1, 4]], joints[:, [2, 5]], joints[:, [3, 6]]
    thighs, shins = (
        torch.nn.functional.normalize(each, dim=-1) for each in (knees - hips, ankles - knees)
    )
    axes = torch.linalg.cross(thighs, shins)
    bent = axes.norm(dim=-1) > math.sin(math.radians(40))
    assert bent.sum() > 20
    to_the_left = joints[:, 4] - joints[:, 1]
    assert (axes * to_the_left[:, None]).sum(-1)[bent].min() > 0


def test_where_nobody_is_there_is_the_background_and_where_someone_is_there_is_none(pool):
    still = replace(MUCH, colour=0.0)
    dark, bright = draw(pool, still, grey=0.35), draw(pool, still, grey=0.65)
    assert torch.equal(dark.mask, bright.mask) and torch.equal(dark.joints2d, bright.joints2d)
    nobody, someone = (dark.mask == 0).expand(-1, 3, -1, -1), dark.mask[:, 0] == 1
    torch.testing.assert_close(dark.images[nobody], dark.background[nobody])
    change = (bright.images - dark.images).amax(1)
    assert change[someone].abs().max() < 1e-6
    assert 0.05 < someone.float().mean() < 0.5
    shade = dark.background.amax((1, 2, 3), keepdim=True)
    assert ((dark.background < 0.9 * shade).float().mean()) > 0.005, "shadows stay on it"


def test_what_is_hidden_is_not_in_the_mask(pool):
    plain = draw(pool, MUCH)
    partly = mirrored_like(plain, draw(pool, replace(MUCH, hidden=1.0)))
    assert torch.equal(partly.joints2d, plain.joints2d)
    gone = plain.mask - partly.mask
    assert gone.min() >= 0
    someone = (gone > 0).any(-1).any(-1).any(-1)
    assert 0.2 < someone.float().mean() < 0.6, "other boxes miss the person"
    changed = (partly.images - plain.images).abs().amax(1, keepdim=True) > 0
    assert not partly.mask[changed].any(), "what was changed shows nothing of the person"
    assert changed.any((1, 2, 3))[someone].float().mean() > 0.9


def test_noise_and_blur_leave_labels_alone(pool):
    plain = draw(pool, MUCH)
    noisy, blurred = (
        mirrored_like(plain, draw(pool, replace(MUCH, **change)))
        for change in ({"noise": 0.1}, {"blur": 0.5})
    )
    spread = (noisy.images - plain.images).std((1, 2, 3))
    assert spread.max() < 0.1 and spread.std() > 0.01, "each picture has its own strength"
    changed = (blurred.images != plain.images).any(1).any(1).any(1)
    assert 0.3 < changed.float().mean() < 0.7
    steps = [
        (each.images[..., 1:] - each.images[..., :-1]).abs()[changed].mean()
        for each in (blurred, plain)
    ]
    assert steps[0] < 0.9 * steps[1]
    for each in (noisy, blurred):
        assert torch.equal(each.joints2d, plain.joints2d) and torch.equal(each.mask, plain.mask)
        assert each.images.min() >= 0 and each.images.max() <= 1


def test_the_same_generator_draws_the_same_and_another_does_not(pool):
    busy = replace(MUCH, hidden=0.5, noise=0.1, blur=0.5)
    first, again, other = (draw(pool, busy, seed=seed) for seed in (0, 0, 1))
    for name, value in vars(first).items():
        assert torch.equal(value, getattr(again, name)), name
        assert not torch.equal(value, getattr(other, name)), name


def test_renders_as_they_are_come_out_as_they_were(pool):
    """Nothing turned, moved or coloured: the person on the background, or its mirror image."""
    drawn = draw(pool, AS_IT_IS, count=TAKE)
    size = pool.image.shape[1]
    assert size % SIZE != 0, "so that pixels are resampled"
    person = pool.image.astype(float).sum((1, 2)) / 255 / size**2
    seen = ((drawn.images - drawn.background * (1 - drawn.mask)).sum((2, 3)) / SIZE**2).numpy()
    nearest = np.abs(person[None] - seen[:, None]).max(-1).min(1)
    assert nearest.max() < 2e-3
