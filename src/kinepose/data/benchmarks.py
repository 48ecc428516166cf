"""`convert`: recordings of the licensed benchmarks laid out as `synthesize` lays out its films.

OUTPUT/films, OUTPUT/labels and OUTPUT/boxes.csv then go the way of all films. What trains becomes
a film; what is scored stays the pictures that it is, a folder of links a recording.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from tqdm import tqdm

from kinepose.config import Benchmark, ConvertConfig
from kinepose.data.h36m import TEST_SUBJECTS, TRAIN_SUBJECTS, frames_of_protocol, read_h36m
from kinepose.data.lsp import read_lsp
from kinepose.data.mpi_inf_3dhp import read_test, read_train
from kinepose.data.poses import FORMAT_VERSION
from kinepose.data.recordings import Recording, boxes_around, film_labels
from kinepose.data.video import read_frames, write_video
from kinepose.errors import BadInputError
from kinepose.files import replacing
from kinepose.geometry.skeleton import JOINT_NAMES


def convert(config: ConvertConfig) -> None:
    """Write films, labels and boxes; films that an earlier call wrote are kept.

    Raises:
        BadInputError: if the folder does not hold the benchmark, or a picture or film is missing.
    """
    rows: list[list[object]] = []
    count = 0
    if config.benchmark == "lsp":
        test = read_lsp(config.folder)
        _link_pictures(test.pictures, config.output / "films" / "lsp")
        rows += _box_rows("lsp", np.arange(len(test.pictures)), test.joints2d)
        count = 1
    else:
        recordings = read_recordings(config.folder, config.benchmark, config.subjects)
        for recording in tqdm(recordings, "recordings", unit="recording"):
            film = _write_film(recording, config)
            _write_labels(config.output / "labels" / f"{recording.name}.npz", recording)
            rows += _box_rows(film.name, film_labels(recording).frame, recording.joints2d)
            count += 1
    with replacing(config.output / "boxes.csv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["film", "frame", "track", "x0", "y0", "x1", "y1"])
        writer.writerows(rows)
    print(f"{config.output}: {len(rows)} labelled frames of {count} films")


def read_recordings(
    folder: Path, benchmark: Benchmark, subjects: tuple[str, ...] = ()
) -> Iterator[Recording]:
    """What a benchmark trains on, or scores.

    Raises:
        BadInputError: if the folder does not hold it.
    """
    if benchmark == "mpi_inf_3dhp_train":
        yield from read_train(folder, subjects)
    elif benchmark == "mpi_inf_3dhp_test":
        yield from (r for r in read_test(folder) if not subjects or r.subject in subjects)
    elif benchmark == "h36m_train":
        yield from read_h36m(folder, subjects or TRAIN_SUBJECTS)
    else:
        for whole in read_h36m(folder, subjects or TEST_SUBJECTS):
            recording = frames_of_protocol(whole, benchmark)
            if recording is not None:
                yield recording


def _write_film(recording: Recording, config: ConvertConfig) -> Path:
    """The film, or the folder of pictures, to be found under the recording's name."""
    films = config.output / "films"
    if recording.film is not None:
        film = films / f"{recording.name}{recording.film.suffix}"
        _link(recording.film, film)
    elif config.benchmark == "h36m_train":
        film = films / f"{recording.name}.mp4"
        if not film.exists():
            pictures = (next(read_frames(picture)).image for picture in recording.pictures)
            write_video(film, pictures, float(film_labels(recording).fps))
    else:
        film = films / recording.name
        _link_pictures(recording.pictures, film)
    return film


def _link_pictures(pictures: tuple[Path, ...], folder: Path) -> None:
    """Under names whose order is theirs: `predict` counts a folder's pictures in that order."""
    for number, picture in enumerate(pictures):
        _link(picture, folder / f"{number:06d}{picture.suffix}")


def _link(target: Path, link: Path) -> None:
    if not target.is_file():
        raise BadInputError(f"the benchmark lacks {target}")
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        os.symlink(target.resolve(), link)


def _write_labels(path: Path, recording: Recording) -> None:
    labels = film_labels(recording)
    with replacing(path) as temporary:
        np.savez(
            temporary,
            joint_names=np.array(JOINT_NAMES),
            format_version=np.int64(FORMAT_VERSION),
            **{field.name: getattr(labels, field.name) for field in fields(labels)},
        )


def _box_rows(
    film: str, frame: Int64[np.ndarray, " frames"], joints2d: Float32[np.ndarray, "frames 17 2"]
) -> list[list[object]]:
    boxes = boxes_around(joints2d)
    return [
        [film, number, 0, *(f"{side:.2f}" for side in box)]
        for number, box in zip(frame, boxes, strict=True)
    ]
