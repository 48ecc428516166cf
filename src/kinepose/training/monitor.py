"""What a run says of itself while it trains: its log, its images, and whether it went wrong."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import TextIO

import torch
from jaxtyping import Float
from torch import Tensor

from kinepose.artifacts.run_folder import read_log
from kinepose.dataset.pairs import draw_pairs, has_pairs
from kinepose.dataset.renders import plain_batch
from kinepose.io.errors import TrainingError
from kinepose.method.batches import PairBatch
from kinepose.method.losses import Terms
from kinepose.training.checkpoint import Run
from kinepose.training.losses import Loss, on_device
from kinepose.training.materials import Materials
from kinepose.training.snapshots import save_images


@dataclass(frozen=True)
class Outcome:
    """What an iteration came to, its numbers still on the device."""

    step: int
    """How many iterations had been made with it."""
    loss: str
    terms: Terms
    norm: Float[Tensor, ""]
    """Of the gradient."""
    seconds: float


def log_outcomes(run: Run, outcomes: list[Outcome], log: TextIO) -> None:
    """Fetch what iterations came to, make sure of it, write it to the log, and forget it.

    Raises:
        TrainingError: if a loss or a gradient was not finite.
    """
    if not outcomes:
        return
    fetched = torch.stack([number for o in outcomes for number in (*o.terms.values(), o.norm)])
    numbers = iter(fetched.tolist())
    for outcome in outcomes:
        terms = {name: round(next(numbers), 6) for name in outcome.terms}
        for kind, value in (("loss", sum(terms.values())), ("gradient of the loss", next(numbers))):
            if not math.isfinite(value):
                raise TrainingError(
                    f"step {outcome.step - 1}: the {kind} '{outcome.loss}' is not finite "
                    f"({', '.join(f'{name} {term:.3g}' for name, term in terms.items())}); "
                    f"the last checkpoint is in {run.config.output}"
                )
        record = {"step": outcome.step, "loss": outcome.loss, "total": sum(terms.values())}
        log.write(json.dumps(record | {"seconds": outcome.seconds} | terms) + "\n")
    outcomes.clear()


def summarise(run: Run, losses: list[Loss]) -> None:
    """Say what was trained, and what had no turn although it was meant to."""
    turns = Counter(line["loss"] for line in read_log(run.config.output))
    counts = ", ".join(f"{loss.name} {turns[loss.name]}" for loss in losses)
    print(f"{run.config.output}: {run.step} iterations in {run.seconds / 60:.1f} min ({counts})")
    if missing := [loss.name for loss in losses if not turns[loss.name]]:
        print(
            f"too short for {' and '.join(missing)}: they begin after --warm-up "
            f"{run.config.warm_up} and --consistency-from {run.config.consistency_from} iterations"
        )


def _fixed_pairs(run: Run, materials: Materials) -> PairBatch:
    """The pairs of all images of a run: of D_p if it has any, else the renders with themselves."""
    config, clips = run.config, materials.clips
    size, generator = config.model.image_size, torch.Generator().manual_seed(config.seed)
    if clips is not None and has_pairs(clips, config.smallest_gap):
        return draw_pairs(clips, True, 8, size, config.smallest_gap, generator)
    images = plain_batch(materials.prior, size).images[:8]
    grey = torch.full_like(images, 0.5)
    return PairBatch(images, images, grey, torch.ones_like(grey[:, :1]), torch.arange(len(images)))


@torch.compiler.set_stance("force_eager")
def image_run(run: Run, materials: Materials) -> None:
    """Leave the arrays behind the report's images, in place of those of another step."""
    path = run.config.output / "images" / f"step_{run.step:08d}.npz"
    save_images(run.model, on_device(run.model, _fixed_pairs(run, materials)), path)
    for other in path.parent.glob("step_[0-9]*[0-9].npz"):
        if other != path:
            other.unlink()


@torch.compiler.set_stance("force_eager")
@torch.no_grad()
def check_spread(run: Run, materials: Materials) -> None:
    """Stop a run whose encoder says the same of every render, or of every video.

    The spread is the standard deviation of joints over images: of p_2D [half crop sides] or of
    p_3D [canonical].
    """
    if run.step <= run.config.warm_up:
        return
    device = next(run.model.parameters()).device
    seen = {"renders": plain_batch(materials.prior, run.config.model.image_size).images}
    if materials.clips is not None and len(materials.clips.paired) > 1:
        seen["videos"] = _fixed_pairs(run, materials).target
    for name, images in seen.items():
        poses = run.model.eval().predict(images.to(device))
        spread = min(
            joints.std(dim=0, correction=0).mean().item()
            for joints in (poses.joints2d, poses.joints3d)
        )
        if spread < run.config.smallest_spread:
            raise TrainingError(
                f"step {run.step}: all poses have become one (spread {spread:.2g} over "
                f"{len(images)} images of {name}); the last checkpoint is in "
                f"{run.config.output}"
            )
