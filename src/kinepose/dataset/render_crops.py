"""Crops of rendered people before images of places: what a long training learns from.

Composed by OpenCV in 8 bits, in processes beside the one that trains, which would wait for them
otherwise. A batch is decided by the seed and its number alone.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8

from kinepose.dataset.config import CompositionConfig
from kinepose.dataset.crop_effects import cut_off, part_of, photographed, random_part
from kinepose.dataset.placement import (
    Placement,
    in_plane,
    matrix_to_crop,
    placed,
    random_angle,
    ready_to_shrink,
    stacked,
)
from kinepose.dataset.renders import PriorSet
from kinepose.geometry.image_transforms import (
    flip_camera,
    flip_joints3d,
    rotate_camera,
    zoom_camera,
)
from kinepose.method.batches import LabelledBatch, PaintingBatch
from kinepose.synthetic.single_images import SEQUENCE


@dataclass(frozen=True)
class RenderPool:
    """Renders as they are composed: in the memory of one process."""

    layers: UInt8[np.ndarray, "renders side side 4"]
    """The person on black, and how much of each pixel she covers."""
    shadow: UInt8[np.ndarray, "renders side side"]
    joints2d: Float32[np.ndarray, "renders 17 2"]
    joints3d: Float32[np.ndarray, "renders 17 3"]
    camera: Float32[np.ndarray, "renders 9"]


def pool_of(prior: PriorSet) -> RenderPool:
    """The renders of a file."""
    layers = np.concatenate([prior.image, prior.mask[..., None]], axis=-1)
    return RenderPool(layers, prior.shadow, prior.joints2d, prior.joints3d, prior.camera)


_FLESH = 1.08
"""Length of what a person covers, in lengths of what the joints span."""


def compose_batch(
    renders: RenderPool,
    backgrounds: UInt8[np.ndarray, "images side side 3"],
    numbers: range,
    size: int,
    composition: CompositionConfig,
    seed: int,
) -> LabelledBatch:
    """Random renders as crops of `size` px, each before a background of its own.

    The seed and its number decide what an image shows. Images come as bytes, channels last, as
    networks on a processor take them; `as_numbers` makes numbers from 0 to 1 of them.
    """
    count = len(numbers)
    images = np.empty((count, size, size, 3), np.uint8)
    masks = np.empty((count, size, size, 1), np.uint8)
    rows, placements, flipped = [], [], torch.zeros(count, dtype=torch.bool)
    for place, number in enumerate(numbers):
        generator = np.random.default_rng([seed, number])
        rows.append(int(generator.integers(len(renders.layers))))
        placements.append(_placement(renders.joints2d[rows[-1]], composition, generator))
        image, mask = _compose(
            renders, rows[-1], placements[-1], backgrounds, size, composition, generator
        )
        if generator.random() < 0.5:
            flipped[place], image, mask = True, cv2.flip(image, 1), cv2.flip(mask, 1)
        images[place], masks[place, ..., 0] = image, mask
    joints3d, camera = (
        torch.from_numpy(labels[rows]) for labels in (renders.joints3d, renders.camera)
    )
    angle, log_scale, shift = stacked(placements)
    camera = zoom_camera(rotate_camera(camera, angle), log_scale, shift)
    return LabelledBatch(
        torch.from_numpy(images).permute(0, 3, 1, 2),
        placed(renders.joints2d[rows], placements, flipped),
        torch.where(flipped[:, None, None], flip_joints3d(joints3d), joints3d),
        torch.where(flipped[:, None], flip_camera(camera), camera),
        torch.from_numpy(masks).permute(0, 3, 1, 2),
    )


def compose_pairs(
    renders: RenderPool,
    backgrounds: UInt8[np.ndarray, "images side side 3"],
    numbers: range,
    size: int,
    composition: CompositionConfig,
    seed: int,
) -> PaintingBatch:
    """Two random renders of one person as crops of `size` px, before two places; as bytes.

    Nothing else hides them, and no camera spoils them, so that the target is its background but
    for the person and her shadow. The seed and its number decide what a pair shows.
    """
    shape = (len(numbers), size, size, 3)
    sources, targets, scenes = (np.empty(shape, np.uint8) for _ in range(3))
    masks = np.empty((*shape[:3], 1), np.uint8)
    others, rows, flipped = [], [], torch.zeros(len(numbers), dtype=torch.bool)
    source_placements, placements = [], []
    for place, number in enumerate(numbers):
        generator = np.random.default_rng([seed, number])
        row = int(generator.integers(len(renders.layers)))
        other = row // SEQUENCE * SEQUENCE + int(generator.integers(SEQUENCE))
        colours = int(generator.integers(2**32))  # of both, as the light is the same
        (source, *_, source_placement), (target, scene, mask, placement) = (
            _alone(renders, it, backgrounds, size, composition, colours, generator)
            for it in (other, row)
        )
        others.append(other)
        source_placements.append(source_placement)
        rows.append(row)
        placements.append(placement)
        if generator.random() < 0.5:
            flipped[place] = True
            target, scene, mask = (cv2.flip(layer, 1) for layer in (target, scene, mask))
        sources[place], targets[place], scenes[place] = source, target, scene
        masks[place, ..., 0] = mask
    layers = (sources, targets, scenes, masks)
    source, target, scene, mask = (torch.from_numpy(each).permute(0, 3, 1, 2) for each in layers)
    source_joints2d = placed(renders.joints2d[others], source_placements, torch.zeros_like(flipped))
    joints2d = placed(renders.joints2d[rows], placements, flipped)
    return PaintingBatch(source, target, scene, source_joints2d, joints2d, mask)


def _alone(
    renders: RenderPool,
    row: int,
    backgrounds: UInt8[np.ndarray, "images side side 3"],
    size: int,
    composition: CompositionConfig,
    colours: int,
    generator: np.random.Generator,
) -> tuple[
    UInt8[np.ndarray, "{size} {size} 3"],
    UInt8[np.ndarray, "{size} {size} 3"],
    UInt8[np.ndarray, "{size} {size}"],
    Placement,
]:
    """A render before a place; the place; what it covers; and how the render lies in the crop."""
    placement = _placement(renders.joints2d[row], composition, generator)
    scene = part_of(backgrounds, size, generator)
    crop, mask = _put(scene, renders, row, placement, np.random.default_rng(colours))
    return crop, scene, mask, placement


def _placement(
    joints2d: Float32[np.ndarray, "17 2"],
    composition: CompositionConfig,
    generator: np.random.Generator,
) -> Placement:
    """How a render lies in its crop: its length and its middle are those of the person's box."""
    angle = random_angle(composition, generator)
    turned = joints2d @ in_plane(angle).T
    low, high = turned.min(0), turned.max(0)
    scale = 2 * generator.uniform(*composition.length) / (_FLESH * float((high - low).max()))
    shift = generator.normal(0, composition.shift, 2) - scale * (low + high) / 2
    return angle, math.log(scale), shift.astype(np.float32)


def _compose(
    renders: RenderPool,
    row: int,
    placement: Placement,
    backgrounds: UInt8[np.ndarray, "images side side 3"],
    size: int,
    composition: CompositionConfig,
    generator: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size"]]:
    """One crop, and how much of each of its pixels shows the person."""
    image = part_of(backgrounds, size, generator)
    for _ in range(generator.poisson(composition.others)):
        image, _ = _put(image, renders, *_elsewhere(renders, generator), generator)
    image, mask = _put(image, renders, row, placement, generator)
    if generator.random() < composition.in_front:
        image, other = _put(image, renders, *_elsewhere(renders, generator), generator)
        mask = cv2.multiply(mask, 255 - other, scale=1 / 255)
    if generator.random() < composition.hidden:
        part = random_part(size, generator)
        image[part] = part_of(backgrounds, size, generator)[part]
        mask[part] = 0
    image = photographed(image, composition, generator)
    if generator.random() < composition.cut:
        cut_off(image, mask, generator)
    return image, mask


def _elsewhere(renders: RenderPool, generator: np.random.Generator) -> tuple[int, Placement]:
    """Another person, of any size, anywhere."""
    row = int(generator.integers(len(renders.layers)))
    joints2d = renders.joints2d[row]
    length = float(np.ptp(joints2d, axis=0).max()) / 2
    scale = math.exp(generator.uniform(math.log(0.2), math.log(1.3))) / length
    middle = (joints2d.min(0) + joints2d.max(0)) / 2
    shift = generator.uniform(-1.3, 1.3, 2) - scale * middle
    return row, (math.radians(generator.normal(0, 12)), math.log(scale), shift.astype(np.float32))


def _put(
    image: UInt8[np.ndarray, "size size 3"],
    renders: RenderPool,
    row: int,
    placement: Placement,
    generator: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size"]]:
    """A person and her shadow before an image, her colours shifted; and what she covers."""
    side, size = renders.shadow.shape[1], len(image)
    matrix = matrix_to_crop(placement, side, size)
    layers, shadow = ready_to_shrink(renders.layers[row], matrix), renders.shadow[row]
    layers = cv2.warpAffine(layers, matrix, (size, size), flags=cv2.INTER_LINEAR)
    shadow = cv2.warpAffine(shadow, matrix, (size, size), flags=cv2.INTER_LINEAR)
    gains, offset = np.ones(3), 0.0
    if generator.random() < 0.6:
        gains, offset = generator.uniform(0.65, 1.35, 3), generator.uniform(-0.1, 0.1)
    person = cv2.transform(layers, np.column_stack([np.diag(gains), np.full(3, offset)]))
    mask = layers[..., 3].copy()
    left = cv2.multiply(255 - mask, 255 - shadow, scale=1 / 255)
    behind = cv2.multiply(image, cv2.merge([left, left, left]), scale=1 / 255)
    return cv2.add(behind, person), mask
