"""What E_P sees of an image when its mirror image and other sizes of it count as well.

Not in the paper. The heatmaps of all views, brought back to the image, are averaged, so that they
peak where the views agree (Radosavovic et al. 2018, https://arxiv.org/abs/1712.04440). It is six
times the work, for photographs: a video's frames tell what they agree on
(inference/temporal_lifting.py).
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.devices import index
from kinepose.geometry.image_transforms import flip_image, zoom_image
from kinepose.geometry.skeleton import MIRRORED
from kinepose.method.heatmap_head import peaks
from kinepose.method.model import Model, Poses

_SIZES = (1.0, 1.18, 0.87)
"""Of the person, in terms of the one in the image."""
_LEAST = 1e-12
"""Share of a map in any cell, so that all have a logarithm."""


def predict_by_views(model: Model, images: Float[Tensor, "batch 3 size size"]) -> Poses:
    """The poses that images show, lifted from the peaks of the mean of all views.

    Of a model without heatmaps: what it says of the images alone.
    """
    if model.pose_encoder.heatmaps is None:
        return model.predict(images)
    total = sum(_views(model, images), start=torch.zeros(()))
    return model.lift(*peaks((total / (2 * len(_SIZES))).clamp(min=_LEAST).log()))


def _views(
    model: Model, images: Float[Tensor, "batch 3 size size"]
) -> Iterator[Float[Tensor, "batch 17 rows columns"]]:
    """Where each view shows the joints, in cells of the image: shares that sum up to 1."""
    for size in _SIZES:
        log_scale = images.new_full((len(images),), math.log(size))
        zoomed = zoom_image(images, images.shape[-1], log_scale, outside="border")
        for flipped in (False, True):
            seen = model.predict(flip_image(zoomed) if flipped else zoomed).keypoints
            assert seen is not None and seen.maps is not None
            maps = seen.maps.joints.exp()
            if flipped:
                maps = flip_image(maps)[:, index(MIRRORED, maps)]
            maps = zoom_image(maps, maps.shape[-1], -log_scale)
            yield maps / maps.sum((-1, -2), keepdim=True).clamp(min=_LEAST)
