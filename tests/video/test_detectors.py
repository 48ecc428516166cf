from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.tiny_videos import FPS, overlap, texture, walker_frames
from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

from kinepose.io.errors import BadInputError
from kinepose.video.background import background_motion
from kinepose.video.config import PeopleConfig
from kinepose.video.detectors import moving_people, network_detector, whole_image
from kinepose.video.people import people_in_video


def moving(frames: list[np.ndarray]) -> list:
    return moving_people(
        frames, float(FPS), background_motion(frames) > PeopleConfig().motion_threshold
    )


@pytest.mark.parametrize("pan", [0.0, 1.5])
def test_who_moves_is_found_by_a_still_and_by_a_moving_camera(pan: float) -> None:
    frames, boxes, _ = walker_frames(3.0, pan=pan)
    found = moving(frames)
    best = [
        max((overlap(one, box) for one in some), default=0.0)
        for some, box in zip(found, boxes, strict=True)
    ]
    assert np.mean(np.array(best) > 0.5) >= 0.9
    assert np.mean([len(some) for some in found]) < 1.2


def test_nobody_is_found_where_nothing_moves() -> None:
    still = [texture(0)] * 10
    assert all(len(boxes) == 0 for boxes in moving(still))


def test_other_light_for_a_moment_is_nobody() -> None:
    frames, _, _ = walker_frames(3.0)
    frames[20] = np.clip(frames[20].astype(int) + 90, 0, 255).astype(np.uint8)
    areas = [(boxes[0, 2:] - boxes[0, :2]).prod() for boxes in moving(frames) if len(boxes)]
    assert max(areas) < 0.4 * frames[0].shape[0] * frames[0].shape[1]


def test_the_whole_image() -> None:
    assert whole_image(np.zeros((5, 7, 3), np.uint8)).tolist() == [[0, 0, 7, 5]]


@pytest.fixture(scope="module")
def detector_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny RT-DETR with random weights in the true format."""
    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[16, 16, 16],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        num_queries=10,
        decoder_layers=1,
        decoder_attention_heads=2,
        num_denoising=0,
        id2label={0: "dog", 1: "person"},
    )
    folder = tmp_path_factory.mktemp("detector")
    network = RTDetrForObjectDetection(config)
    with torch.no_grad():
        for head in network.model.decoder.class_embed:
            head.bias.copy_(torch.tensor([-9.0, 9.0]))  # all that it finds is a person
    network.save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def test_a_detector_of_transformers_finds_people_in_pixels_of_the_frame(
    detector_folder: Path,
) -> None:
    image = texture(0)
    boxes = network_detector(str(detector_folder), 0.5)(image)
    network = RTDetrForObjectDetection.from_pretrained(detector_folder).eval()
    pixels = RTDetrImageProcessorPil.from_pretrained(detector_folder)(image, return_tensors="pt")
    with torch.inference_mode():
        middles = network(**pixels).pred_boxes[0].numpy()
    expected = np.concatenate(
        [middles[:, :2] - middles[:, 2:] / 2, middles[:, :2] + middles[:, 2:] / 2], axis=-1
    ) * np.tile([image.shape[1], image.shape[0]], 2)
    assert boxes.shape == (10, 4)
    assert np.allclose(np.sort(boxes, axis=0), np.sort(expected, axis=0), atol=1e-3)


def test_a_detector_is_sure_of_nobody_above_its_threshold(detector_folder: Path) -> None:
    assert network_detector(str(detector_folder), 1.0)(texture(0)).shape == (0, 4)


def test_weights_that_cannot_be_had_name_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"--detector motion.*--boxes CSV") as refused:
        network_detector(str(tmp_path), 0.5)
    assert "\n" not in str(refused.value)


def test_a_detector_of_transformers_computes_where_it_is_told(
    detector_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that claims to have a GPU."""
    Image.fromarray(texture(0)).save(tmp_path / "a.png")
    config = PeopleConfig("rtdetr", detector_weights=str(detector_folder), margin=1.0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    survey = people_in_video(tmp_path / "a.png", config, device="cpu")
    assert len(survey.tracks) == 10
