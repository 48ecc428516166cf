"""The paper's Figure 1A as code: two encoders, three fixed transforms, one decoder.

I_t -> E_P -> v_k, c;  v_k -> T_fk -> p_3D;  p_3D, c -> T_c -> p_2D;  p_2D -> T_m -> f_hm, f_am
I_s -> E_A -> f_a
(f_hm, f_am), f_a, B_t -> D_I -> I^_t
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from transformers import AutoConfig, PretrainedConfig

from kinepose.errors import BadInputError
from kinepose.files import decoding, replacing
from kinepose.method.appearance_encoder import AppearanceEncoder
from kinepose.method.backbones import backbone_description, load_pretrained
from kinepose.method.camera_projection import project, refit_camera
from kinepose.method.decoder import Decoder
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.method.pose_encoder import Keypoints, PoseEncoder
from kinepose.method.spatial_maps import MAPS, spatial_maps
from kinepose.run_folder import FORMAT_VERSION, read_run_config, run_folder
from kinepose.schema import write_json
from kinepose.settings import ModelConfig
from kinepose.tensor_files import check_tensors, read_tensors

SEEN = 0.1
"""Certainty of a heatmap above which its peak is believed."""


@dataclass(frozen=True)
class Poses:
    """What E_P and the first two transforms say about pictures."""

    parameters: Float[Tensor, "batch 40"]
    """v_k"""
    camera: Float[Tensor, "batch camera"]
    """c"""
    joints3d: Float[Tensor, "batch 17 3"]
    """p_3D [canonical]"""
    joints2d: Float[Tensor, "batch 17 2"]
    """p_2D, from -1 to 1 across the crop."""
    keypoints: Keypoints | None = None
    """What the heatmaps say, if E_P has them."""

    @property
    def in_picture(self) -> Float[Tensor, "batch 17 2"]:
        """Where the picture shows 2D joints: at the heatmaps' peaks, or p_2D where they see none.

        p_2D has bones of fixed lengths, which no person has exactly.
        """
        if self.keypoints is None:
            return self.joints2d
        seen = self.keypoints.certainty[..., None] > SEEN
        return torch.where(seen, self.keypoints.joints2d, self.joints2d)


class Model(nn.Module):
    """The paper's framework; which of its parts train is up to the losses."""

    def __init__(self, config: ModelConfig, backbone: PretrainedConfig | None) -> None:
        super().__init__()
        if config.heatmaps and not config.extended_camera:
            raise BadInputError("--model.heatmaps needs --model.extended-camera")
        if config.heatmaps and config.image_size % 32:
            raise BadInputError(
                f"--model.heatmaps needs crops of 32, 64, 96 ... px, not {config.image_size}"
            )
        doubled = config.map_size * 2 ** (len(config.decoder_widths) - 1)
        if doubled != config.image_size:
            raise BadInputError(
                f"decoder_widths {config.decoder_widths} lead from maps of {config.map_size} to "
                f"pictures of {doubled} px, not {config.image_size}"
            )
        self.config = config
        self.backbone_config = backbone
        self.half_precision = False
        self.pose_encoder = PoseEncoder(config, backbone)
        self.appearance_encoder = AppearanceEncoder(config)
        self.decoder = Decoder(config)
        self.kinematics_network = _mlp(40, 51) if config.kinematics == "network" else None
        self.maps_network = (
            _mlp(34, MAPS * config.map_size**2) if config.maps == "network" else None
        )

    def forward(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> tuple[
        Float[Tensor, "batch 40"],
        Float[Tensor, "batch camera"],
        Float[Tensor, "batch 17 3"],
        Float[Tensor, "batch 17 2"],
    ]:
        """v_k, c, p_3D [canonical] and p_2D [-1 to 1 across the crop] of crops, RGB from 0 to 1."""
        poses = self.predict(images)
        return poses.parameters, poses.camera, poses.joints3d, poses.joints2d

    def predict(self, images: Float[Tensor, "batch 3 size size"]) -> Poses:
        """E_P, T_fk and T_c: what pose and camera a picture shows."""
        with self._precision(images):
            parameters, camera, keypoints = self.pose_encoder(images)
        return self._transformed(parameters.float(), camera.float(), keypoints)

    def lift(
        self, joints2d: Float[Tensor, "batch 17 2"], certainty: Float[Tensor, "batch 17"]
    ) -> Poses:
        """The same from 2D joints in place of a picture, by an E_P with heatmaps."""
        assert self.pose_encoder.lifter is not None
        with self._precision(joints2d):
            parameters, camera = self.pose_encoder.lifter(joints2d, certainty)
        seen = Keypoints(joints2d, certainty)
        return self._transformed(parameters.float(), camera.float(), seen)

    def _transformed(
        self,
        parameters: Float[Tensor, "batch 40"],
        camera: Float[Tensor, "batch camera"],
        keypoints: Keypoints | None,
    ) -> Poses:
        """T_fk, or the network that bypasses it, and T_c; scale and shift as the peaks have it."""
        if self.kinematics_network is None:
            joints3d = forward_kinematics(parameters)
        else:
            joints3d = self.kinematics_network(parameters).unflatten(-1, (17, 3))
        if keypoints is not None:
            camera = refit_camera(joints3d, camera, keypoints.joints2d, keypoints.certainty)
        return Poses(parameters, camera, joints3d, project(joints3d, camera), keypoints)

    def maps(
        self, joints2d: Float[Tensor, "batch 17 2"]
    ) -> Float[Tensor, "batch 33 map_size map_size"]:
        """T_m: heatmaps f_hm, then affinity maps f_am."""
        config = self.config
        if self.maps_network is None:
            return spatial_maps(
                joints2d, config.map_size, config.sigma, config.limb_width, config.limb_reach
            )
        flat = self.maps_network(joints2d.flatten(-2))
        return flat.unflatten(-1, (MAPS, config.map_size, config.map_size))

    def appearance(
        self, images: Float[Tensor, "batch 3 size size"]
    ) -> Float[Tensor, "batch channels map_size map_size"]:
        """E_A: f_a."""
        with self._precision(images):
            return self.appearance_encoder(images).float()

    def paint(
        self,
        joints2d: Float[Tensor, "batch 17 2"],
        appearance: Float[Tensor, "batch channels map_size map_size"],
        background: Float[Tensor, "batch 3 size size"],
    ) -> Float[Tensor, "batch 3 size size"]:
        """T_m and D_I: the person of f_a in the pose of p_2D before a background."""
        maps = self.maps(joints2d)
        with self._precision(maps):
            return self.decoder(maps, appearance, background).float()

    def _precision(self, inputs: Tensor) -> torch.autocast:
        return torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.half_precision)


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


def save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all.

    Its own `save_file` would, when killed, leave a file of a name that nobody cleans up.

    Raises:
        BadInputError: if it cannot be written; a full disk, for one.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(to_bytes(contiguous, metadata))
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error}") from error


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


def _mlp(inputs: int, outputs: int, width: int = 256) -> nn.Sequential:
    """A small network in place of a transform (the paper's ablations, Table 4)."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, outputs),
    )
