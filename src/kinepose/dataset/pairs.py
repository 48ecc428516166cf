"""Pairs (I_s, I_t) with B_t, drawn from the clips that `prepare` wrote.

Everything random comes from the generator that is passed in, so that a run can be resumed.
"""

import io
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from jaxtyping import Float32, Float64, Int, UInt8
from PIL import Image
from torch import Tensor

from kinepose.dataset.clips import CROP_MARGIN, SCHEMA
from kinepose.dataset.prepare import read_reports
from kinepose.errors import BadInputError
from kinepose.files import check_memory, decoding, reading, regular_file
from kinepose.method.batches import PairBatch
from kinepose.settings import Address
from kinepose.video.cropping import crop_image

_ENDS_OF_GAP = 1e-6
"""Times are read from files; a gap this much [s] too small is large enough."""
_DECODED_BYTES = 2**30
_FARTHEST = 1e9
"""Of times [s], of boxes and of crops [px]."""
_LARGEST_CROP = 4096
"""Side [px]."""


@dataclass(frozen=True)
class ClipSet:
    """Clips in memory, their pictures still compressed."""

    table: pa.Table
    """All rows, those of one person in one clip together and in the order of time."""
    time: Float64[np.ndarray, " rows"]
    """[s]"""
    paired: Int[np.ndarray, "clips_in_d_p 2"]
    """First row, and the one after the last, of each clip of one person in D_p."""
    unpaired: Int[np.ndarray, "clips_in_d_unp 2"]
    """The same of D_unp."""
    part: Float64[np.ndarray, " rows"]
    """Which part of each stored crop's side is wanted, about its middle; `crop` is of that part."""
    device: torch.device | str = "cpu"
    """Where pictures are given."""
    decoded: dict[tuple[str, int, int], UInt8[Tensor, "size size channels"]] = field(
        default_factory=dict
    )
    """Pictures that were asked for, by column, row and size, on the device, up to
    _DECODED_BYTES."""


def read_clips(
    folders: Sequence[Address],
    device: torch.device | str = "cpu",
    margin: float | None = None,
) -> ClipSet:
    """Read the clips of one or several folders that `prepare` wrote; pictures come on a device.

    With a margin, in lengths of a person's box, crops are narrowed to it.

    Raises:
        BadInputError: if there are none, they are not clips, or were cut closer than the margin.
    """
    tables: dict[str, pa.Table] = {}
    for folder in folders:
        with reading(folder) as (files, root):
            for path in _clips_in(files, root, folder):
                name = PurePath(path).name
                if name in tables:
                    raise BadInputError(
                        f"two folders of clips have a film {PurePath(name).stem}: labels and clips "
                        "go by its name"
                    )
                tables[name] = _read_film(files, path, f"{folder}/{name}")
    if not tables:
        raise BadInputError("no folder of clips given; `kinepose prepare` makes them")
    table = pa.concat_tables(tables.values())
    starts = [0]
    for part in tables.values():
        starts += (starts[-1] + _ends_of_clips(part)).tolist()
    bounds = np.stack([starts[:-1], starts[1:]], axis=-1).astype(np.int64)
    paired = np.asarray(table["paired"])[bounds[:, 0]]
    time = np.asarray(table["time"])
    part = np.concatenate(
        [np.full(len(t), _part_of_crops(t, margin, name)) for name, t in tables.items()]
    )
    table = _narrowed(table, part)
    return ClipSet(table, time, bounds[paired], bounds[~paired], part, device)


def long_enough(clips: ClipSet, paired: bool, smallest_gap: float) -> Int[np.ndarray, "_ 2"]:
    """Bounds of the clips of D_p or of D_unp that have a pair.

    Raises:
        BadInputError: if there is none.
    """
    bounds = clips.paired if paired else clips.unpaired
    duration = clips.time[bounds[:, 1] - 1] - clips.time[bounds[:, 0]]
    bounds = bounds[duration >= smallest_gap - _ENDS_OF_GAP]
    if not len(bounds):
        kind = "still" if paired else "moving"
        raise BadInputError(
            f"no clip of the {kind} camera kind lasts {smallest_gap:g} s; prepare other films, "
            "or see --smallest-gap"
        )
    return bounds


def draw_pairs(
    clips: ClipSet,
    paired: bool,
    count: int,
    size: int,
    smallest_gap: float,
    generator: torch.Generator,
) -> PairBatch:
    """Pairs of D_p or of D_unp, at least smallest_gap [s] apart, shrunk to `size` px a side.

    Clips are drawn in proportion to their frames; within a clip each frame that has a partner is
    as likely a target as any, and each of its partners as likely its source.

    Raises:
        BadInputError: if no clip is long enough.
    """
    bounds = long_enough(clips, paired, smallest_gap)
    lengths = torch.as_tensor(bounds[:, 1] - bounds[:, 0], dtype=torch.float64)
    chosen = torch.multinomial(lengths, count, replacement=True, generator=generator)
    luck = torch.rand(count, 2, generator=generator, dtype=torch.float64).tolist()
    rows = [
        _draw_pair(clips.time, *bounds[clip].tolist(), smallest_gap, *numbers)
        for clip, numbers in zip(chosen.tolist(), luck, strict=True)
    ]
    sources, targets = np.array(rows).T
    return PairBatch(
        source=load_images(clips, sources, size),
        target=load_images(clips, targets, size),
        background=load_images(clips, targets, size, "background") if paired else None,
        valid=load_masks(clips, targets, size) if paired else None,
        rows=torch.from_numpy(targets.copy()),
    )


def draw_backgrounds(
    clips: ClipSet, count: int, size: int, generator: torch.Generator
) -> Float32[Tensor, "count 3 size size"]:
    """Backgrounds of D_p, for B_r and for the renders.

    Raises:
        BadInputError: if D_p is empty.
    """
    if not len(clips.paired):
        raise BadInputError("no clip of the still camera kind, whose backgrounds could be used")
    lengths = clips.paired[:, 1] - clips.paired[:, 0]
    ends = np.cumsum(lengths)
    drawn = torch.randint(int(ends[-1]), (count,), generator=generator).numpy()
    clip = np.searchsorted(ends, drawn, side="right")
    rows = clips.paired[clip, 1] - (ends[clip] - drawn)
    return load_images(clips, rows, size, "background")


def load_images(
    clips: ClipSet, rows: Int[np.ndarray, " count"], size: int, column: str = "image"
) -> Float32[Tensor, "count 3 size size"]:
    """The crops, or the backgrounds, of these rows, 0 to 1."""
    pictures = torch.stack([_shrunk(clips, column, row, size) for row in rows.tolist()])
    return pictures.permute(0, 3, 1, 2).float().div_(255)


def describe_clips(folder: Address) -> str:
    """What is in a folder of clips, in a few lines, for `kinepose info`.

    Raises:
        BadInputError: if it holds none.
    """
    clips = read_clips([folder])
    films = set(clips.table["film"].to_pylist())
    lines = [f"{folder}: clips of {len(films)} films"]
    for name, bounds in (("paired (D_p)", clips.paired), ("unpaired (D_unp)", clips.unpaired)):
        frames = int((bounds[:, 1] - bounds[:, 0]).sum())
        seconds = float((clips.time[bounds[:, 1] - 1] - clips.time[bounds[:, 0]]).sum())
        lines.append(
            f"  {name}: {len(bounds)} clips of one person, {frames} frames, {seconds:.1f} s"
        )
    first_rows = np.concatenate([clips.paired, clips.unpaired])[:, 0]
    reasons = Counter(clips.table["reason"].take(pa.array(first_rows)).to_pylist())
    lines += [f"  {number} x {reason}" for reason, number in reasons.most_common(10)]
    for report in read_reports(folder).values():
        if report.reason:
            lines.append(f"  {report.film} {report.status}: {report.reason}")
    return "\n".join(lines)


def _clips_in(files: AbstractFileSystem, root: str, folder: Address) -> list[str]:
    """Parquet files of a folder, but for those that a killed process left unfinished."""
    try:
        paths = [path for path in files.ls(root, detail=False) if path.endswith(".parquet")]
    except FileNotFoundError:
        paths = []
    finished = sorted(path for path in paths if not PurePath(path).match(".*.part.parquet"))
    if not finished:
        raise BadInputError(f"no clips (*.parquet) in {folder}; `kinepose prepare` makes them")
    return finished


def _read_film(files: AbstractFileSystem, path: str, name: str) -> pa.Table:
    with decoding(name, "file of clips"), _opened(files, path) as file:
        held = pq.ParquetFile(file)
        if held.schema_arrow != SCHEMA:
            raise BadInputError(f"{name} does not hold clips of this version: other columns")
        groups = range(held.metadata.num_row_groups)
        check_memory(name, sum(held.metadata.row_group(i).total_byte_size for i in groups))
        table = held.read()
    _check_clips(table, name)
    return table


def _opened(files: AbstractFileSystem, path: str) -> Any:
    """A file for Arrow, which reads its own several times as fast; local names may be any bytes."""
    if isinstance(files, LocalFileSystem):
        return pa.OSFile(os.fsencode(regular_file(Path(path))))
    return files.open(path)


def _check_clips(table: pa.Table, name: str) -> None:
    """What every row must say: numbers that are finite, and pictures where it is paired.

    Raises:
        BadInputError: if a row does not.
    """
    rows = len(table)
    for column in SCHEMA.names:
        if column not in ("background", "valid") and table[column].null_count:
            raise BadInputError(f"{name}: {column} is missing in {table[column].null_count} rows")
    numbers = {c: table[c].to_numpy() for c in ("time", "fps", "background_motion")}
    numbers["box"] = _flat(table["box"]).reshape(rows, 4)
    numbers["crop"] = _flat(table["crop"]).reshape(rows, 3)
    for column, values in numbers.items():
        if not np.isfinite(values).all() or (np.abs(values) > _FARTHEST).any():
            raise BadInputError(f"{name}: {column} holds a number that cannot be")
    if rows and (numbers["crop"][:, 2].min() <= 0 or table["frame"].to_numpy().min() < 0):
        raise BadInputError(f"{name}: a crop or the number of a frame is below 0")
    paired, bounds = table["paired"].to_numpy(), [0, *_ends_of_clips(table).tolist()]
    for first, end in pairwise(bounds):
        if len(np.unique(paired[first:end])) > 1 or (np.diff(numbers["time"][first:end]) < 0).any():
            raise BadInputError(f"{name}: rows {first} to {end - 1} are no clip of one person")
    for column in ("background", "valid"):
        if np.asarray(table[column].is_null())[paired].any():
            raise BadInputError(f"{name}: {column} is missing where a clip is paired")


def _flat(lists: pa.ChunkedArray) -> Float32[np.ndarray, " numbers"]:
    """Of a column of lists that are never missing, the numbers one after the other."""
    parts = [np.asarray(chunk.flatten()) for chunk in lists.chunks]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _part_of_crops(table: pa.Table, margin: float | None, name: str) -> float:
    stored = float((table.schema.metadata or {}).get(CROP_MARGIN.encode(), b"1.4"))
    if margin is not None and margin > stored + 1e-6:
        raise BadInputError(
            f"the crops of {name} have a margin of {stored:g}, the model wants {margin:g}: "
            f"prepare the film again with --margin {margin:g}"
        )
    return 1.0 if margin is None else margin / stored


def _narrowed(table: pa.Table, part: Float64[np.ndarray, " rows"]) -> pa.Table:
    """The same rows, `crop` as wide as the part that is wanted."""
    if (part == 1).all():
        return table
    crops = _flat(table["crop"]).reshape(-1, 3).copy()
    crops[:, 2] *= part
    column = pa.array(list(crops), SCHEMA.field("crop").type)
    return table.set_column(SCHEMA.get_field_index("crop"), SCHEMA.field("crop"), column)


def _ends_of_clips(table: pa.Table) -> Int[np.ndarray, " clips"]:
    """The row after the last of each person's clip in the table of one film."""
    if not len(table):
        return np.zeros(0, np.int64)
    clip, track = np.asarray(table["clip"]), np.asarray(table["track"])
    changes = (np.diff(clip) != 0) | (np.diff(track) != 0)
    return np.append(np.flatnonzero(changes) + 1, len(table)).astype(np.int64)


def _draw_pair(
    time: Float64[np.ndarray, " rows"],
    first: int,
    end: int,
    smallest_gap: float,
    for_target: float,
    for_source: float,
) -> tuple[int, int]:
    """Source and target row of a clip, by two numbers of [0, 1)."""
    clock, gap = time[first:end], smallest_gap - _ENDS_OF_GAP
    targets = np.flatnonzero((clock - clock[0] >= gap) | (clock[-1] - clock >= gap))
    target = targets[int(for_target * len(targets))]
    sources = np.flatnonzero(np.abs(clock - clock[target]) >= gap)
    source = sources[int(for_source * len(sources))]
    return int(first + source), int(first + target)


def load_masks(
    clips: ClipSet, rows: Int[np.ndarray, " count"], size: int
) -> Float32[Tensor, "count 1 size size"]:
    """Which share of each pixel of the backgrounds of these rows is known."""
    masks = torch.stack([_shrunk(clips, "valid", row, size) for row in rows.tolist()])
    return masks.permute(0, 3, 1, 2).float().div_(255)


def _shrunk(
    clips: ClipSet, column: str, row: int, size: int
) -> UInt8[Tensor, "{size} {size} channels"]:
    """A picture of the set, each pixel the mean of what it covers; kept, while there is room."""
    picture = clips.decoded.get((column, row, size))
    if picture is None:
        encoded = np.frombuffer(clips.table[column][row].as_buffer(), np.uint8)
        part = clips.part[row]
        pixels = _decode(encoded, math.ceil(size / part), grey=column == "valid")
        if pixels is None:
            film, frame = (clips.table[name][row].as_py() for name in ("film", "frame"))
            raise BadInputError(
                f"the {column} of frame {frame} of {film} is broken in the clips: prepare it again"
            )
        if part < 1:
            pixels = crop_image(pixels, len(pixels) * np.array([0.5, 0.5, part]), size)
        else:
            pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
        picture = torch.from_numpy(pixels.reshape(size, size, -1)).to(clips.device)
        if len(clips.decoded) < _DECODED_BYTES // picture.nbytes:
            clips.decoded[column, row, size] = picture
    return picture


def _decode(
    encoded: UInt8[np.ndarray, " bytes"], size: int, grey: bool
) -> UInt8[np.ndarray, "side side *channels"] | None:
    """A mask, or a picture (RGB), at half its size where that is enough: half the time.

    None if it is none, or is larger than `prepare` makes them.
    """
    try:
        width, height = Image.open(io.BytesIO(encoded.tobytes())).size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if width != height or width > _LARGEST_CROP:
        return None
    mode = cv2.IMREAD_GRAYSCALE
    if not grey:
        mode = cv2.IMREAD_REDUCED_COLOR_2 if height >= 2 * size - 1 else cv2.IMREAD_COLOR
    picture = cv2.imdecode(encoded, mode)
    if picture is None or grey:
        return picture
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
