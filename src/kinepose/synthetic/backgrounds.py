"""What is behind people: photographs from a folder, or scenes made up on the spot."""

import colorsys
import functools
import math
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import ImageOps

from kinepose.io.errors import BadInputError
from kinepose.io.files import IMAGE_SUFFIXES
from kinepose.io.image_files import opened_image

_ATLAS_SIZE, _ATLAS_CELLS = 1024, 64
_LARGEST_SIDE = 1024
"""Photographs are kept in memory no larger than this [px]."""


def procedural_background(
    generator: np.random.Generator,
    height: int,
    width: int,
    floor_line: float | None = None,
    clutter: float = 5.0,
) -> UInt8[np.ndarray, "height width 3"]:
    """A made-up scene: a textured wall or sky, a floor, and about `clutter` things before them.

    `floor_line` says where the floor begins, as a share of the height from the top; else it is
    drawn at random, and some scenes have none.
    """
    scene = _surface(generator, height, width)
    if floor_line is None and generator.random() < 0.85:
        floor_line = generator.uniform(0.35, 0.9)
    if floor_line is not None and floor_line < 1:
        top = int(np.clip(floor_line, 0.0, 1.0) * height)
        scene[top:] = _floor(generator, height - top, width)
    for _ in range(generator.poisson(clutter)):
        _put_thing(generator, scene, 1.0 if floor_line is None else floor_line)
    light = 1 + generator.uniform(0.1, 0.5) * smooth_noise(generator, height, width, 2)
    tint = generator.uniform(0.5, 1.15) * generator.normal(1, 0.05, 3)
    scene *= light[..., None]
    scene = cv2.transform(scene, np.diag(tint))
    if generator.random() < 0.5:
        scene = cv2.GaussianBlur(scene, (0, 0), generator.uniform(0.3, 0.012 * width + 0.4))
    return (np.clip(scene, 0, 1) * 255).astype(np.uint8)


def random_object(
    generator: np.random.Generator, side: int, video: int
) -> UInt8[np.ndarray, "side side 4"]:
    """A pole, a piece of furniture or a bush, before nothing: the fourth channel is where it is.

    It stands in the lower middle of the image, where a video of so many px in the middle of it
    has its people.
    """
    start = (side - video) / 2
    x = start + video * generator.uniform(0.3, 0.7)
    top = start + video * generator.uniform(0.45, 0.6)
    foot = start + video * generator.uniform(0.75, 1)
    radius = video * generator.uniform(0.04, 0.12)
    shape = np.zeros((side, side), np.uint8)
    kind = generator.integers(3)
    if kind == 0:
        left, right = round(x - 0.3 * radius), round(x + 0.3 * radius)
        cv2.rectangle(shape, (left, 0), (right, round(foot)), 255, -1)
    elif kind == 1:
        corners = (round(x - radius), round(top)), (round(x + radius), round(foot))
        cv2.rectangle(shape, *corners, 255, -1)
    else:
        for y in np.arange(top, foot, radius):
            centre = (round(x + radius * generator.uniform(-0.5, 0.5)), round(y))
            cv2.circle(shape, centre, round(radius), 255, -1)
    surface = np.clip(_surface(generator, side, side), 0, 1) * 255
    return np.dstack([surface.astype(np.uint8), shape])


@functools.lru_cache(maxsize=4)
def read_photographs(folder: Path) -> tuple[UInt8[np.ndarray, "_ _ 3"], ...]:
    """The images of a folder in name order, RGB, none larger than 1024 px.

    Raises:
        BadInputError: if there is no such folder, no image in it, or one cannot be read. Of a JPEG
            that is damaged within, a BrokenVideoWarning says so.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder of photographs.")
    shown = (path for path in folder.iterdir() if not path.name.startswith("."))
    paths = sorted(path for path in shown if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise BadInputError(
            f"{folder}: no photographs (jpg, png, bmp, webp or tif) in this folder."
        )
    photographs = []
    for path in paths:
        with opened_image(path) as held:
            image = np.asarray(ImageOps.exif_transpose(held).convert("RGB"))
        shrink = _LARGEST_SIDE / max(image.shape[:2])
        if shrink < 1:
            size = [max(1, round(shrink * side)) for side in image.shape[1::-1]]
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        photographs.append(image)
    return tuple(photographs)


def random_crop(
    generator: np.random.Generator,
    photograph: UInt8[np.ndarray, "_ _ 3"],
    height: int,
    width: int,
) -> UInt8[np.ndarray, "height width 3"]:
    """A random part of a photograph, perhaps mirrored, its colours shifted."""
    most = min(photograph.shape[0] / height, photograph.shape[1] / width)
    scale = most * generator.uniform(0.3, 1.0)
    rows, columns = max(int(scale * height), 1), max(int(scale * width), 1)
    top = generator.integers(photograph.shape[0] - rows + 1)
    left = generator.integers(photograph.shape[1] - columns + 1)
    part = photograph[top : top + rows, left : left + columns]
    way = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    part = cv2.resize(part, (width, height), interpolation=way)
    if generator.random() < 0.5:
        part = np.ascontiguousarray(part[:, ::-1])
    return recolour(generator, part)


def recolour(
    generator: np.random.Generator, image: UInt8[np.ndarray, "height width 3"]
) -> UInt8[np.ndarray, "height width 3"]:
    """As another camera may have it: contrast, brightness and tint."""
    levels = (np.arange(256) / 255) ** generator.uniform(0.7, 1.4) * generator.uniform(0.7, 1.1)
    table = 255 * levels[:, None] * generator.normal(1, 0.08, 3)
    return cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)[None])


def random_background(
    generator: np.random.Generator, height: int, width: int, folder: Path | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """A part of a photograph of the folder, or a made-up scene where there is none."""
    if folder is None:
        return procedural_background(generator, height, width)
    photographs = read_photographs(folder)
    return random_crop(generator, photographs[generator.integers(len(photographs))], height, width)


def _surface(
    generator: np.random.Generator, height: int, width: int
) -> Float[np.ndarray, "height width 3"]:
    """A wall, a sky, foliage: two colours mixed by a gradient, by noise or by a pattern."""
    first, second = _colour(generator), _colour(generator)
    if generator.random() < 0.5:
        second = np.clip(first + generator.normal(0, 0.12, 3), 0, 1).astype(np.float32)
    y = np.arange(height, dtype=np.float32)[:, None] / height
    x = np.arange(width, dtype=np.float32) / height
    kind = generator.choice(5, p=[0.25, 0.35, 0.15, 0.15, 0.1])
    if kind == 0:
        angle = generator.uniform(0, 2 * math.pi)
        share = 0.5 + 0.6 * (math.cos(angle) * (x - 0.5) + math.sin(angle) * (y - 0.5))
    elif kind == 1:
        share = 0.5 + smooth_noise(generator, height, width, int(generator.integers(3, 9)))
    elif kind == 2:
        angle = (0.0, math.pi / 2, generator.uniform(0, math.pi))[generator.integers(3)]
        stripes = math.cos(angle) * x + math.sin(angle) * y
        share = np.sin(stripes * generator.uniform(10, 80)) > generator.uniform(-0.8, 0.8)
    elif kind == 3:
        rows = generator.uniform(4, 20)
        columns = rows * generator.uniform(0.3, 1.0)
        shift = 0.5 * (np.floor(y * rows) % 2) * (generator.random() < 0.5)
        joint = generator.uniform(0.03, 0.12)
        share = ((y * rows) % 1 < joint * 2) | ((x * columns + shift) % 1 < joint)
    else:
        share = np.zeros((height, width))
    share = np.clip(share, 0, 1).astype(np.float32)
    texture = generator.uniform(0, 0.3) * smooth_noise(generator, height, width, 16)
    layers = np.stack([share, texture, np.ones_like(share)], axis=-1)
    colours = np.stack([second - first, np.ones_like(first), first])
    return layers @ colours


def _floor(
    generator: np.random.Generator, height: int, width: int
) -> Float[np.ndarray, "height width 3"]:
    """A surface seen at a slant: squeezed towards the far end."""
    if height == 0:
        return np.zeros((0, width, 3), np.float32)
    surface = _surface(generator, 64, 64)
    depth = 1 / np.linspace(0.15, 1.0, height, dtype=np.float32)
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    map_x = np.outer(depth, across) * 16 + 32
    map_y = np.repeat((depth * 9)[:, None], width, axis=1)
    return cv2.remap(surface, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _put_thing(
    generator: np.random.Generator, scene: Float[np.ndarray, "height width 3"], floor_line: float
) -> None:
    """A box, a disc, a pole, a window or a bush, standing on the floor or hanging on the wall."""
    height, width = scene.shape[:2]
    colour = _colour(generator)
    thing_width = int(width * generator.uniform(0.04, 0.35))
    thing_height = int(height * generator.uniform(0.05, 0.5))
    foot = floor_line + generator.uniform(-0.5, 0.12)
    x, y = int(generator.uniform(-0.1, 1.0) * width), int(foot * height) - thing_height
    corners = (x, y), (x + thing_width, y + thing_height)
    kind = generator.integers(5)
    if kind == 0:
        centre = (x + thing_width // 2, y + thing_height // 2)
        axes = (thing_width // 2, thing_height // 2)
        cv2.ellipse(scene, centre, axes, 0, 0, 360, colour.tolist(), -1)
    elif kind == 1:
        cv2.rectangle(
            scene, (x, 0), (x + thing_width // 5 + 1, int(foot * height)), colour.tolist(), -1
        )
    elif kind == 2:
        cv2.rectangle(scene, *corners, colour.tolist(), -1)
        frame = (0.5 * colour).tolist()
        cv2.rectangle(scene, *corners, frame, max(width // 64, 1))
        cv2.line(scene, (x + thing_width // 2, y), (x + thing_width // 2, y + thing_height), frame)
    elif kind == 3:
        points = generator.uniform(0, 1, (5, 2)) * [thing_width, thing_height] + [x, y]
        cv2.fillPoly(scene, [cv2.convexHull(points.astype(np.int32))], colour.tolist())
    else:
        top, left = max(y, 0), max(x, 0)
        bottom, right = min(y + thing_height, height), min(x + thing_width, width)
        if bottom > top and right > left:
            scene[top:bottom, left:right] = _surface(generator, bottom - top, right - left)


def smooth_noise(
    generator: np.random.Generator, height: int, width: int, cells: int
) -> Float[np.ndarray, "height width"]:
    """Noise of several octaves, the coarsest with about so many cells across; about -0.5 to 0.5.

    It is a part of one large image of noise, mirrored at random.
    """
    atlas = _noise_atlas()
    size = atlas.shape[0] * min(cells / _ATLAS_CELLS, 1.0)
    rows, columns = (max(int(size * side / max(height, width)), 1) for side in (height, width))
    top = generator.integers(atlas.shape[0] - rows + 1)
    left = generator.integers(atlas.shape[1] - columns + 1)
    part = atlas[top : top + rows, left : left + columns]
    part = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    down, right = 1 - 2 * generator.integers(2, size=2)
    return part[::down, ::right]


@functools.cache
def _noise_atlas() -> Float[np.ndarray, "size size"]:
    """The same in every run: 64 cells across, then octave upon octave."""
    generator = np.random.default_rng(0)
    atlas = np.zeros((_ATLAS_SIZE, _ATLAS_SIZE), np.float32)
    cells, strength = _ATLAS_CELLS, 0.25
    while cells <= _ATLAS_SIZE:
        octave = generator.normal(0, strength, (cells, cells)).astype(np.float32)
        atlas += cv2.resize(octave, atlas.shape, interpolation=cv2.INTER_CUBIC)
        cells, strength = 2 * cells, 0.6 * strength
    return atlas


def _colour(generator: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Mostly greys, browns and muted colours, now and then a strong one."""
    saturation = generator.beta(1.0, 3.0)
    return np.array(
        colorsys.hsv_to_rgb(generator.random(), saturation, generator.uniform(0.05, 1.0)),
        np.float32,
    )
