"""Real people whose joints are known, at quantiles of the error.

    python tools/real_people.py TRUTH.npz POSES/VIDEO... VIDEOS PICTURE.jpg

TRUTH.npz holds VIDEO_joints3d [mm, that camera's axes] of twelve limb joints; POSES/VIDEO is what
`predict` wrote of VIDEOS/VIDEO.mp4. The frames are those at fixed ranks of the P-MPJPE over all of
them, so that nobody chose them.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float

from kinepose.evaluation.metrics import p_mpjpe
from kinepose.pose_files import read_poses
from kinepose.video.reading import read_frames
from kinepose.visualization import image_grids

LIMBS = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]
"""Hips, knees, ankles; shoulders, elbows, wrists."""
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
MARGIN = 1.3
"""Of the picture about a person's box."""


def main(truth: Path, folders: list[Path], output: Path, videos: Path) -> None:
    """Writes the picture: five frames, the best on the left."""
    rows = [row for folder in folders for row in _errors(truth, folder)]
    rows.sort(key=lambda row: row[0])
    chosen = [rows[round(quantile * (len(rows) - 1))] for quantile in QUANTILES]
    blocks = []
    for quantile, (error, folder, row) in zip(QUANTILES, chosen, strict=True):
        poses = read_poses(folder)
        wanted = poses.frame[row]
        frames = read_frames(videos / f"{folder.name}.mp4")
        image = next(f.image for number, f in enumerate(frames) if number == wanted)
        crop, joints2d = _crop(image, poses.joints2d[row])
        front, side = image_grids.two_views(poses.joints3d[row], 1.0e3)
        parts = [image_grids.joints_on_image(crop, joints2d), front, side]
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
    return [
        (p_mpjpe(a[None], b[None]).item(), folder, i)
        for i, (a, b) in enumerate(zip(said, wanted, strict=True))
    ]


def _crop(
    image: np.ndarray, joints2d: Float[np.ndarray, "17 2"]
) -> tuple[np.ndarray, Float[np.ndarray, "17 2"]]:
    """The square about a person, and her joints from -1 to 1 across it."""
    low, high = joints2d.min(0), joints2d.max(0)
    middle, half = (low + high) / 2, MARGIN * (high - low).max() / 2
    side = 2 * image_grids.CELL
    scale = side / (2 * half)
    move = np.array(
        [[scale, 0, side / 2 - scale * middle[0]], [0, scale, side / 2 - scale * middle[1]]]
    )
    crop = cv2.warpAffine(
        image, move, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    return crop, ((joints2d - middle) / half).astype(np.float32)


if __name__ == "__main__":
    truth, *folders, videos, picture = map(Path, sys.argv[1:])
    main(truth, folders, picture, videos)
