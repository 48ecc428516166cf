"""What a scene is made of besides the person: a place on the floor, a camera, a view."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from torch import Tensor

from kinepose.synthetic.backgrounds import (
    procedural_background,
    random_crop,
    random_object,
    read_photographs,
    recolour,
)
from kinepose.synthetic.body import Person, load_body, pose_bones
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.motion import STEP_LEG, Motion, heights_above_floor
from kinepose.synthetic.places import test_places, training_places, view_of
from kinepose.synthetic.renderer import Camera, look_at

_PANORAMA = 2.0
"""Side of the image behind a moving camera, in sides of the video."""
_SMALLEST_PERSON = 0.4
"""Height of an upright person in the middle of a scene, in heights of the video."""
_AZIMUTHS = 8
"""Directions to look from among which a static camera has the best."""
_HALF_WIDTH = 0.35
"""Of what a person hides [m]."""


@dataclass(frozen=True)
class Actor:
    """A posed person in the world, with the feet on the floor z = 0 [m]."""

    vertices: Float[Tensor, "frames vertices 3"]
    joints: Float[Tensor, "frames 17 3"]
    bones: Float[Tensor, "frames bones 4 4"]
    """Each bone's transform from where it is on the person's body at rest."""
    person: Person


def place(motion: Motion, person: Person, fps: float) -> Actor:
    """A person on the floor, taking steps that suit the length of the body."""
    vertices, joints, bones = pose_bones(load_body(), person, motion.rotations)
    thigh, shin = joints[0, 2] - joints[0, 1], joints[0, 3] - joints[0, 2]
    path = motion.root * ((thigh.norm() + shin.norm()) / STEP_LEG)
    lowest = vertices[..., 2].amin(1)
    height = heights_above_floor(lowest + path[:, 2], motion.flight, fps) - lowest
    path = torch.cat([path[:, :2], height[:, None]], dim=-1)
    bones[:, :, :3, 3] += path[:, None]
    return Actor(vertices + path[:, None], joints + path[:, None], bones, person)


def random_camera(
    generator: np.random.Generator,
    actor: Actor,
    size: int,
    fps: float,
    moving: bool,
    scene: SceneConfig,
) -> Camera:
    """A camera around where the person is on average.

    A moving one follows lazily, sways in the hand, and zooms now and then. A static one sees all
    places that the person goes to, from where these lie side by side.
    """
    frames = len(actor.joints)
    pelvis = actor.joints[:, 0]
    middle = (pelvis.amin(0) + pelvis.amax(0)) / 2
    azimuths = generator.uniform(0, 2 * math.pi, _AZIMUTHS)
    azimuth = azimuths[0] if moving else min(azimuths, key=partial(_dwell, pelvis, fps))
    distance, height = generator.uniform(*scene.distance), generator.uniform(*scene.height)
    offset = [distance * math.cos(azimuth), distance * math.sin(azimuth), 0.0]
    position = middle * middle.new_tensor([1.0, 1.0, 0.0]) + torch.tensor(offset)
    position[2] = height
    target = torch.tensor([middle[0], middle[1], 0.85 + float(generator.normal(0, 0.1))])
    target = target.expand(frames, 3)
    roll = torch.full((frames,), math.radians(generator.normal(0, scene.roll)))
    position = position.expand(frames, 3)
    zoom = torch.ones(frames)
    if moving:
        follow = torch.from_numpy(gaussian_filter1d(pelvis.numpy(), 0.5 * fps, axis=0))
        target = torch.lerp(target, follow, float(generator.uniform(0.3, 1.0)))
        target = target + _drift(generator, frames, fps, (0.25, 0.25, 0.12))
        target = target + _drift(generator, frames, 4 * fps, (scene.shake,) * 3)
        roll = roll + _drift(generator, frames, fps, (0.02,))[:, 0]
        zoom = (_drift(generator, frames, fps, (scene.zoom,))[:, 0]).exp()
    rotation = look_at(position, target, roll.float())
    points = (actor.joints[:1] if moving else actor.joints).flatten(0, 1)
    focal = generator.uniform(0.8, 1.0) * _widest_focal(points, position[:1], rotation[:1], size)
    focal = max(focal, _SMALLEST_PERSON * size * distance / 1.7)
    return Camera(rotation, position.contiguous(), (focal * zoom).float(), size, size)


def _dwell(pelvis: Float[Tensor, "frames 3"], fps: float, azimuth: float) -> float:
    """Largest share of the 5 s before and after that someone spends in one part of the image."""
    across = pelvis[:, 1] * math.cos(azimuth) - pelvis[:, 0] * math.sin(azimuth)
    times = torch.arange(len(across)) / fps
    near = (times[:, None] - times).abs() < 5
    same = (across[:, None] - across).abs() < _HALF_WIDTH
    return float((near & same).sum(1).div(near.sum(1)).max())


@dataclass(frozen=True)
class Backdrop:
    """An image of what stands still, behind the person or before.

    It hangs as a plane at a right angle to the first frame's view, and is larger than that: a
    camera that only turns and zooms sees it exactly so, at whatever distance.
    """

    camera: Camera
    image: UInt8[np.ndarray, "side side channels"]

    def frames(self) -> Iterator[UInt8[np.ndarray, "height width channels"]]:
        """What the camera sees of it, frame by frame."""
        rotation, focal = self.camera.rotation.double().numpy(), self.camera.focal.tolist()
        width, height = self.camera.width, self.camera.height
        panorama_from_first = _pixels_from_rays(focal[0], len(self.image))
        view, last = np.empty(0, np.uint8), None
        for turn, length in zip(rotation, focal, strict=True):
            first_from_video = (
                rotation[0] @ turn.T @ np.linalg.inv(_pixels_from_rays(length, width))
            )
            panorama_from_video = panorama_from_first @ first_from_video
            if last is None or not np.array_equal(panorama_from_video, last):
                view = cv2.warpPerspective(
                    self.image,
                    panorama_from_video,
                    (width, height),
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REFLECT_101,
                )
            last = panorama_from_video
            yield view


def random_backdrop(
    generator: np.random.Generator, camera: Camera, moving: bool, scene: SceneConfig
) -> Backdrop:
    """A photograph of the folder; a place; or a made-up scene whose floor ends near the horizon."""
    side = _panorama(camera, moving)
    if scene.backgrounds is not None:
        photographs = read_photographs(scene.backgrounds)
        photograph = photographs[generator.integers(len(photographs))]
        return Backdrop(camera, random_crop(generator, photograph, side, side))
    if scene.places != "procedural":
        places = training_places() if scene.places == "training" else test_places()
        place = places[generator.integers(len(places))]
        turn = Rotation.from_euler("z", generator.uniform(-180, 180), degrees=True)
        rotation = turn.as_matrix() @ camera.rotation[0].double().numpy().T
        view = view_of(place, rotation, float(camera.focal[0]), side, side)
        return Backdrop(camera, recolour(generator, view))
    up = float(camera.rotation[0, 2, 2])
    horizon = up / max(math.sqrt(1 - up**2), 0.1) * float(camera.focal[0])
    floor_line = 0.5 + (horizon + generator.uniform(0.02, 0.12) * camera.height) / side
    return Backdrop(camera, procedural_background(generator, side, side, floor_line, scene.clutter))


def random_occluder(generator: np.random.Generator, camera: Camera, moving: bool) -> Backdrop:
    """An object that hides who walks behind it; its fourth channel is where it is."""
    return Backdrop(camera, random_object(generator, _panorama(camera, moving), camera.width))


def _panorama(camera: Camera, moving: bool) -> int:
    """Side of an image that the camera does not leave [px]."""
    return round(camera.width * (_PANORAMA if moving else 1.0))


def _pixels_from_rays(focal: float, side: int) -> Float[np.ndarray, "3 3"]:
    """OpenCV's pixels, whose centres are at whole numbers."""
    centre = side / 2 - 0.5
    return np.array([[focal, 0.0, centre], [0.0, focal, centre], [0.0, 0.0, 1.0]])


def _widest_focal(
    points: Float[Tensor, "points 3"],
    position: Float[Tensor, "1 3"],
    rotation: Float[Tensor, "1 3 3"],
    size: int,
) -> float:
    """The longest focal length that shows all points [px], with a little air around them."""
    seen = (points - position) @ rotation[0].T
    extent = (seen[:, :2].abs() / seen[:, 2:].clamp(min=0.5)).max()
    return float(0.5 * size / (extent + 0.05))


def _drift(
    generator: np.random.Generator, frames: int, fps: float, sizes: tuple[float, ...]
) -> Float[Tensor, "frames axes"]:
    """A smooth random path, 0 on average, that changes its mind about every second."""
    noise = generator.normal(0, 1, (frames + round(4 * fps) + 2, len(sizes)))
    smooth = gaussian_filter1d(noise, 0.6 * fps, axis=0)[-frames:]
    scale = np.array(sizes) / max(1.0 / math.sqrt(2 * math.sqrt(math.pi) * 0.6 * fps), 1e-6)
    return torch.from_numpy(smooth * scale).float()
