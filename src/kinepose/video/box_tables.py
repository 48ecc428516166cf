"""Boxes of people as a CSV: ours, and those of somebody else's tracker, checked with the video."""

import csv
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinepose.io.errors import BadInputError, VideoWarning
from kinepose.io.files import check_memory, regular_file, replacing
from kinepose.video.reading import Frame, VideoInfo
from kinepose.video.tracking import Track

FileBoxes = dict[int, dict[int, Float[np.ndarray, " 4"]]]
"""By track, then by frame."""
_WHOLE = re.compile(r" *[+-]?[0-9]{1,20} *")
_COLUMNS = ("frame", "track", "x0", "y0", "x1", "y1")
_LARGEST_NUMBER = 2**31 - 1
_MOST_INSIDE = 0.75
"""Share of its area that a box has in the image of its own video at least, usually."""
_FARTHEST = 1e5
"""From an image's corner to a side of a box [px]."""


def read_boxes(
    path: Path,
    only: str | None = None,
    size: tuple[int, int] | None = None,
    least_score: float = 0.0,
) -> dict[str, FileBoxes]:
    """Boxes of a CSV (film, frame, track, x0, y0, x1, y1 [px]) by video; '' where it names none.

    The first column may be called video as well.
    With `only`, the boxes of other videos stay unread: a benchmark has a million. With `size`, the
    width and height of that video, the middle of each box lies in its image; a VideoWarning says if
    most of them reach far over its edge, or all lie in its upper left quarter. Rows whose `score`,
    a column that may be there, is below the least are left out, and counted in a VideoWarning.

    Raises:
        BadInputError: with the number of the first line that is wrong, and how to mend it.
    """
    videos: dict[str, FileBoxes] = {}
    unsure = 0
    check_memory(str(path), regular_file(path).stat().st_size)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            _check_columns(path, reader.fieldnames)
            for row in reader:
                if not any((value or "").strip() for name, value in row.items() if name):
                    continue
                video = (row.get("film") or row.get("video") or "").strip()
                tracks = videos.setdefault(video, {})
                if only is not None and video not in ("", only):
                    continue
                try:
                    frame, track, box = _parse_row(row)
                    if size is not None:
                        check_place(box, size)
                    if _score(row) < least_score:
                        unsure += 1
                        continue
                    frames = tracks.setdefault(track, {})
                    if frame in frames:
                        raise ValueError(f"a second box of track {track} in frame {frame}")
                except (TypeError, ValueError) as error:
                    raise BadInputError(f"{path}, line {reader.line_num}: {error}") from error
                frames[frame] = box
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not UTF-8: save it as such") from error
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(f"cannot read boxes from {path}: {reason}") from error
    if not videos:
        raise BadInputError(f"{path} holds no boxes")
    if size is not None:
        _warn_of_size(path, videos, size)
    if unsure:
        message = f"{path.name}: {unsure} boxes with a score below {least_score:g} are left out"
        warnings.warn(message, VideoWarning, stacklevel=2)
    return videos


def write_boxes(path: Path, video: str, tracks: Sequence[Track]) -> None:
    """A CSV that read_boxes reads, with a column score, in the order of the frames.

    Raises:
        BadInputError: if it cannot be written.
    """
    rows = [
        (int(frame), track.number, *(f"{side:.2f}" for side in box), f"{score:.3f}")
        for track in tracks
        for frame, box, score in zip(track.frames, track.boxes, track.scores, strict=True)
    ]
    try:
        with (
            replacing(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["film", *_COLUMNS, "score"])
            writer.writerows([video, *row] for row in sorted(rows))
    except OSError as error:
        raise BadInputError(f"cannot write boxes to {path}: {error.strerror}") from error


def check_end(from_file: FileBoxes, frames: list[int], path: Path | None, info: VideoInfo) -> None:
    """That no box of a file lies behind the video's end, unless that could not be decoded.

    Raises:
        BadInputError: if one does.
    """
    thinned = len(frames) <= frames[-1]
    count = frames[-1] + 1
    if thinned or count < 0.98 * info.frames:
        count = max(count, info.frames)
    latest = max((max(boxes) for boxes in from_file.values()), default=0)
    if latest >= count:
        raise BadInputError(
            f"{path} has a box in frame {latest}, but the frames of {info.name} count from "
            f"0 to {count - 1}: is the table of another video, or does it count from 1?"
        )


def check_boxes(boxes: dict[int, Float[np.ndarray, " _"]], frame: Frame, path: Path | None) -> None:
    """That each of some boxes of a file lies in its image.

    Raises:
        BadInputError: if one does not.
    """
    height, width, _ = frame.image.shape
    for track, box in boxes.items():
        try:
            check_place(box[:4], (width, height))
        except ValueError as error:
            raise BadInputError(f"{path}, track {track} in image {frame.index}: {error}") from error


def _check_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in _COLUMNS if name not in names]
    if not missing:
        return
    line = ",".join(names)
    how = f"it is {line[:40]!r}: name the columns {','.join(_COLUMNS)} there"
    if line.startswith(("#", "sep=")):
        how = f"delete it ({line[:20]!r}): the first line names the columns"
    elif ";" in line:
        how = "it is separated by semicolons: save the table with commas, and points in numbers"
    elif "\t" in line:
        how = "it is separated by tabs: save the table with commas"
    elif {"w", "h"} <= set(names) or {"width", "height"} <= set(names):
        how = "boxes are corners here: x0 = x, y0 = y, x1 = x + width, y1 = y + height"
    raise BadInputError(f"{path}: its first line names no column {', '.join(missing)}; {how}")


def _parse_row(row: dict[str, str]) -> tuple[int, int, Float[np.ndarray, " 4"]]:
    if any(name is None for name in row):  # where csv puts what is too much
        raise ValueError("it has more columns than the first line")
    frame, track = (_whole(row, name) for name in _COLUMNS[:2])
    if not all((row[name] or "").strip() for name in _COLUMNS[2:]):
        raise ValueError("a side of the box is missing: leave out rows of nobody")
    box = np.array([_number(row, name) for name in _COLUMNS[2:]])
    if frame < 0:
        raise ValueError(f"frame {frame} is below 0")
    if max(frame, abs(track)) > _LARGEST_NUMBER:
        raise ValueError(f"frame {frame} of track {track}: too large a number")
    if not np.isfinite(box).all():
        raise ValueError("a side of the box is not a finite number: leave out rows of nobody")
    if np.abs(box).max() > _FARTHEST:
        raise ValueError(f"a side of the box is farther than {_FARTHEST:g} px away")
    if box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError(f"the box is empty: x {box[0]} to {box[2]}, y {box[1]} to {box[3]}")
    if (box[2:] - box[:2] < 1).all():
        raise ValueError(
            "the box is smaller than a pixel: are these shares of the image? Multiply x by "
            "its width and y by its height"
        )
    return frame, track, box


def _whole(row: dict[str, str], name: str) -> int:
    if not _WHOLE.fullmatch(row[name] or ""):
        shown = (row[name] or "")[:20]
        raise ValueError(f"{name} {shown!r} is no whole number: write it as 7, not as 7.0")
    return int(row[name])


def _number(row: dict[str, str], name: str) -> float:
    try:
        return float(row[name])
    except ValueError:
        raise ValueError(f"{name} {row[name][:20]!r} is no number: write it as 7.5") from None


def _score(row: dict[str, str]) -> float:
    """From 0 to 1; 1 where there is none."""
    if not (row.get("score") or "").strip():
        return 1.0
    score = _number(row, "score")
    if not 0 <= score <= 1:
        raise ValueError(f"score {score:g} is not from 0 to 1")
    return score


def _warn_of_size(path: Path, videos: dict[str, FileBoxes], size: tuple[int, int]) -> None:
    """Say if boxes of one video look like those of another size of it."""
    held = [
        box for tracks in videos.values() for frames in tracks.values() for box in frames.values()
    ]
    boxes = np.stack(held) if held else np.zeros((0, 4))
    if len(boxes) and (boxes[:, 2:] <= np.array(size) / 2).all():
        message = (
            f"{path.name}: all boxes lie in the upper left quarter of the image of {size[0]} x "
            f"{size[1]} px: is the table of a smaller size of the video?"
        )
        warnings.warn(message, VideoWarning, stacklevel=3)
    inside = boxes.clip(0, [*size, *size])
    share = (inside[:, 2:] - inside[:, :2]).prod(-1) / (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    far = int((share < _MOST_INSIDE).sum())
    if 2 * far > len(boxes):
        message = (
            f"{path.name}: {far} of {len(boxes)} boxes reach far over the edge of the image of "
            f"{size[0]} x {size[1]} px: is the table of another size of the video?"
        )
        warnings.warn(message, VideoWarning, stacklevel=3)


def check_place(box: Float[np.ndarray, " 4"], size: tuple[int, int]) -> None:
    """That most of a box may lie in the image."""
    middle = (box[:2] + box[2:]) / 2
    if not ((middle >= 0) & (middle <= size)).all():
        raise ValueError(
            f"the box x {box[0]:g} to {box[2]:g}, y {box[1]:g} to {box[3]:g} is outside the "
            f"image of {size[0]} x {size[1]} px: is the table of another size of the video? "
            "Boxes are in px of the video as it is shown"
        )
