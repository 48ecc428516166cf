import math

import numpy as np
import pytest
import torch

from kinepose.synthetic.mocap_clips import captured_clips
from kinepose.synthetic.motion import (
    CLIP_FPS,
    Motion,
    heights_above_floor,
    join,
    mirror,
    mix,
    resample,
    roam,
    turn,
)


def straight_walk(seconds: float, speed: float) -> Motion:
    """Gliding along x, in the rest pose."""
    frames = round(seconds * CLIP_FPS)
    rotations = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(frames, 13, 1)
    root = torch.zeros(frames, 3)
    root[:, 0] = torch.arange(frames) / CLIP_FPS * speed
    return Motion(rotations, root, torch.ones(frames))


def test_mirrored_twice_is_as_before():
    motion = captured_clips()["kick"]
    twice = mirror(mirror(motion))
    assert torch.equal(twice.rotations, motion.rotations) and torch.equal(twice.root, motion.root)
    assert not torch.equal(mirror(motion).rotations, motion.rotations)


def test_resampling_keeps_the_frames_it_hits():
    motion = captured_clips()["punch"]
    finer = resample(motion, 2 * len(motion.root) - 1, 2.0)
    torch.testing.assert_close(finer.rotations[::2], motion.rotations, atol=1e-6, rtol=0)
    torch.testing.assert_close(finer.root[::2], motion.root)
    between = (motion.root[1:] + motion.root[:-1]) / 2
    torch.testing.assert_close(finer.root[1::2], between)


def test_a_turn_by_90_degrees():
    motion = turn(straight_walk(1.0, 1.0), math.pi / 2)
    assert motion.root[-1, 1] > 0.9 and motion.root[-1, 0].abs() < 1e-6
    assert float(motion.rotations[0, 0, 2]) == pytest.approx(math.sqrt(0.5))


def test_joined_motions_go_on_from_where_they_are():
    first = turn(straight_walk(1.0, 1.0), 0.7)
    second = turn(straight_walk(1.0, 1.0), -2.0)
    path = join(first, second).root
    steps = (path[1:] - path[:-1]).norm(dim=-1) * CLIP_FPS
    torch.testing.assert_close(steps, torch.ones_like(steps), atol=1e-4, rtol=0)
    heading = torch.atan2(path[1:, 1] - path[:-1, 1], path[1:, 0] - path[:-1, 0])
    torch.testing.assert_close(heading, torch.full_like(heading, 0.7), atol=1e-4, rtol=0)


def test_mixing_takes_the_named_bones_alone():
    legs, arms = captured_clips()["walk"], captured_clips()["punch"]
    mixed = mix(legs, arms, (9, 10))
    assert torch.equal(mixed.rotations[0, 9:11], arms.rotations[0, 9:11])
    others = [bone for bone in range(13) if bone not in (9, 10)]
    assert torch.equal(mixed.rotations[:, others], legs.rotations[:, others])
    assert torch.equal(mixed.root, legs.root)


@pytest.mark.parametrize("speed", [1.4, 3.5])
def test_who_walks_off_comes_back(speed):
    walk = straight_walk(30.0, speed)
    roaming = roam(np.random.default_rng(0), walk, CLIP_FPS, 1.5)
    assert roaming.root[:, :2].norm(dim=-1).max() < 3.5
    steps = roaming.root[1:, :2] - roaming.root[:-1, :2]
    torch.testing.assert_close(
        steps.norm(dim=-1) * CLIP_FPS, torch.full((899,), min(speed, 2.0)), atol=1e-3, rtol=0
    )
    heading = 2 * torch.atan2(roaming.rotations[:-1, 0, 2], roaming.rotations[:-1, 0, 3])
    along = torch.stack([heading.cos(), heading.sin()], dim=-1)
    ahead = torch.nn.functional.normalize(steps, dim=-1)
    assert (along * ahead).sum(-1).min() > 0.95, "people go on facing where they go"


def test_who_stands_is_not_turned():
    standing = straight_walk(2.0, 0.1)
    roaming = roam(np.random.default_rng(0), standing, CLIP_FPS, 1.5)
    torch.testing.assert_close(roaming.root, standing.root)
    assert torch.equal(roaming.rotations, standing.rotations)


def test_the_floor_follows_slow_floating_but_not_a_jump():
    times = torch.arange(90) / 30.0
    floating = 0.1 + 0.05 * torch.sin(times)
    jump = 0.3 * torch.exp(-((times - 1.5) ** 2) / (2 * 0.06**2))
    lowest = floating + jump
    above = heights_above_floor(lowest, torch.ones(90), 30.0)
    assert above.min() >= 0
    assert above[(times - 1.5).abs() > 0.3].max() < 0.02
    assert above[45] > 0.25
    assert heights_above_floor(lowest, torch.zeros(90), 30.0).max() == 0
