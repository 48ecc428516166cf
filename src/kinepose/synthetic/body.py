"""Human bodies: a shape, a pose -> a mesh and the 17 joints (the body model anny, Apache-2.0, CC0).

The world's axes, here and in all of `synthetic`: x to the left of a person at rest, y backward,
z up, in metres. A pose is 13 rotations of a simple rig, parent-relative, as unit quaternions
(x, y, z, w), from an upright stance with straight legs and arms hanging down.
"""

import functools
import os
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from torch import Tensor

RIG = (
    "root",
    "chest",
    "neck",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_shoulder",
    "left_elbow",
    "right_shoulder",
    "right_elbow",
)
RIG_PARENTS = (-1, 0, 1, 0, 3, 4, 0, 6, 7, 1, 9, 1, 11)
RIG_MIRRORED = (0, 1, 2, 6, 7, 8, 3, 4, 5, 11, 12, 9, 10)

_JOINT_BONES = (
    ("upperleg01.L", "upperleg01.R"),
    ("upperleg01.R",),
    ("lowerleg01.R",),
    ("foot.R",),
    ("upperleg01.L",),
    ("lowerleg01.L",),
    ("foot.L",),
    ("spine02",),
    ("neck01",),
    (),
    (),
    ("upperarm01.L",),
    ("lowerarm01.L",),
    ("wrist.L",),
    ("upperarm01.R",),
    ("lowerarm01.R",),
    ("wrist.R",),
)
"""At whose heads' midpoint each of the 17 joints lies; nose and head top are vertices."""
_SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
_NECK = ("neck01", "neck02", "neck03", "head")


@dataclass(frozen=True)
class BodyModel:
    """The template that all people share, on one device."""

    anny: torch.nn.Module
    faces: Int[Tensor, "faces 3"]
    rest: Float[Tensor, "vertices 3"]
    """The androgynous adult at rest: where on the body a vertex is, whoever the person [m]."""
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    dominant_bone: Int[Tensor, " vertices"]
    bone_heads: Float[Tensor, "bones 3"]
    """Of the template at rest [m]."""
    alignments: Float[Tensor, "bones 3 3"]
    """Rotations, for each bone, from anny's reference pose to the rig's."""
    nose: int
    head_top: int
    adult_coefficients: Float[Tensor, " shapes"]
    """Of the template's shape."""


@dataclass(frozen=True)
class Person:
    """A body shape: anny's phenotypes, each in [0, 1]."""

    gender: float
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float


def _start_warp() -> None:
    """Before anny does: it tells whoever has no GPU so, past Python and all settings of its own."""
    import warp

    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        warp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@functools.cache
def load_body(device: str = "cpu") -> BodyModel:
    """The body model of this package, read once per process and device."""
    _start_warp()
    from anny import Anny
    from anny.models.model_data import ModelData

    data = ModelData.load_safetensors(
        str(files("kinepose.synthetic") / "assets" / "body.safetensors")
    )
    anny = Anny.from_model_data(data, pose_parameterization="local-ref", bone_orientation="cached")
    anny = anny.to(device)
    adult = _phenotypes(Person(0.5, 0.67, 0.5, 0.5, 0.5, 0.5), anny)
    template = anny(phenotype_kwargs=adult)
    rest = template["rest_vertices"][0]
    heads = template["rest_bone_heads"][0]
    weights, indices = anny.vertex_bone_weights, anny.vertex_bone_indices
    dominant = indices.gather(1, weights.argmax(1, keepdim=True)).squeeze(1)
    bones = tuple(anny.bone_labels)
    head = torch.nonzero(dominant == bones.index("head")).squeeze(1)
    midline = head[rest[head, 0].abs() < 0.01]
    upper_half = midline[rest[midline, 2] > heads[bones.index("head"), 2]]
    return BodyModel(
        anny=anny,
        faces=anny.get_triangular_faces().to(torch.int32),
        rest=rest,
        bones=bones,
        parents=tuple(anny.bone_parents),
        dominant_bone=dominant,
        bone_heads=heads,
        alignments=_alignments(bones, heads),
        nose=int(upper_half[rest[upper_half, 1].argmin()]),
        head_top=int(head[rest[head, 2].argmax()]),
        adult_coefficients=anny.get_phenotype_blendshape_coefficients(**adult)[0],
    )


def random_person(generator: np.random.Generator) -> Person:
    """An adult, from young to old, thin to stout, 1.5 to 1.95 m tall."""
    female = generator.random() < 0.5
    return Person(
        gender=float(generator.uniform(0.75, 1.0) if female else generator.uniform(0.0, 0.25)),
        age=float(generator.uniform(0.6, 1.0)),
        muscle=float(generator.uniform(0.25, 0.9)),
        weight=float(generator.beta(2.0, 2.0)),
        height=float(0.05 + 0.65 * generator.beta(2.5, 2.5)),
        proportions=float(generator.uniform(0.2, 1.0)),
    )


def pose_body(
    body: BodyModel, person: Person, rotations: Float[Tensor, "frames 13 4"]
) -> tuple[Float[Tensor, "frames vertices 3"], Float[Tensor, "frames 17 3"]]:
    """Vertices and joints [m] of one person in many poses, the root of the rig at the origin."""
    vertices, joints, _ = pose_bones(body, person, rotations)
    return vertices, joints


def pose_bones(
    body: BodyModel, person: Person, rotations: Float[Tensor, "frames 13 4"]
) -> tuple[
    Float[Tensor, "frames vertices 3"],
    Float[Tensor, "frames 17 3"],
    Float[Tensor, "frames bones 4 4"],
]:
    """As pose_body, and each bone's transform from where it is at rest."""
    posed = body.anny(
        pose_parameters=_pose_parameters(body, rotations),
        phenotype_kwargs=_phenotypes(person, body.anny),
    )
    heads, vertices = posed["bone_poses"][:, :, :3, 3], posed["vertices"]
    transforms = posed["bone_poses"] @ posed["rest_bone_poses"].inverse()
    return vertices, _joints(body, vertices, heads), transforms


def shape_coefficients(body: BodyModel, person: Person) -> Float[Tensor, " shapes"]:
    """How much of each of the model's blend shapes a person has."""
    model: Any = body.anny  # nn.Module hides what its methods are
    return model.get_phenotype_blendshape_coefficients(**_phenotypes(person, model))[0]


def world_rotations(rotations: Float[Tensor, "frames 13 4"]) -> Float[Tensor, "frames 13 3 3"]:
    """Each bone's rotation in the world's axes, from the parent-relative rotations of a pose."""
    local = roma.unitquat_to_rotmat(rotations)
    world: list[Tensor] = []
    for bone, parent in enumerate(RIG_PARENTS):
        world.append(local[:, bone] if parent < 0 else world[parent] @ local[:, bone])
    return torch.stack(world, dim=1)


def _pose_parameters(
    body: BodyModel, rotations: Float[Tensor, "frames 13 4"]
) -> Float[Tensor, "frames bones 4 4"]:
    """What anny takes: each bone's rotation from its reference, seen from its parent."""
    world = _bone_rotations(body, rotations)
    relative = world.clone()
    relative[:, 1:] = world[:, list(body.parents[1:])].transpose(-1, -2) @ world[:, 1:]
    transforms = torch.zeros(*relative.shape[:2], 4, 4).to(relative)
    transforms[..., :3, :3] = relative
    transforms[..., 3, 3] = 1
    return transforms


def _bone_rotations(
    body: BodyModel, rotations: Float[Tensor, "frames 13 4"]
) -> Float[Tensor, "frames bones 3 3"]:
    """Rotations of anny's bones from its reference pose, in the world's axes."""
    rig = world_rotations(rotations)
    spread = {"root": rig[:, 0], "pelvis.L": rig[:, 0], "pelvis.R": rig[:, 0]}
    for bones, base, bone in ((_SPINE, rig[:, 0], 1), (_NECK, rig[:, 1], 2)):
        turn = roma.unitquat_to_rotvec(rotations[:, bone])
        for step, name in enumerate(bones, start=1):
            spread[name] = base @ roma.rotvec_to_rotmat(turn * (step / len(bones)))
    for side, name in (("L", "left"), ("R", "right")):
        hip, knee, ankle, shoulder, elbow = (
            rig[:, RIG.index(f"{name}_{joint}")]
            for joint in ("hip", "knee", "ankle", "shoulder", "elbow")
        )
        girdle = rig[:, 1] @ _girdle(rotations[:, RIG.index(f"{name}_shoulder")], side)
        limbs = {
            "upperleg01": hip,
            "upperleg02": hip,
            "lowerleg01": knee,
            "lowerleg02": knee,
            "foot": ankle,
            "clavicle": girdle,
            "shoulder01": girdle,
            "upperarm01": shoulder,
            "upperarm02": shoulder,
            "lowerarm01": elbow,
            "lowerarm02": elbow,
            "wrist": elbow,
        }
        spread |= {f"{bone}.{side}": rotation for bone, rotation in limbs.items()}
    return torch.stack([spread[bone] for bone in body.bones], dim=1) @ body.alignments


def _girdle(shoulder: Float[Tensor, "frames 4"], side: str) -> Float[Tensor, "frames 3 3"]:
    """The collar bone rises with the arm: by a quarter of what the arm rises above 30 degrees."""
    hanging = shoulder.new_tensor([0.0, 0.0, -1.0]).expand(len(shoulder), 3)
    down = -roma.quat_action(shoulder, hanging)[:, 2]
    rise = 0.25 * (down.clamp(-1, 1).acos() - 0.5).clamp(min=0)
    about_y = -rise if side == "L" else rise
    zero = torch.zeros_like(rise)
    return roma.rotvec_to_rotmat(torch.stack([zero, about_y, zero], dim=-1))


def _joints(
    body: BodyModel,
    vertices: Float[Tensor, "frames vertices 3"],
    heads: Float[Tensor, "frames bones 3"],
) -> Float[Tensor, "frames 17 3"]:
    joints = []
    for index, bones in enumerate(_JOINT_BONES):
        if bones:
            indices = [body.bones.index(bone) for bone in bones]
            joints.append(heads[:, indices].mean(1))
        else:
            joints.append(vertices[:, body.nose if index == 9 else body.head_top])
    return torch.stack(joints, dim=1)


def _alignments(
    bones: tuple[str, ...], heads: Float[Tensor, "bones 3"]
) -> Float[Tensor, "bones 3 3"]:
    """Limbs of anny's reference pose turned, by the smallest angle, to hang straight down."""
    alignments = torch.eye(3).to(heads).repeat(len(bones), 1, 1)

    def turn_down(start: str, end: str, before: Tensor, turned: tuple[str, ...]) -> Tensor:
        bone = before @ (heads[bones.index(end)] - heads[bones.index(start)])
        down = heads.new_tensor([0.0, 0.0, -1.0])
        axis = torch.linalg.cross(bone, down)
        angle = torch.atan2(axis.norm(), bone @ down)
        rotation = roma.rotvec_to_rotmat(axis / axis.norm() * angle) @ before
        for name in turned:
            alignments[bones.index(name)] = rotation
        return rotation

    for side in "LR":
        eye = torch.eye(3).to(heads)
        names = [f"{name}.{side}" for name in ("upperarm01", "upperarm02", "lowerarm01", "wrist")]
        arm = turn_down(names[0], names[2], eye, (names[0], names[1]))
        turn_down(names[2], names[3], arm, (names[2], f"lowerarm02.{side}", names[3]))
        names = [f"{name}.{side}" for name in ("upperleg01", "upperleg02", "lowerleg01", "foot")]
        thigh = turn_down(names[0], names[2], eye, (names[0], names[1]))
        turn_down(names[2], names[3], thigh, (names[2], f"lowerleg02.{side}"))
    return alignments


def _phenotypes(person: Person, anny: torch.nn.Module) -> dict[str, Tensor]:
    like = anny.get_buffer("template_vertices")
    return {name: like.new_tensor([value]) for name, value in vars(person).items()}
