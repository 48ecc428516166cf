"""label_free.py: a constant pose is worst of all, and values worked by hand."""

import math

import numpy as np
import pytest
import roma
import torch

from kinepose.adaptation.label_free import (
    hits,
    moment_pairs,
    silhouettes,
    steadiness,
    view_agreement,
)
from kinepose.geometry.skeleton import LIMBS, STANDARD_SKELETON
from kinepose.method.forward_kinematics import forward_kinematics

FPS, FRAMES = 30.0, 90
TIME = np.arange(FRAMES) / FPS
ONE = np.zeros(FRAMES, int)


def motion(seed=0):
    """Somebody who swings all limbs within 3 s [mm]."""
    generator = torch.Generator().manual_seed(seed)
    rest = torch.tensor([0.0, *np.ravel(STANDARD_SKELETON.rest_directions)])
    swing, phase = (
        0.5 * torch.randn(40, generator=generator),
        6 * torch.rand(40, generator=generator),
    )
    angles = rest + swing * torch.sin(torch.from_numpy(TIME).float()[:, None] * 2.5 + phase)
    return 1700 * forward_kinematics(angles).double().numpy()


def turned(poses, degrees):
    """Seen by a camera to the side."""
    rotation = roma.rotvec_to_rotmat(torch.tensor([0.1, 0.0, math.radians(degrees)]))
    return poses @ rotation.double().numpy()


def noise(scale, seed=1):
    return scale * np.random.default_rng(seed).standard_normal((FRAMES, 17, 3))


def constants():
    """One standing pose, everything in one point, and one pose turned about."""
    standing = np.tile(motion()[:1], (FRAMES, 1, 1))
    about = np.stack([turned(standing[i], 9.0 * i) for i in range(FRAMES)])
    return [standing, np.zeros_like(standing), standing + noise(0.5), about]


def others():
    """What a constant must be worse than, down to poses that have nothing to do with the video."""
    shuffled = motion()[np.random.default_rng(0).permutation(FRAMES)]
    return [motion(), motion() + noise(40), shuffled, noise(300), 0.1 * motion()]


@pytest.mark.parametrize("constant", constants())
def test_a_constant_pose_has_the_worst_agreement_and_steadiness(constant):
    agreement = view_agreement(constant, turned(constant, 70), ONE, TIME)
    other_pose = view_agreement(constant, np.tile(motion(5)[:1], (FRAMES, 1, 1)), ONE, TIME)
    assert agreement.ratio == other_pose.ratio == math.inf
    assert steadiness(constant, ONE, TIME).ratio == math.inf
    for poses in others():
        assert view_agreement(poses, turned(poses[::-1], 70), ONE, TIME).ratio < math.inf
        assert steadiness(poses, ONE, TIME).ratio < math.inf


def test_views_of_one_motion_agree_and_others_do_not():
    same = view_agreement(motion(), turned(motion(), 70), ONE, TIME)
    assert same.ratio < 1e-6 and same.moments > 50
    worse = view_agreement(motion(), turned(motion() + noise(30), 70), ONE, TIME)
    another = view_agreement(motion(), motion(3), ONE, TIME)
    assert 0.05 < worse.ratio < another.ratio
    exchanged = motion()[:, [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13]]
    assert view_agreement(motion(), exchanged, ONE, TIME).ratio > 5 * same.ratio + 0.1


def test_contraction_towards_one_pose_gains_nothing():
    mean = motion().mean(0)
    small, smaller = (mean + share * (motion() + noise(30) - mean) for share in (1.0, 0.3))
    first, second = (steadiness(poses, ONE, TIME).ratio for poses in (small, smaller))
    assert second == pytest.approx(first, rel=0.15)


def test_jitter_is_the_size_of_white_noise_beside_motion():
    slow = steadiness(motion(), ONE, TIME)
    shaky = steadiness(motion() + noise(30), ONE, TIME)
    assert slow.jitter < 5 and slow.spread > 50
    assert shaky.jitter == pytest.approx(30 * math.sqrt(3), rel=0.05)
    assert 0.9 < steadiness(motion()[:1] + noise(30), ONE, TIME).ratio < 1.3


def test_what_lies_between_two_stretches_or_people_is_no_jitter():
    gone = np.flatnonzero((TIME < 1) | (TIME > 2))
    poses = motion()
    poses[TIME > 2] += 900 * np.eye(3)[0]
    assert steadiness(poses, ONE, TIME).jitter > 30
    assert steadiness(poses[gone], ONE[gone], TIME[gone]).jitter < 5
    two = np.concatenate([motion(), motion(4)])
    order = np.random.default_rng(0).permutation(2 * FRAMES)
    person, time = np.repeat([7, 3], FRAMES), np.tile(TIME, 2)
    assert steadiness(two[order], person[order], time[order]).jitter < 5


def test_moments_by_hand():
    person = np.array([0, 1, 0, 1, 0, 0])
    time = np.array([0.0, 0.0, 0.5, 3.0, 1.1, 1.3])
    earlier, later = moment_pairs(person, time)
    assert list(zip(earlier, later, strict=True)) == [(0, 2), (2, 4)]
    assert all(math.isnan(value) for value in vars(view_agreement(*SHORT)).values() if value)


SHORT = (motion()[:3], motion(3)[:3] * math.nan, ONE[:3], TIME[:3])


def drawn(joints2d, size=64):
    """A person with limbs some pixels wide."""
    middles = (np.arange(size) + 0.5) / size * 2 - 1
    places = np.stack(np.meshgrid(middles, middles), axis=-1)
    image = np.zeros((size, size), bool)
    for start, end in LIMBS:
        for share in np.linspace(0, 1, 12):
            spot = (1 - share) * joints2d[start] + share * joints2d[end]
            image |= np.linalg.norm(places - spot, axis=-1) < 0.08
    return image


@pytest.fixture(scope="module")
def video():
    joints2d = motion()[..., 1:] / 1700 * [1.2, -1.2]
    return joints2d, np.stack([drawn(pose) for pose in joints2d])


EVERYWHERE = np.ones((FRAMES, 64, 64), bool)


def test_a_constant_pose_fits_worst_wherever_it_lies(video):
    joints2d, on_person = video
    right = hits(joints2d, on_person, EVERYWHERE, ONE, TIME)
    assert right.share == 1 and right.fit == 1 and right.others < 0.9
    near = hits(joints2d + noise(0.1)[..., :2], on_person, EVERYWHERE, ONE, TIME)
    assert 0 < near.fit < 0.9
    left_half = EVERYWHERE & (np.arange(64) < 32)
    for known in (EVERYWHERE, left_half):
        for constant in (joints2d[:1], joints2d[:1, :1], np.full((1, 17, 2), 3.0)):
            poses = np.broadcast_to(constant, joints2d.shape)
            assert hits(poses, on_person, known, ONE, TIME).fit == 0
    assert hits(joints2d[::-1], on_person, EVERYWHERE, ONE, TIME).fit < 0.3


def test_hits_by_hand():
    """Two moments; of the 17 joints 10, then 3 are on the left half, where the person is."""
    poses = np.full((2, 17, 2), 0.5)
    poses[0, :10, 0] = poses[1, :3, 0] = -0.5
    poses[:, 16] = 0.5, 0.9  # where nothing is known
    poses[:, 15] = 0.5, 7.0  # outside
    on_person = np.zeros((2, 8, 8), bool)
    on_person[0, :, :4] = True
    known = np.ones((2, 8, 8), bool)
    known[:, 7] = False
    two = hits(poses, on_person, known, np.zeros(2, int), np.array([0.0, 0.5]))
    assert two.share == pytest.approx(10 / 32) and two.others == pytest.approx(3 / 32)
    assert two.fit == pytest.approx((10 - 3) / (32 - 3))
    alone = hits(poses, on_person, known, np.zeros(2, int), np.array([0.0, 0.3]))
    assert math.isnan(alone.fit)


def test_silhouettes_are_where_the_image_is_not_the_background():
    background = torch.full((1, 3, 16, 16), 0.4)
    image = background.clone()
    image[:, 1, 4:12, 5:9] = 0.6
    image[:, :, 7, 7] = 0.4
    expected = np.zeros((16, 16), bool)
    expected[4:12, 5:9] = True
    np.testing.assert_array_equal(silhouettes(image + 0.02, background)[0], expected)
