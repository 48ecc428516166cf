"""`prepare`: films become clips of one person each, Parquet files with one row a frame.

CLIPS/NAME.parquet holds the clips of one film; CLIPS/_films.json says what became of each film.
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
from pydantic import AfterValidator, ConfigDict
from tqdm import tqdm

from kinepose.dataset.clips import CROP_MARGIN, SCHEMA, cut_film, empty_scene_path
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.ray_workers import on_ray
from kinepose.errors import BadInputError, FilmWarning, KineposeError
from kinepose.files import check_folder, making, reading, replacing, unfinished
from kinepose.method.config import ModelConfig
from kinepose.schema import STRICT, Plain, as_json, from_json, write_json
from kinepose.settings import Address, Count
from kinepose.threads import pictures_in_one_thread
from kinepose.video.containers import check_name
from kinepose.video.people import cropped_as

LIST_OF_FILMS = "_films.json"
FORMAT_VERSION = 1


_COUNTED = ("clips", "frames", "paired_clips", "paired_frames")


def _complete(counts: dict[str, int]) -> dict[str, int]:
    if missing := [name for name in _COUNTED if name not in counts]:
        raise ValueError(f"lacks {missing[0]}")
    return counts


@dataclass(frozen=True)
class FilmReport:
    """What became of a film."""

    film: str
    status: Literal["ok", "failed"]
    reason: str
    """Why it failed; or what is wrong with it although it gave clips."""
    counts: Annotated[dict[str, Count], AfterValidator(_complete)]
    """Clips (of one person each), their frames, and of both how many are paired."""
    made_from: Plain
    """Settings and state of the files; while they are the same, a film is not cut again."""


@dataclass(frozen=True)
class FilmList:
    """_films.json."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format_version: Annotated[int, Interval(ge=FORMAT_VERSION, le=FORMAT_VERSION)]
    films: dict[str, FilmReport]


def prepare(config: PrepareConfig) -> None:
    """Cut films into clips, a core a film; what an earlier call finished is kept.

    Films that cannot be used are reported and passed over.

    Raises:
        BadInputError: if a film does not exist, two have one name, or none gives a clip; if it was
            the first call, nothing is left then.
    """
    config = replace(config, people=cropped_as(config.people, ModelConfig()))
    films = _films(config.films)
    check_folder(config.output)
    reports = read_reports(config.output)
    to_do = []
    for film in films:
        earlier = reports.get(film.stem)
        done = earlier and earlier.status == "ok" and _clips_of(film, config).exists()
        if not done or earlier.made_from != _made_from(film, config):
            to_do.append(film)
    of_films = dict(reports)
    with contextlib.closing(_cut_all(to_do, config)) as cut:
        for report in tqdm(cut, "films", len(to_do), disable=not to_do or None):
            name = Path(report.film).stem
            of_films[name] = report
            if report.status == "failed":
                if len(films) > 1:  # else this is all that is said in the end
                    tqdm.write(f"passed over: {report.reason}", file=sys.stderr)
                if _clips_of(Path(report.film), config).exists():
                    continue  # of an earlier call, or somebody's: they stay as they are
            elif report.reason:
                warnings.warn(report.reason, FilmWarning, stacklevel=2)
            reports[name] = report
            _write_reports(config.output, reports)
    of_call = [of_films[film.stem] for film in films]
    failed = [report.reason for report in of_call if report.status == "failed"]
    if len(failed) == len(films):
        raise BadInputError(f"no film gave a clip: {'; '.join(failed)}")
    count = {
        key: sum(report.counts[key] for report in of_call if report.status == "ok")
        for key in _COUNTED
    }
    print(
        f"{config.output}: {count['clips']} clips, {count['frames']} frames "
        f"(paired: {count['paired_clips']} clips, {count['paired_frames']} frames) "
        f"of {len(films) - len(failed)} films; {len(failed)} films passed over"
    )


def read_reports(folder: Address) -> dict[str, FilmReport]:
    """What became of the films of a folder of clips, by name; empty if it holds no list.

    Raises:
        BadInputError: if the list is broken or of another version.
    """
    with reading(folder) as (files, root):
        try:
            written = files.cat_file(f"{root}/{LIST_OF_FILMS}")
        except FileNotFoundError:
            return {}
    return from_json(written, FilmList, f"{folder}/{LIST_OF_FILMS}").films


def _write_reports(folder: Path, reports: dict[str, FilmReport]) -> None:
    """The list, unless there are no clips for it to be a list of."""
    path = folder / LIST_OF_FILMS
    if all(report.status == "failed" for report in reports.values()):
        path.unlink(missing_ok=True)
        return
    write_json(path, FilmList(FORMAT_VERSION, {name: reports[name] for name in sorted(reports)}))


def _films(paths: Sequence[Path]) -> list[Path]:
    """The films named, and those in the folders named."""
    films: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInputError(f"no such file: {path}")
        files = [path]
        if path.is_dir():
            files = sorted(f for f in path.iterdir() if f.is_file() and f.name[0] != ".")
            if not files:
                raise BadInputError(f"the folder {path} is empty")
        films += files
    if not films:
        raise BadInputError("no films given")
    by_name: dict[str, Path] = {}
    for film in films:
        check_name(film)
        other = by_name.setdefault(film.stem, film)
        if other.resolve() != film.resolve():
            raise BadInputError(
                f"two films have the name {film.stem}: {other} and {film}; rename one"
            )
    return list(by_name.values())


def _cut_all(films: list[Path], config: PrepareConfig) -> Generator[FilmReport]:
    """Reports as films are finished. However it ends, nothing half-written stays."""
    with making(config.output):
        try:
            yield from (_cut_on_ray if config.ray and films else _cut_here)(films, config)
        finally:
            for film in films:  # who was killed could not clear up
                unfinished(_clips_of(film, config)).unlink(missing_ok=True)


def _cut_here(films: list[Path], config: PrepareConfig) -> Iterator[FilmReport]:
    workers = min(config.workers or os.cpu_count() or 1, len(films))
    if workers <= 1:
        yield from (_cut_film(film, config) for film in films)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _use_one_core) as pool:
        futures = [pool.submit(_cut_film, film, config) for film in films]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise KineposeError(
                "a process was killed, perhaps for want of memory; try again with fewer --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _cut_on_ray(films: list[Path], config: PrepareConfig) -> Iterator[FilmReport]:
    for report in on_ray(partial(_cut_on_one_core, config=config), films, config.workers):
        path = _clips_of(Path(report.film), config)
        if report.status == "ok" and not path.exists():
            raise BadInputError(
                f"a worker of Ray wrote {path} where this machine does not see it: --output must "
                "be a folder that they share"
            )
        yield report


def _cut_on_one_core(film: Path, config: PrepareConfig) -> FilmReport:
    _use_one_core()
    return _cut_film(film, config)


def _use_one_core() -> None:
    """Before torch is loaded, if it is at all."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _cut_film(film: Path, config: PrepareConfig) -> FilmReport:
    """One film, from the first look to its Parquet file."""
    made_from = _made_from(film, config)
    counts = dict.fromkeys(_COUNTED, 0)
    path = _clips_of(film, config)
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            pictures_in_one_thread(),
            replacing(path) as temporary,
        ):
            warnings.simplefilter("always", FilmWarning)
            schema = SCHEMA.with_metadata({CROP_MARGIN: str(config.people.margin)})
            with (
                pa.OSFile(os.fsencode(temporary), "wb") as file,  # names are bytes
                pq.ParquetWriter(file, schema, compression="zstd") as writer,
            ):
                for table in cut_film(film, config):
                    writer.write_table(table)
                    paired = table["paired"][0].as_py()
                    for key, more in (("clips", 1), ("frames", len(table))):
                        counts[key] += more
                        counts[f"paired_{key}"] += more if paired else 0
    except (BadInputError, OSError) as error:  # OSError: a full disk, say
        reason = f"{film}: {error.strerror}" if isinstance(error, OSError) else str(error)
        return FilmReport(film.name, "failed", reason, dict.fromkeys(_COUNTED, 0), made_from)
    broken = [str(w.message) for w in warned if issubclass(w.category, FilmWarning)]
    return FilmReport(film.name, "ok", broken[0] if broken else "", counts, made_from)


def _clips_of(film: Path, config: PrepareConfig) -> Path:
    return config.output / f"{film.stem}.parquet"


def _made_from(film: Path, config: PrepareConfig) -> dict:
    """Settings, and size and time of change of every file that the clips of a film depend on."""
    settings = as_json(config)
    for key in ("films", "output", "workers", "ray"):
        del settings[key]
    used = [film, config.people.boxes]
    if config.backgrounds is not None:
        used.append(empty_scene_path(film, config.backgrounds))
    stamps = {
        as_json(Path(path.name)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in used
        if path is not None and path.is_file()
    }
    return {"settings": settings, "files": stamps}
