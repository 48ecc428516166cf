"""Every person in every frame of a film, in order: crops, in batches with those that lend looks."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from kinepose.video.frame_cache import KeptFrames
from kinepose.video.people import Survey, crop_image
from kinepose.video.pictures import is_pictures
from kinepose.video.reading import read_frames

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


def rows_of(survey: Survey) -> Rows:
    """All people of a survey, those of one frame in the order of their tracks."""
    frame = np.concatenate([track.frames for track in survey.tracks])
    number = np.concatenate(
        [np.full(len(track.frames), track.number, np.int64) for track in survey.tracks]
    )
    box = np.concatenate([track.boxes for track in survey.tracks])
    crop = np.concatenate([track.crops for track in survey.tracks])
    order = np.lexsort([number, frame])
    time = survey.times[np.searchsorted(survey.frames, frame)]
    return Rows(frame[order], number[order], time[order], box[order], crop[order])


def crops_of(
    film: Path,
    survey: Survey,
    rows: Rows,
    size: int,
    kept: KeptFrames,
    frame_sizes: Float64[np.ndarray, "rows 2"],
) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    """The crop of each row; of pictures, notes how wide and high each is [px]."""
    if is_pictures(film):
        return _of_pictures(film, rows, size, frame_sizes)
    return _of_film(film, survey, rows, size, kept)


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


def _of_film(
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


def _of_pictures(
    folder: Path, rows: Rows, size: int, frame_sizes: Float64[np.ndarray, "rows 2"]
) -> Generator[UInt8[np.ndarray, "size size 3"]]:
    row = 0
    for frame in read_frames(folder):
        height, width, _ = frame.image.shape
        while row < len(rows.frame) and rows.frame[row] == frame.index:
            frame_sizes[row] = width, height
            yield crop_image(frame.image, rows.crop[row], size)
            row += 1
