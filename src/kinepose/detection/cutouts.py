"""Renders of people, cut out along their masks and kept in a file: what scenes are composed of."""

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from kinepose.detection.config import TrainDetectorConfig
from kinepose.io.array_files import map_npy
from kinepose.io.files import replacing
from kinepose.synthetic.config import SingleImagesConfig
from kinepose.synthetic.single_images import SEQUENCE, render_sequence
from kinepose.synthetic.synthesize import settle_process

SEEN = 127
"""A pixel of which a person covers more than this is the person's [0 to 255]."""
_DRESSED, _VIDEO_LIKE = 0.85, 0.9
"""Shares of people with textured skin and clothes, and of the others who look as in videos."""
_ROOM = 1.5
"""Side of the render that a cutout is taken from, in sides of the cutout."""
_RECIPE = ("people", "person_size", "motion", "seed")
"""Settings that decide what the cutouts show."""

Cutout = UInt8[np.ndarray, "side side 4"]
"""RGB on black, already multiplied by the mask, and the mask, 255 where there is only the
person; the person begins at the upper left corner."""


def make_cutouts(config: TrainDetectorConfig) -> Path:
    """The file of the settings' people, rendered unless it is there, which a line says.

    Raises:
        BadInputError: if a clip of the settings cannot be used, or the file is broken.
    """
    recipe = {name: asdict(config)[name] for name in _RECIPE}
    digest = hashlib.sha256(json.dumps(recipe, default=str).encode()).hexdigest()
    path = (config.cutouts or config.output) / f"cutouts_{digest[:16]}.npy"
    if path.is_file():
        open_cutouts(path)
        return path
    print(f"{config.people} people are rendered first, and kept in {path}", flush=True)
    side = config.person_size
    images = SingleImagesConfig(
        size=round(_ROOM * side), dressed=_DRESSED, video_like=_VIDEO_LIKE, motion=config.motion
    )
    shape = (config.people, side, side, 4)
    head = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        sequences = _sequences(images, side, config)
        for start, sequence in zip(range(0, config.people, SEQUENCE), sequences, strict=True):
            file.write(sequence[: config.people - start].tobytes())
    return path


def open_cutouts(path: Path) -> UInt8[np.ndarray, "people side side 4"]:
    """Cutouts, mapped into memory.

    Raises:
        BadInputError: if the file holds none.
    """
    return map_npy(path, UInt8[np.ndarray, "people side side 4"], "cutouts")


def _sequences(
    images: SingleImagesConfig, side: int, config: TrainDetectorConfig
) -> Iterator[UInt8[np.ndarray, "people side side 4"]]:
    numbers = tqdm(range(-(-config.people // SEQUENCE)), "people", unit="sequence", leave=False)
    sequence = partial(_sequence, images, side, config.seed)
    if not config.workers:
        yield from map(sequence, numbers)
        return
    with multiprocessing.get_context("spawn").Pool(config.workers, settle_process) as pool:
        yield from pool.imap(sequence, numbers)


def _sequence(
    images: SingleImagesConfig, side: int, seed: int, number: int
) -> UInt8[np.ndarray, "people side side 4"]:
    renders = render_sequence(images, seed, number)
    pairs = zip(renders.image, renders.mask, strict=True)
    return np.stack([cut_out(image, mask, side) for image, mask in pairs])


def cut_out(
    image: UInt8[np.ndarray, "size size 3"], mask: UInt8[np.ndarray, "size size"], side: int
) -> Cutout:
    """The person of a render in the corner of a square, shrunk to it if need be, never grown."""
    left, top, width, height = cv2.boundingRect((mask > SEEN).astype(np.uint8))
    layers = np.dstack([image, mask])[top : top + height, left : left + width]
    shrink = min(1.0, side / max(width, height, 1))
    cutout = np.zeros((side, side, 4), np.uint8)
    if width:
        size = max(1, int(width * shrink)), max(1, int(height * shrink))
        cutout[: size[1], : size[0]] = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
    return cutout
