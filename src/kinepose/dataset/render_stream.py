"""Renders and poses made ahead of training and kept, and the batches that are composed of them.

What a batch holds is decided by the seed and its number alone, so that a resumed run goes on with
the same images.
"""

import hashlib
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from kinepose.dataset.config import StreamConfig
from kinepose.dataset.pose_pairs import random_moments
from kinepose.dataset.render_crops import RenderPool, pool_of
from kinepose.dataset.renders import Composed, PriorSet, load_prior, save_prior
from kinepose.geometry.pinhole import turned_to
from kinepose.geometry.skeleton import PELVIS
from kinepose.io.array_files import check_arrays, map_npy
from kinepose.io.errors import BadInputError
from kinepose.io.files import replacing
from kinepose.method.camera_projection import fit_camera
from kinepose.method.forward_kinematics import canonical_joints
from kinepose.synthetic.config import SingleImagesConfig
from kinepose.synthetic.single_images import SEQUENCE, Renders, render_prior, render_sequence
from kinepose.synthetic.synthesize import settle_process

_RECIPE = {field.name for field in fields(SingleImagesConfig)}
"""Settings that decide what a sequence shows."""
_IN_DIGEST = {"video_like": "film"}
"""The names that settings had when renders were first kept: by these they are found again."""
_EDITION = 3
"""Of what is made of them: to be raised whenever that changes, as kept renders go by it."""


def render_prior_set(count: int, seed: int, size: int) -> PriorSet:
    """Render `count` people by the project's own renderer; the same seed gives the same set."""
    return label_renders(render_prior(count, seed, size))


def label_renders(renders: Renders) -> PriorSet:
    """Renders with their labels in the model's conventions."""
    in_camera = torch.from_numpy(renders.joints3d).double()
    joints2d = torch.from_numpy(renders.joints2d).double()
    joints3d, rotation = canonical_joints(in_camera)
    camera, residual = fit_camera(joints3d, turned_to(in_camera[:, PELVIS]) @ rotation, joints2d)
    labels = (joints2d, joints3d, camera, residual)
    return PriorSet(
        renders.image,
        renders.mask,
        renders.shadow,
        *(label.numpy().astype(np.float32) for label in labels),
    )


def render_ahead(config: StreamConfig, seed: int, folder: Path) -> list[Path]:
    """The files of all renders, SEQUENCE of one person in each; those that are missing are made.

    Raises:
        BadInputError: if a clip or a photograph of the settings cannot be used.
    """
    kept = {name: value for name, value in asdict(config).items() if name in _RECIPE}
    recipe = {_IN_DIGEST.get(name, name): value for name, value in kept.items()}
    stamps = _stamps(config.motion.clips, config.scene.backgrounds)
    folder = folder / _digest([recipe, seed, _EDITION, *stamps])
    paths = [folder / f"{number:07d}.npz" for number in range(math.ceil(config.renders / SEQUENCE))]
    _make_missing(paths, partial(_render, config, seed), config.workers, "renders")
    return paths


def poses_ahead(
    config: StreamConfig, seed: int, folder: Path
) -> Float32[np.ndarray, "moments 17 3"]:
    """Poses without images, in the world [m]; made if they are not there.

    Raises:
        BadInputError: if a clip of the settings cannot be used, or a file of poses is broken.
    """
    folder = folder / _digest(
        [asdict(config.motion), seed, _EDITION, *_stamps(config.motion.clips)]
    )
    count = math.ceil(config.poses / SEQUENCE)
    paths = [folder / f"poses_{first:07d}.npy" for first in range(0, count, _CHUNK)]
    _make_missing(paths, partial(_make_poses, config, seed), config.workers, "poses")
    return np.concatenate([_read_poses(path) for path in paths])


class RenderBatches(Dataset[Composed]):
    """Batches by their number; of several processes each composes its own part.

    `compose` makes them of renders, backgrounds, the numbers of its images, their size, the
    settings and the seed.
    """

    def __init__(
        self,
        config: StreamConfig,
        paths: list[Path],
        backgrounds: UInt8[np.ndarray, "images side side 3"],
        batch_size: int,
        size: int,
        seed: int,
        rank: int,
        processes: int,
        compose: Callable[..., Composed],
    ) -> None:
        self.compose = compose
        self.rank, self.processes = rank, processes
        self.config, self.paths, self.backgrounds = config, paths, backgrounds
        self.batch_size, self.size, self.seed = batch_size, size, seed
        self.slots = min(max(config.held // SEQUENCE, 1), len(paths))
        self.in_slot = np.full(self.slots, -1)
        self.renders: RenderPool | None = None

    def __getitem__(self, index: int) -> Composed:
        """Raises BadInputError if a file of renders is broken."""
        self._renew(int(index * self.config.renewed / SEQUENCE))
        assert self.renders is not None
        first = index * self.batch_size
        mine = range(first, first + self.batch_size)[self.rank :: self.processes]
        return self.compose(
            self.renders, self.backgrounds, mine, self.size, self.config.composition, self.seed
        )

    def _renew(self, first: int) -> None:
        """Hold the sequences from `first` on, as many as there are slots, round and round."""
        for sequence in range(first, first + self.slots):
            slot, wanted = sequence % self.slots, sequence % len(self.paths)
            if self.in_slot[slot] == wanted:
                continue
            loaded = pool_of(load_prior(self.paths[wanted]))
            if self.renders is None:
                self.renders = _room(loaded, self.slots)
            rows = slice(slot * SEQUENCE, (slot + 1) * SEQUENCE)
            for field in fields(RenderPool):
                held, new = getattr(self.renders, field.name)[rows], getattr(loaded, field.name)
                if held.shape != new.shape:
                    raise BadInputError(f"{self.paths[wanted]} holds other renders: delete it")
                held[:] = new
            self.in_slot[slot] = wanted


def batches_from(batches: RenderBatches[Composed], first: int, loaders: int) -> Iterator[Composed]:
    """Batches in order without end, composed in other processes while one trains.

    Raises:
        BadInputError: if a file of renders is broken.
    """
    loader = DataLoader(
        batches,
        sampler=range(first, 2**62),
        batch_size=None,
        num_workers=loaders,
        worker_init_fn=_in_one_thread,
        prefetch_factor=4 if loaders else None,
    )
    return _in_one_line(iter(loader))  # which draws a random number: not in an iteration


def _in_one_line(batches: Iterator[Composed]) -> Iterator[Composed]:
    try:
        yield from batches
    except BadInputError as error:  # another process adds where it happened
        raise BadInputError(str(error).rpartition("BadInputError: ")[2].strip()) from error


_CHUNK = 128
"""People whose poses lie in one file."""


def _in_one_thread(worker: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _room(sequence: RenderPool, slots: int) -> RenderPool:
    arrays = vars(sequence).items()
    return RenderPool(**{k: np.zeros((slots * SEQUENCE, *v.shape[1:]), v.dtype) for k, v in arrays})


def _stamps(*folders: Path | None) -> list[list[str | int]]:
    """Name, size and time of change of all files of folders: what is made of them goes by it."""
    return [
        [str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns]
        for folder in folders
        if folder is not None
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def _digest(recipe: list) -> str:
    return hashlib.sha256(json.dumps(recipe, default=str).encode()).hexdigest()[:16]


def _make_missing(
    paths: list[Path], make: Callable[[int, Path], None], workers: int, what: str
) -> None:
    """Have processes make the files that are not there; `make` gets a file's place in the list."""
    missing = [(number, path) for number, path in enumerate(paths) if not path.is_file()]
    if not missing:
        return
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    count = min(workers or os.cpu_count() or 1, len(missing))
    with ProcessPoolExecutor(count, spawn, settle_process) as pool:
        done = pool.map(make, *zip(*missing, strict=True))
        for _ in tqdm(done, what, len(missing), unit="file", disable=None):
            pass


def _render(config: StreamConfig, seed: int, number: int, path: Path) -> None:
    save_prior(label_renders(render_sequence(config, seed, number)), path)


def _read_poses(path: Path) -> Float32[np.ndarray, "moments 17 3"]:
    schema = {"poses": Float32[np.ndarray, "moments 17 3"]}
    held = map_npy(path, schema["poses"], "poses")
    return check_arrays(str(path), {"poses": held}, schema)["poses"]


def _make_poses(config: StreamConfig, seed: int, number: int, path: Path) -> None:
    sequences = range(number * _CHUNK, (number + 1) * _CHUNK)
    moments = [random_moments(config.motion, seed, sequence) for sequence in sequences]
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(moments))
