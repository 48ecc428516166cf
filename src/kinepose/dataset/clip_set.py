"""Clips that `prepare` wrote, read back and checked, their images still compressed."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from jaxtyping import Float32, Float64, Int, UInt8
from torch import Tensor

from kinepose.dataset.clips import CROP_MARGIN, SCHEMA
from kinepose.dataset.prepare import read_reports
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_memory, decoding, reading, regular_file
from kinepose.io.settings import Address

_OLDER_SCHEMA = SCHEMA.set(0, SCHEMA.field(0).with_name("film"))
"""As the first column was called before."""
_FARTHEST = 1e9
"""Of times [s], of boxes and of crops [px]."""


@dataclass(frozen=True)
class ClipSet:
    """Clips in memory, their images still compressed."""

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
    """Where images are given."""
    decoded: dict[tuple[str, int, int], UInt8[Tensor, "size size channels"]] = field(
        default_factory=dict
    )
    """Images that were asked for, by column, row and size, on the device, up to a GiB."""


def read_clips(
    folders: Sequence[Address],
    device: torch.device | str = "cpu",
    margin: float | None = None,
) -> ClipSet:
    """Read the clips of one or several folders that `prepare` wrote; images come on a device.

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
                        f"two folders of clips have a video {PurePath(name).stem}: labels and "
                        "clips go by its name"
                    )
                tables[name] = _read_video(files, path, f"{folder}/{name}")
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


def describe_clips(folder: Address) -> str:
    """What is in a folder of clips, in a few lines, for `kinepose info`.

    Raises:
        BadInputError: if it holds none.
    """
    clips = read_clips([folder])
    videos = set(clips.table["video"].to_pylist())
    lines = [f"{folder}: clips of {len(videos)} videos"]
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
            lines.append(f"  {report.video} {report.status}: {report.reason}")
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


def _read_video(files: AbstractFileSystem, path: str, name: str) -> pa.Table:
    with decoding(name, "file of clips"), _opened(files, path) as file:
        held = pq.ParquetFile(file)
        if held.schema_arrow not in (SCHEMA, _OLDER_SCHEMA):
            raise BadInputError(f"{name} does not hold clips of this version: other columns")
        groups = range(held.metadata.num_row_groups)
        check_memory(name, sum(held.metadata.row_group(i).total_byte_size for i in groups))
        table = held.read()
        if held.schema_arrow != SCHEMA:
            metadata = table.schema.metadata
            table = table.rename_columns(SCHEMA.names).replace_schema_metadata(metadata)
        for texts in ("video", "reason"):
            table[texts].validate(full=True)  # that they are UTF-8
    _check_clips(table, name)
    return table


def _opened(files: AbstractFileSystem, path: str) -> Any:
    """A file for Arrow, which reads its own several times as fast; local names may be any bytes."""
    if isinstance(files, LocalFileSystem):
        return pa.OSFile(os.fsencode(regular_file(Path(path))))
    return files.open(path)


def _check_clips(table: pa.Table, name: str) -> None:
    """What every row must say: numbers that are finite, and images where it is paired.

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
            f"prepare the video again with --margin {margin:g}"
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
    """The row after the last of each person's clip in the table of one video."""
    if not len(table):
        return np.zeros(0, np.int64)
    clip, track = np.asarray(table["clip"]), np.asarray(table["track"])
    changes = (np.diff(clip) != 0) | (np.diff(track) != 0)
    return np.append(np.flatnonzero(changes) + 1, len(table)).astype(np.int64)
