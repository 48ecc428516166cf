"""E_P, the pose encoder: a backbone and two branches, for v_k and for c (Sec. 3.1, 4)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PretrainedConfig

from kinepose.geometry.devices import index
from kinepose.geometry.image_transforms import (
    flip_camera,
    flip_joints2d,
    flip_parameters,
    zoom_camera,
)
from kinepose.geometry.skeleton import MIRRORED, STANDARD_SKELETON
from kinepose.method.backbones import new_backbone
from kinepose.method.config import ModelConfig
from kinepose.method.heatmap_head import JOINTS, HeatmapHead, Heatmaps, peaks

_REST = torch.cat([torch.zeros(1), torch.tensor(STANDARD_SKELETON.rest_directions).flatten()])
_FRONT = torch.tensor([0.0, 1.0] * 3 + [0.0] * 3)


@dataclass(frozen=True)
class Keypoints:
    """What an E_P with heatmaps sees in images, before its branches say how it hangs together."""

    joints2d: Float[Tensor, "batch 17 2"]
    """The peaks of the maps, from -1 to 1 across the crop."""
    certainty: Float[Tensor, "batch 17"]
    """Share of each map that lies about its peak, from 0 to 1."""
    maps: Heatmaps | None = None
    """What the losses need of them."""


class PoseEncoder(nn.Module):
    """E_P: I -> v_k, c.

    The paper's: features averaged over the image, and two fully connected branches. With
    heatmaps: the branches read the 2D joints that the maps' peaks say, with their certainty. The
    branches start almost constant, at the rest pose seen from the front.
    """

    def __init__(self, config: ModelConfig, description: PretrainedConfig | None) -> None:
        super().__init__()
        self.backbone = new_backbone(config, description)
        self.frozen = config.frozen_stages
        self.heatmaps = self.lifter = None
        if config.heatmaps:
            self.heatmaps = HeatmapHead(self.backbone.channels, config.heatmaps)
            self.lifter = Lifter(config.branch_width)
            return
        self.pool = nn.AdaptiveAvgPool2d(config.branch_cells)
        inputs = self.backbone.channels[-1] * config.branch_cells**2
        front = _FRONT if config.extended_camera else _FRONT[:6]
        self.parameters_branch = _branch(inputs, config.branch_width, start=_REST)
        self.camera_branch = _branch(inputs, config.branch_width, start=front)

    def forward(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> tuple[Float[Tensor, "batch 40"], Float[Tensor, "batch camera"], Keypoints | None]:
        """v_k and c of images in 0 to 1; and what the heatmaps say, if it has them."""
        if self.lifter is None:
            seen = self.pool(self.backbone(images)[-1]).flatten(1)
            return self.parameters_branch(seen), self.camera_branch(seen), None
        keypoints = self.see(images)
        parameters, camera = self.lifter(keypoints.joints2d, keypoints.certainty)
        return parameters, camera, keypoints

    def see(self, images: Float[Tensor, "batch 3 size size"]) -> Keypoints:
        """What the heatmaps of an E_P that has them say of images in 0 to 1."""
        assert self.heatmaps is not None
        maps = self.heatmaps(self.backbone(images))
        return Keypoints(*peaks(maps.joints), maps)

    def trained_parameters(self) -> list[nn.Parameter]:
        """All but those of the frozen stages of the backbone."""
        stages = self.backbone.stages()[: self.frozen]
        kept = {id(parameter) for stage in stages for parameter in stage.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in kept]

    def train(self, mode: bool = True) -> "PoseEncoder":
        """As for any module, but batch norm stays as it is in evaluation in the backbone."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


class Lifter(nn.Module):
    """From 2D joints to v_k and c: the branches of an E_P with heatmaps.

    It sees 2D joints about their middle and in their own size, whatever the crop, and says the
    camera of that view; so it needs no images to learn from. What it says of the mirrored joints is
    the mirror image of what it says of the joints. Two residual blocks as in Martinez et al. 2017.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.joints = nn.Linear(3 * JOINTS, width)
        self.blocks = nn.ModuleList(_block(width) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.parameters_branch = _last(width, _REST)
        self.camera_branch = _last(width, _FRONT)

    def forward(
        self, joints2d: Float[Tensor, "batch 17 2"], certainty: Float[Tensor, "batch 17"]
    ) -> tuple[Float[Tensor, "batch 40"], Float[Tensor, "batch 9"]]:
        """v_k and the extended camera c of joints from -1 to 1 across a crop."""
        parameters, camera = self._one_way(joints2d, certainty)
        mirrored = flip_joints2d(joints2d), certainty[:, index(MIRRORED, certainty)]
        other_parameters, other_camera = self._one_way(*mirrored)
        return (
            (parameters + flip_parameters(other_parameters)) / 2,
            (camera + flip_camera(other_camera)) / 2,
        )

    def _one_way(
        self, joints2d: Float[Tensor, "batch 17 2"], certainty: Float[Tensor, "batch 17"]
    ) -> tuple[Float[Tensor, "batch 40"], Float[Tensor, "batch 9"]]:
        local, middle, size = _about_their_middle(joints2d, certainty)
        hidden = self.joints(torch.cat([local.flatten(1), certainty], dim=1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        hidden = functional.relu(self.norm(hidden))
        camera = self.camera_branch(hidden).float()
        return self.parameters_branch(hidden).float(), zoom_camera(camera, size.log(), middle)


def _about_their_middle(
    joints2d: Float[Tensor, "batch 17 2"], certainty: Float[Tensor, "batch 17"]
) -> tuple[Float[Tensor, "batch 17 2"], Float[Tensor, "batch 2"], Float[Tensor, " batch"]]:
    """2D joints in the units of their own spread, their middle, their spread; by certainty.

    Where a joint of no certainty lies changes none of these.
    """
    weight = certainty[..., None] / certainty.sum(1)[:, None, None].clamp(min=1e-6)
    middle = (weight * joints2d).sum(1)
    centred = joints2d - middle[:, None]
    size = (weight * centred.square()).sum((1, 2)).clamp(min=1e-6).sqrt()
    return certainty[..., None] * centred / size[:, None, None], middle, size


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
    )


def _branch(inputs: int, width: int, start: Float[Tensor, " outputs"]) -> nn.Sequential:
    """Two fully connected layers whose output is close to `start` at first."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(inplace=True), _last(width, start))


def _last(width: int, start: Float[Tensor, " outputs"]) -> nn.Linear:
    layer = nn.Linear(width, len(start))
    with torch.no_grad():
        layer.weight.mul_(0.01)
        layer.bias.copy_(start)
    return layer
