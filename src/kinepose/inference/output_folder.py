"""Whose results a folder holds: of one video and one set of settings, never a mixture."""

import hashlib
import json
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kinepose.inference.config import ExportConfig, PredictConfig
from kinepose.io.errors import BadInputError
from kinepose.io.files import beside, read_whole, regular_file
from kinepose.io.schema import write_json
from kinepose.video.images import image_paths

RECORD = "results.json"
"""Names the video and the settings."""
_OUTPUTS = re.compile(
    r"poses\.(npz|json|csv)|overlay\.mp4|viewer\.html|track_-?\d+\.(bvh|trc|c3d)"
    r"|overlay/[^/]+\.[^/.]+\.png"
)
"""Paths in the folder. What somebody made of them, track_0_clean.bvh say, is none of them."""
_MAY_DIFFER = (
    "video",
    "output",
    "formats",
    "overlay",
    "viewer",
    "detections",
    "overwrite",
    "device",
    "bfloat16",
    "batch_size",
)
"""Settings that change which files there are, or how they come about, but not what they say."""
_ENDS = 2**20
"""So much of a file's beginning and end tells it from others [bytes]."""

Record = dict[str, Any]


def prediction_record(config: PredictConfig, sha256: str) -> Record:
    """What the results of `predict` depend on; `sha256` is its run's model_sha256."""
    settings = {name: value for name, value in asdict(config).items() if name not in _MAY_DIFFER}
    settings["run"] = sha256
    settings["onnx"] = None if config.onnx is None else identity(regular_file(config.onnx))
    if config.people.boxes is not None:
        settings["people"]["boxes"] = identity(regular_file(config.people.boxes))
    return _plain({"video": identity(config.video), "settings": settings})


def export_record(config: ExportConfig, poses: Path, video: str) -> Record:
    """What the results of `export` depend on."""
    settings = {"poses": identity(poses), "rate": config.rate}
    return _plain({"video": {"name": video}, "settings": settings})


def check_output(folder: Path, record: Record, overwrite: bool) -> None:
    """That results can go into a folder: before long work, and again before they are moved in.

    Raises:
        BadInputError: if it holds results of another video or by other settings, unless these may
            be replaced.
    """
    if overwrite or not _held(folder):
        return
    held = _read_record(folder)
    if held is None:
        whose = "that do not say of what"
    elif held["video"] != record["video"]:
        whose = f"of another video ({held['video']['name']})"
    elif differing := _differing(held["settings"], record["settings"]):
        whose = f"by other settings ({', '.join(differing)})"
    else:
        return
    raise BadInputError(
        f"{folder} holds results {whose}: name another --output, or replace them by --overwrite"
    )


@contextmanager
def replacing_results(folder: Path, record: Record | None, overwrite: bool) -> Generator[Path]:
    """A folder to write results into, which take their places if the block succeeds.

    Till then earlier results stay as they are; then those of another video or of other settings go,
    all at once. Without a record the new ones are more of those that are there.

    Raises:
        BadInputError: if another command has brought other results meanwhile, unless these may be
            replaced.
    """
    with beside(folder) as written:
        yield written
        if record is not None:
            check_output(folder, record, overwrite)
        _move_in(written, folder, record)


def _move_in(written: Path, folder: Path, record: Record | None) -> None:
    """Whose results a folder holds is said last: of what is cut off here nobody makes a mixture."""
    changes = record is not None and _read_record(folder) != record
    earlier = _held(folder) if changes else []
    if changes:
        (folder / RECORD).unlink(missing_ok=True)
    for path in [path for path in written.rglob("*") if path.is_file()]:
        place = folder / path.relative_to(written)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)
        earlier = [old for old in earlier if old != place]
    for path in earlier:
        path.unlink()
    if changes:
        write_json(folder / RECORD, record)


def _held(folder: Path) -> list[Path]:
    inside = [path for path in (*folder.glob("*"), *folder.glob("overlay/*")) if path.is_file()]
    return [path for path in inside if _OUTPUTS.fullmatch(path.relative_to(folder).as_posix())]


def _read_record(folder: Path) -> Record | None:
    try:
        record = json.loads(read_whole(folder / RECORD))
        video = record.get("video") or record["film"]  # as it was called
        return {"video": dict(video), "settings": dict(record["settings"])}
    except (BadInputError, OSError, ValueError, KeyError, TypeError):
        return None


def _differing(held: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    names = sorted({*held, *wanted})
    return [name for name in names if held.get(name) != wanted.get(name)]


def identity(path: Path) -> dict[str, Any]:
    """Of a video, a folder of images, or a table: the same for a copy of the same name."""
    if path.is_dir():
        images = [[image.name, image.stat().st_size] for image in image_paths(path)]
        told = json.dumps(images).encode()
        return {"name": path.name, "pictures": len(images), "sha256": _sha256(told)}
    with regular_file(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        ends = file.read(_ENDS)
        file.seek(max(0, size - _ENDS))
        ends += file.read(_ENDS)
    return {"name": path.name, "bytes": size, "sha256_of_ends": _sha256(ends)}


def _sha256(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()


def _plain(record: Record) -> Record:
    """As it is read back from JSON."""
    return json.loads(json.dumps(record, default=str))
