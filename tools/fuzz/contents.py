"""What is wrong with a file that a command wrote with status 0."""

import csv
import json
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import ezc3d
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_NAN = re.compile(r"(?<![A-Za-z])(nan|NaN|inf)(?![A-Za-z])")


def nonsense(path: Path) -> str:
    """In words; '' if nothing is wrong, or the kind of file is none of ours."""
    try:
        if path.suffix == ".npz":
            return _npz(path)
        return _OF[path.suffix](path) if path.suffix in _OF else ""
    except Exception as error:  # whatever a reader says
        return f"cannot be read: {type(error).__name__}: {str(error)[:80]}"


def _npz(path: Path) -> str:
    with np.load(path) as archive:
        arrays = dict(archive)
    lacks = {"time"} if "image" in arrays and arrays["image"].any() else set()  # images have none
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all() and name not in lacks:
            return f"{name} is not finite"
    return ""


def _json(path: Path) -> str:
    def refuse(word: str) -> None:
        raise ValueError(f"{word} in it")

    text = path.read_text()
    for line in [text] if path.suffix == ".json" else text.splitlines():
        json.loads(line, parse_constant=refuse)
    return ""


def _csv(path: Path) -> str:
    with path.open(newline="") as file:
        for row in csv.reader(file):
            if {cell.strip().lower() for cell in row} & {"nan", "inf", "-inf"}:
                return "nan or inf in it"
    return ""


def _parquet(path: Path) -> str:
    table = pq.read_table(pa.OSFile(os.fsencode(path)), use_threads=False)  # names are bytes
    for name in ("time", "fps", "background_motion"):
        if not pc.all(pc.is_finite(table[name])).as_py():
            return f"{name} is not finite"
    for name in ("box", "crop"):
        if not np.isfinite(np.array(table[name].to_pylist(), float)).all():
            return f"{name} is not finite"
    return ""


def _tensors(path: Path) -> str:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    dtypes = {"F32": "<f4", "F16": "<f2"}
    for name, held in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__" and held["dtype"] in dtypes:
            start, end = (8 + size + offset for offset in held["data_offsets"])
            if not np.isfinite(np.frombuffer(data[start:end], dtypes[held["dtype"]])).all():
                return f"{name} is not finite"
    return ""


def _video(path: Path) -> str:
    with av.open(str(path)) as container:
        return "no frame in it" if next(container.decode(video=0), None) is None else ""


def _motion(path: Path) -> str:
    return "nan or inf in it" if _NAN.search(path.read_text()) else ""


def _c3d(path: Path) -> str:
    with tempfile.TemporaryDirectory() as place:  # ezc3d knows names in UTF-8 only
        copy = shutil.copy(path, f"{place}/points.c3d")
        points = ezc3d.c3d(copy)["data"]["points"]
    return "points are not finite" if np.isinf(points).any() else ""


def _page(path: Path) -> str:
    text = re.sub(r'"[A-Za-z0-9+/=]{200,}"|base64,[A-Za-z0-9+/=]*', "", path.read_text())
    found = _NAN.search(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    return f"{found[0]} in it" if found else ""


def _image(path: Path) -> str:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return "no image" if cv2.imdecode(data, cv2.IMREAD_UNCHANGED) is None else ""


_OF: dict[str, Callable[[Path], str]] = {
    **{".json": _json, ".jsonl": _json, ".csv": _csv, ".parquet": _parquet, ".mp4": _video},
    **{".safetensors": _tensors, ".bvh": _motion, ".trc": _motion, ".c3d": _c3d},
    **{".html": _page, ".png": _image, ".jpg": _image},
}
