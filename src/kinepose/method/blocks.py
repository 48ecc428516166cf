"""The one block that E_A and D_I are built of; and batch norms folded away before inference."""

import math
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


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


def fold_batch_norms(network: nn.Module) -> None:
    """Fold each batch norm of a network in evaluation mode into the convolution before it; exact.

    For inference alone: the network cannot be trained any more, nor its weights saved.
    """
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for number, (layer, norm) in enumerate(pairwise(list(module))):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[number] = fuse_conv_bn_eval(layer, norm)
                module[number + 1] = nn.Identity()
