"""Motion capture of any human skeleton -> motions of the rig.

Skeletons differ in names, proportions, axes, units, and in the pose that no rotation leaves them
in. What they share is enough: limbs end in hands and feet, and a bone turns with its joint. One
pose of someone who stands says how each bone of the rig would be turned in it; from there on it
turns as its joint does. So limbs point where they pointed, and their twist is kept.
"""

import re
from dataclasses import dataclass
from typing import Literal

import roma
import torch
from jaxtyping import Float
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from torch import Tensor
from torch.nn.functional import normalize

from kinepose.geometry.rotations import smallest_rotation
from kinepose.io.errors import BadInputError
from kinepose.synthetic.body import RIG, RIG_PARENTS
from kinepose.synthetic.motion import CLIP_FPS, STEP_LEG, Motion, resample

_JOINTS = (*RIG, "left_wrist", "right_wrist")
"""The joints that are looked for; that of the root is the hips', that of the neck the head's."""
_LIMBS = {"hip": ("knee", "ankle", "foot"), "shoulder": ("elbow", "wrist", "hand")}
"""What follows on the first joint of a limb, and another name of the last."""
_BONES = {
    f"{side}_{start}": f"{side}_{end}"
    for side in ("left", "right")
    for top, (middle, last, _) in _LIMBS.items()
    for start, end in ((top, middle), (middle, last))
}
"""The bones of the rig that hang straight down at rest: from which joint to which."""
_LEGS = tuple((start, end) for start, end in _BONES.items() if end.endswith(("knee", "ankle")))
_RIG_FROM = {
    "y": [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]],
    "z": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
}
"""To the rig's axes from those whose y or z points up."""
_UPRIGHT = 0.7
"""Least cosine between the trunk and each part of the legs of someone who stands."""
_FARTHEST = 1e5
"""From the origin of a capture [m]."""
_LEAP_HEIGHT, _LEAP_TIME = 0.15, 0.7
"""Who leaps is off the ground by at least so much [m], for no longer than that [s]."""


@dataclass(frozen=True)
class Capture:
    """Motion capture with its own names, axes and unit of length."""

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    """-1 for the first joint; parents come before their children."""
    offsets: Float[Tensor, "joints 3"]
    """Of each joint from its parent, where nothing is turned."""
    rotations: Float[Tensor, "frames joints 3 3"]
    """Parent-relative."""
    root: Float[Tensor, "frames 3"]
    """Where the first joint is."""
    fps: float
    up: Literal["y", "z"] | None = None
    """The axis that points up, if that is known."""


def retarget(capture: Capture) -> Motion:
    """The same motion by a person 1.7 m tall, at CLIP_FPS.

    Raises:
        BadInputError: if it is not of a human body, or a number in it is not finite.
    """
    if not len(capture.root):
        raise BadInputError("no frames.")
    numbers = (capture.rotations, capture.root, capture.offsets)
    if not all(each.isfinite().all() for each in numbers):
        raise BadInputError("a number of a pose or of the skeleton is not finite.")
    if not 1 <= capture.fps < 1e5:
        raise BadInputError(f"{capture.fps:g} frames a second.")
    joints = _find_joints(capture.joints, capture.parents)
    stride = max(int(capture.fps / CLIP_FPS), 1)
    fps = capture.fps / stride
    places, turns = _forward(capture, capture.rotations[::stride], capture.root[::stride])
    still = torch.eye(3).to(capture.rotations).expand(1, len(capture.joints), 3, 3)
    rest = _forward(capture, still, torch.zeros_like(capture.root[:1]))[0][:, joints]
    places, turns = places[:, joints], turns[:, joints[: len(RIG)]]
    leg = sum(float((_at(rest, end) - _at(rest, start)).norm()) for start, end in _LEGS) / 2
    if leg == 0:
        raise BadInputError("its legs have no length.")

    stands = bool(_straightness(rest) > _UPRIGHT)
    if stands:
        world = turns @ _rig_in(rest[0])
    else:
        straightest = int(_straightness(places).argmax())
        world = turns @ turns[straightest].mT @ _rig_in(places[straightest])
    up = _up(places, rest if stands else None) if capture.up is None else capture.up
    axes = torch.tensor(_RIG_FROM[up]).to(world)
    world, places = axes @ world, places @ axes.T * (STEP_LEG / leg)
    local = torch.cat([world[:, :1], world[:, list(RIG_PARENTS[1:])].mT @ world[:, 1:]], dim=1)
    path = (_at(places, "left_hip") + _at(places, "right_hip")) / 2
    if not places.abs().max() < _FARTHEST:
        raise BadInputError("its numbers are too large: someone is farther off than 100 km.")
    flight = _flight(places[..., 2].amin(1), fps)
    motion = Motion(roma.rotmat_to_unitquat(local).float(), path.float(), flight)
    return resample(motion, int((len(path) - 1) * CLIP_FPS / fps) + 1, CLIP_FPS / fps)


def _find_joints(joints: tuple[str, ...], parents: tuple[int, ...]) -> list[int]:
    """Which of the joints are _JOINTS.

    Feet, hands and head are known by name; knees, elbows and so on are the joints above them, and
    hips and chest those that both legs and both arms come from.
    """
    names = [re.sub("[^a-z]", "", joint.lower()) for joint in joints]

    def line_to(spellings: list[str]) -> list[int]:
        """From the first joint so called up to the root, without those that only share a twist."""
        ends = (i for spelling in spellings for i, n in enumerate(names) if n.endswith(spelling))
        line, joint = [], next(ends, -1)
        while joint >= 0:
            if not names[joint].endswith(("twist", "roll")):
                line.append(joint)
            joint = parents[joint]
        return line

    found = {}
    for top, (middle, end, other) in _LIMBS.items():
        lines = []
        for side in ("left", "right"):
            sides = (side, side[0])
            line = line_to([s for e in (end, other) for a in sides for s in (a + e, e + a)])
            if len(line) < 4:
                raise BadInputError(f"no {top}s: it has no {side} {other} with three joints above.")
            found |= zip((f"{side}_{name}" for name in (end, middle, top)), line[:3], strict=True)
            lines.append(line)
        found["root" if top == "hip" else "chest"] = next(j for j in lines[0] if j in lines[1])
    head = line_to(["head", "neck"])
    if not head:
        raise BadInputError("no head.")
    found["neck"] = head[0]
    return [found[joint] for joint in _JOINTS]


def _forward(
    capture: Capture,
    rotations: Float[Tensor, "frames joints 3 3"],
    root: Float[Tensor, "frames 3"],
) -> tuple[Float[Tensor, "frames joints 3"], Float[Tensor, "frames joints 3 3"]]:
    """Where each joint is, and its rotation from rest, both in the capture's axes."""
    places, turns = [root], [rotations[:, 0]]
    for joint, parent in enumerate(capture.parents[1:], start=1):
        places.append(places[parent] + turns[parent] @ capture.offsets[joint])
        turns.append(turns[parent] @ rotations[:, joint])
    return torch.stack(places, dim=1), torch.stack(turns, dim=1)


def _rig_in(pose: Float[Tensor, "15 3"]) -> Float[Tensor, "13 3 3"]:
    """Rotations of the rig's bones in the pose of someone who stands upright on flat feet.

    Limbs are turned by the smallest angle from where they would hang.
    """
    up = _body_axis(pose[None])[0]
    left = _at(pose, "left_hip") - _at(pose, "right_hip")
    left = left + _at(pose, "left_shoulder") - _at(pose, "right_shoulder")
    left = normalize(left - (left @ up) * up, dim=0)
    body = torch.stack([left, torch.linalg.cross(up, left), up], dim=-1)
    rotations = [body] * len(RIG)
    for bone, name in enumerate(RIG):
        if name in _BONES:
            hanging = rotations[RIG_PARENTS[bone]]
            rotations[bone] = smallest_rotation(-hanging[:, 2], _bone(pose, name)) @ hanging
    return torch.stack(rotations)


def _straightness(poses: Float[Tensor, "poses 15 3"]) -> Float[Tensor, " poses"]:
    """Least cosine between the trunk, upside down, and each part of the legs: 1 for who stands."""
    trunk = _at(poses, "neck") - (_at(poses, "left_hip") + _at(poses, "right_hip")) / 2
    legs = torch.stack([_at(poses, start) - _at(poses, end) for start, end in _LEGS])
    return (normalize(legs, dim=-1) * normalize(trunk, dim=-1)).sum(-1).amin(0)


def _up(
    places: Float[Tensor, "frames 15 3"], rest: Float[Tensor, "1 15 3"] | None
) -> Literal["y", "z"]:
    """The axis that points up: the one along which people stand at rest, if they do.

    Unless they move along the other: stand along it, with their lowest joint at one height, as
    those do not who crawl along an axis.
    """
    _, y, z = _body_axis(places).unbind(-1)
    if rest is None:
        return "y" if y.mean() > z.mean() else "z"
    _, y_floor, z_floor = places.amin(1).std(0, correction=0).tolist()
    _, y_at_rest, z_at_rest = _body_axis(rest)[0].abs().tolist()
    if y_at_rest > z_at_rest:
        return "z" if z.mean() > 0.5 > y.mean() and z_floor < y_floor else "y"
    return "y" if y.mean() > 0.5 > z.mean() and y_floor < z_floor else "z"


def _flight(lowest: Float[Tensor, " frames"], fps: float) -> Float[Tensor, " frames"]:
    """1 where people leap, from the height of their lowest joint [m]; a floor may rise and fall."""
    window = 2 * round(_LEAP_TIME / 2 * fps) + 1
    heights = lowest.numpy()
    leaps = heights - minimum_filter1d(heights, window) > _LEAP_HEIGHT
    return torch.from_numpy(maximum_filter1d(leaps.astype("float32"), window))


def _body_axis(poses: Float[Tensor, "poses 15 3"]) -> Float[Tensor, "poses 3"]:
    """Unit vector from between the ankles to the head."""
    feet = (_at(poses, "left_ankle") + _at(poses, "right_ankle")) / 2
    return normalize(_at(poses, "neck") - feet, dim=-1)


def _bone(poses: Float[Tensor, "*poses 15 3"], start: str) -> Float[Tensor, "*poses 3"]:
    """Unit vector along a bone of a limb."""
    return normalize(_at(poses, _BONES[start]) - _at(poses, start), dim=-1)


def _at(poses: Float[Tensor, "*poses 15 3"], joint: str) -> Float[Tensor, "*poses 3"]:
    return poses[..., _JOINTS.index(joint), :]
