"""The smallest data sets in the layouts of docs/benchmarks.md; the person is a cloud of points."""

from pathlib import Path

import h5py
import numpy as np
import scipy.io
from tools.fuzz.arrays import npz
from tools.fuzz.images import blob_frames, write_clip, write_image


def make_benchmarks(folder: Path) -> None:
    """The smallest folders in these layouts."""
    numbers = np.random.default_rng(5)
    count, image = 6, blob_frames(1, (96, 96))[0]

    def seen(joints: int) -> tuple[np.ndarray, np.ndarray]:
        body = numbers.normal(0, 300, (1, joints, 3)) + numbers.normal(0, 20, (count, joints, 3))
        body += [0, 0, 4000]
        return 100 * body[..., :2] / body[..., 2:] + 48, body

    def images(place: Path, names: list[str]) -> None:
        place.mkdir(parents=True)
        for name in names:
            write_image(place / name, image)

    camera = "54138969"
    for subject in ("S1", "S9"):
        place = folder / "h36m/processed" / subject / "Walking-1"
        numbered = [f"img_{i + 1:06d}.jpg" for i in range(count)]
        images(place / "imageSequence" / camera, numbered)
        flat, deep = seen(32)
        with h5py.File(place / "annot.h5", "w") as file:
            file["camera"], file["frame"] = np.full(count, int(camera)), np.arange(1, count + 1)
            file["pose/2d"], file["pose/3d"] = flat, deep
    for split, subject in (("train", "S1"), ("test", "S9")):
        name = f"{subject}_Walking_1.{camera}"
        listed = [f"{name}_{i + 1:06d}.jpg" for i in range(count)]
        images(folder / "mmpose/images" / subject / name, listed)
        flat, deep = seen(17)
        table = folder / f"mmpose/annotation_body3d/fps50/h36m_{split}.npz"
        table.parent.mkdir(parents=True, exist_ok=True)
        one = np.ones((count, 17, 1))
        arrays = {
            "imgname": np.array([f"{subject}/{name}/{each}" for each in listed]),
            "part": np.concatenate([flat, one], -1),
            "S": np.concatenate([deep / 1000, one], -1),
        }
        table.write_bytes(npz(arrays))
    place = folder / "3dhp/S1/Seq1"
    place.mkdir(parents=True)
    cells = {name: np.empty((14, 1), object) for name in ("annot2", "annot3", "univ_annot3")}
    for i in range(14):
        flat, deep = seen(28)
        for name, value in (("annot2", flat), ("annot3", deep), ("univ_annot3", deep)):
            cells[name][i, 0] = value.reshape(count, -1)
        write_clip(place / f"video_{i}.avi", [image] * count, "mjpeg", "yuvj420p")
    scipy.io.savemat(place / "annot.mat", cells, format="5")
    place = folder / "3dhptest/TS1"
    images(place / "imageSequence", [f"img_{i + 1:06d}.jpg" for i in range(count)])
    flat, deep = seen(17)
    with h5py.File(place / "annot_data.mat", "w") as file:
        file["annot2"], file["annot3"] = flat[:, None], deep[:, None]
        file["univ_annot3"] = deep[:, None]
        file["valid_frame"] = np.ones((count, 1))
        file["activity_annotation"] = np.ones((count, 1))
    flat, _ = seen(14)
    joints = np.concatenate([flat, np.zeros((count, 14, 1))], -1).transpose(2, 1, 0)
    images(folder / "lsp/images", [f"im{i + 1:04d}.jpg" for i in range(count)])
    scipy.io.savemat(folder / "lsp/joints.mat", {"joints": joints}, format="5")
