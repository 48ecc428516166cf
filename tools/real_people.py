"""Real people whose joints are known, at quantiles of the error.

    python tools/real_people.py TRUTH.npz POSES/VIDEO... VIDEOS IMAGE.jpg

TRUTH.npz holds VIDEO_joints3d [mm, that camera's axes] of twelve limb joints; POSES/VIDEO is what
`predict` wrote of VIDEOS/VIDEO.mp4. The frames are those at fixed ranks of the P-MPJPE over all of
them, so that nobody chose them.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from kinepose.artifacts.pose_files import read_poses
from kinepose.evaluation.metrics import p_mpjpe
from kinepose.geometry.crops import frame_to_crop
from kinepose.video.cropping import crop_image
from kinepose.video.reading import read_frames
from kinepose.visualization import image_grids

LIMBS = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]
"""Hips, knees, ankles; shoulders, elbows, wrists."""
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
MARGIN = 1.3
"""Of the image about a person's box."""


def main(truth: Path, folders: list[Path], output: Path, videos: Path) -> None:
    """Writes the image: five frames, the best on the left."""
    rows = [row for folder in folders for row in _errors(truth, folder)]
    rows.sort(key=lambda row: row[0])
    chosen = [rows[round(quantile * (len(rows) - 1))] for quantile in QUANTILES]
    blocks = []
    for quantile, (error, folder, row) in zip(QUANTILES, chosen, strict=True):
        poses = read_poses(folder)
        frames = read_frames(videos / f"{folder.name}.mp4")
        image = next(frame.image for frame in frames if frame.index == poses.frame[row])
        low, high = poses.joints2d[row].min(0), poses.joints2d[row].max(0)
        crop = np.array([*(low + high) / 2, MARGIN * (high - low).max()], np.float32)
        seen = frame_to_crop(*map(torch.from_numpy, (poses.joints2d[row], crop))).numpy()
        shown = image_grids.joints_on_image(crop_image(image, crop, image_grids.CELL), seen)
        parts = [shown, *image_grids.two_views(poses.joints3d[row], 1.0e3)]
        caption = f"{100 * quantile:g} %: {error:.0f} mm"
        blocks.append(image_grids.captioned(image_grids.stacked(parts), caption))
    page = image_grids.page([image_grids.beside(blocks)])
    cv2.imwrite(str(output), page[..., ::-1])


def _errors(truth: Path, folder: Path) -> list[tuple[float, Path, int]]:
    """P-MPJPE [mm] of each row of a video's poses."""
    poses = read_poses(folder)
    with np.load(truth, allow_pickle=False) as known:
        joints3d = known[f"{folder.name}_joints3d"][poses.frame]
    said, wanted = (torch.from_numpy(x).double() for x in (poses.joints3d[:, LIMBS], joints3d))
    return [(error, folder, row) for row, error in enumerate(p_mpjpe(said, wanted).tolist())]


if __name__ == "__main__":
    truth, *folders, videos, image = map(Path, sys.argv[1:])
    main(truth, folders, image, videos)
