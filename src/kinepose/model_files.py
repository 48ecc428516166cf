"""Models on disk: a run's folder holds config.json and model.safetensors. Nothing is unpickled."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PretrainedConfig

from kinepose.errors import BadInputError
from kinepose.files import decoding
from kinepose.method.backbones import backbone_description, load_pretrained
from kinepose.method.config import ModelConfig
from kinepose.method.model import Model
from kinepose.run_folder import FORMAT_VERSION, read_run_config, run_folder
from kinepose.schema import write_json
from kinepose.tensor_files import check_tensors, read_tensors, save_tensors


def new_model(config: ModelConfig) -> Model:
    """A model to train: its backbone from pretrained weights, if it names some, else from noise.

    Raises:
        BadInputError: if the named architecture or weights cannot be had.
    """
    model = Model(config, backbone_description(config))
    if config.pretrained is not None:
        load_pretrained(model.pose_encoder.backbone, config)
    return model


def save_model(model: Model, folder: Path, **settings: Any) -> None:
    """Write config.json and model.safetensors; other settings stand beside the model's own."""
    backbone = model.backbone_config
    described = {
        "format_version": FORMAT_VERSION,
        "model": model.config,
        "backbone": backbone and json.loads(backbone.to_json_string(use_diff=False)),
        **settings,
    }
    save_tensors(model.state_dict(), folder / "model.safetensors")
    write_json(folder / "config.json", described)


def load_model(folder: Path, device: torch.device | str = "cpu") -> Model:
    """The model of a run, ready to predict. Nothing is unpickled, nothing fetched.

    Raises:
        BadInputError: if the folder is not a run, is of another version, or does not fit together.
    """
    described, place = read_run_config(folder), run_folder(folder)
    with decoding(place / "config.json", "description of networks that can be built"):
        model = Model(described.model, _rebuild_backbone_config(described.backbone))
    tensors = read_tensors(place / "model.safetensors")
    check_tensors(place / "model.safetensors", tensors, model.state_dict())
    model.load_state_dict(tensors)
    # Pictures come with their channels last, and convolve faster so.
    model.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
    return model.to(device).eval()


def choose_device(name: str) -> torch.device:
    """The device called cpu or cuda; auto takes cuda where there is one.

    Raises:
        BadInputError: if cuda is asked for and not there.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise BadInputError("no CUDA device here: use --device cpu")
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")


def _rebuild_backbone_config(values: dict[str, Any] | None) -> PretrainedConfig | None:
    if values is None:
        return None
    values = dict(values)
    return AutoConfig.for_model(values.pop("model_type"), **values)
