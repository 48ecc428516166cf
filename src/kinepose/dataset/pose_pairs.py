"""Poses without images: 2D joints as heatmaps would see them, beside the pose that they show.

Poses cost far less than their images, so that the branches of E_P learn from many more of them. A
pool holds moments of moving people in the world; each batch sees some from cameras of its own, and
disturbs their 2D joints as heatmaps err: jitter, far misses, exchanged sides, joints not found.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from kinepose.geometry.image_transforms import flip_camera, flip_joints2d, flip_joints3d
from kinepose.geometry.pinhole import turned_to
from kinepose.geometry.skeleton import MIRRORED, PELVIS
from kinepose.method.batches import PoseBatch
from kinepose.method.camera_projection import fit_camera
from kinepose.method.forward_kinematics import canonical_joints, stature
from kinepose.synthetic.body import random_person
from kinepose.synthetic.config import MotionConfig
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import look_at
from kinepose.synthetic.scene import place

SEQUENCE = 32
"""Moments of one person that are made at once."""
_FPS = 2.5
_CONFUSED = ((2, 5), (3, 6), (12, 15), (13, 16), (1, 2, 3, 4, 5, 6), (12, 13, 15, 16))
"""Joints that heatmaps exchange between the sides: a pair, both legs, both arms."""


def random_moments(
    motion: MotionConfig, seed: int, number: int
) -> Float32[np.ndarray, "moments 17 3"]:
    """SEQUENCE moments of one moving person, in the world, z up [m]; by seed and number alone."""
    generator = np.random.default_rng([seed, number])
    moves = random_motion(generator, SEQUENCE, _FPS, motion)
    return place(moves, random_person(generator), _FPS).joints.numpy().astype(np.float32)


def draw_poses(
    pool: Float[Tensor, "moments 17 3"], count: int, generator: torch.Generator
) -> PoseBatch:
    """Random moments, each seen by a camera of its own all around it, near or far, turned."""
    joints = pool[torch.randint(len(pool), (count,), generator=generator)]
    seen = _through_cameras(joints, generator)
    in_sight = seen[..., :2] / seen[..., 2:].clamp(min=0.3)
    low, high = in_sight.amin(1), in_sight.amax(1)
    length = (high - low).amax(-1)
    size = 2 * (0.55 + 0.4 * torch.rand(count, generator=generator)) / length
    shift = 0.12 * torch.randn(count, 1, 2, generator=generator)
    joints2d = size[:, None, None] * (in_sight - (low + high)[:, None] / 2) + shift
    joints3d, rotation = canonical_joints(seen)
    camera, _ = fit_camera(joints3d, turned_to(seen[:, PELVIS]) @ rotation, joints2d)
    flipped = torch.rand(count, generator=generator) < 0.5
    joints2d = torch.where(flipped[:, None, None], flip_joints2d(joints2d), joints2d)
    joints3d = torch.where(flipped[:, None, None], flip_joints3d(joints3d), joints3d)
    camera = torch.where(flipped[:, None], flip_camera(camera), camera)
    seen2d, certainty = disturbed(joints2d, generator)
    return PoseBatch(seen2d, certainty, joints2d, joints3d, camera)


def disturbed(
    joints2d: Float[Tensor, "batch 17 2"], generator: torch.Generator
) -> tuple[Float[Tensor, "batch 17 2"], Float[Tensor, "batch 17"]]:
    """2D joints as heatmaps see them, and the certainty with which they do.

    Some images are clear and others are not. The less certain a heatmap, the more likely is its
    peak somewhere else, and the less exact where it is not; that sides are exchanged it does not
    know.
    """
    count = len(joints2d)

    def drawn(*shape: int) -> Float[Tensor, "..."]:
        return torch.rand(count, *shape, generator=generator)

    def normal(*shape: int) -> Float[Tensor, "..."]:
        return torch.randn(count, *shape, generator=generator)

    length = (joints2d.amax(1) - joints2d.amin(1)).amax(-1)[:, None, None]
    clear = 1 - 0.85 * drawn(1) ** 1.5
    certainty = (clear + 0.12 * normal(17)).clamp(0.03, 0.99)
    hidden = _cut_off(joints2d, drawn(4), drawn(1) < 0.25)
    certainty = torch.where(hidden, 0.2 * drawn(17), certainty)
    seen = joints2d.clone()
    for joints in _CONFUSED:
        seen = _exchanged(seen, joints, drawn(1) < 0.04 * (1 - clear))
    seen = _exchanged(seen, tuple(range(17)), drawn(1) < 0.05 * (1 - clear))
    doubt = (1 - certainty)[..., None]
    seen = seen + (0.003 + 0.04 * doubt) * length * normal(17, 2)
    elsewhere = hidden[..., None] | (drawn(17, 1) < 0.4 * doubt.square())
    seen = torch.where(elsewhere, seen + 0.3 * length * normal(17, 2), seen)
    return seen.clamp(-1, 1), certainty


def _cut_off(
    joints2d: Float[Tensor, "batch 17 2"],
    depth: Float[Tensor, "batch 4"],
    chosen: Bool[Tensor, "batch 1"],
) -> Bool[Tensor, "batch 17"]:
    """The joints beyond one side of the image or of a thing, in some of a batch."""
    low, high = joints2d.amin(1), joints2d.amax(1)
    share = (joints2d - low[:, None]) / (high - low)[:, None].clamp(min=1e-6)
    below = share[..., 1] > 1 - 0.7 * depth[:, :1]
    beside = share[..., 0] > 1 - 0.5 * depth[:, 1:2]
    return chosen & torch.where(depth[:, 2:3] < 0.7, below, beside)


def _exchanged(
    joints2d: Float[Tensor, "batch 17 2"],
    joints: tuple[int, ...],
    chosen: Bool[Tensor, "batch 1"],
) -> Float[Tensor, "batch 17 2"]:
    """Some joints where those of the other side are, in some of a batch."""
    order = [MIRRORED[joint] if joint in joints else joint for joint in range(17)]
    return torch.where(chosen[..., None], joints2d[:, order], joints2d)


def _through_cameras(
    joints: Float[Tensor, "batch 17 3"], generator: torch.Generator
) -> Float[Tensor, "batch 17 3"]:
    """In the axes of random cameras that look at the middle of each pose [m]."""
    count = len(joints)

    def drawn(low: float, high: float) -> Float[Tensor, " batch"]:
        return low + (high - low) * torch.rand(count, generator=generator)

    elevation = 8 + 18 * torch.randn(count, generator=generator)
    elevation, azimuth = elevation.clamp(-40, 80).deg2rad(), drawn(0.0, 2 * math.pi)
    distance = drawn(math.log(2.0), math.log(8.0)).exp() * stature(joints)
    usual = math.radians(20) * torch.randn(count, generator=generator)
    roll = torch.where(drawn(0.0, 1.0) < 0.85, usual, drawn(-math.pi, math.pi))
    across = elevation.cos()
    towards = torch.stack([across * azimuth.cos(), across * azimuth.sin(), elevation.sin()], dim=-1)
    target = (joints.amin(1) + joints.amax(1)) / 2
    position = target + distance[:, None] * towards
    return (joints - position[:, None]) @ look_at(position, target, roll).transpose(-1, -2)
