"""The mesh that clothes are painted on: where on the body at rest each of its vertices lies."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinepose.synthetic.body import BodyModel
from kinepose.synthetic.clothing import Covering
from kinepose.synthetic.skirt import skirt_faces, skirt_places
from kinepose.synthetic.surface_kernels import SKIRT

TRUNK = -1.0
"""What a vertex is part of that is neither on an arm nor on a skirt."""


@dataclass(frozen=True)
class ClothedMesh:
    """The dressed mesh of a body: what is the same for all people and poses."""

    faces: Int[Tensor, "faces 3"]
    places: Float[Tensor, "vertices 4"]
    """Where each vertex lies on the body at rest [m]; and what it is part of: on an arm 0 at the
    shoulder to 1 at the elbow to 2 at the wrist, on a skirt SKIRT + its Covering, else TRUNK."""
    faces_of_vertices: Int[Tensor, " corners"]
    starts: Int[Tensor, " vertices_and_one"]
    """The faces around vertex i are faces_of_vertices[starts[i] : starts[i + 1]]."""


def make_clothed_mesh(body: BodyModel, skirt: Covering | None = None) -> ClothedMesh:
    """The mesh of a body, and of a skirt of the material of a Covering."""
    faces, places = body.faces, _places(body)
    if skirt is not None:
        faces = torch.cat([faces, skirt_faces() + len(places)])
        places = torch.cat([places, skirt_places(body, SKIRT + skirt)])
    return clothed_mesh_of(faces, places)


def clothed_mesh_of(
    faces: Int[Tensor, "faces 3"], places: Float[Tensor, "vertices 4"]
) -> ClothedMesh:
    """Any mesh, whose vertices lie at given places of the body at rest."""
    order = torch.argsort(faces.flatten(), stable=True)
    counts = torch.bincount(faces.flatten(), minlength=len(places))
    starts = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    return ClothedMesh(faces, places, (order // 3).to(torch.int32), starts.to(torch.int32))


def _places(body: BodyModel) -> Float[Tensor, "vertices 4"]:
    """Of each vertex: where it lies at rest [m], and how far along an arm."""
    return arm_places(body, body.rest, body.dominant_bone)


def arm_places(
    body: BodyModel, rest: Float[Tensor, "vertices 3"], dominant_bone: Int[Tensor, " vertices"]
) -> Float[Tensor, "vertices 4"]:
    """Places [m] of any vertices on the adult at rest, and how far along an arm each lies."""
    along = torch.full_like(rest[:, 0], TRUNK)
    for side in "LR":
        arm = [
            i
            for i, bone in enumerate(body.bones)
            if bone.endswith(f".{side}") and bone.startswith(("upperarm", "lowerarm", "wrist"))
        ]
        chain = [f"{bone}.{side}" for bone in ("upperarm01", "lowerarm01", "wrist")]
        shoulder, elbow, wrist = (body.bone_heads[body.bones.index(bone)] for bone in chain)
        on_arm = torch.isin(dominant_bone, torch.tensor(arm).to(dominant_bone))
        points = rest[on_arm]
        upper, lower = elbow - shoulder, wrist - elbow
        along_upper = (points - shoulder) @ upper / upper.square().sum()
        along_lower = (points - elbow) @ lower / lower.square().sum()
        along[on_arm] = torch.where(
            along_upper < 1, along_upper, 1 + along_lower.clamp(min=0)
        ).clamp(min=0.02)
    return torch.cat([rest, along[:, None]], dim=-1)
