"""People in places: a video, its exact labels, and what a detector makes of it."""

import csv
import multiprocessing
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from tqdm import tqdm

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder, replacing
from kinepose.synthetic.backgrounds import read_photographs
from kinepose.synthetic.body import random_person
from kinepose.synthetic.config import MotionConfig, SynthesizeConfig
from kinepose.synthetic.mocap_clips import training_clips
from kinepose.synthetic.motion import roam
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import to_camera, to_image
from kinepose.synthetic.scene import place, random_camera
from kinepose.synthetic.video_frames import detect, shoot

LABEL_VERSION = 1
_LONGEST_STAY = 1.7
"""Of people who walk about: so brief that the median of 6 s does not show them [s]."""


def synthesize(config: SynthesizeConfig) -> None:
    """Writes films/*.mp4, labels/*.npz and boxes.csv.

    The seed and a video's number alone decide what is in it, whatever the number of processes.

    Raises:
        BadInputError: on settings that make no video, or where nothing can be written.
    """
    _check(config)
    check_folder(config.output)
    rows: list[list[str]] = []
    for video_rows in tqdm(_videos(config), "videos", config.videos, unit="video"):
        rows += video_rows
    with _writing(config.output / "boxes.csv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["film", "frame", "track", "x0", "y0", "x1", "y1"])
        writer.writerows(rows)
    print(f"{config.videos} videos in {config.output / 'films'}")


def _videos(config: SynthesizeConfig) -> Iterator[list[list[str]]]:
    """Writes the videos, here or in several processes; yields their rows of boxes.csv in order."""
    write = partial(_write_video, config)
    workers = min(config.workers or os.cpu_count() or 1, config.videos)
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers, settle_process) as pool:
            yield from pool.imap(write, range(config.videos))
        return
    threads = torch.get_num_threads(), cv2.getNumThreads()
    try:
        settle_process()
        yield from map(write, range(config.videos))
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def settle_process() -> None:
    """One thread a process: sums are added in one order, and processes share the cores."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _write_video(config: SynthesizeConfig, index: int) -> list[list[str]]:
    """One video and its labels; returns its rows of boxes.csv."""
    generator = np.random.default_rng([config.seed, index])
    config, name = _alone(config, index)
    moving = config.camera == "moving" or (config.camera == "mixed" and index % 2 == 1)
    fps, frames = float(config.fps), round(config.seconds * config.fps)
    in_place = not moving and generator.random() < config.motion.standing
    motion = random_motion(generator, frames, fps, _habits(config.motion, moving, in_place))
    motion = roam(generator, motion, fps, radius=0.1 if in_place else 1.1)
    actor = place(motion, random_person(generator), fps)
    camera = random_camera(generator, actor, config.size, fps, moving, config.scene)
    seen = to_camera(camera, actor.joints)
    rows = []
    with _video(config, f"{name}.mp4") as write:
        images = shoot(generator, config, actor, camera, moving)
        for frame, (image, mask) in enumerate(images):
            write(image)
            box = detect(generator, mask)
            if box is not None:
                rows.append([f"{name}.mp4", str(frame), "0", *(f"{side:.2f}" for side in box)])
    with _writing(config.output / "labels" / f"{name}.npz") as path:
        np.savez(  # not by write_labels: synthworld's published hashes are of these very bytes
            path,
            frame=np.arange(frames),
            track=np.zeros(frames, np.int64),
            joints2d=to_image(camera, seen).numpy(),
            joints3d=(seen * 1000).numpy(),
            focal=np.median(camera.focal.numpy()),
            focal_by_frame=camera.focal.numpy(),
            fps=np.float32(config.fps),
            joint_names=np.array(JOINT_NAMES),
            format_version=np.int64(LABEL_VERSION),
        )
    return rows


def _alone(config: SynthesizeConfig, index: int) -> tuple[SynthesizeConfig, str]:
    """The settings and the name of one video, which shows one motion only if motions are apart."""
    if not config.motion.apart:
        return config, f"{config.name}_{index:04d}"
    names = config.motion.only or training_clips()
    name = names[index % len(names)]
    motion = replace(config.motion, clips=None, only=(name,))
    motion = replace(motion, captured=1.0, mixed=0.0, procedural=0.0)
    return replace(config, motion=motion), f"{config.name}_{name}_{index:04d}"


def _habits(motion: MotionConfig, moving: bool, in_place: bool) -> MotionConfig:
    """Before a static camera people either stay where they are, or never stay anywhere for long."""
    if motion.apart:
        return replace(motion, walks_between=0.0)
    if in_place:
        return replace(motion, walks_between=0.0, locomotion=0.0)
    if moving:
        return motion
    return replace(motion, walks_between=1.0, longest_stay=min(motion.longest_stay, _LONGEST_STAY))


@contextmanager
def _video(config: SynthesizeConfig, name: str) -> Generator[Callable[[np.ndarray], None]]:
    """A function that appends a frame to a video that appears once it is complete."""
    # x264's macroblock tree computes other bytes on other processors, and with AVX-512 by chance.
    options = {"preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    options["crf"] = str(config.scene.compression)
    path, size = config.output / "films" / name, config.size
    with _writing(path) as unfinished, av.open(str(unfinished), "w", format="mp4") as video:
        stream = video.add_stream("libx264", rate=config.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"

        def write(image: np.ndarray) -> None:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))

        yield write
        video.mux(stream.encode())


@contextmanager
def _writing(path: Path) -> Generator[Path]:
    try:
        with replacing(path) as temporary:
            yield temporary
    except (OSError, av.FFmpegError) as error:
        raise BadInputError(f"cannot write {path}: {error.strerror or error}") from error


def _check(config: SynthesizeConfig) -> None:
    """Raises BadInputError on settings that make no video."""
    if config.scene.backgrounds is not None:
        read_photographs(config.scene.backgrounds)
