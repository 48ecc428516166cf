"""The arrays behind a run's pictures, for the report to draw."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.data.pairs import PairBatch
from kinepose.files import replacing
from kinepose.model import Model

TRANSFER_POSES, TRANSFER_APPEARANCES, TRANSFER_BACKGROUNDS = 4, 3, 2


@torch.no_grad()
def save_pictures(model: Model, pairs: PairBatch, path: Path) -> None:
    """Reconstructions of pairs, and the grid of pose, clothes and background of different ones.

    The grid is the paper's Fig. 3. Pictures are RGB from 0 to 255, channels last; maps keep their
    channels first.
    """
    assert pairs.background is not None
    model.eval()
    poses, appearance = model.predict(pairs.target), model.appearance(pairs.source)
    maps = model.maps(poses.joints2d)
    arrays: dict[str, Any] = {
        "source": _bytes(pairs.source),
        "target": _bytes(pairs.target),
        "background": _bytes(pairs.background),
        "maps": (maps.clamp(0, 1) * 255).byte().cpu().numpy(),
        "joints2d": poses.joints2d.cpu().numpy(),
        "joints3d": poses.joints3d.cpu().numpy(),
        "reconstruction": _bytes(model.paint(poses.joints2d, appearance, pairs.background)),
        "pose_images": _bytes(pairs.target[:TRANSFER_POSES]),
        "appearance_images": _bytes(pairs.source[-TRANSFER_APPEARANCES:]),
        "background_images": _bytes(pairs.background[:TRANSFER_BACKGROUNDS]),
        "transfers": _transfers(model, pairs),
    }
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def _transfers(
    model: Model, pairs: PairBatch
) -> UInt8[np.ndarray, "poses appearances backgrounds size size 3"]:
    assert pairs.background is not None
    joints2d = model.predict(pairs.target[:TRANSFER_POSES]).joints2d
    appearance = model.appearance(pairs.source[-TRANSFER_APPEARANCES:])
    backgrounds = pairs.background[:TRANSFER_BACKGROUNDS]
    rows = [
        [
            _bytes(
                model.paint(
                    pose.expand(len(backgrounds), -1, -1),
                    clothes.expand(len(backgrounds), -1, -1, -1),
                    backgrounds,
                )
            )
            for clothes in appearance
        ]
        for pose in joints2d
    ]
    return np.stack([np.stack(row) for row in rows])


def _bytes(images: Float[Tensor, "*batch 3 size size"]) -> UInt8[np.ndarray, "*batch size size 3"]:
    return (images.clamp(0, 1) * 255).round().byte().movedim(-3, -1).cpu().numpy()
