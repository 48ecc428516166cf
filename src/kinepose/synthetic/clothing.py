"""What people wear: where on the body each material lies, and what it looks like.

The reduced body mesh has neither clothes nor texture coordinates. So a garment is a set of borders
on the body at rest (a waist, a hem, the end of a sleeve), the same for all people; textures are
functions of the place at rest; and cloth lies a few millimetres to centimetres off the skin.
"""

import colorsys
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from jaxtyping import Float

from kinepose.synthetic.backgrounds import random_background
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.lighting import Vector

_PRINT = 48
"""Side of the images printed on cloth [px]."""


class Covering(IntEnum):
    """What covers a place on the body; an outfit has one material for each."""

    SKIN = 0
    HAIR = 1
    TOP = 2
    BOTTOM = 3
    SHOE = 4
    HAT = 5
    FEATURE = 6


class Pattern(IntEnum):
    """How a material's two colours are laid out."""

    PLAIN = 0
    STRIPES = 1
    CHECKS = 2
    PATCHES = 3
    PRINT = 4


@dataclass(frozen=True)
class Material:
    """The appearance of one material."""

    colour: Vector
    second_colour: Vector = (0.0, 0.0, 0.0)
    pattern: Pattern = Pattern.PLAIN
    frequency: float = 1.0
    """Of the pattern [1/m]."""
    direction: Vector = (0.0, 0.0, 1.0)
    """In which stripes follow one another."""
    gloss: float = 0.0
    wrinkles: float = 0.0
    """How far normals are bent by folds."""
    thickness: float = 0.0
    """Distance of the cloth from the skin, at the top of a garment [m]."""
    flare: float = 0.0
    """How much looser it is further down [m a m]."""


@dataclass(frozen=True)
class Dye:
    """How a material changes the colours of the texture that it lies on."""

    share: float = 0.0
    """Of the material's colour; the rest is the texture's."""
    relief: float = 1.0
    """How much the material's colour takes on of the texture's light and dark."""
    brightness: float = 0.5
    """Of the texture, on average."""
    gain: Vector = (1.0, 1.0, 1.0)
    """Factors on the texture's own colour."""


@dataclass(frozen=True)
class Cut:
    """Borders of the garments, as heights or lengths on the body at rest [m]."""

    collar: float
    waist: float
    hem: float
    shoe: float
    sleeve: float
    """Along the arm: shoulder 0, elbow 1, wrist 2."""
    hair: float
    """Shift of the hairline; large for a bald head."""
    nape: float
    """Down to which height hair falls at the back."""
    hat: float
    """Height of a hat's rim; large for none."""


@dataclass(frozen=True)
class Skirt:
    """A skirt, or the lower part of a coat."""

    length: float
    """How far it comes down the legs: 1/2 to the knees, 1 to the ankles."""
    flare: float
    """How much wider it is further down [m a leg's length]."""
    covering: Covering
    """Whose material it is of: a skirt's is the bottom's, a coat's the top's."""


@dataclass(frozen=True)
class Outfit:
    """Everything one person wears and is coloured like."""

    materials: tuple[Material, ...]
    """In the order of Covering."""
    cut: Cut
    print: Float[np.ndarray, "side side 3"] = field(compare=False)
    """The image on cloth of the pattern PRINT, 0 to 1."""
    skirt: Skirt | None = None


def random_outfit(generator: np.random.Generator, appearance: str, scene: SceneConfig) -> Outfit:
    """Clothes, hair and skin: for 'render' plain and matt, for 'video' with patterns and folds."""
    video = appearance == "video"
    skin = _skin(generator)
    materials = {
        Covering.SKIN: Material(skin, gloss=0.25),
        Covering.HAIR: Material(
            _hair(generator), gloss=0.35, thickness=generator.uniform(0.008, 0.03)
        ),
        Covering.TOP: _cloth(generator, video, generator.uniform(0.006, 0.02)),
        Covering.BOTTOM: _cloth(generator, video, generator.uniform(0.006, 0.02), subdued=True),
        Covering.SHOE: Material(_colour(generator, 0.5), gloss=0.4, thickness=0.008),
        Covering.HAT: _cloth(generator, video, 0.02),
        Covering.FEATURE: Material(_times(skin, 0.35)),
    }
    cut, skirt = _random_cut(generator), _random_skirt(generator) if video else None
    if skirt is not None and skirt.covering == Covering.BOTTOM:
        cut = replace(cut, hem=-0.05)
    elif skirt is not None:
        cut = replace(cut, waist=0.0)
    worn = tuple(materials[covering] for covering in Covering)
    image = random_background(generator, _PRINT, _PRINT, scene.backgrounds)
    return Outfit(worn, cut, image.astype(np.float32) / 255, skirt)


def _random_skirt(generator: np.random.Generator) -> Skirt | None:
    """Every eighth outfit has a skirt, as many have a coat."""
    if generator.random() < 0.75:
        return None
    covering = (Covering.TOP, Covering.BOTTOM)[generator.integers(2)]
    return Skirt(generator.uniform(0.25, 0.85), generator.uniform(0.02, 0.2), covering)


def _random_cut(generator: np.random.Generator) -> Cut:
    """Long or short trousers and sleeves, hair short or to the nape, now and then a hat."""
    trousers, short_sleeves = generator.random() < 0.6, generator.random() < 0.5
    return Cut(
        collar=generator.uniform(0.70, 0.78),
        waist=generator.uniform(0.1, 0.32),
        hem=generator.uniform(-0.78, -0.66) if trousers else generator.uniform(-0.3, 0.02),
        shoe=generator.uniform(-0.76, -0.6),
        sleeve=generator.uniform(0.15, 0.8) if short_sleeves else generator.uniform(1.7, 2.05),
        hair=1.0 if generator.random() < 0.08 else generator.uniform(-0.015, 0.015),
        nape=generator.uniform(0.7, 0.8),
        hat=generator.uniform(0.93, 0.97) if generator.random() < 0.2 else 9.0,
    )


def _cloth(
    generator: np.random.Generator, video: bool, thickness: float, subdued: bool = False
) -> Material:
    patterned = video and generator.random() < (0.3 if subdued else 0.6)
    patterns = (Pattern.STRIPES, Pattern.CHECKS, Pattern.PATCHES, Pattern.PRINT)
    directions = ((0.0, 0.0, 1.0), (1.0, 0.3, 0.0), (0.5, 0.3, 0.8))
    return Material(
        colour=_colour(generator, 0.4 if subdued else 0.9),
        second_colour=_colour(generator, 0.9),
        pattern=patterns[generator.integers(4)] if patterned else Pattern.PLAIN,
        frequency=float(np.exp(generator.uniform(np.log(5), np.log(25)))),
        direction=directions[generator.integers(3)],
        gloss=generator.uniform(0.0, 0.3),
        wrinkles=generator.uniform(0.2, 0.7) if video else 0.0,
        thickness=thickness,
        flare=generator.uniform(0.0, 0.05),
    )


def _colour(generator: np.random.Generator, largest_saturation: float) -> Vector:
    """Any hue; black, white and grey are as frequent in wardrobes as everything else."""
    saturation = generator.uniform(0, largest_saturation) * (generator.random() < 0.7)
    return colorsys.hsv_to_rgb(generator.random(), saturation, generator.uniform(0.06, 0.95))


def _skin(generator: np.random.Generator) -> Vector:
    light, dark = np.array([0.95, 0.78, 0.67]), np.array([0.28, 0.17, 0.12])
    red, green, blue = dark + (light - dark) * generator.uniform() + generator.normal(0, 0.02, 3)
    return float(red), float(green), float(blue)


def _hair(generator: np.random.Generator) -> Vector:
    black, brown, fair = (0.05, 0.04, 0.04), (0.25, 0.15, 0.08), (0.75, 0.6, 0.35)
    red, grey = (0.5, 0.2, 0.1), (0.7, 0.7, 0.7)
    kinds = (black, brown, fair, red, grey)
    return kinds[generator.choice(5, p=[0.4, 0.3, 0.15, 0.05, 0.1])]


def _times(colour: Vector, factor: float) -> Vector:
    red, green, blue = colour
    return factor * red, factor * green, factor * blue
