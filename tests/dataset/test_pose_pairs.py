"""Poses without images: how they are seen, and how what is seen is disturbed."""

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinepose.dataset.pose_pairs import (
    SEQUENCE,
    _through_cameras,
    disturbed,
    draw_poses,
    random_moments,
)
from kinepose.geometry.image_transforms import flip_joints2d
from kinepose.geometry.skeleton import JOINT_NAMES, MIRRORED
from kinepose.method.camera_projection import project, rotation_camera_from_canonical
from kinepose.method.forward_kinematics import stature
from kinepose.synthetic.config import MotionConfig

COUNT = 400


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pool() -> torch.Tensor:
    moments = [random_moments(MotionConfig(), seed=3, number=number) for number in range(4)]
    return torch.from_numpy(np.concatenate(moments))


def test_moments_are_decided_by_seed_and_number_and_stand_on_the_floor(pool):
    again = random_moments(MotionConfig(), seed=3, number=2)
    np.testing.assert_array_equal(pool[2 * SEQUENCE : 3 * SEQUENCE], again)
    assert not np.array_equal(random_moments(MotionConfig(), seed=4, number=2), again)
    assert (pool[..., 2].amin(1) > -0.3).all() and (pool[..., 2].amax(1) < 3.5).all(), "[m]"


def test_projections_are_opencvs(pool):
    """Up to where the crop lies: a scale and a shift for each, the rest is a camera's."""
    generator = rng(1)
    rows = torch.randint(len(pool), (COUNT,), generator=generator)
    in_camera = _through_cameras(pool[rows], generator)
    edges, kept = (j[:, :, None] - j[:, None] for j in (pool[rows], in_camera))
    torch.testing.assert_close(kept.norm(dim=-1), edges.norm(dim=-1), atol=1e-4, rtol=0)
    drawn = draw_poses(pool, COUNT, rng(1))
    mirrored = 0
    for points, joints2d in zip(in_camera.double().numpy(), drawn.joints2d, strict=True):
        expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), None)
        apart = []
        for seen in (joints2d, flip_joints2d(joints2d)):
            unknowns = np.zeros((34, 3))  # scale, shift in x, shift in y
            unknowns[:, 0] = expected[:, 0].flatten()
            unknowns[0::2, 1] = unknowns[1::2, 2] = 1
            flat = seen.double().numpy().flatten()
            solution, *_ = np.linalg.lstsq(unknowns, flat, rcond=None)
            away = np.abs(unknowns @ solution - flat).max()
            apart.append(away if solution[0] > 0 else np.inf)
        assert min(apart) < 1e-4
        mirrored += int(apart[1] < apart[0])
    assert 0.4 < mirrored / COUNT < 0.6


def test_people_fill_the_crop_and_the_camera_shows_them_so(pool):
    drawn = draw_poses(pool, COUNT, rng(2))
    length = (drawn.joints2d.amax(1) - drawn.joints2d.amin(1)).amax(-1) / 2
    assert length.min() > 0.55 - 1e-4 and length.max() < 0.95 + 1e-4 and length.std() > 0.08
    away = project(drawn.joints3d, drawn.camera) - drawn.joints2d
    assert away.square().sum(-1).mean(-1).sqrt().quantile(0.9) < 0.06
    assert torch.equal(draw_poses(pool, COUNT, rng(2)).seen2d, drawn.seen2d)


def test_the_camera_looks_at_the_pelvis(pool):
    """As `predict` has it; the poses' own cameras look at the middle of the person."""
    generator = rng(1)
    rows = torch.randint(len(pool), (COUNT,), generator=generator)
    in_camera = _through_cameras(pool[rows], generator).double().numpy()
    drawn = draw_poses(pool, COUNT, rng(1))
    rotation_camera = rotation_camera_from_canonical(drawn.camera)
    ahead = (drawn.joints3d @ rotation_camera.transpose(-1, -2)).double().numpy()
    found = []
    for shown, points in zip(ahead, in_camera, strict=True):
        turned, away = Rotation.align_vectors(shown, (points - points[0]) / _size(points))
        if away < 0.01:  # else it was mirrored
            found.append(turned.apply(points[0] / np.linalg.norm(points[0])))
    assert len(found) > COUNT / 3
    np.testing.assert_allclose(found, [[0, 0, 1]] * len(found), atol=2e-3)


def _size(points: np.ndarray) -> float:
    return float(stature(torch.from_numpy(points[None])))


def test_left_is_left(pool):
    """In the frame C knees bend backward; noses are before the neck, but where one looks back."""
    joints = draw_poses(pool, COUNT, rng(3)).joints3d
    nose, neck = joints[:, JOINT_NAMES.index("nose")], joints[:, 8]
    assert (nose[:, 0] > neck[:, 0]).float().mean() > 0.97
    thighs, shins = joints[:, [2, 5]] - joints[:, [1, 4]], joints[:, [3, 6]] - joints[:, [2, 5]]
    axes = torch.linalg.cross(thighs, shins)
    bent = axes.norm(dim=-1) > 0.6 * thighs.norm(dim=-1) * shins.norm(dim=-1)
    leftward = (axes * (joints[:, 4] - joints[:, 1])[:, None]).sum(-1)
    assert bent.sum() > 50 and (leftward[bent] > 0).all()


@pytest.fixture(scope="module")
def seen(pool) -> tuple[torch.Tensor, ...]:
    """Joints of people who fill half of the crop, so that nothing is cut off at its border; how
    far off each is seen, in lengths of the person; its certainty."""
    joints2d = draw_poses(pool, 4000, rng(4)).joints2d / 2
    length = (joints2d.amax(1) - joints2d.amin(1)).amax(-1)
    seen2d, certainty = disturbed(joints2d, rng(5))
    return joints2d, (seen2d - joints2d).norm(dim=-1) / length[:, None], certainty, seen2d


def test_what_is_certain_is_mostly_right_and_what_is_not_mostly_is_not(seen):
    _, away, certainty, seen2d = seen
    near = away < 0.05
    assert 0.6 < near.float().mean() < 0.9, "of the person's length"
    assert near[certainty > 0.8].float().mean() > 0.9
    assert near[certainty < 0.2].float().mean() < 0.2
    assert certainty.min() >= 0 and certainty.max() <= 1 and seen2d.abs().max() <= 1


def test_what_is_far_off_is_mostly_but_not_always_uncertain(seen):
    _, away, certainty, _ = seen
    far = certainty[away > 0.3]
    assert 0.05 < (away > 0.3).float().mean() < 0.3
    assert (far < 0.5).float().mean() > 0.7
    assert 0.03 < (far > 0.6).float().mean() < 0.3, "or nothing would teach to doubt"


def test_sides_are_exchanged_now_and_then_and_as_surely_as_others(seen):
    joints2d, _, certainty, seen2d = seen
    sides = [joint for joint in range(17) if MIRRORED[joint] != joint]
    apart = (joints2d - joints2d[:, list(MIRRORED)]).norm(dim=-1)[:, sides] > 0.2
    to_own = (seen2d - joints2d).norm(dim=-1)[:, sides]
    to_other = (seen2d - joints2d[:, list(MIRRORED)]).norm(dim=-1)[:, sides]
    exchanged = apart & (to_other < 0.05) & (to_own > 0.15)
    assert 0.02 < exchanged.sum() / apart.sum() < 0.1
    assert abs(certainty[:, sides][exchanged].mean() - certainty[:, sides].mean()) < 0.2
