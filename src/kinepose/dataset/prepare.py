"""`prepare`: videos become clips of one person each, Parquet files with one row a frame.

CLIPS/NAME.parquet holds the clips of one video; CLIPS/_videos.json says what became of each video.
(Its name begins with '_' so that readers of Parquet folders pass it over.)
"""

import contextlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from annotated_types import Interval
from pydantic import AfterValidator, AliasChoices, ConfigDict, Field
from tqdm import tqdm

from kinepose.dataset.clips import CROP_MARGIN, SCHEMA, cut_video, empty_scene_path
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.ray_workers import on_ray
from kinepose.io.errors import BadInputError, KineposeError, VideoWarning
from kinepose.io.files import (
    check_folder,
    kind_of,
    making,
    new_mark,
    read_whole,
    reading,
    replacing,
    unfinished,
)
from kinepose.io.schema import STRICT, Plain, as_json, from_json, write_json
from kinepose.io.settings import Address, Count
from kinepose.io.threads import images_in_one_thread
from kinepose.method.config import ModelConfig
from kinepose.video.containers import check_name
from kinepose.video.people import cropped_as

LIST_OF_VIDEOS = "_videos.json"
_OLDER_LIST = "_films.json"
"""As it was called, with `film` and `films` in it: read, and replaced by the next call."""
FORMAT_VERSION = 1


_COUNTED = ("clips", "frames", "paired_clips", "paired_frames")


def _complete(counts: dict[str, int]) -> dict[str, int]:
    if missing := [name for name in _COUNTED if name not in counts]:
        raise ValueError(f"lacks {missing[0]}")
    return counts


@dataclass(frozen=True)
class VideoReport:
    """What became of a video."""

    video: Annotated[str, Field(validation_alias=AliasChoices("video", "film"))]
    status: Literal["ok", "failed"]
    reason: str
    """Why it failed; or what is wrong with it although it gave clips."""
    counts: Annotated[dict[str, Count], AfterValidator(_complete)]
    """Clips (of one person each), their frames, and of both how many are paired."""
    made_from: Plain
    """Settings and state of the files; while they are the same, a video is not cut again."""


@dataclass(frozen=True)
class VideoList:
    """_videos.json."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format_version: Annotated[int, Interval(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    videos: Annotated[
        dict[str, VideoReport], Field(validation_alias=AliasChoices("videos", "films"))
    ]


def prepare(config: PrepareConfig) -> None:
    """Cut videos into clips, a core a video; what an earlier call finished is kept.

    Videos that cannot be used are reported and passed over.

    Raises:
        BadInputError: if a video does not exist, two have one name, somebody else's file is in the
            place of its clips, or none gives a clip; if it was the first call, nothing is left
            then.
    """
    config = replace(config, people=cropped_as(config.people, ModelConfig()))
    videos = _videos(config.videos)
    check_folder(config.output)
    reports = read_reports(config.output)
    to_do = []
    for video in videos:
        earlier = reports.get(video.stem)
        done = earlier and earlier.status == "ok" and _clips_of(video, config).exists()
        if not done or earlier.made_from != _made_from(video, config):
            to_do.append(video)
            _check_free(video, _clips_of(video, config), ours=earlier is not None)
    of_videos = dict(reports)
    with contextlib.closing(_cut_all(to_do, config)) as cut:
        for report in tqdm(cut, "videos", len(to_do), disable=not to_do or None):
            name = Path(report.video).stem
            of_videos[name] = report
            if report.status == "failed":
                if len(videos) > 1:  # else this is all that is said in the end
                    tqdm.write(f"passed over: {report.reason}", file=sys.stderr)
                if _clips_of(Path(report.video), config).exists():
                    continue  # of an earlier call: they stay as they are
            elif report.reason:
                warnings.warn(report.reason, VideoWarning, stacklevel=2)
            reports[name] = report
            _write_reports(config.output, reports)
    of_call = [of_videos[video.stem] for video in videos]
    failed = [report.reason for report in of_call if report.status == "failed"]
    if len(failed) == len(videos):
        raise BadInputError(f"no video gave a clip: {'; '.join(failed)}")
    count = {
        key: sum(report.counts[key] for report in of_call if report.status == "ok")
        for key in _COUNTED
    }
    print(
        f"{config.output}: {count['clips']} clips, {count['frames']} frames "
        f"(paired: {count['paired_clips']} clips, {count['paired_frames']} frames) "
        f"of {len(videos) - len(failed)} videos; {len(failed)} videos passed over"
    )


def read_reports(folder: Address) -> dict[str, VideoReport]:
    """What became of the videos of a folder of clips, by name; empty if it holds no list.

    Raises:
        BadInputError: if the list is broken or of another version.
    """
    with reading(folder) as (files, root):
        name = next((n for n in (LIST_OF_VIDEOS, _OLDER_LIST) if files.exists(f"{root}/{n}")), None)
        if name is None:
            return {}
        local = isinstance(folder, Path)  # where there may be a pipe in its place
        written = read_whole(folder / name) if local else files.cat_file(f"{root}/{name}")
    return from_json(written, VideoList, f"{folder}/{name}").videos


def _write_reports(folder: Path, reports: dict[str, VideoReport]) -> None:
    """The list, unless there are no clips for it to be a list of."""
    path = folder / LIST_OF_VIDEOS
    if all(report.status == "failed" for report in reports.values()):
        path.unlink(missing_ok=True)
    else:
        write_json(path, VideoList(FORMAT_VERSION, dict(sorted(reports.items()))))
    (folder / _OLDER_LIST).unlink(missing_ok=True)


def _videos(paths: Sequence[Path]) -> list[Path]:
    """The videos named, and those in the folders named."""
    videos: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInputError(f"no such file: {path}")
        files = [path]
        if path.is_dir():
            files = sorted(f for f in path.iterdir() if f.is_file() and f.name[0] != ".")
            if not files:
                raise BadInputError(f"the folder {path} is empty")
        videos += files
    if not videos:
        raise BadInputError("no videos given")
    by_name: dict[str, Path] = {}
    for video in videos:
        check_name(video)
        other = by_name.setdefault(video.stem, video)
        if other.resolve() != video.resolve():
            raise BadInputError(
                f"two videos have the name {video.stem}: {other} and {video}; rename one"
            )
    return list(by_name.values())


def _check_free(video: Path, clips: Path, ours: bool) -> None:
    """That nothing is in the place of a video's clips, or clips of an earlier call."""
    kind = kind_of(clips)
    if kind == "nothing" or (kind == "a file" and (ours or _holds_clips(clips))):
        return
    raise BadInputError(f"{video} is not cut: {clips} is {kind} that no earlier call wrote")


def _holds_clips(path: Path) -> bool:
    try:
        return pq.read_schema(path).equals(SCHEMA)
    except (pa.ArrowException, OSError):
        return False


def _cut_all(videos: list[Path], config: PrepareConfig) -> Generator[VideoReport]:
    """Reports as videos are finished. However it ends, nothing half-written stays."""
    cut, mark = _cut_on_ray if config.ray and videos else _cut_here, new_mark()
    with making(config.output):
        try:
            yield from cut(videos, config, mark)
        finally:
            for video in videos:  # who was killed could not clear up
                unfinished(_clips_of(video, config), mark).unlink(missing_ok=True)


def _cut_here(videos: list[Path], config: PrepareConfig, mark: str) -> Iterator[VideoReport]:
    workers = min(config.workers or os.cpu_count() or 1, len(videos))
    if workers <= 1:
        yield from (_cut_video(video, config, mark) for video in videos)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _use_one_core) as pool:
        futures = [pool.submit(_cut_video, video, config, mark) for video in videos]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise KineposeError(
                "a process was killed, perhaps for want of memory; try again with fewer --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _cut_on_ray(videos: list[Path], config: PrepareConfig, mark: str) -> Iterator[VideoReport]:
    work = partial(_cut_on_one_core, config=config, mark=mark)
    for report in on_ray(work, videos, config.workers):
        path = _clips_of(Path(report.video), config)
        if report.status == "ok" and not path.exists():
            raise BadInputError(
                f"a worker of Ray wrote {path} where this machine does not see it: --output must "
                "be a folder that they share"
            )
        yield report


def _cut_on_one_core(video: Path, config: PrepareConfig, mark: str) -> VideoReport:
    _use_one_core()
    return _cut_video(video, config, mark)


def _use_one_core() -> None:
    """Before torch is loaded, if it is at all."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _cut_video(video: Path, config: PrepareConfig, mark: str) -> VideoReport:
    """One video, from the first look to its Parquet file, which bears the mark till it is whole."""
    made_from = _made_from(video, config)
    counts = dict.fromkeys(_COUNTED, 0)
    path = _clips_of(video, config)
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            images_in_one_thread(),
            replacing(path, mark) as temporary,
        ):
            warnings.simplefilter("always", VideoWarning)
            schema = SCHEMA.with_metadata({CROP_MARGIN: str(config.people.margin)})
            with (
                pa.OSFile(os.fsencode(temporary), "wb") as file,  # names are bytes
                pq.ParquetWriter(file, schema, compression="zstd") as writer,
            ):
                for table in cut_video(video, config):
                    writer.write_table(table)
                    paired = table["paired"][0].as_py()
                    for key, more in (("clips", 1), ("frames", len(table))):
                        counts[key] += more
                        counts[f"paired_{key}"] += more if paired else 0
    except (BadInputError, OSError) as error:  # OSError: a full disk, say
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{video}: {os.strerror(error.errno) if error.errno else error}"
        return VideoReport(video.name, "failed", reason, dict.fromkeys(_COUNTED, 0), made_from)
    said = dict.fromkeys(str(w.message) for w in warned if issubclass(w.category, VideoWarning))
    return VideoReport(video.name, "ok", "; ".join(said), counts, made_from)


def _clips_of(video: Path, config: PrepareConfig) -> Path:
    return config.output / f"{video.stem}.parquet"


def _made_from(video: Path, config: PrepareConfig) -> dict:
    """Settings, and size and time of change of every file that the clips of a video depend on."""
    settings = as_json(config)
    for key in ("videos", "output", "workers", "ray"):
        del settings[key]
    used = [video, config.people.boxes]
    if config.backgrounds is not None:
        used.append(empty_scene_path(video, config.backgrounds))
    stamps = {
        as_json(Path(path.name)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in used
        if path is not None and path.is_file()
    }
    return {"settings": settings, "files": stamps}
