"""The arrays behind a run's images, for the report and the figures to draw."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.io.files import replacing
from kinepose.method.batches import PairBatch
from kinepose.method.model import Model

TRANSFER_POSES, TRANSFER_APPEARANCES, TRANSFER_BACKGROUNDS = 4, 3, 2


@torch.no_grad()
def save_images(model: Model, pairs: PairBatch, path: Path) -> None:
    """Reconstructions of pairs, and the grid of pose, clothes and background of different ones.

    The grid is the paper's Fig. 3. Images are RGB from 0 to 255, channels last; maps keep their
    channels first.
    """
    assert pairs.background is not None
    model.eval()
    poses, appearance = model.predict(pairs.target), model.appearance(pairs.source)
    arrays: dict[str, Any] = {
        "source": to_bytes(pairs.source),
        "target": to_bytes(pairs.target),
        "background": to_bytes(pairs.background),
        "maps": maps_of(model, poses.joints2d),
        "joints2d": poses.joints2d.cpu().numpy(),
        "joints3d": poses.joints3d.cpu().numpy(),
        "reconstruction": to_bytes(model.paint(poses.joints2d, appearance, pairs.background)),
        **transfer_images(
            model,
            pairs.target[:TRANSFER_POSES],
            pairs.source[-TRANSFER_APPEARANCES:],
            pairs.background[:TRANSFER_BACKGROUNDS],
        ),
    }
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def transfer_images(
    model: Model,
    poses: Float[Tensor, "poses 3 size size"],
    people: Float[Tensor, "people 3 size size"],
    backgrounds: Float[Tensor, "places 3 size size"],
) -> dict[str, UInt8[np.ndarray, "..."]]:
    """Every pose in everyone's clothes before every background, and what they were taken from."""
    joints2d, appearance = model.predict(poses).joints2d, model.appearance(people)
    count = len(backgrounds)
    rows = [
        [
            to_bytes(
                model.paint(
                    pose.expand(count, -1, -1), clothes.expand(count, -1, -1, -1), backgrounds
                )
            )
            for clothes in appearance
        ]
        for pose in joints2d
    ]
    return {
        "pose_images": to_bytes(poses),
        "appearance_images": to_bytes(people),
        "background_images": to_bytes(backgrounds),
        "transfers": np.stack([np.stack(row) for row in rows]),
    }


def maps_of(
    model: Model, joints2d: Float[Tensor, "count 17 2"]
) -> UInt8[np.ndarray, "count 33 rows columns"]:
    """T_m as images, 0 to 255."""
    return (model.maps(joints2d).clamp(0, 1) * 255).byte().cpu().numpy()


def to_bytes(
    images: Float[Tensor, "*batch 3 size size"],
) -> UInt8[np.ndarray, "*batch size size 3"]:
    """Images of 0 to 1 as RGB from 0 to 255, channels last."""
    return (images.clamp(0, 1) * 255).round().byte().movedim(-3, -1).cpu().numpy()
