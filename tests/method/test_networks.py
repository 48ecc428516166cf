import pytest
import torch
from torch import nn
from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetForImageClassification

from kinepose.errors import BadInputError
from kinepose.geometry.skeleton import STANDARD_SKELETON
from kinepose.method.appearance_encoder import AppearanceEncoder
from kinepose.method.decoder import Decoder
from kinepose.method.heatmap_head import centres
from kinepose.method.model import new_model
from kinepose.method.pose_encoder import PoseEncoder, backbone_config
from kinepose.settings import CPU_MODEL, ModelConfig

PAPER = ModelConfig(pretrained=None)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_pose_encoder_is_resnet50_up_to_res4f_and_nothing_after_it():
    encoder = PoseEncoder(PAPER, backbone_config(PAPER))
    # Of ResNet-50's 25,557,032 parameters, res5 has 14,964,736 and the classifier 2,049,000.
    assert parameters(encoder.backbone) == 25_557_032 - 14_964_736 - 2_049_000
    images = torch.rand(1, 3, 224, 224)
    assert encoder.backbone(images).feature_maps[-1].shape == (1, 1024, 14, 14)
    v_k, camera, landmarks = encoder(images)
    assert landmarks is None
    assert v_k.shape == (1, 40)
    assert camera.shape == (1, 6)


def test_pose_encoder_starts_near_the_rest_pose_seen_from_the_front():
    v_k, camera, _ = PoseEncoder(PAPER, backbone_config(PAPER))(torch.rand(2, 3, 64, 64))
    rest = torch.tensor(STANDARD_SKELETON.rest_directions).flatten()
    assert (v_k[:, 1:] - rest).abs().max() < 0.1
    assert (camera - torch.tensor([0.0, 1.0] * 3)).abs().max() < 0.1


def test_landmarks_are_probabilities_over_the_finest_stage():
    encoder = PoseEncoder(CPU_MODEL, backbone_config(CPU_MODEL))
    _, camera, landmarks = encoder(torch.rand(2, 3, 64, 64))
    assert camera.shape == (2, 9)
    assert landmarks.shape == (2, 17, 16, 16)
    torch.testing.assert_close(landmarks.exp().sum((2, 3)), torch.ones(2, 17))


def test_centres_are_where_the_maps_say():
    maps = torch.full((1, 3, 4, 8), -torch.inf)
    maps[0, 0, 3, 0] = 0.0  # bottom left
    maps[0, 1, 0, 7] = maps[0, 1, 0, 5] = torch.tensor(0.5).log()  # between two cells of the top
    maps[0, 2] = -torch.tensor(32.0).log()
    expected = torch.tensor([[[-7 / 8, 3 / 4], [5 / 8, -3 / 4], [0.0, 0.0]]])
    torch.testing.assert_close(centres(maps), expected)


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
    # Group norm spreads a trace of it over the whole picture; convolutions reach two pixels.
    assert difference[..., far].abs().max() < 0.02 * difference[..., ~far].abs().max()


@pytest.fixture
def resnet_folder(tmp_path):
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1], layer_type="basic"
    )
    torch.manual_seed(1)
    model = ResNetForImageClassification(config)
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    model.save_pretrained(tmp_path / "resnet")
    return tmp_path / "resnet", model.resnet


def pretrained(folder, **settings) -> ModelConfig:
    return ModelConfig(
        pretrained=str(folder),
        backbone_stem=8,
        backbone_widths=(8, 16, 32),
        backbone_depths=(1, 1, 1),
        backbone_block="basic",
        **settings,
    )


def test_pretrained_weights_come_from_a_folder_and_their_statistics_never_move(resnet_folder):
    folder, original = resnet_folder
    encoder = new_model(pretrained(folder)).pose_encoder
    held = encoder.backbone.state_dict()
    for name, tensor in original.state_dict().items():
        if "stages.3" not in name:
            assert torch.equal(held[name], tensor), name
    before = {name: tensor.clone() for name, tensor in held.items() if "running" in name}
    assert before
    encoder.train()(torch.rand(4, 3, 64, 64))
    for name, tensor in before.items():
        assert torch.equal(encoder.backbone.state_dict()[name], tensor)


def test_noise_means_group_norm(tiny_model):
    kinds = {type(module) for module in tiny_model.modules()}
    assert nn.GroupNorm in kinds
    assert nn.BatchNorm2d not in kinds


@pytest.mark.parametrize("where", ["backbone", "pretrained"])
def test_weights_that_cannot_be_had_are_one_line_with_the_ways_out(where, tmp_path):
    config = ModelConfig(**{where: str(tmp_path / "nowhere")})
    with pytest.raises(BadInputError, match=r"folder.*HF_ENDPOINT.*None") as caught:
        new_model(config)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_refused(resnet_folder):
    folder, _ = resnet_folder
    config = ModelConfig(
        pretrained=str(folder),
        backbone_stem=8,
        backbone_widths=(8, 16, 48),
        backbone_depths=(1, 1, 2),
        backbone_block="basic",
    )
    with pytest.raises(BadInputError, match="do not fit"):
        new_model(config)


def test_another_backbone_of_transformers_can_be_named(tmp_path):
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    Dinov2Model(config).save_pretrained(tmp_path)
    config = ModelConfig(backbone=str(tmp_path), pretrained=str(tmp_path))
    assert new_model(config).predict(torch.rand(1, 3, 224, 224)).joints2d.shape == (1, 17, 2)
