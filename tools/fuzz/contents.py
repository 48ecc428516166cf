"""What is wrong with a file that a command wrote with status 0."""

import csv
import json
import re
import shutil
import struct
import tempfile
from pathlib import Path

import av
import cv2
import ezc3d
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq


def nonsense(path: Path, energy_may_lack: bool) -> str:
    """What is wrong with a file that a command wrote with status 0; '' if nothing."""
    kind = path.suffix.lower()
    try:
        if kind == ".npz":
            with np.load(path) as archive:
                for name in archive.files:
                    array = archive[name]
                    if array.dtype.kind == "f" and not np.isfinite(array).all():
                        lacks = {"energy"} if energy_may_lack else set()
                        if "image" in archive.files and archive["image"].any():
                            lacks |= {"time"}  # of pictures
                        if name not in lacks:
                            return f"{name} is not finite"
        elif kind in (".json", ".jsonl"):

            def refuse(word: str) -> None:
                raise ValueError(f"{word} in it")

            text = path.read_text().replace(
                '"checkpoint_minutes": Infinity', '"checkpoint_minutes": 0'
            )
            lines = [text] if kind == ".json" else text.splitlines()
            for line in lines:
                json.loads(line, parse_constant=refuse)
        elif kind == ".csv":
            with path.open(newline="") as file:
                for row in csv.reader(file):
                    if {c.strip().lower() for c in row} & {"nan", "inf", "-inf"}:
                        return "nan or inf in it"
        elif kind == ".parquet":
            import pyarrow.compute as pc
            import pyarrow.parquet as pq

            table = pq.read_table(path, use_threads=False)
            for name in ("time", "fps", "background_motion"):
                if not pc.all(pc.is_finite(table[name])).as_py():
                    return f"{name} is not finite"
            for name in ("box", "crop"):
                if not np.isfinite(np.array(table[name].to_pylist(), float)).all():
                    return f"{name} is not finite"
        elif kind == ".safetensors":
            data = path.read_bytes()
            size = struct.unpack("<Q", data[:8])[0]
            for name, held in json.loads(data[8 : 8 + size]).items():
                if name != "__metadata__" and held["dtype"] in ("F32", "F16"):
                    start, end = held["data_offsets"]
                    dtype = {"F32": "<f4", "F16": "<f2"}[held["dtype"]]
                    array = np.frombuffer(data[8 + size + start : 8 + size + end], dtype)
                    if not np.isfinite(array).all():
                        return f"{name} is not finite"
        elif kind == ".mp4":
            import av

            with av.open(str(path)) as container:
                if next(container.decode(video=0), None) is None:
                    return "no frame in it"
        elif kind in (".bvh", ".trc"):
            if re.search(r"(?i)(?<![a-z])(nan|inf)(?![a-z])", path.read_text()):
                return "nan or inf in it"
        elif kind == ".c3d":
            import ezc3d

            with tempfile.TemporaryDirectory() as place:  # ezc3d knows names in UTF-8 only
                copy = shutil.copy(path, f"{place}/points.c3d")
                points = ezc3d.c3d(copy)["data"]["points"]
            if np.isinf(points).any():
                return "points are not finite"
        elif kind == ".html":
            text = re.sub(r'"[A-Za-z0-9+/=]{200,}"|base64,[A-Za-z0-9+/=]*', "", path.read_text())
            text = re.sub(r"<script.*?</script>", "", text, flags=re.S)
            if found := re.search(r"(?<![A-Za-z])(nan|NaN|inf)(?![A-Za-z])", text):
                return f"{found[0]} in it"
        elif kind in (".png", ".jpg"):
            import cv2

            if cv2.imread(str(path)) is None:
                return "no picture"
    except Exception as error:
        return f"cannot be read: {type(error).__name__}: {str(error)[:80]}"
    return ""
