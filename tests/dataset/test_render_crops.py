"""Crops composed of renders: what happens to the image happens to mask and labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinepose.dataset.config import CompositionConfig, StreamConfig
from kinepose.dataset.crop_effects import cut_off, random_part
from kinepose.dataset.render_crops import RenderPool, compose_batch, compose_pairs, pool_of
from kinepose.dataset.render_stream import label_renders
from kinepose.dataset.renders import as_numbers
from kinepose.geometry.image_transforms import flip_joints2d, flip_joints3d
from kinepose.geometry.skeleton import JOINT_NAMES, MIRRORED
from kinepose.method.batches import LabelledBatch
from kinepose.method.camera_projection import project
from kinepose.synthetic.single_images import SEQUENCE, render_sequence

_NONE = ("others", "in_front", "hidden", "cut", "grey", "blur", "coarse", "noise", "jpeg")
PLAIN = CompositionConfig(**dict.fromkeys(_NONE, 0.0))
"""Turned, enlarged, shifted, mirrored, and nothing besides."""
SIZE = 72


@pytest.fixture(scope="module")
def pool() -> RenderPool:
    """A sequence of the stream that casts no shadow, and whom the crops show in full."""
    config = StreamConfig(size=96, dressed=0.0, video_like=0.0)
    return pool_of(label_renders(render_sequence(config, seed=1, number=0)))


def draw(
    pool: RenderPool,
    composition: CompositionConfig = PLAIN,
    count: int = 24,
    seed: int = 0,
    grey: int = 0,
) -> LabelledBatch:
    backgrounds = np.full((1, 100, 100, 3), grey, np.uint8)
    return compose_batch(pool, backgrounds, range(count), SIZE, composition, seed)


def spotted(pool: RenderPool, joint: int, row: int) -> RenderPool:
    """One render, in which there is a red spot at one joint and nothing else."""
    side = pool.shadow.shape[1]
    centre = (pool.joints2d[row, joint] + 1) / 2 * side - 0.5
    x, y = np.meshgrid(np.arange(side) - centre[0], np.arange(side) - centre[1])
    spot = np.round(255 * np.exp(-(x**2 + y**2) / (2 * 2.0**2))).astype(np.uint8)
    one = {name: array[row : row + 1] for name, array in vars(pool).items()}
    layers = np.zeros_like(one["layers"])
    layers[0, ..., 0] = layers[0, ..., 3] = spot
    return RenderPool(**one | {"layers": layers, "shadow": 0 * one["shadow"]})


def middles(images: torch.Tensor) -> torch.Tensor:
    """Where their light is, from -1 to 1."""
    spots = torch.linspace(-1, 1, 2 * SIZE + 1)[1::2].double()
    weight = images.double()
    return (
        torch.stack([weight.sum(axis) @ spots for axis in (1, 2)], -1) / weight.sum((1, 2))[:, None]
    )


@pytest.mark.parametrize("name", ["left_wrist", "right_ankle", "nose"])
def test_a_spot_at_a_joint_stays_at_that_joint(pool, name):
    """Mirrored, the left wrist's spot is where the other person's right wrist is."""
    joint, row = JOINT_NAMES.index(name), 3
    composition = replace(PLAIN, any_way=0.3, length=(0.5, 1.2))
    drawn = draw(spotted(pool, joint, row), composition)
    one = torch.from_numpy(pool.joints3d[row])
    mirrored = (drawn.joints3d - one).abs().amax((1, 2)) > 1e-3
    assert 5 < mirrored.sum() < 19
    torch.testing.assert_close(
        drawn.joints3d[mirrored], flip_joints3d(one).expand(int(mirrored.sum()), -1, -1)
    )
    expected = torch.where(
        mirrored[:, None], drawn.joints2d[:, MIRRORED[joint]], drawn.joints2d[:, joint]
    )
    inside = (expected.abs() < 0.8).all(-1)
    assert inside.sum() > 8
    for seen in (drawn.images[:, 0], drawn.mask[:, 0]):
        away = (middles(seen[inside]) - expected[inside]) * SIZE / 2
        assert away.abs().max() < 0.5, "[px]"
    assert not drawn.images[:, 1:].any() or drawn.images[:, 0].sum() > drawn.images[:, 1].sum()


def test_people_are_as_large_turned_and_far_off_as_the_settings_say(pool):
    composition = replace(PLAIN, length=(0.7, 0.7), shift=0.1, roll=30.0, any_way=0.0)
    drawn = draw(pool, composition, count=400)
    low, high = drawn.joints2d.amin(1), drawn.joints2d.amax(1)
    length = 1.08 * (high - low).amax(-1) / 2
    torch.testing.assert_close(length, torch.full_like(length, 0.7), atol=1e-4, rtol=0)
    middle = (low + high) / 2
    assert middle.std(0).sub(0.1).abs().max() < 0.015
    assert middle.mean(0).abs().max() < 0.02


def test_the_camera_shows_the_joints_where_they_are(pool):
    """As well as it did in the renders: the residual grows with the image."""
    drawn = draw(pool, replace(PLAIN, any_way=0.5), count=96)
    away = (project(drawn.joints3d, drawn.camera) - drawn.joints2d).square().sum(-1).mean(-1).sqrt()
    joints3d, camera = torch.from_numpy(pool.joints3d), torch.from_numpy(pool.camera)
    before = project(joints3d, camera).numpy() - pool.joints2d
    before = np.sqrt((before**2).sum(-1).mean(-1))
    assert 0.001 < before.max() < 0.06, "it is not exact, for people's lengths differ"
    grown = [np.ptp(joints2d, axis=0).max() for joints2d in pool.joints2d]
    largest = (before * 1.42 * 2 * 0.95 / 1.08 / np.array(grown)).max()
    assert away.max() < largest


def test_the_mask_says_where_the_person_is(pool):
    """Before black and before white the person looks alike, and all else does not."""
    dark, bright = draw(pool), draw(pool, grey=255)
    assert torch.equal(dark.mask, bright.mask) and torch.equal(dark.joints2d, bright.joints2d)
    nobody, someone = dark.mask[:, 0] == 0, dark.mask[:, 0] == 255
    assert 0.03 < someone.float().mean() < 0.5 < nobody.float().mean()
    for channel in range(3):
        assert (dark.images[:, channel][nobody] == 0).all()
        assert (bright.images[:, channel][nobody] == 255).all()
        apart = bright.images[:, channel].int() - dark.images[:, channel].int()
        assert apart[someone].abs().max() <= 1
    pixels = ((dark.joints2d + 1) / 2 * SIZE).floor().long().clamp(0, SIZE - 1)
    grown = torch.nn.functional.max_pool2d(dark.mask.float(), 3, 1, 1)[:, 0]
    on_it = grown[torch.arange(24)[:, None], pixels[..., 1], pixels[..., 0]] > 80
    assert on_it.float().mean() > 0.97, "joints lie on the person"


@pytest.mark.parametrize("change", [{"in_front": 1.0}, {"hidden": 1.0}])
def test_what_is_hidden_leaves_the_mask(pool, change):
    lost = []
    for seed in range(60):  # of one image each: luck is alike until it is hidden
        plain = draw(pool, count=1, seed=seed)
        covered = draw(pool, replace(PLAIN, **change), count=1, seed=seed)
        dark, bright = (
            draw(pool, replace(PLAIN, **change), count=1, seed=seed, grey=grey) for grey in (0, 255)
        )
        if not torch.equal(plain.joints2d, covered.joints2d):
            mirrored = flip_joints2d(covered.joints2d)
            torch.testing.assert_close(plain.joints2d, mirrored)  # which is decided at the end
            continue
        gone = plain.mask.int() - covered.mask.int()
        assert gone.min() >= 0
        lost.append(float((gone > 128).sum() / (plain.mask > 128).sum()))
        if "hidden" in change:  # what hides is a part of a background
            hidden = (gone > 0).expand(-1, 3, -1, -1)
            assert (dark.images[hidden] == 0).all() and (bright.images[hidden] == 255).all()
            assert not covered.mask[gone > 0].any()
    assert len(lost) > 10 and max(lost) > 0.1 and sum(share > 0 for share in lost) >= 5


def test_people_behind_are_no_part_of_the_mask(pool):
    """As they are painted first, they show where the person is not."""
    drawn = draw(pool, replace(PLAIN, others=3.0))
    nobody = (drawn.mask == 0).expand(-1, 3, -1, -1)
    assert (drawn.images[nobody] > 0).float().mean() > 0.05


def test_what_a_camera_does_leaves_labels_alone(pool):
    bad = {"grey": 1.0, "blur": 1.0, "noise": 30.0, "jpeg": 1.0}
    alike = 0
    for seed in range(12):
        plain, worse = (
            draw(pool, replace(PLAIN, **change), count=1, seed=seed, grey=90)
            for change in ({}, bad)
        )
        assert not torch.equal(plain.images, worse.images)
        if torch.equal(plain.joints2d, worse.joints2d):  # else one of them is mirrored
            alike += 1
            for name in ("mask", "joints3d", "camera"):
                assert torch.equal(getattr(plain, name), getattr(worse, name)), name
        else:
            torch.testing.assert_close(plain.joints2d, flip_joints2d(worse.joints2d))
    assert alike > 2


def test_the_same_seed_composes_the_same_bytes_and_another_does_not(pool):
    first, again, other = (draw(pool, CompositionConfig(), seed=seed) for seed in (0, 0, 1))
    for name, value in vars(first).items():
        assert torch.equal(value, getattr(again, name)), name
        assert not torch.equal(value, getattr(other, name)), name
    assert first.images.dtype == torch.uint8
    assert first.images.is_contiguous(memory_format=torch.channels_last)
    numbers = as_numbers(first)
    torch.testing.assert_close(numbers.images * 255, first.images.float())
    torch.testing.assert_close(numbers.mask * 255, first.mask.float())


@pytest.mark.parametrize("size", [8, 32, 192])
def test_no_part_hides_more_than_a_third_each_way(size):
    """Those beyond the crop hide nothing of it, where a negative end would count from behind."""
    crop, generator = np.arange(size), np.random.default_rng(0)
    ways = [len(crop[way]) for _ in range(4000) for way in random_part(size, generator)]
    assert max(ways) == size // 3 and min(ways) == 0


@pytest.mark.parametrize("size", [32, 48, 224, 640])
def test_crops_of_any_size_can_be_composed(pool, size):
    busy = replace(CompositionConfig(), hidden=1.0, coarse=1.0, blur=0.0)
    backgrounds = np.full((2, 64, 64, 3), 99, np.uint8)
    drawn = compose_batch(pool, backgrounds, range(4), size, busy, seed=0)
    assert drawn.images.shape == (4, 3, size, size) and drawn.mask.shape == (4, 1, size, size)


def test_a_pool_is_the_renders_of_a_file():
    prior = label_renders(render_sequence(StreamConfig(size=32), seed=1, number=0))
    pool = pool_of(prior)
    assert pool.layers.shape == (SEQUENCE, 32, 32, 4)
    assert np.array_equal(pool.layers[..., :3], prior.image)
    assert np.array_equal(pool.layers[..., 3], prior.mask)
    assert np.array_equal(pool.camera, prior.camera)


def two_people(pool: RenderPool) -> RenderPool:
    """Two sequences: a red person without a shadow, and a green one."""
    double = {name: np.concatenate([array, array]) for name, array in vars(pool).items()}
    for channel, rows in enumerate((np.s_[:SEQUENCE], np.s_[SEQUENCE:])):
        double["layers"][rows, ..., :3] = 0
        double["layers"][rows, ..., channel] = double["layers"][rows, ..., 3] // 2
    double["shadow"] = 0 * double["shadow"]
    return RenderPool(**double)


def test_a_pair_shows_one_person_in_one_light_in_two_poses(pool):
    backgrounds = np.full((1, 100, 100, 3), 10, np.uint8)
    pairs = compose_pairs(two_people(pool), backgrounds, range(40), SIZE, PLAIN, seed=0)
    assert (pairs.background == 10).all()
    source, target = (images.float().amax((2, 3))[:, :2] for images in (pairs.source, pairs.target))
    red = target[:, 0] > target[:, 1]
    assert 10 < red.sum() < 30
    torch.testing.assert_close(source, target, atol=3.0, rtol=0)
    different = (pairs.source != pairs.target).flatten(1).any(1)
    assert different.sum() > 30
    assert target.amax(1).std() > 5, "colours differ from pair to pair"


def test_a_target_is_its_background_but_for_the_person_at_the_joints(pool):
    backgrounds = np.random.default_rng(0).integers(0, 256, (3, 100, 100, 3), np.uint8)
    unshaded = RenderPool(**vars(pool) | {"shadow": 0 * pool.shadow})
    pairs = compose_pairs(unshaded, backgrounds, range(40), SIZE, PLAIN, seed=0)
    changed = (pairs.target != pairs.background).any(1)
    assert 0.02 < changed.float().mean() < 0.5
    ys, xs = ((pairs.joints2d[..., axis] + 1) / 2 * SIZE for axis in (1, 0))
    inside = pairs.joints2d.abs().amax(-1) < 0.97
    assert inside.float().mean() > 0.8
    rows, columns = ys.long().clamp(0, SIZE - 1), xs.long().clamp(0, SIZE - 1)
    at_joints = changed[torch.arange(40)[:, None], rows, columns]
    assert at_joints[inside].float().mean() > 0.97
    covered = pairs.mask[:, 0] > 127
    assert (covered & ~changed).float().mean() < 0.005 and (
        changed & (pairs.mask[:, 0] == 0)
    ).sum() == 0


def test_the_source_of_a_pair_shows_the_person_at_its_joints(pool):
    """Whose colour is found there, before black, in the source as in the target."""
    backgrounds = np.zeros((1, 100, 100, 3), np.uint8)
    pairs = compose_pairs(two_people(pool), backgrounds, range(40), SIZE, PLAIN, seed=0)
    for image, joints2d in (
        (pairs.source, pairs.source_joints2d),
        (pairs.target, pairs.joints2d),
    ):
        places = ((joints2d + 1) / 2 * SIZE).long().clamp(0, SIZE - 1)
        seen = image.amax(1)[torch.arange(40)[:, None], places[..., 1], places[..., 0]] > 0
        inside = joints2d.abs().amax(-1) < 0.97
        assert seen[inside].float().mean() > 0.97


def test_a_pair_is_decided_by_seed_and_number(pool):
    backgrounds = np.random.default_rng(0).integers(0, 256, (3, 100, 100, 3), np.uint8)
    all_, later = (
        compose_pairs(pool, backgrounds, numbers, SIZE, PLAIN, seed=0)
        for numbers in (range(6), range(4, 6))
    )
    for name, part in vars(later).items():
        assert torch.equal(part, getattr(all_, name)[4:])


def test_an_image_that_ends_goes_on_with_its_border():
    """Below at seven of ten; where the end is, and before it, everything stays as it was."""
    numbers, ends = np.random.default_rng(0), [[], [], [], []]
    for _ in range(300):
        before = numbers.integers(0, 256, (40, 40, 3), np.uint8)
        image, mask = before.copy(), np.full((40, 40), 255, np.uint8)
        cut_off(image, mask, numbers)
        side = next(side for side in range(4) if not np.rot90(mask, side)[-1].any())
        image, mask, before = (np.rot90(layer, side) for layer in (image, mask, before))
        end = int((mask > 0).all(1).sum())
        np.testing.assert_array_equal(image[:end], before[:end])
        assert mask[:end].all() and not mask[end:].any()
        assert (image[end:] == before[end - 1]).all()
        ends[side].append(end)
    below, *others = map(len, ends)
    assert 190 < below < 230 and min(others) > 15
    assert 12 <= min(ends[0]) < 14 and 33 < max(ends[0]) < 36


def test_people_who_are_cut_cover_less_and_have_the_same_joints(pool):
    whole, cut = draw(pool, count=200), draw(pool, replace(PLAIN, cut=1.0), count=200)
    assert 0.5 < cut.mask.float().mean() / whole.mask.float().mean() < 0.8
    heights = (joints2d[..., 1].sort(-1).values for joints2d in (whole.joints2d, cut.joints2d))
    torch.testing.assert_close(*heights)
