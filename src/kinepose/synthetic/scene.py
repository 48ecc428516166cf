"""People in places, seen by a camera: labelled films, and the renders of the prior (L_prior)."""

import csv
import math
import multiprocessing
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path

import av
import cv2
import numpy as np
import torch
import warp as wp
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm import tqdm

from kinepose.config import MotionConfig, SynthesizeConfig
from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.geometry.camera_projection import DISTANCE, FOCAL_LENGTH
from kinepose.geometry.forward_kinematics import canonical_joints, stature
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.synthetic.backgrounds import read_photographs
from kinepose.synthetic.body import load_body, pose_body, random_person
from kinepose.synthetic.choreography import random_motion
from kinepose.synthetic.filming import detect, shoot
from kinepose.synthetic.garb import make_garb
from kinepose.synthetic.light import random_light
from kinepose.synthetic.motion import Motion, roam
from kinepose.synthetic.renderer import Camera, look_at, render, to_camera, to_picture
from kinepose.synthetic.stage import Actor, film_camera, place
from kinepose.synthetic.wardrobe import random_outfit

LABEL_VERSION = 1
_LONGEST_STAY = 1.7
"""Of people who walk about: so brief that the median of 6 s does not show them [s]."""
_RANGES = {
    "clips": (1, math.inf),
    "seconds": (0.0, 86400.0),
    "size": (32, 8192),
    "fps": (1, 1000),
    "seed": (0, math.inf),
    "workers": (0, 1024),
    "occluders": (0.0, 1.0),
    "shutter": (0.0, 1.0),
    "motion.captured": (0.0, math.inf),
    "motion.mixed": (0.0, math.inf),
    "motion.procedural": (0.0, math.inf),
    "motion.locomotion": (0.0, 1.0),
    "motion.walks_between": (0.0, 1.0),
    "motion.longest_stay": (0.5, math.inf),
    "motion.standing": (0.0, 1.0),
    "motion.speed": (1.0, 10.0),
    "motion.perturbation": (0.0, 90.0),
}
"""Least and largest value of each setting."""


@dataclass(frozen=True)
class Renders:
    """Single pictures of people for L_prior, seen by the model's own camera."""

    image: UInt8[np.ndarray, "renders size size 3"]
    """On black, already multiplied by the mask."""
    mask: UInt8[np.ndarray, "renders size size"]
    """Share of the pixel that the person covers, 255 for all of it."""
    joints2d: Float[np.ndarray, "renders 17 2"]
    """[crop coordinates]"""
    joints3d: Float[np.ndarray, "renders 17 3"]
    """In the camera's axes, absolute [mm]."""


def synthesize(config: SynthesizeConfig) -> None:
    """Writes films/*.mp4, labels/*.npz and boxes.csv.

    The seed and a film's number alone decide what is in it, whatever the number of processes.

    Raises:
        BadInputError: on settings that make no film, or where nothing can be written.
    """
    _check(config)
    rows: list[list[str]] = []
    for film_rows in tqdm(_films(config), "films", config.clips, unit="film"):
        rows += film_rows
    with _writing(config.output / "boxes.csv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["film", "frame", "track", "x0", "y0", "x1", "y1"])
        writer.writerows(rows)
    print(f"{config.clips} films in {config.output / 'films'}")


def render_prior(count: int, seed: int, size: int) -> Renders:
    """Pictures of `size` px a side, of different people in poses far apart from one another.

    Each is seen from DISTANCE, in units of its own chain of stature, with FOCAL_LENGTH and the
    pelvis exactly in the middle, so that the labels can be met by the fixed camera P.
    """
    generator = np.random.default_rng(seed)
    garb = make_garb(load_body())
    poses = _diverse_poses(generator, count)
    images, masks, joints2d, joints3d = [], [], [], []
    for index, pose in enumerate(poses):
        motion = Motion(pose[None], torch.zeros(1, 3), torch.zeros(1))
        actor = place(motion, random_person(generator), fps=1.0)
        azimuth = 2 * math.pi * (index + generator.uniform(-0.4, 0.4)) / count
        camera = _prior_camera(generator, actor, azimuth, size)
        outfit, light = random_outfit(generator, "render"), random_light(generator, "render")
        picture = render(actor.vertices, garb, [outfit], [light], camera)
        seen = to_camera(camera, actor.joints)
        images.append(_bytes(picture.colour[0].numpy()))
        masks.append(_bytes(picture.mask[0].numpy()))
        joints2d.append(to_picture(camera, seen)[0].numpy() / size * 2 - 1)
        joints3d.append(seen[0].numpy() * 1000)
    return Renders(*(np.stack(arrays) for arrays in (images, masks, joints2d, joints3d)))


def _prior_camera(
    generator: np.random.Generator, actor: Actor, azimuth: float, size: int
) -> Camera:
    elevation = math.radians(float(np.clip(generator.normal(8, 10), -15, 40)))
    roll = torch.tensor([math.radians(float(generator.normal(0, 5)))])
    towards = torch.tensor(
        [[math.cos(azimuth), math.sin(azimuth), math.tan(elevation)]], dtype=torch.float32
    )
    towards = torch.nn.functional.normalize(towards, dim=-1)
    pelvis = actor.joints[:, 0]
    position = pelvis + towards * DISTANCE * stature(actor.joints)[:, None]
    focal = torch.tensor([FOCAL_LENGTH * size / 2])
    return Camera(look_at(position, pelvis, roll), position, focal, size, size)


def _diverse_poses(generator: np.random.Generator, count: int) -> Float[Tensor, "poses 13 4"]:
    """Poses from the stream of motions, each as far as can be from those chosen before it.

    The strangest tenth of all poses, those farthest from their neighbours, is left out, so that
    the few chosen are not all outliers.
    """
    motions = [random_motion(generator, 20, 5.0, MotionConfig()) for _ in range(60)]
    rotations = torch.cat([motion.rotations for motion in motions])
    _, joints = pose_body(load_body(), random_person(generator), rotations)
    canonical, _ = canonical_joints(joints)
    distances = torch.cdist(canonical.flatten(1), canonical.flatten(1))
    solitude = distances.topk(5, largest=False).values[:, -1]
    kept = torch.nonzero(solitude <= solitude.quantile(0.9)).squeeze(1)
    distances = distances[kept][:, kept]
    chosen = [int(distances.mean(1).argmin())]
    while len(chosen) < count:
        chosen.append(int(distances[chosen].amin(0).argmax()))
    return rotations[kept[chosen]]


def _films(config: SynthesizeConfig) -> Iterator[list[list[str]]]:
    """Writes the films, here or in several processes; yields their rows of boxes.csv in order."""
    write = partial(_write_film, config)
    workers = min(config.workers or os.cpu_count() or 1, config.clips)
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers, _settle) as pool:
            yield from pool.imap(write, range(config.clips))
        return
    threads = torch.get_num_threads(), cv2.getNumThreads()
    try:
        _settle()
        yield from map(write, range(config.clips))
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def _settle() -> None:
    """One thread a process: sums are added in one order, and processes share the cores."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    wp.config.log_level = wp.LOG_WARNING


def _write_film(config: SynthesizeConfig, index: int) -> list[list[str]]:
    """One film and its labels; returns its rows of boxes.csv."""
    generator = np.random.default_rng([config.seed, index])
    name = f"film_{index:04d}"
    moving = config.camera == "moving" or (config.camera == "mixed" and index % 2 == 1)
    fps, frames = float(config.fps), round(config.seconds * config.fps)
    in_place = not moving and generator.random() < config.motion.standing
    motion = random_motion(generator, frames, fps, _habits(config.motion, moving, in_place))
    motion = roam(generator, motion, fps, radius=0.1 if in_place else 1.1)
    actor = place(motion, random_person(generator), fps)
    camera = film_camera(generator, actor, config.size, fps, moving)
    seen = to_camera(camera, actor.joints)
    rows = []
    with _film(config.output / "films" / f"{name}.mp4", config.fps, config.size) as write:
        pictures = shoot(generator, config, actor, camera, moving)
        for frame, (picture, mask) in enumerate(pictures):
            write(picture)
            box = detect(generator, mask)
            if box is not None:
                rows.append([f"{name}.mp4", str(frame), "0", *(f"{side:.2f}" for side in box)])
    with _writing(config.output / "labels" / f"{name}.npz") as path:
        np.savez(
            path,
            frame=np.arange(frames),
            track=np.zeros(frames, np.int64),
            joints2d=to_picture(camera, seen).numpy(),
            joints3d=(seen * 1000).numpy(),
            focal=np.median(camera.focal.numpy()),
            focal_by_frame=camera.focal.numpy(),
            fps=np.float32(config.fps),
            joint_names=np.array(JOINT_NAMES),
            format_version=np.int64(LABEL_VERSION),
        )
    return rows


def _habits(motion: MotionConfig, moving: bool, in_place: bool) -> MotionConfig:
    """Before a static camera people either stay where they are, or never stay anywhere for long."""
    if in_place:
        return replace(motion, walks_between=0.0, locomotion=0.0)
    if moving:
        return motion
    return replace(motion, walks_between=1.0, longest_stay=min(motion.longest_stay, _LONGEST_STAY))


def _bytes(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)


@contextmanager
def _film(path: Path, fps: int, size: int) -> Generator[Callable[[np.ndarray], None]]:
    """A function that appends a frame to a film that appears once it is complete."""
    # x264's macroblock tree computes other bytes on other processors, and with AVX-512 by chance.
    options = {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    with _writing(path) as unfinished, av.open(str(unfinished), "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"

        def write(picture: np.ndarray) -> None:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))

        yield write
        film.mux(stream.encode())


@contextmanager
def _writing(path: Path) -> Generator[Path]:
    try:
        with replacing(path) as temporary:
            yield temporary
    except (OSError, av.FFmpegError) as error:
        raise BadInputError(f"cannot write {path}: {error}") from error


def _check(config: SynthesizeConfig) -> None:
    """Raises BadInputError on settings that make no film."""
    for name, (least, largest) in _RANGES.items():
        value = attrgetter(name)(config)
        if not least <= value <= largest:
            bounds = f"at least {least:g}" + (
                f", at most {largest:g}" if largest < math.inf else ""
            )
            raise BadInputError(f"--{name.replace('_', '-')} {value}: it must be {bounds}.")
    if round(config.seconds * config.fps) < 1:
        raise BadInputError(
            f"--seconds {config.seconds} at --fps {config.fps}: less than one frame."
        )
    if config.size % 2:
        raise BadInputError(f"--size {config.size}: H.264 needs an even number.")
    motion = config.motion
    if motion.captured + motion.mixed + motion.procedural == 0:
        raise BadInputError("--motion: captured, mixed and procedural are all 0; nobody moves.")
    if config.backgrounds is not None:
        read_photographs(config.backgrounds)
