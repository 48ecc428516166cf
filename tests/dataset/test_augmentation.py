import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinepose.dataset.augmentation import Augmentation, draw_renders
from kinepose.dataset.render_stream import label_renders
from kinepose.dataset.renders import PriorSet
from kinepose.geometry.skeleton import JOINT_NAMES, MIRRORED
from kinepose.method.batches import LabelledBatch
from kinepose.synthetic.config import SingleImagesConfig
from kinepose.synthetic.single_images import SEQUENCE, render_sequence

AS_IT_IS = Augmentation(rotation=0.0, crop_jitter=0.0, colour=0.0)
MUCH = Augmentation(rotation=0.5, crop_jitter=0.15)
SIZE = 48


@pytest.fixture(scope="module")
def pool() -> PriorSet:
    """Three sequences of the stream."""
    config = SingleImagesConfig(size=64)
    sequences = [
        label_renders(render_sequence(config, seed=1, number=number)) for number in range(3)
    ]
    columns = zip(*(vars(sequence).values() for sequence in sequences), strict=True)
    return PriorSet(*map(np.concatenate, columns))


def draw(
    pool: PriorSet, augmentation: Augmentation, count: int = 96, seed: int = 0, grey: float = 0.5
) -> LabelledBatch:
    """A batch before even backgrounds."""
    backgrounds = torch.full((count, 3, SIZE, SIZE), grey)
    return draw_renders(pool, backgrounds, augmentation, torch.Generator().manual_seed(seed))


def dotted(pool: PriorSet, joint: int, row: int) -> PriorSet:
    """One render, in whose image there is nothing but a red spot at one joint."""
    size = pool.image.shape[1]
    centre = (pool.joints2d[row, joint] + 1) / 2 * size - 0.5
    x, y = np.meshgrid(np.arange(size) - centre[0], np.arange(size) - centre[1])
    image = np.zeros((1, size, size, 3), np.uint8)
    image[0, ..., 0] = 255 * np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    one = PriorSet(*(array[row : row + 1] for array in vars(pool).values()))
    return replace(one, image=image, mask=np.full_like(one.mask, 255), shadow=0 * one.shadow)


@pytest.mark.parametrize("name", ["left_wrist", "right_ankle", "nose"])
@pytest.mark.parametrize("augmentation", [AS_IT_IS, replace(MUCH, colour=0.0)])
def test_a_spot_at_a_joint_stays_at_that_joint(pool, name, augmentation):
    """Mirrored, the left wrist's spot is where the other person's right wrist is."""
    joint = JOINT_NAMES.index(name)
    drawn = draw(dotted(pool, joint, row=0), augmentation, count=24, grey=0.0)
    one = torch.from_numpy(pool.joints3d[0])
    mirrored = (drawn.joints3d - one).abs().amax((1, 2)) > 1e-3
    assert 0 < mirrored.sum() < 24
    expected = torch.where(
        mirrored[:, None], drawn.joints2d[:, MIRRORED[joint]], drawn.joints2d[:, joint]
    )
    weight = drawn.images[:, 0].double()
    middles = torch.linspace(-1, 1, 2 * SIZE + 1)[1::2].double()
    found = torch.stack([(weight.sum(axis) @ middles) for axis in (1, 2)], dim=-1)
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


def test_left_is_left_and_people_are_no_mirror_images(pool):
    """Noses are before the neck and knees bend backward, in mirrored images too."""
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
    nobody, someone = dark.mask[:, 0] == 0, dark.mask[:, 0] == 1
    change = (bright.images - dark.images).amax(1)
    assert change[someone].abs().max() < 1e-6
    assert 0.05 < someone.float().mean() < 0.5
    behind = dark.images.amax(1)[nobody]
    assert behind.max() < 0.35 + 1e-6
    assert ((behind > 0.349).float().mean()) > 0.5
    assert ((behind < 0.9 * 0.35).float().mean()) > 0.005, "shadows stay on it"


def test_the_same_generator_draws_the_same_and_another_does_not(pool):
    first, again, other = (draw(pool, MUCH, seed=seed) for seed in (0, 0, 1))
    for name in ("images", "joints2d", "joints3d", "mask"):
        value = getattr(first, name)
        assert torch.equal(value, getattr(again, name)), name
        assert not torch.equal(value, getattr(other, name)), name


def test_renders_as_they_are_come_out_as_they_were(pool):
    """Nothing turned, moved or coloured: the person on the background, or its mirror image."""
    drawn = draw(pool, AS_IT_IS, count=SEQUENCE, grey=0.0)
    size = pool.image.shape[1]
    assert size % SIZE != 0, "so that pixels are resampled"
    person = pool.image.astype(float).sum((1, 2)) / 255 / size**2
    seen = (drawn.images.sum((2, 3)) / SIZE**2).numpy()
    nearest = np.abs(person[None] - seen[:, None]).max(-1).min(1)
    assert nearest.max() < 2e-3
