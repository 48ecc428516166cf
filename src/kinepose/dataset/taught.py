"""What E_P learns from clips by itself: where the frames of a clip agree that the joints are.

Not in the paper. E_P, as it was when training began, has seen all frames of a clip; where their
heatmaps agree over time (geometry/agreement.py) they are right more often than any of them is. This
it is told about one frame that is turned, recoloured, half hidden and spoilt as renders are, as
L_UNP tells it of painted images. Radosavovic et al. 2018 (Data Distillation,
https://arxiv.org/abs/1712.04440) do so with several views of one image in place of time.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
from annotated_types import Interval
from jaxtyping import Float32, UInt8
from tqdm import tqdm

from kinepose.dataset.clip_set import ClipSet
from kinepose.dataset.config import CompositionConfig
from kinepose.dataset.crop_effects import part_of, photographed, random_part
from kinepose.dataset.pairs import load_images, stored_image
from kinepose.dataset.placement import (
    Placement,
    matrix_to_crop,
    placed,
    random_angle,
    ready_to_shrink,
)
from kinepose.geometry.agreement import TOLERANCE, WINDOW, agreeing
from kinepose.geometry.crops import crop_to_frame, frame_to_crop
from kinepose.geometry.skeleton import MIRRORED
from kinepose.io.array_files import read_arrays, schema_of, write_npz
from kinepose.io.errors import BadInputError
from kinepose.io.memory import give_back_free_memory
from kinepose.method.batches import TaughtBatch
from kinepose.method.confidence import joint_confidence
from kinepose.method.model import Model

FORMAT_VERSION = 1
_AT_ONCE = 32
"""Images that the teacher sees at once."""
_GIVEN_BACK = 16
"""Times of this after which free memory is given back."""
_SHOWN = (0.2, 5.0)
"""Lengths of people in their crops, in sides; what is none of these is no box of theirs."""
_GAINS = (0.8, 1.2)
"""Of the colours of an image."""


@dataclass(frozen=True)
class Taught:
    """What a teacher says of every row of a ClipSet."""

    crop: Float32[np.ndarray, "rows 3"]
    """The crops of these rows [px]."""
    joints2d: Float32[np.ndarray, "rows 17 2"]
    """From -1 to 1 across the crop."""
    certainty: Annotated[Float32[np.ndarray, "rows 17"], Interval(ge=0.0, le=1.0)]
    """Of those that agree."""


def save_taught(taught: Taught, path: Path) -> None:
    """Write taught.npz."""
    write_npz(path, vars(taught), schema_of(Taught), {"format_version": FORMAT_VERSION})


def load_taught(path: Path, clips: ClipSet) -> Taught:
    """Read taught.npz.

    Raises:
        BadInputError: if it is missing, not such a file, or of other clips.
    """
    fixed = {"format_version": FORMAT_VERSION}
    taught = read_arrays(path, Taught, "joints that a teacher said", fixed)
    if not np.array_equal(taught.crop, _crops(clips)):
        raise BadInputError(f"{path} is of other clips: name another --output")
    return taught


@torch.inference_mode()
def teach(teacher: Model, clips: ClipSet) -> Taught:
    """What a model with heatmaps says of all rows, where those of a clip agree."""
    teacher.eval()
    device, size = next(teacher.parameters()).device, teacher.config.image_size
    places, certainty = [], []
    rows = np.arange(len(clips.table))
    parts = np.array_split(rows, math.ceil(len(rows) / _AT_ONCE))
    for number, part in enumerate(tqdm(parts, desc="teacher", unit="batch", leave=False)):
        if not number % _GIVEN_BACK:
            give_back_free_memory()
        images = load_images(replace(clips, decoded={}), part, size).to(device)
        poses = teacher.predict(images)
        places.append(poses.in_image.float().cpu())
        certainty.append(joint_confidence(teacher, images, poses).float().cpu())
    crops = torch.from_numpy(_crops(clips))
    boxes = np.array(clips.table["box"].to_pylist())
    length = (boxes[:, 2:] - boxes[:, :2]).max(-1).clip(min=1)
    joints2d = crop_to_frame(torch.cat(places), crops).double().numpy()
    sure = torch.cat(certainty).double().numpy()
    for first, end in np.concatenate([clips.paired, clips.unpaired]):
        clip = slice(first, end)
        said = joints2d[clip], sure[clip], clips.time[clip], TOLERANCE * length[clip]
        joints2d[clip], sure[clip] = agreeing(*said, WINDOW)
    local = frame_to_crop(torch.from_numpy(joints2d).float(), crops)
    return Taught(crops.numpy(), local.numpy(), sure.clip(0, 1).astype(np.float32))


def _crops(clips: ClipSet) -> Float32[np.ndarray, "rows 3"]:
    return np.array(clips.table["crop"].to_pylist(), np.float32)


def draw_taught(
    clips: ClipSet,
    taught: Taught,
    count: int,
    size: int,
    composition: CompositionConfig,
    generator: torch.Generator,
) -> TaughtBatch:
    """Random frames as crops of `size` px, changed as renders are; images come as bytes.

    A person's length is that of her box. What hides a part is of another frame.
    """
    numbers = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    rows = numbers.integers(len(taught.joints2d), size=count)
    images = np.empty((count, size, size, 3), np.uint8)
    placements, flipped = [], torch.from_numpy(numbers.random(count) < 0.5)
    for place, row in enumerate(rows.tolist()):
        placements.append(_placement(clips, row, composition, numbers))
        image = _put(clips, row, placements[-1], size)
        if numbers.random() < composition.hidden:
            part = random_part(size, numbers)
            other = stored_image(clips, int(numbers.integers(len(taught.joints2d))), size)
            image[part] = part_of(other[None], size, numbers)[part]
        image = photographed(_recoloured(image, numbers), composition, numbers)
        images[place] = cv2.flip(image, 1) if flipped[place] else image
    certainty = torch.from_numpy(taught.certainty[rows])
    return TaughtBatch(
        torch.from_numpy(images).permute(0, 3, 1, 2),
        placed(taught.joints2d[rows], placements, flipped),
        torch.where(flipped[:, None], certainty[:, list(MIRRORED)], certainty),
    )


def _placement(
    clips: ClipSet, row: int, composition: CompositionConfig, generator: np.random.Generator
) -> Placement:
    """How the crop of a row lies in the one that is made of it."""
    box, side = np.array(clips.table["box"][row].as_py()), clips.table["crop"][row].as_py()[2]
    shown = np.clip((box[2:] - box[:2]).max() / side, *_SHOWN)
    scale = generator.uniform(*composition.length) / shown
    shift = generator.normal(0, composition.shift, 2).astype(np.float32)
    return random_angle(composition, generator), math.log(scale), shift


def _put(
    clips: ClipSet, row: int, placement: Placement, size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A frame, of which more may be stored than the model sees; beyond that its border goes on."""
    image, part = stored_image(clips, row, math.ceil(size / clips.part[row])), clips.part[row]
    angle, log_scale, shift = placement
    matrix = matrix_to_crop((angle, log_scale - math.log(part), shift), len(image), size)
    image = ready_to_shrink(image, matrix)
    return cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )


def _recoloured(
    image: UInt8[np.ndarray, "size size 3"], generator: np.random.Generator
) -> UInt8[np.ndarray, "size size 3"]:
    """Each channel by a gain of its own."""
    gains = generator.uniform(*_GAINS, 3)
    return cv2.transform(image, np.diag(gains)).astype(np.uint8, copy=False)
