"""Textured bodies and what they wear: meshes that are bound to a body of any shape.

A garment's vertex lies where three vertices of the body are, on average, and a little off them
(MakeHuman's mhclo); so it follows every shape, and its bones are those of the body beneath it.
"""

import functools
from dataclasses import dataclass
from importlib.resources import files

import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from torch import Tensor

from kinepose.synthetic.body import BodyModel, load_body
from kinepose.synthetic.clothing_mesh import arm_places


@dataclass(frozen=True)
class Surface:
    """Faces and where on a texture their corners lie (from its left and top, 0 to 1)."""

    faces: Int[Tensor, "faces 3"]
    texture: Float[Tensor, "faces 3 2"]


@dataclass(frozen=True)
class Garment:
    """Clothes, shoes, a hat or hair."""

    surface: Surface
    bound: Int[Tensor, "vertices 3"]
    weights: Float[Tensor, "vertices 3"]
    offsets: Float[Tensor, "vertices 3"]
    """In the world's axes, to be scaled along each."""
    measured: Int[Tensor, "3 2"]
    """Vertices of the body whose distance along an axis, by `lengths`, is the scale [dm]."""
    lengths: Float[Tensor, "3"]
    hidden: Int[Tensor, " hidden"]
    """Vertices of the body that the garment covers."""
    brightness: float
    """Mean luminance of its texture, 0 to 1."""


@dataclass(frozen=True)
class Wardrobe:
    """A body of skin and eyes, and all garments."""

    template: Float[Tensor, "vertices 3"]
    blendshapes: Float[Tensor, "shapes vertices 3"]
    """One for each coefficient of the BodyModel."""
    bone_weights: Float[Tensor, "vertices bones"]
    skin: Surface
    eyes: Surface
    garments: dict[str, Garment]
    """By name, which begins with top, bottom, full, shoes, hat or hair and a dot."""


@dataclass(frozen=True)
class Part:
    """One textured part of a dressed person."""

    surface: Surface
    """Its faces are of the part's own vertices."""
    rest: Float[Tensor, "vertices 3"]
    """At rest, in the person's own shape [m]."""
    bone_weights: Float[Tensor, "vertices bones"]
    places: Float[Tensor, "vertices 4"]
    """As ClothedMesh.places: on the androgynous adult at rest."""
    hidden: Bool[Tensor, " vertices"]
    """Skin under clothes, of which only the borders are left."""


@functools.cache
def load_wardrobe() -> Wardrobe:
    """The wardrobe of this package, read once per process."""
    path = str(files("kinepose.synthetic") / "assets" / "wardrobe.safetensors")
    with safe_open(path, framework="pt") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    bones = torch.zeros(len(arrays["template"]), len(load_body().bones))
    weights, indices = arrays["bone_weights"].float(), arrays["bone_indices"].long()
    names = sorted(name.removesuffix(".bound") for name in arrays if name.endswith(".bound"))
    return Wardrobe(
        arrays["template"],
        arrays["blendshapes"].float(),
        bones.scatter_add(1, indices, weights / weights.sum(1, keepdim=True)),
        _surface(arrays, "body"),
        _surface(arrays, "eyes"),
        {name: _garment(arrays, name) for name in names},
    )


def body_shape(
    wardrobe: Wardrobe, coefficients: Float[Tensor, " shapes"]
) -> Float[Tensor, "vertices 3"]:
    """The vertices that everything is bound to, at rest [m]."""
    return wardrobe.template + torch.einsum("s,svk->vk", coefficients, wardrobe.blendshapes)


def fit(
    garment: Garment, vertices: Float[Tensor, "vertices 3"]
) -> Float[Tensor, "garment_vertices 3"]:
    """Where a garment's vertices lie on a body at rest [m]."""
    ends = vertices[garment.measured, torch.arange(3)[:, None]]
    scale = (ends[:, 0] - ends[:, 1]).abs() / garment.lengths
    corners = torch.einsum("vck,vc->vk", vertices[garment.bound], garment.weights)
    return corners + garment.offsets * scale


def wear(
    wardrobe: Wardrobe, names: tuple[str, ...], coefficients: Float[Tensor, " shapes"]
) -> list[Part]:
    """Skin, eyes, and the garments of these names, for a body of a shape."""
    body = load_body()
    shape, adult = body_shape(wardrobe, coefficients), _adult(wardrobe)
    hidden = torch.zeros(len(shape), dtype=torch.bool)
    for name in names:
        hidden[wardrobe.garments[name].hidden] = True
    skin = _part(wardrobe, body, wardrobe.skin, shape, adult, hidden)
    eyes = _part(wardrobe, body, wardrobe.eyes, shape, adult, torch.zeros_like(hidden))
    return [skin, eyes, *(_worn(wardrobe, name, shape) for name in names)]


def _part(
    wardrobe: Wardrobe,
    body: BodyModel,
    surface: Surface,
    shape: Float[Tensor, "vertices 3"],
    adult: Float[Tensor, "vertices 3"],
    hidden: Bool[Tensor, " vertices"],
) -> Part:
    """The faces of the body that are not hidden."""
    seen = ~hidden[surface.faces].all(1)
    used, faces = surface.faces[seen].unique(return_inverse=True)
    weights = wardrobe.bone_weights[used]
    places = arm_places(body, adult[used], weights.argmax(1))
    return Part(Surface(faces, surface.texture[seen]), shape[used], weights, places, hidden[used])


def _worn(wardrobe: Wardrobe, name: str, shape: Float[Tensor, "vertices 3"]) -> Part:
    garment = wardrobe.garments[name]
    weights, places = _fixed(name)
    hidden = torch.zeros(len(weights), dtype=torch.bool)
    return Part(garment.surface, fit(garment, shape), weights, places, hidden)


@functools.cache
def _fixed(name: str) -> tuple[Float[Tensor, "vertices bones"], Float[Tensor, "vertices 4"]]:
    """A garment's bone weights, and its places on the adult."""
    wardrobe = load_wardrobe()
    garment = wardrobe.garments[name]
    of_bound = wardrobe.bone_weights[garment.bound]
    weights = torch.einsum("vcb,vc->vb", of_bound, garment.weights).clamp(min=0)
    weights = weights / weights.sum(1, keepdim=True)
    fitted = fit(garment, _adult(wardrobe))
    return weights, arm_places(load_body(), fitted, weights.argmax(1))


def _adult(wardrobe: Wardrobe) -> Float[Tensor, "vertices 3"]:
    return body_shape(wardrobe, load_body().adult_coefficients)


def _surface(arrays: dict[str, Tensor], name: str) -> Surface:
    return Surface(arrays[f"{name}.faces"].long(), arrays[f"{name}.texture"].float())


def _garment(arrays: dict[str, Tensor], name: str) -> Garment:
    return Garment(
        _surface(arrays, name),
        arrays[f"{name}.bound"].long(),
        arrays[f"{name}.weights"],
        arrays[f"{name}.offsets"],
        arrays[f"{name}.measured"].long(),
        arrays[f"{name}.lengths"],
        arrays[f"{name}.hidden"].long(),
        float(arrays[f"{name}.brightness"]),
    )
