"""Poses, labels and clips of which nothing is wrong yet, and ways to change them."""

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kinepose.artifacts.pose_files import VideoLabels, VideoPoses
from kinepose.dataset.clips import SCHEMA

ROWS = 5


def poses(rows: int = ROWS) -> VideoPoses:
    body = np.random.default_rng(0).normal(0, 300, (rows, 17, 3)).astype(np.float32)
    return VideoPoses(
        video=np.array("video.mp4"),
        frame=np.arange(rows),
        time=np.arange(rows) / 25,
        image=np.full(rows, ""),
        track=np.zeros(rows, np.int64),
        box=np.tile(np.float32([0, 0, 30, 60]), (rows, 1)),
        joints2d=body[..., :2] / 10 + 50,
        joints3d=body,
        confidence=np.full((rows, 17), 0.5, np.float32),
        root=np.tile(np.float32([0, 0, 5000]), (rows, 1)),
        focal=np.full(rows, 500, np.float32),
        energy=np.full(rows, np.nan, np.float32),
        fps=np.array(25, np.float32),
    )


def labels() -> VideoLabels:
    held = poses()
    lens, fps = np.array(500, np.float32), np.array(25, np.float32)
    return VideoLabels(held.frame, held.track, held.joints2d, held.joints3d, lens, fps)


def write_clips(folder, **columns):
    folder.mkdir(exist_ok=True)
    image = cv2.imencode(".png", np.full((16, 16, 3), 90, np.uint8))[1].tobytes()
    row = {
        **{"video": "video.mp4", "clip": 0, "track": 0, "paired": True, "fps": 25.0},
        **{"image": image, "background": image, "valid": image, "reason": "because"},
        **{"box": [0.0, 0.0, 1.0, 1.0], "crop": [0.0, 0.0, 1.0], "background_motion": 1.0},
    }
    rows = [row | {"frame": i, "time": i / 25} | columns for i in range(ROWS)]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "video.parquet")


def contents(folder):
    """Every file, but for the log of what we did not foresee."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".state" not in path.parts
    }


def npz_with(path, **arrays):
    with np.load(path) as held:
        np.savez_compressed(path, **(dict(held) | arrays))
