import torch
from torch import nn

from kinepose.artifacts.pretrained import backbone_description
from kinepose.geometry.skeleton import STANDARD_SKELETON
from kinepose.method.appearance_encoder import AppearanceEncoder
from kinepose.method.config import ModelConfig
from kinepose.method.decoder import Decoder
from kinepose.method.pose_encoder import PoseEncoder

PAPER = ModelConfig(pretrained=None)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_pose_encoder_is_resnet50_up_to_res4f_and_nothing_after_it():
    encoder = PoseEncoder(PAPER, backbone_description(PAPER))
    # Of ResNet-50's 25,557,032 parameters, res5 has 14,964,736 and the classifier 2,049,000.
    assert parameters(encoder.backbone) == 25_557_032 - 14_964_736 - 2_049_000
    images = torch.rand(1, 3, 224, 224)
    (features,) = encoder.backbone(images)
    assert features.shape == (1, 1024, 14, 14)
    v_k, camera, keypoints = encoder(images)
    assert keypoints is None
    assert v_k.shape == (1, 40)
    assert camera.shape == (1, 6)


def test_pose_encoder_starts_near_the_rest_pose_seen_from_the_front():
    v_k, camera, _ = PoseEncoder(PAPER, backbone_description(PAPER))(torch.rand(2, 3, 64, 64))
    rest = torch.tensor(STANDARD_SKELETON.rest_directions).flatten()
    assert (v_k[:, 1:] - rest).abs().max() < 0.1
    assert (camera - torch.tensor([0.0, 1.0] * 3)).abs().max() < 0.1


def test_noise_means_group_norm_in_the_backbone(tiny_model):
    kinds = {type(module) for module in tiny_model.pose_encoder.backbone.modules()}
    assert nn.GroupNorm in kinds
    assert nn.BatchNorm2d not in kinds


def test_appearance_encoder_has_ten_convolutions_to_512_x_14_x_14():
    encoder = AppearanceEncoder(PAPER)
    assert sum(isinstance(module, nn.Conv2d) for module in encoder.modules()) == 10
    assert encoder(torch.rand(1, 3, 224, 224)).shape == (1, 512, 14, 14)


def test_a_new_decoder_paints_the_background():
    maps, appearance = torch.rand(1, 33, 14, 14), torch.rand(1, 512, 14, 14)
    background = torch.rand(1, 3, 224, 224)
    assert torch.equal(Decoder(PAPER)(maps, appearance, background), background)


def test_decoder_reads_128_maps_and_640_channels_and_fuses_the_background_at_full_size():
    decoder = Decoder(PAPER)
    first, second = (m for m in decoder.pose_features.modules() if isinstance(m, nn.Conv2d))
    assert (first.in_channels, second.out_channels) == (33, 128)
    assert decoder.entry[0].in_channels == 640
    maps, appearance = torch.rand(1, 33, 14, 14), torch.rand(1, 512, 14, 14)
    background = torch.rand(1, 3, 224, 224)
    assert decoder(maps, appearance, background).shape == (1, 3, 224, 224)
    # Nothing of the background goes through a smaller size: what it changes stays local.
    changed = background.clone()
    changed[..., 100, 100] += 0.5
    difference = decoder.background(changed) - decoder.background(background)
    far = torch.ones(224, 224, dtype=torch.bool)
    far[98:103, 98:103] = False
    # Group norm spreads a trace of it over the whole image; convolutions reach two pixels.
    assert difference[..., far].abs().max() < 0.02 * difference[..., ~far].abs().max()
