"""D_I, the decoder: from spatial maps, appearance and background to an image (Sec. 3.1c, 4)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinepose.method.blocks import convolution
from kinepose.method.config import ModelConfig
from kinepose.method.spatial_maps import MAPS


class Decoder(nn.Module):
    """D_I: (f_hm, f_am), f_a, B_t -> I^_t.

    Two convolutions turn the maps into f_2D, which joins f_a; blocks without skips double the size
    up to the image's, where the background joins by a double convolution of its own, as in
    Rhodin et al. 2018. The output, without activation, is what the person changes in the
    background: at first nothing, so that gradients are the person's from the start.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        pose, appearance = config.pose_feature_width, config.appearance_widths[-1]
        first, last = config.decoder_widths[0], config.decoder_widths[-1]
        self.pose_features = nn.Sequential(convolution(MAPS, pose), convolution(pose, pose))
        self.entry = convolution(pose + appearance, first)
        self.doublings = nn.Sequential(
            *(_doubling(inputs, outputs) for inputs, outputs in pairwise(config.decoder_widths))
        )
        self.background = nn.Sequential(convolution(3, last), convolution(last, last))
        change = nn.Conv2d(last, 3, kernel_size=1, bias=False)
        nn.init.zeros_(change.weight)
        self.fusion = nn.Sequential(convolution(2 * last, last), convolution(last, last), change)

    def forward(
        self,
        maps: Float[Tensor, "batch 33 map_size map_size"],
        appearance: Float[Tensor, "batch channels map_size map_size"],
        background: Float[Tensor, "batch 3 size size"],
    ) -> Float[Tensor, "batch 3 size size"]:
        """An image in 0 to 1, up to the decoder's mistakes."""
        person = self.entry(torch.cat([self.pose_features(maps), appearance], dim=1))
        person = self.doublings(person)
        scene = self.background(background * 2 - 1)
        return background + self.fusion(torch.cat([person, scene], dim=1))


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(inputs, inputs),
        convolution(inputs, outputs),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    )
