"""A run as one self-contained page: everything is inside it, nothing is fetched.

Reads what `train`, `predict` and `evaluate` wrote; no model is loaded.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from pydantic import ConfigDict

from kinepose.artifacts.pose_files import VideoPoses, describe_poses, read_poses
from kinepose.artifacts.run_folder import (
    RunDescription,
    count_parameters,
    read_last_images,
    read_log,
    read_run_config,
)
from kinepose.io.files import check_file, replacing
from kinepose.io.schema import STRICT, as_json, read_json
from kinepose.io.settings import Count
from kinepose.video.images import image_paths
from kinepose.video.reading import read_frames, video_info
from kinepose.visualization import charts, image_grids
from kinepose.visualization.config import ReportConfig
from kinepose.visualization.pages import PAGES

STILLS = 6
SKELETONS = 6
RECONSTRUCTIONS = 6


@dataclass(frozen=True)
class Frames:
    """How many poses `evaluate` compared."""

    labelled: Count
    matched: Count


@dataclass(frozen=True)
class Error:
    """Of one answer to all frames [mm]."""

    p_mpjpe: float


@dataclass(frozen=True)
class Baselines:
    """Of what looks at nothing, and of our bone lengths."""

    mean_pose: Error
    floor: Error


@dataclass(frozen=True)
class JointErrors:
    """P-MPJPE by joint [mm]."""

    p_mpjpe: dict[str, float]


@dataclass(frozen=True)
class ImageErrors:
    """Of joints in 2D."""

    error_px: float
    error_share_of_box: float


@dataclass(frozen=True)
class VideoScores:
    """What the page shows of the scores that `evaluate` writes of a video."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    labels: str
    frames: Frames
    mpjpe: float
    n_mpjpe: float
    p_mpjpe: float
    per_joint: JointErrors
    baselines: Baselines
    joints2d: ImageErrors


def write_report(config: ReportConfig) -> None:
    """Write the page of a run and, where they are found, of the poses and scores beside it.

    Raises:
        BadInputError: if the folder is no run, or the poses that were named cannot be read.
    """
    check_file(config.output)
    described = read_run_config(config.run)
    path = config.poses or _poses_beside(config.run)
    poses = read_poses(path) if path else None
    folder = path.parent if path and path.is_file() else path
    log = read_log(config.run)
    scores = _read_scores(folder)
    page = PAGES.get_template("report.html").render(
        name=as_json(Path(config.run.resolve().name)),
        facts=_facts(config.run, described, log),
        scores=scores,
        joint_errors=_joint_errors(scores),
        losses=_svg(charts.losses_over_steps(log)) if log else "",
        training=_training_images(config.run),
        poses=describe_poses(path).partition("\n")[2] if path else "",
        stills=_stills(folder),
        skeletons=_skeletons(poses),
        energy=_energy(poses),
        settings=_settings(described),
    )
    with replacing(config.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"page of {config.run} -> {config.output}")


def describe_run(run: Path) -> str:
    """What a run is and how far it came, in a few lines.

    Raises:
        BadInputError: if the folder is no run.
    """
    facts = _facts(run, read_run_config(run), read_log(run))
    return "\n".join([f"{run}", *(f"  {name}: {value}" for name, value in facts.items())])


def _facts(run: Path, described: RunDescription, log: list[dict[str, Any]]) -> dict[str, str]:
    train, model = described.train or {}, described.model
    facts = {
        "variant": str(train.get("variant", "unknown")),
        "preset": str(train.get("preset", "unknown")),
        "images": f"{model.image_size} px, maps of {model.map_size}",
        "parameters": f"{count_parameters(run) / 1e6:.1f} million",
    }
    if log:
        facts["iterations"] = f"{log[-1]['step']} of {train.get('iterations', '?')}"
        facts["time"] = f"{log[-1]['seconds'] / 60:.1f} min"
        last = {line["loss"]: line["total"] for line in log[-200:]}
        facts["last losses"] = ", ".join(f"{name} {total:.3f}" for name, total in last.items())
    return facts


def _settings(described: RunDescription) -> dict[str, dict[str, str]]:
    """Settings by heading, as text."""
    sections = {"Training": described.train or {}, "Model": as_json(described.model)}
    return {
        heading: {name: _text(value) for name, value in values.items() if name != "model"}
        for heading, values in sections.items()
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _poses_beside(run: Path) -> Path | None:
    folder = run.resolve().parent / "poses"
    return folder if (folder / "poses.npz").is_file() else None


def _read_scores(folder: Path | None) -> VideoScores | None:
    """METRICS.json in the folder of the poses, or beside it."""
    for place in (folder, folder.parent) if folder else ():
        for path in place.glob("*.json"):
            if path.name.lower() == "metrics.json":
                return read_json(path, VideoScores)
    return None


def _joint_errors(scores: VideoScores | None) -> str:
    return _svg(charts.errors_by_joint(scores.per_joint.p_mpjpe)) if scores else ""


def _training_images(run: Path) -> dict[str, Any] | None:
    found = read_last_images(run)
    if found is None:
        return None
    step, held = found
    columns = (held.source, held.target, held.background, held.maps, held.reconstruction)
    return {
        "step": step,
        "reconstructions": _png(
            image_grids.reconstruction_rows(*(column[:RECONSTRUCTIONS] for column in columns))
        ),
        "joints": _png(image_grids.joints_on_images(held.target, held.joints2d)),
        "maps": _png(image_grids.separate_maps(held.maps[0])),
        "transfers": _png(
            image_grids.transfer_grid(
                held.pose_images, held.appearance_images, held.background_images, held.transfers
            )
        ),
    }


def _stills(folder: Path | None) -> list[str]:
    """Overlays, spread over the video or over the images."""
    if folder is None:
        return []
    video, images = folder / "overlay.mp4", folder / "overlay"
    if video.is_file():
        wanted = set(_spread(video_info(video).frames, STILLS))
        return [_jpeg(frame.image) for frame in read_frames(video) if frame.index in wanted]
    if images.is_dir():
        paths = image_paths(images)
        wanted = [paths[index] for index in _spread(len(paths), STILLS)]
        return [_jpeg(frame.image) for path in wanted for frame in read_frames(path)]
    return []


def _skeletons(poses: VideoPoses | None) -> str | None:
    if poses is None or not len(poses.frame):
        return None
    rows = _spread(len(poses.frame), SKELETONS)
    labels = [f"{poses.time[row]:.1f} s" if poses.fps else str(poses.image[row]) for row in rows]
    return _png(image_grids.skeletons_from_two_views(poses.joints3d[rows], labels))


def _energy(poses: VideoPoses | None) -> str | None:
    if poses is None or len(poses.frame) < 2 or not np.isfinite(poses.energy).any():
        return None
    time, unit = (poses.time, "time [s]") if poses.fps else (poses.frame, "image")
    return _svg(charts.energy_over_time(time.astype(float), poses.energy, poses.track, unit))


def _spread(count: int, wanted: int) -> list[int]:
    """`wanted` different numbers below `count`, evenly spread and away from the ends."""
    wanted = min(count, wanted)
    return [int((i + 0.5) * count / wanted) for i in range(wanted)]


def _png(image: UInt8[np.ndarray, "height width 3"]) -> str:
    return _inline(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _jpeg(image: UInt8[np.ndarray, "height width 3"]) -> str:
    return _inline(image, ".jpeg", [cv2.IMWRITE_JPEG_QUALITY, 88])


def _inline(image: UInt8[np.ndarray, "height width 3"], suffix: str, options: list[int]) -> str:
    """An image as a data: address."""
    _, encoded = cv2.imencode(suffix, image[..., ::-1], options)
    return f"data:image/{suffix[1:]};base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _svg(figure: Figure) -> str:
    """A chart as a data: address, its letters as outlines: it looks the same everywhere.

    Without a date and with fixed ids, so that the same files give the same page.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "kinepose"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
