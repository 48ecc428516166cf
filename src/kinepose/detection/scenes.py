"""Training images: nobody to five people before places that showed none, recorded badly."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from kinepose.detection.compositing import Layers, lay_over, turned
from kinepose.detection.cutouts import SEEN, Cutout
from kinepose.detection.degradation import degraded
from kinepose.detection.furniture import random_furniture
from kinepose.detection.things import random_thing
from kinepose.synthetic.backgrounds import procedural_background, random_crop, read_photographs
from kinepose.synthetic.places import random_view, training_places

MOST_PEOPLE = 5
_HOW_MANY = (0.15, 0.4, 0.24, 0.12, 0.06, 0.03)
"""People in an image: nobody, one, ..."""
_LENGTHS = (0.13, 1.15)
"""Longer sides of people, in sides of the image."""
_CLOSE, _CLOSE_LENGTHS = 0.12, (1.1, 2.6)
"""Share of people of whom only a part fits into the image, and their lengths."""
_TURNED = 0.2
"""Share of people turned by any angle, as those are who tumble or climb."""
_LEAN = 12.0
"""Standard deviation of the angle of the others [degrees]."""
_CUT_OFF = 0.5
"""Share of people who may stand across the image's border."""
_THINGS = 1.5
"""Things in an image, on average ..."""
_FURNITURE = 0.4
"""... and the share of them that is furniture."""
_KINDS = (0.15, 0.45, 0.4)
"""Shares of places that are made up, of the package's panoramas (as are the others if there is no
folder), and of a folder's photographs."""
_IMAGES_A_VIEW = 2
"""Images of a batch for each view, of which parts are their backgrounds: views take long ..."""
_VIEW = 1.5
"""... and are as many times as wide as images."""
_LEAST_SEEN = 0.3
"""Someone of whom less than this is in the image and not hidden may be left unfound ..."""
_SMALLEST = 0.12
"""... and so may someone smaller than this [sides of the image]."""

Image = UInt8[np.ndarray, "_ _ 3"]


@dataclass(frozen=True)
class Scenes:
    """A batch of images."""

    images: UInt8[np.ndarray, "batch side side 3"]
    boxes: Float32[np.ndarray, "batch people 4"]
    """Of each person what is within the image, hidden or not: x0, y0, x1, y1 [px]."""
    wanted: Bool[np.ndarray, "batch people"]
    """Who should be found."""
    unclear: Bool[np.ndarray, "batch people"]
    """Who may be found or not; the other rows are nobody."""


def compose_batch(
    generator: np.random.Generator,
    cutouts: UInt8[np.ndarray, "cutouts _ _ 4"],
    places: Path | None,
    count: int,
    side: int,
) -> Scenes:
    """So many images of `side` px a side.

    Raises:
        BadInputError: if an image of `places` cannot be read.
    """
    scenes = Scenes(
        np.empty((count, side, side, 3), np.uint8),
        np.zeros((count, MOST_PEOPLE, 4), np.float32),
        np.zeros((count, MOST_PEOPLE), bool),
        np.zeros((count, MOST_PEOPLE), bool),
    )
    views = [
        view_of_a_place(generator, places, round(_VIEW * side))
        for _ in range(math.ceil(count / _IMAGES_A_VIEW))
    ]
    for number in range(count):
        image, boxes, seen = _compose(generator, cutouts, views, side)
        people = slice(len(boxes))
        large = (boxes[:, 2:] - boxes[:, :2]).max(-1, initial=0) >= _SMALLEST * side
        scenes.images[number] = degraded(generator, image)
        scenes.boxes[number, people] = boxes
        scenes.wanted[number, people] = large & (seen >= _LEAST_SEEN)
        scenes.unclear[number, people] = ~scenes.wanted[number, people]
    return scenes


def _compose(
    generator: np.random.Generator,
    cutouts: UInt8[np.ndarray, "cutouts _ _ 4"],
    views: list[Image],
    side: int,
) -> tuple[Image, Float32[np.ndarray, "people 4"], Float32[np.ndarray, " people"]]:
    """An image, the boxes of its people, and how much of each is to be seen in it."""
    image = _part_of_one(generator, views, side)
    people = int(generator.choice(len(_HOW_MANY), p=_HOW_MANY))
    is_person = np.zeros(people + generator.poisson(_THINGS), bool)
    is_person[:people] = True
    lengths = side * np.exp(generator.uniform(*np.log(_LENGTHS), len(is_person)))
    close = is_person & (generator.random(len(is_person)) < _CLOSE)
    lengths[close] = side * np.exp(generator.uniform(*np.log(_CLOSE_LENGTHS), close.sum()))
    order = np.argsort(lengths * np.exp(generator.normal(0, 0.3, len(lengths))))  # far to near
    owner = np.full((side, side), -1, np.int16)
    boxes, areas, owners = [], [], []
    for number in order.tolist():
        if is_person[number]:
            cutout = cutouts[generator.integers(len(cutouts))]
        else:
            surface = _part_of_one(generator, views, side // 2)
            is_furniture = generator.random() < _FURNITURE
            cutout = (random_furniture if is_furniture else random_thing)(generator, surface)
        layers = _turned_somehow(generator, cutout, float(lengths[number]))
        gain = generator.uniform(0.7, 1.2) * generator.normal(1, 0.06, 3)
        corner = _corner(generator, layers.shape[1::-1], side)
        box = lay_over(image, owner, layers, corner, number, gain)
        if is_person[number] and box is not None:
            boxes.append(box)
            areas.append(np.count_nonzero(layers[..., 3] > SEEN))
            owners.append(number)
    seen = [np.count_nonzero(owner == number) for number in owners]
    shares = np.array(seen, np.float32) / np.maximum(np.array(areas, np.float32), 1)
    return image, np.array(boxes, np.float32).reshape(-1, 4), shares


def _turned_somehow(generator: np.random.Generator, cutout: Cutout, length: float) -> Layers:
    angle = generator.normal(0, _LEAN)
    if generator.random() < _TURNED:
        angle = generator.uniform(-180, 180)
    return turned(cutout, length, angle, generator.random() < 0.5)


def _corner(
    generator: np.random.Generator, size: tuple[int, int], side: int
) -> Int[np.ndarray, " 2"]:
    """Where something of this size begins, so that little of it is outside unless it is large."""
    half = np.array(size) / 2
    inner = np.minimum(0.9 * half, side / 2)
    inner = np.where(generator.random() < _CUT_OFF, np.minimum(0.45 * half, side / 2), inner)
    return (generator.uniform(inner, side - inner) - half).astype(int)


def _part_of_one(generator: np.random.Generator, views: list[Image], side: int) -> Image:
    return random_crop(generator, views[generator.integers(len(views))], side, side)


def view_of_a_place(generator: np.random.Generator, folder: Path | None, side: int) -> Image:
    """A view of a place without people: made up, photographed all around, or of the folder."""
    kind = generator.choice(3, p=_KINDS)
    if kind == 0:
        return procedural_background(generator, side, side)
    if kind == 1 or folder is None:
        panoramas = training_places()
        return random_view(generator, panoramas[generator.integers(len(panoramas))], side, side)
    photographs = read_photographs(folder)
    return random_crop(generator, photographs[generator.integers(len(photographs))], side, side)
