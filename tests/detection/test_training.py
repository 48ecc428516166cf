import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from kinepose.detection.checkpoint import save
from kinepose.detection.config import TrainDetectorConfig
from kinepose.detection.finding import find_people, find_people_in_video, torch_answer
from kinepose.detection.network import PersonDetector
from kinepose.detection.training import _new_run, train_detector
from kinepose.detection.weights import load_detector
from kinepose.io.errors import BadInputError, TrainingError


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainDetectorConfig:
    """Two images of 64 px an iteration, from a backbone of noise."""
    monkeypatch.setattr(
        "kinepose.detection.training.load_pretrained", lambda backbone, config: None
    )
    return TrainDetectorConfig(
        output=tmp_path / "run",
        cutouts=tmp_path / "cutouts",
        people=32,
        person_size=48,
        image_size=64,
        early_size=64,
        batch_size=2,
        iterations=4,
        trained_stages=1,
        workers=0,
    )


def test_a_run_that_was_broken_off_comes_to_the_same_weights(
    tiny: TrainDetectorConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_detector(tiny)
    whole = load_file(tiny.output / "detector.safetensors")
    lines = (tiny.output / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]

    broken = replace(tiny, output=tiny.output.with_name("broken"), checkpoint_minutes=0.0)

    def stop(run: object, losses: dict[str, float]) -> None:
        if run.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kinepose.detection.training.log", stop)
        with pytest.raises(KeyboardInterrupt):
            train_detector(broken)
    train_detector(broken)
    for name, tensor in load_file(broken.output / "detector.safetensors").items():
        assert torch.equal(tensor, whole[name]), name
    with pytest.raises(BadInputError, match="batch_size 2, not 3"):
        train_detector(replace(broken, batch_size=3))


def test_only_what_should_be_is_trained(tiny: TrainDetectorConfig) -> None:
    torch.manual_seed(tiny.seed)
    before = PersonDetector().state_dict()
    train_detector(replace(tiny, learning_rate=0.1))
    after = load_detector(tiny.output / "detector.safetensors").state_dict()
    stages = [f"backbone.blocks.{n}." for n in range(6)]
    for name, tensor in after.items():
        frozen = name.startswith(("backbone.stem", *stages))
        if name.startswith("answer.1") or frozen:
            same = torch.equal(tensor, before[name].half().float())
            assert same == frozen, name


def test_settings_out_of_range_are_one_line(tiny: TrainDetectorConfig) -> None:
    with pytest.raises(BadInputError, match="--trained-stages"):
        train_detector(replace(tiny, trained_stages=9))
    assert not tiny.output.exists()


def test_what_can_be_refused_is_refused_before_people_are_rendered(
    tiny: TrainDetectorConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(config: TrainDetectorConfig) -> Path:
        raise AssertionError("rendered")

    monkeypatch.setattr("kinepose.detection.training.make_cutouts", render)
    with pytest.raises(BadInputError, match="no such file"):
        train_detector(replace(tiny, start=Path("missing.safetensors")))
    tiny.output.mkdir()
    (tiny.output / "config.json").write_text("of something else")
    with pytest.raises(BadInputError, match=r"holds a config\.json, but no run to go on with"):
        train_detector(tiny)
    assert [path.name for path in tiny.output.iterdir()] == ["config.json"]


def test_a_detector_that_is_not_finite_is_never_saved(tiny: TrainDetectorConfig) -> None:
    run = _new_run(tiny)
    with torch.no_grad():
        next(run.detector.parameters()).mul_(torch.inf)
    with pytest.raises(TrainingError, match="is not finite; the last checkpoint is in"):
        save(run)
    assert not tiny.output.exists()


def test_a_file_of_other_weights_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "detector.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(BadInputError, match="no file of safetensors"):
        load_detector(path)


def bright_cells(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A detector that sees the middle of the brightest cell, and boxes of two by four cells."""
    cells = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)[:, 0]
    logits = torch.where(cells > 0.9, 4.0, -9.0)
    sides = torch.tensor([1.0, 2.0, 1.0, 2.0]).log()[None, :, None, None]
    return logits, sides.expand(len(images), 4, *logits.shape[1:])


def test_finds_are_in_the_pixels_of_the_image() -> None:
    images = np.zeros((2, 288, 512, 3), np.uint8)
    images[1, 96:112, 160:176] = 255  # [px of the image]: one cell of 8 px, half as large
    none, one = find_people(bright_cells, list(images), 0.5)
    assert len(none) == 0
    np.testing.assert_allclose(one, [[152, 72, 184, 136, torch.tensor(4.0).sigmoid()]], rtol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 16, 37])
def test_images_keep_their_order_over_batches_and_threads(count: int) -> None:
    shown = []

    def answer(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shown.append(len(images))
        return bright_cells(images)

    images = [np.zeros((64, 256, 3), np.uint8) for _ in range(count)]
    for number, image in enumerate(images):
        image[32:40, 16 + 8 * (number % 25) : 24 + 8 * (number % 25)] = 255
    found = find_people(answer, images, 0.5)
    assert [(finds[0, 0] + finds[0, 2]) / 2 for finds in found] == [
        20 + 8 * (number % 25) for number in range(count)
    ]
    assert sum(shown) == count and max(shown, default=0) <= 8
    assert max(shown, default=0) - min(shown, default=0) <= 1


@pytest.mark.parametrize(
    ("shown_in", "side", "found_in"),
    [({3, 5}, 384, {3, 5}), ({5}, 384, set()), ({3, 5}, 256, {3, 5}), (set(), 384, set())],
)
def test_who_is_too_small_is_looked_for_closely_if_every_third_image_says_so(
    shown_in: set[int], side: int, found_in: set[int]
) -> None:
    """One cell is a person; of images of 384 px that is two thirds of a cell at 256 px."""
    images = [np.zeros((64, side, 3), np.uint8) for _ in range(7)]
    for number in shown_in:
        images[number][32:40, 64:72] = 255
    found, closely = find_people_in_video(bright_cells, images, None, 0.1, sure=0.4)
    assert closely == bool(found_in and side > 256)
    assert {number for number, finds in enumerate(found) if len(finds)} == found_in
    for number in found_in:
        np.testing.assert_allclose(found[number][:, :4], [[60, 20, 76, 52]])
    told, _ = find_people_in_video(bright_cells, images, True, 0.1, sure=0.4)
    assert {number for number, finds in enumerate(told) if len(finds)} == shown_in


def test_what_does_not_compute_on_the_gpu_has_all_cores(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    shown = []

    def answer(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shown.append(len(images))
        return bright_cells(images)

    cores = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        find_people(answer, [np.zeros((64, 256, 3), np.uint8)] * 6, 0.5)
    finally:
        torch.set_num_threads(cores)
    assert shown == [2, 2, 2]


def test_the_network_is_where_it_is_told_to_be(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for device in ("cpu", "meta"):
        said = torch_answer(PersonDetector(), torch.device(device))(torch.rand(1, 3, 64, 64))
        assert {numbers.device.type for numbers in said} == {device}


def test_the_network_says_something_of_images_of_any_shape() -> None:
    answer = torch_answer(PersonDetector())
    for height, width in ((40, 200), (333, 97)):
        (found,) = find_people(answer, [np.zeros((height, width, 3), np.uint8)], 0.0, side=96)
        assert (found[:, :4] >= 0).all()
        assert (found[:, [2, 0]] <= width).all()
        assert (found[:, [3, 1]] <= height).all()
