"""Images of people with textured skin, hair and clothes."""

from dataclasses import dataclass

import numpy as np
import torch
import warp as wp
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from kinepose.synthetic.clothing import Covering
from kinepose.synthetic.clothing_mesh import ClothedMesh, clothed_mesh_of
from kinepose.synthetic.garments import load_wardrobe, wear
from kinepose.synthetic.kernels import EMPTY, SAMPLES, SHADOW_MAP
from kinepose.synthetic.lighting import Light
from kinepose.synthetic.renderer import (
    Camera,
    Rendered,
    as_array,
    launch,
    paste,
    seen_by_camera,
    seen_by_the_sun,
    window_of,
)
from kinepose.synthetic.styles import Style
from kinepose.synthetic.surface_kernels import array_of
from kinepose.synthetic.textured_kernels import lift, rasterise_textured, shade_textured
from kinepose.synthetic.textures import eye_texture, load_texture

_SUNK = -0.012
"""How far skin at the borders of clothes lies below where it is bare [m]."""
_LIFT = {"bottom": 0.002, "shoes": 0.003, "full": 0.004, "top": 0.008, "hat": 0.002, "hair": 0.0}
"""How far garments are lifted off where they were modelled, so that nothing pierces them [m]."""


@dataclass(frozen=True)
class Dressed:
    """One person's mesh, ready to be posed and rendered."""

    rest: Float[Tensor, "vertices 3"]
    bone_weights: Float[Tensor, "vertices bones"]
    clothed_mesh: ClothedMesh
    lifts: Float[Tensor, " vertices"]
    """How far vertices are moved along their normals [m]."""
    texture: Float[Tensor, "faces 3 2"]
    layers: Int[Tensor, " faces"]
    """Which texture each face has: skin 0, eyes 1, then the style's garments."""
    surfaces: Int[Tensor, " faces"]
    """Which of the style's materials each face has; -1 for that of its Covering."""
    texels: UInt8[Tensor, "layers texels 4"]
    """Pyramids of the textures, in red, green, blue and opacity."""
    cutout: Int[Tensor, " layers"]
    """1 where a texture's transparent parts are holes."""
    skin: int
    """How many of the vertices, the first ones, are skin."""
    hair: int
    """The first vertex of the hair, which comes last."""


def dress(style: Style, coefficients: Float[Tensor, " shapes"]) -> Dressed:
    """The mesh of a person of a shape in clothes of a style."""
    parts = wear(load_wardrobe(), style.garments, coefficients)
    kinds = [name.partition(".")[0] for name in style.garments]
    sizes = [len(part.rest) for part in parts]
    firsts = np.cumsum([0, *sizes])
    starts = zip(parts, firsts[:-1], strict=True)
    faces = [part.surface.faces + int(first) for part, first in starts]
    counts = torch.tensor([len(each) for each in faces])
    layers = torch.arange(len(parts)).repeat_interleave(counts)
    surfaces = torch.where(layers == 0, -1, layers - 1 + len(Covering))
    hair = any(kind == "hair" for kind in kinds)
    lifts = [_SUNK * parts[0].hidden.float(), torch.zeros(sizes[1])]
    lifts += [torch.full((size,), _LIFT[kind]) for size, kind in zip(sizes[2:], kinds, strict=True)]
    joined = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("rest", "bone_weights", "places")
    }
    return Dressed(
        rest=joined["rest"],
        bone_weights=joined["bone_weights"],
        clothed_mesh=clothed_mesh_of(torch.cat(faces).to(torch.int32), joined["places"]),
        lifts=torch.cat(lifts),
        texture=torch.cat([part.surface.texture for part in parts]),
        layers=layers.to(torch.int32),
        surfaces=surfaces.to(torch.int32),
        texels=style_texels(style),
        cutout=torch.tensor([kind == "hair" for kind in ("", "", *kinds)]).int(),
        skin=sizes[0],
        hair=int(firsts[-2]) if hair else int(firsts[-1]),
    )


def pose_mesh(
    dressed: Dressed, transforms: Float[Tensor, "frames bones 4 4"]
) -> Float[Tensor, "frames vertices 3"]:
    """Vertices [m] under bones that are moved from where they are at rest."""
    frames = len(transforms)
    rows = transforms[:, :, :3].permute(1, 0, 2, 3).flatten(1)
    mixed = (dressed.bone_weights @ rows).unflatten(1, (frames, 3, 4))
    posed = (mixed[..., :3] @ dressed.rest[:, None, :, None]).squeeze(-1) + mixed[..., 3]
    return posed.transpose(0, 1).contiguous()


def render_dressed(
    dressed: Dressed,
    vertices: Float[Tensor, "frames vertices 3"],
    heads: Float[Tensor, "frames 3"],
    style: Style,
    light: Light,
    camera: Camera,
) -> Rendered:
    """One person in the world [m] on the floor z = 0, the middle of whose head is known."""
    frames, clothed_mesh = len(vertices), dressed.clothed_mesh
    clothing = (array_of([style.cut], "cpu"), array_of(style.materials, "cpu"))
    worn, normals = _lifted(dressed, vertices, heads, clothing)
    sun = torch.tensor(light.direction).expand(frames, 3)
    on_floor = worn - sun[:, None] * (worn[..., 2:] / sun[:, None, 2:])
    seen, shadow = seen_by_camera(camera, worn), seen_by_camera(camera, on_floor)
    first, height, width = window_of(camera, torch.cat([seen, shadow], dim=1))
    origin = torch.nn.functional.pad(first, (0, 1))[:, None].to(seen)
    seen = (seen - origin) * seen.new_tensor([SAMPLES, SAMPLES, 1.0])
    sunlit, sun_frame = seen_by_the_sun(worn, sun)
    faces = (as_array(clothed_mesh.faces, wp.vec3i), as_array(dressed.texture, wp.vec2))
    layers, texels = as_array(dressed.layers, wp.int32), as_array(dressed.texels, wp.uint8)
    surface = (*faces, layers, as_array(dressed.cutout, wp.int32), texels)
    nearest = (
        _nearest(seen, surface, SAMPLES * height, SAMPLES * width),
        _nearest(sunlit, surface, SHADOW_MAP, SHADOW_MAP),
        _nearest(shadow - origin, surface, height, width),
    )
    window = torch.empty(frames, height, width, 5)
    shape = (as_array(each, wp.vec3) for each in (seen, worn, normals))
    prints = torch.tensor(style.print)[None]
    launch(
        shade_textured,
        (frames, height, width),
        "cpu",
        *map(wp.from_torch, nearest),
        *(*faces, layers, texels, *shape, as_array(clothed_mesh.places, wp.vec4)),
        *(clothing[0], as_array(dressed.surfaces, wp.int32), clothing[1]),
        *(array_of(style.dyes, "cpu"), as_array(prints, wp.vec3), array_of([light], "cpu")),
        *(as_array(sun_frame, wp.mat44), as_array(camera.position, wp.vec3)),
        wp.from_torch(window),
    )
    return paste(window, first, camera)


def style_texels(style: Style) -> UInt8[Tensor, "layers texels 4"]:
    """The pyramids of skin, eyes and garments, in this order."""
    garments = (load_texture(name.partition(".")[2]) for name in style.garments)
    return torch.from_numpy(
        np.stack([load_texture(style.skin), eye_texture(style.iris), *garments])
    )


def _lifted(
    dressed: Dressed,
    vertices: Float[Tensor, "frames vertices 3"],
    heads: Float[Tensor, "frames 3"],
    clothing: tuple[wp.array, wp.array],
) -> tuple[Float[Tensor, "frames vertices 3"], Float[Tensor, "frames vertices 3"]]:
    """Vertices moved along their normals, and these normals."""
    worn, normals, clothed_mesh = (
        torch.empty_like(vertices),
        torch.empty_like(vertices),
        dressed.clothed_mesh,
    )
    launch(
        lift,
        (len(vertices), vertices.shape[1]),
        "cpu",
        *(as_array(vertices, wp.vec3), as_array(clothed_mesh.faces, wp.vec3i)),
        *(
            as_array(clothed_mesh.faces_of_vertices, wp.int32),
            as_array(clothed_mesh.starts, wp.int32),
        ),
        *(as_array(clothed_mesh.places, wp.vec4), as_array(dressed.lifts, wp.float32)),
        *(as_array(heads, wp.vec3), dressed.skin, dressed.hair, *clothing),
        *(as_array(worn, wp.vec3), as_array(normals, wp.vec3)),
    )
    return worn, normals


def _nearest(
    corners: Float[Tensor, "frames vertices 3"],
    surface: tuple[wp.array, ...],
    height: int,
    width: int,
) -> Int[Tensor, "frames {height} {width}"]:
    """Keys of the nearest opaque face of each sample: see renderer.nearest_faces."""
    keys = torch.full((len(corners), height, width), EMPTY.value, dtype=torch.int64)
    shape = (len(corners), len(surface[0]))
    launch(
        rasterise_textured,
        shape,
        "cpu",
        as_array(corners, wp.vec3),
        *surface,
        wp.from_torch(keys),
    )
    return keys
