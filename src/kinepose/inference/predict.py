"""From a video to the 3D poses of the people in it.

The video is decoded once to find the people, and what of its frames was then kept on disk, if there
is room, serves to look at them and to predict their poses; to draw them it is decoded again. Memory
does not grow with its length.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor
from tqdm import tqdm

from kinepose.artifacts.model_files import choose_device, choose_precision, load_model
from kinepose.artifacts.pose_files import VideoPoses
from kinepose.artifacts.run_folder import model_sha256
from kinepose.geometry.crops import crop_to_frame
from kinepose.geometry.pinhole import assumed_focal
from kinepose.inference.any_way_up import any_way_up, mean_certainty
from kinepose.inference.beyond_border import CERTAIN, guess_beyond, reach_below
from kinepose.inference.config import Format, PredictConfig
from kinepose.inference.export import check_c3d_length, check_formats, export_poses
from kinepose.inference.onnx import Estimate, onnx_poses
from kinepose.inference.onnx_detector import onnx_answer
from kinepose.inference.output_folder import (
    Record,
    check_output,
    identity,
    prediction_record,
    replacing_results,
)
from kinepose.inference.placement import in_video, joints_in_camera
from kinepose.inference.sampled_frames import of_all_rows, sampled_rows
from kinepose.inference.temporal_filter import repair_sides, smooth_poses
from kinepose.inference.temporal_lifting import lift_over_time
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_file, making
from kinepose.io.threads import (
    ahead,
    images_in_one_thread,
    in_order,
    networks_in_one_thread,
)
from kinepose.method.blocks import fold_batch_norms
from kinepose.method.confidence import joint_confidence
from kinepose.method.losses import energy
from kinepose.method.model import Model
from kinepose.method.views import VIEWS, predict_by_views
from kinepose.video.box_tables import write_boxes
from kinepose.video.cropping import (
    Batch,
    Rows,
    batches_with_sources,
    crops_of,
    rows_of,
    source_rows,
)
from kinepose.video.frame_cache import KeptFrames
from kinepose.video.images import image_paths, is_images
from kinepose.video.people import cropped_as, people_in_video
from kinepose.video.reading import Frame, read_frames, video_info
from kinepose.video.writing import write_timed_video
from kinepose.visualization.skeletons import overlay_frame
from kinepose.visualization.viewer import write_viewer

_OF_VIDEOS = 2
"""Views of a video's crops; its frames tell together what they agree on besides."""


@dataclass(frozen=True)
class LoadedRun:
    """A run's model, and what it is."""

    model: Model
    device: torch.device
    """On which the model is, and all that computes beside it."""
    sha256: str
    """Of these very weights: a training may have saved others into the run since."""


def predict(config: PredictConfig) -> None:
    """Write the poses, the overlay and the page of a video, an image or a folder of images.

    joints3d are R_c p_3D times `height`, turned by the ray through the pelvis into the axes of the
    video's camera; root is where they would have to be for that camera to show them where joints2d
    are. Both hold as far as the focal length does.

    Raises:
        BadInputError: if the video or the run cannot be read, nobody is found, a setting is out of
            range, the output folder holds other results, or the video is another in the end.
    """
    formats = ("npz", *config.formats)
    check_formats(formats, config.output)
    if config.detections is not None:
        check_file(config.detections)
    run = load_run(config)
    record = prediction_record(config, run.sha256)
    check_output(config.output, record, config.overwrite)
    if "c3d" in formats:
        check_c3d_length(video_info(config.video), config.rate)
    with making(config.output):
        poses = find_poses(config, run)
        _check_same(config.video, record)
        with replacing_results(config.output, record, config.overwrite) as folder:
            cut = _write(config, poses, formats, folder)
            _check_same(config.video, record)
    print(
        f"poses: {len(poses.frame)}, people: {len(np.unique(poses.track))}, "
        f"frames: {len(np.unique(poses.frame))} -> {config.output} (on {run.device})"
    )
    if config.viewer:
        part = " (its beginning)" if cut else ""
        print(f"page to look at them{part}: {config.output / 'viewer.html'}")


def _write(
    config: PredictConfig, poses: VideoPoses, formats: tuple[Format, ...], folder: Path
) -> bool:
    """All results, and whether the page shows the video's beginning alone."""
    export_poses(poses, formats, folder, config.rate)
    if config.overlay and is_images(config.video):
        _write_overlay_images(config, poses, folder / "overlay")
    elif config.overlay:
        _write_overlay_video(config, poses, folder / "overlay.mp4")
    return config.viewer and write_viewer(config.video, folder)


def _check_same(video: Path, record: Record) -> None:
    """That a video, or a folder of images, is still the one of which the results are said to be.

    Raises:
        BadInputError: if it is another.
    """
    if identity(video) != record["video"]:
        raise BadInputError(f"{video} changed while it was read: nothing is written of it")


def load_run(config: PredictConfig) -> LoadedRun:
    """What finds the poses; with --onnx it computes beside ONNX Runtime, on the processor.

    Raises:
        BadInputError: if the run cannot be read, or the device is not there.
    """
    onnx = config.onnx is not None
    device = torch.device("cpu") if onnx else choose_device(config.device)
    while True:
        sha256 = model_sha256(config.run)
        model = load_model(config.run, device)
        if model_sha256(config.run) == sha256:  # no training saved in between
            return LoadedRun(model, device, sha256)


def find_poses(config: PredictConfig, run: LoadedRun | None = None) -> VideoPoses:
    """The poses that `predict` writes. Of the output folder it needs room for some frames alone.

    The run is loaded unless it is there already.

    Raises:
        BadInputError: if the video or the run cannot be read, nobody is found, or a setting is out
            of range.
    """
    if config.onnx is not None and config.views > 1:
        raise BadInputError(f"--views {config.views}: what --onnx names looks in one way alone")
    run = run or load_run(config)
    model = run.model
    model.half_precision = choose_precision(config.bfloat16, run.device)
    fold_batch_norms(model.pose_encoder)
    are_images = is_images(config.video)
    if config.onnx is not None:
        glance = estimate = onnx_poses(config.onnx, config.run, run.sha256)
    else:
        views = config.views or (len(VIEWS) if are_images else _OF_VIDEOS)
        glance, estimate = model.predict, partial(predict_by_views, model, count=views)
    if are_images:
        estimate = any_way_up(estimate)
    with images_in_one_thread():
        return _predict_video(run, glance, estimate, config)


def _over_time(
    model: Model,
    poses: VideoPoses,
    config: PredictConfig,
    size: tuple[int, int],
    seen: Bool[np.ndarray, " poses"],
) -> VideoPoses:
    """What the frames of a video [width, height in px] say together, rather than each by itself."""
    if config.lift_window:
        poses = lift_over_time(model, poses, config.lift_window, config.height, size, seen)
    if config.repair_sides:
        poses = repair_sides(poses)
    return smooth_poses(poses, config.pose_smoothing) if config.pose_smoothing else poses


def _predict_video(
    run: LoadedRun, glance: Estimate, estimate: Estimate, config: PredictConfig
) -> VideoPoses:
    """Find the people, and then their poses in the frames that were kept on the way.

    `glance` says how certain a pose is, if possible in less time than `estimate`.
    """
    model = run.model
    info, size = video_info(config.video), model.config.image_size
    people = cropped_as(config.people, model.config)
    answer = None
    if config.onnx is not None and people.detector == "people":
        answer = onnx_answer(config.onnx)
    rate = _rate(model, config)
    with closing(KeptFrames(config.output, info, size, people, guess=True, rate=rate)) as kept:
        survey = people_in_video(
            config.video, people, keep=kept.keep, answer=answer, device=run.device.type
        )
        if config.detections is not None:
            write_boxes(config.detections, config.video.name, survey.tracks)
        rows = rows_of(survey)
        sampled = sampled_rows(rows, survey.frames, survey.times, rate)
        some = rows.some(sampled)

        def look(rows: Rows, tried: bool) -> Float[np.ndarray, " rows"]:
            crops = crops_of(config.video, survey, rows, size, kept)
            any_way = is_images(config.video) and not tried
            return _certainty(run, glance, config, crops, any_way)

        if model.pose_encoder.heatmaps is not None:
            some = reach_below(some, look, is_images(config.video))
        crops = crops_of(config.video, survey, some, size, kept)
        poses = _predict_rows(run, estimate, config, some, survey.fps, crops)
    if is_images(config.video):
        return poses
    if len(sampled) < len(rows.frame):
        poses = of_all_rows(poses, sampled, rows)
    seen = np.isin(np.arange(len(rows.frame)), sampled)
    return _over_time(model, poses, config, (info.width, info.height), seen)


def _rate(model: Model, config: PredictConfig) -> float:
    """Frames a second that E_P sees; 0, all, unless those about one tell where its joints are."""
    lifts = config.lift_window > 0 and model.pose_encoder.lifter is not None
    return config.pose_rate if lifts and not is_images(config.video) else 0.0


def _certainty(
    run: LoadedRun,
    estimate: Estimate,
    config: PredictConfig,
    crops: Generator[UInt8[np.ndarray, "size size 3"]],
    any_way: bool,
) -> Float[np.ndarray, " crops"]:
    """How certain the heatmaps of crops are, on average over the joints.

    With `any_way`, that of an unsure crop another way up if that is certain: some stand on their
    hands.
    """

    @torch.inference_mode()
    def find(images: list[np.ndarray]) -> Float[np.ndarray, " batch"]:
        targets = _to_tensor(images, run.device)
        certainty = mean_certainty(estimate(targets))
        unsure = certainty < CERTAIN
        if any_way and unsure.any():
            turned = mean_certainty(any_way_up(estimate)(targets[unsure]))
            certainty[unsure] = torch.where(turned > CERTAIN, turned, certainty[unsure])
        return certainty.cpu().numpy()

    with networks_in_one_thread() as cores:
        in_advance = ahead(crops, config.batch_size)
        batches = iter(lambda: list(islice(in_advance, config.batch_size)), [])
        workers = 1 if run.device.type == "cuda" else cores
        return np.concatenate([*in_order(find, batches, workers)])


def _predict_rows(
    run: LoadedRun,
    estimate: Estimate,
    config: PredictConfig,
    rows: Rows,
    fps: float,
    crops: Generator[UInt8[np.ndarray, "size size 3"]],
) -> VideoPoses:
    """All rows: one thread crops, and as many find poses as there are cores.

    Raises:
        BadInputError: if a row's crop does not come, or the model is broken.
    """
    model, device, count = run.model, run.device, len(rows.frame)
    joints2d = np.empty((count, 17, 2), np.float32)
    joints3d = np.empty((count, 17, 3), np.float32)
    confidence = np.empty((count, 17), np.float32)
    energies = np.empty(count, np.float32)
    found_in = np.zeros(count, bool)
    are_images = is_images(config.video)
    if config.energy and not are_images:
        sources = source_rows(rows.track, rows.time, config.energy_gap)
    else:
        sources = np.arange(count)
    in_advance = ahead(crops, config.batch_size)
    batches = batches_with_sources(in_advance, sources, config.batch_size)

    @torch.inference_mode()
    def find(batch: Batch) -> tuple[np.ndarray, ...]:
        taken, images, lent = batch
        targets = _to_tensor(images, device)
        poses = guess_beyond(model, estimate(targets), rows.some(taken))
        disagreement = torch.full((len(targets),), torch.nan)
        if config.energy:
            disagreement = energy(model, targets, _to_tensor(lent, device))
            if not torch.isfinite(disagreement).all():
                raise BadInputError(
                    f"the model of {config.run} finds no finite energy: it is broken"
                )
        found = [
            crop_to_frame(poses.in_image.cpu(), torch.from_numpy(rows.crop[taken]).float()),
            joints_in_camera(poses, config.height),
            joint_confidence(model, targets, poses),
            disagreement,
        ]
        return taken, *(numbers.cpu().numpy() for numbers in found)

    with (
        networks_in_one_thread() as cores,
        tqdm(total=count, desc="poses", unit="pose", leave=False) as progress,
    ):
        for batch, *found in in_order(find, batches, 1 if device.type == "cuda" else cores):
            kept = (joints2d, joints3d, confidence, energies)
            for numbers, new in zip(kept, found, strict=True):
                numbers[batch] = new
            found_in[batch] = True
            progress.update(len(batch))
    if not found_in.all():
        raise BadInputError(
            f"{config.video} changed while it was read: {count - found_in.sum()} of {count} crops "
            "did not come"
        )
    sizes = torch.from_numpy(rows.frame_size)
    known = config.focal
    focal = assumed_focal(sizes) if known is None else torch.full_like(sizes[:, 0], known)
    places = torch.from_numpy(joints2d), torch.from_numpy(joints3d), focal, sizes / 2
    turned, root = in_video(*places)
    return VideoPoses(
        video=np.array(config.video.name),
        frame=rows.frame,
        time=np.full(count, np.nan) if are_images else rows.time,
        image=_image_names(config.video)[rows.frame] if are_images else np.full(count, ""),
        track=rows.track,
        box=rows.box.astype(np.float32),
        joints2d=joints2d,
        joints3d=turned.numpy(),
        confidence=confidence,
        root=root.numpy(),
        focal=focal.float().numpy(),
        energy=energies,
        fps=np.array(fps, np.float32),
        model_sha256=np.array(run.sha256),
    )


def _to_tensor(images: list[np.ndarray], device: torch.device) -> Float[Tensor, "batch 3 s s"]:
    pixels = torch.from_numpy(np.stack(images)).to(device)
    return pixels.permute(0, 3, 1, 2).float() / 255


def _image_names(video: Path) -> Shaped[np.ndarray, " images"]:
    return np.array([path.name for path in image_paths(video)])


def _write_overlay_video(config: PredictConfig, poses: VideoPoses, path: Path) -> None:
    frames = ((frame.time, image) for frame, image in _overlays(config, poses))
    write_timed_video(path, frames, float(poses.fps))


def _write_overlay_images(config: PredictConfig, poses: VideoPoses, folder: Path) -> None:
    names = _image_names(config.video)
    folder.mkdir()
    for frame, image in _overlays(config, poses):
        encoded = cv2.imencode(".png", image[..., ::-1])[1]
        (folder / f"{names[frame.index]}.png").write_bytes(encoded.tobytes())


def _overlays(
    config: PredictConfig, poses: VideoPoses
) -> Iterator[tuple[Frame, UInt8[np.ndarray, "height width 3"]]]:
    """Every frame and its overlay, people or none."""
    people = np.unique(poses.track, return_inverse=True)[1]
    count = video_info(config.video).frames
    frames = read_frames(config.video)
    for frame in tqdm(frames, desc="overlay", unit="frame", total=count, leave=False):
        rows = slice(*np.searchsorted(poses.frame, [frame.index, frame.index + 1]))
        yield (
            frame,
            overlay_frame(
                frame.image,
                people[rows].tolist(),
                poses.box[rows],
                poses.joints2d[rows],
                poses.joints3d[rows],
                config.height,
            ),
        )
