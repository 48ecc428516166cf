"""What videos tell about a model without a label: label_free.py, video by video, in one figure.

The figure is a ratio of two models on the same frames, and lower is better. It cannot be pleased by
poses that become one: each criterion has its worst value there. Only criteria are in it that were
seen to follow the truth from model to model (docs/data.md, tools/criteria_truth.py).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from kinepose.adaptation.label_free import hits, silhouettes, steadiness
from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.pairs import load_images, load_masks
from kinepose.inference.config import PredictConfig
from kinepose.inference.placement import joints_in_camera
from kinepose.method.model import Model

STATURE = PredictConfig.height
LARGEST_GAIN = 4.0
"""Of one criterion, so that one that was hardly to be told before does not outweigh all others."""
_BATCH = 32
_LEAST_KNOWN = 0.99
"""Share of a pixel of the background that must be known."""


@dataclass(frozen=True)
class Criteria:
    """Of a model on a video; nan where the video says nothing."""

    jitter: float
    """Beside the spread of poses over time: lower is better."""
    fit: float
    """Of 2D joints to the person in the image, from 0 to 1: higher is better."""


@torch.inference_mode()
def criteria_of(model: Model, clips: ClipSet) -> dict[str, Criteria]:
    """Video by video, on all frames of the clips."""
    model.eval()
    videos = clips.table["video"].to_numpy(zero_copy_only=False)
    return {
        video: _criteria_of_video(model, clips, np.flatnonzero(videos == video))
        for video in set(videos)
    }


def _criteria_of_video(model: Model, clips: ClipSet, rows: Int[np.ndarray, " rows"]) -> Criteria:
    size, device = model.config.image_size, next(model.parameters()).device
    in_camera, joints2d = [], []
    for start in range(0, len(rows), _BATCH):
        images = load_images(clips, rows[start : start + _BATCH], size).to(device)
        poses = model.predict(images)
        in_camera.append(joints_in_camera(poses, STATURE))
        joints2d.append(poses.joints2d)
    seen, flat = (torch.cat(parts).float().cpu().numpy() for parts in (in_camera, joints2d))
    time, person = clips.time[rows], clips.table["track"].to_numpy()[rows]
    paired = clips.table["paired"].to_numpy(zero_copy_only=False)[rows]
    known = rows[paired]
    fit = math.nan
    if len(known):
        images, backgrounds = (
            load_images(clips, known, size, column).cpu() for column in ("image", "background")
        )
        valid = load_masks(clips, known, size)[:, 0].cpu().numpy() >= _LEAST_KNOWN
        on_person = silhouettes(images, backgrounds)
        fit = hits(flat[paired], on_person, valid, person[paired], time[paired]).fit
    return Criteria(steadiness(seen, person, time).ratio, fit)


def change(after: Criteria, before: Criteria) -> float:
    """How much worse a video became: geometric mean over what it tells; below 1 is better.

    1 if it tells nothing, inf if something became as bad as can be. No criterion counts as more
    than LARGEST_GAIN times better, not even what was as bad as can be and is no more.
    """
    ratios = [_ratio(after.jitter, before.jitter), _ratio(1 - after.fit, 1 - before.fit)]
    told = [ratio for ratio in ratios if not math.isnan(ratio)]
    if math.inf in told:
        return math.inf
    return math.prod(told) ** (1 / len(told)) if told else 1.0


def _ratio(after: float, before: float) -> float:
    if after == before:
        return 1.0
    if before == 0:
        return math.inf
    least = 1 / LARGEST_GAIN
    return least if math.isinf(before) else max(after / before, least)
