"""Whether criteria without labels follow the truth: rank correlations over runs and over videos.

    python tools/criteria_truth.py RUN1 RUN2 ... --clips CLIPS --labels LABELS

Of every run on every video P-MPJPE against its labels [mm], and each criterion. Spearman's rho of a
criterion and the error over runs, on one video at a time, says whether it finds the better model;
over videos, of one run at a time, whether it finds the videos that a model fails on. `right` is the
share of pairs of runs, on one video, that it orders as the error does, where the error differs by 2
% at least: what `adapt` would decide by it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from jaxtyping import Float, Int

from kinepose.adaptation.acceptance import STATURE, criteria_of
from kinepose.adaptation.label_free import view_agreement
from kinepose.artifacts.model_files import load_model
from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.labels import read_clip_labels
from kinepose.dataset.pairs import load_images
from kinepose.evaluation.metrics import p_mpjpe, rank_correlation
from kinepose.geometry.image_transforms import (
    flip_image,
    flip_joints2d,
    flip_joints3d,
    rotate_image,
    rotate_joints2d,
)
from kinepose.method.model import Model

BATCH = 32
TURNED = 0.5
"""Of the turned frames [rad]."""
LEAST_DIFFERENCE = 0.02
"""Of errors, relative, below which two runs count as equally good."""
Numbers = dict[str, float]
"""Criteria, lower being better, and `error`."""
Errors = Callable[[Int[np.ndarray, " rows"], Float[torch.Tensor, "rows 17 3"]], float]
"""Of the rows of a video, given p_3D of them [mm]."""


@dataclass(frozen=True)
class Config:
    """Rank correlations of criteria without labels and the truth."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    clips: tuple[Path, ...]
    labels: tuple[Path, ...]
    output: Path | None = None
    """JSON of all numbers, run by run and video by video."""
    threads: int = 1


def main(config: Config) -> None:
    """Print the table."""
    torch.set_num_threads(config.threads)
    table: dict[str, dict[str, Numbers]] = {}
    for run in config.runs:
        model = load_model(run)
        clips = read_clips(config.clips, margin=model.config.crop_margin)
        table[str(run)] = measure(model, clips, against_labels(clips, config.labels))
        if config.output is not None:
            config.output.write_text(json.dumps(table, indent=1))
    print(as_table(table))


def against_labels(clips: ClipSet, folders: Sequence[Path]) -> Errors:
    """P-MPJPE of rows that have labels; nan where a video has none."""
    labels = read_clip_labels(folders, clips, 1.0, 0)
    place = {row: i for i, row in enumerate(labels.rows.tolist())}

    def error(rows: Int[np.ndarray, " rows"], joints3d: Float[torch.Tensor, "rows 17 3"]) -> float:
        known = [i for i, row in enumerate(rows.tolist()) if row in place]
        if not known:
            return float("nan")
        truth = torch.from_numpy(labels.joints3d[[place[rows[i]] for i in known]])
        return p_mpjpe(joints3d[known].double(), STATURE * truth.double()).mean().item()

    return error


@torch.inference_mode()
def measure(model: Model, clips: ClipSet, error: Errors) -> dict[str, Numbers]:
    """Criteria and error of a model, video by video."""
    videos = clips.table["video"].to_numpy(zero_copy_only=False)
    told = {}
    for video, found in sorted(criteria_of(model, clips).items()):
        rows = np.flatnonzero(videos == video)
        parts = [
            _look(model, clips, part) for part in np.split(rows, range(BATCH, len(rows), BATCH))
        ]
        joints3d, mirrored = (
            torch.cat([part.pop(name) for part in parts]) for name in ("joints3d", "mirrored3d")
        )
        means = {name: torch.cat([part[name] for part in parts]).mean().item() for name in parts[0]}
        told[str(video)] = {
            "mirrored 3D / change": _mirrored(clips, rows, joints3d, mirrored),
            "jitter / spread": found.jitter,
            "misses the silhouette": 1 - found.fit,
            **means,
            "error": error(rows, STATURE * joints3d),
        }
    return told


def _look(
    model: Model, clips: ClipSet, rows: Int[np.ndarray, " rows"]
) -> dict[str, Float[torch.Tensor, "rows ..."]]:
    """What one frame says by itself: its mirror image, a turned copy, its heatmaps."""
    images = load_images(clips, rows, model.config.image_size)
    poses = model.predict(images)
    angle = torch.full((len(rows),), TURNED)
    turned = model.predict(rotate_image(images, angle)).joints2d
    mirrored = model.predict(flip_image(images))
    apart = {
        "mirrored 2D": flip_joints2d(mirrored.joints2d) - poses.joints2d,
        "turned 2D": rotate_joints2d(turned, -angle) - poses.joints2d,
    }
    told = {name: change.abs().mean((1, 2)) for name, change in apart.items()}
    if poses.keypoints is not None:
        certainty = poses.keypoints.certainty
        away = (poses.keypoints.joints2d - poses.joints2d).norm(dim=-1)
        told["uncertainty of peaks"] = 1 - certainty.mean(-1)
        told["peaks from p_2D"] = (away * certainty).sum(-1) / certainty.sum(-1).clamp(min=1e-3)
    return told | {"joints3d": poses.joints3d, "mirrored3d": flip_joints3d(mirrored.joints3d)}


def _mirrored(
    clips: ClipSet,
    rows: Int[np.ndarray, " rows"],
    joints3d: Float[torch.Tensor, "rows 17 3"],
    mirrored: Float[torch.Tensor, "rows 17 3"],
) -> float:
    """How far the poses of images and of their mirror images are apart, beside how they change."""
    person, time = clips.table["track"].to_numpy()[rows], clips.time[rows]
    first, second = ((STATURE * joints).numpy() for joints in (joints3d, mirrored))
    return view_agreement(first, second, person, time).ratio


def as_table(table: dict[str, dict[str, Numbers]]) -> str:
    """Rank correlations of each criterion: mean, and least to largest."""
    runs, videos = list(table), list(next(iter(table.values())))
    values = {
        name: np.array([[table[run][video][name] for video in videos] for run in runs])
        for name in table[runs[0]][videos[0]]
    }
    errors = values.pop("error")
    lines = [
        f"{len(runs)} runs, {len(videos)} videos; error {np.nanmin(errors):.0f} to "
        f"{np.nanmax(errors):.0f} mm",
        "| criterion | rho over runs, a video | rho over videos, a run | right |",
        "|---" * 4 + "|",
    ]
    for name, told in values.items():
        over_runs = _correlations(told.T, errors.T)
        over_videos = _correlations(told, errors)
        lines.append(f"| {name} | {over_runs} | {over_videos} | {_right(told, errors)} |")
    return "\n".join(lines)


def _correlations(told: Float[np.ndarray, "n m"], errors: Float[np.ndarray, "n m"]) -> str:
    found = [
        rank_correlation(one[known], other[known])
        for one, other in zip(told, errors, strict=True)
        if (known := np.isfinite(one) & np.isfinite(other)).sum() > 2
    ]
    kept = [rho for rho in found if np.isfinite(rho)]
    return f"{np.mean(kept):+.2f} ({min(kept):+.2f} to {max(kept):+.2f})" if kept else "-"


def _right(told: Float[np.ndarray, "runs videos"], errors: Float[np.ndarray, "runs videos"]) -> str:
    right = counted = 0
    for first, second in combinations(range(len(told)), 2):
        better = np.log(errors[first] / errors[second])
        clear = (np.abs(better) >= LEAST_DIFFERENCE) & np.isfinite(told[first] - told[second])
        right += int((np.sign(told[first] - told[second]) == np.sign(better))[clear].sum())
        counted += int(clear.sum())
    return f"{right / counted:.0%} of {counted}" if counted else "-"


if __name__ == "__main__":
    main(tyro.cli(Config))
