"""What is lifted from places of joints that agree over time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inference.test_temporal_filter import moving

from kinepose.artifacts.model_files import new_model
from kinepose.geometry.agreement import WINDOW
from kinepose.inference.bones import lengths_and_directions
from kinepose.inference.placement import in_video, joints_in_camera
from kinepose.inference.temporal_lifting import lift_over_time


@pytest.mark.parametrize("confidence", [0.1, 0.4, 0.9])
def test_who_stands_still_is_lifted_to_what_the_model_says_of_the_places(tiny_model, confidence):
    """By what is certain, its image says the rest: half of the way at 0.4."""
    still = moving()
    count = len(still.frame)
    once = {name: np.repeat(vars(still)[name][:1], count, 0) for name in ("joints2d", "joints3d")}
    sure = np.full((count, 17), confidence, np.float32)
    still = replace(still, **once, confidence=sure)
    found = lift_over_time(tiny_model, still, WINDOW, 1700.0, (640, 480), np.ones(count, bool))
    np.testing.assert_allclose(found.joints2d, still.joints2d, atol=1e-2)
    np.testing.assert_allclose(found.confidence, sure, atol=1e-6)
    low, high = still.box[0, :2], still.box[0, 2:]
    local = (still.joints2d[:1] - (low + high) / 2) / ((high - low).max() / 2)
    with torch.inference_mode():
        poses = tiny_model.lift(torch.from_numpy(local).float(), torch.from_numpy(sure[:1]).sqrt())
        seen = torch.from_numpy(still.joints2d[:1])
        middle, focal = torch.tensor([[320.0, 240.0]]), torch.tensor([800.0])
        lifted, _ = in_video(seen, joints_in_camera(poses, 1700.0), focal, middle)
    angle = angles(found.joints3d[:1], lifted.numpy())
    whole = angles(still.joints3d[:1], lifted.numpy())
    left = {0.1: 1.0, 0.4: 0.5, 0.9: 0.0}[confidence]
    np.testing.assert_allclose(angle, left * whole, atol=0.02)
    in_sight = found.joints3d + found.root[:, None]
    pelvis = 800 * in_sight[:, 0, :2] / in_sight[:, 0, 2:] + [320, 240]
    np.testing.assert_allclose(pelvis, found.joints2d[:, 0], atol=60)


def angles(joints3d: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Between the bones of two poses [rad]."""
    bones = [lengths_and_directions(p.astype(np.float64))[1][:, 1:] for p in (joints3d, others)]
    return np.arccos((bones[0] * bones[1]).sum(-1).clip(-1, 1))


def test_a_model_without_heatmaps_says_what_it_said(tiny_config):
    poses, plain = moving(), new_model(replace(tiny_config, heatmaps=0)).eval()
    seen = np.ones(len(poses.frame), bool)
    assert lift_over_time(plain, poses, WINDOW, 1700.0, (640, 480), seen) is poses


def test_what_was_not_seen_counts_only_far_from_what_was(tiny_model):
    """Every third pose is seen; then the first alone, and 0.5 s later the others have their say."""
    poses = moving()
    seen = np.arange(len(poses.frame)) % 3 == 0
    wrong = np.where(seen[:, None, None], poses.joints2d, poses.joints2d + 500)
    spoilt = replace(poses, joints2d=wrong.astype(np.float32))
    one, other, all_seen = (
        lift_over_time(tiny_model, which, WINDOW, 1700.0, (640, 480), looked)
        for which, looked in ((poses, seen), (spoilt, seen), (spoilt, seen | True))
    )
    np.testing.assert_array_equal(one.joints2d, other.joints2d)
    assert np.abs(all_seen.joints2d - one.joints2d).max() > 100
    first = np.arange(len(poses.frame)) == 0
    late = lift_over_time(tiny_model, spoilt, WINDOW, 1700.0, (640, 480), first)
    far = poses.time - poses.time[0] > 0.5
    assert far.sum() > 3 and np.abs(late.joints2d - one.joints2d)[far].max() > 100


def test_who_is_seen_nowhere_is_where_the_lifted_pose_has_him(tiny_model):
    """A joint of no confidence in any frame; where it was said to be changes nothing."""
    still = moving()
    count = len(still.frame)
    once = {name: np.repeat(vars(still)[name][:1], count, 0) for name in ("joints2d", "joints3d")}
    sure = np.full((count, 17), 0.9, np.float32)
    sure[:, 3] = 0
    found = []
    for away in (0, 500):
        joints2d = once["joints2d"].copy()
        joints2d[:, 3] += away
        poses = replace(still, joints2d=joints2d, joints3d=once["joints3d"], confidence=sure)
        seen = np.ones(count, bool)
        found.append(lift_over_time(tiny_model, poses, WINDOW, 1700.0, (640, 480), seen))
    np.testing.assert_allclose(found[0].joints2d, found[1].joints2d, atol=1e-3)
    np.testing.assert_allclose(found[0].joints3d, found[1].joints3d, atol=1e-1)
    assert (found[0].confidence[:, 3] == 0).all()
    others = np.delete(np.arange(17), 3)
    np.testing.assert_allclose(found[0].joints2d[:, others], once["joints2d"][:, others], atol=1e-2)
