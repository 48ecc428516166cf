"""What E_P's features come from: a ResNet of transformers, or an EfficientNet-Lite.

Every backbone takes images in 0 to 1 and gives feature maps, the finest first; `channels` says
how wide each is.
"""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoBackbone, PretrainedConfig

from kinepose.geometry.devices import constant
from kinepose.method.blocks import group_norm
from kinepose.method.config import ModelConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LITE = "efficientnet-lite"
_LITE_STAGES = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
"""Expansion, channels, blocks, stride and kernel of the stages of EfficientNet-B0."""
LITE_FACTORS = {"0": (1.0, 1.0), "1": (1.0, 1.1), "2": (1.1, 1.2)}
"""Of width and depth."""
_LAST_OF_STRIDE = (1, 2, 4, 6)
"""The stages after which the image is a quarter, an eighth, ... a thirty-second as large."""
_FINE = _LAST_OF_STRIDE[0] + 1
"""As many stages are at strides 2 and 4, ..."""
_AT_ONCE = 200_000
"""... and see so many pixels at once: between their layers lie 100 bytes and more for each, and of
many images together it takes a processor twice the time, as memory is slow."""


class TransformersBackbone(nn.Module):
    """A backbone of transformers, fed as those of ImageNet are."""

    channels: tuple[int, ...]

    def __init__(self, description: PretrainedConfig) -> None:
        super().__init__()
        self.network = AutoBackbone.from_config(description)
        self.channels = tuple(self.network.channels)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """The feature maps that its description names."""
        mean = constant(IMAGENET_MEAN, images)[:, None, None]
        std = constant(IMAGENET_STD, images)[:, None, None]
        return list(self.network(pixel_values=(images - mean) / std).feature_maps)

    def stages(self) -> list[nn.Module]:
        """In order, what can be frozen from the first on."""
        return [self.network]


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite 0, 1 or 2: at strides 4, 8, 16 and 32.

    EfficientNet (Tan and Le 2019) without squeeze-and-excitation, with ReLU6 and a stem of fixed
    width, as https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite has
    it. Its batch norms are folded into the convolutions, which is exact and twice as fast, as they
    would keep the statistics of ImageNet anyway.

    TensorFlow pads what it halves at the end, torch at the beginning: so images and kernels are
    turned by 180 degrees, which saves a padded copy before each such convolution.
    """

    def __init__(self, variant: str) -> None:
        super().__init__()
        wider, deeper = LITE_FACTORS[variant]
        last = len(_LITE_STAGES) - 1
        self.stem = _unit(3, 32, kernel=3, stride=2)
        widths = [32, *(_multiple_of_8(width * wider) for _, width, *_ in _LITE_STAGES)]
        self.blocks = nn.ModuleList()
        for number, (inputs, outputs) in enumerate(pairwise(widths)):
            expansion, _, count, stride, kernel = _LITE_STAGES[number]
            count = count if number in (0, last) else math.ceil(count * deeper)
            blocks = [_InvertedResidual(inputs, outputs, expansion, kernel, stride)]
            for _ in range(count - 1):
                blocks.append(_InvertedResidual(outputs, outputs, expansion, kernel, 1))
            self.blocks.append(nn.Sequential(*blocks))
        self.channels = tuple(widths[1 + stage] for stage in _LAST_OF_STRIDE)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """The feature maps of the last stage of each stride; height and width in 32s."""
        assert not (images.shape[-2] % 32 or images.shape[-1] % 32), images.shape
        images = (images.flip(-2, -1) * 255 - 127) / 128
        fine = nn.Sequential(self.stem, *self.blocks[:_FINE])
        parts = [images]
        if images.device.type == "cpu" and not torch.compiler.is_compiling():  # any batch is traced
            parts = images.split(max(1, _AT_ONCE // (images.shape[-2] * images.shape[-1])))
        features = torch.cat([fine(part) for part in parts])
        found = [features.flip(-2, -1)]
        for number, stage in enumerate(self.blocks[_FINE:], _FINE):
            features = stage(features)
            if number in _LAST_OF_STRIDE:
                found.append(features.flip(-2, -1))
        return found

    def stages(self) -> list[nn.Module]:
        """In order, what can be frozen from the first on: the stem and seven stages."""
        return [self.stem, *self.blocks]


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project; a skip where the shape stays."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        expand = [_unit(inputs, inner, kernel=1)] if expansion > 1 else []
        depthwise = _Depthwise(inner, inner, kernel, stride, kernel // 2, groups=inner)
        depthwise = nn.Sequential(depthwise, nn.ReLU6(inplace=True))
        self.layers = nn.Sequential(*expand, depthwise, nn.Conv2d(inner, outputs, 1))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        changed = self.layers(features)
        return features + changed if self.skips else changed


class _Depthwise(nn.Conv2d):
    """One filter for each channel, which learns in float32 on processors.

    Their gradients in bfloat16 take oneDNN 3 to 150 times as long (docs/notebook.md).
    """

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        learns = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        if not learns or input.device.type != "cpu":
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.to(self.weight.dtype)).to(input.dtype)


Backbone = TransformersBackbone | EfficientNetLite


def new_backbone(config: ModelConfig, description: PretrainedConfig | None) -> Backbone:
    """The backbone that the settings name, from noise.

    Batch norm keeps the statistics of pretrained weights for ever; from noise it is replaced by
    group norm.
    """
    if description is None:
        return EfficientNetLite(config.backbone.removeprefix(LITE))
    backbone = TransformersBackbone(description)
    if config.pretrained is None:
        _replace_batch_norm(backbone)
    return backbone


def _unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    return nn.Sequential(convolution, nn.ReLU6(inplace=True))


def _multiple_of_8(width: float) -> int:
    """The nearest, but never a tenth less."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def _replace_batch_norm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, group_norm(child.num_features))
        else:
            _replace_batch_norm(child)
