"""T_fk, from local kinematics to 3D joints, and its inverse (Sec. 3.1a of the paper).

The canonical frame C is right-handed with its origin at the pelvis: z towards the neck, y towards
the left hip when the hip line is level, hence x forward. v_k holds the angle of the hip line about
x [rad], then a unit vector for each of the 13 free joints, in the local frame of its parent.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinepose.geometry.devices import constant
from kinepose.geometry.rotations import (
    IDENTITY,
    any_perpendicular,
    rotation_about,
    smallest_rotation,
    unit,
)
from kinepose.geometry.skeleton import (
    FREE_JOINTS,
    LEFT_HIP,
    NECK,
    PARENTS,
    PELVIS,
    RIGHT_HIP,
    STANDARD_SKELETON,
    STATURE_CHAIN,
    Skeleton,
)

PARAMETERS = 1 + 3 * len(FREE_JOINTS)
"""Size of v_k: 40."""


def forward_kinematics(
    parameters: Float[Tensor, "*batch 40"], skeleton: Skeleton = STANDARD_SKELETON
) -> Float[Tensor, "*batch 17 3"]:
    """T_fk: v_k -> p_3D [canonical].

    The printed recursion p_j = p_Pa(j) + len_j v_j leaves out the local frame of the parent that
    its text asks for: here p_j = p_Pa(j) + len_j F_Pa(j) v_j and F_j = F_Pa(j) S_j, where S_j is
    the smallest rotation from the rest direction r_j to v_j.

    Vectors are normalised first; a zero vector counts as the rest direction.
    """
    hip_angle = parameters[..., 0]
    directions = parameters[..., 1:].unflatten(-1, (len(FREE_JOINTS), 3))
    rest = constant(skeleton.rest_directions, like=directions)
    directions = unit(directions, fallback=rest)
    turns = smallest_rotation(rest, directions)

    lengths = skeleton.lengths
    zero, cosine, sine = torch.zeros_like(hip_angle), hip_angle.cos(), hip_angle.sin()
    hip_line = torch.stack([zero, cosine, sine], dim=-1)
    up = torch.stack([zero, zero, torch.ones_like(zero)], dim=-1)
    joints = {
        PELVIS: torch.zeros_like(up),
        LEFT_HIP: lengths[LEFT_HIP] * hip_line,
        RIGHT_HIP: -lengths[RIGHT_HIP] * hip_line,
        NECK: lengths[NECK] * up,
    }
    frames = _root_frames(hip_angle)
    for index, joint in enumerate(FREE_JOINTS):
        parent = PARENTS[joint]
        bone = frames[parent] @ directions[..., index, :, None]
        joints[joint] = joints[parent] + lengths[joint] * bone.squeeze(-1)
        frames[joint] = frames[parent] @ turns[..., index, :, :]
    return torch.stack([joints[joint] for joint in range(len(PARENTS))], dim=-2)


def local_kinematics(
    joints: Float[Tensor, "*batch 17 3"], skeleton: Skeleton = STANDARD_SKELETON
) -> tuple[Float[Tensor, "*batch 40"], Float[Tensor, "*batch 3 3"]]:
    """The inverse of T_fk: 17 joints in any unit and frame -> v_k, rotation_joints_from_canonical.

    Directions of the bones are kept exactly, their lengths are dropped, and the midpoint of the
    hips counts as the pelvis. The hip angle comes back in [-pi/2, pi/2]. A bone of no length gets
    its rest direction. The result is always finite, but means something only where `has_trunk`.
    """
    joints = joints.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    pelvis = (joints[..., LEFT_HIP, :] + joints[..., RIGHT_HIP, :]) / 2
    hip_line = joints[..., LEFT_HIP, :] - joints[..., RIGHT_HIP, :]
    z = unit(joints[..., NECK, :] - pelvis, fallback=constant((0.0, 0.0, 1.0), like=joints))
    along_trunk = (hip_line * z).sum(-1)
    level_hip_line = hip_line - along_trunk[..., None] * z
    y = unit(level_hip_line, fallback=any_perpendicular(z))
    rotation = torch.stack([torch.linalg.cross(y, z), y, z], dim=-1)
    hip_angle = torch.atan2(along_trunk, (level_hip_line * y).sum(-1))

    rest = constant(skeleton.rest_directions, like=joints)
    frames = {joint: rotation @ frame for joint, frame in _root_frames(hip_angle).items()}
    directions = []
    for index, joint in enumerate(FREE_JOINTS):
        parent = PARENTS[joint]
        start = pelvis if parent == PELVIS else joints[..., parent, :]
        bone = (joints[..., joint, :] - start)[..., None]
        local = (frames[parent].transpose(-1, -2) @ bone).squeeze(-1)
        directions.append(unit(local, fallback=rest[index]))
        frames[joint] = frames[parent] @ smallest_rotation(rest[index], directions[-1])
    return torch.cat([hip_angle[..., None], *directions], dim=-1), rotation


def bone_frames(
    joints: Float[Tensor, "*batch 17 3"], skeleton: Skeleton = STANDARD_SKELETON
) -> Float[Tensor, "*batch 17 3 3"]:
    """F_j of each joint, in the frame of the joints: it turns with the bone that ends in j.

    No joint shows how a bone turns about its own length: as T_fk has it.
    """
    parameters, rotation = local_kinematics(joints, skeleton)
    directions = parameters[..., 1:].unflatten(-1, (len(FREE_JOINTS), 3))
    turns = smallest_rotation(constant(skeleton.rest_directions, like=directions), directions)
    frames = {joint: rotation @ F for joint, F in _root_frames(parameters[..., 0]).items()}
    for index, joint in enumerate(FREE_JOINTS):
        frames[joint] = frames[PARENTS[joint]] @ turns[..., index, :, :]
    return torch.stack([frames[joint] for joint in range(len(PARENTS))], dim=-3)


def has_trunk(joints: Float[Tensor, "*batch 17 3"]) -> Bool[Tensor, "*batch"]:
    """Whether a pose defines a canonical frame: finite, a trunk, and a hip line not along it."""
    pelvis = (joints[..., LEFT_HIP, :] + joints[..., RIGHT_HIP, :]) / 2
    trunk = joints[..., NECK, :] - pelvis
    hip_line = joints[..., LEFT_HIP, :] - joints[..., RIGHT_HIP, :]
    area = torch.linalg.cross(trunk, hip_line).norm(dim=-1)
    extent = trunk.norm(dim=-1) * hip_line.norm(dim=-1)
    finite = joints.isfinite().flatten(-2).all(-1)
    return finite & (extent > 0) & (area > 1e-3 * extent)


def canonical_joints(
    joints: Float[Tensor, "*batch 17 3"],
) -> tuple[Float[Tensor, "*batch 17 3"], Float[Tensor, "*batch 3 3"]]:
    """A body's own joints in the frame C [canonical], and rotation_joints_from_canonical.

    Unlike forward(inverse(joints)) the body keeps its proportions: its own chain of stature is
    scaled to 1, and the midpoint of its hips is the origin.
    """
    _, rotation = local_kinematics(joints)
    pelvis = (joints[..., LEFT_HIP, :] + joints[..., RIGHT_HIP, :]) / 2
    centred = (joints - pelvis[..., None, :]) @ rotation
    centred = torch.cat([torch.zeros_like(centred[..., :1, :]), centred[..., 1:, :]], dim=-2)
    return centred / stature(joints)[..., None, None], rotation


def stature(joints: Float[Tensor, "*batch 17 3"]) -> Float[Tensor, "*batch"]:
    """Length of the chain of stature, in the unit of the joints: shin, thigh, trunk, neck, head."""
    pelvis = (joints[..., LEFT_HIP, :] + joints[..., RIGHT_HIP, :]) / 2
    length = torch.zeros_like(joints[..., 0, 0])
    for joint in STATURE_CHAIN:
        start = pelvis if joint == NECK else joints[..., PARENTS[joint], :]
        length = length + (joints[..., joint, :] - start).norm(dim=-1)
    return length


def _root_frames(
    hip_angle: Float[Tensor, "*batch"],
) -> dict[int, Float[Tensor, "*batch 3 3"]]:
    """Frames of the joints placed by the canonical rule: the hips turn with the hip line."""
    about_x = rotation_about(0, hip_angle.sin(), hip_angle.cos())
    identity = constant(IDENTITY, like=hip_angle).expand_as(about_x)
    return {PELVIS: identity, NECK: identity, LEFT_HIP: about_x, RIGHT_HIP: about_x}
