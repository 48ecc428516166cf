"""The paper's Figure 1A as code: two encoders, three fixed transforms, one decoder.

I_t -> E_P -> v_k, c;  v_k -> T_fk -> p_3D;  p_3D, c -> T_c -> p_2D;  p_2D -> T_m -> f_hm, f_am
I_s -> E_A -> f_a
(f_hm, f_am), f_a, B_t -> D_I -> I^_t
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PretrainedConfig

from kinepose.io.errors import BadInputError
from kinepose.method.appearance_encoder import AppearanceEncoder
from kinepose.method.camera_projection import project, refit_camera
from kinepose.method.config import ModelConfig
from kinepose.method.decoder import Decoder
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.method.painting_by_parts import Painted, PartsDecoder, gathered
from kinepose.method.pose_encoder import Keypoints, PoseEncoder
from kinepose.method.spatial_maps import MAPS, spatial_maps

SEEN = 0.1
"""Certainty of a heatmap above which its peak is believed."""


@dataclass(frozen=True)
class Poses:
    """What E_P and the first two transforms say about images."""

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
    def in_image(self) -> Float[Tensor, "batch 17 2"]:
        """Where the image shows 2D joints: at the heatmaps' peaks, or p_2D where they see none.

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
        if config.painting == "parts" and config.maps == "network":
            raise BadInputError("--model.painting parts needs --model.maps transform")
        if config.heatmaps and config.image_size % 32:
            raise BadInputError(
                f"--model.heatmaps needs crops of 32, 64, 96 ... px, not {config.image_size}"
            )
        doubled = config.map_size * 2 ** (len(config.decoder_widths) - 1)
        if doubled != config.image_size:
            raise BadInputError(
                f"decoder_widths {config.decoder_widths} lead from maps of {config.map_size} to "
                f"images of {doubled} px, not {config.image_size}"
            )
        self.config = config
        self.backbone_config = backbone
        self.half_precision = False
        self.pose_encoder = PoseEncoder(config, backbone)
        self.appearance_encoder = AppearanceEncoder(config)
        by_parts = config.painting == "parts"
        self.decoder = PartsDecoder(config) if by_parts else Decoder(config)
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
        """E_P, T_fk and T_c: what pose and camera an image shows."""
        with self._precision(images):
            parameters, camera, keypoints = self.pose_encoder(images)
        return self._transformed(parameters.float(), camera.float(), keypoints)

    def see(self, images: Float[Tensor, "batch 3 size size"]) -> Keypoints:
        """What the heatmaps of E_P say, before its branches do, by an E_P with heatmaps."""
        with self._precision(images):
            return self.pose_encoder.see(images)

    def lift(
        self, joints2d: Float[Tensor, "batch 17 2"], certainty: Float[Tensor, "batch 17"]
    ) -> Poses:
        """What `predict` says, from 2D joints in place of an image, by an E_P with heatmaps."""
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
        self,
        images: Float[Tensor, "batch 3 size size"],
        joints2d: Float[Tensor, "batch 17 2"] | None = None,
    ) -> Float[Tensor, "batch channels rows columns"]:
        """E_A: f_a, on the lattice of the maps, or in a row for each of them.

        `joints2d` tells where the joints are, if that is known better than by E_P.
        """
        with self._precision(images):
            features = self.appearance_encoder(images).float()
        if self.config.painting == "lattice":
            return features
        if joints2d is None:
            with torch.no_grad():
                joints2d = self.predict(images).joints2d
        return gathered(features, self.maps(joints2d))

    def paint(
        self,
        joints2d: Float[Tensor, "batch 17 2"],
        appearance: Float[Tensor, "batch channels rows columns"],
        background: Float[Tensor, "batch 3 size size"],
    ) -> Float[Tensor, "batch 3 size size"]:
        """T_m and D_I: the person of f_a in the pose of p_2D before a background."""
        return self.painted(joints2d, appearance, background).image

    def painted(
        self,
        joints2d: Float[Tensor, "batch 17 2"],
        appearance: Float[Tensor, "batch channels rows columns"],
        background: Float[Tensor, "batch 3 size size"],
    ) -> Painted:
        """The same, with what D_I says of where the person is, if it does."""
        maps = self.maps(joints2d)
        with self._precision(maps):
            painted = self.decoder(maps, appearance, background)
        return painted if isinstance(painted, Painted) else Painted(painted.float())

    def _precision(self, inputs: Tensor) -> torch.autocast:
        return torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.half_precision)


def _mlp(inputs: int, outputs: int, width: int = 256) -> nn.Sequential:
    """A small network in place of a transform (the paper's ablations, Table 4)."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
        nn.Linear(width, outputs),
    )
