"""Tiny videos whose truth is known: a textured person over a textured scene."""

import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from kinepose.video.reading import read_frames

WIDTH, HEIGHT, FPS = 128, 96, 12
PERSON_WIDTH, PERSON_HEIGHT = 16, 44


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH, grain: float = 3.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), grain)
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def walker_frames(
    seconds: float = 2.5,
    walks: bool = True,
    pan: float = 0.0,
    seed: int = 0,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Frames, true boxes [frames, 4] and the scene of the first frame; pan in px a frame."""
    count = round(seconds * FPS)
    scene = texture(seed, width=WIDTH + round(pan * count) + 1)
    clothes = 255 - texture(seed + 1, PERSON_HEIGHT, PERSON_WIDTH, 2.0) // 3
    clothes[..., 0] //= 4
    frames, boxes = [], []
    for i in range(count):
        frame = scene[:, round(pan * i) :][:, :WIDTH].copy()
        share = i / (count - 1)
        x = round(8 + share * (WIDTH - PERSON_WIDTH - 16)) if walks else WIDTH // 2 + i % 3
        y = HEIGHT - PERSON_HEIGHT - 10 + i % 2
        swing = round(4 * np.sin(i))
        body = PERSON_HEIGHT // 2
        frame[y : y + body, x : x + PERSON_WIDTH] = clothes[:body]
        for side, middle in ((swing, x + 4), (-swing, x + 12)):
            left = middle + side - 3
            frame[y + body : y + PERSON_HEIGHT, left : left + 6] = clothes[body:, 5:11]
        frames.append(frame)
        boxes.append([x, y, x + PERSON_WIDTH, y + PERSON_HEIGHT])
    return frames, np.array(boxes, float), scene[:, :WIDTH]


def save_video(
    path: Path, frames: list[np.ndarray], times: list[float] | None = None, codec: str = "libx264"
) -> Path:
    """Nearly without loss, an MP4 with its index before all; with times [s], at a variable rate."""
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv444p" if codec == "libx264" else "yuvj420p"
        stream.options = {"crf": "8"} if codec == "libx264" else {"qmin": "2", "qmax": "2"}
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_boxes(path: Path, boxes: np.ndarray, video: str | None = None, track: int = 0) -> Path:
    head = "frame,track,x0,y0,x1,y1"
    lines = [",".join([str(i), str(track), *map(str, box)]) for i, box in enumerate(boxes)]
    if video is not None:
        head, lines = f"film,{head}", [f"{video},{line}" for line in lines]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union, written without the package."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def first(path: Path) -> np.ndarray:
    """The first frame of a video that is read without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return next(read_frames(path)).image.astype(int)
