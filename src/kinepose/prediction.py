"""From a film to the 3D poses of the people in it.

The film is decoded once to find the people, and what of its frames was then kept on disk serves to
predict their poses; to draw them it is decoded again. Memory does not grow with its length.
"""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from kinepose.confidence import joint_confidence
from kinepose.config import PredictConfig
from kinepose.data.people import Survey, check_people, crop_image, people_in_film
from kinepose.data.poses import FilmPoses
from kinepose.data.small_frames import KeptFrames
from kinepose.data.video import film_info, is_pictures, picture_paths, read_frames, write_video
from kinepose.drawing import overlay_frame
from kinepose.errors import BadInputError
from kinepose.export import check_formats, export_poses
from kinepose.files import making, replacing
from kinepose.geometry.camera_projection import rotation_camera_from_canonical
from kinepose.geometry.crops import crop_to_frame
from kinepose.geometry.film_camera import assumed_focal, locate, turn_to_film
from kinepose.geometry.forward_kinematics import stature
from kinepose.losses import energy
from kinepose.model import Model, Poses, choose_device, load_model
from kinepose.onnx_engine import Estimate, onnx_poses
from kinepose.ranges import check_ranges
from kinepose.runs import model_sha256
from kinepose.steadying import steadied
from kinepose.threads import ahead, in_order

_RANGES = {
    "height": (1.0, 1e6),
    "focal": (1.0, 1e6),
    "pose_smoothing": (0.0, 10.0),
    "energy_gap": (0.0, math.inf),
    "batch_size": (1.0, math.inf),
}

Batch = tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]
"""Rows, their crops, and the crops that lend them their looks."""


@dataclass(frozen=True)
class Rows:
    """Every person in every frame, in the order of the film."""

    frame: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    time: Float64[np.ndarray, " rows"]
    """[s]"""
    box: Float64[np.ndarray, "rows 4"]
    """[px]"""
    crop: Float64[np.ndarray, "rows 3"]
    """[px]"""


def predict(config: PredictConfig) -> None:
    """Write the poses and the overlay of a film, a picture or a folder of pictures.

    joints3d are R_c p_3D times `height`, turned by the ray through the pelvis into the axes of the
    film's camera; root is where they would have to be for that camera to show them where joints2d
    are. Both hold as far as the focal length does.

    Raises:
        BadInputError: if the film or the run cannot be read, nobody is found, or a setting is out
            of range.
    """
    check_ranges(config, _RANGES)
    check_people(config.people)
    formats = ("npz", *config.formats)
    check_formats(formats, config.output)
    device = choose_device(config.device)
    model = load_model(config.run, device)
    estimate = model.predict if config.onnx is None else onnx_poses(config.onnx, config.run)
    with making(config.output):
        poses = _predict_film(model, estimate, device, config)
    if not is_pictures(config.film):
        poses = steadied(poses, config.pose_smoothing, config.repair_sides)
    export_poses(poses, formats, config.output)
    if config.overlay and is_pictures(config.film):
        _write_overlay_pictures(config, poses)
    elif config.overlay:
        _write_overlay_film(config, poses)
    print(
        f"poses: {len(poses.frame)}, people: {len(np.unique(poses.track))}, "
        f"frames: {len(np.unique(poses.frame))} -> {config.output} (on {device})"
    )


def _rows(survey: Survey) -> Rows:
    frame = np.concatenate([track.frames for track in survey.tracks])
    number = np.concatenate(
        [np.full(len(track.frames), track.number, np.int64) for track in survey.tracks]
    )
    box = np.concatenate([track.boxes for track in survey.tracks])
    crop = np.concatenate([track.crops for track in survey.tracks])
    order = np.lexsort([number, frame])
    time = survey.times[np.searchsorted(survey.frames, frame)]
    return Rows(frame[order], number[order], time[order], box[order], crop[order])


def _predict_film(
    model: Model, estimate: Estimate, device: torch.device, config: PredictConfig
) -> FilmPoses:
    """Find the people, and then their poses in the frames that were kept on the way."""
    info, size = film_info(config.film), model.config.image_size
    with closing(KeptFrames(config.output, info, size, config.people, guess=True)) as kept:
        survey = people_in_film(config.film, config.people, shrink=kept.shrink)
        rows = _rows(survey)
        sizes = torch.tensor([[info.width, info.height]], dtype=torch.float64)
        sizes = sizes.repeat(len(rows.frame), 1)
        if is_pictures(config.film):
            crops = _crops_of_pictures(config.film, rows, size, sizes)
        else:
            crops = _crops_of_film(config.film, survey, rows, size, kept)
        return _predict_rows(model, estimate, device, config, rows, crops, sizes)


def _predict_rows(
    model: Model,
    estimate: Estimate,
    device: torch.device,
    config: PredictConfig,
    rows: Rows,
    crops: Generator[UInt8[np.ndarray, "size size 3"]],
    sizes: Float64[Tensor, "rows 2"],
) -> FilmPoses:
    """All rows: one thread crops, and as many find poses as there are cores."""
    count = len(rows.frame)
    joints2d = np.empty((count, 17, 2), np.float32)
    joints3d = np.empty((count, 17, 3), np.float32)
    confidence = np.empty((count, 17), np.float32)
    energies = np.full(count, np.nan, np.float32)
    if config.energy and not is_pictures(config.film):
        sources = source_rows(rows.track, rows.time, config.energy_gap)
    else:
        sources = np.arange(count)
    in_advance = ahead(crops, config.batch_size)
    batches = batches_with_sources(in_advance, sources, config.batch_size)

    @torch.inference_mode()
    def find(batch: Batch) -> tuple[np.ndarray, ...]:
        taken, images, lent = batch
        targets = _to_tensor(images, device)
        poses = estimate(targets)
        found = [
            crop_to_frame(poses.joints2d.cpu(), torch.from_numpy(rows.crop[taken]).float()),
            joints_in_camera(poses, config.height),
            joint_confidence(model, targets, poses),
        ]
        if config.energy:
            found.append(energy(model, targets, _to_tensor(lent, device)))
        return taken, *(numbers.cpu().numpy() for numbers in found)

    with (
        _workers(device) as workers,
        tqdm(total=count, desc="poses", unit="pose", leave=False) as progress,
    ):
        for batch, *found in in_order(find, batches, workers):
            kept = (joints2d, joints3d, confidence, energies)
            for numbers, new in zip(kept, found, strict=False):
                numbers[batch] = new
            progress.update(len(batch))
    turned, root, focal = _in_film(joints2d, joints3d, sizes, config.focal)
    return FilmPoses(
        film=np.array(config.film.name),
        frame=rows.frame,
        track=rows.track,
        box=rows.box.astype(np.float32),
        joints2d=joints2d,
        joints3d=turned,
        confidence=confidence,
        root=root,
        focal=focal,
        energy=energies,
        fps=np.array(film_info(config.film).fps, np.float32),
        model_sha256=np.array(model_sha256(config.run)),
    )


@contextmanager
def _workers(device: torch.device) -> Generator[int]:
    """How many threads find poses: one a core, as cores that share a batch wait for each other."""
    cores = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        yield 1 if device.type == "cuda" else cores
    finally:
        torch.set_num_threads(cores)


def _in_film(
    joints2d: Float32[np.ndarray, "rows 17 2"],
    joints3d: Float32[np.ndarray, "rows 17 3"],
    sizes: Float64[Tensor, "rows 2"],
    focal: float | None,
) -> tuple[
    Float32[np.ndarray, "rows 17 3"], Float32[np.ndarray, "rows 3"], Float32[np.ndarray, " rows"]
]:
    """joints3d in the film camera's axes and root [mm], and the focal length they rest on [px]."""
    lengths = assumed_focal(sizes) if focal is None else torch.full_like(sizes[:, 0], focal)
    in_picture = (torch.from_numpy(joints2d).double(), lengths, sizes / 2)
    turned = turn_to_film(torch.from_numpy(joints3d).double(), *in_picture)
    root = locate(turned, *in_picture)
    return turned.float().numpy(), root.float().numpy(), lengths.float().numpy()


def joints_in_camera(poses: Poses, height: float) -> Float[Tensor, "batch 17 3"]:
    """p_3D in the axes of T_c's camera, pelvis at 0, the chain of stature as long as `height`."""
    rotation = rotation_camera_from_canonical(poses.camera)
    joints = poses.joints3d - poses.joints3d[:, :1]
    scale = height / stature(joints).clamp(min=1e-6)
    return scale[:, None, None] * joints @ rotation.transpose(-1, -2)


def source_rows(
    track: Int64[np.ndarray, " rows"], time: Float64[np.ndarray, " rows"], gap: float
) -> Int64[np.ndarray, " rows"]:
    """For each row the row of its track that is `gap` [s] later; if there is none, earlier.

    In a track too short for either it is the end that is farther away.
    """
    sources = np.empty(len(track), np.int64)
    for number in np.unique(track):
        rows = np.flatnonzero(track == number)
        times = time[rows]
        later = np.searchsorted(times, times + gap - 1e-6)
        earlier = np.searchsorted(times, times - gap + 1e-6, side="right") - 1
        farther_end = np.where(times - times[0] > times[-1] - times, 0, len(rows) - 1)
        chosen = np.where(later < len(rows), later, np.where(earlier >= 0, earlier, farther_end))
        sources[rows] = rows[chosen]
    return sources


def batches_with_sources(
    crops: Iterable[UInt8[np.ndarray, "size size 3"]],
    sources: Int64[np.ndarray, " rows"],
    batch_size: int,
) -> Iterator[Batch]:
    """Batches of (rows, their crops, their sources' crops) from a stream of one crop a row.

    A row waits until its source has come by; a crop is dropped once no row needs it any more.
    """
    complete = np.maximum(np.arange(len(sources)), sources)
    in_turn = np.argsort(complete, kind="stable")
    turn = np.argsort(in_turn)
    last_turn = turn.copy()
    np.maximum.at(last_turn, sources, turn)
    done = 0
    held: dict[int, np.ndarray] = {}
    for row, crop in enumerate(crops):
        held[row] = crop
        ready = int(np.searchsorted(complete[in_turn], row, side="right"))
        is_last = row == len(sources) - 1
        while ready - done >= batch_size or (is_last and ready > done):
            batch = in_turn[done : done + batch_size]
            yield batch, [held[r] for r in batch], [held[s] for s in sources[batch]]
            done += len(batch)
            held = {r: crop for r, crop in held.items() if last_turn[r] >= done}


def _crops_of_film(
    film: Path, survey: Survey, rows: Rows, size: int, kept: KeptFrames
) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    """The crop of each row, from frames as small as those of its shot may be."""
    frames = enumerate(read_frames(film))
    for shot in survey.shots:
        numbers = survey.frames[shot.first : shot.end]
        ends = np.searchsorted(rows.frame, [*numbers, numbers[-1] + 1])
        if ends[0] == ends[-1]:
            continue
        small, pictures = kept.of_shot(shot, [rows.crop[ends[0] : ends[-1]]], frames)
        for place, picture in pictures:
            for row in range(ends[place], ends[place + 1]):
                yield crop_image(picture, rows.crop[row], size, small.scale)


def _crops_of_pictures(
    folder: Path, rows: Rows, size: int, sizes: Float64[Tensor, "rows 2"]
) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    """The crop of each row; notes in `sizes` how wide and high its picture is [px]."""
    row = 0
    for frame in read_frames(folder):
        height, width, _ = frame.image.shape
        while row < len(rows.frame) and rows.frame[row] == frame.index:
            sizes[row] = torch.tensor([width, height])
            yield crop_image(frame.image, rows.crop[row], size)
            row += 1


def _to_tensor(images: list[np.ndarray], device: torch.device) -> Float[Tensor, "batch 3 s s"]:
    pixels = torch.from_numpy(np.stack(images)).to(device)
    return pixels.permute(0, 3, 1, 2).float() / 255


def _write_overlay_film(config: PredictConfig, poses: FilmPoses) -> None:
    fps = film_info(config.film).fps
    write_video(config.output / "overlay.mp4", _overlays(config, poses), fps)


def _write_overlay_pictures(config: PredictConfig, poses: FilmPoses) -> None:
    names = [path.stem for path in picture_paths(config.film)]
    for name, picture in zip(names, _overlays(config, poses), strict=True):
        path = config.output / "overlay" / f"{name}.png"
        with replacing(path) as temporary:
            if not cv2.imwrite(str(temporary), picture[..., ::-1]):
                raise BadInputError(f"cannot write {path}: is the disk full?")


def _overlays(
    config: PredictConfig, poses: FilmPoses
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Every frame's overlay, people or none."""
    people = np.unique(poses.track, return_inverse=True)[1]
    count = film_info(config.film).frames
    frames = read_frames(config.film)
    for frame in tqdm(frames, desc="overlay", unit="frame", total=count, leave=False):
        rows = slice(*np.searchsorted(poses.frame, [frame.index, frame.index + 1]))
        yield overlay_frame(
            frame.image,
            people[rows].tolist(),
            poses.box[rows],
            poses.joints2d[rows],
            poses.joints3d[rows],
            config.height,
        )
