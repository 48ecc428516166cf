"""Readers of MakeHuman's files: meshes (obj), and how they are bound to the base mesh (mhclo)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from kinepose.io.errors import BadInputError

_AXES = ("x_scale", "y_scale", "z_scale")


@dataclass(frozen=True)
class ObjMesh:
    """A mesh of triangles with texture coordinates."""

    vertices: Float[np.ndarray, "vertices 3"]
    texture: Float[np.ndarray, "coordinates 2"]
    """From the image's left and top, 0 to 1."""
    faces: Int[np.ndarray, "faces 3"]
    face_texture: Int[np.ndarray, "faces 3"]
    """Which of `texture` each corner has."""
    groups: tuple[str, ...]
    """The group that each face is in."""


@dataclass(frozen=True)
class Binding:
    """Where each vertex of a garment lies on the base mesh, in MakeHuman's axes (y up, z forward).

    Vertex i is the sum of the vertices bound[i] times weights[i], plus offsets[i], whose axis k is
    scaled by the distance of the vertices measured[k] along that axis over lengths[k].
    """

    bound: Int[np.ndarray, "vertices 3"]
    weights: Float[np.ndarray, "vertices 3"]
    offsets: Float[np.ndarray, "vertices 3"]
    measured: Int[np.ndarray, "3 2"]
    lengths: Float[np.ndarray, "3"]
    hidden: Int[np.ndarray, " hidden"]
    """Vertices of the base mesh that the garment hides."""


def read_obj(path: Path) -> ObjMesh:
    """The mesh in an obj file; polygons are cut into fans of triangles.

    Raises:
        BadInputError: if it cannot be read, or is no mesh with texture coordinates.
    """
    vertices, texture, groups = [], [], []
    faces: list[list[list[int]]] = []
    group = ""
    try:
        for line in path.read_text("utf-8").splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words[:3]])
            elif kind == "vt":
                texture.append([float(words[0]), 1 - float(words[1])])
            elif kind == "g":
                group = words[0] if words else ""
            elif kind == "f":
                corners = [[int(index) for index in word.split("/")[:2]] for word in words]
                fans = range(1, len(corners) - 1)
                faces += [[corners[0], corners[i], corners[i + 1]] for i in fans]
                groups += [group for _ in fans]
        corners = np.array(faces, dtype=np.int64).reshape(-1, 3, 2) - 1
        mesh = ObjMesh(
            np.array(vertices, dtype=np.float64).reshape(-1, 3),
            np.array(texture, dtype=np.float64).reshape(-1, 2),
            corners[..., 0],
            corners[..., 1],
            tuple(groups),
        )
    except (OSError, ValueError, IndexError) as error:
        raise BadInputError(f"{path} is no mesh with texture coordinates: {error}") from error
    if len(mesh.faces) == 0:
        raise BadInputError(f"{path} is no mesh with texture coordinates: it has no faces")
    for indices, values in ((mesh.faces, mesh.vertices), (mesh.face_texture, mesh.texture)):
        if indices.min() < 0 or indices.max() >= len(values):
            raise BadInputError(f"{path} is no mesh with texture coordinates: index out of range")
    return mesh


def read_mhclo(path: Path, base_vertices: int) -> Binding:
    """How a garment is bound to a base mesh of so many vertices.

    Raises:
        BadInputError: if it cannot be read, or names vertices that the base mesh has not.
    """
    axes, rows, hidden, section = {}, [], [], ""
    try:
        for line in path.read_text("utf-8").splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] in _AXES:
                axes[words[0]] = (int(words[1]), int(words[2]), float(words[3]))
            elif words[0] in ("verts", "delete_verts"):
                section = words[0]
            elif words[0].lstrip("-").isdigit() and section == "verts":
                rows.append(_bound(words))
            elif words[0].isdigit() and section == "delete_verts":
                hidden += _ranges(words)
        scales = [axes[axis] for axis in _AXES]
        table = np.array(rows, dtype=np.float64).reshape(-1, 9)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise BadInputError(f"{path} binds nothing to a body: {error!r}") from error
    binding = Binding(
        bound=table[:, :3].astype(np.int64),
        weights=table[:, 3:6],
        offsets=table[:, 6:],
        measured=np.array([scale[:2] for scale in scales]),
        lengths=np.array([scale[2] for scale in scales]),
        hidden=np.array(sorted(set(hidden)), dtype=np.int64),
    )
    if len(rows) == 0:
        raise BadInputError(f"{path} binds nothing to a body: it has no vertices")
    indices = (binding.bound, binding.measured, binding.hidden)
    named = np.concatenate([each.ravel() for each in indices])
    if named.min() < 0 or named.max() >= base_vertices:
        raise BadInputError(f"{path} names a vertex that the body has not: {int(named.max())}")
    return binding


def _bound(words: list[str]) -> list[float]:
    """Three vertices, weights and offsets; a vertex alone lies exactly there."""
    if len(words) == 1:
        return [int(words[0])] * 3 + [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    indices, numbers = [int(word) for word in words[:3]], [float(word) for word in words[3:9]]
    if len(numbers) != 6:
        raise ValueError(f"'{' '.join(words)}' has not 9 numbers")
    return [*indices, *numbers]


def _ranges(words: list[str]) -> list[int]:
    """`3 5 - 7` is 3, 5, 6, 7."""
    indices: list[int] = []
    for position, word in enumerate(words):
        if word == "-":
            indices += range(int(words[position - 1]) + 1, int(words[position + 1]))
        else:
            indices.append(int(word))
    return indices
