"""What a run learns from: renders, poses without images, clips, labels, backgrounds."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.dataset.backgrounds import BackgroundSource, open_backgrounds
from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.labels import ClipLabels, read_clip_labels
from kinepose.dataset.render_crops import compose_batch, compose_pairs
from kinepose.dataset.render_stream import (
    RenderBatches,
    poses_ahead,
    render_ahead,
    render_prior_set,
)
from kinepose.dataset.renders import PriorSet, load_prior
from kinepose.dataset.taught import Taught
from kinepose.io.errors import BadInputError
from kinepose.method.batches import LabelledBatch, PaintingBatch
from kinepose.training.config import OF_LABELS, TrainConfig
from kinepose.training.distributed import first_alone, number, rank

_WITHOUT_POSES = ("painting", "teacher", "full")
"""The variants that have no use for poses without images."""


@dataclass(frozen=True)
class Materials:
    """What a run learns from."""

    prior: PriorSet
    backgrounds: BackgroundSource
    clips: ClipSet | None
    labels: ClipLabels | None
    crops: RenderBatches[LabelledBatch] | None = None
    """Of the stream's renders, in place of the prior's."""
    render_pairs: RenderBatches[PaintingBatch] | None = None
    """Of the stream's renders, two of one person."""
    poses: Float[Tensor, "moments 17 3"] | None = None
    """Without images, in the world [m]."""
    taught: Taught | None = None
    """What the run's first model says of the clips, where their frames agree; once there is one."""


def gather(config: TrainConfig, device: torch.device) -> Materials:
    """All that a run needs, read, rendered, or found again in its folder.

    Raises:
        BadInputError: if clips, labels or renders cannot be used.
    """
    path = config.output / "prior.npz"
    count = config.overfit or config.prior_images
    render_size = 2 * config.model.image_size
    if path.is_file():
        prior = load_prior(path)
        if prior.image.shape[:2] != (count, render_size):
            raise BadInputError(
                f"{path} holds {len(prior.image)} renders of {prior.image.shape[1]} px, not "
                f"{count} of {render_size}: name another --output"
            )
    else:
        prior = render_prior_set(count, config.prior_seed, render_size)
    clips = read_clips(config.clips, device, config.model.crop_margin) if config.clips else None
    labels = None
    if config.variant in OF_LABELS and not config.overfit:
        if clips is None or not config.labels:
            raise BadInputError(f"the variant {config.variant!r} needs --clips and --labels")
        share = config.label_share if config.variant == "semi" else 1.0
        labels = read_clip_labels(config.labels, clips, share, config.seed)
    backgrounds = open_backgrounds(
        config.backgrounds, clips, config.model.image_size, config.prior_seed, device
    )
    crops = render_pairs = poses = None
    folder = config.stream.folder or config.output / "renders"
    if config.stream.renders and not config.overfit and config.variant != "lifting":
        with first_alone():
            paths = render_ahead(config.stream, config.prior_seed, folder)
        places = backgrounds.images.permute(0, 2, 3, 1).cpu().numpy()
        size = config.model.image_size
        settings = (config.stream, paths, places, config.batch_size, size, config.prior_seed)
        crops = RenderBatches(*settings, rank(), number(), compose_batch)
        render_pairs = RenderBatches(*settings, rank(), number(), compose_pairs)
    learns_from_poses = config.variant not in _WITHOUT_POSES and not config.overfit
    if config.stream.poses and config.model.heatmaps and learns_from_poses:
        with first_alone():
            poses = torch.from_numpy(poses_ahead(config.stream, config.prior_seed, folder))
    return Materials(prior, backgrounds, clips, labels, crops, render_pairs, poses)
