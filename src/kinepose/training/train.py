"""The loop that alternates the losses, each with an optimiser of its own (Sec. 3.3, 4).

Every step draws from a generator seeded by (seed, step) alone, so that a run that was killed goes
on from its last checkpoint to the same numbers as one that never was.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kinepose.artifacts.model_files import (
    choose_device,
    choose_precision,
    load_model,
    new_model,
    with_painters_of,
)
from kinepose.artifacts.run_folder import PAINTING_LOSSES, read_run_config
from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.render_stream import batches_from
from kinepose.dataset.renders import save_prior
from kinepose.dataset.taught import Taught, load_taught, save_taught, teach
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder
from kinepose.method.config import PAINTER_SETTINGS, ModelConfig
from kinepose.method.losses import Terms
from kinepose.method.model import Model
from kinepose.training.checkpoint import Run, follow, holds_run, restore, save
from kinepose.training.config import TrainConfig
from kinepose.training.distributed import average, joined, number, rank, wait
from kinepose.training.losses import LOSSES, PAIRED, PRIOR, TEACHER, Loss, Turn
from kinepose.training.materials import Materials, gather
from kinepose.training.monitor import (
    Outcome,
    check_spread,
    image_run,
    log_outcomes,
    summarise,
)
from kinepose.training.schedule import learning_rate, new_optimiser, only_paints, plan, whose_turn

TAUGHT = "taught.npz"
"""What the teacher said, in the folder of a run."""
Watch = Callable[[Run], bool]
"""Whether training goes on."""
READ_EVERY = 20
"""Iterations after which their losses are fetched from the device, which till then runs on alone; a
loss that is not finite is noticed then."""


def train(config: TrainConfig, watch: Watch | None = None, losses: Sequence[Loss] = LOSSES) -> None:
    """Train until `iterations` or `minutes` are over; resume the run if the folder holds one.

    Processes that torchrun started share every batch; the first one writes.

    Whoever watches sees the run every `image_every` iterations, before the checkpoint that is
    then made, and may end it.

    `losses` are those there are, of which the settings choose: one of your own goes behind LOSSES.

    Raises:
        BadInputError: if settings, clips or labels cannot be used.
        TrainingError: if a loss is not finite or all poses become one; the last checkpoint stays.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    with joined(choose_device(config.device)) as device:
        _check_settings(config)
        if not rank():  # who writes for all
            check_folder(config.output)
        if config.compile:
            _check_compiler(device)
        resumed = holds_run(config)
        materials = gather(config, device)
        _train(config, materials, plan(config, materials, losses), device, resumed, watch)


def _train(
    config: TrainConfig,
    materials: Materials,
    losses: list[Loss],
    device: torch.device,
    resumed: bool,
    watch: Watch | None,
) -> None:
    torch.manual_seed(config.seed)
    model = _first_model(config).to(device)
    model.half_precision = choose_precision(config.bfloat16, device)
    model.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
    if config.compile:
        for network in model.children():
            network.compile()
    having_turns = [PRIOR, *losses] if config.warm_up else losses
    optimisers = {loss.name: new_optimiser(config, model, loss) for loss in having_turns}
    run = Run(config, model, optimisers)
    if config.start is not None:
        run.turns = _first_turns(config.start, config.model)
    if resumed:
        restore(run)
    if TEACHER in losses:
        materials = replace(materials, taught=_taught(config, model, materials.clips, resumed))
    wait()  # all have read what is there
    with TemporaryDirectory() if rank() else nullcontext(config.output) as folder:
        run.config = replace(config, output=Path(folder))
        if not resumed:
            run.config.output.mkdir(parents=True, exist_ok=True)
            (run.config.output / "log.jsonl").unlink(missing_ok=True)
            save_prior(materials.prior, run.config.output / "prior.npz")
            if materials.taught is not None:
                save_taught(materials.taught, run.config.output / TAUGHT)
            save(run)
        _loop(run, materials, losses, watch)


def _taught(config: TrainConfig, first: Model, clips: ClipSet | None, resumed: bool) -> Taught:
    """What the run's first model says of the clips; a run that goes on has it in a file.

    Raises:
        BadInputError: if the clips have no frame, or are others than those of the run's file.
    """
    assert clips is not None
    if not len(clips.table):
        raise BadInputError("the clips hold no frame: there is nothing to be taught")
    return load_taught(config.output / TAUGHT, clips) if resumed else teach(first, clips)


def _first_turns(start: Path, model: ModelConfig) -> Counter[str]:
    """Those of the run that a run starts from; but E_A and D_I may begin anew."""
    described = read_run_config(start)
    if all(getattr(described.model, n) == getattr(model, n) for n in PAINTER_SETTINGS):
        return Counter(described.turns)
    return Counter({n: t for n, t in described.turns.items() if n not in PAINTING_LOSSES})


def _first_model(config: TrainConfig) -> Model:
    """From noise, from pretrained weights, or where another run has come to.

    Where only E_A and D_I differ from that run's, these begin from noise; which stages of the
    backbone are frozen is up to each run.
    """
    if config.start is None:
        return new_model(config.model)
    model = load_model(config.start)
    model.pose_encoder.frozen = config.model.frozen_stages
    model.config = replace(model.config, frozen_stages=config.model.frozen_stages)
    if model.config == config.model:
        return model
    try:
        return with_painters_of(model, Model(config.model, model.backbone_config))
    except BadInputError:
        message = f"--start {config.start}: the run has another model than --model says"
        raise BadInputError(message) from None


def _loop(run: Run, materials: Materials, losses: list[Loss], watch: Watch | None) -> None:
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
    streams = _streams(run, materials, losses)
    with (folder / "log.jsonl").open("a") as log, progress:
        while run.step < config.iterations and run.seconds < limit:
            loss = whose_turn(config, losses, run.step)
            terms, norm = train_step(run, materials, loss, streams.get(loss.name, iter(())))
            run.step, run.seconds = run.step + 1, time.monotonic() - started
            unread.append(Outcome(run.step, loss.name, terms, norm, round(run.seconds, 3)))
            progress.update()
            if math.isfinite(limit):
                progress.set_postfix_str(f"{max(0.0, limit - run.seconds) / 60:.1f} min left")
            shown = run.step % config.image_every == 0
            due = time.monotonic() - saved > config.checkpoint_minutes * 60
            if shown or due or len(unread) == READ_EVERY:
                log_outcomes(run, unread, log)
            if shown:
                check_spread(run, materials)
                image_run(run, materials)
                if watch is not None and not watch(run):
                    break
            if due or (shown and watch is not None):
                log.flush()
                save(run)
                saved = time.monotonic()
        log_outcomes(run, unread, log)
    save(run)
    image_run(run, materials)
    if not rank():
        summarise(run, losses)


def _streams(run: Run, materials: Materials, losses: list[Loss]) -> dict[str, Iterator[Any]]:
    """For each loss that has other processes compose its batches: those of its next turns."""
    config = run.config
    had = Counter(whose_turn(config, losses, step).name for step in range(run.step))
    return {
        loss.name: batches_from(composed, had[loss.name], config.stream.loaders)
        for loss in dict.fromkeys((PRIOR, *losses))
        if loss.name in run.optimisers and (composed := loss.composed(materials)) is not None
    }


def train_step(
    run: Run, materials: Materials, loss: Loss, batches: Iterator[Any]
) -> tuple[Terms, Float[Tensor, ""]]:
    """One iteration of one loss; returns its terms and the norm of their gradient."""
    config, model = run.config, run.model
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + run.step)
    torch.manual_seed(config.seed * 1_000_003 + run.step)
    optimiser = run.optimisers[loss.name]
    parameters = optimiser.param_groups[0]["params"]
    model.requires_grad_(False).train()
    for parameter in parameters:
        parameter.requires_grad_(True)
    if loss is PAIRED and only_paints(config, run.step):
        model.pose_encoder.requires_grad_(False)
    if loss.of_videos:
        model.pose_encoder.eval()
    terms = loss.terms(Turn(config, model, materials, batches, generator, run.step))
    torch.stack(list(terms.values())).sum().backward()
    gradients = [p.grad for p in parameters if p.grad is not None]
    statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    average([*gradients, *terms.values(), *statistics])
    run.turns[loss.name] += 1
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(config, loss, _progress(run), run.step)
    norm = torch.nn.utils.clip_grad_norm_(parameters, config.gradient_clip or math.inf)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    follow(run)
    return {name: term.detach() for name, term in terms.items()}, norm


def _progress(run: Run) -> float:
    """How much of the run is over, from 0 to 1."""
    minutes = run.seconds / 60 / run.config.minutes if run.config.minutes else 0.0
    return min(1.0, max(run.step / run.config.iterations, minutes))


def _check_settings(config: TrainConfig) -> None:
    """Refuse, in one line, what could only fail later."""
    if config.batch_size % number():
        raise BadInputError(f"{number()} processes cannot share --batch-size {config.batch_size}")
    if number() > 1 and config.minutes:
        raise BadInputError("several processes need --iterations: their clocks differ")
    if config.variant == "lifting" and (config.start is None or config.warm_up):
        raise BadInputError("the variant 'lifting' needs --start and --warm-up 0")
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
