"""Good inputs, all in one folder; kinepose itself makes what only it can."""

import shutil
from pathlib import Path

import numpy as np
from tools.fuzz.arrays import npz
from tools.fuzz.cases import words
from tools.fuzz.good_benchmarks import make_benchmarks
from tools.fuzz.images import FRAMES, blob_frames, write_clip, write_image
from tools.fuzz.process import Zygote

_PATIENCE = 1200.0
"""The benchmark takes long [s]."""
VIDEO = "train_static_0000"
"""Of the benchmark: the one with poses and labels."""


def make_good_inputs(folder: Path, zygote: Zygote) -> None:
    """All of them."""

    def kinepose(line: str) -> None:
        found = zygote.run(words(line), folder, limit=_PATIENCE)
        if found["status"]:
            raise SystemExit(f"a good input fails: {line}: {found['stderr'][-2000:]}")

    _make_videos(folder)
    kinepose("synthworld --output sw --size tiny --workers 1")
    for name in (VIDEO, "train_static_0001"):
        shutil.copy(folder / f"sw/train_static/films/{name}.mp4", folder / f"{name[-4:]}.mp4")
    shutil.copytree(folder / "sw/train_static/clips", folder / "allclips")
    shutil.copytree(folder / "sw/train_static/labels", folder / "labels")
    shutil.copy(folder / f"labels/{VIDEO}.npz", folder / "labels.npz")
    kinepose("train --output run --clips allclips {clips}")
    kinepose("train --output bare {prior}")
    shutil.copytree(folder / "run", folder / "plain/run")
    shutil.rmtree(folder / "plain/run/images")  # a page with images takes 6 s
    kinepose("predict video.mp4 --output poses {all}")
    shutil.copy(folder / "poses/poses.npz", folder / "poses.npz")
    motion = "--run run --no-overlay --no-viewer --detector motion"
    kinepose(f"predict video.mp4 --output moved {motion}")
    kinepose("predict video.mp4 --output other {poses}")
    kinepose(f"predict sw/train_static/films/{VIDEO}.mp4 --output matched {{all}} --no-viewer")
    kinepose("evaluate matched labels.npz --output matched/metrics.json")
    kinepose("prepare video.mp4 --output clips {cut} --largest-invalid 1")
    kinepose("export-onnx --output model.onnx --run run")
    kinepose("score run --benchmark sw --output scores.json")
    kinepose("adapt 0000.mp4 --output adapted {adapt}")
    kinepose("reproduce --output table {row}")
    shutil.rmtree(folder / "table/runs")
    kinepose("export matched --formats bvh --output exported")
    _make_motions(folder)
    make_benchmarks(folder)
    for name in (".stdout", ".stderr", ".hang"):
        (folder / name).unlink(missing_ok=True)
    for name in (".tmp", ".state"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _make_videos(folder: Path) -> None:
    """Videos, images, scenes without their people, and boxes."""
    for kind in ("mp4", "mkv", "webm", "avi", "mov", "gif", "mpg"):
        write_clip(folder / f"video.{kind}", fps=25 if kind == "mpg" else 12)
    frames = blob_frames(4)
    for kind in ("jpg", "png", "webp", "tif", "bmp"):
        write_image(folder / f"pic.{kind}", frames[1])
    (folder / "pics").mkdir()
    for i, name in enumerate(("a.jpg", "b.png", "c.jpg")):
        write_image(folder / "pics" / name, frames[i])
    (folder / "scenes").mkdir()
    for name in ("video.png", "other.jpg"):
        write_image(folder / "scenes" / name, blob_frames(1)[0])
    rows = [["video.mp4", i, 0, 8 + 2.5 * i, 16, 28 + 2.5 * i, 66] for i in range(FRAMES)]
    lines = ["film,frame,track,x0,y0,x1,y1", *(",".join(map(str, row)) for row in rows)]
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")


def _make_motions(folder: Path) -> None:
    (folder / "motions").mkdir()
    shutil.copy(folder / "exported/track_0.bvh", folder / "motions/walk.bvh")
    (folder / "amass").mkdir()
    amass = {
        "poses": 0.2 * np.sin(np.arange(30)[:, None] / 5 + np.arange(156)),
        "trans": np.cumsum(np.full((30, 3), 0.01), 0),
        "mocap_framerate": np.array(60.0),
    }
    (folder / "amass/walk.npz").write_bytes(npz(amass))
