"""Poses of two people who face the camera and move, to be exported."""

import itertools

import numpy as np
import torch

from kinepose.artifacts.pose_files import VideoPoses
from kinepose.geometry.skeleton import JOINT_NAMES, STANDARD_SKELETON
from kinepose.method.forward_kinematics import forward_kinematics

FPS = 12.5
AT = {name: joint for joint, name in enumerate(JOINT_NAMES)}
FROM_FRONT = torch.tensor([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
"""To the camera's axes from those of C, of a person who faces the camera."""
TO_WORLD = np.array([1.0, -1.0, -1.0])
HERE, AWAY = [*range(2, 9), *range(15, 22)], np.arange(9, 15)
"""Person 3 is there from frame 2 to 21, with a gap; person 8 from frame 6 to 12."""


def people() -> VideoPoses:
    """Two people 1.7 m tall who face the camera and move; one leaves and comes back."""
    generator = torch.Generator().manual_seed(0)
    rest = torch.tensor([0.0, *itertools.chain(*STANDARD_SKELETON.rest_directions)])
    start, change = (0.4 * torch.randn(2, 40, generator=generator) for _ in range(2))
    change[:, 0] = start[:, 0] = torch.tensor([0.2, -0.1])
    rows = sorted([(frame, 3) for frame in HERE] + [(frame, 8) for frame in range(6, 13)])
    joints3d, root = [], []
    for frame, track in rows:
        person, time = int(track == 8), frame / 20
        pose = forward_kinematics(rest + start[person] + time * change[person])
        joints3d.append((1700 * pose @ FROM_FRONT.T).numpy())
        root.append([800 * person - 400 + 30 * frame, 150, 5000 - 100 * frame])
    frame, track = np.array(rows).T
    root = np.array(root, np.float32)
    joints3d = np.stack(joints3d)
    in_video = joints3d + root[:, None]
    return VideoPoses(
        video=np.array("video.mp4"),
        frame=frame,
        time=frame / FPS,
        image=np.full(len(rows), ""),
        track=track,
        box=np.tile(np.float32([10, 20.5, 110, 220]), (len(rows), 1)),
        joints2d=800 * in_video[..., :2] / in_video[..., 2:] + np.float32([320, 240]),
        joints3d=joints3d,
        confidence=np.random.default_rng(0).uniform(0, 1, (len(rows), 17)).astype(np.float32),
        root=root,
        focal=np.full(len(rows), 800, np.float32),
        energy=np.where(track == 3, frame / 7, np.nan).astype(np.float32),
        fps=np.array(FPS, np.float32),
    )


def in_world(poses, track):
    """Frames and joints of a person [mm], y up, as they should be read back."""
    mine = poses.track == track
    return poses.frame[mine], (poses.joints3d + poses.root[:, None])[mine] * TO_WORLD


def first_rows(poses, count):
    return {name: value[:count] if value.ndim else value for name, value in vars(poses).items()}


def one_row(poses, **changes):
    """The first row alone, changed."""
    return VideoPoses(**(first_rows(poses, 1) | changes))
