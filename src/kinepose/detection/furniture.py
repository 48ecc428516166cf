"""Furniture, which is no person either: tables, stools, lamps and tripods made of bars.

Bars that spread from one place look like limbs: the foot of a table was found as surely as people
were, before there was furniture among the things.
"""

import itertools
import math

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

_ELEVATION = (-5.0, 45.0)
"""How far down one looks at furniture [degrees]."""
_SHADES = ((1.0, 0.55), (0.7, 0.9), (0.3, 1.25))
"""A bar is drawn so often: as wide [of its width] and as bright [of its colour] as that."""
_OWN_COLOUR = 0.6
"""Share of furniture in one colour, often a metal's, and not with the surface of a place."""
_WIDTHS = (0.015, 0.06)
"""Of bars, in sides of the image."""
_FILLED = 0.96
"""Share of the image's side that furniture fills."""

Bars = Float[np.ndarray, "bars 2 3"]
"""From where to where bars go, x and y on the floor, z upwards."""
Plate = Float[np.ndarray, "corners 3"]
"""A top, a seat or a back."""


def random_furniture(
    generator: np.random.Generator, surface: UInt8[np.ndarray, "side side 3"]
) -> UInt8[np.ndarray, "side side 4"]:
    """A piece of furniture as large as the surface: RGB times mask, and mask."""
    bars, plates = _KINDS[generator.integers(len(_KINDS))](generator)
    points = np.concatenate([bars.reshape(-1, 3), *plates]) @ _view(generator)
    low, side = points.min(0), len(surface)
    scale = _FILLED * side / max(np.ptp(points, axis=0).max(), 1e-6)
    pixels = (0.5 * (1 - _FILLED) * side + scale * (points - low)).astype(int)
    corners = np.cumsum([2 * len(bars), *map(len, plates)])
    light, mask = np.zeros((side, side), np.float32), np.zeros((side, side), np.uint8)
    _draw_bars(generator, light, mask, pixels[: corners[0]].reshape(-1, 2, 2))
    for first, last in itertools.pairwise(corners.tolist()):
        cv2.fillPoly(light, [pixels[first:last]], generator.uniform(0.6, 1.3))
        cv2.fillPoly(mask, [pixels[first:last]], 255, cv2.LINE_AA)
    colours = surface.astype(np.float32)
    if generator.random() < _OWN_COLOUR:
        colours[:] = generator.uniform(20, 220) * generator.uniform(0.8, 1.1, 3)
    shaded = colours * light[..., None] * (mask[..., None] / 255)
    return np.dstack([shaded.clip(0, 255).astype(np.uint8), mask])


def _draw_bars(
    generator: np.random.Generator,
    light: Float32[np.ndarray, "side side"],
    mask: UInt8[np.ndarray, "side side"],
    bars: Int[np.ndarray, "bars 2 2"],
) -> None:
    """Round ones, lit from the front: bright along the middle."""
    width = len(mask) * generator.uniform(*_WIDTHS)
    for start, end in bars.tolist():
        thick = width * generator.uniform(0.7, 1.4)
        for share, brightness in _SHADES:
            shade = brightness * generator.uniform(0.8, 1.2)
            cv2.line(light, tuple(start), tuple(end), shade, max(1, round(share * thick)))
        cv2.line(mask, tuple(start), tuple(end), 255, max(1, round(thick)), cv2.LINE_AA)


def _view(generator: np.random.Generator) -> Float[np.ndarray, "3 2"]:
    """From the room to the image, x to the right and y downwards, from far away."""
    elevation = math.radians(generator.uniform(*_ELEVATION))
    azimuth = generator.uniform(-math.pi, math.pi)
    right = [math.cos(azimuth), math.sin(azimuth), 0]
    ahead = math.sin(elevation) * np.array([-math.sin(azimuth), math.cos(azimuth), 0])
    return np.column_stack([right, -ahead - [0, 0, math.cos(elevation)]])


def _pedestal(generator: np.random.Generator) -> tuple[Bars, list[Plate]]:
    """A column on three to six spokes: a table, a lamp, an office chair; or its foot alone."""
    reach, height = generator.uniform(0.2, 0.5), generator.uniform(0, 1.3)
    raised = generator.uniform(0.02, 0.15)
    spokes = [
        [[0, 0, raised], [x, y, 0]] for x, y, _ in _round(int(generator.integers(3, 7)), reach, 0.0)
    ]
    column = [[[0, 0, raised], [0, 0, height]]] if height > raised else []
    top = _round(16 if generator.random() < 0.7 else 4, generator.uniform(0.15, 0.6), height)
    return np.array(spokes + column, float), [top] if generator.random() < 0.6 else []


def _on_legs(generator: np.random.Generator) -> tuple[Bars, list[Plate]]:
    """A table, a bench or a chair: four legs under a plate, rails between them, perhaps a back."""
    length, depth, height = generator.uniform([0.3, 0.3, 0.3], [1.5, 0.8, 1.1])
    plate = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) * [length, depth, height]
    inset = 1 - generator.uniform(-0.2, 0.3)  # legs stand within it, or are spread
    middle = plate.mean(0) * [1, 1, 0]
    feet = middle + inset * (plate * [1, 1, 0] - middle)
    bars = list(np.stack([plate, feet], axis=1))
    if generator.random() < 0.5:
        rail = feet + np.array([0, 0, generator.uniform(0.1, 0.6) * height])
        bars += [np.array([rail[i], rail[(i + 1) % 4]]) for i in range(4)]
    back = np.array([plate[0], plate[1], plate[1], plate[0]])
    back[2:, 2] += generator.uniform(0.4, 1.2) * height
    if generator.random() < 0.5:
        bars += [back[[0, 3]], back[[1, 2]], back[[2, 3]]]
    return np.array(bars), [plate, back][: int(generator.integers(3))]


def _tripod(generator: np.random.Generator) -> tuple[Bars, list[Plate]]:
    """Legs that meet at the top, on which a box may stand; an easel, a stand, a ladder's side."""
    feet = _round(int(generator.integers(2, 5)), generator.uniform(0.15, 0.6), 0.0)
    height = generator.uniform(0.6, 1.5)
    bars = [[foot, [0, 0, height]] for foot in feet]
    bars += [[foot * 0.5 + [0, 0, height / 2], [0, 0, height / 2]] for foot in feet]
    size = generator.uniform(0.05, 0.25)
    box = np.array([[-1, 0, 0], [1, 0, 0], [1, 0, 1.5], [-1, 0, 1.5]]) * size + [0, 0, height]
    return np.array(bars, float), [box] if generator.random() < 0.6 else []


def _round(corners: int, radius: float, height: float) -> Plate:
    angles = 2 * math.pi * np.arange(corners) / corners
    return np.column_stack(
        [radius * np.cos(angles), radius * np.sin(angles), np.full(corners, height)]
    )


_KINDS = (_pedestal, _pedestal, _on_legs, _tripod)
