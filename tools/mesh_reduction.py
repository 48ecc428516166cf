"""Parts of meshes, and meshes with fewer faces."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool
from meshoptimizer.simplifier import SIMPLIFY_LOCK_BORDER, simplify
from tools.makehuman import ObjMesh


def part_of(mesh: ObjMesh, kept: Bool[np.ndarray, " faces"]) -> ObjMesh:
    """The mesh of some of the faces."""
    return replace(mesh, faces=mesh.faces[kept], face_texture=mesh.face_texture[kept])


def reduce_mesh(mesh: ObjMesh, faces: int, name: str, lock: bool = False) -> ObjMesh:
    """The mesh with about so many faces, on some of its vertices; texture seams are kept."""
    pairs = np.stack([mesh.faces.ravel(), mesh.face_texture.ravel()], axis=-1)
    wedges, indices = np.unique(pairs, axis=0, return_inverse=True)
    indices = np.ascontiguousarray(indices.ravel(), dtype=np.uint32)
    positions = np.ascontiguousarray(mesh.vertices[wedges[:, 0]], dtype=np.float32)
    result = np.zeros_like(indices)
    options = SIMPLIFY_LOCK_BORDER if lock else 0
    kept = simplify(
        result, indices, positions, target_index_count=3 * faces, target_error=0.1, options=options
    )
    corners = wedges[result[:kept].reshape(-1, 3).astype(np.int64)]
    print(f"{name}: {len(mesh.faces)} faces, reduced to {len(corners)}")
    return replace(mesh, faces=corners[..., 0], face_texture=corners[..., 1])
