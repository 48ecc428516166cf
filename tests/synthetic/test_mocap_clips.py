from collections import Counter

import numpy as np
import pytest
import torch

from kinepose.io.errors import BadInputError
from kinepose.synthetic.body import RIG, load_body, pose_body, random_person
from kinepose.synthetic.config import MotionConfig
from kinepose.synthetic.joint_limits import to_swing_twist
from kinepose.synthetic.mocap_clips import (
    DEEPMIMIC_TRAINING,
    TEST_CLIPS,
    captured_clips,
    clips_named,
    training_clips,
)
from kinepose.synthetic.motion import CLIP_FPS, Motion, turn
from kinepose.synthetic.motion_sampling import _LOCOMOTION, random_motion

WALKERS = [name for name in captured_clips() if name.startswith(_LOCOMOTION)]


def pose_of(motion: Motion) -> torch.Tensor:
    """The joints of an average person [m], facing one way at the first frame."""
    person = random_person(np.random.default_rng(0))
    x, y, z, w = motion.rotations[0, 0].tolist()
    motion = turn(motion, -float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))))
    return pose_body(load_body(), person, motion.rotations)[1]


def test_the_package_carries_13_minutes_of_93_clips():
    clips = captured_clips()
    origin = Counter("cmu" if name.startswith("cmu_") else "deepmimic" for name in clips)
    assert origin == {"deepmimic": 15, "cmu": 78}
    assert {"walk", "run", "cartwheel", "cmu_02_01"} <= clips.keys()
    minutes = sum(len(clip.root) for clip in clips.values()) / CLIP_FPS / 60
    assert minutes == pytest.approx(13.2, abs=0.1)
    for clip in clips.values():
        lengths = clip.rotations.norm(dim=-1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=1e-4, rtol=0)
        assert clip.root.isfinite().all() and set(clip.flight.tolist()) <= {0.0, 1.0}


def test_what_trains_is_everything_but_what_is_kept_for_tests():
    assert set(training_clips()) | set(TEST_CLIPS) == set(captured_clips())
    assert not set(training_clips()) & set(TEST_CLIPS)
    assert set(DEEPMIMIC_TRAINING) < set(training_clips())
    assert clips_named(()).keys() == set(training_clips())
    assert clips_named(("kick",)).keys() == {"kick"}
    with pytest.raises(BadInputError, match="only fly: the package has only backflip"):
        clips_named(("walk", "fly"))


def test_whoever_names_no_clips_never_sees_those_of_the_tests(monkeypatch):
    """Without them in the package all would be the same, bit by bit."""

    def moves() -> list[torch.Tensor]:
        return [
            random_motion(np.random.default_rng(seed), 40, 4.0, MotionConfig()).rotations
            for seed in range(12)
        ]

    before = moves()
    for name in TEST_CLIPS:
        monkeypatch.delitem(captured_clips(), name)
    assert all(map(torch.equal, moves(), before))


def test_no_clip_of_the_tests_is_another_cut_of_one_that_trains():
    """Frame by frame at one pace, over two seconds, poses are 5 cm apart or more on average."""
    poses = {name: pose_of(clip) for name, clip in captured_clips().items()}
    for name in TEST_CLIPS:
        part = poses[name][:60:4].flatten(1)
        for other in training_clips():
            whole = poses[other].flatten(1)
            apart = torch.cdist(part, whole)
            steps = range(len(whole) - 4 * (len(part) - 1))
            rows = torch.arange(len(part))
            means = [float(apart[rows, start + 4 * rows].mean()) for start in steps]
            assert min(means, default=1.0) / 17**0.5 > 0.05, (name, other)


@pytest.mark.parametrize("name", WALKERS)
def test_walkers_go_where_they_look(name):
    clip = captured_clips()[name]
    x, y, z, w = clip.rotations[:, 0].unbind(-1)
    forward = torch.stack([2 * (w * z - x * y), 2 * (x * x + z * z) - 1], dim=-1)  # of -y
    steps = clip.root[1:, :2] - clip.root[:-1, :2]
    along = (forward[:-1] * steps).sum(-1) / steps.norm(dim=-1)
    assert along.mean() > 0.85
    assert steps.norm(dim=-1).mean() * CLIP_FPS > 0.7


def test_no_clip_begins_in_a_t_pose_or_has_a_knee_the_wrong_way_round():
    """Shoulders do not turn by 70 degrees at once, nor hips to where knees bend backward."""
    shoulders = [RIG.index("left_shoulder"), RIG.index("right_shoulder")]
    hips = [RIG.index("left_hip"), RIG.index("right_hip")]
    for name, clip in captured_clips().items():
        if name.startswith("cmu_"):
            first, second = clip.rotations[:2, shoulders]
            turned = 2 * (first * second).sum(-1).abs().clamp(max=1).acos().rad2deg()
            assert not (turned > 70).all(), name
            angles = to_swing_twist(clip.rotations[:, hips]).rad2deg()
            level = angles[..., :2].norm(dim=-1) < 130
            assert angles[..., 2].abs()[level].max() < 85, name
