"""Images of people: a z-buffer rasteriser with soft shadows, on CPU or GPU.

The camera's axes are x right, y down, z away; the principal point is the image's centre; the
centre of pixel i lies at i + 0.5 [px].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from kinepose.synthetic.clothing import Outfit
from kinepose.synthetic.clothing_mesh import ClothedMesh
from kinepose.synthetic.kernels import (
    EMPTY,
    NEAREST,
    SAMPLES,
    SHADOW_MAP,
    dress,
    rasterise,
    shade,
)
from kinepose.synthetic.lighting import Light
from kinepose.synthetic.surface_kernels import array_of


@dataclass(frozen=True)
class Camera:
    """One pinhole camera a frame."""

    rotation: Float[Tensor, "frames 3 3"]
    """From the world's axes to the camera's."""
    position: Float[Tensor, "frames 3"]
    """In the world [m]."""
    focal: Float[Tensor, " frames"]
    """Focal length [px]."""
    height: int
    width: int


@dataclass(frozen=True)
class Rendered:
    """People without a background."""

    colour: Float[Tensor, "frames height width 3"]
    """From 0 to 1, on black."""
    mask: Float[Tensor, "frames height width"]
    """Share of each pixel that a person covers."""
    shadow: Float[Tensor, "frames height width"]
    """Share of each pixel's floor that lies in a person's shadow, seen through the person."""


def map_frames(camera: Camera, change: Callable[[Tensor], Tensor]) -> Camera:
    """The cameras of other frames: a part of them, or moments between them."""
    rotation, position, focal = map(change, (camera.rotation, camera.position, camera.focal))
    return replace(camera, rotation=rotation, position=position, focal=focal)


def to_camera(
    camera: Camera, points: Float[Tensor, "frames points 3"]
) -> Float[Tensor, "frames points 3"]:
    """Points of the world in the camera's axes [m]."""
    return (points - camera.position[:, None]) @ camera.rotation.transpose(-1, -2)


def to_image(
    camera: Camera, points: Float[Tensor, "frames points 3"]
) -> Float[Tensor, "frames points 2"]:
    """Points in the camera's axes -> where they are seen [px]."""
    centre = points.new_tensor([camera.width / 2, camera.height / 2])
    return points[..., :2] / points[..., 2:] * camera.focal[:, None, None] + centre


def look_at(
    position: Float[Tensor, "frames 3"],
    target: Float[Tensor, "frames 3"],
    roll: Float[Tensor, " frames"],
) -> Float[Tensor, "frames 3 3"]:
    """Rotations, world to camera, that show the target in the middle; roll turns the camera."""
    away = torch.nn.functional.normalize(target - position, dim=-1)
    right = torch.linalg.cross(away, away.new_tensor([0.0, 0.0, 1.0]).expand_as(away))
    right = torch.nn.functional.normalize(right, dim=-1)
    down = torch.linalg.cross(away, right)
    cosine, sine = roll.cos()[:, None], roll.sin()[:, None]
    return torch.stack([cosine * right + sine * down, cosine * down - sine * right, away], dim=1)


def render(
    vertices: Float[Tensor, "frames vertices 3"],
    clothed_mesh: ClothedMesh,
    outfits: Sequence[Outfit],
    lights: Sequence[Light],
    camera: Camera,
) -> Rendered:
    """People in the world [m] on the floor z = 0, one a frame.

    Outfits and lights are one a frame, or one for all frames. Only the window around the person and
    the shadow is painted; it is equally large in all frames.
    """
    frames, device = len(vertices), str(vertices.device)
    every = [material for outfit in outfits for material in outfit.materials]
    materials = array_of(every, device).reshape((len(outfits), -1))
    clothing = (array_of([outfit.cut for outfit in outfits], device), materials)
    sun = torch.tensor([light.direction for light in lights]).to(vertices).expand(frames, 3)
    worn, normals = _dressed(vertices, clothed_mesh, clothing)

    on_floor = worn - sun[:, None] * (worn[..., 2:] / sun[:, None, 2:])
    seen, shadow = seen_by_camera(camera, worn), seen_by_camera(camera, on_floor)
    first, height, width = window_of(camera, torch.cat([seen, shadow], dim=1))
    origin = torch.nn.functional.pad(first, (0, 1))[:, None].to(seen)
    seen = (seen - origin) * seen.new_tensor([SAMPLES, SAMPLES, 1.0])
    sunlit, sun_frame = seen_by_the_sun(worn, sun)
    nearest = (
        nearest_faces(seen, clothed_mesh, SAMPLES * height, SAMPLES * width),
        nearest_faces(sunlit, clothed_mesh, SHADOW_MAP, SHADOW_MAP),
        nearest_faces(shadow - origin, clothed_mesh, height, width),
    )
    window = torch.empty(frames, height, width, 5).to(vertices)
    shape = (
        as_array(clothed_mesh.faces, wp.vec3i),
        *(as_array(each, wp.vec3) for each in (seen, worn, normals)),
    )
    prints = torch.tensor(np.stack([outfit.print for outfit in outfits])).to(vertices)
    surface = (as_array(clothed_mesh.places, wp.vec4), *clothing, as_array(prints, wp.vec3))
    sunlight = (array_of(lights, device), as_array(sun_frame, wp.mat44))
    sight = (*sunlight, as_array(camera.position, wp.vec3), wp.from_torch(window))
    keys = map(wp.from_torch, nearest)
    launch(shade, (frames, height, width), device, *keys, *shape, *surface, *sight)

    return paste(window, first, camera)


def paste(
    window: Float[Tensor, "frames height width 5"], first: Int[Tensor, "frames 2"], camera: Camera
) -> Rendered:
    """Whole images from windows of them, whose left and top are given [px]."""
    frames, height, width, _ = window.shape
    size = (frames, camera.height, camera.width)
    rendered = Rendered(*(torch.zeros(*size, *more).to(window) for more in ((3,), (), ())))
    for frame, (left, top) in enumerate(first.tolist()):
        place = (frame, slice(top, top + height), slice(left, left + width))
        rendered.colour[place] = window[frame, ..., :3]
        rendered.mask[place] = window[frame, ..., 3]
        rendered.shadow[place] = window[frame, ..., 4]
    return rendered


def _dressed(
    vertices: Float[Tensor, "frames vertices 3"],
    clothed_mesh: ClothedMesh,
    clothing: tuple[wp.array, wp.array],
) -> tuple[Float[Tensor, "frames vertices 3"], Float[Tensor, "frames vertices 3"]]:
    """Vertices with cloth on them, given cuts and materials, and their normals."""
    worn, normals = torch.empty_like(vertices), torch.empty_like(vertices)
    mesh = (as_array(vertices, wp.vec3), as_array(clothed_mesh.faces, wp.vec3i))
    around = (
        as_array(clothed_mesh.faces_of_vertices, wp.int32),
        as_array(clothed_mesh.starts, wp.int32),
    )
    surface = (as_array(clothed_mesh.places, wp.vec4), *clothing)
    results = (as_array(worn, wp.vec3), as_array(normals, wp.vec3))
    shape = (len(vertices), vertices.shape[1])
    launch(dress, shape, str(vertices.device), *mesh, *around, *surface, *results)
    return worn, normals


def nearest_faces(
    corners: Float[Tensor, "frames vertices 3"], clothed_mesh: ClothedMesh, height: int, width: int
) -> Int[Tensor, "frames {height} {width}"]:
    """Keys of the nearest face of each sample, for vertices (x, y) [samples] and depth [m].

    A key is EMPTY, or a depth whose bits of FACE_MASK are the face's number.
    """
    shape, device = (len(corners), len(clothed_mesh.faces)), str(corners.device)
    keys = torch.full((len(corners), height, width), EMPTY.value, dtype=torch.int64).to(
        corners.device
    )
    mesh = (as_array(corners, wp.vec3), as_array(clothed_mesh.faces, wp.vec3i))
    launch(rasterise, shape, device, *mesh, wp.from_torch(keys))
    return keys


def launch(kernel: wp.Kernel, shape: tuple[int, ...], device: str, *arguments: object) -> None:
    """Runs a kernel for all indices of a shape."""
    wp.launch(kernel, dim=shape, inputs=list(arguments), device=device)


def seen_by_camera(
    camera: Camera, points: Float[Tensor, "frames points 3"]
) -> Float[Tensor, "frames points 3"]:
    """Where vertices are seen [px], and their depth [m]."""
    inside = to_camera(camera, points)
    return torch.cat([to_image(camera, inside), inside[..., 2:]], dim=-1)


def window_of(
    camera: Camera, corners: Float[Tensor, "frames points 3"]
) -> tuple[Int[Tensor, "frames 2"], int, int]:
    """Left and top of the smallest windows that show all corners, and their height and width [px].

    Where a corner is not before the camera the window is the whole image.
    """
    size = torch.tensor([camera.width, camera.height]).to(corners)
    before = (corners[..., 2] > NEAREST).all(1)[:, None]
    zero = torch.zeros_like(size)
    low = torch.where(before, corners[..., :2].amin(1).floor(), zero).clamp(zero, size)
    high = torch.where(before, corners[..., :2].amax(1).ceil(), size).clamp(zero, size)
    extent = (high - low).amax(0).clamp(min=1)
    width, height = extent.int().tolist()
    return torch.minimum(low, size - extent).int(), height, width


def seen_by_the_sun(
    points: Float[Tensor, "frames points 3"], sun: Float[Tensor, "frames 3"]
) -> tuple[Float[Tensor, "frames points 3"], Float[Tensor, "frames 4 4"]]:
    """Vertices in the sun's image of each person, and the transform into it."""
    zero = torch.zeros_like(sun[:, 0])
    centre = (points.amax(1) + points.amin(1)) / 2
    rotation = look_at(sun * 10, torch.zeros_like(sun), zero)
    reach = (points - centre[:, None]).norm(dim=-1).amax(-1) * 1.05
    scale = torch.stack([0.5 / reach, 0.5 / reach, torch.ones_like(reach)], dim=-1)
    linear = rotation * scale[..., None]
    offset = sun.new_tensor([0.5, 0.5, 5.0]) - (linear @ centre[..., None]).squeeze(-1)
    frame = torch.eye(4).to(sun).repeat(len(sun), 1, 1)
    frame[:, :3, :3], frame[:, :3, 3] = linear, offset
    seen = points @ linear.transpose(-1, -2) + offset[:, None]
    return seen * sun.new_tensor([SHADOW_MAP, SHADOW_MAP, 1.0]), frame


def as_array(tensor: Tensor, dtype: type) -> wp.array:
    """A tensor as kernels take it, without a copy where it lies in one piece."""
    return wp.from_torch(tensor.contiguous(), dtype=dtype)
