"""What E_P sees of an image when its mirror image and other sizes of it count as well.

Not in the paper. The heatmaps of all views, brought back to the image, are averaged, so that they
peak where the views agree (Radosavovic et al. 2018, https://arxiv.org/abs/1712.04440). Each view is
the whole work again.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.geometry.devices import index
from kinepose.geometry.image_transforms import flip_image, zoom_image
from kinepose.geometry.skeleton import MIRRORED
from kinepose.method.heatmap_head import peaks
from kinepose.method.model import Model, Poses

VIEWS = ((1.0, False), (1.18, True), (1.0, True), (1.18, False), (0.87, True), (0.87, False))
"""The size of the person, in terms of the one in the image, and whether it is mirrored. The first
two are worth most (docs/results.md)."""
_LEAST = 1e-12
"""Share of a map in any cell, so that all have a logarithm."""


def predict_by_views(model: Model, images: Float[Tensor, "batch 3 size size"], count: int) -> Poses:
    """The poses that images show, lifted from the peaks of the mean of the first `count` VIEWS.

    By one view, and of a model without heatmaps: what it says of the images alone.
    """
    if count == 1 or model.pose_encoder.heatmaps is None:
        return model.predict(images)
    total = sum((_maps(model, images, *view) for view in VIEWS[:count]), start=torch.zeros(()))
    return model.lift(*peaks((total / count).clamp(min=_LEAST).log()))


def _maps(
    model: Model, images: Float[Tensor, "batch 3 size size"], size: float, flipped: bool
) -> Float[Tensor, "batch 17 rows columns"]:
    """Where a view shows the joints, in cells of the image: shares that sum up to 1."""
    shown = _zoomed(images, size, "border")
    seen = model.see(flip_image(shown) if flipped else shown)
    assert seen.maps is not None
    maps = seen.maps.joints.exp()
    if flipped:
        maps = flip_image(maps)[:, index(MIRRORED, maps)]
    maps = _zoomed(maps, 1 / size, "zeros")
    return maps / maps.sum((-1, -2), keepdim=True).clamp(min=_LEAST)


def _zoomed(
    images: Float[Tensor, "batch channels size size"],
    scale: float,
    outside: Literal["border", "zeros"],
) -> Float[Tensor, "batch channels size size"]:
    if scale == 1:
        return images
    log_scale = images.new_full((len(images),), math.log(scale))
    return zoom_image(images, images.shape[-1], log_scale, outside=outside)
