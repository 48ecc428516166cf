"""metrics.py against numbers worked by hand, invariances, and VideoPose3D's way of writing it."""

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinepose.evaluation.metrics import (
    auc,
    by_action,
    by_joint,
    mpjpe,
    n_mpjpe,
    n_pck,
    p_mpjpe,
    pck,
    pckh,
    rank_correlation,
    scaled,
    torso_pck,
)
from kinepose.geometry.procrustes import aligned
from kinepose.geometry.skeleton import JOINT_NAMES

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


def off_by(*errors):
    """A pose of 17 joints of which each is as far off as told [mm], beside where it should be."""
    truth = poses(1)[0]
    direction = torch.tensor([[2.0, -1.0, 2.0]], dtype=torch.float64) / 3
    return truth + torch.tensor(errors, dtype=torch.float64)[:, None] * direction, truth


OF_14 = [JOINT_NAMES.index(name) for name in JOINT_NAMES if name not in ("pelvis", "spine", "nose")]


def test_pck_is_strict_and_counts_14_joints_by_hand():
    errors = [0.0] * 17
    assert pck(*off_by(*errors)).item() == 1
    for joint, error in zip(OF_14, (149.9, 150.1, 150.1, 1e4, 149.9), strict=False):
        errors[joint] = error
    for joint in (JOINT_NAMES.index(name) for name in ("pelvis", "spine", "nose")):
        errors[joint] = 1e4
    assert pck(*off_by(*errors)).item() == pytest.approx(11 / 14)
    zeros = torch.zeros(17, 3, dtype=torch.float64)
    one_at_150 = zeros.clone()
    one_at_150[OF_14[0]] = torch.tensor([90.0, 0.0, -120.0])
    assert pck(one_at_150, zeros).item() == pytest.approx(13 / 14)


def test_auc_has_31_strict_thresholds_by_hand():
    """An error of 0 is below 5, 10, ..., 150 but not below 0; one of 75 below 80, ..., 150."""
    zeros = torch.zeros(17, 3, dtype=torch.float64)
    for error, below in [(0, 30), (3, 30), (5, 29), (75, 15), (149, 1), (150, 0), (1000, 0)]:
        shifted = zeros + torch.tensor([0.0, float(error), 0.0])
        assert auc(shifted, zeros).item() == pytest.approx(below / 31)
    half = zeros.clone()
    half[OF_14[:7]] = torch.tensor([0.0, 0.0, 75.0], dtype=torch.float64)
    assert auc(half, zeros).item() == pytest.approx((7 * 15 + 7 * 30) / (14 * 31))


def share_below(found, target, threshold):
    """Of the 14 joints of two poses, given as lists."""
    near = [joint for joint in OF_14 if math.dist(found[joint], target[joint]) < threshold]
    return len(near) / 14


def test_pck_and_auc_equal_plain_loops():
    truth, predicted = 0.3 * poses(20), 0.3 * poses(20, seed=1)
    for pose in range(20):
        found, target = predicted[pose].tolist(), truth[pose].tolist()
        curve = [share_below(found, target, 5 * step) for step in range(31)]
        assert pck(predicted, truth)[pose].item() == pytest.approx(curve[-1])
        assert auc(predicted, truth)[pose].item() == pytest.approx(sum(curve) / 31)
        numerator = denominator = 0.0
        for joint in range(17):
            for axis in range(3):
                numerator += found[joint][axis] * target[joint][axis]
                denominator += found[joint][axis] ** 2
        larger = [[x * numerator / denominator for x in joint] for joint in found]
        share = share_below(larger, target, 150)
        assert n_pck(predicted, truth)[pose].item() == pytest.approx(share)
    assert 0.05 < pck(predicted, truth).mean() < n_pck(predicted, truth).mean() < 0.95


def test_n_pck_forgives_the_size_and_pck_does_not():
    truth = poses(4)
    assert (n_pck(3 * truth, truth) == 1).all()
    assert (pck(3 * truth, truth) < 0.1).all()


TORSO = {"left_shoulder": (30.0, 0.0), "right_hip": (-30.0, 80.0)}
HEAD = {"neck": (0.0, -10.0), "head_top": (0.0, -50.0)}


@pytest.mark.parametrize(
    ("metric", "ends", "reach"), [(torso_pck, TORSO, 0.2 * 100), (pckh, HEAD, 0.5 * 40)]
)
def test_pck_in_2d_by_hand(metric, ends, reach):
    """A torso 100 px long (60, 80, 100), or a head of 40 px: joints at most 20 px off are right."""
    truth = torch.full((17, 2), math.nan, dtype=torch.float64)
    truth[OF_14] = torch.arange(28, dtype=torch.float64).reshape(14, 2)
    for name, place in ends.items():
        truth[JOINT_NAMES.index(name)] = torch.tensor(place, dtype=torch.float64)
    predicted = truth.clone()
    assert metric(predicted, truth).item() == 1
    others = [joint for joint in OF_14 if JOINT_NAMES[joint] not in ends]
    for joint, error in zip(others, (reach - 0.01, reach + 0.01, 1000.0), strict=False):
        predicted[joint, 1] += error
    assert metric(predicted, truth).item() == pytest.approx(12 / 14)
    # What the prediction takes for the torso or the head does not set the scale.
    predicted[JOINT_NAMES.index(next(iter(ends)))] += 1000
    assert metric(predicted, truth).item() == pytest.approx(11 / 14)
    assert metric(torch.full_like(truth, math.inf), truth).item() == 0


def test_pck_in_2d_equals_plain_loops():
    generator = torch.Generator().manual_seed(2)
    truth = 100 * torch.randn(20, 17, 2, dtype=torch.float64, generator=generator)
    predicted = truth + 25 * torch.randn(20, 17, 2, dtype=torch.float64, generator=generator)
    for metric, share, ends in [
        (torso_pck, 0.2, ("left_shoulder", "right_hip")),
        (pckh, 0.5, ("neck", "head_top")),
    ]:
        start, end = (JOINT_NAMES.index(name) for name in ends)
        for pose in range(20):
            found, target = predicted[pose].tolist(), truth[pose].tolist()
            share_right = share_below(found, target, share * math.dist(target[start], target[end]))
            assert metric(predicted, truth)[pose].item() == pytest.approx(share_right)


def test_means_by_joint_and_by_action_by_hand():
    errors = torch.tensor([[1.0, 10.0], [3.0, 20.0], [8.0, 60.0]], dtype=torch.float64)
    assert by_joint(errors, (0, 9)) == {"pelvis": 4.0, "nose": 30.0}
    actions = np.array(["Sit", "Phone", "Sit"])
    assert by_action(errors[:, 0], actions) == {"Phone": 3.0, "Sit": 4.5}
    assert list(by_action(errors[:, 0], actions)) == ["Phone", "Sit"]
