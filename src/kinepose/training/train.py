"""The loop that alternates the losses, each with an optimiser of its own (Sec. 3.3, 4).

Every step draws from a generator seeded by (seed, step) alone, so that a run that was killed goes
on from its last checkpoint to the same numbers as one that never was.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kinepose.dataset.augmentation import Augmentation, draw_renders
from kinepose.dataset.backgrounds import (
    BackgroundSource,
    draw_random_backgrounds,
    open_backgrounds,
)
from kinepose.dataset.labels import ClipLabels, draw_labelled, read_clip_labels
from kinepose.dataset.pairs import ClipSet, draw_pairs, long_enough, read_clips
from kinepose.dataset.pose_pairs import draw_poses
from kinepose.dataset.render_stream import (
    RenderBatches,
    batches_from,
    poses_ahead,
    render_ahead,
    render_prior_set,
)
from kinepose.dataset.renders import (
    PriorSet,
    as_numbers,
    load_prior,
    plain_batch,
    save_prior,
)
from kinepose.errors import BadInputError, TrainingError
from kinepose.files import check_folder
from kinepose.geometry.devices import send
from kinepose.method.batches import LabelledBatch, PairBatch, PoseBatch
from kinepose.method.losses import (
    ImageTransform,
    LossName,
    Terms,
    Weights,
    joints2d_loss,
    lifting_loss,
    paired_loss,
    prior_loss,
    trained_parameters,
    unpaired_loss,
)
from kinepose.method.model import Model
from kinepose.model_files import choose_device, load_model, new_model
from kinepose.run_folder import paints_people, read_log, read_run_config
from kinepose.training.checkpoint import Run, follow, holds_run, restore, save
from kinepose.training.config import TrainConfig
from kinepose.training.distributed import average, joined, number, rank, share, wait
from kinepose.training.snapshots import save_pictures

Watch = Callable[[Run], bool]
"""Whether training goes on."""
Batch = TypeVar("Batch", LabelledBatch, PairBatch, PoseBatch, ImageTransform)
WEIGHT_DECAY = 0.02
_OF_FILMS = ("paired", "unpaired", "joints2d", "joints3d")
"""Losses in which E_P's batch norm keeps the statistics of the renders."""
READ_EVERY = 20
"""Iterations after which their losses are fetched from the device, which till then runs on alone; a
loss that is not finite is noticed then."""


@dataclass(frozen=True)
class Materials:
    """What a run learns from."""

    prior: PriorSet
    backgrounds: BackgroundSource
    clips: ClipSet | None
    labels: ClipLabels | None
    renders: RenderBatches | None = None
    """Crops of a long training, in place of the prior's."""
    poses: Float[Tensor, "moments 17 3"] | None = None
    """Without pictures, in the world [m]."""


@dataclass(frozen=True)
class Outcome:
    """What an iteration came to, its numbers still on the device."""

    step: int
    """How many iterations had been made with it."""
    loss: LossName
    terms: Terms
    norm: Float[Tensor, ""]
    """Of the gradient."""
    seconds: float


def train(config: TrainConfig, watch: Watch | None = None) -> None:
    """Train until `iterations` or `minutes` are over; resume the run if the folder holds one.

    Processes that torchrun started share every batch; the first one writes.

    Whoever watches sees the run every `picture_every` iterations, before the checkpoint that is
    then made, and may end it.

    Raises:
        BadInputError: if settings, clips or labels cannot be used.
        TrainingError: if a loss is not finite or all poses become one; the last checkpoint stays.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    with joined(choose_device(config.device)) as device:
        _check_settings(config)
        if not rank():  # the others would clear away what it tries
            check_folder(config.output)
        if config.compile:
            _check_compiler(device)
        resumed = holds_run(config)
        _train(config, _gather(config, device), device, resumed, watch)


def _train(
    config: TrainConfig,
    materials: Materials,
    device: torch.device,
    resumed: bool,
    watch: Watch | None,
) -> None:
    schedule = _schedule(config, materials)
    torch.manual_seed(config.seed)
    model = _first_model(config).to(device)
    model.half_precision = _half_precision(config, device)
    model.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
    if config.compile:
        for network in model.children():
            network.compile()
    warm_up: list[LossName] = ["prior"] if config.warm_up else []
    optimisers = {loss: _optimiser(config, model, loss) for loss in [*warm_up, *schedule]}
    run = Run(config, model, optimisers)
    if config.start is not None:
        run.turns = Counter(read_run_config(config.start).turns)
    if resumed:
        restore(run)
    wait()  # all have read what is there
    with TemporaryDirectory() if rank() else nullcontext(config.output) as folder:
        run.config = replace(config, output=Path(folder))
        if not resumed:
            run.config.output.mkdir(parents=True, exist_ok=True)
            (run.config.output / "log.jsonl").unlink(missing_ok=True)
            save_prior(materials.prior, run.config.output / "prior.npz")
            save(run)
        _loop(run, materials, schedule, watch)


def _half_precision(config: TrainConfig, device: torch.device) -> bool:
    if config.bfloat16 is not None:
        return config.bfloat16
    return device.type == "cuda" or torch.cpu._is_amx_tile_supported()


def _first_model(config: TrainConfig) -> Model:
    """From noise, from pretrained weights, or where another run has come to."""
    if config.start is None:
        return new_model(config.model)
    model = load_model(config.start)
    if model.config != config.model:
        raise BadInputError(f"--start {config.start}: the run has another model than --model says")
    return model


def _loop(run: Run, materials: Materials, schedule: list[LossName], watch: Watch | None) -> None:
    config, folder = run.config, run.config.output
    started, saved = time.monotonic() - run.seconds, time.monotonic()
    limit = config.minutes * 60 if config.minutes else math.inf
    progress = tqdm(
        total=config.iterations,
        initial=run.step,
        desc="train",
        unit="it",
        disable=rank() > 0 or None,
    )
    unread: list[Outcome] = []
    crops = None
    if materials.renders is not None:
        drawn = sum(_turn(config, schedule, step) == "prior" for step in range(run.step))
        crops = batches_from(materials.renders, drawn, config.stream.loaders)
    with (folder / "log.jsonl").open("a") as log, progress:
        while run.step < config.iterations and run.seconds < limit:
            loss = _turn(config, schedule, run.step)
            terms, norm = _train_step(run, materials, loss, crops)
            run.step, run.seconds = run.step + 1, time.monotonic() - started
            unread.append(Outcome(run.step, loss, terms, norm, round(run.seconds, 3)))
            progress.update()
            if math.isfinite(limit):
                progress.set_postfix_str(f"{max(0.0, limit - run.seconds) / 60:.1f} min left")
            shown = run.step % config.picture_every == 0
            due = time.monotonic() - saved > config.checkpoint_minutes * 60
            if shown or due or len(unread) == READ_EVERY:
                _read(run, unread, log)
            if shown:
                _check_spread(run, materials)
                _save_pictures(run, materials)
                if watch is not None and not watch(run):
                    break
            if due or (shown and watch is not None):
                log.flush()
                save(run)
                saved = time.monotonic()
        _read(run, unread, log)
    save(run)
    _save_pictures(run, materials)
    if not rank():
        _summarise(run, schedule)


def _summarise(run: Run, schedule: list[LossName]) -> None:
    """Say what was trained, and what had no turn although it was meant to."""
    turns = Counter(line["loss"] for line in read_log(run.config.output))
    counts = ", ".join(f"{loss} {turns[loss]}" for loss in dict.fromkeys(schedule))
    print(f"{run.config.output}: {run.step} iterations in {run.seconds / 60:.1f} min ({counts})")
    if missing := [loss for loss in dict.fromkeys(schedule) if not turns[loss]]:
        print(
            f"too short for {' and '.join(missing)}: they begin after --warm-up "
            f"{run.config.warm_up} and --consistency-from {run.config.consistency_from} iterations"
        )


def _read(run: Run, outcomes: list[Outcome], log: TextIO) -> None:
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


def _train_step(
    run: Run, materials: Materials, loss: LossName, crops: Iterator[LabelledBatch] | None
) -> tuple[Terms, Float[Tensor, ""]]:
    """One iteration of one loss; returns its terms and the norm of their gradient."""
    config, model = run.config, run.model
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + run.step)
    torch.manual_seed(config.seed * 1_000_003 + run.step)
    optimiser = run.optimisers[loss]
    parameters = optimiser.param_groups[0]["params"]
    model.requires_grad_(False).train()
    for parameter in parameters:
        parameter.requires_grad_(True)
    if _only_paints(config, run.step):
        model.pose_encoder.requires_grad_(False)
    if loss in _OF_FILMS:
        model.pose_encoder.eval()
    terms = _terms(run, materials, loss, generator, crops)
    torch.stack(list(terms.values())).sum().backward()
    gradients = [p.grad for p in parameters if p.grad is not None]
    statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    average([*gradients, *terms.values(), *statistics])
    run.turns[loss] += 1
    for group in optimiser.param_groups:
        group["lr"] = _learning_rate(config, loss, _progress(run), run.step)
    norm = torch.nn.utils.clip_grad_norm_(parameters, config.gradient_clip or math.inf)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    follow(run)
    return {name: term.detach() for name, term in terms.items()}, norm


def _terms(
    run: Run,
    materials: Materials,
    loss: LossName,
    generator: torch.Generator,
    crops: Iterator[LabelledBatch] | None,
) -> Terms:
    config, model, clips = run.config, run.model, materials.clips
    size, count = config.model.image_size, config.batch_size
    if loss == "prior" and crops is not None:
        return prior_loss(model, as_numbers(_on(model, next(crops))))
    if loss == "prior":
        return prior_loss(model, _on(model, share(_prior_batch(run, materials, generator))))
    if loss == "lifting":
        assert materials.poses is not None
        poses = draw_poses(materials.poses, config.stream.pose_batch, generator)
        return lifting_loss(model, _on(model, share(poses)))
    assert clips is not None
    if loss in ("joints2d", "joints3d"):
        assert materials.labels is not None
        batch = draw_labelled(clips, materials.labels, loss, count, size, generator)
        supervised = joints2d_loss if loss == "joints2d" else prior_loss
        return supervised(model, _on(model, share(batch)))
    pairs = draw_pairs(clips, loss == "paired", count, size, config.smallest_gap, generator)
    weights = Weights(config.pixel_weight, config.pose_consistency, config.appearance_consistency)
    if loss == "paired":
        if run.step < config.consistency_from:
            weights = replace(weights, pose=0.0, appearance=0.0)
        return paired_loss(model, _on(model, share(pairs)), weights)
    backgrounds = draw_random_backgrounds(materials.backgrounds, count, size, generator)
    angle = math.radians(config.rotation) * (torch.rand(count, generator=generator) * 2 - 1)
    transform = ImageTransform(torch.rand(count, generator=generator) < 0.5, angle)
    pairs = replace(pairs, background=backgrounds)
    pairs, transform = _on(model, share(pairs)), _on(model, share(transform))
    return unpaired_loss(model, pairs, transform, weights)


def _prior_batch(run: Run, materials: Materials, generator: torch.Generator) -> LabelledBatch:
    config = run.config
    size = config.model.image_size
    if config.overfit:
        return plain_batch(materials.prior, size)
    backgrounds = draw_random_backgrounds(materials.backgrounds, config.batch_size, size, generator)
    augmentation = Augmentation(math.radians(config.rotation), config.crop_jitter)
    return draw_renders(materials.prior, backgrounds, augmentation, generator)


def _gather(config: TrainConfig, device: torch.device) -> Materials:
    path = config.output / "prior.npz"
    count = config.overfit or config.prior_images
    size = 2 * config.model.image_size
    if path.is_file():
        prior = load_prior(path)
        if prior.image.shape[:2] != (count, size):
            raise BadInputError(
                f"{path} holds {len(prior.image)} renders of {prior.image.shape[1]} px, not "
                f"{count} of {size}: name another --output"
            )
    else:
        prior = render_prior_set(count, config.prior_seed, size)
    clips = read_clips(config.clips, device, config.model.crop_margin) if config.clips else None
    labels = None
    if config.variant in ("weakly", "semi", "full") and not config.overfit:
        if clips is None or not config.labels:
            raise BadInputError(f"the variant {config.variant!r} needs --clips and --labels")
        share = config.label_share if config.variant == "semi" else 1.0
        labels = read_clip_labels(config.labels, clips, share, config.seed)
    backgrounds = open_backgrounds(
        config.backgrounds, clips, config.model.image_size, config.prior_seed, device
    )
    renders = poses = None
    if config.stream.renders and not config.overfit:
        folder = config.stream.folder or config.output / "renders"
        paths = render_ahead(config.stream, config.prior_seed, folder)
        places = backgrounds.pictures.permute(0, 2, 3, 1).cpu().numpy()
        size = config.model.image_size
        renders = RenderBatches(
            config.stream,
            paths,
            places,
            config.batch_size,
            size,
            config.prior_seed,
            rank(),
            number(),
        )
        if config.stream.poses and config.model.heatmaps:
            poses = torch.from_numpy(poses_ahead(config.stream, config.prior_seed, folder))
    return Materials(prior, backgrounds, clips, labels, renders, poses)


def _check_settings(config: TrainConfig) -> None:
    """Refuse, in one line, what could only fail later."""
    if config.batch_size % number():
        raise BadInputError(f"{number()} processes cannot share --batch-size {config.batch_size}")
    if number() > 1 and config.minutes:
        raise BadInputError("several processes need --iterations: their clocks differ")
    if config.crop_jitter and not config.model.extended_camera:
        raise BadInputError("--crop-jitter needs --model.extended-camera: T_c's pelvis is fixed")
    if config.stream.renders and not config.model.extended_camera:
        raise BadInputError("--stream.renders needs --model.extended-camera: crops fit the pose")


def _check_compiler(device: torch.device) -> None:
    """Whether torch can compile at all: before anything is written."""
    try:
        torch.compile(torch.sin)(torch.zeros(1, device=device))
    except Exception as error:  # whatever its tools raise
        first = str(error).splitlines()[0]
        raise BadInputError(f"--compile: torch cannot compile here: {first}") from error


def _schedule(config: TrainConfig, materials: Materials) -> list[LossName]:
    """The losses that take turns after the warm-up."""
    clips = materials.clips
    if config.overfit or config.variant == "prior":
        return ["prior", "lifting"] if materials.poses is not None else ["prior"]
    if config.variant == "full":
        return ["joints3d"]
    if clips is None:
        raise BadInputError(f"the variant {config.variant!r} needs --clips")
    schedule: list[LossName] = ["prior"]
    if materials.poses is not None:
        schedule.append("lifting")
    if len(clips.paired):
        schedule.append("paired")
    elif not (config.unpaired and config.start and _paints(config.start)):
        raise BadInputError(
            "no clip with a background (D_p) among the clips: L_UNP alone cannot train D_I"
        )
    if config.unpaired and len(clips.unpaired):
        schedule.append("unpaired")
    for loss in schedule:  # before anything is written
        if loss in ("paired", "unpaired"):
            long_enough(clips, loss == "paired", config.smallest_gap)
    extra: dict[str, LossName] = {"weakly": "joints2d", "semi": "joints3d"}
    return [*schedule, extra[config.variant]] if config.variant in extra else schedule


def _paints(run: Path) -> bool:
    return paints_people(read_run_config(run))


def _turn(config: TrainConfig, schedule: list[LossName], step: int) -> LossName:
    """The loss whose turn it is."""
    if step < config.warm_up:
        return "prior"
    if _only_paints(config, step) and "paired" in schedule:
        return "paired"
    loss = schedule[step % len(schedule)]
    if loss == "unpaired" and step < config.consistency_from:
        return "paired" if "paired" in schedule else "prior"
    return loss


def _only_paints(config: TrainConfig, step: int) -> bool:
    """Whether E_P stays as it is, while E_A and D_I learn from it."""
    return config.warm_up <= step < config.warm_up + config.decoder_first


def _optimiser(config: TrainConfig, model: Model, loss: LossName) -> torch.optim.Optimizer:
    parameters = trained_parameters(model, loss)
    rate = config.learning_rate
    if config.optimiser == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=WEIGHT_DECAY, fused=True)
    kind = torch.optim.Adagrad if config.optimiser == "adagrad" else torch.optim.Adam
    return kind(parameters, rate)


def _progress(run: Run) -> float:
    """How much of the run is over, from 0 to 1."""
    minutes = run.seconds / 60 / run.config.minutes if run.config.minutes else 0.0
    return min(1.0, max(run.step / run.config.iterations, minutes))


def _learning_rate(config: TrainConfig, loss: LossName, progress: float, step: int) -> float:
    """Rises over the first steps, is constant, falls linearly over the `cooldown`."""
    rate = config.learning_rate * (config.unpaired_rate if loss == "unpaired" else 1.0)
    if config.rise:
        rate *= min(1.0, (step + 1) / config.rise)
    if not config.cooldown:
        return rate
    return rate * min(1.0, (1 - progress) / config.cooldown)


def _on(model: Model, batch: Batch) -> Batch:
    """A dataclass of tensors, on the model's device; pictures lie there as its weights do."""
    device = next(model.parameters()).device
    moved = {k: v if v is None else send(v, device) for k, v in vars(batch).items()}
    pictures = {
        k: v.contiguous(memory_format=torch.channels_last)
        for k, v in moved.items()
        if v is not None and v.ndim == 4
    }
    return type(batch)(**moved | pictures)


def _fixed_pairs(run: Run, materials: Materials) -> PairBatch:
    """The pairs of all pictures of a run: of D_p, else the renders with themselves."""
    config, clips = run.config, materials.clips
    size, generator = config.model.image_size, torch.Generator().manual_seed(config.seed)
    if clips is not None and len(clips.paired):
        return draw_pairs(clips, True, 8, size, config.smallest_gap, generator)
    images = plain_batch(materials.prior, size).images[:8]
    grey = torch.full_like(images, 0.5)
    return PairBatch(images, images, grey, torch.ones_like(grey[:, :1]), torch.arange(len(images)))


@torch.compiler.set_stance("force_eager")
def _save_pictures(run: Run, materials: Materials) -> None:
    path = run.config.output / "pictures" / f"step_{run.step:08d}.npz"
    save_pictures(run.model, _on(run.model, _fixed_pairs(run, materials)), path)


@torch.compiler.set_stance("force_eager")
@torch.no_grad()
def _check_spread(run: Run, materials: Materials) -> None:
    """Stop a run whose encoder says the same of every render, or of every film.

    The spread is the standard deviation of joints over pictures: of p_2D [half crop sides] or of
    p_3D [canonical].
    """
    if run.step <= run.config.warm_up:
        return
    device = next(run.model.parameters()).device
    seen = {"renders": plain_batch(materials.prior, run.config.model.image_size).images}
    if materials.clips is not None and len(materials.clips.paired) > 1:
        seen["films"] = _fixed_pairs(run, materials).target
    for name, images in seen.items():
        poses = run.model.eval().predict(images.to(device))
        spread = min(
            joints.std(dim=0, correction=0).mean().item()
            for joints in (poses.joints2d, poses.joints3d)
        )
        if spread < run.config.smallest_spread:
            raise TrainingError(
                f"step {run.step}: all poses have become one (spread {spread:.2g} over "
                f"{len(images)} pictures of {name}); the last checkpoint is in "
                f"{run.config.output}"
            )
