"""What each loss draws, with which weights it is asked for, and what its optimiser is given."""

import math
import shutil
from dataclasses import replace

import pytest
import torch
from tests.conftest import TINY_MODEL

from kinepose.method.losses import (
    ImageTransform,
    Weights,
    all_parameters,
    encoder_parameters,
    pose_parameters,
)
from kinepose.method.model import Model
from kinepose.training.checkpoint import Run
from kinepose.training.config import PRESETS, TrainConfig
from kinepose.training.losses import LOSSES, Turn
from kinepose.training.materials import Materials, gather
from kinepose.training.schedule import new_optimiser
from kinepose.training.train import train_step

BY_NAME = {loss.name: loss for loss in LOSSES}
PLAIN = 0.02
"""Standard deviation of pixels within an image below which it counts as one of a single colour."""


@pytest.fixture
def config(tmp_path, clips, videos, prior) -> TrainConfig:
    output = tmp_path / "run"
    output.mkdir()
    shutil.copy(prior, output / "prior.npz")
    return replace(
        PRESETS["cpu"],
        output=output,
        clips=(clips,),
        labels=(videos / "labels",),
        batch_size=8,
        prior_images=4,
        consistency_from=5,
        pixel_weight=2.0,
        pose_consistency=3.0,
        appearance_consistency=5.0,
        device="cpu",
        model=TINY_MODEL,
    )


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """What the losses of the paper are called with; they answer that all is well."""
    calls: list[tuple] = []

    def loss(_model, *arguments):
        calls.append(arguments)
        return {"nothing": torch.zeros(())}

    for name in ("prior_loss", "paired_loss", "unpaired_loss", "joints2d_loss", "joints3d_loss"):
        monkeypatch.setattr(f"kinepose.training.losses.{name}", loss)
    return calls


def take_turns(model: Model, config: TrainConfig, name: str, count: int, step: int = 9) -> None:
    """Some turns of a loss, each with a generator of its own."""
    materials = gather(config, torch.device("cpu"))
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        BY_NAME[name].terms(Turn(config, model, materials, iter(()), generator, step))


def spread_within(images: torch.Tensor) -> torch.Tensor:
    """Standard deviation of each image's pixels, channel by channel, at least."""
    return images.flatten(2).std(-1).amin(1)


def test_paired_loss_has_the_weights_of_the_settings_once_people_are_painted(
    tiny_model, config, asked
):
    take_turns(tiny_model, config, "paired", 1)
    take_turns(tiny_model, config, "paired", 1, step=4)
    (batch, weights), (_, at_first) = asked
    assert weights == Weights(pixels=2.0, pose=3.0, appearance=5.0)
    assert at_first == Weights(pixels=2.0, pose=0.0, appearance=0.0)
    assert batch.background is not None and batch.valid is not None


def test_unpaired_loss_mirrors_half_and_turns_all_before_other_backgrounds_every_time(
    tiny_model, config, asked
):
    config = replace(config, rotation=20.0)
    take_turns(tiny_model, config, "unpaired", 8)
    assert all(weights == Weights(2.0, 3.0, 5.0) for _, _, weights in asked)
    transforms: list[ImageTransform] = [transform for _, transform, _ in asked]
    flipped = torch.cat([transform.flipped for transform in transforms])
    assert 0.3 < flipped.float().mean() < 0.7
    angle = torch.cat([transform.angle for transform in transforms])
    assert angle.abs().max() <= math.radians(20)
    assert -math.radians(15) > angle.min() and angle.max() > math.radians(15)
    assert angle.std() == pytest.approx(math.radians(20) / math.sqrt(3), rel=0.25)  # uniform
    backgrounds = torch.cat([batch.background for batch, _, _ in asked])
    assert (spread_within(backgrounds) > PLAIN).float().mean() > 0.7
    assert len(backgrounds.flatten(1).unique(dim=0)) > 0.5 * len(backgrounds)


def test_renders_stand_before_other_backgrounds_in_other_colours_every_time(
    tiny_model, config, asked
):
    """One render, neither turned nor moved: what is left are colours and what is behind."""
    config = replace(config, prior_images=4, rotation=0.0, crop_jitter=0.0)
    take_turns(tiny_model, config, "prior", 4)
    images, masks, joints3d = (
        torch.cat([getattr(batch, name) for (batch,) in asked])
        for name in ("images", "mask", "joints3d")
    )
    corners = images[..., :4, :4]  # above shadows
    assert not masks[..., :4, :4].any()
    assert (spread_within(corners) > PLAIN / 4).float().mean() > 0.5
    assert corners.mean((2, 3)).std(0).min() > 0.1
    same = (joints3d - joints3d[0]).abs().amax((1, 2)) < 1e-6
    person = masks[0, 0] == 1
    colours = images[same][:, :, person].mean(-1)
    assert same.sum() >= 3
    assert colours.std(0).min() > 0.02, "the person always has the same colours"


def test_semi_draws_its_share_of_3d_labels_and_weakly_draws_from_all(tiny_model, config, asked):
    config = replace(config, variant="semi", label_share=0.2)
    labels = gather(config, torch.device("cpu")).labels
    count = len(labels.rows)
    assert len(labels.has_joints3d) == round(0.2 * count) < count

    def drawn(variant: str, name: str) -> set[bytes]:
        asked.clear()
        take_turns(tiny_model, replace(config, variant=variant), name, 40)
        return {pose.numpy().tobytes() for (batch,) in asked for pose in batch.joints3d}

    known = {pose.tobytes() for pose in labels.joints3d[labels.has_joints3d]}
    assert drawn("semi", "joints3d") == known
    assert len(drawn("weakly", "joints2d")) > 0.9 * count


@pytest.fixture
def steps(tiny_model, config):
    """A function that makes an iteration of a loss, and says what its optimiser was given."""
    materials: dict[str, Materials] = {}

    def sequence(name: str, step: int = 9, **settings) -> dict:
        loss, now = BY_NAME[name], replace(config, batch_size=2, **settings)
        held = materials.setdefault(now.variant, gather(now, torch.device("cpu")))
        optimiser = new_optimiser(now, tiny_model, loss)
        given: dict = {}

        def note(optimiser, *_):
            (group,) = optimiser.param_groups
            gradients = [p.grad.clone() for p in group["params"] if p.grad is not None]
            given.update(
                rate=group["lr"],
                parameters={id(p) for p in group["params"]},
                norm=torch.stack([g.norm() for g in gradients]).norm().item(),
            )

        optimiser.register_step_pre_hook(note)
        run = Run(now, tiny_model, {name: optimiser}, step=step)
        _, norm = train_step(run, held, loss, iter(()))
        return given | {"unclipped": norm.item(), "turns": dict(run.turns)}

    return sequence


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("prior", pose_parameters),
        ("paired", all_parameters),
        ("unpaired", encoder_parameters),
    ],
)
def test_an_optimiser_is_given_what_its_loss_trains_at_its_rate(steps, tiny_model, name, trained):
    rates = {"learning_rate": 0.01, "unpaired_rate": 0.3, "iterations": 100}
    given = steps(name, **rates)
    assert given["parameters"] == {id(p) for p in trained(tiny_model)}
    assert given["turns"] == {name: 1}
    full = 0.01 * (0.3 if name == "unpaired" else 1.0)
    assert given["rate"] == pytest.approx(full)
    late = steps(name, step=90, cooldown=0.2, **rates)  # halfway through the last fifth
    assert late["rate"] == pytest.approx(full / 2)
    assert steps(name, step=0, rise=4, **rates)["rate"] == pytest.approx(full / 4)


@pytest.mark.parametrize("name", ["prior", "paired", "unpaired"])
def test_gradients_are_no_longer_than_the_settings_say(steps, name):
    free = steps(name, gradient_clip=0.0)
    assert free["norm"] == pytest.approx(free["unclipped"], rel=1e-4)
    limit = free["norm"] / 2
    clipped = steps(name, gradient_clip=limit)
    assert clipped["norm"] == pytest.approx(limit, rel=0.05)
    assert clipped["unclipped"] > 1.2 * limit
