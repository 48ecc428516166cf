import numpy as np
import pytest
import torch

from kinepose.geometry.skeleton import JOINT_NAMES, MIRRORED, PARENTS, STANDARD_SKELETON
from kinepose.method.forward_kinematics import stature
from kinepose.synthetic.body import RIG, Person, load_body, pose_body, random_person
from kinepose.synthetic.joint_limits import from_swing_twist, mirror_rotations

REST = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(1, 13, 1)
ADULT = Person(0.5, 0.67, 0.5, 0.5, 0.5, 0.5)


def joint(name: str) -> int:
    return JOINT_NAMES.index(name)


def bent(bone: str, angles: tuple[float, float, float]) -> torch.Tensor:
    """The upright stance but for one bone."""
    pose = REST.clone()
    pose[0, RIG.index(bone)] = from_swing_twist(torch.tensor(angles))
    return pose


def test_upright_stance():
    vertices, joints = pose_body(load_body(), ADULT, REST)
    by_name = dict(zip(JOINT_NAMES, joints[0], strict=True))
    height = float(vertices[0, :, 2].max() - vertices[0, :, 2].min())
    assert 1.5 < height < 1.9
    assert joints[0, :, 2].argmax() == joint("head_top")
    assert by_name["nose"][1] < by_name["head_top"][1] - 0.05, "people look along -y"
    for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        assert by_name[f"left_{name}"][0] > 0.03 > -0.03 > by_name[f"right_{name}"][0]
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow")):
        limb = by_name[f"left_{lower}"] - by_name[f"left_{upper}"]
        assert limb[2] / limb.norm() < -0.999, "limbs hang straight down"


def test_the_standard_skeleton_is_near_the_average_person():
    generator = np.random.default_rng(0)
    people = [pose_body(load_body(), random_person(generator), REST)[1][0] for _ in range(20)]
    joints = torch.stack([person / stature(person) for person in people])
    for name, length in zip(JOINT_NAMES[1:], STANDARD_SKELETON.lengths[1:], strict=True):
        start = 0 if name == "neck" else PARENTS[joint(name)]
        lengths = (joints[:, joint(name)] - joints[:, start]).norm(dim=-1)
        assert float(lengths.mean()) == pytest.approx(length, abs=0.025), name


@pytest.mark.parametrize(
    ("bone", "angles", "moved", "towards"),
    [
        ("left_shoulder", (0.0, -1.2, 0.0), ("left_elbow", "left_wrist"), (1, 0, 1)),
        ("right_shoulder", (0.0, 1.2, 0.0), ("right_elbow", "right_wrist"), (-1, 0, 1)),
        ("left_elbow", (-1.5, 0.0, 0.0), ("left_wrist",), (0, -1, 1)),
        ("right_hip", (-1.5, 0.0, 0.0), ("right_knee", "right_ankle"), (0, -1, 1)),
        ("left_knee", (1.5, 0.0, 0.0), ("left_ankle",), (0, 1, 1)),
    ],
)
def test_a_bone_moves_what_hangs_on_it_and_to_its_own_side(bone, angles, moved, towards):
    _, before = pose_body(load_body(), ADULT, REST)
    _, after = pose_body(load_body(), ADULT, bent(bone, angles))
    change = after[0] - before[0]
    limb = {joint(name) for name in moved}
    for index, shift in enumerate(change):
        if index in limb:
            assert shift @ torch.tensor(towards, dtype=torch.float32) > 0.15
        elif "shoulder" not in JOINT_NAMES[index]:  # a raised arm raises its shoulder a little
            assert shift.norm() < 1e-4, JOINT_NAMES[index]


def test_a_mirrored_pose_has_mirrored_joints():
    generator = torch.Generator().manual_seed(0)
    pose = from_swing_twist(0.6 * torch.randn(4, 13, 3, generator=generator))
    _, joints = pose_body(load_body(), ADULT, pose)
    _, mirrored = pose_body(load_body(), ADULT, mirror_rotations(pose))
    expected = joints[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0, 1.0])
    assert (mirrored - expected).norm(dim=-1).max() < 2e-3


def test_joints_lie_within_limbs_whatever_the_person_and_pose():
    generator = np.random.default_rng(0)
    limbs = [joint(f"{side}_{name}") for side in ("left", "right") for name in ("elbow", "knee")]
    for _ in range(4):
        pose = from_swing_twist(torch.from_numpy(generator.normal(0, 0.4, (1, 13, 3))).float())
        vertices, joints = pose_body(load_body(), random_person(generator), pose)
        to_skin = torch.cdist(joints[0], vertices[0])
        assert to_skin.amin(1).max() < 0.16, "no joint is far from the body"
        around = to_skin[limbs].argsort(1)[:, :24]
        for index, near in zip(limbs, around, strict=True):
            offset = vertices[0, near].mean(0) - joints[0, index]
            assert offset.norm() < 0.03, f"{JOINT_NAMES[index]} is off its limb's middle"


def test_people_differ():
    generator = np.random.default_rng(0)
    heights = []
    for _ in range(12):
        vertices, _ = pose_body(load_body(), random_person(generator), REST)
        heights.append(float(vertices[0, :, 2].max() - vertices[0, :, 2].min()))
    assert 1.4 < min(heights) < 1.65 < 1.75 < max(heights) < 2.05
    again = random_person(np.random.default_rng(0))
    assert again == random_person(np.random.default_rng(0))
