"""evaluate.py by the protocols of the benchmarks, on tiny ones."""

import numpy as np
import pytest
from tests.evaluation.written_poses import write_video_poses
from tests.tiny_h36m import times_of, write_fetch
from tests.tiny_lsp import write_lsp
from tests.tiny_mpi_inf_3dhp import universal, write_3dhp_test
from tests.tiny_person import camera, person, stacked

from kinepose.evaluation.config import EvaluateConfig
from kinepose.evaluation.evaluate import evaluate
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError


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
