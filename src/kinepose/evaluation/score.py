"""A run on the tests of `synthworld`: one table, with what trivial answers would score.

And the arrays for its figures, whose frames are chosen by rule.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from pydantic import ConfigDict
from torch import Tensor
from tqdm import tqdm

from kinepose.artifacts.model_files import choose_device, load_model
from kinepose.artifacts.run_folder import model_sha256, paints_people, read_run_config
from kinepose.benchmarks.synthworld import (
    Description,
    check_content,
    describe,
    read_synthworld,
)
from kinepose.benchmarks.synthworld_recipes import WORLDS
from kinepose.dataset.labels import ClipLabels
from kinepose.dataset.pairs import load_images
from kinepose.dataset.renders import load_prior
from kinepose.evaluation.baselines import baseline_errors, mean_pose_errors
from kinepose.evaluation.config import ScoreConfig
from kinepose.evaluation.evaluate import STATURE
from kinepose.evaluation.examples import choose_examples, paint_transfers
from kinepose.evaluation.metrics import by_action, joint_errors, p_mpjpe, rank_correlation
from kinepose.evaluation.scored import (
    NO_TRANSFERS,
    Examples,
    ScoredFrames,
    ScoredRun,
    Transfers,
    read_scored,
    write_scored,
)
from kinepose.evaluation.splits import Split, read_split
from kinepose.inference.config import PredictConfig
from kinepose.inference.placement import joints_in_camera
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_file
from kinepose.io.schema import STRICT, read_json, write_json
from kinepose.io.settings import Count
from kinepose.method.losses import energy
from kinepose.method.model import Model
from kinepose.video.cropping import source_rows

_BATCH = 64


@dataclass(frozen=True)
class Baselines:
    """P-MPJPE of what looks at no image [mm at STATURE]."""

    mean_pose: float
    nearest_prior: float
    floor: float


@dataclass(frozen=True)
class SplitScores:
    """What `score_split` says of a split."""

    frames: Count
    p_mpjpe: float
    joints2d: float
    spread: float
    spearman: float | None
    per_motion: dict[str, float]
    baselines: Baselines


@dataclass(frozen=True)
class Scores:
    """The file that `score` writes."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    benchmark: Description
    model_sha256: str
    splits: dict[str, SplitScores]


def score(config: ScoreConfig) -> dict[str, Any]:
    """Score every labelled frame of the clips of some splits, motion by motion.

    P-MPJPE over the 17 joints [mm at STATURE], its mean over the motions of a split; joints2d, the
    mean distance of 2D joints in shares of the crop's side; spread, the P-MPJPE of the mean of all
    predictions against each of them, 0 for who always says the same; Spearman's rho of energy
    against P-MPJPE. Writes JSON, and beside it evaluation/scored.py's arrays; prints a table.

    Raises:
        BadInputError: if there is no such run or benchmark, or its files have changed.
    """
    arrays = config.output.with_suffix(".npz")
    if arrays == config.output:
        raise BadInputError(f"--output {config.output}: .npz is for the arrays; name a .json")
    for path in (config.output, arrays):
        check_file(path)
    if arrays.exists():
        read_scored(arrays)  # nothing else is replaced
    benchmark = read_synthworld(config.benchmark)
    check_content(config.benchmark, benchmark)
    model = load_model(config.run, choose_device(config.device))
    paints = paints_people(read_run_config(config.run))
    prior = torch.from_numpy(load_prior(config.benchmark / "prior.npz").joints3d).double()
    held = sorted(path.name for path in config.benchmark.iterdir() if path.is_dir())
    if unknown := [name for name in config.splits if name not in held]:
        raise BadInputError(
            f"--splits: {config.benchmark} has no '{unknown[0]}', but {', '.join(held)}"
        )
    scores, frames, examples, transfers = {}, [], [], NO_TRANSFERS
    for name in config.splits or WORLDS[benchmark.version].tests:
        split = read_split(config.benchmark / name, model.config.crop_margin)
        frames.append(score_frames(model, split, paints))
        examples.append(choose_examples(model, split, frames[-1]))
        scores[name] = score_split(frames[-1], split.labels, prior)
        if paints and transfers is NO_TRANSFERS and len(split.clips.paired):
            transfers = paint_transfers(model, split, examples[-1])
    write_scored(arrays, _gathered(frames, examples, transfers))
    about = {"benchmark": benchmark, "model_sha256": model_sha256(config.run)}
    write_json(config.output, about | {"splits": scores})
    print(describe(benchmark))
    print(scores_table(scores))
    return scores


def read_scores(path: Path) -> Scores:
    """What `score` wrote.

    Raises:
        BadInputError: if it did not.
    """
    scores = read_json(path, Scores)
    if scores.benchmark.version not in WORLDS:
        raise BadInputError(f"{path} holds scores of a synthworld unknown to kinepose")
    return scores


@torch.inference_mode()
def score_frames(model: Model, split: Split, paints: bool) -> ScoredFrames:
    """What a model says about every labelled frame, and how wrong it is.

    The energy is that of `predict`: another frame of the same video and person lends the
    appearance. Unless the model paints people it is nan.
    """
    videos, tracks, frames = map(split.of_labelled, ("video", "track", "frame"))
    people = [f"{video} {track}" for video, track in zip(videos, tracks, strict=True)]
    person, time = np.unique(people, return_inverse=True)[1], split.clips.time[split.labels.rows]
    sources = source_rows(person, time, PredictConfig.energy_gap) if paints else None
    batches = np.array_split(np.arange(len(frames)), range(_BATCH, len(frames), _BATCH))
    parts = [
        _score_batch(model, split, batch, None if sources is None else sources[batch])
        for batch in tqdm(batches, desc=split.name, leave=False)
    ]
    return ScoredFrames(
        split=np.full(len(frames), split.name),
        video=videos.astype(str),
        frame=frames,
        motion=np.array([f.removeprefix(f"{split.name}_").rsplit("_", 1)[0] for f in videos]),
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
    )


def _score_batch(
    model: Model,
    split: Split,
    batch: Int64[np.ndarray, " batch"],
    sources: Int64[np.ndarray, " batch"] | None,
) -> dict[str, np.ndarray]:
    """The columns of ScoredFrames that take a model, for some labelled rows."""
    labels, size = split.labels, model.config.image_size
    device = next(model.parameters()).device
    images = load_images(split.clips, labels.rows[batch], size).to(device)
    poses = model.predict(images)
    in_camera = joints_in_camera(poses, STATURE)
    predicted, truth = poses.joints3d.double().cpu(), torch.from_numpy(labels.joints3d[batch])
    distances = joint_errors(poses.joints2d.cpu(), torch.from_numpy(labels.joints2d[batch]))
    energies = torch.full((len(batch),), math.nan)
    if sources is not None:
        lent = load_images(split.clips, labels.rows[sources], size).to(device)
        energies = energy(model, images, lent)
    return {
        "p_mpjpe": p_mpjpe(STATURE * predicted, STATURE * truth.double()).numpy(),
        "joints2d_error": (distances.mean(-1) / 2).numpy(),
        "energy": energies.cpu().numpy(),
        "joints2d": poses.joints2d.cpu().numpy(),
        "joints3d": in_camera.cpu().numpy(),
    }


def score_split(
    frames: ScoredFrames, labels: ClipLabels, prior: Float[Tensor, "renders 17 3"]
) -> dict[str, Any]:
    """The scores of one split, and of its baselines, which see its labels."""
    truth = STATURE * torch.from_numpy(labels.joints3d).double()
    per_motion = by_action(torch.from_numpy(frames.p_mpjpe), frames.motion)
    distance = by_action(torch.from_numpy(frames.joints2d_error), frames.motion)
    rho = rank_correlation(frames.energy, frames.p_mpjpe)
    return {
        "frames": len(truth),
        "p_mpjpe": _mean(per_motion),
        "joints2d": _mean(distance),
        "spread": mean_pose_errors(torch.from_numpy(frames.joints3d).double()).mean().item(),
        "spearman": None if math.isnan(rho) else rho,
        "per_motion": per_motion,
        "baselines": {
            name: _mean(by_action(errors, frames.motion))
            for name, errors in baseline_errors(truth, prior).items()
        },
    }


def scores_table(scores: dict[str, Any]) -> str:
    """Markdown, a row a split."""
    lines = [
        "| split | frames | P-MPJPE [mm] | 2D [% of crop] | spread [mm] "
        "| mean pose | nearest of 20 | floor | energy's rho |",
        "|---" * 9 + "|",
    ]
    for name, split in scores.items():
        baselines = " | ".join(f"{value:.1f}" for value in split["baselines"].values())
        rho = "-" if split["spearman"] is None else f"{split['spearman']:.2f}"
        lines.append(
            f"| {name} | {split['frames']} | {split['p_mpjpe']:.1f} | "
            f"{100 * split['joints2d']:.2f} | {split['spread']:.1f} | {baselines} | {rho} |"
        )
    return "\n".join(lines)


def _gathered(
    frames: list[ScoredFrames], examples: list[Examples], transfers: Transfers
) -> ScoredRun:
    """The splits one after the other."""
    starts = np.cumsum([0, *(len(part.frame) for part in frames[:-1])])
    rows = [part.row + start for part, start in zip(examples, starts, strict=True)]
    shown = _concatenated(examples) | {"row": np.concatenate(rows)}
    return ScoredRun(ScoredFrames(**_concatenated(frames)), Examples(**shown), transfers)


def _concatenated(parts: list[Any]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))
