"""A tiny video of two rendered people who walk past each other, with their true boxes."""

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from tests.tiny_videos import save_video

from kinepose.synthetic.body import random_person
from kinepose.synthetic.clothing import random_outfit
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.lighting import random_light
from kinepose.synthetic.motion import turn
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.places import perspective_view, test_places
from kinepose.synthetic.renderer import Camera, look_at, render
from kinepose.synthetic.scene import place
from kinepose.synthetic.video_frames import dressed

WIDTH, HEIGHT, FRAMES, FPS = 192, 144, 24, 12
WALK = MotionConfig(captured=1.0, mixed=0.0, procedural=0.0, only=("walk",))


def crossing_video(path: Path, clothes: tuple[int, int]) -> np.ndarray:
    """Writes the video; gives boxes [people, frames, 4] of the two, the nearer one last.

    People in the same number of clothes look the same.
    """
    camera = static_camera()
    layers = [
        walker(clothes[0], 1.4, -1.4, 0.5, camera),
        walker(clothes[1], -1.4, 1.4, -0.5, camera),
    ]
    scene = perspective_view(test_places()[5], 20.0, -6.0, 0.0, 70.0, WIDTH, HEIGHT)
    frames = []
    for frame in range(FRAMES):
        image = scene.astype(float)
        for colour, mask in layers:
            image = image * (1 - mask[frame, ..., None]) + 255 * colour[frame]
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    save_video(path, frames)
    rectangles = [
        [cv2.boundingRect((mask > 0.5).astype(np.uint8)) for mask in masks] for _, masks in layers
    ]
    corners = np.array(rectangles, float)
    return np.concatenate([corners[..., :2], corners[..., :2] + corners[..., 2:]], axis=-1)


def static_camera() -> Camera:
    position = torch.tensor([[0.0, -4.2, 1.3]]).expand(FRAMES, 3)
    target = torch.tensor([[0.0, 0.0, 0.85]]).expand(FRAMES, 3)
    rotation = look_at(position, target, torch.zeros(FRAMES))
    return Camera(rotation, position, torch.full((FRAMES,), 190.0), HEIGHT, WIDTH)


def walker(
    clothes: int, start: float, end: float, depth: float, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Colours times masks, and masks, of someone who walks along a line [m]."""
    generator = np.random.default_rng(clothes)
    person, outfit = random_person(generator), random_outfit(generator, "video", SceneConfig())
    light = random_light(generator, "video", SceneConfig())
    motion = random_motion(np.random.default_rng(0), FRAMES, float(FPS), WALK)
    way = motion.root[-1] - motion.root[0]
    motion = turn(motion, (math.pi if end < start else 0.0) - math.atan2(way[1], way[0]))
    line = torch.linspace(start, end, FRAMES)
    root = torch.stack([line, torch.full_like(line, depth), motion.root[:, 2]], dim=-1)
    actor = place(replace(motion, root=root), person, float(FPS))
    clothed_mesh, vertices = dressed(actor, outfit)
    rendered = render(vertices, clothed_mesh, [outfit], [light], camera)
    return rendered.colour.numpy(), rendered.mask.numpy()
