"""evaluate.py on files written for the test."""

import json
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from tests.tiny_benchmarks import (
    camera,
    person,
    stacked,
    times_of,
    universal,
    write_3dhp_test,
    write_fetch,
    write_lsp,
)

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.pose_files import FORMAT_VERSION, VideoPoses, write_poses
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


def write_video_poses(path, joints3d, frame, track=None, joints2d=None):
    count = len(joints3d)
    joints3d = np.asarray(joints3d, np.float32)
    write_poses(
        path,
        VideoPoses(
            video=np.array("video.mp4"),
            frame=np.asarray(frame, np.int64),
            time=np.asarray(frame) / 50.0,
            image=np.full(count, ""),
            track=np.zeros(count, np.int64) if track is None else np.asarray(track, np.int64),
            box=np.tile(np.float32([10, 20, 60, 220]), (count, 1)),
            joints2d=np.zeros((count, 17, 2), np.float32) if joints2d is None else joints2d,
            joints3d=joints3d - joints3d[:, :1],
            confidence=np.full((count, 17), 0.5, np.float32),
            root=np.tile(np.float32([0, 0, 5000]), (count, 1)),
            focal=np.full(count, 500, np.float32),
            energy=np.zeros(count, np.float32),
            fps=np.array(25, np.float32),
        ),
    )
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
        (good_labels, good_labels, "holds no poses: it lacks box, confidence, energy"),
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


def as_poses(folder, name, joints3d, joints2d=None, rows=None, track=None):
    """poses.npz of one recording, of some of its images."""
    rows = range(len(joints3d)) if rows is None else rows
    joints2d = None if joints2d is None else np.float32(joints2d)
    write_video_poses(folder / name / "poses.npz", joints3d, rows, track, joints2d)


def of_protocol(poses, data, protocol):
    return evaluate(EvaluateConfig(poses, data, poses.parent / f"{poses.name}.json", protocol))


def moved(joints3d, far):
    """All joints but the pelvis, beside where they are."""
    joints3d = joints3d.copy()
    joints3d[:, 1:, 0] += far
    return joints3d


@pytest.fixture(scope="module")
def h36m(tmp_path_factory):
    """Sequences of 6, 3 and 3 frames by two cameras, and the truth by the names of the
    recordings."""
    folder = tmp_path_factory.mktemp("h36m")
    cameras = {"54138969": camera(0.3), "60457274": camera(2.0)}
    for sequence, count in (("S9/Walking-1", 6), ("S9/WalkingDog-1", 3), ("S11/Directions-2", 3)):
        write_fetch(folder / "processed" / sequence, np.arange(1, count + 1), cameras)
    truth = {}
    for number, seen_by in cameras.items():
        seen = seen_by.seen(stacked(person(times_of(np.arange(1, 7))), JOINT_NAMES))
        truth[f"S9_Walking-1_{number}"] = seen
        truth[f"S9_WalkingDog-1_{number}"] = truth[f"S11_Directions-2_{number}"] = seen[:3]
    return folder, truth


def test_h36m_all_by_hand(h36m, tmp_path):
    """17 mm off in 12 frames of one action, and 34 mm in 6 of another; the broken sequence is
    out."""
    folder, truth = h36m
    for name, joints3d in truth.items():
        as_poses(tmp_path / "true", name, joints3d)
        far = 34 if "Dog" in name else 17
        as_poses(tmp_path / "moved", name, moved(joints3d, far))
    perfect = of_protocol(tmp_path / "true", folder, "h36m_all")
    assert perfect["frames"] == {"labelled": 18, "matched": 18, "missing": 0}
    for name in ("mpjpe", "n_mpjpe", "p_mpjpe"):
        assert perfect[name] == pytest.approx(0, abs=1e-3)
    assert (perfect["pck"], perfect["n_pck"]) == (1, 1)
    assert perfect["auc"] == pytest.approx(30 / 31)
    scores = of_protocol(tmp_path / "moved", folder, "h36m_all")
    assert scores["mpjpe"] == pytest.approx((12 * 16 + 6 * 32) / 18, abs=1e-3)
    assert scores["mean_of_actions"]["mpjpe"] == pytest.approx((16 + 32) / 2, abs=1e-3)
    per_action = {"WalkDog": pytest.approx(32, abs=1e-3), "Walking": pytest.approx(16, abs=1e-3)}
    assert scores["per_action"]["mpjpe"] == per_action
    assert scores["per_joint"]["mpjpe"]["pelvis"] == 0
    # Errors of 17 are below 20, ..., 150, those of 34 below 35, ..., 150.
    assert scores["auc"] == pytest.approx((12 * 27 + 6 * 24) / (18 * 31))


def test_h36m_frontal_by_hand(h36m, tmp_path):
    """One camera, every 5th frame: of each take the first, of the longest the 6th as well."""
    folder, truth = h36m
    for name, joints3d in truth.items():
        if name.endswith("_60457274"):
            as_poses(tmp_path / "poses", name, moved(joints3d[::5], 17))
    scores = of_protocol(tmp_path / "poses", folder, "h36m_frontal")
    assert scores["frames"] == {"labelled": 4, "matched": 4, "missing": 0}
    assert scores["mpjpe"] == pytest.approx(17, abs=1e-3)  # the pelvis is none of the 14
    assert set(scores["per_action"]["mpjpe"]) == {"Directions", "WalkDog", "Walking"}
    joints = set(JOINT_NAMES) - {"pelvis", "spine", "nose"}
    assert set(scores["per_joint"]["mpjpe"]) == joints


def test_mpi_inf_3dhp_test_by_hand(tmp_path):
    """On the universal skeleton, valid frames only; 17 joints for errors, 14 for shares."""
    seen_by = camera(0.5)
    write_3dhp_test(tmp_path / "data" / "TS1", [1, 0, 1, 1], [1, 1, 2, 2], seen_by)
    write_3dhp_test(tmp_path / "data" / "TS5", [1], [7], seen_by)
    names = tuple({"spine": "low_spine", "nose": "head"}.get(name, name) for name in JOINT_NAMES)
    for name, times in (("TS1", np.linspace(0, 1, 4)[[0, 2, 3]]), ("TS5", np.zeros(1))):
        seen = seen_by.seen(stacked(person(times), names))
        as_poses(tmp_path / "true", name, universal(seen))
        as_poses(tmp_path / "own_size", name, seen)
        off = universal(seen)
        off[:, [JOINT_NAMES.index("spine"), JOINT_NAMES.index("nose")]] += [600, 0, 800]
        as_poses(tmp_path / "off", name, off)
    data = tmp_path / "data"
    perfect = of_protocol(tmp_path / "true", data, "mpi_inf_3dhp_test")
    assert perfect["frames"] == {"labelled": 4, "matched": 4, "missing": 0}
    assert perfect["mpjpe"] == pytest.approx(0, abs=1e-3)
    assert (perfect["pck"], perfect["auc"]) == (1, pytest.approx(30 / 31))
    assert set(perfect["per_action"]["pck"]) == {"Stand-Walk", "Exercise", "Misc"}
    # The person himself is a ninth larger: the pelvis stays, an ankle 890 mm below it is 90 off.
    own_size = of_protocol(tmp_path / "own_size", data, "mpi_inf_3dhp_test")
    assert 60 < own_size["per_joint"]["mpjpe"]["left_ankle"] < 90
    assert (own_size["n_mpjpe"], own_size["n_pck"]) == (pytest.approx(0, abs=1e-3), 1)
    off = of_protocol(tmp_path / "off", data, "mpi_inf_3dhp_test")
    assert off["mpjpe"] == pytest.approx(2 * 1000 / 17, abs=1e-2)
    assert off["pck"] == 1


def test_lsp_by_hand(tmp_path):
    """Of four images one is right, one nearly, one far off, and one has nobody."""
    seen_by = camera(0.4)
    write_lsp(tmp_path / "data", 8, seen_by)
    joints = person(np.linspace(0, 1, 8)[4:])
    truth = seen_by.project(seen_by.seen(stacked(joints, JOINT_NAMES)))
    ends = [JOINT_NAMES.index(name) for name in ("left_shoulder", "right_hip", "neck", "head_top")]
    shoulder, hip, neck, top = np.moveaxis(truth[:, ends], 1, 0)
    torso, head = np.linalg.norm(shoulder - hip, axis=-1), np.linalg.norm(neck - top, axis=-1)
    found = truth.copy()
    found[1, :, 0] += 1.01 * max(0.2 * torso[1], 0.5 * head[1])
    found[3, :, 1] -= 0.99 * min(0.2 * torso[3], 0.5 * head[3])
    poses = np.zeros((3, 17, 3)) + np.arange(17)[:, None]
    as_poses(tmp_path / "poses", "lsp", poses, found[[0, 1, 3]], rows=[0, 1, 3])
    scores = of_protocol(tmp_path / "poses", tmp_path / "data", "lsp")
    assert scores["frames"] == {"labelled": 4, "matched": 3, "missing": 1}
    assert (scores["torso_pck"], scores["pckh"]) == (2 / 4, 2 / 4)
    # Others in an image do not count, and images that LSP does not have are refused.
    crowd = np.concatenate([found, found + 1000])
    poses = np.zeros((8, 17, 3)) + np.arange(17)[:, None]
    rows, track = [0, 1, 2, 3] * 2, [0] * 4 + [1] * 4
    as_poses(tmp_path / "crowd", "lsp", poses, crowd, rows=rows, track=track)
    scores = of_protocol(tmp_path / "crowd", tmp_path / "data", "lsp")
    assert (scores["torso_pck"], scores["pckh"]) == (3 / 4, 3 / 4)
    as_poses(tmp_path / "many", "lsp", poses, crowd)
    with pytest.raises(BadInputError, match="other images than the 4"):
        of_protocol(tmp_path / "many", tmp_path / "data", "lsp")


def test_a_recording_without_poses_is_named(h36m, tmp_path):
    folder, truth = h36m
    as_poses(tmp_path / "poses", "S9_Walking-1_54138969", truth["S9_Walking-1_54138969"])
    with pytest.raises(BadInputError, match=r"no such file: .*S9_Walking-1_60457274"):
        of_protocol(tmp_path / "poses", folder, "h36m_all")
    assert not (tmp_path / "poses.json").exists()
