"""Every person in every frame of a video, in order: crops, in batches with those of the sources."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float64, Int64, UInt8

from kinepose.io.errors import BadInputError
from kinepose.video.frame_cache import KeptFrames
from kinepose.video.images import is_images
from kinepose.video.people import Survey
from kinepose.video.reading import read_frames

Batch = tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]
"""Rows, their crops, and the crops that lend them their appearance."""


@dataclass(frozen=True)
class Rows:
    """Every person in every frame, in the order of the video."""

    frame: Int64[np.ndarray, " rows"]
    track: Int64[np.ndarray, " rows"]
    time: Float64[np.ndarray, " rows"]
    """[s]"""
    box: Float64[np.ndarray, "rows 4"]
    """[px]"""
    crop: Float64[np.ndarray, "rows 3"]
    """[px]"""
    frame_size: Float64[np.ndarray, "rows 2"]
    """Width and height of the frame, as shown [px]."""

    def some(self, chosen: Int64[np.ndarray, " chosen"]) -> "Rows":
        """Some of them."""
        return Rows(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def rows_of(survey: Survey) -> Rows:
    """All people of a survey, those of one frame in the order of their tracks."""
    frame = np.concatenate([track.frames for track in survey.tracks])
    number = np.concatenate(
        [np.full(len(track.frames), track.number, np.int64) for track in survey.tracks]
    )
    box = np.concatenate([track.boxes for track in survey.tracks])
    crop = np.concatenate([track.crops for track in survey.tracks])
    order = np.lexsort([number, frame])
    position = np.searchsorted(survey.frames, frame[order])
    return Rows(
        frame=frame[order],
        track=number[order],
        time=survey.times[position],
        box=box[order],
        crop=crop[order],
        frame_size=survey.sizes[position].astype(np.float64),
    )


def crops_of(
    video: Path, survey: Survey, rows: Rows, size: int, kept: KeptFrames
) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    """The crop of each row.

    Raises:
        BadInputError: while they are given, if the video, or the folder, gives fewer frames than it
            gave the survey.
    """
    if is_images(video):
        return _of_images(video, rows, size)
    return _of_video(video, survey, rows, size, kept)


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


def crop_image(
    image: UInt8[np.ndarray, "height width *channels"],
    crop: Float[np.ndarray, " 3"],
    size: int,
    scale: tuple[float, float] = (1.0, 1.0),
) -> UInt8[np.ndarray, "size size *channels"]:
    """The crop (centre x, centre y, side [px of the frame]) as an image of `size` px a side.

    The image is the frame, or the frame shrunk to these shares of its width and height. Each pixel
    is the mean of the square of the frame that it covers; beyond the frame its border goes on.
    Positions are those of geometry.crops, to a fraction of a pixel.
    """
    middle, sides = crop[:2] * scale, crop[2] * np.array(scale)
    image, middle, sides = _reduced(image, middle, sides, int(sides.min() // size))
    steps = sides / size
    if steps.max() > 1:  # nearest to the mean, of images and noise, among filters of three taps
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


def _of_video(
    video: Path, survey: Survey, rows: Rows, size: int, kept: KeptFrames
) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    """The crop of each row, from frames as small as those of its shot may be."""
    frames = enumerate(read_frames(video))
    for shot in survey.shots:
        numbers = survey.frames[shot.first : shot.end]
        ends = np.searchsorted(rows.frame, [*numbers, numbers[-1] + 1])
        places = np.flatnonzero(np.diff(ends)).tolist()
        if not places:
            continue
        small, images = kept.of_shot(shot, [rows.crop[ends[0] : ends[-1]]], places, frames)
        for place, image in images:
            for row in range(ends[place], ends[place + 1]):
                yield crop_image(image, rows.crop[row], size, small.scale)


def _of_images(folder: Path, rows: Rows, size: int) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    row = 0
    for frame in read_frames(folder):
        while rows.frame[row] == frame.index:
            yield crop_image(frame.image, rows.crop[row], size)
            row += 1
            if row == len(rows.frame):
                return
    raise BadInputError(f"{folder.name} gave fewer images the second time it was read")


def _reduced(
    image: UInt8[np.ndarray, "height width *channels"],
    middle: Float[np.ndarray, " 2"],
    sides: Float[np.ndarray, " 2"],
    factor: int,
) -> tuple[
    UInt8[np.ndarray, "rows columns *channels"], Float[np.ndarray, " 2"], Float[np.ndarray, " 2"]
]:
    """What a crop shows of an image, in blocks of factor x factor px, and the crop in it."""
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
