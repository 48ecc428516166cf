"""People in images of any size: shrunk to what the detector knows, and its finds brought back."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.detection.decoding import agreed, decode, distinct, without_parts
from kinepose.detection.network import LARGEST_STRIDE, PersonDetector
from kinepose.geometry.boxes import ScoredBoxes
from kinepose.io.threads import in_order, networks_in_one_thread
from kinepose.method.blocks import fold_batch_norms

SIDE = 256
"""Longer side of images as the detector sees them [px]."""
_PROBED = 3
"""One of so many images of a part of a video tells whether looking at them closely helps."""
_HARDLY = 0.1
"""Share of the threshold above which a find in one view of several counts."""
_BATCH = 8
"""Images that a thread shows the network at once, at most: all have about as many."""
_GREY = (127, 127, 127)
"""Around images whose sides are no multiples of LARGEST_STRIDE: ImageNet's mean."""

Image = UInt8[np.ndarray, "_ _ 3"]
Answer = Callable[
    [Float[Tensor, "batch 3 height width"]],
    tuple[Float[Tensor, "batch rows columns"], Float[Tensor, "batch 4 rows columns"]],
]
"""PersonDetector.forward, computed by whatever computes it."""


@dataclass(frozen=True)
class TorchAnswer:
    """What a detector says, computed by torch on the device on which it is."""

    detector: PersonDetector
    device: torch.device

    @torch.inference_mode()
    def __call__(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, Tensor]:
        """As Answer has it."""
        return self.detector(images.to(self.device))


def torch_answer(detector: PersonDetector, device: torch.device | None = None) -> TorchAnswer:
    """By torch on this device; unless told, on a GPU if there is one."""
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    detector = detector.eval().to(device)
    fold_batch_norms(detector)
    return TorchAnswer(detector, device)


def find_people(
    answer: Answer, images: Sequence[Image], threshold: float, side: int = SIDE
) -> list[ScoredBoxes]:
    """Those of each of some images of one size, in the px of the images and within them."""

    def find(batch: Sequence[Image]) -> list[ScoredBoxes]:
        pixels, scale = zip(*(_shrunk(image, side) for image in batch), strict=True)
        stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
        said = answer(stacked.contiguous(memory_format=torch.channels_last))
        limits = np.tile([batch[0].shape[1], batch[0].shape[0]], 2)
        people = []
        for found in decode(*said, threshold):
            boxes = (found[:, :4] / scale[0]).clip(0, limits)
            there = (boxes[:, 2:] - boxes[:, :2]).min(-1, initial=np.inf) > 0
            people.append(np.column_stack([boxes, found[:, 4]])[there])
        return people

    if len(images) < torch.get_num_threads():  # the cores share an image
        return [found for image in images for found in find([image])]
    with networks_in_one_thread() as cores:
        on_gpu = isinstance(answer, TorchAnswer) and answer.device.type == "cuda"
        workers = 1 if on_gpu else cores
        count = workers * math.ceil(len(images) / (workers * _BATCH))
        ends = [len(images) * number // count for number in range(count + 1)]
        batches = (images[start:end] for start, end in pairwise(ends) if end > start)
        return list(chain.from_iterable(in_order(find, batches, workers)))


def find_people_in_video(
    answer: Answer, images: Sequence[Image], closely: bool | None, threshold: float, sure: float
) -> tuple[list[ScoredBoxes], bool]:
    """People in each of a video's images, and whether it looked closely.

    That is, at the images as they are besides, if they are larger than SIDE: if told or, where it
    is not known, if some of them show more people then whose scores are `sure`.
    """
    found = find_people(answer, images, threshold)
    side = max((max(image.shape) for image in images), default=0)
    if closely is False or side <= SIDE:
        return found, bool(closely)

    def look_closely(numbers: Sequence[int]) -> dict[int, ScoredBoxes]:
        closer = find_people(answer, [images[i] for i in numbers], threshold, side)
        return {i: agreed([found[i], finds]) for i, finds in zip(numbers, closer, strict=True)}

    def count(finds: ScoredBoxes) -> int:
        return int((finds[:, 4] >= sure).sum())

    both = look_closely(range(0, len(images), 1 if closely else _PROBED))
    if not closely and not any(count(finds) > count(found[i]) for i, finds in both.items()):
        return found, False
    both |= look_closely([i for i in range(len(images)) if i not in both])
    return [both[i] for i in range(len(images))], True


def find_people_closely(answer: Answer, image: Image, threshold: float) -> ScoredBoxes:
    """Those of one image, for which there is time: seen in two sizes, as it is and mirrored."""
    flipped, views = np.ascontiguousarray(image[:, ::-1]), []
    for side in (SIDE, round(1.5 * SIDE)):
        found, mirrored = find_people(answer, [image, flipped], _HARDLY * threshold, side)
        mirrored[:, [0, 2]] = image.shape[1] - mirrored[:, [2, 0]]
        views += [found, mirrored]
    found = agreed(views)
    return without_parts(distinct(found[found[:, 4] > threshold]))


def _shrunk(image: Image, side: int) -> tuple[Image, float]:
    """An image with this longer side, and a border to the right and below; and its scale."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=way)
    right, bottom = (-length % LARGEST_STRIDE for length in size)
    padded = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=_GREY)
    return padded.astype(np.uint8, copy=False), scale
