"""What steadying makes of motions of which the truth is known and the errors are made up.

    kinepose synthesize --output videos --videos 8 --size 64 --seed 3
    python tools/steadiness.py videos/labels

Bones of the true poses are turned at random, half of it anew in every frame, half slowly. Now and
then sides are exchanged for one to eight frames, in every second video with depths mirrored.
Distances are of joints about the pelvis [mm].
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from jaxtyping import Bool

from kinepose.adaptation.label_free import steadiness
from kinepose.artifacts.pose_files import VideoLabels, VideoPoses, read_labels
from kinepose.evaluation.metrics import mpjpe
from kinepose.geometry.skeleton import MIRRORED
from kinepose.inference.temporal_filter import repair_sides, smooth_poses
from kinepose.method.forward_kinematics import forward_kinematics, local_kinematics

STATURE = 1700.0
SLOW = 0.3
"""What is slow in the errors is forgotten in this time [s]."""


@dataclass(frozen=True)
class Config:
    """Measure repair and smoothing on made-up errors."""

    labels: Annotated[Path, tyro.conf.Positional]
    """Folder of label files."""
    noise: float = 0.2
    """Of the components of the bones' directions."""
    switches: float = 1.0
    """A second, on average."""
    windows: tuple[float, ...] = (0.2, 0.3, 0.4, 0.6, 1.0)
    """Of the filter [s]."""
    seed: int = 0


def main(config: Config) -> None:
    """Print the distance from the truth after each step."""
    rng = np.random.default_rng(config.seed)
    videos = [true_poses(read_labels(path)) for path in sorted(config.labels.glob("*.npz"))]
    noisy = [with_noise(video, config.noise, rng) for video in videos]
    switched = [switch_times(video, config.switches, rng) for video in videos]
    given = [
        exchanged(video, when, mirrored=bool(number % 2))
        for number, (video, when) in enumerate(zip(noisy, switched, strict=True))
    ]
    repaired = [repair_sides(video) for video in given]
    found = [
        (after.joints3d != before.joints3d).any((1, 2))
        for before, after in zip(given, repaired, strict=True)
    ]
    rows = np.concatenate(found), np.concatenate(switched)
    print(
        f"frames: {len(rows[0])}, exchanged: {rows[1].sum()}, of these repaired: "
        f"{(rows[0] & rows[1]).sum()}, others exchanged by the repair: {(rows[0] & ~rows[1]).sum()}"
    )
    print(f"{'':24}{'MPJPE':>8}{'jitter':>8}")
    show("truth", videos, videos)
    show("with errors", given, videos)
    show("sides repaired", repaired, videos)
    for window in config.windows:
        smooth = [smooth_poses(video, window) for video in repaired]
        show(f"and smoothed, {window:g} s", smooth, videos)
        show(f"the truth smoothed, {window:g} s", [smooth_poses(f, window) for f in videos], videos)


def true_poses(labels: VideoLabels) -> VideoPoses:
    """The labels with T_fk's bone lengths."""
    joints = torch.from_numpy(labels.joints3d).double()
    parameters, rotation = local_kinematics(joints)
    joints3d = STATURE * forward_kinematics(parameters) @ rotation.transpose(-1, -2)
    count = len(joints3d)
    low, high = labels.joints2d.min(1), labels.joints2d.max(1)
    return VideoPoses(
        video=np.array("video"),
        frame=labels.frame,
        time=labels.frame / float(labels.fps),
        image=np.full(count, ""),
        track=labels.track,
        box=np.concatenate([low, high], axis=-1),
        joints2d=labels.joints2d,
        joints3d=joints3d.float().numpy(),
        confidence=np.ones((count, 17), np.float32),
        root=labels.joints3d[:, 0],
        focal=np.full(count, labels.focal),
        energy=np.zeros(count, np.float32),
        fps=labels.fps,
    )


def with_noise(poses: VideoPoses, scale: float, rng: np.random.Generator) -> VideoPoses:
    """Bones turned, and 2D joints moved by as much of the person's size."""
    parameters, rotation = local_kinematics(torch.from_numpy(poses.joints3d).double())
    noise = coloured((len(poses.frame), 40), float(poses.fps), rng)
    turned = forward_kinematics(parameters + scale * torch.from_numpy(noise))
    joints3d = STATURE * turned @ rotation.transpose(-1, -2)
    moved = (joints3d.numpy() - poses.joints3d)[..., :2] / STATURE
    size = (poses.box[:, 2:] - poses.box[:, :2]).max(-1)[:, None, None]
    return replace(
        poses,
        joints2d=(poses.joints2d + size * moved).astype(np.float32),
        joints3d=joints3d.float().numpy(),
    )


def coloured(shape: tuple[int, int], fps: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of variance 1, half white, half with a memory."""
    white, driving = rng.standard_normal((2, *shape))
    kept = np.exp(-1 / (SLOW * fps))
    slow = [driving[0]]
    for step in driving[1:]:
        slow.append(kept * slow[-1] + np.sqrt(1 - kept**2) * step)
    return np.sqrt(0.5) * (white + np.stack(slow))


def switch_times(
    poses: VideoPoses, a_second: float, rng: np.random.Generator
) -> Bool[np.ndarray, " rows"]:
    """Where sides are exchanged."""
    switched = np.zeros(len(poses.frame), bool)
    for start in np.flatnonzero(rng.random(len(switched)) < a_second / float(poses.fps)):
        switched[start : start + rng.integers(1, 9)] = True
    return switched


def exchanged(poses: VideoPoses, when: Bool[np.ndarray, " rows"], mirrored: bool) -> VideoPoses:
    """The poses with other names for the same joints, or for these with depths mirrored."""
    joints2d, joints3d = (
        np.where(when[:, None, None], joints[:, MIRRORED], joints)
        for joints in (poses.joints2d, poses.joints3d)
    )
    depth = np.where(when & mirrored, -1, 1)[:, None]
    joints3d[..., 2] *= depth
    return replace(poses, joints2d=joints2d, joints3d=joints3d)


def show(name: str, videos: list[VideoPoses], truth: list[VideoPoses]) -> None:
    """One line."""
    errors = [
        mpjpe(torch.from_numpy(video.joints3d), torch.from_numpy(true.joints3d)).numpy()
        for video, true in zip(videos, truth, strict=True)
    ]
    jitter = [steadiness(f.joints3d, f.track, f.frame / float(f.fps)).jitter for f in videos]
    print(f"{name:24}{np.concatenate(errors).mean():8.1f}{np.mean(jitter):8.1f}")


if __name__ == "__main__":
    main(tyro.cli(Config))
