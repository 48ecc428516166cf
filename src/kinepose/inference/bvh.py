"""Joints of one person -> a BVH file: a hierarchy of bones of fixed length, and its rotations.

In BVH all that hangs on a joint turns with it. In T_fk hips, spine and neck move on their own about
the pelvis, and head and shoulders about the neck. So four joints are added where others lie, waist,
trunk and two collars, and each joint turns but one bone, with the frame F_j that T_fk has for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch
from jaxtyping import Float64

from kinepose.geometry.skeleton import JOINT_NAMES, PELVIS
from kinepose.inference.bones import BONE_PARENTS
from kinepose.inference.trajectories import VideoMotion
from kinepose.io.files import replacing
from kinepose.method.forward_kinematics import bone_frames

_UNIT = 10.0
"""[mm]: BVH names no unit, and most of what is about is in cm."""
_END = 50.0
"""Length of the ends that BVH wants on the last joints [mm]: some programs drop empty bones."""


class _Node(NamedTuple):
    """A joint of the hierarchy: its name, what it hangs on, the joint at which it lies.

    It turns with the bone that ends in the last named joint.
    """

    name: str
    parent: str
    joint: str
    bone: str


_NODES = (
    _Node("pelvis", "", "pelvis", "left_hip"),
    _Node("right_hip", "pelvis", "right_hip", "right_knee"),
    _Node("right_knee", "right_hip", "right_knee", "right_ankle"),
    _Node("right_ankle", "right_knee", "right_ankle", "right_ankle"),
    _Node("left_hip", "pelvis", "left_hip", "left_knee"),
    _Node("left_knee", "left_hip", "left_knee", "left_ankle"),
    _Node("left_ankle", "left_knee", "left_ankle", "left_ankle"),
    _Node("waist", "pelvis", "pelvis", "spine"),
    _Node("spine", "waist", "spine", "spine"),
    _Node("trunk", "pelvis", "pelvis", "neck"),
    _Node("neck", "trunk", "neck", "nose"),
    _Node("nose", "neck", "nose", "head_top"),
    _Node("head_top", "nose", "head_top", "head_top"),
    _Node("left_collar", "trunk", "neck", "left_shoulder"),
    _Node("left_shoulder", "left_collar", "left_shoulder", "left_elbow"),
    _Node("left_elbow", "left_shoulder", "left_elbow", "left_wrist"),
    _Node("left_wrist", "left_elbow", "left_wrist", "left_wrist"),
    _Node("right_collar", "trunk", "neck", "right_shoulder"),
    _Node("right_shoulder", "right_collar", "right_shoulder", "right_elbow"),
    _Node("right_elbow", "right_shoulder", "right_elbow", "right_wrist"),
    _Node("right_wrist", "right_elbow", "right_wrist", "right_wrist"),
)
"""A parent comes before what hangs on it, which follows at once: the order of BVH's columns."""
_NAMES = [node.name for node in _NODES]
_JOINT = [JOINT_NAMES.index(node.joint) for node in _NODES]
_BONES = [JOINT_NAMES.index(node.bone) for node in _NODES]

_REST = {
    "pelvis": (0.0, 0.0, 0.0),
    "right_hip": (-1.0, 0.0, 0.0),
    "right_knee": (0.0, -1.0, 0.0),
    "right_ankle": (0.0, -1.0, 0.0),
    "left_hip": (1.0, 0.0, 0.0),
    "left_knee": (0.0, -1.0, 0.0),
    "left_ankle": (0.0, -1.0, 0.0),
    "spine": (0.0, 1.0, 0.0),
    "neck": (0.0, 1.0, 0.0),
    "nose": (0.0, 0.56, 0.83),
    "head_top": (0.0, 0.83, -0.56),
    "left_shoulder": (0.88, -0.48, 0.0),
    "left_elbow": (1.0, 0.0, 0.0),
    "left_wrist": (1.0, 0.0, 0.0),
    "right_shoulder": (-0.88, -0.48, 0.0),
    "right_elbow": (-1.0, 0.0, 0.0),
    "right_wrist": (-1.0, 0.0, 0.0),
}
"""Where bones point when nothing is turned: a person in a T who faces z, the left side at x, y up,
with neck and head as the body model holds them."""


def write_bvh(path: Path, motion: VideoMotion) -> None:
    """Write a motion in cm, from the first frame of the person on.

    Bones keep their directions, and have the length that is their median over the video's frames
    in which the person was found.
    """
    rest = _rest_pose(motion.lengths)
    turns = bone_frames(torch.from_numpy(motion.joints))[:, _BONES]
    turns = turns @ bone_frames(torch.from_numpy(rest))[_BONES].mT
    parents = [_NAMES.index(node.parent) for node in _NODES[1:]]
    local = torch.cat([turns[:, :1], turns[:, parents].mT @ turns[:, 1:]], dim=1)
    angles = roma.rotmat_to_euler("ZXY", local, degrees=True).flatten(1).numpy()
    root = motion.joints[:, PELVIS] / _UNIT
    columns = np.concatenate([root, np.unwrap(angles, period=360, axis=0)], axis=1)
    lines = ["HIERARCHY", *_branch(_NODES[0], rest / _UNIT)]
    lines += ["MOTION", f"Frames: {len(columns)}", f"Frame Time: {1 / motion.fps:.8f}"]
    lines += [" ".join(f"{number:.5f}" for number in row) for row in columns]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")


def _rest_pose(lengths: Float64[np.ndarray, " 17"]) -> Float64[np.ndarray, "17 3"]:
    """Where the joints are when nothing is turned, the pelvis at the origin."""
    rest = np.zeros((len(JOINT_NAMES), 3))
    for joint, name in enumerate(JOINT_NAMES[1:], start=1):
        direction = np.array(_REST[name])
        rest[joint] = rest[BONE_PARENTS[joint]] + lengths[joint] * direction / np.linalg.norm(
            direction
        )
    return rest


def _branch(node: _Node, rest: Float64[np.ndarray, "17 3"], indent: str = "") -> Iterator[str]:
    """The lines of a joint and of all that hangs on it."""
    joint = JOINT_NAMES.index(node.joint)
    offset = rest[joint] - rest[_JOINT[_NAMES.index(node.parent)]] if node.parent else rest[joint]
    position = "" if node.parent else "Xposition Yposition Zposition "
    yield f"{indent}{'JOINT' if node.parent else 'ROOT'} {node.name}"
    yield f"{indent}{{"
    yield f"{indent}  OFFSET {_triple(offset)}"
    yield f"{indent}  CHANNELS {6 if position else 3} {position}Zrotation Xrotation Yrotation"
    children = [child for child in _NODES if child.parent == node.name]
    for child in children:
        yield from _branch(child, rest, f"{indent}  ")
    if not children:
        yield f"{indent}  End Site"
        yield f"{indent}  {{"
        yield f"{indent}    OFFSET {_triple(_END / _UNIT * np.array(_REST[node.joint]))}"
        yield f"{indent}  }}"
    yield f"{indent}}}"


def _triple(numbers: Float64[np.ndarray, " 3"]) -> str:
    return " ".join(f"{number:.5f}" for number in numbers)
