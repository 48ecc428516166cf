import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.synthetic.body import RIG, Person, load_body, pose_body, world_rotations
from kinepose.synthetic.joint_limits import from_swing_twist
from kinepose.synthetic.mocap_clips import captured_clips
from kinepose.synthetic.mocap_files import clips_in
from kinepose.synthetic.motion import STEP_LEG, Motion

CHILDREN = [2, 3, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16]
PARENTS_OF_THEM = [1, 2, 4, 5, 0, 8, 8, 11, 12, 8, 14, 15]
"""Limbs, trunk, face and shoulders, of the 17 joints."""
ARMS_AND_LEGS = [0, 1, 2, 3, 7, 8, 10, 11]
ADULT = Person(0.5, 0.67, 0.5, 0.5, 0.5, 0.5)
Z_UP, Y_UP = np.eye(3), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""From the rig's axes (x left, y backward, z up); Y_UP: x left, y up, z forward."""

OFFSETS = {
    "root": (None, (0.0, 0.0, 0.0)),
    "chest": ("root", (0.0, 0.01, 0.35)),
    "neck": ("chest", (0.0, -0.01, 0.30)),
    "right_hip": ("root", (-0.1, 0.0, -0.05)),
    "right_knee": ("right_hip", (0.0, 0.0, -0.4)),
    "right_ankle": ("right_knee", (0.0, 0.0, -0.43)),
    "left_hip": ("root", (0.1, 0.0, -0.05)),
    "left_knee": ("left_hip", (0.0, 0.0, -0.4)),
    "left_ankle": ("left_knee", (0.0, 0.0, -0.43)),
    "left_collar": ("chest", (0.06, 0.0, 0.17)),
    "left_shoulder": ("left_collar", (0.12, 0.0, 0.0)),
    "left_elbow": ("left_shoulder", (0.0, 0.0, -0.28)),
    "left_wrist": ("left_elbow", (0.0, 0.0, -0.25)),
    "right_collar": ("chest", (-0.06, 0.0, 0.17)),
    "right_shoulder": ("right_collar", (-0.12, 0.0, 0.0)),
    "right_elbow": ("right_shoulder", (0.0, 0.0, -0.28)),
    "right_wrist": ("right_elbow", (0.0, 0.0, -0.25)),
}
"""A skeleton in the rig's rest pose and axes [m]: parent, and place from there."""


SMPL = (
    *((-1, "root"), (0, "left_hip"), (0, "right_hip"), (0, "root"), (1, "left_knee")),
    *((2, "right_knee"), (3, "root"), (4, "left_ankle"), (5, "right_ankle"), (6, "chest")),
    *((7, "left_ankle"), (8, "right_ankle"), (9, "chest"), (9, "chest"), (9, "chest")),
    *((12, "neck"), (13, "left_shoulder"), (14, "right_shoulder"), (16, "left_elbow")),
    *((17, "right_elbow"), (18, "left_elbow"), (19, "right_elbow")),
)
"""The parents of SMPL's 22 body joints, and the bone of the rig that each turns with."""
LAFAN = {
    **{"root": "Hips", "chest": "Spine2", "neck": "Head", "collar": "SideShoulder"},
    **{"hip": "SideUpLeg", "knee": "SideLeg", "ankle": "SideFoot"},
    **{"shoulder": "SideArm", "elbow": "SideForeArm", "wrist": "SideHand"},
}
MIXAMO = {name: f"mixamorig:{joint}" for name, joint in LAFAN.items()}
BIOVISION = LAFAN | {
    **{"chest": "Chest", "collar": "SideCollar"},
    **{"hip": "SideHip", "knee": "SideKnee", "ankle": "SideAnkle"},
    **{"shoulder": "SideShoulder", "elbow": "SideElbow", "wrist": "SideWrist"},
}
UNREAL = {
    **{"root": "pelvis", "chest": "spine_03", "neck": "head", "collar": "clavicle_Side"},
    **{"hip": "thigh_Side", "knee": "calf_Side", "ankle": "foot_Side"},
    **{"shoulder": "upperarm_Side", "elbow": "lowerarm_Side", "wrist": "hand_Side"},
}


@dataclass(frozen=True)
class Style:
    """How a program writes OFFSETS: names, axes, unit, and the pose without rotations."""

    names: dict[str, str]
    order: str = "ZXY"
    axes: np.ndarray = field(default_factory=lambda: Y_UP)
    unit: float = 100.0
    spread: float = 90.0
    """By how much the arms stand off the body there [degrees]."""
    scrambled: bool = False
    """Whether that is no human pose at all."""


STYLES = {
    "cgspeed": Style(LAFAN),
    "mixamo": Style(MIXAMO, "XYZ", spread=70.0),
    "biovision": Style(BIOVISION, "ZYX", unit=39.37, spread=0.0),
    "unreal": Style(UNREAL, "XYZ", axes=Z_UP),
    "lafan": Style(LAFAN, "ZYX", scrambled=True),
}


def written_joints(motion: Motion, style: Style) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and parent-relative rotations of OFFSETS as it does what the motion does."""
    world = world_rotations(motion.rotations).double().numpy()
    generator = np.random.default_rng(0)
    turned, bent, scramble = {}, {}, {}
    for name in OFFSETS:
        carrier = name
        while carrier not in RIG:  # collars and wrists turn with what they hang on
            carrier = OFFSETS[carrier][0]
        side = -1.0 if name.startswith("left") else 1.0
        in_arm = name.endswith(("shoulder", "elbow", "wrist"))
        angle = side * math.radians(style.spread) if in_arm else 0.0
        bent[name] = Rotation.from_rotvec([0.0, angle, 0.0])
        if style.scrambled:
            scramble[name] = Rotation.random(rng=generator)
        else:
            scramble[name] = Rotation.identity()
        turned[name] = Rotation.from_matrix(world[:, RIG.index(carrier)]) * bent[name].inv()
        turned[name] = turned[name] * scramble[name]
    to_style = Rotation.from_matrix(style.axes)
    offsets, rotations = [], []
    for name, (parent, offset) in OFFSETS.items():
        local = turned[name]
        if parent is not None:
            offset = scramble[parent].inv().apply(bent[parent].apply(offset))
            local = turned[parent].inv() * local
        offsets.append(style.unit * to_style.apply(offset))
        rotations.append((to_style * local * to_style.inv()).as_matrix())
    return np.stack(offsets), np.stack(rotations, axis=1)


def write_bvh(path: Path, motion: Motion, style: Style, fps: float = 30.0) -> Path:
    """The motion by the skeleton OFFSETS, whose legs are exactly STEP_LEG long."""
    offsets, rotations = written_joints(motion, style)
    names, lines = list(OFFSETS), ["HIERARCHY"]
    order: list[int] = []

    def add(name: str, indent: str) -> None:
        index = names.index(name)
        order.append(index)
        side, _, joint = name.rpartition("_")
        letters = {"left": "l", "right": "r"}.get(side, "")
        written = style.names[joint].replace("_Side", f"_{letters}")
        written = written.replace("Side", side.capitalize())
        kind = "ROOT" if OFFSETS[name][0] is None else "JOINT"
        channels = [f"{axis}rotation" for axis in style.order]
        if kind == "ROOT":
            channels = ["Xposition", "Yposition", "Zposition", *channels]
        lines.append(f"{indent}{kind} {written}")
        lines.append(f"{indent}{{")
        lines.append(f"{indent}  OFFSET " + " ".join(f"{value:.6f}" for value in offsets[index]))
        lines.append(f"{indent}  CHANNELS {len(channels)} " + " ".join(channels))
        children = [child for child, (parent, _) in OFFSETS.items() if parent == name]
        for child in children:
            add(child, indent + "  ")
        if not children:
            lines.extend((f"{indent}  End Site", f"{indent}  {{", f"{indent}    OFFSET 0 1 0"))
            lines.append(f"{indent}  }}")
        lines.append(f"{indent}}}")

    add("root", "")
    root = style.unit * motion.root.double().numpy() @ style.axes.T
    frames = len(root)
    angles = np.stack(
        [Rotation.from_matrix(rotations[:, i]).as_euler(style.order, degrees=True) for i in order],
        axis=1,
    )
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1 / fps:.6f}"]
    values = np.concatenate([root, angles.reshape(frames, -1)], axis=1)
    lines += [" ".join(f"{value:.6f}" for value in row) for row in values]
    path.write_text("\n".join(lines) + "\n")
    return path


def limb_errors(read: Motion, motion: Motion) -> torch.Tensor:
    """Angles between the limbs of the two [degrees], for each frame and limb."""
    joints = [pose_body(load_body(), ADULT, each.rotations)[1] for each in (read, motion)]
    first, second = (
        torch.nn.functional.normalize(j[:, CHILDREN] - j[:, PARENTS_OF_THEM], dim=-1)
        for j in joints
    )
    return (first * second).sum(-1).clamp(-1, 1).acos().rad2deg()


def write_amass(path: Path, motion: Motion, **others: object) -> Path:
    """The motion by SMPL-H, whose rest is a T-pose with y up, in a world with z up."""
    world = world_rotations(motion.rotations).double().numpy()
    turned, poses = [], np.zeros((len(world), 52, 3))
    for joint, (parent, bone) in enumerate(SMPL):
        rotation = Rotation.from_matrix(world[:, RIG.index(bone)])
        if bone.endswith(("shoulder", "elbow")):
            angle = -math.pi / 2 if bone.startswith("left") else math.pi / 2
            rotation = rotation * Rotation.from_rotvec([0.0, -angle, 0.0])
        turned.append(rotation * Rotation.from_matrix(Y_UP.T))
        local = turned[joint] if parent < 0 else turned[parent].inv() * turned[joint]
        poses[:, joint] = local.as_rotvec()
    arrays = {
        "poses": poses.reshape(len(poses), -1),
        "trans": motion.root.double().numpy(),
        "mocap_framerate": 30.0,
        "betas": np.zeros(16),
        "gender": np.array("female"),
    }
    kept = {name: value for name, value in (arrays | others).items() if value is not None}
    np.savez(path, **kept)
    return path


def read_one(path: Path) -> Motion:
    clips_in.cache_clear()
    return clips_in(path.parent)[path.name]


@pytest.mark.parametrize("name", ["walk", "crawl", "cartwheel", "spinkick"])
@pytest.mark.parametrize("style", ["cgspeed", "mixamo", "biovision", "unreal"])
def test_a_skeleton_that_stands_at_rest_is_read_exactly(tmp_path, style, name):
    motion = captured_clips()[name]
    read = read_one(write_bvh(tmp_path / "clip.bvh", motion, STYLES[style]))
    assert limb_errors(read, motion).max() < 0.1
    assert (read.rotations * motion.rotations).sum(-1).abs().min() > 1 - 1e-5, "twists as well"
    away = (read.root - motion.root).norm(dim=-1)
    assert away.max() < 0.06, "the path is that of the middle of the hips, which swing about"


@pytest.mark.parametrize("name", ["walk", "run", "kick"])
def test_a_skeleton_without_a_rest_pose_is_read_by_how_it_stands(tmp_path, name):
    motion = captured_clips()[name]
    read = read_one(write_bvh(tmp_path / "clip.bvh", motion, STYLES["lafan"]))
    errors = limb_errors(read, motion).amax(0)
    assert errors[ARMS_AND_LEGS].max() < 0.2, "whatever the rest pose, limbs point where they did"
    assert errors.max() < 12, "the trunk is upright, and the head straight, in the straightest pose"


@pytest.mark.parametrize("name", ["walk", "cartwheel", "punch"])
def test_amass_is_read(tmp_path, name):
    motion = captured_clips()[name]
    read = read_one(write_amass(tmp_path / "clip.npz", motion))
    assert limb_errors(read, motion).max() < 8, "SMPL's limbs are not quite straight at rest"
    length = STEP_LEG / 0.78  # thigh and shin of SMPL's average body [m]
    middle = (read.root - length * motion.root)[:, :2].norm(dim=-1)
    assert middle.max() < 0.11, "the hips are 9 cm below the pelvis"
    smpl = read_one(write_amass(tmp_path / "smpl.npz", motion, poses=smpl_poses(tmp_path)))
    assert torch.equal(smpl.rotations, read.rotations), "without fingers as well"


def smpl_poses(folder: Path) -> np.ndarray:
    return np.load(folder / "clip.npz")["poses"][:, :72]


@pytest.mark.filterwarnings("ignore:Gimbal lock")
def test_a_raised_left_hand_stays_the_left(tmp_path):
    rotations = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(5, 13, 1)
    rotations[:, RIG.index("left_shoulder")] = from_swing_twist(torch.tensor([0.2, -2.3, 0.1]))
    motion = Motion(rotations, torch.zeros(5, 3), torch.zeros(5))
    write_amass(tmp_path / "amass.npz", motion)
    for name, style in STYLES.items():
        write_bvh(tmp_path / f"{name}.bvh", motion, style)
    for read in clips_in(tmp_path).values():
        _, joints = pose_body(load_body(), ADULT, read.rotations)
        left, right = joints[:, JOINT_NAMES.index("left_wrist")], joints[:, -1]
        assert (left[:, 2] > 0.5).all() and (right[:, 2] < 0).all()
        assert (left[:, 0] > 0.1).all(), "and people face -y"


PENDULUM = """HIERARCHY
ROOT Ceiling
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  End Site
  {
    OFFSET 0 -1 0
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
0 0 0 0 0 0
0 0 0 10 0 0
"""
