"""One video cut into clips of one person each: crops, backgrounds, and D_p told from D_unp."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int, UInt8

from kinepose.dataset.config import PrepareConfig
from kinepose.io.errors import BadInputError
from kinepose.io.threads import in_order
from kinepose.video.background import (
    Background,
    Window,
    gather_backgrounds,
    plan_windows,
    unknown_share,
)
from kinepose.video.cropping import crop_image
from kinepose.video.display import ImageArray
from kinepose.video.frame_cache import KeptFrames, Shrinking
from kinepose.video.images import SUFFIXES
from kinepose.video.people import Shot, Survey, crops_around, people_in_video
from kinepose.video.reading import Frame, VideoInfo, read_frames, video_info

CROP_MARGIN = "crop_margin"
"""Of the file's metadata: the side of its crops, in lengths of the person's box."""
SCHEMA = pa.schema(
    [
        ("video", pa.string()),
        ("clip", pa.int32()),
        ("track", pa.int32()),
        ("frame", pa.int64()),
        ("time", pa.float64()),
        ("paired", pa.bool_()),
        ("image", pa.binary()),
        ("background", pa.binary()),
        ("valid", pa.binary()),
        ("box", pa.list_(pa.float32(), 4)),
        ("crop", pa.list_(pa.float32(), 3)),
        ("fps", pa.float64()),
        ("background_motion", pa.float32()),
        ("reason", pa.string()),
    ]
)
_JPEG_QUALITY = 92
_WORKERS = 2
"""Threads that crop and encode."""


@dataclass(frozen=True)
class _Person:
    """One person within one clip."""

    track: int
    places: Int[np.ndarray, " rows"]
    """Of the person's frames within the clip."""
    boxes: Float[np.ndarray, "rows 4"]
    crops: Float[np.ndarray, "rows 3"]


@dataclass(frozen=True)
class _Clip:
    """A shot with people in it, to be cut."""

    number: int
    shot: Shot
    survey: Survey
    people: list[_Person]
    small: Shrinking
    """How small its frames are while it is cut."""


def cut_video(video: Path, config: PrepareConfig) -> Iterator[pa.Table]:
    """One table of SCHEMA for each person in each clip, in the order of clips and tracks.

    The video is read as a stream to find people, cuts and camera motion, and again to cut, except
    for what KeptFrames could keep.

    Raises:
        BadInputError: if the video cannot be read, or gives no clip.
    """
    info = video_info(video)
    scene = None
    if config.backgrounds is not None:
        scene = _empty_scene(video, config.backgrounds, info)
    clips = tables = 0
    people, size = config.people, config.crop_size
    with contextlib.closing(KeptFrames(config.output, info, size, people, guess=False)) as kept:
        survey = people_in_video(video, people, config.fps, config.longest_clip, kept.keep)
        frames = enumerate(read_frames(video, config.fps))
        for shot in survey.shots:
            inside = _people_in(shot, survey, config)
            if inside and _duration(shot, survey) >= config.shortest_clip:
                crops, places = [person.crops for person in inside], range(shot.end - shot.first)
                small, images = kept.of_shot(shot, crops, places, frames)
                clip = _Clip(clips, shot, survey, inside, small)
                jpegs, backgrounds = _crops_of(clip, images, scene, config)
                for person, crops in zip(inside, jpegs, strict=True):
                    columns = _background_columns(clip, person, backgrounds, config)
                    table = _table(clip, person, crops, info.name, columns)
                    whole = _kept(person, info, config)
                    if whole.any():
                        yield table.filter(pa.array(whole))
                        tables += 1
                clips += 1
    if not clips:
        longest = max(_duration(shot, survey) for shot in survey.shots)
        raise BadInputError(
            f"no clip of {video.name} has people{_of_boxes(config)} and lasts "
            f"{config.shortest_clip:g} s (the longest without a cut: {longest:.1f} s); see "
            "--shortest-clip"
        )
    if not tables:
        raise BadInputError(
            f"whoever is in {video.name} touches the border of the image in every frame; "
            "`prepare --no-whole` keeps such frames"
        )


def _of_boxes(config: PrepareConfig) -> str:
    return "" if config.people.boxes is None else f" by {config.people.boxes}"


def empty_scene_path(video: Path, folder: Path) -> Path | None:
    """The image of a video's empty scene: the one that is named like the video."""
    named = (folder / f"{video.stem}{suffix}" for suffix in sorted(SUFFIXES))
    return next((path for path in named if path.is_file()), None)


def _crops_of(
    clip: _Clip,
    images: Iterator[tuple[int, ImageArray]],
    scene: Frame | None,
    config: PrepareConfig,
) -> tuple[list[list[bytes]], list[Background]]:
    """Each person's crops, as JPEG, and the background of each frame if the camera stands still."""
    people, small = clip.people, clip.small
    still = clip.shot.background_motion <= config.people.motion_threshold
    windows: tuple[Window, ...] = ()
    if still and scene is None:
        times = clip.survey.times[clip.shot.first : clip.shot.end].tolist()
        windows = plan_windows(times, config.background_window, 3 * math.prod(small.size))
    rows = [{place: row for row, place in enumerate(p.places.tolist())} for p in people]

    def cut(
        gathered: tuple[int, ImageArray, list[Background]],
    ) -> tuple[list[tuple[int, bytes]], list[Background]]:
        place, image, found = gathered
        encoded = [
            (
                i,
                _jpeg(
                    crop_image(image, person.crops[row_of[place]], config.crop_size, small.scale)
                ),
            )
            for i, (person, row_of) in enumerate(zip(people, rows, strict=True))
            if place in row_of
        ]
        return encoded, found

    gathered = gather_backgrounds(
        images, windows, lambda place: small.boxes(_boxes_at(place, people))
    )
    jpegs: list[list[bytes]] = [[] for _ in people]
    estimates: list[Background] = []
    for encoded, found in in_order(cut, gathered, _WORKERS):
        estimates += found
        for i, jpeg in encoded:
            jpegs[i].append(jpeg)
    if still and scene is not None:
        image = small.image(scene)
        empty = Background(image, np.ones(image.shape[:2], bool))
        return jpegs, [empty] * (clip.shot.end - clip.shot.first)
    served = zip(windows, estimates, strict=True)
    return jpegs, [found for window, found in served for _ in range(window.first, window.end)]


def _table(
    clip: _Clip, person: _Person, crops: list[bytes], video: str, columns: dict[str, list]
) -> pa.Table:
    """A person's frames as rows of SCHEMA, beside the columns of the background."""
    count, in_video = len(crops), clip.shot.first + person.places
    rows = {
        "video": [video] * count,
        "clip": [clip.number] * count,
        "track": [person.track] * count,
        "frame": clip.survey.frames[in_video],
        "time": clip.survey.times[in_video],
        "image": crops,
        "box": list(person.boxes.astype(np.float32)),
        "crop": list(person.crops.astype(np.float32)),
        "fps": [clip.survey.fps] * count,
        "background_motion": [clip.shot.background_motion] * count,
        **columns,
    }
    return pa.table(rows).select(SCHEMA.names).cast(SCHEMA)


def _kept(person: _Person, info: VideoInfo, config: PrepareConfig) -> Bool[np.ndarray, " frames"]:
    """Which of a person's frames are written."""
    if config.whole and config.people.detector != "none":
        return _whole(person.boxes, info)
    return np.ones(len(person.boxes), dtype=bool)


def _background_columns(
    clip: _Clip, person: _Person, backgrounds: list[Background], config: PrepareConfig
) -> dict[str, list]:
    """Whether a person's clip is in D_p, why, and if so its B_t and where it is valid."""
    count, small = len(person.places), clip.small
    unpaired = {"paired": [False] * count, "background": [None] * count, "valid": [None] * count}
    motion = f"background motion {clip.shot.background_motion:.1f}"
    if not backgrounds:
        reason = f"the camera moves: {motion} is above {config.people.motion_threshold:g}"
        return {**unpaired, "reason": [reason] * count}
    own = [backgrounds[place] for place in person.places]
    boxes = small.boxes(person.boxes)
    shares = [unknown_share(b.known, box) for b, box in zip(own, boxes, strict=True)]
    unknown = float(np.mean(shares))
    if unknown > config.largest_invalid:
        reason = (
            f"the person stays where he is: the background of {unknown:.0%} of the box is never "
            f"seen, more than {config.largest_invalid:.0%}"
        )
        return {**unpaired, "reason": [reason] * count}
    around = zip(own, person.crops, strict=True)

    def cut(shown: tuple[Background, Float[np.ndarray, " 3"]]) -> tuple[bytes, bytes]:
        background, crop = shown
        image, known = (
            crop_image(pixels, crop, config.crop_size, small.scale)
            for pixels in (background.image, 255 * background.known.view(np.uint8))
        )
        return _jpeg(image), _mask(known)

    crops, masks = zip(*in_order(cut, around, _WORKERS), strict=True)
    return {
        "paired": [True] * count,
        "background": list(crops),
        "valid": list(masks),
        "reason": [f"the camera stands still: {motion}; {unknown:.0%} of the box unseen"] * count,
    }


def _people_in(shot: Shot, survey: Survey, config: PrepareConfig) -> list[_Person]:
    """The people of a shot; the side of their crops is constant within it."""
    frames = survey.frames[shot.first : shot.end]
    people = []
    for track in survey.tracks:
        inside = (track.frames >= frames[0]) & (track.frames <= frames[-1])
        if inside.sum() >= 2:
            boxes = track.boxes[inside]
            places = np.searchsorted(frames, track.frames[inside])
            times = survey.times[shot.first + places]
            crops = crops_around(boxes, config.people, times, places)
            people.append(_Person(track.number, places, boxes, crops))
    return people


def _whole(boxes: Float[np.ndarray, "frames 4"], info: VideoInfo) -> Bool[np.ndarray, " frames"]:
    """Where a box keeps off the border of the image, behind which the person might go on."""
    margin = 0.02 * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    x0, y0, x1, y1 = boxes.T
    room = np.min([x0, y0, info.width - x1, info.height - y1], axis=0)
    return np.asarray(room >= margin)


def _boxes_at(place: int, people: list[_Person]) -> Float[np.ndarray, "_ 4"]:
    return np.concatenate([person.boxes[person.places == place] for person in people])


def _empty_scene(video: Path, folder: Path, info: VideoInfo) -> Frame:
    path = empty_scene_path(video, folder)
    if path is None:
        raise BadInputError(f"{folder} holds no image that is named like the video {info.name}")
    scene = next(read_frames(path))
    image = scene.image
    if image.shape[:2] != (info.height, info.width):
        raise BadInputError(
            f"the empty scene {path} has {image.shape[1]} x {image.shape[0]} px, "
            f"the video {info.name} {info.width} x {info.height}"
        )
    return scene


def _duration(shot: Shot, survey: Survey) -> float:
    """From the first frame's start to the last one's end [s]."""
    seconds = survey.times[shot.end - 1] - survey.times[shot.first]
    return float(seconds) + (1 / survey.fps if survey.fps > 0 else 0.0)


def _jpeg(image: UInt8[np.ndarray, "size size 3"]) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


def _mask(known: UInt8[np.ndarray, "size size"]) -> bytes:
    """A PNG that is 255 where all that a pixel covers is known, and 0 elsewhere."""
    return cv2.imencode(".png", np.where(known == 255, 255, 0).astype(np.uint8))[1].tobytes()
