"""metrics.py against numbers worked by hand, invariances, and VideoPose3D's way of writing it."""

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinepose.metrics import aligned, mpjpe, n_mpjpe, p_mpjpe, rank_correlation, scaled

CROSS = torch.tensor(
    [[0.0, 0, 0], [10, 0, 0], [-10, 0, 0], [0, 10, 0], [0, -10, 0], [0, 0, 10], [0, 0, -10]],
    dtype=torch.float64,
)


def p_mpjpe_of_videopose3d(predicted, target):
    """Umeyama's alignment pose by pose by numpy's SVD, as VideoPose3D's loss.py writes it."""
    errors = []
    for x, y in zip(target, predicted, strict=True):
        mean_x, mean_y = x.mean(0), y.mean(0)
        x0, y0 = x - mean_x, y - mean_y
        norm_x, norm_y = np.sqrt((x0**2).sum()), np.sqrt((y0**2).sum())
        u, s, vt = np.linalg.svd((x0 / norm_x).T @ (y0 / norm_y))
        rotation = vt.T @ u.T
        if np.linalg.det(rotation) < 0:
            vt[-1] *= -1
            s[-1] *= -1
            rotation = vt.T @ u.T
        scale = s.sum() * norm_x / norm_y
        shift = mean_x - scale * mean_y @ rotation
        errors.append(np.linalg.norm(scale * y @ rotation + shift - x, axis=-1).mean())
    return np.array(errors)


def poses(count=32, seed=0, joints=17):
    generator = torch.Generator().manual_seed(seed)
    return 300 * torch.randn(count, joints, 3, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("mirror", [1.0, -1.0])
@pytest.mark.parametrize("noise", [0.1, 30.0, 1e3])
def test_p_mpjpe_equals_videopose3d(mirror, noise):
    truth = poses()
    turns = roma.random_rotmat(len(truth), dtype=torch.float64)
    predicted = (truth + noise / 300 * poses(seed=1)) @ turns * 0.7 + 50.0
    predicted = predicted * torch.tensor([mirror, 1.0, 1.0], dtype=torch.float64)
    slow = p_mpjpe_of_videopose3d(predicted.numpy(), truth.numpy())
    np.testing.assert_allclose(p_mpjpe(predicted, truth).numpy(), slow, rtol=1e-9, atol=1e-9)


def test_p_mpjpe_equals_videopose3d_on_flat_and_straight_poses():
    truth, predicted = poses(), poses(seed=1)
    flat, straight = predicted.clone(), predicted.clone()
    flat[..., 2] = 0
    straight[..., 1:] = 0
    for degenerate in (flat, straight):
        slow = p_mpjpe_of_videopose3d(degenerate.numpy(), truth.numpy())
        np.testing.assert_allclose(p_mpjpe(degenerate, truth).numpy(), slow, rtol=1e-9)


def test_a_mirrored_pose_is_not_forgiven():
    truth = poses()
    mirrored = truth * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert (p_mpjpe(mirrored, truth) > 50).all()


@pytest.mark.parametrize("point", [0.0, 1.0 / 3, 1e6])
def test_a_prediction_in_one_point_costs_the_spread_of_the_truth(point):
    truth = poses()
    constant = torch.full_like(truth, point)
    spread = (truth - truth.mean(-2, keepdim=True)).norm(dim=-1).mean(-1)
    torch.testing.assert_close(p_mpjpe(constant, truth), spread)


def test_degenerate_poses_stay_finite():
    zero, truth = torch.zeros(2, 17, 3), torch.randn(2, 17, 3)
    for metric in (mpjpe, n_mpjpe, p_mpjpe):
        for pair in [(zero, truth), (truth, zero), (zero, zero)]:
            assert metric(*pair).isfinite().all()
    torch.testing.assert_close(n_mpjpe(zero, truth), truth.norm(dim=-1).mean(-1))


def test_by_hand():
    cross = CROSS
    shifted = cross + torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    assert mpjpe(shifted, cross).item() == pytest.approx(5.0)
    assert mpjpe(2 * cross, cross).item() == pytest.approx(60 / 7)
    assert n_mpjpe(2 * cross, cross).item() == pytest.approx(0.0)
    # <p, g> / <p, p> = -1: the scale turns the point mirror into the pose itself
    assert n_mpjpe(-cross, cross).item() == pytest.approx(0.0)
    # One arm of six is 16 long instead of 10: <p, g> / <p, p> = 660 / 756
    longer = cross.clone()
    longer[1, 0] = 16
    scale = 660 / 756
    by_hand = (5 * (10 - 10 * scale) + (16 * scale - 10)) / 7
    assert n_mpjpe(longer, cross).item() == pytest.approx(by_hand)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    assert mpjpe(cross @ quarter.T, cross).item() == pytest.approx(40 * math.sqrt(2) / 7)
    assert p_mpjpe(cross @ quarter.T, cross).item() == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scale=st.floats(0.01, 100),
    shift=st.floats(-1e3, 1e3),
)
def test_invariances_and_order(seed, scale, shift):
    truth, predicted = poses(4, seed), poses(4, seed + 1)
    turn = roma.random_rotmat(dtype=torch.float64)
    torch.testing.assert_close(
        p_mpjpe(scale * predicted @ turn.T + shift, truth), p_mpjpe(predicted, truth)
    )
    torch.testing.assert_close(n_mpjpe(scale * predicted, truth), n_mpjpe(predicted, truth))
    torch.testing.assert_close(mpjpe(predicted @ turn.T, truth @ turn.T), mpjpe(predicted, truth))
    for better in (scaled, aligned):
        moved = (better(predicted, truth) - truth).square().sum((-1, -2))
        assert (moved <= (predicted - truth).square().sum((-1, -2)) + 1e-6).all()


def test_any_batch_shape():
    truth, predicted = poses(6).reshape(2, 3, 17, 3), poses(6, seed=1).reshape(2, 3, 17, 3)
    for metric in (mpjpe, n_mpjpe, p_mpjpe):
        assert metric(predicted, truth).shape == (2, 3)
        torch.testing.assert_close(
            metric(predicted, truth)[1, 2], metric(predicted[1, 2], truth[1, 2])
        )


def test_rank_correlation_by_hand():
    ranks = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    other = np.array([2.0, 1.0, 4.0, 3.0, 50.0])  # 1 - 6 (1 + 1 + 1 + 1 + 0) / (5 (25 - 1))
    assert rank_correlation(ranks, other) == pytest.approx(0.8)
    assert rank_correlation(ranks, -(ranks**3)) == pytest.approx(-1)
    for unknown in (np.full(5, 3.0), np.array([1, 2, 3, 4, np.nan])):
        assert math.isnan(rank_correlation(ranks, unknown))
    assert math.isnan(rank_correlation(ranks[:1], other[:1]))
