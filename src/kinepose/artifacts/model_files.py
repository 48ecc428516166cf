"""Models on disk and on the Hugging Face Hub: a folder of config.json and model.safetensors.

Nothing is unpickled.
"""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PretrainedConfig

from kinepose.artifacts.pretrained import backbone_description, load_pretrained
from kinepose.artifacts.run_folder import (
    FORMAT_VERSION,
    read_run_config,
    run_folder,
    without_places,
)
from kinepose.io.errors import BadInputError
from kinepose.io.files import decoding
from kinepose.io.schema import as_json, write_json
from kinepose.io.tensor_files import check_tensors, read_tensors, save_tensors
from kinepose.method.config import PAINTER_SETTINGS, ModelConfig
from kinepose.method.model import Model

HUB = "hf://"
_PAINTERS = ("appearance_encoder.", "decoder.", "maps_network.")
_FILES = ("config.json", "model.safetensors", "README.md")


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
        try:
            model = Model(described.model, _rebuild_backbone_config(described.backbone))
        except BadInputError as error:  # of settings that do not go together
            raise BadInputError(f"{place / 'config.json'}: {error}") from None
    tensors, _ = read_tensors(place / "model.safetensors")
    check_tensors(place / "model.safetensors", tensors, model.state_dict())
    model.load_state_dict(tensors)
    # Images come with their channels last, and convolve faster so.
    model.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
    return model.to(device).eval()


def with_painters_of(model: Model, other: Model) -> Model:
    """E_P of one model, and E_A and D_I of another.

    Raises:
        BadInputError: if the models differ in more than these.
    """
    painters = {name: getattr(other.config, name) for name in PAINTER_SETTINGS}
    if replace(model.config, **painters) != other.config:
        raise BadInputError("the models differ in more than E_A and D_I")
    joined = Model(other.config, model.backbone_config)
    ours = {n: t for n, t in model.state_dict().items() if not n.startswith(_PAINTERS)}
    joined.load_state_dict(other.state_dict() | ours)
    return joined


def choose_device(name: str) -> torch.device:
    """The device called cpu or cuda; auto takes cuda where there is one.

    Raises:
        BadInputError: if cuda is asked for and not there.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise BadInputError("no CUDA device here: use --device cpu")
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")


def choose_precision(bfloat16: bool | None, device: torch.device) -> bool:
    """Whether networks compute in half precision: as told or, if not, where that is faster."""
    if bfloat16 is not None:
        return bfloat16
    return device.type == "cuda" or torch.cpu._is_amx_tile_supported()


def fetch(address: str) -> Path:
    """The folder of hf://user/repository on this machine; fetched unless it is there.

    Raises:
        BadInputError: if it is not to be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(address.removeprefix(HUB), allow_patterns=list(_FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise BadInputError(f"{address} is not to be had: {str(error).splitlines()[0]}") from error


def push(run: Path, address: str, private: bool) -> str:
    """Write a run's model to hf://user/repository; returns where it can be looked at.

    Raises:
        BadInputError: if it is no run, or the Hub refuses or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    repository, hub = address.removeprefix(HUB), HfApi()
    with tempfile.TemporaryDirectory() as folder:
        lay_out(run, address, Path(folder))
        try:
            hub.create_repo(repository, private=private, exist_ok=True)
            done = hub.upload_folder(
                repo_id=repository, folder_path=folder, commit_message="A model of kinepose"
            )
        except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
            first = str(error).splitlines()[0]
            raise BadInputError(f"{address} cannot be written: {first}") from error
    return str(done)


def lay_out(run: Path, address: str, folder: Path) -> None:
    """Write what a repository of the Hub holds of a run, its card included, into a folder.

    Raises:
        BadInputError: if it is no run, or its weights do not fit its settings.
    """
    from huggingface_hub import ModelCard, ModelCardData

    model, place = load_model(run), run_folder(run)
    described = as_json(read_run_config(run))
    shutil.copyfile(place / "model.safetensors", folder / "model.safetensors")
    write_json(folder / "config.json", without_places(described))
    said = place / "MODEL_CARD.md"
    text = said.read_text(encoding="utf-8") if said.is_file() else _card(described)
    tags = ["3d-human-pose-estimation", "unsupervised"]
    data = ModelCardData(library_name="kinepose", pipeline_tag="keypoint-detection", tags=tags)
    use = f"""```python
import kinepose

model = kinepose.load_model("{address}")
parameters, camera, joints3d, joints2d = model(images)  # RGB, 0 to 1, {model.config.image_size} px
```"""
    ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text.strip()}\n\n{use}\n").save(folder / "README.md")


def _card(described: dict[str, Any]) -> str:
    """What a run says of its training, for people who meet its model on the Hub."""
    train, turns = described["train"] or {}, described["turns"] or {}
    rows = {"variant": train.get("variant"), "preset": train.get("preset")}
    rows |= {f"iterations of `{loss}`": count for loss, count in turns.items()}
    table = "".join(f"| {name} | {value} |\n" for name, value in rows.items() if value is not None)
    return f"""# 3D human poses from single images

A model of kinepose, which implements Kundu et al., *Kinematic-Structure-Preserved Representation
for Unsupervised 3D Human Pose Estimation* (AAAI 2020). Only the variants
`weakly`, `semi` and `full` saw labels of people.

| | |
|---|---|
{table}"""


def _rebuild_backbone_config(values: dict[str, Any] | None) -> PretrainedConfig | None:
    if values is None:
        return None
    values = dict(values)
    return AutoConfig.for_model(values.pop("model_type"), **values)
