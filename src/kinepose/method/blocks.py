"""The one block that E_A and D_I are built of."""

import math

from torch import nn


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 convolution, group norm, ReLU.

    Group norm, because videos, renders and reconstructions pass through the same layers and must
    not mix their statistics.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False),
        group_norm(outputs),
        nn.ReLU(inplace=True),
    )


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm over groups of about 8 channels."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // 8)), channels)
