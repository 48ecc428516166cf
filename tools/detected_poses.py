"""Poses in images whose people are found, not given.

    kinepose predict IMAGES --output POSES --no-energy --no-overlay --no-viewer
    python tools/detected_poses.py TRUTH.npz BOXES.csv POSES

TRUTH.npz holds pictures_joints2d [px] of twelve limb joints of one person an image, and
pictures_labelled; BOXES.csv that person's box (columns frame, x0, y0, x1, y1). He is the find whose
box overlaps his the most; whose overlap is not above a half counts as missed, all joints wrong.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from kinepose.artifacts.pose_files import VideoPoses, read_poses
from kinepose.geometry.boxes import overlaps

LIMBS = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]
"""Hips, knees, ankles; shoulders, elbows, wrists."""
HIP, SHOULDER = 0, 6
"""Of the limbs: a torso long is how far apart these are."""
NEAR = 0.2
"""A joint this near is right [torsos]."""
FOUND = 0.5
"""Intersection over union, above which he was found."""


def main(truth: Path, boxes: Path, poses: Path) -> None:
    """Print how many were found, and the share of their joints that are right."""
    with np.load(truth, allow_pickle=False) as arrays:
        joints, labelled = arrays["pictures_joints2d"], arrays["pictures_labelled"]
    with boxes.open(newline="") as file:
        rows = {int(row["frame"]): row for row in csv.DictReader(file)}
    given = np.array([[float(rows[i][s]) for s in ("x0", "y0", "x1", "y1")] for i in sorted(rows)])
    found = read_poses(poses)
    chosen = best_finds(found, given)
    seen = chosen >= 0
    torso = np.linalg.norm(joints[:, SHOULDER] - joints[:, HIP], axis=-1)
    right: Bool[np.ndarray, "images 12"] = np.zeros(labelled.shape, bool)
    away = np.linalg.norm(found.joints2d[chosen[seen]][:, LIMBS] - joints[seen], axis=-1)
    right[seen] = away < NEAR * torso[seen, None]
    counted = labelled & labelled[:, [SHOULDER]] & labelled[:, [HIP]]
    print(
        f"{len(found.frame)} finds; {seen.sum()} of {len(given)} people found, PCK at {NEAR} torso "
        f"over all of them {right[counted].mean():.3f}, of those found "
        f"{right[counted & seen[:, None]].mean():.3f}"
    )


def best_finds(found: VideoPoses, given: Float[np.ndarray, "images 4"]) -> np.ndarray:
    """The row of each image's person among the poses, -1 where he was missed."""
    chosen = np.full(len(given), -1)
    for image, box in enumerate(given):
        rows = np.flatnonzero(found.frame == image)
        overlap = overlaps(found.box[rows].astype(np.float64), box[None])[:, 0]
        if overlap.max(initial=0.0) > FOUND:
            chosen[image] = rows[overlap.argmax()]
    return chosen


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
