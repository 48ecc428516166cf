"""Inner loops for textured people: as in `kernels`, but for open surfaces with textures.

Faces are seen from both sides, and what is transparent on a texture is not there.
"""

from typing import no_type_check

import warp as wp

from kinepose.synthetic.clothing import Covering
from kinepose.synthetic.kernels import EMPTY, FACE_BITS, FACE_MASK, NEAREST, SAMPLES, edge, sunlight
from kinepose.synthetic.surface_kernels import (
    CutStruct,
    DyeStruct,
    LightStruct,
    MaterialStruct,
    colour_at,
    covering_at,
    reflected,
    thickness_at,
)
from kinepose.synthetic.textures import LEVELS, TEXTURE

wp.set_module_options({"enable_backward": False})

SIDE = wp.constant(TEXTURE)
PIXEL = wp.constant(0.75)
"""How much coarser a pixel is than a sample [log2 of its side], less some sharpness."""
COARSEST = wp.constant(LEVELS - 1)
BARE = wp.constant(-1)
"""Material of faces that have that of their Covering: skin, or clothes painted on it."""
SKIN = wp.constant(int(Covering.SKIN))
FEATURE = wp.constant(int(Covering.FEATURE))


@wp.func
@no_type_check
def _level(
    face: int,
    texture: wp.array2d(dtype=wp.vec2),
    a: wp.vec3,
    b: wp.vec3,
    c: wp.vec3,
    coarser: float,
) -> int:
    """Of a face's texture, so that a texel is about as large as a sample, times 2**coarser."""
    first = texture[face, 0]
    along = texture[face, 1] - first
    across = texture[face, 2] - first
    texels = wp.abs(along[0] * across[1] - along[1] * across[0]) * float(SIDE * SIDE)
    samples = wp.abs(edge(a, b, c[0], c[1]))
    finer = wp.log2(wp.max(texels, 1.0e-3) / wp.max(samples, 1.0e-3)) * 0.5
    return wp.clamp(int(wp.floor(finer + coarser + 0.5)), 0, COARSEST)


@wp.func
@no_type_check
def _at(texels: wp.array3d(dtype=wp.uint8), layer: int, index: int) -> wp.vec4:
    return wp.vec4(
        float(texels[layer, index, 0]),
        float(texels[layer, index, 1]),
        float(texels[layer, index, 2]),
        float(texels[layer, index, 3]),
    )


@wp.func
@no_type_check
def _sampled(texels: wp.array3d(dtype=wp.uint8), layer: int, level: int, place: wp.vec2) -> wp.vec4:
    """Colour and opacity, 0 to 1, at a place of a texture, between the four nearest texels."""
    side = SIDE >> level
    start = ((SIDE * SIDE - side * side) * 4) // 3
    x = wp.clamp(place[0] * float(side) - 0.5, 0.0, float(side) - 1.001)
    y = wp.clamp(place[1] * float(side) - 0.5, 0.0, float(side) - 1.001)
    column = int(x)
    row = int(y)
    x = x - float(column)
    y = y - float(row)
    index = start + row * side + column
    upper = _at(texels, layer, index) * (1.0 - x) + _at(texels, layer, index + 1) * x
    index += side
    lower = _at(texels, layer, index) * (1.0 - x) + _at(texels, layer, index + 1) * x
    return (upper * (1.0 - y) + lower * y) / 255.0


@wp.kernel
@no_type_check
def lift(
    bare: wp.array2d(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    around: wp.array(dtype=wp.int32),
    starts: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec4),
    lifts: wp.array(dtype=float),
    heads: wp.array(dtype=wp.vec3),
    skin: int,
    hair: int,
    cut: wp.array(dtype=CutStruct),
    materials: wp.array(dtype=MaterialStruct),
    worn: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
):
    """Normals, and vertices moved along them.

    Clothes painted on skin, the first `skin` vertices, are as thick as their material. Hair, from
    vertex `hair` on, is shaded like a ball.
    """
    frame, vertex = wp.tid()
    normal = wp.vec3(0.0, 0.0, 0.0)
    for i in range(starts[vertex], starts[vertex + 1]):
        face = faces[around[i]]
        first = bare[frame, face[0]]
        normal += wp.cross(bare[frame, face[1]] - first, bare[frame, face[2]] - first)
    normal = wp.normalize(normal)
    distance = lifts[vertex]
    if vertex < skin and distance == 0.0:
        distance = thickness_at(places[vertex], cut[0], materials)
    position = bare[frame, vertex] + normal * distance
    worn[frame, vertex] = position
    if vertex >= hair:
        normal = wp.normalize(position - heads[frame])
    normals[frame, vertex] = normal


@wp.kernel
@no_type_check
def rasterise_textured(
    corners: wp.array2d(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    texture: wp.array2d(dtype=wp.vec2),
    layers: wp.array(dtype=wp.int32),
    cutout: wp.array(dtype=wp.int32),
    texels: wp.array3d(dtype=wp.uint8),
    keys: wp.array3d(dtype=wp.int64),
):
    """The nearest opaque face of each sample; corners are (x, y) [samples] and depth [m]."""
    frame, face = wp.tid()
    corner = faces[face]
    a = corners[frame, corner[0]]
    b = corners[frame, corner[1]]
    c = corners[frame, corner[2]]
    if wp.min(wp.min(a[2], b[2]), c[2]) < NEAREST:
        return
    left = wp.max(int(wp.ceil(wp.min(wp.min(a[0], b[0]), c[0]) - 0.5)), 0)
    right = wp.min(int(wp.floor(wp.max(wp.max(a[0], b[0]), c[0]) - 0.5)), keys.shape[2] - 1)
    top = wp.max(int(wp.ceil(wp.min(wp.min(a[1], b[1]), c[1]) - 0.5)), 0)
    bottom = wp.min(int(wp.floor(wp.max(wp.max(a[1], b[1]), c[1]) - 0.5)), keys.shape[1] - 1)
    if left > right or top > bottom:
        return
    area = edge(a, b, c[0], c[1])
    if area == 0.0:
        return
    layer = layers[face]
    holes = cutout[layer]
    level = 0
    if holes > 0:
        level = _level(face, texture, a, b, c, 0.0)
    inverse = wp.vec3(1.0 / a[2], 1.0 / b[2], 1.0 / c[2])
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            x = float(column) + 0.5
            y = float(row) + 0.5
            u = edge(b, c, x, y) / area
            v = edge(c, a, x, y) / area
            w = 1.0 - u - v
            if u >= 0.0 and v >= 0.0 and w >= 0.0:
                weights = wp.cw_mul(wp.vec3(u, v, w), inverse)
                depth = 1.0 / (weights[0] + weights[1] + weights[2])
                key = (wp.int64(depth * 1.0e6) << FACE_BITS) | wp.int64(face)
                if key < keys[frame, row, column]:
                    opaque = True
                    if holes > 0:
                        weights = weights * depth
                        place = (
                            texture[face, 0] * weights[0]
                            + texture[face, 1] * weights[1]
                            + texture[face, 2] * weights[2]
                        )
                        opaque = _sampled(texels, layer, level, place)[3] > 0.4
                    if opaque:
                        wp.atomic_min(keys, frame, row, column, key)


@wp.kernel
@no_type_check
def shade_textured(
    keys: wp.array3d(dtype=wp.int64),
    sun_keys: wp.array3d(dtype=wp.int64),
    floor_keys: wp.array3d(dtype=wp.int64),
    faces: wp.array(dtype=wp.vec3i),
    texture: wp.array2d(dtype=wp.vec2),
    layers: wp.array(dtype=wp.int32),
    texels: wp.array3d(dtype=wp.uint8),
    corners: wp.array2d(dtype=wp.vec3),
    worn: wp.array2d(dtype=wp.vec3),
    normals: wp.array2d(dtype=wp.vec3),
    places: wp.array(dtype=wp.vec4),
    cut: wp.array(dtype=CutStruct),
    surfaces: wp.array(dtype=wp.int32),
    materials: wp.array(dtype=MaterialStruct),
    dyes: wp.array(dtype=DyeStruct),
    prints: wp.array3d(dtype=wp.vec3),
    lights: wp.array(dtype=LightStruct),
    sun_frames: wp.array(dtype=wp.mat44),
    eyes: wp.array(dtype=wp.vec3),
    image: wp.array4d(dtype=wp.float32),
):
    """Colour, mask and the floor's shadow of one pixel, the mean of its samples.

    Samples of one texture have the colour of the first of them.
    """
    frame, row, column = wp.tid()
    light = lights[0]
    shaded = -1
    sample = wp.vec3(0.0, 0.0, 0.0)
    colour = wp.vec3(0.0, 0.0, 0.0)
    mask = 0.0
    weight = 1.0 / float(SAMPLES * SAMPLES)
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            key = keys[frame, SAMPLES * row + i, SAMPLES * column + j]
            face = int(key & FACE_MASK)
            layer = -1
            if key < EMPTY:
                layer = layers[face]
            if layer != shaded and layer >= 0:
                corner = faces[face]
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
                number = surfaces[face]
                if number == BARE:
                    number = covering_at(place, cut[0])
                    if number == FEATURE:
                        number = SKIN
                position = texture[face, 0] * u + texture[face, 1] * v + texture[face, 2] * w
                level = _level(face, texture, a, b, c, PIXEL)
                texel = _sampled(texels, layer, level, position)
                bare = _dyed(texel, dyes[number], materials[number], place, prints)
                eye = wp.normalize(eyes[frame] - point)
                sunlit = 1.0 - light.shadow * (1.0 - sunlight(point, frame, sun_frames, sun_keys))
                sample = reflected(materials[number], bare, place, normal, eye, light, sunlit)
                shaded = layer
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
def _dyed(
    texel: wp.vec4,
    dye: DyeStruct,
    material: MaterialStruct,
    place: wp.vec4,
    prints: wp.array3d(dtype=wp.vec3),
) -> wp.vec3:
    """The texture's colour, or the material's as bright as the texture is there, or between."""
    own = wp.vec3(texel[0], texel[1], texel[2])
    grey = 0.299 * own[0] + 0.587 * own[1] + 0.114 * own[2]
    own = wp.cw_mul(own, dye.gain)
    if dye.share > 0.0:
        relief = 1.0 + dye.relief * (wp.min(grey / dye.brightness, 2.0) - 1.0)
        new = colour_at(material, place, 0, prints) * relief
        own = own * (1.0 - dye.share) + new * dye.share
    return wp.vec3(wp.min(own[0], 1.0), wp.min(own[1], 1.0), wp.min(own[2], 1.0))
