"""The people of a video, each followed from frame to frame, and the square crops around them."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from kinepose.geometry.boxes import ScoredBoxes
from kinepose.io.errors import BadInputError
from kinepose.io.memory import give_back_free_memory
from kinepose.io.threads import in_order
from kinepose.method.config import ModelConfig
from kinepose.video.appearance import appearance_of
from kinepose.video.background import background_motion
from kinepose.video.box_tables import FileBoxes, check_boxes, check_end
from kinepose.video.config import PeopleConfig
from kinepose.video.display import ImageArray
from kinepose.video.fades import unfaded
from kinepose.video.finders import Finder, make_finder
from kinepose.video.images import is_images
from kinepose.video.linking import link
from kinepose.video.phantoms import believed, opening_scores
from kinepose.video.reading import Frame, VideoInfo, frame_rate, read_frames, video_info
from kinepose.video.shots import Sight, Stretch, read_stretches
from kinepose.video.tracking import Track, fill_and_smooth, smooth, split_at_jumps
from kinepose.video.tracklets import Person

if TYPE_CHECKING:
    from kinepose.detection.finding import Answer

_LONGEST_GAP = {"people": 2.0}
"""Of --longest-gap unless told, where it is not the usual one: who is held is hidden for long."""
_USUAL_GAP = 1.0
_WAITING = 2
"""Stretches that wait to be searched, where a detector says how long they are: some are short, and
reading need not wait for longer ones."""
_OTHERS = ("people", "motion", "rtdetr", "none")
_SIDE_SMOOTHING = 5.0
"""With side = 'frame', sides are smoothed this many times as much as centres."""


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
    """What one reading of a video finds."""

    frames: Int[np.ndarray, " frames"]
    """The video's own numbers of the frames that were read."""
    times: Float[np.ndarray, " frames"]
    """[s]"""
    shots: tuple[Shot, ...]
    tracks: tuple[Track, ...]
    fps: float
    """Frames read a second, on average; 0 for images."""
    sizes: Int[np.ndarray, "frames 2"]
    """Width and height of each frame, as shown [px]."""


def cropped_as(people: PeopleConfig, model: ModelConfig) -> PeopleConfig:
    """The same, with crops as a model wants them where the settings do not say how."""
    return replace(
        people,
        margin=model.crop_margin if people.margin is None else people.margin,
        side=people.side or model.crop_side,
    )


def people_in_video(
    video: Path,
    config: PeopleConfig,
    fps: float = 0.0,
    longest: float | None = None,
    keep: Callable[[Frame, FileBoxes | None], None] | None = None,
    answer: "Answer | None" = None,
    device: str | None = None,
) -> Survey:
    """Find and follow the people of a video, or find those of independent images.

    A track never goes on behind a cut, but for those of a file. Where a person is not found for up
    to the longest gap, the boxes in between are interpolated. Numbers of a file's tracks are kept,
    but a box that leaps farther than its size starts a new track: another person, in other clothes.
    `fps` thins the video out; shots longer than `longest` [s] are given in parts, by default as the
    detector likes them. `keep` is shown each frame of a video in passing, with the boxes of a file,
    which are known before. `answer` computes what the network of the detector `people` says, in
    place of torch. Networks compute on `device`; unless told, on a GPU if there is one.

    Raises:
        BadInputError: if the video cannot be read, nobody is found, or the detector cannot be had.
    """
    info = video_info(video)  # what is wrong with the video itself is said first
    finder = make_finder(video, config, info, answer, device)
    if is_images(video):
        survey = _people_in_images(video, finder, config)
    else:

        def detect_and_keep(frame: Frame) -> ScoredBoxes:
            if keep is not None:
                keep(frame, finder.from_file)
            return finder.detect(frame)

        length, waiting = (longest, 1) if longest else (finder.longest, _WAITING)
        stretches = read_stretches(video, fps, length, detect_and_keep, finder.closely)
        survey = _people_in_video(stretches, finder, config, info, waiting)
    if not survey.tracks:
        never = {config.detector, "motion"} if is_images(video) else {config.detector}
        others = ", ".join(name for name in _OTHERS if name not in never)
        raise BadInputError(
            f"no person found in {video} by the detector {config.detector!r}; "
            f"other ways: --detector {others}, or file with --boxes CSV"
        )
    return survey


def crops_around(
    boxes: Float[np.ndarray, "frames 4"],
    config: PeopleConfig,
    times: Float[np.ndarray, " frames"] | None = None,
    positions: Int[np.ndarray, " frames"] | None = None,
) -> Float[np.ndarray, "frames 3"]:
    """The side rule: a square around the middle of each box, margin times the stature wide.

    The stature is the 90 % quantile of the boxes' longer sides over the frames given; with
    config.side = 'frame', the longer side itself, strongly smoothed over time, if that is told [s].
    Where the frames' positions in a video are told, nothing is smoothed over those that are left
    out.
    """
    longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    if config.side == "clip":
        stature = np.full(len(boxes), np.quantile(longer, 0.9))
    elif times is None:
        stature = longer
    else:
        ends = [] if positions is None else np.flatnonzero(np.diff(positions) != 1) + 1
        runs = zip(np.split(longer[:, None], ends), np.split(times, ends), strict=True)
        sigma = _SIDE_SMOOTHING * config.smoothing
        stature = np.concatenate([smooth(sides, clock, sigma)[:, 0] for sides, clock in runs])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert config.margin is not None, "cropped_as"
    return np.concatenate([middles, config.margin * stature[:, None]], axis=-1)


def _people_in_video(
    stretches: Iterator[Stretch],
    finder: Finder,
    config: PeopleConfig,
    info: VideoInfo,
    waiting: int,
) -> Survey:
    frames: list[int] = []
    times: list[float] = []
    sights: list[Sight | None] = []
    shots: list[Shot] = []
    cuts: list[int] = []

    def seen(stretch: Stretch) -> tuple[Stretch, float, list[Sight | None]]:
        part = unfaded(stretch.thumbnails)
        motion = background_motion(stretch.thumbnails[part])
        found: list[ScoredBoxes | None] = [*stretch.found]
        images = stretch.closer if finder.closely else stretch.thumbnails
        height, width, _ = images[0].shape
        scale = np.tile([info.width / width, info.height / height], 2)
        if finder.search is not None:
            found[part] = finder.search(images[part], stretch.pace, motion)
            found = [finds if finds is None else _enlarged(finds, scale) for finds in found]
        pairs = zip(images, found, strict=True)
        seen_in_it = [_sight(image, finds, scale) for image, finds in pairs]
        give_back_free_memory()
        return replace(stretch, thumbnails=[], closer=[]), motion, seen_in_it

    for stretch, motion, seen_in_it in in_order(seen, stretches, 1, waiting):
        if stretch.new_shot:
            cuts.append(len(frames))
        shots.append(Shot(len(frames), len(frames) + len(stretch.frames), motion))
        sights += seen_in_it
        frames += stretch.frames
        times += stretch.times
    clock, gap = np.array(times), _longest_gap(config)
    if finder.from_file is None:
        is_ours = finder.sure > 0 and config.detector_threshold is None
        sure = opening_scores(sights, cuts, finder.sure) if is_ours else finder.sure
        linked = link(sights, times, cuts, gap, sure)
        by_score = finder.sure > 0
        people = believed(linked, sights, times, cuts, info.height, gap, by_score=by_score)
        numbered = dict(enumerate(sorted(people, key=lambda person: min(person.boxes))))
    else:
        check_end(finder.from_file, frames, config.boxes, info)
        numbered = _people_of_file(finder.from_file, frames, times, gap)
    tracks = []
    for number, person in sorted(numbered.items()):
        positions, boxes = fill_and_smooth(person.boxes, times, cuts, gap, config.smoothing)
        crops = crops_around(boxes, config, clock[positions], positions)
        scores = np.interp(positions, list(person.scores), list(person.scores.values()))
        tracks.append(Track(number, np.array(frames)[positions], boxes, scores, crops))
    pace = frame_rate(clock, info.fps if len(frames) > frames[-1] else 0.0)
    chosen = _foremost(tracks, config.max_people)
    sizes = np.tile([info.width, info.height], (len(frames), 1))
    return Survey(np.array(frames), clock, tuple(shots), chosen, pace, sizes)


def _longest_gap(config: PeopleConfig) -> float:
    if config.longest_gap is not None:
        return config.longest_gap
    return _LONGEST_GAP.get(config.detector, _USUAL_GAP)


def _enlarged(found: ScoredBoxes, scale: Float[np.ndarray, " 4"]) -> ScoredBoxes:
    """From px of small images to px of the video."""
    return np.column_stack([found[:, :4] * scale, found[:, 4]])


def _sight(
    image: ImageArray, found: ScoredBoxes | None, scale: Float[np.ndarray, " 4"]
) -> Sight | None:
    """What was found in a frame [px of the video], with the appearance in its small image."""
    if found is None:
        return None
    boxes = found[:, :4]
    return Sight(boxes, found[:, 4], appearance_of(image, boxes / scale))


def _foremost(tracks: list[Track], most: int | None) -> tuple[Track, ...]:
    """The people who are largest for longest, by the sum of their lengths over the frames."""

    def presence(track: Track) -> float:
        return float((track.boxes[:, 2:] - track.boxes[:, :2]).max(-1).sum())

    chosen = sorted(tracks, key=presence, reverse=True)[:most]
    return tuple(sorted(chosen, key=lambda track: track.number))


def _people_of_file(
    from_file: FileBoxes, frames: list[int], times: list[float], longest_gap: float
) -> dict[int, Person]:
    """A file's boxes by track and by the position of their frame among those read.

    The pieces of a track that leaps from one person to another get numbers of their own, except
    the first.
    """
    position_of = {frame: position for position, frame in enumerate(frames)}
    numbered: dict[int, Person] = {}
    unused = (number for number in itertools.count() if number not in from_file)
    for number, boxes in sorted(from_file.items()):
        moments = np.interp(sorted(boxes), frames, times).tolist()
        time_of = dict(zip(sorted(boxes), moments, strict=True))
        for piece in split_at_jumps(boxes, time_of, longest_gap):
            finds = {position_of[f]: box for f, box in piece.items() if f in position_of}
            if finds:
                given = next(unused) if number in numbered else number
                numbered[given] = Person(finds, dict.fromkeys(finds, 1.0))
    return numbered


def _people_in_images(folder: Path, finder: Finder, config: PeopleConfig) -> Survey:
    """Everybody in each image, or the largest ones: nobody is followed.

    Numbers are those of a file, or else ranks by size.
    """
    frames: list[int] = []
    sizes: list[tuple[int, int]] = []
    by_number: dict[int, dict[int, Float[np.ndarray, " 5"]]] = {}
    for frame in read_frames(folder):
        frames.append(frame.index)
        height, width, _ = frame.image.shape
        sizes.append((width, height))
        if finder.from_file is None:
            found = finder.detect(frame)
            people = dict(enumerate(sorted(found, key=_area, reverse=True)))
        else:
            people = {
                number: np.append(track[frame.index], 1.0)
                for number, track in finder.from_file.items()
                if frame.index in track
            }
            check_boxes(people, frame, config.boxes)
        largest = sorted(people, key=lambda number: _area(people[number]), reverse=True)
        for number in largest[: config.max_people]:
            by_number.setdefault(number, {})[frame.index] = people[number]
    if finder.from_file is not None:
        check_end(finder.from_file, frames, config.boxes, video_info(folder))
    tracks = []
    for number, finds in sorted(by_number.items()):
        found = np.stack(list(finds.values()))
        crops = np.concatenate([crops_around(box[None, :4], config) for box in found])
        tracks.append(Track(number, np.array(list(finds)), found[:, :4], found[:, 4], crops))
    shots = tuple(Shot(i, i + 1, 0.0) for i in range(len(frames)))
    times = np.array(frames, float)
    return Survey(np.array(frames), times, shots, tuple(tracks), 0.0, np.array(sizes))


def _area(box: Float[np.ndarray, " 5"]) -> float:
    return float((box[2:4] - box[:2]).prod())
