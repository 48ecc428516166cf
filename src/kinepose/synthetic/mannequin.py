"""Jointed mannequins: people of another body, material and shading than all others here.

They exist for one question: how well does what was learned from the other people carry over to
an appearance that no setting of theirs produces? A mannequin is made of tapered limbs with flat
facets, each of one colour, which is lit in a few even bands, from cool shadow to warm light (Gooch
et al. 1998).
"""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinepose.geometry.rotations import any_perpendicular, unit
from kinepose.method.forward_kinematics import stature
from kinepose.synthetic.body import BodyModel, load_body
from kinepose.synthetic.clothing_mesh import clothed_mesh_of
from kinepose.synthetic.kernels import EMPTY, FACE_MASK, SAMPLES
from kinepose.synthetic.lighting import Light, Vector
from kinepose.synthetic.renderer import Camera, Rendered, nearest_faces, seen_by_camera
from kinepose.synthetic.scene import Actor

_AROUND = 9
"""Facets around a limb."""
_ALONG = torch.tensor([0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0])
_BEYOND = torch.tensor([-1.0, -0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.7, 1.0])
_WIDTH = torch.tensor([0.02, 0.71, 1.0, 1.0, 1.0, 1.0, 1.0, 0.71, 0.02])
"""Of the rings of a limb: where along it, how far beyond its end, and how wide [radii]."""
_BANDS = 3

_LEFT_TOE, _RIGHT_TOE, _LEFT_HAND, _RIGHT_HAND, _CROWN = range(17, 22)
_LIMBS = (
    *((1, 2, 0.085, 0.055), (2, 3, 0.06, 0.04), (3, _RIGHT_TOE, 0.042, 0.03)),
    *((4, 5, 0.085, 0.055), (5, 6, 0.06, 0.04), (6, _LEFT_TOE, 0.042, 0.03)),
    *((14, 15, 0.052, 0.04), (15, 16, 0.042, 0.028), (16, _RIGHT_HAND, 0.032, 0.02)),
    *((11, 12, 0.052, 0.04), (12, 13, 0.042, 0.028), (13, _LEFT_HAND, 0.032, 0.02)),
    *((1, 4, 0.095, 0.095), (1, 14, 0.085, 0.06), (4, 11, 0.085, 0.06), (0, 7, 0.11, 0.115)),
    *((7, 8, 0.115, 0.075), (14, 8, 0.055, 0.06), (11, 8, 0.055, 0.06), (8, _CROWN, 0.05, 0.05)),
    *((_CROWN, 10, 0.105, 0.03), (_CROWN, 9, 0.08, 0.03)),
)
"""Ends, and the radii at them [of a stature of 1.65 m]."""
_HEAD_LIMBS = 2


@dataclass(frozen=True)
class Mannequin:
    """The appearance of one mannequin."""

    girth: float
    """Factor on all radii but the head's."""
    facets: Float[Tensor, "faces 3"]
    """Colour of each face, 0 to 1."""
    cool: Vector
    warm: Vector


def random_mannequin(generator: np.random.Generator) -> Mannequin:
    """Colours by limb, in rings of two colours on some limbs."""
    rings, count = len(_ALONG) - 1, len(_LIMBS)
    first, second = (generator.uniform(0.1, 0.95, (count, 1, 3)) for _ in range(2))
    first[:] = np.where(generator.random((count, 1, 1)) < 0.6, first[:1], first)
    ringed = (generator.random((count, 1, 1)) < 0.5) & (np.arange(rings)[:, None] % 2 == 1)
    colours = np.where(ringed, second, first)[:, :, None].repeat(2 * _AROUND, 2)
    tint = generator.uniform(-0.15, 0.15)
    return Mannequin(
        float(generator.uniform(0.8, 1.3)),
        torch.from_numpy(colours.reshape(-1, 3)).float(),
        (0.25 - tint, 0.3, 0.55 + tint),
        (1.0 + tint, 0.95, 0.75 - tint),
    )


def mannequin_vertices(actor: Actor, girth: float) -> Float[Tensor, "frames vertices 3"]:
    """The mannequin that stands in for a person: its limbs run from joint to joint [m]."""
    toes_and_hands = actor.vertices[:, list(_tips(load_body()))]
    crown = torch.lerp(actor.joints[:, 8], actor.joints[:, 10], 0.62)[:, None]
    points = torch.cat([actor.joints, toes_and_hands, crown], dim=1)
    starts, ends = ([limb[end] for limb in _LIMBS] for end in (0, 1))
    radii = torch.tensor([limb[2:] for limb in _LIMBS])
    radii[:-_HEAD_LIMBS] *= girth
    radii = radii * (stature(actor.joints[:1]) / 1.65)[:, None]

    start, end = points[:, starts, None], points[:, ends, None]
    axis = unit(end - start, fallback=torch.tensor([0.0, 0.0, 1.0]))
    across = any_perpendicular(axis)
    third = torch.linalg.cross(axis, across)
    radius = torch.lerp(radii[:, :1], radii[:, 1:], _ALONG)[..., None]
    middle = torch.lerp(start, end, _ALONG[:, None]) + radius * _BEYOND[:, None] * axis
    turn = torch.arange(_AROUND) * (2 * math.pi / _AROUND)
    around = across[..., None, :] * turn.cos()[:, None] + third[..., None, :] * turn.sin()[:, None]
    ring = middle[..., None, :] + (radius * _WIDTH[:, None])[..., None] * around
    return ring.flatten(1, 3)


def render_mannequin(
    vertices: Float[Tensor, "frames vertices 3"], mannequin: Mannequin, light: Light, camera: Camera
) -> Rendered:
    """Mannequins in the world [m] on the floor z = 0, one a frame, lit from light.direction."""
    faces = _faces()
    clothed_mesh = clothed_mesh_of(faces, torch.zeros(vertices.shape[1], 4))
    sun = torch.tensor(light.direction)
    first, second, third = (vertices[:, faces[:, corner]] for corner in range(3))
    normals = unit(torch.linalg.cross(second - first, third - first), fallback=sun)
    band = ((0.5 + 0.5 * normals @ sun) * _BANDS).floor().clamp(0, _BANDS - 1) / (_BANDS - 1)
    tone = torch.lerp(torch.tensor(mannequin.cool), torch.tensor(mannequin.warm), band[..., None])
    facets = (0.25 + 0.75 * mannequin.facets) * tone

    large = SAMPLES * camera.width, SAMPLES * camera.height
    fine = replace(camera, focal=SAMPLES * camera.focal, width=large[0], height=large[1])
    keys = nearest_faces(seen_by_camera(fine, vertices), clothed_mesh, large[1], large[0])
    on_floor = vertices - sun * (vertices[..., 2:] / sun[2])
    shadow = nearest_faces(
        seen_by_camera(camera, on_floor), clothed_mesh, camera.height, camera.width
    )
    hit = (keys < EMPTY.value)[..., None]
    rows = torch.arange(len(vertices))[:, None, None]
    seen = torch.where(hit, facets[rows, (keys & FACE_MASK.value).clamp(max=len(faces) - 1)], 0.0)
    colour = torch.cat([seen, hit.float()], dim=-1).unflatten(2, (-1, SAMPLES))
    colour = colour.unflatten(1, (-1, SAMPLES)).mean((2, 4))
    return Rendered(colour[..., :3].clamp(max=1), colour[..., 3], (shadow < EMPTY.value).float())


@functools.cache
def _faces() -> Int[Tensor, "faces 3"]:
    """Limb by limb, ring by ring, seen from outside; rings at the ends are next to nothing."""
    rings = len(_ALONG)
    limb, ring, column = torch.meshgrid(
        torch.arange(len(_LIMBS)), torch.arange(rings - 1), torch.arange(_AROUND), indexing="ij"
    )
    lower = (limb * rings + ring) * _AROUND + column
    lower_next = (limb * rings + ring) * _AROUND + (column + 1) % _AROUND
    upper, upper_next = lower + _AROUND, lower_next + _AROUND
    pair = [
        torch.stack([lower, lower_next, upper], -1),
        torch.stack([lower_next, upper_next, upper], -1),
    ]
    return torch.stack(pair, dim=3).flatten(0, 3).int()


@functools.cache
def _tips(body: BodyModel) -> tuple[int, int, int, int]:
    """Vertices at the tips of both feet and both hands, left and right."""

    def farthest(bone: str, direction: tuple[float, float, float]) -> int:
        of_bone = torch.nonzero(body.dominant_bone == body.bones.index(bone)).squeeze(1)
        return int(of_bone[(body.rest[of_bone] @ torch.tensor(direction)).argmax()])

    forward, down = (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)
    return (
        farthest("foot.L", forward),
        farthest("foot.R", forward),
        farthest("wrist.L", down),
        farthest("wrist.R", down),
    )
