"""`criteria`: the criteria without labels, for what `predict` wrote of videos."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from scipy.optimize import linear_sum_assignment

from kinepose.adaptation.label_free import (
    Agreement,
    Hits,
    Steadiness,
    hits,
    silhouettes,
    steadiness,
    view_agreement,
)
from kinepose.artifacts.pose_files import VideoPoses, read_poses
from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.pairs import load_images, load_masks
from kinepose.evaluation.config import CriteriaConfig
from kinepose.evaluation.metrics import p_mpjpe
from kinepose.geometry.boxes import overlaps
from kinepose.geometry.crops import frame_to_crop
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_file
from kinepose.io.schema import write_json

FORMAT_VERSION = 1
_SIDE = 64
"""Of the images in which the person is looked for [px]."""
_LEAST_OVERLAP = 0.5
"""Intersection over union of a person's boxes in a clip and in the poses."""
_STRANGERS = 1e6
"""Between people who are never seen at one moment [mm]."""


def measure_videos(config: CriteriaConfig) -> dict[str, Any]:
    """Print the criteria of every video, and of every two views; return what is written.

    Raises:
        BadInputError: if poses or clips cannot be read, or are not of videos that fit together.
    """
    files = [(path / "poses.npz" if path.is_dir() else path).resolve() for path in config.poses]
    if twice := [str(path) for path in files if files.count(path) > 1]:
        raise BadInputError(f"{twice[0]} is named twice: its views would agree by themselves")
    videos = [_read_video(path) for path in config.poses]
    if not videos or (config.views and len(videos) < 2):
        raise BadInputError("name poses: one file or folder, and two or more with --views")
    if config.output is not None:
        check_file(config.output)
    clips = read_clips(config.clips) if config.clips else None
    measured = []
    for path, poses in zip(config.poses, videos, strict=True):
        steady = steadiness(poses.joints3d, poses.track, poses.time)
        on_person = None if clips is None else measure_hits(poses, clips)
        measured.append(_video_numbers(path, poses, steady, on_person))
    views = [
        {"videos": [str(videos[i].video), str(videos[j].video)]}
        | _finite(measure_views(videos[i], videos[j]))
        for i, j in (combinations(range(len(videos)), 2) if config.views else ())
    ]
    numbers = {"format_version": FORMAT_VERSION, "videos": measured, "views": views}
    print(_table(measured, views))
    if config.output is not None:
        write_json(config.output, numbers)
    return numbers


def measure_views(first: VideoPoses, second: VideoPoses) -> Agreement:
    """Agreement of the people of two videos that began together.

    Who is who is not known: people are matched so that they agree best, all at once.

    Raises:
        BadInputError: if the videos have another pace, or nobody is in both at one moment.
    """
    if not math.isclose(first.fps, second.fps, rel_tol=1e-3):
        raise BadInputError(
            f"{first.video} has {first.fps:g} frames a second and {second.video} {second.fps:g}: "
            "views must have one pace"
        )
    tracks, others = (np.unique(poses.track).tolist() for poses in (first, second))
    shared = [[_shared_rows(first, a, second, b) for b in others] for a in tracks]
    costs = [[_disagreement(first, second, pair) for pair in row] for row in shared]
    pairs = zip(*linear_sum_assignment(np.array(costs)), strict=True)
    rows = [pair for a, b in pairs for pair in [shared[a][b]] if len(pair)]
    if not rows:
        raise BadInputError(f"nobody is in {first.video} and in {second.video} at one moment")
    person = np.repeat(np.arange(len(rows)), [len(pair) for pair in rows])
    ours, theirs = np.concatenate(rows).T
    return view_agreement(first.joints3d[ours], second.joints3d[theirs], person, first.time[ours])


def measure_hits(poses: VideoPoses, clips: ClipSet) -> Hits:
    """How many 2D joints of a video lie on the person in its clips of D_p.

    Raises:
        BadInputError: if the clips are of other videos.
    """
    videos = clips.table["video"].to_numpy()
    if str(poses.video) not in videos:
        raise BadInputError(f"the clips hold nothing of {poses.video}")
    mine = (videos == str(poses.video)) & np.asarray(clips.table["paired"])
    found = _rows_of_boxes(poses, clips, np.flatnonzero(mine))
    rows, said = np.array(found, np.int64).reshape(-1, 2).T
    crops = np.array(clips.table["crop"].take(rows).to_pylist(), np.float32).reshape(-1, 3)
    in_crop = frame_to_crop(torch.from_numpy(poses.joints2d[said]), torch.from_numpy(crops))
    keys = np.stack([np.asarray(clips.table[name])[rows] for name in ("clip", "track")], axis=-1)
    person = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    maps = [_maps(clips, part) for part in np.array_split(rows, len(rows) // 256 + 1)]
    on_person, known = (np.concatenate(kind) for kind in zip(*maps, strict=True))
    return hits(in_crop.numpy(), on_person, known, person, clips.time[rows])


def _maps(clips: ClipSet, rows: Int64[np.ndarray, " rows"]) -> tuple[np.ndarray, np.ndarray]:
    """Where the person is, and where that is known."""
    if not len(rows):
        nothing = np.zeros((0, _SIDE, _SIDE), bool)
        return nothing, nothing
    images, backgrounds = (
        load_images(clips, rows, _SIDE, column) for column in ("image", "background")
    )
    return silhouettes(images, backgrounds), load_masks(clips, rows, _SIDE)[:, 0].numpy() == 1


def _rows_of_boxes(
    poses: VideoPoses, clips: ClipSet, rows: Int64[np.ndarray, " _"]
) -> list[tuple[int, int]]:
    """Rows of clips, and the row of the poses whose box in that frame is most like it."""
    frames = np.asarray(clips.table["frame"])[rows]
    boxes = np.array(clips.table["box"].take(rows).to_pylist(), np.float64).reshape(-1, 4)
    order = np.argsort(poses.frame, kind="stable")
    starts, ends = (np.searchsorted(poses.frame[order], frames, side) for side in ("left", "right"))
    found = []
    for row, box, start, end in zip(rows, boxes, starts, ends, strict=True):
        there = order[start:end]
        overlap = overlaps(box[None], poses.box[there].astype(np.float64))[0]
        if len(there) and overlap.max() >= _LEAST_OVERLAP:
            found.append((int(row), int(there[overlap.argmax()])))
    return found


def _shared_rows(
    first: VideoPoses, track: int, second: VideoPoses, other: int
) -> Int64[np.ndarray, "shared 2"]:
    """Rows of two people in the frames that both are in."""
    ours, theirs = (
        np.flatnonzero(poses.track == number) for poses, number in ((first, track), (second, other))
    )
    _, i, j = np.intersect1d(first.frame[ours], second.frame[theirs], return_indices=True)
    return np.stack([ours[i], theirs[j]], axis=-1)


def _disagreement(
    first: VideoPoses, second: VideoPoses, rows: Int64[np.ndarray, "shared 2"]
) -> float:
    if not len(rows):
        return _STRANGERS
    one, other = (
        torch.from_numpy(poses.joints3d[side]).double()
        for poses, side in ((first, rows[:, 0]), (second, rows[:, 1]))
    )
    return p_mpjpe(one, other).mean().item()


def _read_video(path: Path) -> VideoPoses:
    poses = read_poses(path)
    if not poses.fps > 0:
        raise BadInputError(f"{path} holds poses of images; the criteria are of videos")
    return poses


def _video_numbers(
    path: Path, poses: VideoPoses, steady: Steadiness, on_person: Hits | None
) -> dict[str, Any]:
    return {
        "video": str(poses.video),
        "poses": path.name,
        "rows": len(poses.frame),
        "steadiness": _finite(steady),
        "hits": None if on_person is None else _finite(on_person),
    }


def _finite(numbers: Agreement | Steadiness | Hits) -> dict[str, float | str | None]:
    """For JSON: what is not known is null, what is worst of all 'inf'."""
    return {
        name: None if math.isnan(value) else "inf" if math.isinf(value) else value
        for name, value in asdict(numbers).items()
    }


def _table(videos: Sequence[dict[str, Any]], views: Sequence[dict[str, Any]]) -> str:
    lines = [_line("video", "jitter", "spread", "ratio", "on person", "others", "fit")]
    for video in videos:
        on_person = (video["hits"] or {}).values()
        lines.append(_line(video["video"], *video["steadiness"].values(), *on_person))
    if views:
        lines += ["", _line("views", "views", "moments", "ratio")]
    for pair in views:
        numbers = (pair[name] for name in ("views", "moments", "ratio"))
        lines.append(_line(" and ".join(pair["videos"]), *numbers))
    return "\n".join(lines)


def _line(name: str, *values: float | str | None) -> str:
    """A name, and numbers in columns: lengths [mm] as well as shares."""
    shown = ("-" if v is None else v if isinstance(v, str) else f"{v:.3g}" for v in values)
    return f"{name:40}{''.join(f'{text:>10}' for text in shown)}"
