"""`convert`: recordings of the licensed benchmarks laid out as `synthesize` lays out its videos.

OUTPUT/videos, OUTPUT/labels and OUTPUT/boxes.csv then go the way of all videos. What trains becomes
a video; what is scored stays the images that it is, a folder of links a recording.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from tqdm import tqdm

from kinepose.artifacts.pose_files import write_labels
from kinepose.benchmarks.config import Benchmark, ConvertConfig
from kinepose.benchmarks.h36m import TEST_SUBJECTS, TRAIN_SUBJECTS, frames_of_protocol, read_h36m
from kinepose.benchmarks.lsp import read_lsp
from kinepose.benchmarks.mpi_inf_3dhp import read_test, read_train
from kinepose.benchmarks.recording import Recording, boxes_around, video_labels
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder, replacing
from kinepose.video.reading import read_frames
from kinepose.video.writing import write_video

_OURS = re.compile(r"\d{6,}\.\w+")
"""Names of the images that are linked."""


def convert(config: ConvertConfig) -> None:
    """Write videos, labels and boxes; videos that an earlier call encoded are kept.

    Raises:
        BadInputError: if the folder does not hold the benchmark, or an image or video is missing.
    """
    check_folder(config.output)
    if config.benchmark == "lsp":
        test = read_lsp(config.folder)
        _link_images(test.images, config.output / "films" / "lsp")
        rows = _box_rows("lsp", np.arange(len(test.images)), test.joints2d)
        _write_boxes(config.output, rows)
        return
    recordings = read_recordings(config.folder, config.benchmark, config.subjects)
    lay_out(recordings, config.output, encoded=config.benchmark == "h36m_train")


def lay_out(recordings: Iterable[Recording], output: Path, encoded: bool = False) -> None:
    """Write recordings as videos, labels and boxes; images are encoded as a video, or linked.

    Raises:
        BadInputError: if an image or video is missing.
    """
    rows: list[list[object]] = []
    videos = output / "films"
    for recording in tqdm(recordings, "recordings", unit="recording"):
        labels = video_labels(recording)
        if encoded:
            video = _encode(recording, float(labels.fps), videos)
        else:
            video = _link_video(recording, videos)
        write_labels(output / "labels" / f"{recording.name}.npz", labels)
        rows += _box_rows(video.name, labels.frame, labels.joints2d)
    _write_boxes(output, rows)


def read_recordings(
    folder: Path, benchmark: Benchmark, subjects: tuple[str, ...] = ()
) -> Iterator[Recording]:
    """What a benchmark trains on, or scores, of some subjects or of all.

    Raises:
        BadInputError: if the folder does not hold it.
    """
    found = False
    for recording in _all_recordings(folder, benchmark, subjects):
        found = True
        yield recording
    if not found:
        who = f" of {', '.join(subjects)}" if subjects else ""
        raise BadInputError(f"{folder} has nothing of what {benchmark} is made from{who}")


def _all_recordings(
    folder: Path, benchmark: Benchmark, subjects: tuple[str, ...]
) -> Iterator[Recording]:
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


def _encode(recording: Recording, fps: float, videos: Path) -> Path:
    """A video of the recording's images, unless an earlier call wrote it."""
    video = videos / f"{recording.name}.mp4"
    if not video.exists():
        write_video(video, (next(read_frames(path)).image for path in recording.images), fps)
    return video


def _link_video(recording: Recording, videos: Path) -> Path:
    """The recording's video, or a folder of its images, to be found under its name."""
    if recording.video is None:
        _link_images(recording.images, videos / recording.name)
        return videos / recording.name
    link = videos / f"{recording.name}{recording.video.suffix}"
    _link(recording.video, link)
    return link


def _link_images(images: tuple[Path, ...], folder: Path) -> None:
    """Under names whose order is theirs: `predict` counts a folder's images in that order.

    Links of an earlier call go: another protocol has other images.
    """
    for link in folder.glob("*"):
        if not (link.is_symlink() and _OURS.fullmatch(link.name)):
            raise BadInputError(f"{link} is not of an earlier call: name another --output")
    for link in folder.glob("*"):
        link.unlink()
    for number, image in enumerate(images):
        _link(image, folder / f"{number:06d}{image.suffix}")


def _link(target: Path, link: Path) -> None:
    if not target.is_file():
        raise BadInputError(f"the benchmark lacks {target}")
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise BadInputError(f"{link} is not of an earlier call: name another --output")
    os.symlink(target.resolve(), link)


def _box_rows(
    video: str, frame: Int64[np.ndarray, " frames"], joints2d: Float32[np.ndarray, "frames 17 2"]
) -> list[list[object]]:
    boxes = boxes_around(joints2d)
    return [
        [video, number, 0, *(f"{side:.2f}" for side in box)]
        for number, box in zip(frame, boxes, strict=True)
    ]


def _write_boxes(output: Path, rows: list[list[object]]) -> None:
    with replacing(output / "boxes.csv") as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["film", "frame", "track", "x0", "y0", "x1", "y1"])
        writer.writerows(rows)
    print(f"{output}: {len(rows)} labelled frames of {len({row[0] for row in rows})} videos")
