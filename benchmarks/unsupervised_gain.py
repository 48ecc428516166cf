"""Does L_P and L_UNP on unlabelled films beat L_prior alone? Three seeds, equal iterations.

    python benchmarks/unsupervised_gain.py --output gain

synthesizes films of people who look unlike the renders (other light, shading, materials), trains
the variants 'prior' and 'unsupervised' on the training films, and scores both on films that
neither saw. What is done already is kept, so it can be stopped and called again.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from kinepose.config import PRESETS, PeopleConfig, PrepareConfig, SynthesizeConfig
from kinepose.data.clips import prepare
from kinepose.data.labels import read_clip_labels
from kinepose.data.pairs import load_images, read_clips
from kinepose.data.prior import load_prior
from kinepose.evaluation import STATURE, score_floor, score_mean_pose
from kinepose.metrics import p_mpjpe
from kinepose.model import load_model
from kinepose.synthetic.scene import synthesize
from kinepose.training import train


@dataclass(frozen=True)
class Settings:
    """Compare 'prior' with 'unsupervised'."""

    output: Path
    films: int = 24
    test_films: int = 10
    iterations: int = 3000
    seeds: tuple[int, ...] = (0, 1, 2)
    threads: int = 1


def main(settings: Settings) -> None:
    """Make films, train, and print the table."""
    training = _films(settings.output / "train", clips=settings.films, seconds=8.0, seed=100)
    testing = _films(settings.output / "test", clips=settings.test_films, seconds=6.0, seed=900)
    rows: dict[str, list[tuple[float, float]]] = {"prior": [], "unsupervised": []}
    for seed in settings.seeds:
        for variant in rows:
            run = settings.output / f"{variant}{seed}"
            train(
                replace(
                    PRESETS["cpu"],
                    output=run,
                    clips=(training,),
                    variant=variant,
                    seed=seed,
                    iterations=settings.iterations,
                    threads=settings.threads,
                )
            )
            rows[variant].append(_score(run, testing))
    print("| row | P-MPJPE [mm] | of each seed | 2D error [px of 64] |\n|---|---|---|---|")
    for name, scores in rows.items():
        poses, joints2d = zip(*scores, strict=True)
        each = ", ".join(f"{value:.1f}" for value in poses)
        print(f"| {name} | {np.mean(poses):.1f} | {each} | {np.mean(joints2d):.2f} |")
    truth = _truth(testing)[1]
    print(f"| mean pose of the labels | {score_mean_pose(truth):.1f} | | |")
    nearest = _nearest_render(settings.output / f"prior{settings.seeds[0]}", truth)
    print(f"| best of the 20 renders' poses for each frame | {nearest:.1f} | | |")
    print(f"| forward(inverse(truth)) | {score_floor(truth):.1f} | | |")


def _films(folder: Path, clips: int, seconds: float, seed: int) -> Path:
    """Clips of synthetic films, half of them by a moving camera, made unless they are there."""
    prepared = folder / "clips"
    if not (folder / "boxes.csv").is_file():
        synthesize(
            SynthesizeConfig(output=folder, clips=clips, seconds=seconds, camera="mixed", seed=seed)
        )
    people = PeopleConfig(detector="file", boxes=folder / "boxes.csv", side="frame")
    films = tuple(sorted((folder / "films").glob("*.mp4")))
    prepare(PrepareConfig(films, prepared, people, shortest_clip=2.0, crop_size=128))
    return prepared


def _truth(clips: Path) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """2D joints, 3D joints [mm] and rows of every fourth labelled frame."""
    labels = read_clip_labels([clips.parent / "labels"], read_clips([clips]), 1.0, seed=0)
    joints3d = STATURE * torch.from_numpy(labels.joints3d[::4]).double()
    return torch.from_numpy(labels.joints2d[::4]), joints3d, labels.rows[::4]


@torch.inference_mode()
def _score(run: Path, clips: Path) -> tuple[float, float]:
    joints2d, joints3d, rows = _truth(clips)
    model, pictures = load_model(run), read_clips([clips])
    size = model.config.image_size
    batches = [
        model.predict(load_images(pictures, chunk, size))
        for chunk in np.array_split(rows, max(1, len(rows) // 64))
    ]
    predicted = STATURE * torch.cat([poses.joints3d for poses in batches]).double()
    distance = (torch.cat([poses.joints2d for poses in batches]) - joints2d).norm(dim=-1)
    return p_mpjpe(predicted, joints3d).mean().item(), distance.mean().item() * 32


def _nearest_render(run: Path, truth: torch.Tensor) -> float:
    """What a perfect choice among the poses of the labelled renders would give."""
    poses = STATURE * torch.from_numpy(load_prior(run / "prior.npz").joints3d).double()
    errors = [p_mpjpe(pose.expand_as(truth), truth) for pose in poses]
    return torch.stack(errors).amin(dim=0).mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    main(tyro.cli(Settings))
