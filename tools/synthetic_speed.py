"""Frames per second of the synthetic world, as a table: python tools/synthetic_speed.py.

pose: motion, body and joints. render: dressed people with masks and shadows. video: all that
`kinepose synthesize` does, from motion to H.264 and labels. copy: a plain copy of the finished
images, the floor of any way to make them. All on one core unless it says so; a process' start
is not counted.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from kinepose.synthetic.body import load_body, random_person
from kinepose.synthetic.clothing import random_outfit
from kinepose.synthetic.clothing_mesh import make_clothed_mesh
from kinepose.synthetic.config import MotionConfig, SceneConfig, SynthesizeConfig
from kinepose.synthetic.lighting import random_light
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import render
from kinepose.synthetic.scene import Actor, place, random_camera
from kinepose.synthetic.synthesize import synthesize

FRAMES, FPS = 64, 25.0


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows = ["| size [px] | pose | render | video | video, all cores | copy |", "|---" * 6 + "|"]
    actor = act()
    for size in (128, 256):
        video = np.zeros((FRAMES, size, size, 3), np.uint8)
        speeds = (
            frames_per_second(act),
            frames_per_second(lambda size=size: image(actor, size)),
            video_speed(size, workers=1),
            video_speed(size, workers=os.cpu_count() or 1),
            frames_per_second(video.copy),
        )
        rows.append(f"| {size} | " + " | ".join(f"{speed:.0f}" for speed in speeds) + " |")
    print("\n".join(rows))


def frames_per_second(work: Callable[[], object]) -> float:
    """Of work that makes FRAMES: the median of several runs, after one to warm up."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return FRAMES / float(np.median(times[1:]))


def act() -> Actor:
    """Someone doing something."""
    generator = np.random.default_rng(0)
    motion = random_motion(generator, FRAMES, FPS, MotionConfig())
    return place(motion, random_person(generator), FPS)


def image(actor: Actor, size: int) -> None:
    """The same person in the same clothes."""
    generator = np.random.default_rng(0)
    camera = random_camera(generator, actor, size, FPS, moving=True, scene=SceneConfig())
    outfit, light = (
        random_outfit(generator, "video", SceneConfig()),
        random_light(generator, "video", SceneConfig()),
    )
    render(actor.vertices, make_clothed_mesh(load_body()), [outfit], [light], camera)


def video_speed(size: int, workers: int) -> float:
    """Of `kinepose synthesize`, by how much longer it takes to make four times as many videos."""
    seconds, frames = [], []
    for videos in (2 * workers, 8 * workers):
        with tempfile.TemporaryDirectory() as folder:
            config = SynthesizeConfig(
                Path(folder), videos=videos, seconds=4.0, size=size, camera="mixed", workers=workers
            )
            start = time.perf_counter()
            synthesize(config)
            seconds.append(time.perf_counter() - start)
            frames.append(videos * config.seconds * config.fps)
    return (frames[1] - frames[0]) / (seconds[1] - seconds[0])


if __name__ == "__main__":
    main()
