"""Which loss has its turn, and how fast it learns (Sec. 3.3, 4)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from kinepose.artifacts.run_folder import paints_people, read_run_config
from kinepose.dataset.pairs import long_enough
from kinepose.io.errors import BadInputError
from kinepose.method.losses import lifter_parameters
from kinepose.method.model import Model
from kinepose.training.config import TrainConfig
from kinepose.training.losses import PAIRED, PRIOR, TEACHER, UNPAIRED, WITHOUT_PAIRS, Loss
from kinepose.training.materials import Materials

WEIGHT_DECAY = 0.02


def plan(config: TrainConfig, materials: Materials, losses: Sequence[Loss]) -> list[Loss]:
    """Those of the losses that take turns after the warm-up.

    Raises:
        BadInputError: if they cannot learn from what there is.
        ValueError: if two have one name.
    """
    if len({loss.name for loss in losses}) < len(losses):
        raise ValueError(f"two losses have one name: {', '.join(loss.name for loss in losses)}")
    chosen = [loss for loss in losses if loss.wanted(config, materials)]
    if not chosen and config.variant == "lifting":
        raise BadInputError("the variant 'lifting' needs --model.heatmaps and --stream.poses")
    if not chosen:
        raise BadInputError("the variant 'painting' needs --stream.renders")
    clips = materials.clips
    if TEACHER in chosen and (clips is None or not config.start or not config.model.heatmaps):
        raise BadInputError(
            "the variant 'teacher' needs --clips, and a run whose E_P has heatmaps to --start from"
        )
    if config.overfit or config.variant in WITHOUT_PAIRS:
        return chosen
    if clips is None:
        raise BadInputError(f"the variant {config.variant!r} needs --clips")
    if PAIRED not in chosen and not (config.unpaired and _paints(config.start)):
        raise BadInputError(
            "no clip with a background (D_p) among the clips: L_UNP alone cannot train D_I"
        )
    for loss in (PAIRED, UNPAIRED):  # before anything is written
        if loss in chosen:
            long_enough(clips, loss is PAIRED, config.smallest_gap)
    return chosen


def _paints(run: Path | None) -> bool:
    return run is not None and paints_people(read_run_config(run))


def whose_turn(config: TrainConfig, losses: list[Loss], step: int) -> Loss:
    """The loss that an iteration trains."""
    if step < config.warm_up:
        return PRIOR
    if only_paints(config, step) and PAIRED in losses:
        return PAIRED
    loss = losses[step % len(losses)]
    if step < loss.first_step(config):
        return next((other for other in (PAIRED, PRIOR) if other in losses), losses[0])
    return loss


def only_paints(config: TrainConfig, step: int) -> bool:
    """Whether E_P stays as it is, while E_A and D_I learn from it."""
    return config.warm_up <= step < config.warm_up + config.decoder_first


def new_optimiser(config: TrainConfig, model: Model, loss: Loss) -> torch.optim.Optimizer:
    """The loss's own, over what it trains.

    Beside a teacher, who tells where joints are, the branches stay: they learnt from far more
    poses than the renders show, and forget by these (docs/results.md).
    """
    parameters, rate = loss.trained(model), config.learning_rate
    if config.variant == "teacher" and not config.overfit:
        held = {id(parameter) for parameter in lifter_parameters(model)}
        parameters = [parameter for parameter in parameters if id(parameter) not in held]
    if config.optimiser == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=WEIGHT_DECAY, fused=True)
    kind = torch.optim.Adagrad if config.optimiser == "adagrad" else torch.optim.Adam
    return kind(parameters, rate)


def learning_rate(config: TrainConfig, loss: Loss, progress: float, step: int) -> float:
    """Rises over the first steps, is constant, falls linearly over the `cooldown`.

    `progress` is how much of the run is over, from 0 to 1.
    """
    rate = config.learning_rate * loss.rate(config)
    if config.rise:
        rate *= min(1.0, (step + 1) / config.rise)
    if not config.cooldown:
        return rate
    return rate * min(1.0, (1 - progress) / config.cooldown)
