"""Single images of people without a background: the few of L_prior, and those of the stream."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kinepose.method.camera_projection import DISTANCE, FOCAL_LENGTH
from kinepose.method.forward_kinematics import canonical_joints, stature
from kinepose.synthetic.body import (
    load_body,
    pose_body,
    random_person,
)
from kinepose.synthetic.clothing import random_outfit
from kinepose.synthetic.config import MotionConfig, SceneConfig, SingleImagesConfig
from kinepose.synthetic.lighting import Light, random_light
from kinepose.synthetic.mocap_clips import DEEPMIMIC_TRAINING
from kinepose.synthetic.motion import Motion
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import Camera, Rendered, look_at, render, to_camera, to_image
from kinepose.synthetic.scene import Actor, place
from kinepose.synthetic.video_frames import dressed, dressed_painter

SEQUENCE = 32
"""Images of one person in one set of clothes that the stream renders at once."""
MARGIN = 1.1
"""Side of a stream's image, in lengths of the bare body in it: clothes and hair stand out."""
_SEQUENCE_FPS = 2.5
"""Moments that far apart are different poses."""


@dataclass(frozen=True)
class Layers:
    """Images of people without a background, and what is needed to put them before one."""

    image: UInt8[np.ndarray, "renders size size 3"]
    """The person on black, RGB: a pixel that is covered by half is half as bright."""
    mask: UInt8[np.ndarray, "renders size size"]
    """How much of each pixel the person covers, of 255."""
    shadow: UInt8[np.ndarray, "renders size size"]
    """How much of its light the person's shadow takes from the background, of 255."""


@dataclass(frozen=True)
class Renders(Layers):
    """Single images of people, each with a camera of its own, and the renderer's truth."""

    joints2d: Float[np.ndarray, "renders 17 2"]
    """[crop coordinates]"""
    joints3d: Float[np.ndarray, "renders 17 3"]
    """In the camera's axes, absolute [mm]."""


def render_prior(count: int, seed: int, size: int) -> Renders:
    """Images of `size` px a side, of different people in poses far apart from one another.

    Each is seen from DISTANCE, in units of its own chain of stature, with FOCAL_LENGTH and the
    pelvis exactly in the middle, so that the labels can be met by the fixed camera P. They do
    nothing of what `synthworld` keeps for its tests.
    """
    generator = np.random.default_rng(seed)
    renders = []
    for index, pose in enumerate(_diverse_poses(generator, count)):
        motion = Motion(pose[None], torch.zeros(1, 3), torch.zeros(1))
        actor = place(motion, random_person(generator), fps=1.0)
        azimuth = 2 * math.pi * (index + generator.uniform(-0.4, 0.4)) / count
        camera = _prior_camera(generator, actor, azimuth, size)
        renders.append(_render_person(generator, actor, camera, "render", SceneConfig()))
    columns = zip(*(vars(render).values() for render in renders), strict=True)
    return Renders(*map(np.concatenate, columns))


def render_sequence(config: SingleImagesConfig, seed: int, number: int) -> Renders:
    """SEQUENCE images of one person: a part of the stream.

    Every moment has a camera of its own, aimed at the middle of the person. The seed and the number
    alone decide what is to be seen.
    """
    generator = np.random.default_rng([seed, number])
    moves = random_motion(generator, SEQUENCE, _SEQUENCE_FPS, config.motion)
    actor = place(moves, random_person(generator), _SEQUENCE_FPS)
    camera = _cameras_around(generator, actor, config.size)
    if generator.random() < config.dressed:
        return _render_dressed_person(generator, actor, camera, config.scene)
    appearance = "video" if generator.random() < config.video_like else "render"
    return _render_person(generator, actor, camera, appearance, config.scene)


def _render_person(
    generator: np.random.Generator,
    actor: Actor,
    camera: Camera,
    appearance: str,
    scene: SceneConfig,
) -> Renders:
    outfit, light = (
        random_outfit(generator, appearance, scene),
        random_light(generator, appearance, scene),
    )
    clothed_mesh, vertices = dressed(actor, outfit)
    rendered = render(vertices, clothed_mesh, [outfit], [light], camera)
    return _renders(rendered, actor, light, camera)


def _render_dressed_person(
    generator: np.random.Generator, actor: Actor, camera: Camera, scene: SceneConfig
) -> Renders:
    """Someone with textured skin, hair and clothes."""
    light = random_light(generator, "video", scene)
    moves, paint = dressed_painter(generator, actor, scene, light)
    return _renders(paint(*moves, camera=camera), actor, light, camera)


def _renders(rendered: Rendered, actor: Actor, light: Light, camera: Camera) -> Renders:
    seen = to_camera(camera, actor.joints)
    return Renders(
        _bytes(rendered.colour),
        _bytes(rendered.mask),
        _bytes(0.7 * light.shadow * rendered.shadow),
        (to_image(camera, seen) / camera.width * 2 - 1).numpy(),
        (seen * 1000).numpy(),
    )


def _prior_camera(
    generator: np.random.Generator, actor: Actor, azimuth: float, size: int
) -> Camera:
    elevation = math.radians(float(np.clip(generator.normal(8, 10), -15, 40)))
    roll = torch.tensor([math.radians(float(generator.normal(0, 5)))])
    towards = torch.tensor(
        [[math.cos(azimuth), math.sin(azimuth), math.tan(elevation)]], dtype=torch.float32
    )
    towards = torch.nn.functional.normalize(towards, dim=-1)
    pelvis = actor.joints[:, 0]
    position = pelvis + towards * DISTANCE * stature(actor.joints)[:, None]
    focal = torch.tensor([FOCAL_LENGTH * size / 2])
    return Camera(look_at(position, pelvis, roll), position, focal, size, size)


def _cameras_around(generator: np.random.Generator, actor: Actor, size: int) -> Camera:
    """Cameras all around a person, near and far, that look at the middle of the joints."""
    count, lengths = len(actor.joints), stature(actor.joints)
    elevation = torch.from_numpy(generator.normal(8, 15, count).clip(-30, 70)).float().deg2rad()
    azimuth = torch.from_numpy(generator.uniform(0, 2 * math.pi, count)).float()
    distance = torch.from_numpy(np.exp(generator.uniform(np.log(2.2), np.log(7), count))).float()
    across = elevation.cos()
    towards = torch.stack([across * azimuth.cos(), across * azimuth.sin(), elevation.sin()], dim=-1)
    target = (actor.joints.amin(1) + actor.joints.amax(1)) / 2
    position = target + towards * (distance * lengths)[:, None]
    position[:, 2] = position[:, 2].clamp(min=0.05)
    rotation = look_at(position, target, torch.zeros(count))
    seen = (actor.vertices - position[:, None]) @ rotation.transpose(-1, -2)
    sight = seen[..., :2] / seen[..., 2:].clamp(min=0.3)
    side = MARGIN * (2 * sight.abs()).amax((1, 2))
    return Camera(rotation, position, size / side, size, size)


def _diverse_poses(generator: np.random.Generator, count: int) -> Float[Tensor, "poses 13 4"]:
    """Poses from the stream of motions, each as far as can be from those chosen before it.

    The strangest tenth of all poses, those farthest from their neighbours, is left out, so that
    the few chosen are not all outliers.
    """
    habits = MotionConfig(only=DEEPMIMIC_TRAINING)
    motions = [random_motion(generator, 20, 5.0, habits) for _ in range(60)]
    rotations = torch.cat([motion.rotations for motion in motions])
    _, joints = pose_body(load_body(), random_person(generator), rotations)
    canonical, _ = canonical_joints(joints)
    distances = torch.cdist(canonical.flatten(1), canonical.flatten(1))
    solitude = distances.topk(5, largest=False).values[:, -1]
    kept = torch.nonzero(solitude <= solitude.quantile(0.9)).squeeze(1)
    distances = distances[kept][:, kept]
    chosen = [int(distances.mean(1).argmin())]
    while len(chosen) < count:
        chosen.append(int(distances[chosen].amin(0).argmax()))
    return rotations[kept[chosen]]


def _bytes(values: Float[Tensor, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    return (values * 255 + 0.5).clamp(0, 255).byte().numpy()
