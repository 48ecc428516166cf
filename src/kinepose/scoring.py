"""A run on the tests of `synthworld`: one table, with what trivial answers would score."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.config import ScoreConfig
from kinepose.data.labels import read_clip_labels
from kinepose.data.pairs import load_images, read_clips
from kinepose.data.prior import load_prior
from kinepose.data.synthworld import TESTS, describe, read_synthworld
from kinepose.evaluation import STATURE, baseline_errors
from kinepose.files import replacing
from kinepose.metrics import p_mpjpe
from kinepose.model import Model, choose_device, load_model

_BATCH = 64


@torch.inference_mode()
def score(config: ScoreConfig) -> dict[str, Any]:
    """Score every labelled frame of the clips of some splits, motion by motion.

    P-MPJPE over the 17 joints [mm at STATURE], its mean over the motions of a split; joints2d, the
    mean distance of 2D joints in shares of the crop's side. Writes JSON, prints a table.

    Raises:
        BadInputError: if there is no such run or benchmark.
    """
    benchmark = read_synthworld(config.benchmark)
    model = load_model(config.run, choose_device(config.device))
    prior = torch.from_numpy(load_prior(config.benchmark / "prior.npz").joints3d).double()
    splits = config.splits or TESTS
    scores = {split: score_split(model, config.benchmark / split, prior) for split in splits}
    with replacing(config.output) as temporary:
        temporary.write_text(json.dumps({"benchmark": benchmark, "splits": scores}, indent=1))
    print(describe(benchmark))
    print(scores_table(scores))
    return scores


def score_split(model: Model, split: Path, prior: Float[Tensor, "renders 17 3"]) -> dict[str, Any]:
    """The scores of one split, and of its baselines, which see its labels."""
    clips = read_clips([split / "clips"])
    labels = read_clip_labels([split / "labels"], clips, 1.0, seed=0)
    films = clips.table["film"].to_numpy()[labels.rows]
    motions = np.array([film.removeprefix(f"{split.name}_").rsplit("_", 1)[0] for film in films])
    truth = STATURE * torch.from_numpy(labels.joints3d).double()
    device = next(model.parameters()).device
    batches = [
        model.predict(load_images(clips, rows, model.config.image_size).to(device))
        for rows in np.array_split(labels.rows, range(_BATCH, len(labels.rows), _BATCH))
    ]
    predicted = STATURE * torch.cat([poses.joints3d for poses in batches]).double().cpu()
    joints2d = torch.cat([poses.joints2d for poses in batches]).cpu()
    errors = p_mpjpe(predicted, truth)
    distance = (joints2d - torch.from_numpy(labels.joints2d)).norm(dim=-1).mean(-1) / 2
    return {
        "frames": len(truth),
        "p_mpjpe": _mean_of_motions(errors, motions),
        "joints2d": _mean_of_motions(distance, motions),
        "per_motion": {
            motion: errors[motions == motion].mean().item() for motion in np.unique(motions)
        },
        "baselines": {
            name: _mean_of_motions(error, motions)
            for name, error in baseline_errors(truth, prior).items()
        },
    }


def scores_table(scores: dict[str, Any]) -> str:
    """Markdown, a row a split."""
    lines = [
        "| split | frames | P-MPJPE [mm] | 2D [% of crop] | mean pose | nearest of 20 | floor |",
        "|---" * 7 + "|",
    ]
    for name, split in scores.items():
        baselines = " | ".join(f"{value:.1f}" for value in split["baselines"].values())
        lines.append(
            f"| {name} | {split['frames']} | {split['p_mpjpe']:.1f} | "
            f"{100 * split['joints2d']:.2f} | {baselines} |"
        )
    return "\n".join(lines)


def _mean_of_motions(values: Float[Tensor, " frames"], motions: np.ndarray) -> float:
    means = [values[motions == motion].mean() for motion in np.unique(motions)]
    return torch.stack(means).mean().item()
