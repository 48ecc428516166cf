"""Scores: poses against labels, both read from files.

Distances are in mm. Poses are compared with the pelvis at the origin, in the video camera's axes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.pose_files import VideoLabels, VideoPoses, read_labels, read_poses
from kinepose.benchmarks.config import Benchmark
from kinepose.benchmarks.convert import read_recordings
from kinepose.benchmarks.lsp import read_lsp
from kinepose.benchmarks.recording import video_labels
from kinepose.dataset.renders import load_prior, plain_batch
from kinepose.evaluation.baselines import floor_errors, mean_pose_errors
from kinepose.evaluation.config import EvaluateConfig
from kinepose.evaluation.metrics import (
    auc,
    by_action,
    by_joint,
    joint_errors,
    n_pck,
    p_mpjpe,
    pck,
    pckh,
    scaled,
    torso_pck,
)
from kinepose.geometry.procrustes import aligned
from kinepose.geometry.skeleton import COMMON_JOINTS, JOINT_NAMES, PELVIS
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_file
from kinepose.io.schema import write_json

FORMAT_VERSION = 1
STATURE = 1700.0
"""Height at which renders, whose labels are canonical, are scored [mm]."""
ALL_JOINTS = tuple(range(len(JOINT_NAMES)))
_ERRORS = ("mpjpe", "n_mpjpe", "p_mpjpe")
_SHARES = ("pck", "auc", "n_pck")


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Score the rows that have both a pose and a label, joined on (frame, track).

    Writes the scores as JSON, prints a short table, and returns them.

    Raises:
        BadInputError: if a file cannot be read, or the two have no frame and track in common.
    """
    check_file(config.output)
    protocol = config.protocol
    if protocol == "labels":
        scores = _score_video(config)
        table = _video_table(scores)
    elif protocol == "lsp":
        scores = _score_lsp(config)
        table = f"PCK at 0.2 torso {scores['torso_pck']:.1%}, PCKh {scores['pckh']:.1%}"
    else:
        scores = _score_recordings(config, protocol)
        table = _benchmark_table(scores)
    head = {"format_version": FORMAT_VERSION, "poses": config.poses.name}
    head |= {"labels": config.labels.name, "protocol": protocol, "unit": "mm"}
    write_json(config.output, {**head, **scores})
    print(table)
    return {**head, **scores}


def _score_video(config: EvaluateConfig) -> dict[str, Any]:
    poses, labels = read_poses(config.poses), read_labels(config.labels)
    at_pose, at_label = _join(poses, labels, config.poses, config.labels)
    truth = torch.from_numpy(labels.joints3d[at_label]).double()
    predicted = torch.from_numpy(poses.joints3d[at_pose]).double()
    return {
        "frames": {
            "labelled": len(labels.frame),
            "predicted": len(poses.frame),
            "matched": len(at_pose),
            "missing": len(labels.frame) - len(at_pose),
            "unlabelled": len(poses.frame) - len(at_pose),
        },
        **score_poses(predicted, truth),
        "joints2d": _score_joints2d(
            poses.joints2d[at_pose], labels.joints2d[at_label], poses.box[at_pose]
        ),
        "baselines": {
            "mean_pose": {"p_mpjpe": mean_pose_errors(truth).mean().item()},
            "floor": {"p_mpjpe": floor_errors(truth).mean().item()},
        },
    }


def _score_recordings(config: EvaluateConfig, protocol: Benchmark) -> dict[str, Any]:
    """All recordings of a benchmark: over frames, over its actions, and action by action.

    MPI-INF-3DHP is scored on its universal skeleton, HMR's protocol of Human3.6M on 14 joints.
    """
    predicted, truth, actions, labelled = [], [], [], 0
    for recording in read_recordings(config.labels, protocol):
        path = config.poses / recording.name
        poses, labels = read_poses(path), video_labels(recording)
        at_pose, at_label = _join(poses, labels, path, config.labels)
        joints3d = labels.joints3d if recording.universal3d is None else recording.universal3d
        predicted.append(torch.from_numpy(poses.joints3d[at_pose]).double())
        truth.append(torch.from_numpy(joints3d[at_label]).double())
        actions.append(recording.action[at_label])
        labelled += len(labels.frame)
    joints = COMMON_JOINTS if protocol == "h36m_frontal" else ALL_JOINTS
    errors, shares = measure(torch.cat(predicted), torch.cat(truth), joints)
    each = {name: error.mean(-1) for name, error in errors.items()} | shares
    per_action = {name: by_action(values, np.concatenate(actions)) for name, values in each.items()}
    matched = sum(map(len, truth))
    return {
        "frames": {"labelled": labelled, "matched": matched, "missing": labelled - matched},
        **{name: values.mean().item() for name, values in each.items()},
        "mean_of_actions": {
            name: float(np.mean(list(values.values()))) for name, values in per_action.items()
        },
        "per_action": per_action,
        "per_joint": {name: by_joint(error, joints) for name, error in errors.items()},
    }


def _score_lsp(config: EvaluateConfig) -> dict[str, Any]:
    """2D joints of the test half, by the first person of an image; without one all are wrong."""
    test, poses = read_lsp(config.labels), read_poses(config.poses / "lsp")
    truth = torch.from_numpy(test.joints2d).double()
    first = poses.track == 0
    frame = poses.frame[first]
    if len(frame) and frame.max() >= len(truth):
        raise BadInputError(f"{config.poses / 'lsp'} has other images than the {len(truth)} of LSP")
    predicted = torch.full_like(truth, torch.inf)
    predicted[frame] = torch.from_numpy(poses.joints2d[first]).double()
    return {
        "frames": {
            "labelled": len(truth),
            "matched": len(frame),
            "missing": len(truth) - len(frame),
        },
        "torso_pck": torso_pck(predicted, truth).mean().item(),
        "pckh": pckh(predicted, truth).mean().item(),
    }


@torch.inference_mode()
def score_overfit(run: Path) -> dict[str, float]:
    """P-MPJPE of a run on its own renders before mid grey, and their floor [mm at STATURE].

    Raises:
        BadInputError: if the folder is no run, or has no renders.
    """
    model = load_model(run)
    batch = plain_batch(load_prior(run / "prior.npz"), model.config.image_size)
    truth = STATURE * batch.joints3d.double()
    predicted = model.predict(batch.images).joints3d.double()
    return {
        "p_mpjpe": p_mpjpe(predicted, truth).mean().item(),
        "floor": floor_errors(truth).mean().item(),
    }


def score_poses(
    predicted: Float[Tensor, "poses 17 3"], truth: Float[Tensor, "poses 17 3"]
) -> dict[str, Any]:
    """The metrics of `measure` overall, and the errors joint by joint too."""
    errors, shares = measure(predicted, truth)
    overall = {name: values.mean().item() for name, values in (errors | shares).items()}
    return {**overall, "per_joint": {name: by_joint(error) for name, error in errors.items()}}


def measure(
    predicted: Float[Tensor, "poses 17 3"],
    truth: Float[Tensor, "poses 17 3"],
    joints: tuple[int, ...] = ALL_JOINTS,
) -> tuple[dict[str, Float[Tensor, "poses joints"]], dict[str, Float[Tensor, " poses"]]]:
    """Each pose's errors of the joints asked for [mm], and its shares of correct joints.

    Pelvis at the origin: in Human3.6M it is the middle of the hips, HMR's origin. The shares are
    of the 14 common joints whatever is asked for: pelvis, spine and nose lie elsewhere in 3DHP.
    """
    predicted = predicted - predicted[:, [PELVIS]]
    truth = truth - truth[:, [PELVIS]]
    shares = {
        "pck": pck(predicted, truth),
        "auc": auc(predicted, truth),
        "n_pck": n_pck(predicted, truth),
    }
    predicted, truth = predicted[:, joints], truth[:, joints]
    errors = {
        "mpjpe": joint_errors(predicted, truth),
        "n_mpjpe": joint_errors(scaled(predicted, truth), truth),
        "p_mpjpe": joint_errors(aligned(predicted, truth), truth),
    }
    return errors, shares


def _join(
    poses: VideoPoses, labels: VideoLabels, poses_path: Path, labels_path: Path
) -> tuple[Int64[np.ndarray, " matched"], Int64[np.ndarray, " matched"]]:
    """Rows of poses and of labels with the same frame and track."""
    keys = []
    for path, rows in ((poses_path, poses), (labels_path, labels)):
        pairs = np.stack([rows.track, rows.frame], axis=-1)
        key = np.ascontiguousarray(pairs).view([("track", np.int64), ("frame", np.int64)]).ravel()
        if len(np.unique(key)) != len(key):
            raise BadInputError(f"{path} holds a frame and track twice")
        keys.append(key)
    common, at_pose, at_label = np.intersect1d(*keys, assume_unique=True, return_indices=True)
    if not len(common):
        raise BadInputError(
            f"{poses_path} and {labels_path} have no frame in common: "
            f"{_span(poses)} against {_span(labels)}"
        )
    return at_pose, at_label


def _span(rows: VideoPoses | VideoLabels) -> str:
    if not len(rows.frame):
        return "no frames"
    tracks = ", ".join(str(track) for track in np.unique(rows.track)[:5])
    return f"frames {rows.frame.min()} to {rows.frame.max()} of tracks {tracks}"


def _score_joints2d(
    predicted: Float[np.ndarray, "poses 17 2"],
    truth: Float[np.ndarray, "poses 17 2"],
    box: Float[np.ndarray, "poses 4"],
) -> dict[str, Any]:
    """Mean distance in the video [px], and as a share of the longer side of the person's box."""
    errors = joint_errors(torch.from_numpy(predicted), torch.from_numpy(truth)).double()
    longer_side = torch.from_numpy(np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]))
    return {
        "error_px": errors.mean().item(),
        "error_share_of_box": (errors / longer_side[:, None]).mean().item(),
        "per_joint_px": by_joint(errors),
    }


def _video_table(scores: dict[str, Any]) -> str:
    frames, joints2d, baselines = scores["frames"], scores["joints2d"], scores["baselines"]
    return "\n".join(
        [
            f"{frames['matched']} of {frames['labelled']} labelled poses found",
            f"{'':12}{'MPJPE':>9}{'N-MPJPE':>9}{'P-MPJPE':>9}  [mm]",
            f"{'poses':12}{scores['mpjpe']:9.1f}{scores['n_mpjpe']:9.1f}{scores['p_mpjpe']:9.1f}",
            f"{'mean pose':12}{'':18}{baselines['mean_pose']['p_mpjpe']:9.1f}",
            f"{'floor':12}{'':18}{baselines['floor']['p_mpjpe']:9.1f}",
            f"PCK {scores['pck']:.1%}, AUC {scores['auc']:.1%}, N-PCK {scores['n_pck']:.1%}",
            f"2D error {joints2d['error_px']:.1f} px, "
            f"{joints2d['error_share_of_box']:.1%} of the person's box",
        ]
    )


def _benchmark_table(scores: dict[str, Any]) -> str:
    frames, actions = scores["frames"], scores["mean_of_actions"]
    lines = [
        f"{frames['matched']} of {frames['labelled']} labelled poses found",
        f"{'mean over':12}{'frames':>9}{'actions':>9}",
    ]
    lines += [f"{name:12}{scores[name]:9.1f}{actions[name]:9.1f}  [mm]" for name in _ERRORS]
    lines += [f"{name:12}{scores[name]:9.1%}{actions[name]:9.1%}" for name in _SHARES]
    return "\n".join(lines)
