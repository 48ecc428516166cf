"""The renderer's inner loops: one source for CPU and CUDA (NVIDIA Warp).

One thread a face walks its bounding box and takes the atomic minimum of a key (depth, face); one
thread a pixel looks up the nearest face of each of its four samples and shades it. The order of
threads cannot be seen in the result. Warp reads the annotations of kernels itself: hence
`no_type_check`.
"""

from typing import no_type_check

import warp as wp

from kinepose.synthetic.surface_kernels import (
    CutStruct,
    LightStruct,
    MaterialStruct,
    colour_at,
    covering_at,
    reflected,
    thickness_at,
)

wp.set_module_options({"enable_backward": False})

SAMPLES = wp.constant(2)
"""Samples a pixel, across and down."""
SHADOW_MAP = wp.constant(128)
"""Side of the image that the sun takes of a person, for shadows on the body [px]."""
FACE_BITS = wp.constant(wp.int64(20))
FACE_MASK = wp.constant(wp.int64(2**20 - 1))
EMPTY = wp.constant(wp.int64(2**62))
NEAREST = wp.constant(0.05)
"""Faces nearer to the camera are left out [m]."""


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
