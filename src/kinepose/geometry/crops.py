"""Between a video's frame and a square crop of it.

Frame coordinates are in px from the frame's top left corner, so that the centre of pixel i lies at
i + 0.5. Crop coordinates run from -1 to 1 from edge to edge. A crop is (centre x, centre y, side)
in px of the frame.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def frame_to_crop(
    points: Float[Tensor, "*batch points 2"], crop: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch points 2"]:
    """Points of the frame [px] in coordinates of the crop."""
    return (points - crop[..., None, :2]) / (crop[..., None, 2:] / 2)


def crop_to_frame(
    points: Float[Tensor, "*batch points 2"], crop: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch points 2"]:
    """Points of the crop in coordinates of the frame [px]."""
    return torch.addcmul(crop[..., None, :2], points, crop[..., None, 2:] / 2)
