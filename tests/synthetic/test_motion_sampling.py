import math
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from kinepose.geometry.skeleton import FREE_JOINTS, STANDARD_SKELETON
from kinepose.method.forward_kinematics import local_kinematics
from kinepose.synthetic.body import load_body, pose_body, random_person
from kinepose.synthetic.config import MotionConfig
from kinepose.synthetic.joint_limits import (
    LIMITS,
    clamp_to_limits,
    from_swing_twist,
    mirror_rotations,
    swing_reach,
    to_swing_twist,
)
from kinepose.synthetic.mocap_clips import clips_named
from kinepose.synthetic.motion import (
    mirror,
)
from kinepose.synthetic.motion_sampling import procedural_motion, random_motion

PROCEDURAL = MotionConfig(captured=0.0, mixed=0.0, procedural=1.0, walks_between=0.0)


def rotation_angles(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return 2 * (first * second).sum(-1).abs().clamp(max=1).acos()


@pytest.mark.parametrize(("frames", "fps"), [(1, 25.0), (7, 10.0), (40, 25.0), (31, 60.0)])
def test_any_length_at_any_pace(frames, fps):
    motion = random_motion(np.random.default_rng(3), frames, fps, MotionConfig())
    assert motion.rotations.shape == (frames, 13, 4)
    torch.testing.assert_close(motion.rotations.norm(dim=-1), torch.ones(frames, 13))
    assert motion.root.isfinite().all()


def test_the_same_seed_moves_alike_and_another_does_not():
    first, again, other = (
        random_motion(np.random.default_rng(seed), 20, 25.0, MotionConfig()) for seed in (1, 1, 2)
    )
    assert torch.equal(first.rotations, again.rotations) and torch.equal(first.root, again.root)
    assert rotation_angles(first.rotations, other.rotations).mean() > 0.1


def test_nobody_jerks():
    """No joint turns faster than 40 degrees in a 60th of a second, nor the root beyond a flip's."""
    for seed in range(6):
        motion = random_motion(np.random.default_rng(seed), 360, 60.0, MotionConfig())
        turns = rotation_angles(motion.rotations[1:], motion.rotations[:-1])
        assert turns.max() < math.radians(40)
        assert (motion.root[1:] - motion.root[:-1]).norm(dim=-1).max() < 0.15


def test_procedural_motion_stays_within_the_limits_of_the_joints():
    for seed in range(5):
        motion = procedural_motion(np.random.default_rng(seed), 4.0)
        angles = to_swing_twist(motion.rotations)
        assert swing_reach(angles).max() < 1 + 1e-4
        assert (angles[:, 1:, 2] >= LIMITS[1:, 2, 0] - 1e-4).all()
        assert (angles[:, 1:, 2] <= LIMITS[1:, 2, 1] + 1e-4).all()


def test_perturbations_and_crossfades_stay_within_the_limits():
    beyond = []
    for seed in range(6):
        config = replace(PROCEDURAL, perturbation=15.0)
        motion = random_motion(np.random.default_rng(seed), 120, 30.0, config)
        within = from_swing_twist(clamp_to_limits(to_swing_twist(motion.rotations)))
        beyond.append(rotation_angles(motion.rotations, within)[:, 1:].rad2deg())
    assert torch.cat(beyond).max() < 1


def test_proportions_decide_what_is_seen():
    def spread(config: MotionConfig) -> float:
        motions = [random_motion(np.random.default_rng(i), 60, 30.0, config) for i in range(4)]
        captured = list(clips_named(()).values())
        captured += [mirror(clip) for clip in captured]
        clips = torch.cat([clip.rotations[:, 1:] for clip in captured])
        rotations = torch.cat([motion.rotations[::10, 1:] for motion in motions])
        apart = rotation_angles(rotations[:, None], clips[None]).mean(-1)
        return math.degrees(float(apart.amin(1).median()))

    only_clips = MotionConfig(mixed=0.0, procedural=0.0, walks_between=0.0, perturbation=0.0)
    assert spread(only_clips) < 4
    assert spread(replace(only_clips, captured=0.0, mixed=1.0)) > 6
    assert spread(PROCEDURAL) > 15


def test_bones_stay_far_from_the_antipodes_of_their_rest_directions():
    """At least 30 degrees: there alone v_k is not continuous."""
    rest = torch.tensor(STANDARD_SKELETON.rest_directions)
    generator = np.random.default_rng(0)
    for _ in range(36):
        motion = random_motion(generator, 20, 5.0, MotionConfig())
        _, joints = pose_body(load_body(), random_person(generator), motion.rotations)
        parameters, _ = local_kinematics(joints)
        directions = parameters[:, 1:].unflatten(-1, (len(FREE_JOINTS), 3))
        away = (directions * -rest).sum(-1).clamp(-1, 1).acos().rad2deg()
        assert away.min() > 30


def test_acrobats_bend_their_joints_both_sides_alike_and_stand_on_their_heads():
    """Half of them with both sides alike, upside down in a third; others never."""
    acrobatic, usual = (
        [
            procedural_motion(np.random.default_rng(seed), 0.1, kind).rotations[0]
            for seed in range(60)
        ]
        for kind in (True, False)
    )
    acrobatic, usual = torch.stack(acrobatic), torch.stack(usual)
    alike = rotation_angles(acrobatic, mirror_rotations(acrobatic))[:, 3:].amax(1) < 1e-3
    assert 0.3 < alike.float().mean() < 0.7
    assert not (rotation_angles(usual, mirror_rotations(usual))[:, 3:].amax(1) < 1e-3).any()
    assert 0.15 < (uprightness(acrobatic) < -0.5).float().mean() < 0.55
    reach = [swing_reach(to_swing_twist(poses))[:, 1:].mean() for poses in (acrobatic, usual)]
    assert swing_reach(to_swing_twist(acrobatic)).max() < 1.001 and reach[0] > 1.5 * reach[1]


@pytest.mark.parametrize("acrobatics", [0.0, 1.0])
def test_captured_motion_is_acrobatic_as_often_as_asked(acrobatics):
    """Who walks stays upright, and a cartwheel goes over the hands; of all else there is none."""
    habits = MotionConfig(mixed=0.0, procedural=0.0, walks_between=0.0, perturbation=0.0)
    only = ("cartwheel", *(f"cmu_07_{trial:02d}" for trial in range(1, 13)))
    config = replace(habits, only=only, locomotion=0.0, acrobatics=acrobatics)
    motions = [random_motion(np.random.default_rng(seed), 60, 25.0, config) for seed in range(6)]
    over = [uprightness(motion.rotations).min() < -0.5 for motion in motions]
    assert sum(over) == 6 if acrobatics else sum(over) <= 2


def uprightness(rotations: torch.Tensor) -> torch.Tensor:
    up = torch.tensor([0.0, 0.0, 1.0]).expand(len(rotations), 3)
    return roma.quat_action(rotations[:, 0], up)[:, 2]
