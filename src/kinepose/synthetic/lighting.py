"""How people are lit: a sun, a sky above and a ground below."""

import math
from dataclasses import dataclass

import numpy as np

from kinepose.synthetic.config import SceneConfig

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Sun, sky and what the ground reflects; colours are RGB, 1 for white."""

    direction: Vector
    """Towards the sun, in the world."""
    sun: Vector
    sky: Vector
    ground: Vector
    gamma: float
    """Colours are lit as this power of themselves, as light adds up; 1 lights them as they are."""
    gloss: float
    shadow: float
    """Share of the sun's light that a shadow takes away."""


def random_light(generator: np.random.Generator, appearance: str, scene: SceneConfig) -> Light:
    """For 'render' even and matt, as software shades a model; for others a sun, sky and shadows."""
    azimuth, height = generator.uniform(0, 2 * math.pi), math.radians(generator.uniform(*scene.sun))
    across, up = math.cos(height), math.sin(height)
    direction = (math.cos(azimuth) * across, math.sin(azimuth) * across, up)
    if appearance == "render":
        return Light(direction, _grey(0.35), _grey(0.7), _grey(0.55), 1.0, 0.0, 0.0)
    warmth = float(np.clip(generator.normal(0, scene.warmth), -0.5, 0.5))
    softness = generator.uniform(*scene.softness)
    level = generator.uniform(*scene.exposure)

    def tinted(strength: float, warmth: float) -> Vector:
        strength = float(level * strength)
        return strength * float(1 + warmth), strength, strength * float(1 - warmth)

    return Light(
        direction=direction,
        sun=tinted(1.6 - 1.2 * softness, warmth),
        sky=tinted(0.25 + 0.55 * softness, -warmth),
        ground=tinted(0.1 + 0.3 * softness, warmth),
        gamma=2.2,
        gloss=float(generator.uniform(0, 1)),
        shadow=float(1 - 0.7 * softness),
    )


def _grey(level: float) -> Vector:
    return level, level, level
