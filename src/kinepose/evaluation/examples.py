"""The frames of a scored run that are shown, chosen by rule, and what the model paints of them."""

import numpy as np
import torch
from jaxtyping import Float, Int64

from kinepose.dataset.pairs import load_images
from kinepose.evaluation.evaluate import STATURE
from kinepose.evaluation.scored import Examples, ScoredFrames, Transfers
from kinepose.evaluation.splits import Split
from kinepose.method.model import Model
from kinepose.training.snapshots import maps_of, to_bytes, transfer_images

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the P-MPJPE in a split: the frames there are its examples."""
EXAMPLE_SIDE = 128
"""Of the examples' images [px]."""
_POSES, _PEOPLE, _PLACES = 2, 2, 3


@torch.inference_mode()
def choose_examples(model: Model, split: Split, frames: ScoredFrames) -> Examples:
    """The frames of a split at QUANTILES of the P-MPJPE: none is chosen by hand."""
    row, labels = rows_at_quantiles(frames.p_mpjpe), split.labels
    joints2d = torch.from_numpy(frames.joints2d[row]).to(next(model.parameters()).device)
    turned = labels.joints3d[row] @ labels.rotation[row].swapaxes(-1, -2)
    return Examples(
        row=row,
        quantile=np.array(QUANTILES),
        image=to_bytes(load_images(split.clips, labels.rows[row], EXAMPLE_SIDE)),
        maps=maps_of(model, joints2d),
        true_joints2d=labels.joints2d[row],
        true_joints3d=np.float32(STATURE) * turned,
    )


def rows_at_quantiles(errors: Float[np.ndarray, " frames"]) -> Int64[np.ndarray, " quantiles"]:
    """The frame at each of QUANTILES of the errors, in the order of the errors.

    That is the one of rank q (n - 1), rounded; among equal errors the earlier frame comes first.
    """
    ranks = np.rint(np.array(QUANTILES) * (len(errors) - 1)).astype(np.int64)
    return np.argsort(errors, kind="stable")[ranks]


@torch.inference_mode()
def paint_transfers(model: Model, split: Split, examples: Examples) -> Transfers:
    """The pose of one, the clothes of another, the background of a third: the paper's Fig. 3.

    The poses are those of the split's first examples, the least wrong ones, so that the painting is
    judged. Clothes and backgrounds come from the middle frames of other videos (where there are
    any) that have backgrounds, evenly spread in the order of their names.
    """
    videos, paired = split.of_labelled("video"), split.of_labelled("paired")
    poses = examples.row[:_POSES]
    still = np.unique(videos[paired])
    others = np.setdiff1d(still, videos[poses])
    among = others if len(others) else still
    spread = np.linspace(0, len(among) - 1, _PEOPLE + _PLACES).round().astype(int)
    frames = [np.flatnonzero(videos == video) for video in among[spread]]
    chosen = split.labels.rows[[rows[len(rows) // 2] for rows in frames]]
    size, device = model.config.image_size, next(model.parameters()).device
    images = (
        load_images(split.clips, split.labels.rows[poses], size),
        load_images(split.clips, chosen[:_PEOPLE], size),
        load_images(split.clips, chosen[_PEOPLE:], size, "background"),
    )
    return Transfers(**transfer_images(model, *(image.to(device) for image in images)))
