"""The people of a film, each followed from frame to frame, and the square crops around them."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from kinepose.errors import BadInputError
from kinepose.settings import ModelConfig, PeopleConfig
from kinepose.threads import in_order
from kinepose.video.background import background_motion
from kinepose.video.box_tables import FileBoxes, check_place, read_boxes
from kinepose.video.detectors import moving_people, network_detector, whole_picture
from kinepose.video.fades import unfaded
from kinepose.video.pictures import is_pictures
from kinepose.video.reading import FilmInfo, Frame, film_info, frame_rate, read_frames
from kinepose.video.shots import Boxes, Stretch, read_stretches
from kinepose.video.tracking import Finds, fill_and_smooth, link, smooth, split_at_jumps

_SHORTEST_TRACK = 0.5
"""What is found for less than this is no person [s], unless for most of a film that is as short.
Boxes of a file are all believed."""
_MOST = 0.8
"""Share of the film, from the first find to the last."""
_SIDE_SMOOTHING = 5.0
"""With side = 'frame', sides are smoothed this many times as much as centres."""

Box = Float[np.ndarray, " 4"]


@dataclass(frozen=True)
class Track:
    """One person in the frames of a film."""

    number: int
    frames: Int[np.ndarray, " frames"]
    """The film's own numbers, ascending; may have gaps."""
    boxes: Float[np.ndarray, "frames 4"]
    """Smoothed over time: x0, y0, x1, y1 [px]."""
    crops: Float[np.ndarray, "frames 3"]
    """Centre x, centre y, side [px], by the side rule."""


@dataclass(frozen=True)
class Shot:
    """Frames between two cuts, or a part of them no longer than asked for."""

    first: int
    """Position of its first frame in Survey.frames; `end` is the one after its last."""
    end: int
    background_motion: float
    """See background.background_motion."""


@dataclass(frozen=True)
class Survey:
    """What one reading of a film finds."""

    frames: Int[np.ndarray, " frames"]
    """The film's own numbers of the frames that were read."""
    times: Float[np.ndarray, " frames"]
    """[s]"""
    shots: tuple[Shot, ...]
    tracks: tuple[Track, ...]
    fps: float
    """Frames read a second, on average; 0 for pictures."""


def cropped_as(people: PeopleConfig, model: ModelConfig) -> PeopleConfig:
    """The same, with crops as a model wants them where the settings do not say how."""
    return replace(
        people,
        margin=model.crop_margin if people.margin is None else people.margin,
        side=people.side or model.crop_side,
    )


def people_in_film(
    film: Path,
    config: PeopleConfig,
    fps: float = 0.0,
    longest: float = 60.0,
    keep: Callable[[Frame, FileBoxes | None], None] | None = None,
) -> Survey:
    """Find and follow the people of a film, or find those of independent pictures.

    A track never goes on behind a cut. Where a person is not found for up to config.longest_gap,
    the boxes in between are interpolated. Numbers of a file's tracks are kept, but a box that
    leaps farther than its size starts a new track: another person, in other clothes.
    `fps` thins the film out; shots longer than `longest` [s] are given in parts. `keep` is shown
    each frame of a film in passing, with the boxes of a file, which are known before.

    Raises:
        BadInputError: if the film cannot be read, nobody is found, or the detector cannot be had.
    """
    info = film_info(film)  # what is wrong with the film itself is said first
    look, from_file = _detector(film, config, info)
    if is_pictures(film):
        survey = _people_in_pictures(film, look, from_file, config)
    else:

        def look_and_keep(frame: Frame) -> Boxes:
            if keep is not None:
                keep(frame, from_file)
            return look(frame)

        stretches = read_stretches(film, fps, longest, look_and_keep)
        survey = _people_in_film(stretches, config, from_file, info)
    if not survey.tracks:
        raise BadInputError(
            f"no person found in {film} by the detector {config.detector!r}; "
            "other ways: --detector motion, rtdetr, none, or file with --boxes CSV"
        )
    return survey


def crops_around(
    boxes: Float[np.ndarray, "frames 4"],
    config: PeopleConfig,
    times: Float[np.ndarray, " frames"] | None = None,
) -> Float[np.ndarray, "frames 3"]:
    """The side rule: a square around the middle of each box, margin times the stature wide.

    The stature is the 90 % quantile of the boxes' longer sides over the frames given; with
    config.side = 'frame', the longer side itself, strongly smoothed over time, if that is told [s].
    """
    longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    if config.side == "clip":
        stature = np.full(len(boxes), np.quantile(longer, 0.9))
    elif times is None:
        stature = longer
    else:
        stature = smooth(longer[:, None], times, _SIDE_SMOOTHING * config.smoothing)[:, 0]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert config.margin is not None, "cropped_as"
    return np.concatenate([middles, config.margin * stature[:, None]], axis=-1)


def crop_image(
    image: UInt8[np.ndarray, "height width *channels"],
    crop: Float[np.ndarray, " 3"],
    size: int,
    scale: tuple[float, float] = (1.0, 1.0),
) -> UInt8[np.ndarray, "size size *channels"]:
    """The crop (centre x, centre y, side [px of the frame]) as a picture of `size` px a side.

    The image is the frame, or the frame shrunk to these shares of its width and height. Each pixel
    is the mean of the square of the frame that it covers; beyond the frame its border goes on.
    Positions are those of geometry.crops, to a fraction of a pixel.
    """
    middle, sides = crop[:2] * scale, crop[2] * np.array(scale)
    image, middle, sides = _reduced(image, middle, sides, int(sides.min() // size))
    steps = sides / size
    if steps.max() > 1:  # nearest to the mean, of pictures and noise, among filters of three taps
        side_taps = (steps**2 - 1).clip(0, 3) / 20
        across, down = (np.array([tap, 1 - 2 * tap, tap]) for tap in side_taps)
        image = cv2.sepFilter2D(image, -1, across, down, borderType=cv2.BORDER_REPLICATE)
    inverse = np.column_stack([np.diag(steps), middle - sides / 2 + steps / 2 - 0.5])
    sampled = cv2.warpAffine(
        image,
        inverse,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return sampled.astype(np.uint8, copy=False)


def _reduced(
    image: UInt8[np.ndarray, "height width *channels"],
    middle: Float[np.ndarray, " 2"],
    sides: Float[np.ndarray, " 2"],
    factor: int,
) -> tuple[
    UInt8[np.ndarray, "rows columns *channels"], Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]
]:
    """What a crop shows of a picture, in blocks of factor x factor px, and the crop in it."""
    limits = np.array([image.shape[1], image.shape[0]])
    start = np.clip(np.floor(middle - sides / 2) - factor, 0, limits - 1).astype(int)
    end = np.clip(np.ceil(middle + sides / 2) + factor, start + 1, limits).astype(int)
    region = image[start[1] : end[1], start[0] : end[0]]
    factor = min(factor, max(region.shape[:2]))  # beyond, there is only border
    if factor < 2:
        return region, middle - start, sides
    columns, rows = -(start - end) // factor + 1
    more_columns, more_rows = factor * np.array([columns, rows]) - (end - start)
    padded = cv2.copyMakeBorder(
        region, 0, int(more_rows), 0, int(more_columns), cv2.BORDER_REPLICATE
    )
    blocks = cv2.resize(padded, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)
    return blocks.astype(np.uint8, copy=False), (middle - start) / factor, sides / factor


def _detector(
    film: Path, config: PeopleConfig, info: FilmInfo
) -> tuple[Callable[[Frame], Boxes], FileBoxes | None]:
    """What to see in each frame in passing, and the boxes of a file."""
    nobody = np.zeros((0, 4))
    if config.detector == "none":
        return lambda frame: whole_picture(frame.image), None
    if config.detector == "rtdetr":
        detect = _loaded_detector(config.detector_weights, config.detector_threshold)
        return lambda frame: detect(frame.image), None
    if config.detector == "motion":
        if is_pictures(film):
            raise BadInputError(
                "the detector 'motion' needs a film; for pictures: --detector rtdetr, none, or "
                "file with --boxes CSV"
            )
        return lambda frame: nobody, None
    if config.boxes is None:
        raise BadInputError("the detector 'file' needs --boxes CSV")
    size = None if is_pictures(film) else (info.width, info.height)
    films = read_boxes(config.boxes, film.name, size, config.detector_threshold)
    boxes = films.get(film.name, films.get(""))
    if boxes is None:
        raise BadInputError(
            f"{config.boxes} has no boxes for the film {film.name}: its column film names "
            f"{', '.join(sorted(films)[:3])}; it has to be the file's name, with its suffix"
        )
    return lambda frame: nobody, boxes


@functools.lru_cache(maxsize=1)
def _loaded_detector(weights: str, threshold: float) -> Callable[..., Boxes]:
    """Loaded once for all films of a process."""
    return network_detector(weights, threshold)


def _people_in_film(
    stretches: Iterator[Stretch],
    config: PeopleConfig,
    from_file: FileBoxes | None,
    info: FilmInfo,
) -> Survey:
    frames: list[int] = []
    times: list[float] = []
    found: list[Boxes] = []
    shots: list[Shot] = []
    cuts: list[int] = []

    def seen(stretch: Stretch) -> tuple[Stretch, float, list[Boxes]]:
        thumbnails = stretch.stack()
        part = unfaded(thumbnails)
        motion = background_motion(thumbnails[part])
        if config.detector != "motion":
            return stretch, motion, stretch.found
        boxes = list(stretch.found)
        moving = moving_people(thumbnails[part], stretch.pace, motion)
        boxes[part] = [found * stretch.scale for found in moving]
        return stretch, motion, boxes

    for stretch, motion, boxes in in_order(seen, stretches, 1):
        if stretch.new_shot:
            cuts.append(len(frames))
        shots.append(Shot(len(frames), len(frames) + len(stretch.frames), motion))
        found += boxes
        frames += stretch.frames
        times += stretch.times
    clock = np.array(times)
    if from_file is None:
        linked = link(found, times, cuts, config.longest_gap)
        least = min(_SHORTEST_TRACK, _MOST * (times[-1] - times[0]))
        people = [p for p in linked if times[max(p)] - times[min(p)] >= least]
        numbered = dict(enumerate(sorted(people, key=min)))
    else:
        _check_end(from_file, frames, config, info)
        numbered = _finds_of_file(from_file, frames, times, config.longest_gap)
    tracks = []
    for number, finds in sorted(numbered.items()):
        positions, boxes = fill_and_smooth(finds, times, cuts, config.longest_gap, config.smoothing)
        crops = crops_around(boxes, config, clock[positions])
        tracks.append(Track(number, np.array(frames)[positions], boxes, crops))
    pace = frame_rate(clock, info.fps if len(frames) > frames[-1] else 0.0)
    return Survey(np.array(frames), clock, tuple(shots), tuple(tracks), pace)


def _check_end(
    from_file: FileBoxes, frames: list[int], config: PeopleConfig, info: FilmInfo
) -> None:
    """That no box of a file lies behind the film's end, unless that could not be decoded."""
    thinned = len(frames) <= frames[-1]
    count = frames[-1] + 1
    if thinned or count < 0.98 * info.frames:
        count = max(count, info.frames)
    latest = max((max(boxes) for boxes in from_file.values()), default=0)
    if latest >= count:
        raise BadInputError(
            f"{config.boxes} has a box in frame {latest}, but the frames of {info.name} count from "
            f"0 to {count - 1}: is the table of another film, or does it count from 1?"
        )


def _finds_of_file(
    from_file: FileBoxes, frames: list[int], times: list[float], longest_gap: float
) -> dict[int, Finds]:
    """A file's boxes by track and by the position of their frame among those read.

    The pieces of a track that leaps from one person to another get numbers of their own, except
    the first.
    """
    position_of = {frame: position for position, frame in enumerate(frames)}
    numbered: dict[int, Finds] = {}
    unused = max(from_file) + 1
    for number, boxes in sorted(from_file.items()):
        moments = np.interp(sorted(boxes), frames, times).tolist()
        time_of = dict(zip(sorted(boxes), moments, strict=True))
        for piece in split_at_jumps(boxes, time_of, longest_gap):
            finds = {position_of[f]: box for f, box in piece.items() if f in position_of}
            if finds:
                given = unused if number in numbered else number
                numbered[given] = finds
                unused += given == unused
    return numbered


def _people_in_pictures(
    folder: Path, look: Callable[[Frame], Boxes], from_file: FileBoxes | None, config: PeopleConfig
) -> Survey:
    """Everybody in each picture, the largest first: nobody is followed."""
    frames: list[int] = []
    by_rank: dict[int, dict[int, Box]] = {}
    for frame in read_frames(folder):
        frames.append(frame.index)
        if from_file is None:
            boxes = sorted(look(frame), key=lambda box: -np.prod(box[2:] - box[:2]))
            ranked = dict(enumerate(boxes))
        else:
            ranked = {
                n: track[frame.index] for n, track in from_file.items() if frame.index in track
            }
            _check_boxes(ranked, frame, config)
        for rank, box in ranked.items():
            by_rank.setdefault(rank, {})[frame.index] = box
    if from_file is not None:
        _check_end(from_file, frames, config, film_info(folder))
    tracks = []
    for rank, found in sorted(by_rank.items()):
        boxes = np.stack(list(found.values()))
        crops = np.concatenate([crops_around(box[None], config) for box in boxes])
        tracks.append(Track(rank, np.array(list(found)), boxes, crops))
    shots = tuple(Shot(i, i + 1, 0.0) for i in range(len(frames)))
    return Survey(np.array(frames), np.array(frames, float), shots, tuple(tracks), 0.0)


def _check_boxes(boxes: dict[int, Box], frame: Frame, config: PeopleConfig) -> None:
    """Each against its picture."""
    height, width, _ = frame.image.shape
    for track, box in boxes.items():
        try:
            check_place(box, (width, height))
        except ValueError as error:
            raise BadInputError(
                f"{config.boxes}, track {track} in picture {frame.index}: {error}"
            ) from error
