"""A tiny video of two figures, and poses of it."""

import cv2
import numpy as np

from kinepose.artifacts.pose_files import read_poses
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import predict

WIDTH, HEIGHT, FPS, FRAMES = 96, 128, 10.0, 25


def frame_image(index):
    """Two figures before a gradient: one walks to the right, one stands from frame 5 to 19."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = np.linspace(60, 120, WIDTH)[None, :, None]
    x = 20 + index
    cv2.rectangle(image, (x, 30), (x + 15, 100), (220, 60, 40), -1)
    if 5 <= index < 20:
        cv2.rectangle(image, (70, 40), (84, 110), (40, 200, 90), -1)
    return image


def predicted(video, run, output, bfloat16=False, energy=True, **settings):
    said = {"bfloat16": bfloat16, "energy": energy, **settings}
    predict(PredictConfig(video, output, run, device="cpu", viewer=False, **said))
    return read_poses(output)
