"""E_P, the pose encoder: a backbone and two branches, for v_k and for c (Sec. 3.1, 4)."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoBackbone, AutoConfig, PretrainedConfig, ResNetConfig
from transformers.utils import logging

from kinepose.errors import BadInputError
from kinepose.geometry.devices import constant
from kinepose.geometry.skeleton import STANDARD_SKELETON
from kinepose.method.blocks import group_norm
from kinepose.method.heatmap_head import JOINTS, Landmarks, centres
from kinepose.settings import ModelConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PoseEncoder(nn.Module):
    """E_P: I -> v_k, c.

    Batch norm keeps the statistics of the pretrained weights for ever; from noise it is replaced
    by group norm. The branches start almost constant, at the rest pose seen from the front.
    """

    def __init__(self, config: ModelConfig, backbone: PretrainedConfig) -> None:
        super().__init__()
        self.backbone = AutoBackbone.from_config(backbone)
        if config.pretrained is None:
            _replace_batch_norm(self.backbone)
        features = self.backbone.channels[-1]
        rest = torch.tensor(STANDARD_SKELETON.rest_directions).flatten()
        front = torch.tensor([0.0, 1.0] * 3 + [0.0] * 3)[: 9 if config.extended_camera else 6]
        self.pool = nn.AdaptiveAvgPool2d(config.branch_cells)
        inputs = features * config.branch_cells**2
        self.landmarks = None
        if config.landmarks:
            self.landmarks = Landmarks(self.backbone.channels, config.landmarks)
            inputs += 3 * JOINTS
        self.parameters_branch = _branch(
            inputs, config.branch_width, start=torch.cat([torch.zeros(1), rest])
        )
        self.camera_branch = _branch(inputs, config.branch_width, start=front)

    def forward(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> tuple[
        Float[Tensor, "batch 40"],
        Float[Tensor, "batch camera"],
        Float[Tensor, "batch 17 rows columns"] | None,
    ]:
        """v_k and c of pictures in 0 to 1; and the maps of the landmarks, if it has them."""
        mean = constant(IMAGENET_MEAN, images)[:, None, None]
        std = constant(IMAGENET_STD, images)[:, None, None]
        features = self.backbone(pixel_values=(images - mean) / std).feature_maps
        seen, maps = self.pool(features[-1]).flatten(1), None
        if self.landmarks is not None:
            maps = self.landmarks(features)
            certainty = maps.flatten(2).amax(-1).exp()
            seen = torch.cat([seen, centres(maps).flatten(1), certainty], dim=1)
        return self.parameters_branch(seen), self.camera_branch(seen), maps

    def train(self, mode: bool = True) -> "PoseEncoder":
        """As for any module, but batch norm stays as it is in evaluation."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def backbone_config(config: ModelConfig) -> PretrainedConfig:
    """The architecture of the backbone, in the terms of transformers.

    Raises:
        BadInputError: if the architecture of a named backbone cannot be had.
    """
    if config.backbone != "resnet":
        return _from_hub(AutoConfig.from_pretrained, config.backbone)
    last = len(config.backbone_widths)
    described: dict[str, Any] = {
        "embedding_size": config.backbone_stem,
        "hidden_sizes": list(config.backbone_widths),
        "depths": list(config.backbone_depths),
        "layer_type": config.backbone_block,
        "out_features": [f"stage{n}" for n in range(1 if config.landmarks else last, last + 1)],
    }
    return ResNetConfig(**described)


def load_pretrained(encoder: PoseEncoder, source: str) -> None:
    """Fill the backbone with weights from the Hub or a folder; stages beyond its last are unused.

    Raises:
        BadInputError: if the weights cannot be had, or lack some of the backbone's.
    """
    loaded, info = _from_hub(
        type(encoder.backbone).from_pretrained,
        source,
        config=encoder.backbone.config,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        use_safetensors=True,
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        raise BadInputError(
            f"the weights of {source!r} do not fit the backbone: "
            f"{len(info['missing_keys'])} missing, {len(info['mismatched_keys'])} of another shape"
        )
    encoder.backbone.load_state_dict(loaded.state_dict())


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


def _branch(inputs: int, width: int, start: Float[Tensor, " outputs"]) -> nn.Sequential:
    """Two fully connected layers whose output is close to `start` at first."""
    last = nn.Linear(width, len(start))
    with torch.no_grad():
        last.weight.mul_(0.01)
        last.bias.copy_(start)
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(inplace=True), last)


def _replace_batch_norm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, group_norm(child.num_features))
        else:
            _replace_batch_norm(child)
