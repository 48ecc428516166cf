"""evaluate.py on files written for the test."""

import json
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from tests.evaluation.written_poses import write_video_poses

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.pose_files import FORMAT_VERSION
from kinepose.dataset.renders import PriorSet, plain_batch, save_prior
from kinepose.evaluation.baselines import floor_errors, mean_pose_errors
from kinepose.evaluation.config import EvaluateConfig
from kinepose.evaluation.evaluate import evaluate, score_overfit, score_poses
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError
from kinepose.method.forward_kinematics import forward_kinematics


def bodies(count, seed=0):
    """Poses of the standard skeleton 1700 mm tall, turned at random, 4 m from the camera."""
    generator = torch.Generator().manual_seed(seed)
    parameters = torch.randn(count, 40, dtype=torch.float64, generator=generator)
    turns = roma.unitquat_to_rotmat(
        torch.nn.functional.normalize(
            torch.randn(count, 4, dtype=torch.float64, generator=generator), dim=-1
        )
    )
    joints = 1700 * forward_kinematics(parameters) @ turns.transpose(-1, -2)
    return joints + torch.tensor([100.0, 200.0, 4000.0], dtype=torch.float64)


def write_labels(path, joints3d, frame, track=None, joints2d=None, **changes):
    count = len(joints3d)
    arrays = {
        "frame": np.asarray(frame, np.int64),
        "track": np.zeros(count, np.int64) if track is None else np.asarray(track, np.int64),
        "joints2d": np.zeros((count, 17, 2), np.float32) if joints2d is None else joints2d,
        "joints3d": np.asarray(joints3d, np.float32),
        "focal": np.float32(300),
        "fps": np.float32(25),
        "joint_names": np.array(JOINT_NAMES),
        "format_version": np.int64(FORMAT_VERSION),
    }
    np.savez(path, **(arrays | changes))
    return path


def test_perfect_poses_score_zero_and_rows_are_joined_by_frame_and_track(tmp_path, capsys):
    truth = bodies(8)
    frame, track = [0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4
    labels = write_labels(tmp_path / "video.npz", truth, frame, track)
    shuffled = [5, 2, 7, 0, 3]
    poses = tmp_path / "poses"
    write_video_poses(
        poses / "poses.npz",
        truth[shuffled],
        np.array(frame)[shuffled],
        np.array(track)[shuffled],
    )
    scores = evaluate(EvaluateConfig(poses, labels, tmp_path / "scores" / "METRICS.json"))
    assert scores == json.loads((tmp_path / "scores" / "METRICS.json").read_text())
    assert scores["mpjpe"] == pytest.approx(0, abs=1e-3)
    assert scores["p_mpjpe"] == pytest.approx(0, abs=1e-3)
    assert scores["frames"] == {
        "labelled": 8, "predicted": 5, "matched": 5, "missing": 3, "unlabelled": 0,
    }  # fmt: skip
    assert "5 of 8" in capsys.readouterr().out


def test_scores_by_hand(tmp_path):
    """Every joint but the pelvis 17 mm off in x: 16 / 17 of 17 mm; 2D 3-4-5 in a box 200 high."""
    truth = bodies(6)
    predicted = truth.clone()
    predicted[:, 1:, 0] += 17
    joints2d = np.tile(np.float32([3, 4]), (6, 17, 1))
    labels = write_labels(tmp_path / "labels.npz", truth, range(6))
    poses = write_video_poses(tmp_path / "p.npz", predicted, range(6), joints2d=joints2d)
    scores = evaluate(EvaluateConfig(poses, labels, tmp_path / "m.json"))
    assert scores["mpjpe"] == pytest.approx(16, abs=1e-3)
    assert scores["per_joint"]["mpjpe"]["pelvis"] == 0
    assert scores["per_joint"]["mpjpe"]["left_wrist"] == pytest.approx(17, abs=1e-3)
    # The best shift alone leaves a root mean square of 4 mm, and the best similarity no more.
    assert 0 < scores["p_mpjpe"] < 4
    assert scores["joints2d"]["error_px"] == pytest.approx(5)
    assert scores["joints2d"]["error_share_of_box"] == pytest.approx(5 / 200)


def test_per_joint_errors_average_to_the_overall_ones():
    scores = score_poses(bodies(20, seed=1), bodies(20))
    for name in ("mpjpe", "n_mpjpe", "p_mpjpe"):
        assert np.mean(list(scores["per_joint"][name].values())) == pytest.approx(scores[name])
    assert scores["p_mpjpe"] < scores["n_mpjpe"] < scores["mpjpe"]


def test_baselines():
    truth = bodies(20)
    assert floor_errors(truth).mean().item() == pytest.approx(0, abs=1e-6)
    longer_arms = truth.clone()
    longer_arms[:, [13, 16]] += 0.5 * (truth[:, [13, 16]] - truth[:, [12, 15]])
    assert 5 < floor_errors(longer_arms).mean() < 60
    # One pose, however turned, is its own mean.
    turns = roma.random_rotmat(10, dtype=torch.float64)
    same = truth[:1] @ turns.transpose(-1, -2)
    assert mean_pose_errors(same).mean().item() == pytest.approx(0, abs=1e-6)
    assert mean_pose_errors(truth).mean() > 100
    assert mean_pose_errors(torch.zeros(3, 17, 3, dtype=torch.float64)).isnan().all()


def test_overfit_score_is_zero_only_for_renders_known_by_heart(tmp_path, tiny_model):
    size = tiny_model.config.image_size
    rng = np.random.default_rng(0)
    blank = PriorSet(
        image=rng.integers(0, 255, (4, size, size, 3), np.uint8),
        mask=np.full((4, size, size), 255, np.uint8),
        shadow=np.zeros((4, size, size), np.uint8),
        joints2d=np.zeros((4, 17, 2), np.float32),
        joints3d=np.zeros((4, 17, 3), np.float32),
        camera=np.zeros((4, 9), np.float32),
        camera_residual=np.zeros(4, np.float32),
    )
    save_model(tiny_model, tmp_path)
    with torch.no_grad():
        known = tiny_model.predict(plain_batch(blank, size).images).joints3d.numpy()
    unknown = forward_kinematics(torch.randn(4, 40, generator=torch.Generator().manual_seed(0)))
    for joints3d, low, high in [(known, 0, 0.5), (unknown.numpy(), 20, 1000)]:
        save_prior(replace(blank, joints3d=joints3d), tmp_path / "prior.npz")
        scores = score_overfit(tmp_path)
        assert low <= scores["p_mpjpe"] <= high
        assert scores["floor"] == pytest.approx(0, abs=0.1)


def test_bad_input_gets_one_clear_line(tmp_path):
    good_labels = write_labels(tmp_path / "labels.npz", bodies(3), range(3))
    good_poses = write_video_poses(tmp_path / "poses.npz", bodies(3), range(3))
    text = tmp_path / "text.npz"
    text.write_text("not a zip")
    other = write_labels(tmp_path / "v9.npz", bodies(3), range(3), format_version=np.int64(9))
    names = write_labels(tmp_path / "coco.npz", bodies(3), range(3), joint_names=np.array(["a"]))
    later = write_labels(tmp_path / "later.npz", bodies(3), [7, 8, 9])
    twice = write_labels(tmp_path / "twice.npz", bodies(3), [0, 1, 1])
    nan = write_labels(tmp_path / "nan.npz", bodies(3) * np.nan, range(3))
    pickled = write_labels(
        tmp_path / "pickle.npz", bodies(3), range(3), focal=np.array({"a": 1}, object)
    )
    for poses, labels, says in [
        (tmp_path / "none.npz", good_labels, "no such file: .*none.npz"),
        (good_poses, tmp_path / "none.npz", "no such file: .*none.npz"),
        (good_poses, text, "no npz file of labels"),
        (good_labels, good_labels, "holds no poses: it lacks box, confidence, image"),
        (good_poses, good_poses, "holds no labels that we read: its format version: 5"),
        (good_poses, other, "format version: 9"),
        (good_poses, names, "its joint names:"),
        (good_poses, later, "no frame in common: frames 0 to 2"),
        (good_poses, twice, "twice"),
        (good_poses, nan, "not finite"),
        (good_poses, pickled, "focal is no plain array"),
    ]:
        with pytest.raises(BadInputError, match=says) as caught:
            evaluate(EvaluateConfig(poses, labels, tmp_path / "out" / "m.json"))
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()
    with pytest.raises(BadInputError, match="it is a folder"):
        evaluate(EvaluateConfig(good_poses, good_labels, tmp_path))
