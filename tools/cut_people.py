"""Real people whose joints are known, and whose image ends at their knees, waist or chest.

    python -m tools.cut_people VALIDATION VIDEOS OUTPUT [predict's options]

VALIDATION holds truth.npz, and images with their boxes; VIDEOS the videos, with theirs. What is
left above a level is predicted from the boxes' parts above it, into OUTPUT. Prints the share of
visible joints within 0.2 torso lengths (PCK), and of videos the P-MPJPE over those [mm].
"""

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from tools.detected_poses import HIP, LIMBS, NEAR, SHOULDER

from kinepose.artifacts.pose_files import VideoPoses, read_poses
from kinepose.evaluation.metrics import p_mpjpe
from kinepose.video.reading import read_frames, video_info
from kinepose.video.writing import write_video

_LEVELS = {"knees": 0.75, "waist": 0.2, "chest": -0.35}
"""Below the hips [lengths of the trunk]."""
_SIDES = ("x0", "y0", "x1", "y1")
_UPRIGHT = 0.8
"""Of an image counts who is at least this upright: cosine."""

Joints2D = Float[np.ndarray, "people 12 2"]


def main(validation: Path, videos: Path, output: Path, options: list[str]) -> None:
    """Cuts, predicts and scores, level by level."""
    with np.load(validation / "truth.npz", allow_pickle=False) as arrays:
        truth = dict(arrays)
    names = sorted(name.removesuffix("_joints3d") for name in truth if name.endswith("_joints3d"))
    for level in _LEVELS:
        for name in names:
            _score_video(videos, name, level, truth, output / level, options)
        _score_images(validation, level, truth, output / level, options)


def _score_video(
    videos: Path, name: str, level: str, truth: dict, output: Path, options: list[str]
) -> None:
    joints2d = truth[f"{name}_joints2d"]
    end = round(float(np.median(_ends(joints2d, level)))) // 2 * 2
    if end >= video_info(videos / f"{name}.mp4").height:
        return
    (folder := output / "videos").mkdir(parents=True, exist_ok=True)
    video = folder / f"{name}.mp4"
    frames = [frame.image[:end] for frame in read_frames(videos / f"{name}.mp4")]
    write_video(video, iter(frames), video_info(videos / f"{name}.mp4").fps)
    boxes = _boxes(videos / f"{name}.boxes.csv")
    boxes = [[*row[:5], min(row[5], end)] for row in boxes if row[3] < end]
    poses = _predicted(video, boxes, output / name, options)
    rows = poses.frame < len(joints2d)
    true2d, true3d = (truth[f"{name}_joints{n}d"][poses.frame[rows]] for n in (2, 3))
    visible = true2d[..., 1] < end
    errors = [
        p_mpjpe(*(torch.from_numpy(pose[seen]).double()[None] for pose in both)).item()
        for *both, seen in zip(poses.joints3d[rows][:, LIMBS], true3d, visible, strict=True)
        if seen.sum() > 3
    ]
    pck = _pck(poses.joints2d[rows], true2d, visible)
    print(f"{level}, {name}: PCK {pck:.3f}, P-MPJPE {np.mean(errors):.1f} mm", flush=True)


def _score_images(
    validation: Path, level: str, truth: dict, output: Path, options: list[str]
) -> None:
    joints2d, labelled = truth["pictures_joints2d"], truth["pictures_labelled"]
    (folder := output / "images").mkdir(parents=True, exist_ok=True)
    ends, boxes, people = np.round(_ends(joints2d, level)).astype(int), [], []
    frames = {frame.index: frame.image for frame in read_frames(validation / "pictures")}
    for number, _, *sides, lower in _boxes(validation / "pictures.boxes.csv"):
        image, end = frames[number], ends[number]
        if not _is_upright(joints2d[number], labelled[number]) or not (
            sides[1] + 8 < end < len(image)
        ):
            continue
        cv2.imwrite(str(folder / f"{len(people):03d}.png"), image[:end, :, ::-1])
        boxes.append([len(people), 0, *sides, min(lower, end)])
        people.append(number)
    poses = _predicted(folder, boxes, output / "pictures", options)
    shown = np.array(people)[poses.frame]
    visible = labelled[shown] & (joints2d[shown][..., 1] < ends[shown, None])
    pck = _pck(poses.joints2d, joints2d[shown], visible)
    print(f"{level}, {len(shown)} of {len(people)} images: PCK {pck:.3f}", flush=True)


def _trunks(joints2d: Joints2D) -> tuple[Float[np.ndarray, "people 2"], ...]:
    """The middle between the hips, and the way to there from that between the shoulders."""
    hips, shoulders = (joints2d[:, pair].mean(1) for pair in ([0, 3], [6, 9]))
    return hips, hips - shoulders


def _ends(joints2d: Joints2D, level: str) -> Float[np.ndarray, " people"]:
    hips, trunk = _trunks(joints2d)
    return hips[:, 1] + _LEVELS[level] * np.linalg.norm(trunk, axis=-1)


def _is_upright(joints2d: Float[np.ndarray, "12 2"], labelled: Bool[np.ndarray, " 12"]) -> bool:
    trunk = _trunks(joints2d[None])[1][0]
    return bool(labelled[[0, 3, 6, 9]].all() and trunk[1] > _UPRIGHT * np.linalg.norm(trunk))


def _pck(found: np.ndarray, true: Joints2D, counted: Bool[np.ndarray, "people 12"]) -> float:
    torso = np.linalg.norm(true[:, SHOULDER] - true[:, HIP], axis=-1, keepdims=True)
    return float((np.linalg.norm(found[:, LIMBS] - true, axis=-1) < NEAR * torso)[counted].mean())


def _boxes(path: Path) -> list[tuple[int, int, float, float, float, float]]:
    with path.open(newline="") as file:
        return [
            (int(row["frame"]), int(row["track"]), *(float(row[side]) for side in _SIDES))
            for row in csv.DictReader(file)
        ]


def _predicted(video: Path, boxes: list[list], output: Path, options: list[str]) -> VideoPoses:
    table = output.with_suffix(".csv")
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["frame", "track", *_SIDES], *boxes])
    given = ["--detector", "file", "--boxes", str(table), "--no-overlay", "--no-viewer"]
    command = ["kinepose", "predict", str(video), "--output", str(output), *given, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return read_poses(output)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), sys.argv[4:])
