"""What the losses take: batches of images, pairs and poses, as the networks read them."""

from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class LabelledBatch:
    """Images with labels."""

    images: Float[Tensor, "batch 3 size size"] | UInt8[Tensor, "batch 3 size size"]
    """From 0 to 1; or to 255, on their way from another process."""
    joints2d: Float[Tensor, "batch 17 2"]
    """From -1 to 1 across the crop."""
    joints3d: Float[Tensor, "batch 17 3"]
    """[canonical]"""
    camera: Float[Tensor, "batch 9"] | None = None
    """The extended camera c that shows joints3d nearest to joints2d, where it is known."""
    mask: Float[Tensor, "batch 1 size size"] | UInt8[Tensor, "batch 1 size size"] | None = None
    """Share of each pixel that shows the person, where it is known."""


@dataclass(frozen=True)
class PairBatch:
    """Pairs of frames of one person in the same clothes."""

    source: Float[Tensor, "count 3 size size"]
    """I_s, 0 to 1."""
    target: Float[Tensor, "count 3 size size"]
    """I_t."""
    background: Float[Tensor, "count 3 size size"] | None
    """B_t; None for pairs of D_unp."""
    valid: Float[Tensor, "count 1 size size"] | None
    """Which share of each pixel of B_t is known."""
    rows: Int[Tensor, " count"]
    """Of the targets, in the set."""


@dataclass(frozen=True)
class TaughtBatch:
    """Images, and what a teacher says of them."""

    images: Float[Tensor, "batch 3 size size"] | UInt8[Tensor, "batch 3 size size"]
    """From 0 to 1; or to 255."""
    joints2d: Float[Tensor, "batch 17 2"]
    """From -1 to 1 across the crop."""
    certainty: Float[Tensor, "batch 17"]
    """From 0 to 1."""


@dataclass(frozen=True)
class PaintingBatch:
    """Pairs of renders of one person in the same clothes, all of them known."""

    source: Float[Tensor, "batch 3 size size"] | UInt8[Tensor, "batch 3 size size"]
    """I_s, from 0 to 1; or to 255, on its way from another process."""
    target: Float[Tensor, "batch 3 size size"] | UInt8[Tensor, "batch 3 size size"]
    """I_t."""
    background: Float[Tensor, "batch 3 size size"] | UInt8[Tensor, "batch 3 size size"]
    """B_t: the target without the person and her shadow."""
    source_joints2d: Float[Tensor, "batch 17 2"]
    """Of the source, from -1 to 1 across the crop."""
    joints2d: Float[Tensor, "batch 17 2"]
    """Of the target."""
    mask: Float[Tensor, "batch 1 size size"] | UInt8[Tensor, "batch 1 size size"]
    """Share of each pixel of the target that shows the person."""


@dataclass(frozen=True)
class PoseBatch:
    """Poses and what is seen of them, without images."""

    seen2d: Float[Tensor, "batch 17 2"]
    """2D joints as heatmaps would say them, from -1 to 1 across the crop."""
    certainty: Float[Tensor, "batch 17"]
    """From 0 to 1, of a heatmap that would say so."""
    joints2d: Float[Tensor, "batch 17 2"]
    """Where they are, from -1 to 1 across the crop."""
    joints3d: Float[Tensor, "batch 17 3"]
    """[canonical]"""
    camera: Float[Tensor, "batch 9"]
    """The extended camera c that shows joints3d nearest to joints2d."""
