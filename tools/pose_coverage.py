"""How near the poses of the synthetic world come to those of motions that it has never seen.

    python tools/pose_coverage.py

holds out the clips that `synthworld` tests on. For every second pose of theirs the nearest is
looked for among poses of the other clips as they are, and among as many of the stream made from
these.
Distances are P-MPJPE, which leaves place, size and heading aside [mm at a stature of 1700].
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from kinepose.evaluation.metrics import p_mpjpe
from kinepose.method.forward_kinematics import stature
from kinepose.synthetic.body import Person, load_body, pose_body, random_person
from kinepose.synthetic.config import MotionConfig
from kinepose.synthetic.joint_limits import mirror_rotations
from kinepose.synthetic.mocap_clips import TEST_CLIPS, captured_clips, training_clips
from kinepose.synthetic.motion_sampling import random_motion

ADULT = Person(gender=0.5, age=0.67, muscle=0.5, weight=0.5, height=0.5, proportions=0.5)
SEQUENCE, FPS = 32, 2.5
"""Poses of one person, and how many a second, as the stream for training has them."""
NEIGHBOURS = 32
"""The nearest in least squares, among which the nearest in P-MPJPE is looked for."""


@dataclass(frozen=True)
class Settings:
    """Measure how well the stream covers the poses of motions that it has never seen."""

    poses: int = 2048
    """How many there are to find the nearest among; the last row has eight times as many."""
    seed: int = 0


def main(settings: Settings) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(settings.seed)
    clips = captured_clips()
    held_out = torch.cat([clips[name].rotations[::2] for name in TEST_CLIPS])
    seen = torch.cat([clips[name].rotations for name in training_clips()])
    both = torch.cat([seen, mirror_rotations(seen)])
    stream = MotionConfig()
    alone = replace(stream, captured=0.0, mixed=0.0, procedural=0.0, walks_between=0.0)

    def streamed(config: MotionConfig, count: int) -> Float[Tensor, "poses 13 4"]:
        sequences = [
            random_motion(generator, SEQUENCE, FPS, config) for _ in range(0, count, SEQUENCE)
        ]
        return torch.cat([sequence.rotations for sequence in sequences])[:count]

    count = settings.poses
    rows = {
        "clips as they are": seen[generator.integers(len(seen), size=count)],
        "clips and their mirror images": both[generator.integers(len(both), size=count)],
        "stream, captured only": streamed(replace(alone, captured=1.0), count),
        "stream, mixed only": streamed(replace(alone, mixed=1.0), count),
        "stream, procedural only": streamed(replace(alone, procedural=1.0), count),
        "stream": streamed(stream, count),
        "stream, 8 times as many poses": streamed(stream, 8 * count),
    }
    print(f"{len(held_out)} poses of {', '.join(TEST_CLIPS)}; {len(seen)} of the other clips")
    print("| nearest of | one body | 90 % | many bodies | 90 % |\n|---|---|---|---|---|")
    for name, rotations in rows.items():
        row = []
        for many in (False, True):
            poses = embody(held_out, many, seed=settings.seed + 1)
            distances = nearest(poses, embody(rotations, many, seed=settings.seed + 2))
            row += [distances.mean(), distances.quantile(0.9)]
        print(f"| {name} | " + " | ".join(f"{float(value):.1f}" for value in row) + " |")


def embody(
    rotations: Float[Tensor, "poses 13 4"], many: bool, seed: int
) -> Float[Tensor, "poses 17 3"]:
    """Joints about their middle, of one person, or of one for each sequence [mm]."""
    generator = np.random.default_rng(seed)
    people = (random_person(generator) if many else ADULT for _ in rotations.split(SEQUENCE))
    sequences = zip(people, rotations.split(SEQUENCE), strict=True)
    joints = torch.cat(
        [pose_body(load_body(), person, sequence)[1] for person, sequence in sequences]
    ).double()
    joints = joints * (1700 / stature(joints))[:, None, None]
    return joints - joints.mean(1, keepdim=True)


def nearest(
    poses: Float[Tensor, "held_out 17 3"], others: Float[Tensor, "seen 17 3"]
) -> Float[Tensor, " held_out"]:
    """P-MPJPE of each pose from the nearest other one.

    In least squares, the best rotation and scale leave |pose|^2 - (s1 + s2 +- s3)^2 / |other|^2,
    where the s are the singular values of other^T pose and the sign is that of its determinant.
    """
    distances = []
    for some in poses.split(64):
        products = torch.einsum("njx,pjy->pnxy", others, some)
        values = torch.linalg.svdvals(products)
        values[..., 2] *= torch.linalg.det(products).sign()
        gain = values.sum(-1).square() / others.square().sum((1, 2))
        near = others[gain.topk(NEIGHBOURS, dim=1).indices]
        distances.append(p_mpjpe(near, some[:, None].expand_as(near)).amin(1))
    return torch.cat(distances)


if __name__ == "__main__":
    main(tyro.cli(Settings))
