"""E_A, the appearance encoder: ten convolutions from an image to f_a (Sec. 4 of the paper)."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kinepose.method.blocks import convolution
from kinepose.method.config import ModelConfig


class AppearanceEncoder(nn.Module):
    """E_A: I_s -> f_a, the clothes of the person laid out on the lattice of the spatial maps.

    For painting by parts the colours of the image, from -1 to 1, come last.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        halvings = round(math.log2(config.image_size / config.map_size))
        widths = (3, *config.appearance_widths)
        self.convolutions = nn.Sequential(
            *(
                convolution(inputs, outputs, stride=2 if i % 2 == 0 and i < 2 * halvings else 1)
                for i, (inputs, outputs) in enumerate(pairwise(widths))
            )
        )
        self.dropout = nn.Dropout2d(config.appearance_dropout)
        self.with_colours = config.painting == "parts"

    def forward(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> Float[Tensor, "batch channels map_size map_size"]:
        """Appearance f_a of images in 0 to 1."""
        features = self.dropout(self.convolutions(images * 2 - 1))
        if not self.with_colours:
            return features
        colours = functional.adaptive_avg_pool2d(images * 2 - 1, features.shape[-1])
        return torch.cat([features, colours], dim=1)
