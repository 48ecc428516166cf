"""What people do: motion capture, multiplied; and procedural motion within anatomical limits.

The package carries clips (mocap_clips.py), and users may bring more. They are mirrored, re-timed,
strung together, their limbs are mixed, and they are perturbed; what they do not hold at all comes
from smooth paths through random poses.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from kinepose.synthetic.body import RIG, RIG_MIRRORED
from kinepose.synthetic.config import MotionConfig
from kinepose.synthetic.joint_limits import (
    LIMITS,
    clamp_to_limits,
    from_swing_twist,
    to_swing_twist,
)
from kinepose.synthetic.mocap_clips import clips_named
from kinepose.synthetic.mocap_files import clips_in
from kinepose.synthetic.motion import CLIP_FPS, Motion, join, mirror, mix, part_of, resample, turn

_ARMS = tuple(i for i, bone in enumerate(RIG) if "shoulder" in bone or "elbow" in bone)
_UPPER_BODY = (RIG.index("chest"), RIG.index("neck"), *_ARMS)
_RIGHT_ARM = (RIG.index("right_shoulder"), RIG.index("right_elbow"))
_LOCOMOTION = (
    *("walk", "run", "cmu_02_01", "cmu_02_02", "cmu_02_03", "cmu_05_01", "cmu_07", "cmu_12_01"),
    *("cmu_content_female_walk", "cmu_content_walk"),
)
"""What the names of clips begin with in which people walk or run straight on."""
_ACROBATIC = ("backflip", "cartwheel", "crawl", "getup_faceup", "roll", "spin", "spinkick")
_BOTH_SIDES = 0.5
"""Share of acrobats' poses in which both sides do the same: a tuck, a pike, a straddle."""
_LEFT = [bone for bone, name in enumerate(RIG) if name.startswith("left_")]


def random_motion(
    generator: np.random.Generator, frames: int, fps: float, config: MotionConfig
) -> Motion:
    """A person doing one thing after another for a while, at any frame rate.

    Raises:
        BadInputError: if a clip of the settings cannot be had.
    """
    clips = _clips_of(config)
    seconds = (frames + 1) / fps
    motion: Motion | None = None
    while motion is None or len(motion.root) < seconds * CLIP_FPS:
        part = _random_part(generator, config, clips)
        if motion is not None and generator.random() < config.walks_between:
            walk = mix(_random_clip(generator, config, clips, walks=True), part, _ARMS)
            motion = join(motion, walk)
        motion = part if motion is None else join(motion, part)
    motion = _perturb(generator, motion, math.radians(config.perturbation))
    motion = resample(motion, frames, fps / CLIP_FPS)
    return turn(motion, generator.uniform(0, 2 * math.pi))


def _clips_of(config: MotionConfig) -> dict[str, Motion]:
    """The clips that may be seen: the package's and the user's own."""
    clips = clips_named(config.only)
    return clips if config.clips is None else clips | clips_in(config.clips)


def _random_part(
    generator: np.random.Generator, config: MotionConfig, clips: dict[str, Motion]
) -> Motion:
    """A few seconds of one kind of motion at CLIP_FPS, drawn by the proportions of the settings."""
    weights = np.array([config.captured, config.mixed, config.procedural])
    kind = generator.choice(3, p=weights / weights.sum())
    if kind == 0:
        part = _random_clip(generator, config, clips)
    elif kind == 1:
        bones = (_UPPER_BODY, _ARMS, _RIGHT_ARM)[generator.integers(3)]
        legs = _random_clip(generator, config, clips)
        arms = (
            procedural_motion(generator, len(legs.root) / CLIP_FPS)
            if generator.random() < 0.5
            else _random_clip(generator, config, clips)
        )
        part = mix(legs, arms, bones)
    else:
        acrobatic = _is_acrobatic(generator, config)
        seconds = generator.uniform(0.5, 1.0) * config.longest_stay
        part = procedural_motion(generator, seconds, acrobatic)
    return mirror(part) if generator.random() < 0.5 else part


def _random_clip(
    generator: np.random.Generator,
    config: MotionConfig,
    clips: dict[str, Motion],
    walks: bool = False,
) -> Motion:
    """A clip or a part of it, faster or slower; who walks or runs goes on for over 1 s."""
    walkers = [name for name in sorted(clips) if name.startswith(_LOCOMOTION)]
    acrobats = [name for name in _ACROBATIC if name in clips]
    if walkers and (walks or generator.random() < config.locomotion):
        names = walkers
    elif acrobats and _is_acrobatic(generator, config):
        names = acrobats
    else:
        names = sorted(clips)
    name = str(generator.choice(names))
    clip = clips[name]
    longest = max(round(config.longest_stay * CLIP_FPS), 2)
    if len(clip.root) > longest:
        start = int(generator.integers(len(clip.root) - longest + 1))
        clip = part_of(clip, start, start + longest)
    once = clip
    while name.startswith(_LOCOMOTION) and len(clip.root) < 1.2 * CLIP_FPS:
        clip = join(clip, once)
    speed = math.exp(generator.uniform(-1, 1) * math.log(config.speed))
    return resample(clip, max(round(len(clip.root) / speed), 2), 1 / speed)


def _is_acrobatic(generator: np.random.Generator, config: MotionConfig) -> bool:
    """Draws nothing where nobody is: what was made before there was this setting stays the same."""
    return config.acrobatics > 0 and generator.random() < config.acrobatics


def procedural_motion(
    generator: np.random.Generator, seconds: float, acrobatic: bool = False
) -> Motion:
    """A smooth path through random poses within the joints' limits, at CLIP_FPS, on the spot."""
    frames = max(round(seconds * CLIP_FPS), 2)
    keys = max(math.ceil(seconds / 0.5), 2) + 1
    if acrobatic:
        poses = torch.stack([_acrobatic_pose(generator) for _ in range(keys)])
    else:
        bearing = str(generator.choice(["stand", "free", "lie"], p=[0.65, 0.25, 0.1]))
        poses = torch.stack([_random_pose(generator, bearing) for _ in range(keys)])
    gaps = generator.uniform(0.5, 1.5, keys - 1)
    key_times = np.concatenate([[0.0], np.cumsum(gaps) / gaps.sum()]) * (frames - 1)
    times = np.arange(frames)
    before = np.clip(np.searchsorted(key_times, times, side="right") - 1, 0, keys - 2)
    share = (times - key_times[before]) / (key_times[before + 1] - key_times[before])
    share = torch.from_numpy(share * share * (3 - 2 * share)).float()[:, None, None]
    angles = torch.lerp(poses[before], poses[before + 1], share)
    root = torch.tensor([[0.0, 0.0, 0.9]]).repeat(frames, 1)
    return Motion(from_swing_twist(angles), root, torch.zeros(frames))


def _random_pose(generator: np.random.Generator, bearing: str) -> Float[Tensor, "13 3"]:
    """(swing x, swing y, twist) of every bone, uniform in each joint's ellipse of swings.

    Who stands has legs near straight, and both arms and the trunk closer to rest.
    """
    angles = _within_limits(generator, 0.5)
    if bearing == "stand":
        calm = angles.new_ones(len(RIG))
        for bone, name in enumerate(RIG):
            if "hip" in name or "knee" in name or "ankle" in name:
                calm[bone] = float(generator.uniform(0.1, 0.4))
            elif name in ("chest", "neck"):
                calm[bone] = float(generator.uniform(0.2, 0.8))
        angles = angles * calm[:, None]
    lean = {"stand": 12.0, "free": 35.0, "lie": 90.0}[bearing]
    tilt = torch.from_numpy(generator.normal(0, 1, 3)).float() * math.radians(lean) / 2
    if bearing == "lie":
        tilt[0] = math.radians(float(generator.choice([-90.0, 90.0]))) + 0.3 * tilt[0]
    angles[0] = tilt
    return angles


def _acrobatic_pose(generator: np.random.Generator) -> Float[Tensor, "13 3"]:
    """As _random_pose, but joints are near their limits, and the trunk is any way up."""
    angles = _within_limits(generator, 0.25)
    if generator.random() < _BOTH_SIDES:
        mirrored = angles[list(RIG_MIRRORED)] * angles.new_tensor([1.0, -1.0, -1.0])
        angles[_LEFT] = mirrored[_LEFT]
    way, size = generator.uniform(0, 2 * math.pi), generator.uniform(0, math.pi)
    angles[0] = angles.new_tensor([size * math.cos(way), size * math.sin(way), 0.0])
    return angles


def _within_limits(generator: np.random.Generator, power: float) -> Float[Tensor, "13 3"]:
    """(swing x, swing y, twist) of every bone; the smaller the power, the nearer to the limits.

    1/2 is uniform in each joint's ellipse of swings.
    """
    angle = torch.from_numpy(generator.uniform(0, 2 * math.pi, len(RIG))).float()
    radius = torch.from_numpy(generator.uniform(0, 1, len(RIG)) ** power).float()
    swing = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    reach = torch.where(swing < 0, -LIMITS[:, :2, 0], LIMITS[:, :2, 1])
    share = torch.from_numpy(generator.beta(2.0, 2.0, len(RIG))).float()
    twist = torch.lerp(LIMITS[:, 2, 0], LIMITS[:, 2, 1], share)
    return torch.cat([swing * reach, twist[:, None]], dim=-1)


def _perturb(generator: np.random.Generator, motion: Motion, size: float) -> Motion:
    """Slow random offsets of a standard deviation [rad] on every joint, then the limits.

    A captured pose that lies beyond the limits may stay there: the clamp only undoes the offset's
    share of it.
    """
    if size == 0:
        return motion
    frames = len(motion.root)
    knots = max(math.ceil(frames / CLIP_FPS / 0.7), 1) + 3
    values = generator.normal(0, size, (knots, len(RIG), 3))
    knot = np.linspace(1, knots - 2, frames)
    smooth = gaussian_filter1d(values, 0.6, axis=0)
    before = np.floor(knot).astype(int)
    share = (knot - before)[:, None, None]
    share = share * share * (3 - 2 * share)
    offsets = smooth[before] * (1 - share) + smooth[np.minimum(before + 1, knots - 1)] * share
    angles = to_swing_twist(motion.rotations)
    moved = angles + torch.from_numpy(offsets).float() * (LIMITS.abs().amax(-1) > 0.1)
    within = clamp_to_limits(moved) - clamp_to_limits(angles) + angles
    rotations = from_swing_twist(within)
    rotations[:, 0] = motion.rotations[:, 0]
    return replace(motion, rotations=rotations)
