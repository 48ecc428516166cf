"""What textured people look like: skin, hair, eyes, and clothes that are modelled or painted on."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from kinepose.synthetic.body import Person
from kinepose.synthetic.clothing import Covering, Cut, Dye, Material, Outfit, random_outfit
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.garments import load_wardrobe
from kinepose.synthetic.lighting import Vector

_MIDDLE_AGED, _OLD = 0.72, 0.87
"""Of a person's age, from 0.6 to 1."""
_HAIRSTYLES = {
    "female": ("bob01", "bob02", "braid01", "long01", "ponytail01", "short03", "afro01"),
    "male": ("short01", "short02", "short03", "short04", "afro01"),
}
_PLAIN = ("full.male_worksuit01", "hat.fedora", "hat.fedora_cocked")
"""Garments without an image, which are always dyed."""
_IRISES = ((70, 45, 25), (95, 110, 120), (85, 95, 60), (50, 32, 20))


@dataclass(frozen=True)
class Style:
    """How one textured person looks."""

    garments: tuple[str, ...]
    """Names in the wardrobe; hair or a hat comes last."""
    skin: str
    iris: tuple[int, int, int]
    materials: tuple[Material, ...]
    """Of each Covering, where it is painted on skin; of the eyes; of each garment."""
    dyes: tuple[Dye, ...]
    """Of each material."""
    cut: Cut
    """Where clothes are painted on skin."""
    print: Float[np.ndarray, "side side 3"] = field(compare=False)


def random_style(generator: np.random.Generator, person: Person, scene: SceneConfig) -> Style:
    """Clothes, hair and skin that suit a person's sex and age."""
    sex = "female" if person.gender > 0.5 else "male"
    outfit = random_outfit(generator, "video", scene)
    painted = dict(zip(Covering, outfit.materials, strict=True))
    bare = Material(painted[Covering.SKIN].colour, gloss=float(generator.uniform(0.05, 0.35)))
    skin, tone = _skin(generator, person, sex)
    plain = Dye(gain=tone)
    garments = _clothes(generator, sex)
    covered = {name.partition(".")[0] for name in garments}
    cloth = Dye(share=1.0, relief=float(generator.uniform(0, 0.4)), brightness=_brightness_of(skin))
    materials = {covering: bare for covering in Covering}
    dyes = {covering: plain for covering in Covering}
    topless = sex == "male" and generator.random() < 0.25
    if not covered & {"top", "full"} and not topless:
        materials[Covering.TOP], dyes[Covering.TOP] = painted[Covering.TOP], cloth
    if not covered & {"bottom", "full"}:
        materials[Covering.BOTTOM], dyes[Covering.BOTTOM] = painted[Covering.BOTTOM], cloth
    worn = [_worn(generator, name, outfit) for name in garments]
    return Style(
        garments,
        skin,
        _IRISES[generator.integers(len(_IRISES))],
        (
            *(materials[each] for each in Covering),
            Material(bare.colour, gloss=0.6),
            *(w[0] for w in worn),
        ),
        (*(dyes[each] for each in Covering), Dye(), *(w[1] for w in worn)),
        replace(outfit.cut, hair=9.0, hat=9.0, collar=min(outfit.cut.collar, 0.7)),
        outfit.print,
    )


def _clothes(generator: np.random.Generator, sex: str) -> tuple[str, ...]:
    """Names of garments: of the same sex, or made for all."""
    names = [name for name in load_wardrobe().garments if _suits(name, sex)]

    def one(kind: str, chance: float) -> list[str]:
        found = [name for name in names if name.startswith(f"{kind}.")]
        return [found[generator.integers(len(found))]] if generator.random() < chance else []

    full = one("full", 0.15) if sex == "male" else []
    tops, bottoms = one("top", 0.65), one("bottom", 0.65)
    shoes, hat = one("shoes", 0.8), one("hat", 0.06)
    hair = one("hair", 0.93 if sex == "female" else 0.8)
    return (*(full or tops + bottoms), *shoes, *(hat or hair))


def _suits(name: str, sex: str) -> bool:
    kind, _, item = name.partition(".")
    if kind == "hair":
        return item in _HAIRSTYLES[sex]
    return item.startswith(sex) or not item.startswith(("female", "male"))


def _worn(generator: np.random.Generator, name: str, outfit: Outfit) -> tuple[Material, Dye]:
    """A garment's own colours, or others by its own light and dark."""
    kind, brightness = name.partition(".")[0], load_wardrobe().garments[name].brightness
    gain = float(generator.uniform(0.7, 1.3))
    if kind == "hair":
        hair = replace(outfit.materials[Covering.HAIR], thickness=0.0, gloss=0.08)
        share = float(generator.uniform(0.7, 1.0))
        return hair, Dye(share, 0.7, brightness, (gain, gain, gain))
    covering = {"bottom": Covering.BOTTOM, "shoes": Covering.SHOE, "hat": Covering.HAT}
    of_kind = outfit.materials[covering.get(kind, Covering.TOP)]
    material = replace(of_kind, thickness=0.0, wrinkles=0.0 if name not in _PLAIN else 0.4)
    chance = 0.35 if kind in ("shoes", "bottom") else 0.7
    share = float(generator.uniform(0.6, 1.0)) if generator.random() < chance else 0.0
    if name in _PLAIN:
        share = 1.0
    return material, Dye(share, float(generator.uniform(0.5, 1.0)), brightness, (gain, gain, gain))


def _skin(generator: np.random.Generator, person: Person, sex: str) -> tuple[str, Vector]:
    """The name of a skin, and factors on its colour."""
    ages = ("young", "middleage", "old")
    age = ages[int(person.age > _MIDDLE_AGED) + int(person.age > _OLD)]
    dark = generator.random() < 0.4
    variants = ("",) if dark else ("", "2", "3") if age == "young" else ("", "2")
    variant = variants[generator.integers(len(variants))]
    level = generator.uniform(0.9, 2.0) if dark else generator.uniform(0.65, 1.1)
    warmth = generator.normal(-0.06 if dark else 0.0, 0.04)
    tone = (float(level * (1 + warmth)), float(level), float(level * (1 - warmth)))
    return f"{age}_{'dark' if dark else 'light'}skinned_{sex}{variant}", tone


def _brightness_of(skin: str) -> float:
    return 0.35 if "dark" in skin else 0.65
