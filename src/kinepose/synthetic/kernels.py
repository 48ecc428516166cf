"""The renderer's inner loops: one source for CPU and CUDA (NVIDIA Warp).

One thread a face walks its bounding box and takes the atomic minimum of a key (depth, face); one
thread a pixel looks up the nearest face of each of its four samples and shades it. The order of
threads cannot be seen in the result. Warp reads the annotations of kernels itself, and has types
of its own for what it reads from dataclasses: hence `no_type_check`.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, get_type_hints, no_type_check

import warp as wp

from kinepose.synthetic.clothing import Covering, Cut, Dye, Material, Pattern
from kinepose.synthetic.lighting import Light, Vector

wp.set_module_options({"enable_backward": False})
wp.config.log_level = wp.LOG_WARNING  # else each process lists its devices

SAMPLES = wp.constant(2)
"""Samples a pixel, across and down."""
SHADOW_MAP = wp.constant(128)
"""Side of the image that the sun takes of a person, for shadows on the body [px]."""
FACE_BITS = wp.constant(wp.int64(20))
FACE_MASK = wp.constant(wp.int64(2**20 - 1))
SKIRT = wp.constant(10.0)
"""What a vertex of a skirt is part of, less its Covering: see ClothedMesh.places."""
EMPTY = wp.constant(wp.int64(2**62))
NEAREST = wp.constant(0.05)
"""Faces nearer to the camera are left out [m]."""


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


@wp.kernel
@no_type_check
def dress(
    bare: wp.array2d(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    around: wp.array(dtype=wp.int32),
    starts: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec4),
    cuts: wp.array(dtype=CutStruct),
    materials: wp.array2d(dtype=MaterialStruct),
    worn: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
):
    """Normals, weighted by area; and cloth lifted off the skin along them."""
    frame, vertex = wp.tid()
    person = wp.min(frame, cuts.shape[0] - 1)
    normal = wp.vec3(0.0, 0.0, 0.0)
    for i in range(starts[vertex], starts[vertex + 1]):
        face = faces[around[i]]
        first = bare[frame, face[0]]
        normal += wp.cross(bare[frame, face[1]] - first, bare[frame, face[2]] - first)
    normal = wp.normalize(normal)
    thickness = thickness_at(places[vertex], cuts[person], materials[person])
    normals[frame, vertex] = normal
    worn[frame, vertex] = bare[frame, vertex] + normal * thickness


@wp.func
@no_type_check
def edge(a: wp.vec3, b: wp.vec3, x: float, y: float) -> float:
    """Twice the area of a triangle of a, b and (x, y) in an image, with a sign [px x px]."""
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


@wp.kernel
@no_type_check
def rasterise(
    corners: wp.array2d(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    keys: wp.array3d(dtype=wp.int64),
):
    """The nearest face of each sample; corners are (x, y) [samples] and depth [m].

    Meshes are closed, so faces seen from behind are hidden anyway, and left out.
    """
    frame, face = wp.tid()
    corner = faces[face]
    a = corners[frame, corner[0]]
    b = corners[frame, corner[1]]
    c = corners[frame, corner[2]]
    if wp.min(wp.min(a[2], b[2]), c[2]) < NEAREST:
        return
    area = edge(a, b, c[0], c[1])
    if area >= 0.0:
        return
    left = wp.max(int(wp.ceil(wp.min(wp.min(a[0], b[0]), c[0]) - 0.5)), 0)
    right = wp.min(int(wp.floor(wp.max(wp.max(a[0], b[0]), c[0]) - 0.5)), keys.shape[2] - 1)
    top = wp.max(int(wp.ceil(wp.min(wp.min(a[1], b[1]), c[1]) - 0.5)), 0)
    bottom = wp.min(int(wp.floor(wp.max(wp.max(a[1], b[1]), c[1]) - 0.5)), keys.shape[1] - 1)
    for row in range(top, bottom + 1):
        y = float(row) + 0.5
        for column in range(left, right + 1):
            x = float(column) + 0.5
            u = edge(b, c, x, y) / area
            v = edge(c, a, x, y) / area
            w = 1.0 - u - v
            if u >= 0.0 and v >= 0.0 and w >= 0.0:
                depth = 1.0 / (u / a[2] + v / b[2] + w / c[2])
                key = (wp.int64(depth * 1.0e6) << FACE_BITS) | wp.int64(face)
                wp.atomic_min(keys, frame, row, column, key)


@wp.func
@no_type_check
def sunlight(
    point: wp.vec3,
    frame: int,
    sun_frames: wp.array(dtype=wp.mat44),
    sun_keys: wp.array3d(dtype=wp.int64),
) -> float:
    """Share of the sun that nothing of the person keeps from a point of it, over 3 x 3 samples."""
    seen = wp.transform_point(sun_frames[frame], point)
    lit = 0.0
    for i in range(-1, 2):
        for j in range(-1, 2):
            row = wp.clamp(int(seen[1] * float(SHADOW_MAP)) + i, 0, SHADOW_MAP - 1)
            column = wp.clamp(int(seen[0] * float(SHADOW_MAP)) + j, 0, SHADOW_MAP - 1)
            nearest = float(sun_keys[frame, row, column] >> FACE_BITS) * 1.0e-6
            if seen[2] < nearest + 0.03:
                lit += 1.0 / 9.0
    return lit


@wp.kernel
@no_type_check
def shade(
    keys: wp.array3d(dtype=wp.int64),
    sun_keys: wp.array3d(dtype=wp.int64),
    floor_keys: wp.array3d(dtype=wp.int64),
    faces: wp.array(dtype=wp.vec3i),
    corners: wp.array2d(dtype=wp.vec3),
    worn: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
    places: wp.array(dtype=wp.vec4),
    cuts: wp.array(dtype=CutStruct),
    materials: wp.array2d(dtype=MaterialStruct),
    prints: wp.array3d(dtype=wp.vec3),
    lights: wp.array(dtype=LightStruct),
    sun_frames: wp.array(dtype=wp.mat44),
    eyes: wp.array(dtype=wp.vec3),
    image: wp.array4d(dtype=wp.float32),
):
    """Colour, mask and the floor's shadow of one pixel, the mean of its samples.

    Samples of one face have the colour of the first of them.
    """
    frame, row, column = wp.tid()
    person = wp.min(frame, cuts.shape[0] - 1)
    light = lights[wp.min(frame, lights.shape[0] - 1)]
    shaded = wp.int64(-1)
    sample = wp.vec3(0.0, 0.0, 0.0)
    colour = wp.vec3(0.0, 0.0, 0.0)
    mask = 0.0
    weight = 1.0 / float(SAMPLES * SAMPLES)
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            key = keys[frame, SAMPLES * row + i, SAMPLES * column + j]
            face = key & FACE_MASK
            if key < EMPTY and face != shaded:
                corner = faces[int(face)]
                x = float(SAMPLES * column + j) + 0.5
                y = float(SAMPLES * row + i) + 0.5
                a = corners[frame, corner[0]]
                b = corners[frame, corner[1]]
                c = corners[frame, corner[2]]
                u = edge(b, c, x, y) / a[2]
                v = edge(c, a, x, y) / b[2]
                w = edge(a, b, x, y) / c[2]
                total = u + v + w
                u = u / total
                v = v / total
                w = w / total
                point = (
                    worn[frame, corner[0]] * u
                    + worn[frame, corner[1]] * v
                    + worn[frame, corner[2]] * w
                )
                normal = wp.normalize(
                    normals[frame, corner[0]] * u
                    + normals[frame, corner[1]] * v
                    + normals[frame, corner[2]] * w
                )
                place = places[corner[0]] * u + places[corner[1]] * v + places[corner[2]] * w
                material = materials[person, covering_at(place, cuts[person])]
                eye = wp.normalize(eyes[frame] - point)
                sunlit = 1.0 - light.shadow * (1.0 - sunlight(point, frame, sun_frames, sun_keys))
                bare = colour_at(material, place, person, prints)
                sample = reflected(material, bare, place, normal, eye, light, sunlit)
                shaded = face
            if key < EMPTY:
                colour += weight * sample
                mask += weight
    for k in range(3):
        image[frame, row, column, k] = colour[k]
    image[frame, row, column, 3] = mask
    shadow = 0.0
    if floor_keys[frame, row, column] < EMPTY:
        shadow = 1.0
    image[frame, row, column, 4] = shadow


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
