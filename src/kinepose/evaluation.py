"""Scores: poses against labels, both read from files.

Distances are in mm. Poses are compared with the pelvis at the origin, in the film camera's axes.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from kinepose.config import EvaluateConfig
from kinepose.data.poses import FilmLabels, FilmPoses, read_labels, read_poses
from kinepose.data.prior import load_prior, plain_batch
from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.geometry.forward_kinematics import forward_kinematics, has_trunk, local_kinematics
from kinepose.geometry.skeleton import JOINT_NAMES, PELVIS
from kinepose.metrics import aligned, joint_errors, p_mpjpe, scaled
from kinepose.model import load_model

FORMAT_VERSION = 1
STATURE = 1700.0
"""Height at which renders, whose labels are canonical, are scored [mm]."""


def evaluate(config: EvaluateConfig) -> dict[str, Any]:
    """Score the rows that have both a pose and a label, joined on (frame, track).

    Writes the scores as JSON, prints a short table, and returns them.

    Raises:
        BadInputError: if a file cannot be read, or the two have no frame and track in common.
    """
    poses, labels = read_poses(config.poses), read_labels(config.labels)
    at_pose, at_label = _join(poses, labels, config)
    truth = torch.from_numpy(labels.joints3d[at_label]).double()
    predicted = torch.from_numpy(poses.joints3d[at_pose]).double()
    scores = {
        "format_version": FORMAT_VERSION,
        "poses": config.poses.name,
        "labels": config.labels.name,
        "unit": "mm",
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
            "mean_pose": {"p_mpjpe": score_mean_pose(truth)},
            "floor": {"p_mpjpe": score_floor(truth)},
        },
    }
    with replacing(config.output) as temporary:
        temporary.write_text(json.dumps(scores, indent=2) + "\n")
    print(_table(scores))
    return scores


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
    return {"p_mpjpe": p_mpjpe(predicted, truth).mean().item(), "floor": score_floor(truth)}


def score_poses(
    predicted: Float[Tensor, "poses 17 3"], truth: Float[Tensor, "poses 17 3"]
) -> dict[str, Any]:
    """mpjpe, n_mpjpe and p_mpjpe, overall and joint by joint, in the unit of the input."""
    predicted = predicted - predicted[:, [PELVIS]]
    truth = truth - truth[:, [PELVIS]]
    errors = {
        "mpjpe": joint_errors(predicted, truth),
        "n_mpjpe": joint_errors(scaled(predicted, truth), truth),
        "p_mpjpe": joint_errors(aligned(predicted, truth), truth),
    }
    overall = {name: error.mean().item() for name, error in errors.items()}
    return {**overall, "per_joint": {name: _by_joint(error) for name, error in errors.items()}}


def score_mean_pose(truth: Float[Tensor, "poses 17 3"]) -> float:
    """P-MPJPE of the one pose that is the mean of the labels: what looking at nothing gives.

    The mean is taken in the canonical frame, in which all people face the same way.
    """
    _, rotation = local_kinematics(truth)
    usable = has_trunk(truth)
    if not usable.any():
        return float("nan")
    canonical = (truth - truth[:, [PELVIS]]) @ rotation
    return p_mpjpe(canonical[usable].mean(0).expand_as(truth), truth).mean().item()


def score_floor(truth: Float[Tensor, "poses 17 3"]) -> float:
    """P-MPJPE of forward_kinematics(local_kinematics(truth)): our bone lengths, true directions."""
    parameters, _ = local_kinematics(truth)
    return p_mpjpe(forward_kinematics(parameters), truth).mean().item()


def _join(
    poses: FilmPoses, labels: FilmLabels, config: EvaluateConfig
) -> tuple[Int64[np.ndarray, " matched"], Int64[np.ndarray, " matched"]]:
    """Rows of poses and of labels with the same frame and track."""
    keys = []
    for path, rows in ((config.poses, poses), (config.labels, labels)):
        pairs = np.stack([rows.track, rows.frame], axis=-1)
        key = np.ascontiguousarray(pairs).view([("track", np.int64), ("frame", np.int64)]).ravel()
        if len(np.unique(key)) != len(key):
            raise BadInputError(f"{path} holds a frame and track twice")
        keys.append(key)
    common, at_pose, at_label = np.intersect1d(*keys, assume_unique=True, return_indices=True)
    if not len(common):
        raise BadInputError(
            f"{config.poses} and {config.labels} have no frame in common: "
            f"{_span(poses)} against {_span(labels)}"
        )
    return at_pose, at_label


def _span(rows: FilmPoses | FilmLabels) -> str:
    if not len(rows.frame):
        return "no frames"
    tracks = ", ".join(str(track) for track in np.unique(rows.track)[:5])
    return f"frames {rows.frame.min()} to {rows.frame.max()} of tracks {tracks}"


def _score_joints2d(
    predicted: Float[np.ndarray, "poses 17 2"],
    truth: Float[np.ndarray, "poses 17 2"],
    box: Float[np.ndarray, "poses 4"],
) -> dict[str, Any]:
    """Mean distance in the film [px], and as a share of the longer side of the person's box."""
    errors = joint_errors(torch.from_numpy(predicted), torch.from_numpy(truth)).double()
    longer_side = torch.from_numpy(np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]))
    return {
        "error_px": errors.mean().item(),
        "error_share_of_box": (errors / longer_side[:, None]).mean().item(),
        "per_joint_px": _by_joint(errors),
    }


def _by_joint(errors: Float[Tensor, "poses 17"]) -> dict[str, float]:
    return dict(zip(JOINT_NAMES, errors.mean(0).tolist(), strict=True))


def _table(scores: dict[str, Any]) -> str:
    frames, joints2d, baselines = scores["frames"], scores["joints2d"], scores["baselines"]
    return "\n".join(
        [
            f"{frames['matched']} of {frames['labelled']} labelled poses found",
            f"{'':12}{'MPJPE':>9}{'N-MPJPE':>9}{'P-MPJPE':>9}  [mm]",
            f"{'poses':12}{scores['mpjpe']:9.1f}{scores['n_mpjpe']:9.1f}{scores['p_mpjpe']:9.1f}",
            f"{'mean pose':12}{'':18}{baselines['mean_pose']['p_mpjpe']:9.1f}",
            f"{'floor':12}{'':18}{baselines['floor']['p_mpjpe']:9.1f}",
            f"2D error {joints2d['error_px']:.1f} px, "
            f"{joints2d['error_share_of_box']:.1%} of the person's box",
        ]
    )
