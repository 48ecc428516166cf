"""One tiny model, and one tiny synthetic film on its way through the whole house."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

from dataclasses import replace

import pytest
import torch

from kinepose.config import CPU_MODEL, ModelConfig
from kinepose.model import Model, new_model

TINY_MODEL = replace(
    CPU_MODEL,
    image_size=32,
    map_size=8,
    backbone_stem=8,
    backbone_widths=(8, 16),
    backbone_depths=(1, 1),
    branch_cells=2,
    branch_width=32,
    appearance_widths=(8,) * 10,
    pose_feature_width=8,
    decoder_widths=(16, 8, 8),
)


@pytest.fixture
def tiny_config() -> ModelConfig:
    return TINY_MODEL


@pytest.fixture
def tiny_model() -> Model:
    torch.manual_seed(0)
    return new_model(TINY_MODEL).eval()
