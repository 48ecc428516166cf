"""Labelled renders made while training runs: the twenty of the paper, or a stream without an end.

The stream is a pool of renders, of which each iteration draws some and replaces a few. What the
pool holds at a step is decided by the seed and the step alone, so that a resumed run goes on with
the same pictures; they are only rendered again.
"""

import hashlib
import json
import math
import multiprocessing
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields

import numpy as np
import torch
from tqdm import tqdm

from kinepose.dataset.renders import PriorSet, load_prior, save_prior
from kinepose.method.camera_projection import fit_camera
from kinepose.method.forward_kinematics import canonical_joints
from kinepose.settings import StreamConfig
from kinepose.synthetic.single_images import TAKE, Renders, render_prior, render_take
from kinepose.synthetic.synthesize import settle_process

_AHEAD = 4
"""Takes that each worker prepares before they are asked for."""
_RECIPE = {"size", "film", "motion", "scene"}
"""Settings that decide what a take shows."""


def render_prior_set(count: int, seed: int, size: int) -> PriorSet:
    """Render `count` people by the project's own renderer; the same seed gives the same set."""
    return label_renders(render_prior(count, seed, size))


def label_renders(renders: Renders) -> PriorSet:
    """Renders with their labels in the model's conventions."""
    joints3d, rotation = canonical_joints(torch.from_numpy(renders.joints3d).double())
    joints2d = torch.from_numpy(renders.joints2d).double()
    camera, residual = fit_camera(joints3d, rotation, joints2d)
    labels = (joints2d, joints3d, camera, residual)
    return PriorSet(
        renders.image,
        renders.mask,
        renders.shadow,
        *(label.numpy().astype(np.float32) for label in labels),
    )


class Stream:
    """The pool, and the processes that renew it; `opened` closes them."""

    def __init__(self, config: StreamConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        self.takes = max(config.pool // TAKE, 1)
        self.held = np.full(self.takes, -1)
        self.pool: PriorSet | None = None
        self.ahead: dict[int, Future[PriorSet]] = {}
        self.workers: ProcessPoolExecutor | None = None
        if config.workers:
            spawn = multiprocessing.get_context("spawn")
            self.workers = ProcessPoolExecutor(config.workers, spawn, settle_process)

    def at(self, step: int) -> PriorSet:
        """The pool at a step: filled while training goes on, then renewed from the oldest on."""
        first = min(self.takes, math.ceil(self.config.first / TAKE))
        last = first + int(step * self.config.renewed / TAKE)
        wanted = range(max(last - self.takes, 0), last)
        missing = [number for number in wanted if self.held[number % self.takes] != number]
        for number in tqdm(missing, "renders", unit="take", disable=len(missing) < 10 or None):
            self._put(number, self._rendered(number))
            self.held[number % self.takes] = number
        assert self.pool is not None
        filled = min(last, self.takes) * TAKE
        return PriorSet(**{name: array[:filled] for name, array in vars(self.pool).items()})

    def _rendered(self, number: int) -> PriorSet:
        if self.workers is None:
            return _render(self.config, self.seed, number)
        for later in range(number, number + 1 + _AHEAD * self.config.workers):
            if later not in self.ahead:
                self.ahead[later] = self.workers.submit(_render, self.config, self.seed, later)
        return self.ahead.pop(number).result()

    def _put(self, number: int, take: PriorSet) -> None:
        if self.pool is None:
            rows = self.takes * TAKE
            room = {
                name: np.zeros((rows, *array.shape[1:]), array.dtype)
                for name, array in vars(take).items()
            }
            self.pool = PriorSet(**room)
        start = number % self.takes * TAKE
        for field in fields(PriorSet):
            getattr(self.pool, field.name)[start : start + TAKE] = getattr(take, field.name)


@contextmanager
def opened(config: StreamConfig, seed: int) -> Generator[Stream]:
    """A stream whose processes end with the block.

    Raises:
        BadInputError: if a setting is out of range; by `Stream.at`, if a clip or a photograph of
            the settings cannot be used.
    """
    stream = Stream(config, seed)
    try:
        yield stream
    finally:
        if stream.workers is not None:
            stream.workers.shutdown(wait=False, cancel_futures=True)


def _render(config: StreamConfig, seed: int, number: int) -> PriorSet:
    """A take, rendered or found in the folder of the settings."""
    if config.folder is None:
        return label_renders(render_take(config, seed, number))
    recipe = {name: value for name, value in asdict(config).items() if name in _RECIPE}
    digest = hashlib.sha256(json.dumps([recipe, seed], default=str).encode()).hexdigest()
    path = config.folder / digest[:16] / f"{number:07d}.npz"
    if path.is_file():
        return load_prior(path)
    take = label_renders(render_take(config, seed, number))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_prior(take, path)
    return take
