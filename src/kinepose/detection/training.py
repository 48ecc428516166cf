"""Training of the person detector: composed images in, a run folder out, no label anywhere.

The folder holds config.json, log.jsonl, detector.safetensors (the averaged weights in half
precision) and state.safetensors, from which an unfinished run goes on as if it had not been broken
off: an iteration's images are decided by the seed and its number.
"""

import copy
import math
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from kinepose.artifacts.pretrained import IMAGENET, load_pretrained
from kinepose.detection.checkpoint import DetectorRun, follow, holds_run, log, restore, save
from kinepose.detection.config import TrainDetectorConfig
from kinepose.detection.cutouts import make_cutouts, open_cutouts
from kinepose.detection.network import BACKBONE, STRIDE, PersonDetector
from kinepose.detection.scenes import Scenes, compose_batch
from kinepose.detection.targets import heatmap_loss, make_targets, sides_loss
from kinepose.detection.weights import RESULT, load_detector
from kinepose.io.files import check_folder
from kinepose.method.config import ModelConfig
from kinepose.synthetic.backgrounds import read_photographs
from kinepose.synthetic.synthesize import settle_process

_BACKBONE_RATE = 0.1
"""Learning rate of the backbone's stages, in that of the head."""
_WEIGHT_DECAY = 0.02
_LARGEST_GRADIENT = 5.0
_SIDES_WEIGHT = 2.0


def train_detector(config: TrainDetectorConfig) -> None:
    """Train, or go on where an unfinished run was broken off.

    Raises:
        BadInputError: on settings out of range, images or clips that cannot be read, or a folder
            that holds a run of other settings.
    """
    _check(config)
    resumed = holds_run(config)
    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)
    run = _new_run(config)
    if resumed:
        restore(run)
    cutouts = make_cutouts(config)  # after all that can be refused: it takes minutes
    started = saved = time.monotonic()
    before = run.seconds
    for scenes in _batches(run, cutouts):
        losses = _iterate(run, scenes)
        run.seconds = before + time.monotonic() - started
        log(run, losses)
        if time.monotonic() - saved > 60 * config.checkpoint_minutes:
            save(run)
            saved = time.monotonic()
    save(run)
    print(f"{run.step} iterations, {run.seconds / 60:.0f} minutes -> {config.output / RESULT}")


def _check(config: TrainDetectorConfig) -> None:
    if config.places is not None:
        read_photographs(config.places)
    check_folder(config.output)


class _SceneBatches(Dataset[Scenes]):
    """Batch number n, whichever process composes it."""

    def __init__(self, config: TrainDetectorConfig, cutouts: Path) -> None:
        self.config, self.path = config, cutouts

    @cached_property
    def cutouts(self) -> UInt8[np.ndarray, "people side side 4"]:
        """Mapped into memory, by each process for itself."""
        return open_cutouts(self.path)

    def __getitem__(self, index: int) -> Scenes:
        config = self.config
        generator = np.random.default_rng([config.seed, index])
        side = config.early_size if index < config.early * config.iterations else config.image_size
        return compose_batch(generator, self.cutouts, config.places, config.batch_size, side)


def _settle(_: int) -> None:
    settle_process()


def _batches(run: DetectorRun, cutouts: Path) -> Iterator[Scenes]:
    config = run.config
    numbers = range(run.step, config.iterations)
    context: dict[str, Any] = {"multiprocessing_context": "spawn", "worker_init_fn": _settle}
    loader = DataLoader(
        _SceneBatches(config, cutouts),
        batch_size=None,
        sampler=numbers,
        num_workers=config.workers,
        **(context if config.workers else {}),
    )
    return iter(tqdm(loader, "detector", config.iterations, initial=run.step, leave=False))


def _iterate(run: DetectorRun, scenes: Scenes) -> dict[str, float]:
    """One step of the optimiser, and of the average."""
    config = run.config
    images = torch.from_numpy(scenes.images).permute(0, 3, 1, 2).float() / 255
    images = images.contiguous(memory_format=torch.channels_last)
    cells = images.shape[-1] // STRIDE
    known = map(torch.from_numpy, (scenes.boxes, scenes.wanted, scenes.unclear))
    targets = make_targets(*known, cells, cells)
    for group in run.optimiser.param_groups:
        group["lr"] = group["share"] * _learning_rate(config, run.step)
    run.detector.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
        logits, logarithms = run.detector(images)
    middles, sides = heatmap_loss(logits, targets), sides_loss(logarithms, targets)
    run.optimiser.zero_grad()
    (middles + _SIDES_WEIGHT * sides).backward()
    trained = [p for group in run.optimiser.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(trained, _LARGEST_GRADIENT)
    run.optimiser.step()
    run.step += 1
    follow(run.average, run.detector, min(config.averaging, (1 + run.step) / (10 + run.step)))
    return {"heatmap": middles.item(), "sides": sides.item()}


def _learning_rate(config: TrainDetectorConfig, step: int) -> float:
    progress = step / config.iterations
    warmth = min(1.0, (step + 1) / (0.01 * config.iterations + 1))
    return config.learning_rate * warmth * math.cos(progress * math.pi / 2) ** 2


def _new_run(config: TrainDetectorConfig) -> DetectorRun:
    if config.start is not None:
        detector = load_detector(config.start)
    else:
        detector = PersonDetector()
        load_pretrained(detector.backbone, ModelConfig(backbone=BACKBONE, pretrained=IMAGENET))
    detector.backbone.requires_grad_(False)
    stages = detector.backbone.stages()
    finer = []
    for stage in stages[len(stages) - config.trained_stages :]:
        for module in stage.modules():
            # The gradient of a depthwise kernel takes a third of the others' time again.
            if isinstance(module, nn.Conv2d) and module.groups == 1:
                finer += list(module.requires_grad_(True).parameters())
    head = [p for name, p in detector.named_parameters() if not name.startswith("backbone.")]
    groups = [{"params": head, "share": 1.0}, {"params": finer, "share": _BACKBONE_RATE}]
    optimiser = torch.optim.AdamW(groups, config.learning_rate, weight_decay=_WEIGHT_DECAY)
    detector = detector.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
    average = copy.deepcopy(detector).requires_grad_(False).eval()
    return DetectorRun(config, detector, average, optimiser)
