"""Motions of the rig, and what can be done with them: mirror, turn, join, mix, roam."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from torch import Tensor

from kinepose.synthetic.joint_limits import from_swing_twist, mirror_rotations, to_swing_twist

CLIP_FPS = 30.0
STEP_LEG = 0.83
"""Length of the legs, thigh and shin, whose steps a motion's path holds [m]."""
_CROSSFADE = 0.25
"""Time in which one motion becomes the next [s]."""
_FASTEST = 2.0
"""To what runners are slowed down, so that they need not leave the image [m/s]."""


@dataclass(frozen=True)
class Motion:
    """A person's pose and place over time, in the world's axes."""

    rotations: Float[Tensor, "frames 13 4"]
    """Parent-relative unit quaternions of the rig; the root's also says where one faces."""
    root: Float[Tensor, "frames 3"]
    """The rig's root [m], of a person 1.7 m tall."""
    flight: Float[Tensor, " frames"]
    """1 where people may leave the ground, 0 where something of them always touches it."""


def part_of(motion: Motion, first: int, last: int | None) -> Motion:
    """The frames from the first to before the last."""
    part = slice(first, last)
    return Motion(motion.rotations[part], motion.root[part], motion.flight[part])


def mirror(motion: Motion) -> Motion:
    """Left becomes right, and the path is mirrored too."""
    root = motion.root * motion.root.new_tensor([-1.0, 1.0, 1.0])
    return replace(motion, rotations=mirror_rotations(motion.rotations), root=root)


def turn(motion: Motion, angle: float | Float[Tensor, " frames"]) -> Motion:
    """The whole motion turned about the vertical through the world's origin [rad]."""
    angles = torch.as_tensor(angle, dtype=motion.root.dtype).expand(len(motion.root))
    zero = torch.zeros_like(angles)
    about_z = torch.stack([zero, zero, (angles / 2).sin(), (angles / 2).cos()], dim=-1)
    turned = motion.rotations.clone()
    turned[:, 0] = roma.quat_product(about_z, motion.rotations[:, 0])
    return replace(motion, rotations=turned, root=roma.quat_action(about_z, motion.root))


def resample(motion: Motion, frames: int, step: float) -> Motion:
    """Frames 0, 1/step, 2/step, ... of a motion, between its frames by interpolation."""
    times = torch.arange(frames, dtype=torch.float64) / step
    before = times.floor().long().clamp(max=len(motion.root) - 1)
    after = (before + 1).clamp(max=len(motion.root) - 1)
    share = (times - before).to(motion.root)
    return Motion(
        _blend(motion.rotations[before], motion.rotations[after], share[:, None, None]),
        torch.lerp(motion.root[before], motion.root[after], share[:, None]),
        torch.lerp(motion.flight[before], motion.flight[after], share),
    )


def join(first: Motion, second: Motion) -> Motion:
    """The second motion after the first, where that ends and facing the same way."""
    overlap = min(round(_CROSSFADE * CLIP_FPS), len(first.root) // 2, len(second.root) // 2)
    start = len(first.root) - overlap
    second = turn(second, _heading(first.rotations[start]) - _heading(second.rotations[0]))
    shift = (first.root[start] - second.root[0]) * first.root.new_tensor([1.0, 1.0, 0.0])
    second = replace(second, root=second.root + shift)
    share = torch.linspace(0, 1, overlap + 2)[1:-1]
    share = share * share * (3 - 2 * share)
    end, beginning = part_of(first, start, None), part_of(second, 0, overlap)
    between = Motion(
        _crossfade(end.rotations, beginning.rotations, share[:, None, None]),
        torch.lerp(end.root, beginning.root, share[:, None]),
        torch.lerp(end.flight, beginning.flight, share),
    )
    parts = (part_of(first, 0, start), between, part_of(second, overlap, None))
    columns = zip(*((part.rotations, part.root, part.flight) for part in parts), strict=True)
    return Motion(*map(torch.cat, columns))


def mix(legs: Motion, arms: Motion, bones: Sequence[int]) -> Motion:
    """One motion with some bones of another, which is repeated to and fro if it is shorter."""
    period = max(2 * len(arms.root) - 2, 1)
    index = np.arange(len(legs.root)) % period
    index = np.minimum(index, period - index)
    rotations = legs.rotations.clone()
    rotations[:, list(bones)] = arms.rotations[index][:, list(bones)]
    return replace(legs, rotations=rotations)


def roam(generator: np.random.Generator, motion: Motion, fps: float, radius: float) -> Motion:
    """The motion's path bent so that whoever walks heads for one random place after another.

    All lie within the radius around the origin [m]. Curves are of 0.6 m or wider, and nobody turns
    faster than 250 degrees a second; who stands is left alone.
    """
    steps = np.diff(motion.root[:, :2].numpy().astype(np.float64), axis=0)
    place, goal, bend = np.zeros(2), _random_place(generator, radius), 0.0
    places, bends = [place], [bend]
    for step in steps:
        if np.hypot(*(goal - place)) < 0.4:
            goal = _random_place(generator, radius)
        cosine, sine = math.cos(bend), math.sin(bend)
        step = np.array([cosine * step[0] - sine * step[1], sine * step[0] + cosine * step[1]])
        length = float(np.hypot(*step))
        step *= min(1.0, _FASTEST / fps / max(length, 1e-9))
        if length * fps > 0.3:
            off = math.atan2(*(goal - place)[::-1]) - math.atan2(step[1], step[0])
            off = math.remainder(off, 2 * math.pi)
            most = min(length / 0.6, math.radians(250) / fps)
            bend += min(max(off, -most), most)
        place = place + step
        places.append(place)
        bends.append(bend)
    turned = turn(motion, torch.tensor(bends, dtype=torch.float32))
    path = torch.tensor(np.array(places), dtype=torch.float32)
    return replace(turned, root=torch.cat([path, motion.root[:, 2:]], dim=-1))


def _random_place(generator: np.random.Generator, radius: float) -> Float[np.ndarray, "2"]:
    """Anywhere in a disc, uniformly."""
    distance, angle = radius * math.sqrt(generator.random()), generator.uniform(0, 2 * math.pi)
    return np.array([distance * math.cos(angle), distance * math.sin(angle)])


def heights_above_floor(
    lowest: Float[Tensor, " frames"], flight: Float[Tensor, " frames"], fps: float
) -> Float[Tensor, " frames"]:
    """How high above the floor the lowest point of someone is, from where a motion puts it [m].

    Where flight is meant the lowest points within 0.35 s count as on the floor, so that a jump
    stays and the slow floating of motion capture goes; so do the few centimetres that perturbed
    feet are too high. Elsewhere it is 0.
    """
    values = lowest.numpy().astype(np.float64)
    window = 2 * max(round(0.35 * fps), 1) + 1
    smooth = gaussian_filter1d(minimum_filter1d(values, window), 0.1 * fps)
    heights = np.maximum(values - smooth, 0)
    heights *= np.clip((heights - 0.05) / 0.15, 0, 1)
    return torch.from_numpy(heights).to(lowest) * flight


def _heading(rotations: Float[Tensor, "13 4"]) -> float:
    """Angle about the vertical at which a person faces [rad]."""
    return 2 * math.atan2(float(rotations[0, 2]), float(rotations[0, 3]))


def _crossfade(
    first: Float[Tensor, "frames 13 4"],
    second: Float[Tensor, "frames 13 4"],
    share: Float[Tensor, "frames 1 1"],
) -> Float[Tensor, "frames 13 4"]:
    """From one pose to another within the joints' limits: the shortest way may cross the body."""
    angles = torch.lerp(to_swing_twist(first), to_swing_twist(second), share)
    root = _blend(first[:, :1], second[:, :1], share)
    return torch.cat([root, from_swing_twist(angles[:, 1:])], dim=1)


def _blend(
    first: Float[Tensor, "frames bones 4"],
    second: Float[Tensor, "frames bones 4"],
    share: Float[Tensor, "frames 1 1"],
) -> Float[Tensor, "frames bones 4"]:
    """Between two rotations, along the shorter way."""
    sign = torch.where((first * second).sum(-1, keepdim=True) < 0, -1.0, 1.0)
    return torch.nn.functional.normalize(torch.lerp(first, sign * second, share), dim=-1)
