"""The skeleton as data: joints, tree, bone-length ratios and rest directions.

Joints come in the order of Human3.6M (J = 17). Lengths are in the canonical unit, in which the
chain of stature is 1 long (Sec. 3.1a of the paper: 'len', 'a fixed canonical unit').
"""

import math
from dataclasses import dataclass

JOINT_NAMES = (
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "spine",
    "neck",
    "nose",
    "head_top",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
PELVIS, RIGHT_HIP, LEFT_HIP, NECK = 0, 1, 4, 8
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
"""Pa(j), the tree that is drawn. The neck is drawn from the spine but placed by the trunk."""
LIMBS = tuple((parent, joint) for joint, parent in enumerate(PARENTS) if parent >= 0)
"""The 16 limbs (parent, joint) of the affinity maps."""
FREE_JOINTS = (2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16)
"""The 13 joints with a unit vector of their own in v_k, in the order in which v_k holds them."""
MIRRORED = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)
"""For each joint its counterpart on the other side; joints on the midline are their own."""
COMMON_JOINTS = (1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16)
"""The 14 that all benchmarks label at much the same place: without pelvis, spine and nose."""

STATURE_CHAIN = (3, 2, NECK, 9, 10)
"""Joints whose lengths make the chain of stature: shin, thigh, trunk, neck to nose, nose to top."""


@dataclass(frozen=True)
class Skeleton:
    """Bone-length ratios and rest directions of one kind of body; left and right are equal."""

    lengths: tuple[float, ...]
    """Distance of each joint from its parent [canonical]; of the neck, from the pelvis (trunk)."""
    rest_directions: tuple[tuple[float, float, float], ...]
    """Unit vector r_j of each free joint, in FREE_JOINTS order, in its parent's local frame.

    The local frame of a chain turns by the smallest rotation from r_j to v_j, which is undefined
    at the antipode of r_j alone: each is chosen so that no body can reach its antipode.
    """


def _symmetric_skeleton(
    lengths: dict[str, float], rest: dict[str, tuple[float, float, float]]
) -> Skeleton:
    """A skeleton from the joints of the midline and of the left side."""
    by_joint: list[float] = []
    rest_by_joint: list[tuple[float, float, float]] = []
    for joint, name in enumerate(JOINT_NAMES):
        left_name = JOINT_NAMES[MIRRORED[joint]] if name.startswith("right_") else name
        by_joint.append(lengths[left_name])
        if joint in FREE_JOINTS:
            x, y, z = rest[left_name]
            norm = math.sqrt(x * x + y * y + z * z)
            side = -1.0 if name.startswith("right_") else 1.0
            rest_by_joint.append((x / norm, side * y / norm, z / norm))
    return Skeleton(tuple(by_joint), tuple(rest_by_joint))


STANDARD_SKELETON = _symmetric_skeleton(
    lengths={
        "pelvis": 0.0,
        "left_hip": 0.0614,
        "left_knee": 0.2407,
        "left_ankle": 0.2450,
        "spine": 0.1373,
        "neck": 0.3204,
        "nose": 0.0916,
        "head_top": 0.1023,
        "left_shoulder": 0.1147,
        "left_elbow": 0.1546,
        "left_wrist": 0.1389,
    },
    rest={
        "left_knee": (0.60, 0.25, -0.75),  # half way up to a kick, slightly out
        "left_ankle": (-0.57, 0.25, -0.77),  # the knee bent by 75 degrees
        "spine": (0.0, 0.0, 1.0),
        "nose": (0.80, 0.0, 0.60),
        "head_top": (-0.67, 0.0, 0.74),
        "left_shoulder": (0.0, 1.0, 0.0),
        "left_elbow": (0.70, 0.60, -0.40),  # its antipode is behind the other shoulder
        "left_wrist": (0.90, -0.28, 0.34),  # the elbow bent by 70 degrees
    },
)
"""Ratios of the androgynous adult of the body model anny (phenotypes at 0.5, age at 0.67)."""
