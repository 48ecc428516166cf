"""What surfaces are made of and how they reflect, for the renderer's inner loops (NVIDIA Warp).

Warp has types of its own for what it reads from dataclasses: hence `no_type_check`.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, get_type_hints, no_type_check

import warp as wp

from kinepose.synthetic.clothing import Covering, Cut, Dye, Material, Pattern
from kinepose.synthetic.lighting import Light, Vector

wp.set_module_options({"enable_backward": False})
wp.config.log_level = wp.LOG_WARNING  # else each process lists its devices

SKIRT = wp.constant(10.0)
"""What a vertex of a skirt is part of, less its Covering: see ClothedMesh.places."""


def _struct(data: type) -> Callable[[], Any]:
    """Warp's twin of a dataclass of numbers and vectors."""
    kinds = {float: float, int: int, Pattern: int, Vector: wp.vec3}
    hints = {name: kinds[hint] for name, hint in get_type_hints(data).items()}
    names = {"__module__": __name__, "__qualname__": data.__name__}
    return wp.struct(type(data.__name__, (), {"__annotations__": hints, **names}))


MaterialStruct, CutStruct, LightStruct, DyeStruct = map(_struct, (Material, Cut, Light, Dye))


_TWINS: dict[type, Callable[[], Any]] = {
    Material: MaterialStruct,
    Cut: CutStruct,
    Light: LightStruct,
    Dye: DyeStruct,
}


def array_of(
    rows: Sequence[Material] | Sequence[Cut] | Sequence[Light] | Sequence[Dye], device: str
) -> wp.array:
    """Dataclasses of one kind as an array for kernels."""
    twin = _TWINS[type(rows[0])]
    copies = []
    for row in rows:
        copies.append(twin())
        for field in fields(row):
            setattr(copies[-1], field.name, getattr(row, field.name))
    return wp.array(copies, dtype=twin, device=device)


@wp.func
@no_type_check
def covering_at(place: wp.vec4, cut: CutStruct) -> int:
    """What covers a place on the body at rest (x, y, z, part): see ClothedMesh.places."""
    if place[3] > SKIRT - 0.5:
        return int(wp.round(place[3] - SKIRT))
    if place[3] > 0.0:
        if place[3] < cut.sleeve:
            return Covering.TOP
        return Covering.SKIN
    x = wp.abs(place[0])
    y = place[1]
    z = place[2]
    if z > cut.hat + 0.3 * y:
        return Covering.HAT
    if z > cut.collar + 0.35 * y:
        if 0.77 * (y + 0.135) + 0.64 * (z - 0.955) > cut.hair and z > cut.nape:
            return Covering.HAIR
        eye = wp.length(wp.vec2(x - 0.033, z - 0.895))
        mouth = wp.length(wp.vec2(0.4 * x, z - 0.815))
        if y < -0.1 and (eye < 0.011 or mouth < 0.006):
            return Covering.FEATURE
        return Covering.SKIN
    if z > cut.waist:
        return Covering.TOP
    if z > cut.hem:
        return Covering.BOTTOM
    if z > cut.shoe:
        return Covering.SKIN
    return Covering.SHOE


@wp.func
@no_type_check
def thickness_at(
    place: wp.vec4, cut: CutStruct, materials: wp.array(dtype=MaterialStruct)
) -> float:
    """How far what covers a place lies off the skin [m]."""
    if place[3] > SKIRT - 0.5:
        return 0.0
    covering = covering_at(place, cut)
    below = 0.0
    if covering == Covering.TOP and place[3] <= 0.0:
        below = cut.collar - place[2]
    elif covering == Covering.BOTTOM:
        below = cut.waist - place[2]
    material = materials[covering]
    return material.thickness + material.flare * wp.max(below, 0.0)


@wp.func
@no_type_check
def colour_at(
    material: MaterialStruct, place: wp.vec4, person: int, prints: wp.array3d(dtype=wp.vec3)
) -> wp.vec3:
    """The material's colour at a place on the body at rest."""
    scaled = wp.vec3(place[0], place[1], place[2]) * material.frequency
    share = 0.0
    if material.pattern == Pattern.STRIPES:
        share = 0.5 + 0.5 * wp.sin(6.283185 * wp.dot(scaled, material.direction))
        share = wp.smoothstep(0.35, 0.65, share)
    elif material.pattern == Pattern.CHECKS:
        across = 0.5 + 0.5 * wp.sin(6.283185 * (scaled[0] + 0.6 * scaled[1]))
        down = 0.5 + 0.5 * wp.sin(6.283185 * scaled[2])
        share = 0.5 * (wp.smoothstep(0.35, 0.65, across) + wp.smoothstep(0.35, 0.65, down))
    elif material.pattern == Pattern.PATCHES:
        share = wp.smoothstep(-0.1, 0.1, wp.noise(wp.rand_init(7), scaled))
    elif material.pattern == Pattern.PRINT:
        side = float(prints.shape[1])
        across = wp.abs(2.0 * wp.frac(0.1 * (scaled[0] + 0.6 * scaled[1]) + 0.25) - 1.0)
        down = wp.abs(2.0 * wp.frac(0.1 * scaled[2]) - 1.0)
        last = prints.shape[1] - 1
        row = wp.clamp(int(down * side), 0, last)
        column = wp.clamp(int(across * side), 0, last)
        return prints[person, row, column]
    return material.colour * (1.0 - share) + material.second_colour * share


@wp.func
@no_type_check
def reflected(
    material: MaterialStruct,
    colour: wp.vec3,
    place: wp.vec4,
    smooth_normal: wp.vec3,
    eye: wp.vec3,
    light: LightStruct,
    sunlit: float,
) -> wp.vec3:
    """Lambert, a sky above and a ground below (hemisphere light), and a Blinn-Phong highlight."""
    normal = smooth_normal
    if wp.dot(normal, eye) < 0.0:
        normal = -normal
    if material.wrinkles > 0.0:
        scaled = wp.vec3(place[0] * 14.0, place[1] * 14.0, place[2] * 9.0)
        folds = wp.vec3(
            wp.noise(wp.rand_init(11), scaled),
            wp.noise(wp.rand_init(12), scaled),
            wp.noise(wp.rand_init(13), scaled),
        )
        normal = wp.normalize(normal + folds * material.wrinkles)
    pigment = wp.vec3(
        wp.pow(colour[0], light.gamma),
        wp.pow(colour[1], light.gamma),
        wp.pow(colour[2], light.gamma),
    )
    facing = wp.max(wp.dot(normal, light.direction), 0.0) * sunlit
    above = 0.5 + 0.5 * normal[2]
    bright = light.sun * facing + light.sky * above + light.ground * (1.0 - above)
    halfway = wp.normalize(light.direction + eye)
    highlight = wp.pow(wp.max(wp.dot(normal, halfway), 0.0), 24.0) * sunlit
    shine = light.sun * (highlight * material.gloss * light.gloss)
    result = wp.cw_mul(pigment, bright) + shine
    inverse = 1.0 / light.gamma
    return wp.vec3(
        wp.min(wp.pow(result[0], inverse), 1.0),
        wp.min(wp.pow(result[1], inverse), 1.0),
        wp.min(wp.pow(result[2], inverse), 1.0),
    )
