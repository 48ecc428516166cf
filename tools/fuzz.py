"""About a thousand bad inputs for every command, each judged by one promise.

Bad input gets one clear line and a non-zero exit status; never a traceback or a report of a bug,
never a hang, never a half-written or wrong result with status 0, and nothing that existed is lost.

    OMP_NUM_THREADS=1 python tools/fuzz.py WORKDIR [COUNT]

COUNT inputs (1000) are drawn from a longer list, the same for the same COUNT and $FUZZ_SEED (0).
$FUZZ_ONLY keeps the families whose name holds one of these words (a|b). Good inputs are made
first, by this script and by kinepose itself. A process that has imported kinepose forks one child
an input, which calls kinepose.cli.main with sys.argv set, in a folder of its own, with 8 GiB of
address space and 60 s. What is found is run once more by the true command line, unless
$FUZZ_CONFIRM is 0. WORKDIR gets results.jsonl, summary.md and findings/NAME with the input and what
was printed. A judgement may be wrong: look before you mend. 23 minutes of a free core.
"""

import base64
import collections
import csv
import dataclasses
import hashlib
import io
import json
import math
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import typing
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"  # kinepose does so itself before it imports tqdm
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ["PYTHONIOENCODING"] = "utf-8:strict"  # as in a user's en_US.UTF-8, not in C
sys.dont_write_bytecode = True

import numpy as np

SEED = int(os.environ.get("FUZZ_SEED", "0"))
LIMIT = 60.0
MEMORY = 8 * 2**30
LARGEST_FILE = 3 * 2**30
LONG_LINE, LONG_TEXT = 700, 12
KINEPOSE = str(Path(sys.executable).with_name("kinepose"))
FRAMES, SIDE = 24, (96, 72)
TINY = [
    *("--model.image-size", "32", "--model.map-size", "8", "--model.backbone", "resnet"),
    *("--model.pretrained", "None", "--model.frozen-stages", "0", "--model.backbone-stem", "8"),
    *("--model.backbone-widths", "8", "8", "8", "16", "--model.backbone-depths", *"1111"),
    *("--model.backbone-block", "basic", "--model.heatmaps", "8", "--model.branch-width", "32"),
    *("--model.appearance-widths", *["8"] * 10, "--model.pose-feature-width", "8"),
    *("--model.decoder-widths", "16", "8", "8"),
]
QUICK = ["--iterations", "2", "--warm-up", "0", "--batch-size", "2", "--prior-images", "2"]
PRIOR = ["--variant", "prior", *QUICK, *TINY]


# ---------------------------------------------------------------- one run, in a child of a child


class Zygote:
    """A process that has imported kinepose, and forks one child for each input."""

    def __init__(self) -> None:
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(ours[1])
            os.close(theirs[0])
            try:
                _serve(os.fdopen(ours[0], "r"), os.fdopen(theirs[1], "w"))
            finally:
                os._exit(0)
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.back = os.fdopen(ours[1], "w"), os.fdopen(theirs[0], "r")

    def run(self, argv: list[str], folder: Path, interrupt: float = 0.0) -> dict:
        ask = {
            "argv": [base64.b64encode(os.fsencode(word)).decode() for word in argv],
            "folder": str(folder),
            "interrupt": interrupt,
        }
        self.to.write(json.dumps(ask) + "\n")
        self.to.flush()
        answer = json.loads(self.back.readline())
        answer["bug"] = _bug(folder)
        for name in ("stdout", "stderr"):
            answer[name] = _text(folder / f".{name}")
        return answer

    def end(self) -> None:
        self.to.close()
        os.waitpid(self.pid, 0)


def _serve(asks: typing.TextIO, answers: typing.TextIO) -> None:
    import importlib
    import pkgutil

    import kinepose.cli

    names = [found.name for found in pkgutil.walk_packages(kinepose.__path__, "kinepose.")]
    more = [
        "h5py",
        "scipy.io",
        "pybvh",
        "ezc3d",
        "onnx",
        "onnxruntime",
        "matplotlib.figure",
        "uvicorn",
        "tqdm",
    ]
    for name in [*(n for n in names if not n.endswith("__main__")), *more]:
        importlib.import_module(name)
    kinepose.dataset.backgrounds.PICTURES = 24
    for line in asks:
        ask = json.loads(line)
        argv = [os.fsdecode(base64.b64decode(word)) for word in ask["argv"]]
        folder, began = Path(ask["folder"]), time.monotonic()
        pid = os.fork()
        if not pid:
            _child(kinepose.cli.main, argv, folder)
        answers.write(json.dumps(_waited(pid, began, ask["interrupt"])) + "\n")
        answers.flush()


def _child(main: Callable[[], None], argv: list[str], folder: Path) -> None:
    import faulthandler
    import multiprocessing.util
    import traceback

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.chdir(folder)
    (folder / ".tmp").mkdir(exist_ok=True)
    os.environ |= {"TMPDIR": str(folder / ".tmp"), "XDG_STATE_HOME": str(folder / ".state")}

    tempfile.tempdir = None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, name in ((1, ".stdout"), (2, ".stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb"), "utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb"), "utf-8", "backslashreplace")
    where = (folder / ".hang").open("w")
    faulthandler.dump_traceback_later(LIMIT - 2, file=where)
    faulthandler.enable(where)
    sys.argv = ["kinepose", *argv]
    status = 0
    try:
        main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
        multiprocessing.util._exit_function()  # as Python does at its end
        os._exit(status & 255)


def _waited(pid: int, began: float, interrupt: float) -> dict:
    """How the child ended; it is killed after LIMIT, with all that it started."""
    hung = interrupted = False
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        taken = time.monotonic() - began
        if interrupt and taken > interrupt and not interrupted:
            interrupted = True
            os.kill(pid, signal.SIGINT)
        if taken > LIMIT and not hung:
            hung = True
            _end_group(pid)
        time.sleep(0.005 if taken < 1 else 0.03)
    left = _end_group(pid)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - began, 2),
        "megabytes": used.ru_maxrss // 1024,
        "hung": hung,
        "interrupted": interrupted,
        "processes_left": left,
    }


def _end_group(pid: int) -> bool:
    """Whether there was anybody left of the session that we started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _bug(folder: Path) -> str:
    """What kinepose would have us send its developers."""
    return "".join(_text(path) for path in sorted((folder / ".state").rglob("*.txt")))


def _text(path: Path, limit: int = 200_000) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(limit).decode("utf-8", "backslashreplace")


# ---------------------------------------------------------------- films and pictures


def blob_frames(count: int = FRAMES, size: tuple[int, int] = SIDE) -> list[np.ndarray]:
    """Somebody reddish who walks across stripes."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    scene = 128 + 40 * np.sin(x / 7)[..., None] * [1, 0.7, 0.4] + 30 * np.cos(y / 5)[..., None]
    frames = []
    for i in range(count):
        image = scene.copy()
        left = int((0.1 + 0.7 * i / max(count, 2)) * width)
        image[height // 4 : -height // 8, left : left + max(1, width // 7)] = [230, 60, 40]
        frames.append(image.clip(0, 255).astype(np.uint8))
    return frames


def film(
    path: Path,
    frames: list[np.ndarray] | None = None,
    codec: str = "",
    pixels: str = "yuv420p",
    fps: int | Fraction = 12,
    times: list[int] | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """With PyAV; times are in ms."""
    import av

    frames = blob_frames() if frames is None else frames
    usual = {"gif": "gif", "webm": "libvpx", "avi": "mpeg4", "mpg": "mpeg1video"}
    codec = codec or usual.get(path.suffix[1:], "libx264")
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        stream = out.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else pixels
        stream.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if times is not None:
                picture.pts, picture.time_base = times[i], Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


def picture(path: Path, image: np.ndarray | None = None) -> Path:
    import cv2

    image = blob_frames(3)[1] if image is None else image
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def sound_only() -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        for i in range(20):
            wave = np.sin(np.arange(1024) / 9).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def png_bytes(width: int, height: int, real: bool) -> bytes:
    """Grey; of one that is not real only the head claims this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    if real:
        packer = zlib.compressobj(1)
        rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height))
        data = rows + packer.flush()
    else:
        data = zlib.compress(bytes(4096))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def special_films() -> dict[str, tuple[str, Callable[[Path], object], str]]:
    """Films that are unusual rather than broken, and other things called films."""
    plain = blob_frames()
    far = [83 * i + (10**9 if i >= 12 else 0) for i in range(FRAMES)]
    smaller = blob_frames(12, (64, 48))

    def two_sizes(path: Path) -> None:
        parts = []
        for number, frames in enumerate((plain[:12], smaller)):
            part = film(path.with_name(f"part{number}.ts"), frames, container="mpegts")
            parts.append(part.read_bytes())
            part.unlink()
        path.write_bytes(b"".join(parts))

    def text(content: str | bytes) -> Callable[[Path], object]:
        data = content if isinstance(content, bytes) else content.encode()
        return lambda path: path.write_bytes(data)

    def mp4_claims(width: int, height: int) -> Callable[[Path], object]:
        def make(path: Path) -> None:
            data = bytearray(film(path).read_bytes())
            at = data.find(b"avc1", data.find(b"stsd")) + 28
            data[at : at + 4] = struct.pack(">HH", width, height)
            path.write_bytes(bytes(data))

        return make

    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    gif += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02D\x01\x00;"
    black = [np.zeros_like(plain[0])] * FRAMES
    noise = list(np.random.default_rng(1).integers(0, 256, (FRAMES, 72, 96, 3), np.uint8))
    return {
        "one frame": ("mp4", lambda p: film(p, plain[:1]), "any"),
        "two frames": ("mp4", lambda p: film(p, plain[:2]), "any"),
        "2 x 2 px": ("mp4", lambda p: film(p, [f[:2, :2] for f in plain]), "any"),
        "1 x 1 px": ("mkv", lambda p: film(p, [f[:1, :1] for f in plain], "ffv1", "bgr0"), "any"),
        "2000 x 2 px": ("mp4", lambda p: film(p, blob_frames(4, (2000, 2))), "any"),
        "2 x 2000 px": ("mp4", lambda p: film(p, blob_frames(4, (2, 2000))), "any"),
        "black": ("mp4", lambda p: film(p, black), "any"),
        "noise": ("mp4", lambda p: film(p, noise), "any"),
        "a still": ("mp4", lambda p: film(p, plain[:1] * FRAMES), "any"),
        "a leap in time of 11 days": ("mkv", lambda p: film(p, times=far), "any"),
        "one time for all frames": ("mkv", lambda p: film(p, times=[0] * FRAMES), "any"),
        "a frame in 1000 s": ("mp4", lambda p: film(p, fps=Fraction(1, 1000)), "any"),
        "100000 frames/s": ("mkv", lambda p: film(p, fps=100000), "any"),
        "other size in the middle": ("ts", two_sizes, "any"),
        "10 bits": ("mp4", lambda p: film(p, pixels="yuv420p10le"), "any"),
        "grey": ("mp4", lambda p: film(p, pixels="gray"), "any"),
        "raw H.264": ("h264", lambda p: film(p, container="h264"), "any"),
        "sound only": ("mp4", text(sound_only()), "fail"),
        "subtitles": ("mp4", text("1\n00:00:00,000 --> 00:00:02,000\nHello\n"), "fail"),
        "a playlist of another file": ("mp4", text("#EXTM3U\n#EXTINF:2,\nother.mp4\n"), "fail"),
        "a playlist of the web": (
            "mp4",
            text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n"),
            "fail",
        ),
        "a list for concat": ("mp4", text("ffconcat version 1.0\nfile '/etc/hostname'\n"), "fail"),
        "a text with colours": ("mp4", text("\x1b[31mred\x1b[0m\n" * 300), "fail"),
        "Y4M of 100000 x 100000": ("y4m", text("YUV4MPEG2 W100000 H100000 F25:1\nFRAME\n"), "fail"),
        "Y4M of 16000 x 16000": ("y4m", text("YUV4MPEG2 W16000 H16000 F25:1\nFRAME\n"), "fail"),
        "Y4M of 25:0": ("y4m", text(b"YUV4MPEG2 W4 H4 F25:0\nFRAME\n" + bytes(24)), "any"),
        "Y4M of 0 x 0": ("y4m", text("YUV4MPEG2 W0 H0 F25:1\nFRAME\n"), "fail"),
        "GIF of 65535 x 65535": ("gif", text(gif), "fail"),
        "MP4 says 65535 x 65535": ("mp4", mp4_claims(65535, 65535), "any"),
        "MP4 says 0 x 0": ("mp4", mp4_claims(0, 0), "any"),
    }


# ---------------------------------------------------------------- good inputs


def make_seeds(folder: Path, zygote: Zygote) -> None:
    """All good inputs, in one folder; kinepose itself makes what only it can."""

    def kp(*argv: str) -> None:
        found = zygote.run(list(argv), folder)
        if found["status"]:
            raise SystemExit(f"a good input fails: {argv}: {found['stderr'][-2000:]}")

    for kind in ("mp4", "mkv", "webm", "avi", "mov", "gif", "mpg"):
        film(folder / f"film.{kind}", fps=25 if kind == "mpg" else 12)
    frames = blob_frames(4)
    for kind in ("jpg", "png", "webp", "tif", "bmp"):
        picture(folder / f"pic.{kind}", frames[1])
    (folder / "pics").mkdir()
    for i, kind in enumerate(("jpg", "png", "jpg")):
        picture(folder / "pics" / f"{'abc'[i]}.{kind}", frames[i])
    (folder / "scenes").mkdir()
    still = blob_frames(1)[0]
    picture(folder / "scenes" / "film.png", still)
    picture(folder / "scenes" / "other.jpg", still)
    rows = [["film.mp4", i, 0, 8 + 2.5 * i, 16, 28 + 2.5 * i, 66] for i in range(FRAMES)]
    lines = ["film,frame,track,x0,y0,x1,y1", *(",".join(map(str, row)) for row in rows)]
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")
    kp("synthworld", "--output", "sw", "--size", "tiny", "--workers", "1")
    clips, labels = "sw/train_static/clips", "sw/train_static/labels"
    (folder / "clips").mkdir()
    for name in ("train_static_0000", "train_static_0001"):
        shutil.copy(folder / "sw/train_static/films" / f"{name}.mp4", folder / f"{name[-4:]}.mp4")
    shutil.copytree(folder / clips, folder / "allclips")
    shutil.copytree(folder / labels, folder / "labels")
    on_clips = ["--clips", "allclips", "--consistency-from", "0", *QUICK, *TINY]
    kp("train", "--output", "run", *on_clips, "--smallest-spread", "0")
    kp("train", "--output", "bare", *PRIOR)
    for name in ("plain/run", "light/run"):  # a page with pictures takes 6 s
        shutil.copytree(folder / "run", folder / name)
        shutil.rmtree(folder / name / "pictures")
    for name in ("state.safetensors", "prior.npz"):
        (folder / "light/run" / name).unlink()
    some = ["--detector", "none", "--run", "run"]
    kp("predict", "film.mp4", "--output", "poses", *some)
    shutil.copy(folder / "poses/poses.npz", folder / "poses.npz")
    kp(
        "predict",
        "film.mp4",
        "--output",
        "moved",
        "--run",
        "run",
        "--detector",
        "motion",
        "--no-overlay",
        "--no-viewer",
    )
    kp("predict", "film.mp4", "--output", "other", *some, "--no-overlay", "--no-viewer")
    film_name = "train_static_0000"
    kp(
        *("predict", f"sw/train_static/films/{film_name}.mp4", "--output", "matched"),
        *some,
        "--no-viewer",
    )
    shutil.copy(folder / f"labels/{film_name}.npz", folder / "labels.npz")
    kp("evaluate", "matched", "labels.npz", "--output", "matched/metrics.json")
    shutil.rmtree(folder / "clips")
    cut = [
        "--shortest-clip",
        "1",
        "--crop-size",
        "32",
        "--workers",
        "1",
        "--largest-invalid",
        "1",
        "--detector",
        "motion",
    ]
    kp("prepare", "film.mp4", "--output", "clips", "--no-whole", *cut)
    kp("export-onnx", "--output", "model.onnx", "--run", "run")
    kp("score", "run", "--benchmark", "sw", "--output", "scores.json")
    tiny = json.loads((folder / "scores.json").read_text())
    tiny["benchmark"]["size"] = "small"
    (folder / "small.json").write_text(json.dumps(tiny))
    kp(
        *("adapt", "0000.mp4", "--output", "adapted", "--start", "run", "--detector", "none"),
        *("--renders", "0", "--iterations", "2", "--check-every", "1", "--workers", "1"),
        *("--batch-size", "2", "--shortest-clip", "0.5"),
    )
    kp(
        *("reproduce", "--output", "table", "--size", "tiny", "--folder", "sw", "--rows", "prior"),
        *("--seeds", "0", "--iterations", "1"),
    )
    shutil.rmtree(folder / "table/runs")
    (folder / "motions").mkdir()
    kp("export", "matched", "--formats", "bvh", "--output", "exported")
    shutil.copy(folder / "exported/track_0.bvh", folder / "motions/walk.bvh")
    (folder / "amass").mkdir()
    amass = {
        "poses": 0.2 * np.sin(np.arange(30)[:, None] / 5 + np.arange(156)),
        "trans": np.cumsum(np.full((30, 3), 0.01), 0),
        "mocap_framerate": np.array(60.0),
    }
    (folder / "amass/walk.npz").write_bytes(npz(amass))
    make_benchmarks(folder)
    for name in (".stdout", ".stderr", ".hang"):
        (folder / name).unlink(missing_ok=True)
    for name in (".tmp", ".state"):
        shutil.rmtree(folder / name, ignore_errors=True)


def make_benchmarks(folder: Path) -> None:
    """The smallest folders in the layouts of docs/data.md; the person is a cloud of points."""
    import h5py
    import scipy.io

    numbers = np.random.default_rng(5)
    count, image = 6, blob_frames(1, (96, 96))[0]

    def seen(joints: int) -> tuple[np.ndarray, np.ndarray]:
        body = numbers.normal(0, 300, (1, joints, 3)) + numbers.normal(0, 20, (count, joints, 3))
        body += [0, 0, 4000]
        return 100 * body[..., :2] / body[..., 2:] + 48, body

    def pictures(place: Path, names: list[str]) -> None:
        place.mkdir(parents=True)
        for name in names:
            picture(place / name, image)

    camera = "54138969"
    for subject in ("S1", "S9"):
        place = folder / "h36m/processed" / subject / "Walking-1"
        numbered = [f"img_{i + 1:06d}.jpg" for i in range(count)]
        pictures(place / "imageSequence" / camera, numbered)
        flat, deep = seen(32)
        with h5py.File(place / "annot.h5", "w") as file:
            file["camera"], file["frame"] = np.full(count, int(camera)), np.arange(1, count + 1)
            file["pose/2d"], file["pose/3d"] = flat, deep
    for split, subject in (("train", "S1"), ("test", "S9")):
        name = f"{subject}_Walking_1.{camera}"
        listed = [f"{name}_{i + 1:06d}.jpg" for i in range(count)]
        pictures(folder / "mmpose/images" / subject / name, listed)
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
        film(place / f"video_{i}.avi", [image] * count, "mjpeg", "yuvj420p")
    scipy.io.savemat(place / "annot.mat", cells, format="5")
    place = folder / "3dhptest/TS1"
    pictures(place / "imageSequence", [f"img_{i + 1:06d}.jpg" for i in range(count)])
    flat, deep = seen(17)
    with h5py.File(place / "annot_data.mat", "w") as file:
        file["annot2"], file["annot3"] = flat[:, None], deep[:, None]
        file["univ_annot3"] = deep[:, None]
        file["valid_frame"] = np.ones((count, 1))
        file["activity_annotation"] = np.ones((count, 1))
    flat, _ = seen(14)
    joints = np.concatenate([flat, np.zeros((count, 14, 1))], -1).transpose(2, 1, 0)
    pictures(folder / "lsp/images", [f"im{i + 1:04d}.jpg" for i in range(count)])
    scipy.io.savemat(folder / "lsp/joints.mat", {"joints": joints}, format="5")


# ---------------------------------------------------------------- mutations of any bytes

Numbers = np.random.Generator
Mutation = Callable[[bytes, Numbers], bytes]


def _flipped(data: bytes, numbers: Numbers, low: int, high: int) -> bytes:
    changed = bytearray(data)
    low, high = max(0, min(low, len(data) - 1)), max(1, min(high, len(data)))
    for at in numbers.integers(low, max(low + 1, high), int(numbers.integers(1, 9))):
        changed[at] ^= int(numbers.integers(1, 256))
    return bytes(changed)


def _zeroed(data: bytes, numbers: Numbers) -> bytes:
    start = int(numbers.uniform(0.05, 0.9) * len(data))
    length = max(1, int(numbers.uniform(0.05, 0.3) * len(data)))
    return (data[:start] + bytes(length) + data[start + length :])[: len(data)]


def _swapped(data: bytes, numbers: Numbers) -> bytes:
    a, b, c = sorted(int(x) for x in numbers.integers(1, max(2, len(data)), 3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


PICKLE = b"\x80\x04cos\nsystem\n(X\x0b\x00\x00\x00touch pwnedtR."
WRONG_TYPES: dict[str, bytes] = {
    "a text": b"This is no such file.\n" * 20,
    "an HTML page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    "JSON": b'{"a": [1, 2, 3]}\n',
    "gzip": b"\x1f\x8b\x08\x00" + bytes(6) + zlib.compress(b"x" * 200)[2:],
    "an ELF program": b"\x7fELF\x02\x01\x01" + bytes(200),
    "a pickle": PICKLE,
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n",
    "UTF-16": "frame,track\n1,2\n".encode("utf-16"),
}
BYTES: dict[str, Mutation] = {
    "truncated": lambda d, n: d[: max(1, int(n.uniform(0.02, 0.98) * len(d)))],
    "bytes flipped in its head": lambda d, n: _flipped(d, n, 0, 256),
    "bytes flipped": lambda d, n: _flipped(d, n, 0, len(d)),
    "bytes flipped in its tail": lambda d, n: _flipped(d, n, len(d) - 256, len(d)),
    "a part zeroed": _zeroed,
    "parts swapped": _swapped,
    "its last byte missing": lambda d, n: d[:-1],
    "1 kB appended": lambda d, n: d + n.bytes(1000),
    "twice in a row": lambda d, n: d + d,
    "random bytes": lambda d, n: n.bytes(min(len(d), 100_000)),
    "zeros": lambda d, n: bytes(min(len(d), 100_000)),
    "empty": lambda d, n: b"",
}
PLAINLY_BAD = {"random bytes", "zeros", "empty"}
PLACES = ("missing", "folder", "dangling link", "link to itself", "pipe", "/dev/null", "/dev/zero")


def put_in_place(path: Path, kind: str) -> None:
    """Something that is no plain file, where a file was."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
        (path / "a.txt").write_text("a\n")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind.startswith("/dev/"):
        path.symlink_to(kind)


# ---------------------------------------------------------------- mutations by format


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def load(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data)) as archive:
        return {name: archive[name] for name in archive.files}


def npy(head: bytes, data: bytes = b"") -> bytes:
    head = head + b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def zip_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


_BOMBS: dict[tuple[str, int], bytes] = {}


def bomb(data: bytes, key: str, gigabytes: float) -> bytes:
    """The archive, one member of which inflates to so much: a few MB of it on disk."""
    array = load(data)[key]
    row = max(1, int(np.prod(array.shape[1:])) * array.itemsize)
    blocks = int(gigabytes * 2**30) // 2**20
    size = blocks * 2**20 // row * row
    kind = np.lib.format.dtype_to_descr(array.dtype)
    shape = (size // row, *array.shape[1:])
    head = npy(repr({"descr": kind, "fortran_order": False, "shape": shape}).encode())
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -15)
    last = end.compress(bytes(size - (size // 2**20) * 2**20)) + end.flush()
    packed = start + block * (size // 2**20) + last
    check = zlib.crc32(head)
    for _ in range(size // 2**20):
        check = zlib.crc32(bytes(2**20), check)
    check = zlib.crc32(bytes(size - (size // 2**20) * 2**20), check)
    members = {f"{name}.npy": None for name in load(data) if name != key}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in members:
            member = io.BytesIO()
            np.lib.format.write_array(member, load(data)[name[:-4]])
            archive.writestr(name, member.getvalue())
        info = zipfile.ZipInfo(f"{key}.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        info.header_offset = out.tell()
        info.CRC, info.compress_size, info.file_size = check, len(packed), len(head) + size
        out.write(info.FileHeader())
        out.write(packed)
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
        archive.start_dir = out.tell()
        archive._didModify = True
    return out.getvalue()


def npz_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    """What can be wrong with arrays and their archive; and whether it must be refused."""
    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, change: Callable[[dict], object], expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            arrays = load(data)
            change(arrays)
            return npz(arrays)

        made.append((words, mutate, expect))

    def put(key: str, value: object) -> Callable[[dict], object]:
        def change(arrays: dict) -> None:
            new = value(arrays[key]) if callable(value) else value
            arrays[key] = np.asarray(new)

        return change

    def one(array: np.ndarray, value: object) -> np.ndarray:
        changed = array.copy()
        changed.reshape(-1)[min(3, changed.size - 1)] = value
        return changed

    for key, array in load(base).items():
        add(f"no {key}", lambda arrays, key=key: arrays.pop(key))
        add(f"{key} an object", put(key, np.array([None, 1], object)))
        if array.dtype.kind in "fiu":
            add(f"{key} words", put(key, lambda a: np.full(a.shape, "word")))
            add(f"{key} complex", put(key, lambda a: a.astype(complex) + 1j))
            add(f"{key} bool", put(key, lambda a: a.astype(bool)), "any")
            add(f"{key} uint8", put(key, lambda a: a.astype(np.uint8)), "any")
            add(f"{key} big-endian", put(key, lambda a: a.astype(a.dtype.newbyteorder())), "any")
            add(f"{key} zeros", put(key, lambda a: np.zeros_like(a)), "any")
        if array.dtype.kind == "f":
            nan = "any" if key == "energy" else "fail"
            for value in (np.nan, np.inf):
                add(f"{key} with {value}", put(key, lambda a, v=value: one(a, v)), nan)
            add(f"{key} with -1", put(key, lambda a: one(a, -1)), "fail" if key == "fps" else "any")
            add(f"{key} with 1e30", put(key, lambda a: one(a, 1e30)), "any")
            add(f"{key} float64", put(key, lambda a: a.astype(np.float64)), "any")
            add(f"{key} int64", put(key, lambda a: np.nan_to_num(a).astype(np.int64)), "any")
        if array.dtype.kind in "iu" and array.ndim:
            for value in (-1, 2**40, 2**62):
                if value <= np.iinfo(array.dtype).max:
                    add(f"{key} with {value}", put(key, lambda a, v=value: one(a, v)), "any")
            add(f"{key} backwards", put(key, lambda a: a[::-1].copy()), "any")
            add(f"{key} all the same", put(key, lambda a: np.full_like(a, a.flat[0])), "any")
            add(f"{key} float64", put(key, lambda a: a.astype(float)), "any")
            add(f"{key} halves", put(key, lambda a: a + 0.5), "any")
        if array.ndim:
            add(f"{key} without its last row", put(key, lambda a: a[:-1]))
            add(f"{key} without rows", put(key, lambda a: a[:0]))
            add(f"{key} with one dimension more", put(key, lambda a: a[None]))
            add(f"{key} one number", put(key, lambda a: a.reshape(-1)[0]))
        else:
            add(f"{key} twice", put(key, lambda a: np.array([a, a])))
        if array.ndim > 1:
            add(f"{key} without its last column", put(key, lambda a: a[..., :-1]))
    first = next(k for k, a in load(base).items() if a.ndim and a.dtype.kind == "f")

    def no_rows(arrays: dict) -> None:
        rows = len(arrays[first])
        for key, value in arrays.items():
            if value.ndim and len(value) == rows:
                arrays[key] = value[:0]

    def one_row(arrays: dict) -> None:
        rows = len(arrays[first])
        for key, value in arrays.items():
            if value.ndim and len(value) == rows:
                arrays[key] = value[:1]

    add("no rows at all", no_rows, "any")
    add("one row", one_row, "any")

    def add_raw(words: str, mutate: Mutation, expect: str = "fail") -> None:
        made.append((words, mutate, expect))

    def with_member(head: str, body: bytes = b"") -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            members = {}
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            members[f"{first}.npy"] = npy(head.encode(), body)
            return zip_of(members)

        return mutate

    f4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    add_raw(f"{first} claims 4 TB", with_member(f4 % "(1099511627776,)", bytes(64)))
    add_raw(
        f"{first} claims 10^30 rows",
        with_member(f4 % "(10**30,)".replace("10**30", "1" + "0" * 30)),
    )
    add_raw(f"{first} has -1 rows", with_member(f4 % "(-1,)"))
    add_raw(f"{first}'s head is a list", with_member("[1, 2]"))
    add_raw(f"{first}'s head is nested 4000 deep", with_member("(" * 4000))
    add_raw(f"{first}'s head is 20 kB", with_member(f4 % "(1,)" + " " * 20000))
    add_raw(
        f"{first}'s head calls a program", with_member("__import__('os').system('touch pwned')")
    )
    objects = "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    add_raw(f"{first} is pickled", with_member(objects, PICKLE))
    add_raw(
        f"{first} is void", with_member("{'descr': '|V0', 'fortran_order': False, 'shape': (9,)}")
    )
    add_raw(f"{first} inflates to 3 GiB", lambda d, n: bomb(d, first, 3))
    add_raw(f"{first} inflates to 3.9 GiB", lambda d, n: bomb(d, first, 3.9))

    def zip_field(offset_local: int, offset_central: int, value: int) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            changed = bytearray(data)
            for mark, offset in ((b"PK\x03\x04", offset_local), (b"PK\x01\x02", offset_central)):
                at = changed.find(mark)
                while at >= 0:
                    struct.pack_into("<H", changed, at + offset, value)
                    at = changed.find(mark, at + 4)
            return bytes(changed)

        return mutate

    add_raw("members said to be encrypted", zip_field(6, 8, 1))
    add_raw("members packed in way 99", zip_field(8, 10, 99))
    add_raw("members said to be bzip2", zip_field(8, 10, 12))
    add_raw("members said to be LZMA", zip_field(8, 10, 14))
    add_raw("members said to be stored", zip_field(8, 10, 0))
    add_raw("needs version 99 of zip", zip_field(4, 6, 99))
    add_raw("one bare array", lambda d, n: npy((f4 % "(3,)").encode(), bytes(12)))
    add_raw("a zip of texts", lambda d, n: zip_of({"a.txt": b"a", "b.txt": b"b"}))
    add_raw("an empty zip", lambda d, n: zip_of({}))

    def bare(data: bytes, numbers: Numbers) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return zip_of({name: archive.read(name)[20:] for name in archive.namelist()})

    add_raw("members without their heads", bare)
    return made


WORST = "[" * 100_000


def json_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    made: list[tuple[str, Mutation, str]] = []
    values: dict[str, object] = {
        "null": None,
        "a word": "word",
        "-1": -1,
        "0": 0,
        "1e308": 1e308,
        "NaN": math.nan,
        "a list": [],
        "an object": {},
        "true": True,
        "10^400": 10**400,
        "a list of words": ["word", "word"],
        "2^40": 2**40,
    }

    def paths(value: object, at: tuple = ()) -> list[tuple]:
        found = [at] if at else []
        if isinstance(value, dict):
            for key, part in value.items():
                found += paths(part, (*at, key))
        elif isinstance(value, list) and value:
            found += paths(value[0], (*at, 0))
        return found

    def changed(path: tuple, value: object, drop: bool = False) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            held = json.loads(data)
            inside = held
            for key in path[:-1]:
                inside = inside[key]
            if drop:
                del inside[path[-1]]
            else:
                inside[path[-1]] = value
            sys.set_int_max_str_digits(0)
            return json.dumps(held).encode()

        return mutate

    dull = {"id2label", "label2id", "task_specific_params", "made_from"}
    for path in paths(json.loads(base)):
        if dull & set(path[:-1]):
            continue
        name = ".".join(map(str, path))
        if path[0] in ("train", "backbone") and zlib.crc32(name.encode()) % (
            6 if path[0] == "train" else 2
        ):
            continue
        made.append((f"{name} missing", changed(path, None, drop=True), "any"))
        for words, value in values.items():
            made.append((f"{name} {words}", changed(path, value), "any"))

    def add(words: str, mutate: Mutation, expect: str = "fail") -> None:
        made.append((words, mutate, expect))

    add("nested 100000 deep", lambda d, n: WORST.encode())
    add(
        "nested deep in a key",
        lambda d, n: d.rstrip()[:-1] + b', "x": ' + WORST.encode() + b"]" * 100_000 + b"}",
    )
    add("not UTF-8", lambda d, n: d.replace(b'"', b'"\xff\xfe', 1))
    add("UTF-16", lambda d, n: d.decode().encode("utf-16"), "any")
    add("with a byte order mark", lambda d, n: b"\xef\xbb\xbf" + d, "any")
    add("a list at the top", lambda d, n: b"[" + d + b"]")
    add("a number", lambda d, n: b"3")
    add("null", lambda d, n: b"null")
    add("a word", lambda d, n: b'"word"')
    add("{}", lambda d, n: b"{}")
    add("a key that is unknown", lambda d, n: d.rstrip()[:-1] + b', "no_such_key": 1}', "any")
    return made


def config_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    """Of a run's config.json: those of any JSON, and a few that only it can have."""
    made = json_mutations(base)

    def put(part: str, **values: object) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            held = json.loads(data)
            held[part] = {**held[part], **values}
            return json.dumps(held).encode()

        return mutate

    def add(words: str, mutate: Mutation, expect: str = "fail") -> None:
        made.insert(0, (words, mutate, expect))

    add("an unknown setting of the model", put("model", no_such=1))
    add("map_size 0", put("model", map_size=0))
    add("image_size 33", put("model", image_size=33))
    add("image_size a word", put("model", image_size="32"))
    add("branch_width 10^9", put("model", branch_width=10**9))
    add("branch_width -1", put("model", branch_width=-1))
    add("backbone_widths empty", put("model", backbone_widths=[]))
    add("decoder_widths empty", put("model", decoder_widths=[]))
    add("decoder_widths of 60", put("model", decoder_widths=[8] * 60))
    add("decoder_widths of 5000", put("model", decoder_widths=[8] * 5000))
    add("appearance_widths of words", put("model", appearance_widths=["a"] * 10))
    add("branch_cells 0", put("model", branch_cells=0))
    add("branch_cells 1000", put("model", branch_cells=1000))
    add("landmarks -5", put("model", landmarks=-5))
    add("kinematics a word", put("model", kinematics="word"))
    add("maps null", put("model", maps=None))
    add("sigma 0", put("model", sigma=0.0), "any")
    add("sigma NaN", put("model", sigma=math.nan), "any")
    add("limb_reach a word", put("model", limb_reach="word"), "any")
    add("extended_camera false", put("model", extended_camera=False))
    add(
        "model_type missing in the backbone",
        lambda d, n: d.replace(b'"model_type"', b'"model_kind"'),
    )
    add("model_type unknown", put("backbone", model_type="no_such_type"))
    add("model_type of a text model", put("backbone", model_type="bert"))
    add("model_type a list", put("backbone", model_type=["resnet"]))
    add("the backbone brings code", put("backbone", auto_map={"AutoConfig": "evil.Config"}), "any")
    add("hidden_sizes null", put("backbone", hidden_sizes=None))
    add("hidden_sizes other", put("backbone", hidden_sizes=[4, 4]))
    add("depths negative", put("backbone", depths=[-1, -1]))
    add("hidden_act unknown", put("backbone", hidden_act="no_such_act"))
    add("num_channels 1", put("backbone", num_channels=1))
    add("num_channels 10^12", put("backbone", num_channels=10**12))
    add("out_features unknown", put("backbone", out_features=["stage99"]))
    add("stride 0", put("backbone", downsample_in_first_stage="word"), "any")
    return made


def csv_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    made: list[tuple[str, Mutation, str]] = []
    columns = ["film", "frame", "track", "x0", "y0", "x1", "y1"]
    bad = {
        "frame": ["-1", "1.5", "nan", "1e3", "2147483648", "9" * 5000, "", "word", " 3", "0x3"],
        "track": ["-1", "-2147483648", "nan", "", "word", "9" * 30],
        "x0": ["nan", "inf", "-inf", "1e308", "", "word", "1e999", "99999", "1_0", "1,5"],
        "y1": ["nan", "0", "1e5", "-1", "16"],
        "film": ["", "other.mp4", "../film.mp4", "film.MP4"],
    }
    fine = {("frame", "0x3"), ("track", "-1"), ("track", "-2147483648"), ("y1", "1e5")}
    loose = fine | {("frame", " 3"), ("x0", "1_0"), *(("film", v) for v in bad["film"])}

    def cell(column: str, value: str) -> Mutation:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            rows = list(csv.reader(io.StringIO(data.decode())))
            rows[6][columns.index(column)] = value
            return "\n".join(",".join(row) for row in rows).encode() + b"\n"

        return mutate

    for column, values in bad.items():
        for value in values:
            words = f"{column} {value[:12]!r} in line 7"
            made.append((words, cell(column, value), "any" if (column, value) in loose else "fail"))

    def add(words: str, mutate: Mutation, expect: str = "any") -> None:
        made.append((words, mutate, expect))

    def lines(change: Callable[[list[bytes]], list[bytes]]) -> Mutation:
        return lambda data, numbers: b"\n".join(change(data.rstrip().split(b"\n"))) + b"\n"

    for i, column in enumerate(columns):
        add(
            f"no column {column}",
            lines(
                lambda ls, i=i: [
                    b",".join(line.split(b",")[:i] + line.split(b",")[i + 1 :]) for line in ls
                ]
            ),
            "any" if column == "film" else "fail",
        )
    add("only a first line", lines(lambda ls: ls[:1]), "fail")
    add("no first line", lines(lambda ls: ls[1:]), "fail")
    add("one box", lines(lambda ls: ls[:2]))
    add("a row too short", lines(lambda ls: [*ls[:5], ls[5].rsplit(b",", 2)[0], *ls[6:]]), "fail")
    add("a row too long", lines(lambda ls: [*ls[:5], ls[5] + b",7,7,7", *ls[6:]]), "told")
    add("all rows twice", lines(lambda ls: [*ls, *ls[1:]]), "fail")
    add("an empty line", lines(lambda ls: [*ls[:5], b"", *ls[5:]]))
    add(
        "decimal commas",
        lambda d, n: re.sub(
            rb"(\d)\.(\d)", rb"\1,\2", d.replace(b",16,", b",16.5,").replace(b",66", b",66.5")
        ),
        "fail",
    )
    add("decimal commas in quotes", lambda d, n: re.sub(rb"(\d+)\.(\d)", rb'"\1,\2"', d), "fail")
    add("semicolons", lambda d, n: d.replace(b",", b";"), "fail")
    add("tabs", lambda d, n: d.replace(b",", b"\t"), "fail")
    add("Windows' lines", lambda d, n: d.replace(b"\n", b"\r\n"), "ok")
    add("old Mac's lines", lambda d, n: d.replace(b"\n", b"\r"))
    add("a byte order mark", lambda d, n: b"\xef\xbb\xbf" + d, "ok")
    add("UTF-16", lambda d, n: d.decode().encode("utf-16"), "fail")
    add("Latin-1", lambda d, n: d.replace(b"film.mp4", b"fi\xfcm.mp4"), "fail")
    add("zero bytes inside", lambda d, n: d[:200] + b"\0\0\0" + d[200:], "fail")
    add("a quote that never ends", lambda d, n: d[:200] + b'"' + d[200:], "fail")
    add("a field of 200 kB", lambda d, n: d.replace(b"film.mp4", b"f" * 200_000, 1), "fail")
    add("a first line of 1 MB", lambda d, n: b"a," * 500_000 + d, "fail")
    add("columns in capitals", lambda d, n: d.replace(b"frame", b"Frame"), "fail")
    add(
        "columns in quotes",
        lambda d, n: b",".join(b'"%s"' % c.encode() for c in columns) + d[d.find(b"\n") :],
        "ok",
    )
    add("boxes of 1e-9 px", lambda d, n: re.sub(rb",16,[\d.]+,66", rb",16,95,16.000000001", d))
    add(
        "boxes far outside",
        lambda d, n: d.replace(b",16,", b",5000,").replace(b",66", b",5066"),
        "any",
    )
    add("boxes of 1e5 px", lambda d, n: d.replace(b",16,", b",-99999,").replace(b",66", b",99999"))
    add("frames behind the film's end", lambda d, n: re.sub(rb"mp4,(\d+)", rb"mp4,9\g<1>9", d))
    add("a track a frame", lambda d, n: re.sub(rb"mp4,(\d+),0", rb"mp4,\1,\1", d))
    add("track 2147483647", lambda d, n: re.sub(rb"mp4,(\d+),0", rb"mp4,\1,2147483647", d))
    add(
        "a track that leaps, 2147483647",
        lambda d, n: re.sub(
            rb"mp4,(\d+),0,[\d.]+,16,[\d.]+",
            lambda m: (
                b"mp4,%s,2147483647,%d,16,%d"
                % (m[1], 70 * (int(m[1]) % 2), 70 * (int(m[1]) % 2) + 20)
            ),
            d,
        ),
    )
    return made


def tensor_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    """Of a file of safetensors."""
    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, change: Callable[[dict, bytearray], object], expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            size = struct.unpack("<Q", data[:8])[0]
            head, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
            change(head, body)
            text = json.dumps(head).encode()
            return struct.pack("<Q", len(text)) + text + bytes(body)

        made.append((words, mutate, expect))

    size = struct.unpack("<Q", base[:8])[0]
    head = json.loads(base[8 : 8 + size])
    floats = [k for k, v in head.items() if v.get("dtype") == "F32" and v["shape"]]
    weights = next(k for k in floats if k.endswith("weight") and len(head[k]["shape"]) > 1)
    last = [k for k in floats if "branch" in k and k.endswith("bias")][-1:] or [weights]

    def fill(
        name: str, value: float, count: int | None = None
    ) -> Callable[[dict, bytearray], object]:
        def change(head: dict, body: bytearray) -> None:
            start, end = head[name]["data_offsets"]
            many = (end - start) // 4 if count is None else count
            body[start : start + 4 * many] = struct.pack("<f", value) * many

        return change

    for name in (weights, last[0]):
        for value in (math.nan, math.inf, 1e38, 0.0):
            add(f"{name} all {value}", fill(name, value), "any")
        add(f"{name} with one NaN", fill(name, math.nan, 1), "any")
    everything = [k for k in head if k != "__metadata__"]

    def all_nan(head: dict, body: bytearray) -> None:
        body[:] = struct.pack("<f", math.nan) * (len(body) // 4)

    add("all numbers NaN", all_nan, "any")
    add("a tensor missing", lambda h, b: h.pop(weights))
    add("a tensor too many", lambda h, b: h.update(extra={**h[weights]}))
    add("a tensor under another name", lambda h, b: h.update(other=h.pop(weights)))
    add(
        "a tensor transposed",
        lambda h, b: h[weights].update(shape=h[weights]["shape"][::-1]),
        "any",
    )
    add("a tensor flat", lambda h, b: h[weights].update(shape=[int(np.prod(h[weights]["shape"]))]))
    add("a tensor of int32", lambda h, b: h[weights].update(dtype="I32"), "any")
    add("a tensor of an unknown type", lambda h, b: h[weights].update(dtype="X99"))
    add("a tensor of 4 TB", lambda h, b: h[weights].update(shape=[2**40], data_offsets=[0, 2**42]))
    add("a shape of 2^63", lambda h, b: h[weights].update(shape=[2**63, 2**63]))
    add("a shape of -1", lambda h, b: h[weights].update(shape=[-1]))
    add("offsets backwards", lambda h, b: h[weights]["data_offsets"].reverse())
    add(
        "two tensors in one place",
        lambda h, b: h[everything[1]].update(data_offsets=h[everything[0]]["data_offsets"]),
    )
    add("no tensors", lambda h, b: (h.clear(), b.clear()))
    add("metadata a number", lambda h, b: h.update(__metadata__=3))

    def raw(words: str, mutate: Mutation) -> None:
        made.append((words, mutate, "fail"))

    raw("a head of 2^63 bytes", lambda d, n: struct.pack("<Q", 2**63) + d[8:])
    raw("a head of 90 MB", lambda d, n: struct.pack("<Q", 90_000_000) + d[8:])
    raw("a head of 0 bytes", lambda d, n: bytes(8))
    raw("a head nested deep", lambda d, n: struct.pack("<Q", 100_000) + WORST.encode() + d)
    raw("a head that is no JSON", lambda d, n: d[:8] + b"x" * size + d[8 + size :])
    return made


def parquet_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    """Of clips."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, change: Callable, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            table = pq.read_table(pa.BufferReader(data), use_threads=False)
            out = io.BytesIO()
            pq.write_table(change(table, numbers), out, compression="zstd")
            return out.getvalue()

        made.append((words, mutate, expect))

    def column(name: str, values: Callable[[list], list]) -> Callable:
        def change(table, numbers):
            at = table.schema.get_field_index(name)
            field = table.schema.field(name)
            return table.set_column(
                at, field, pa.array(values(table[name].to_pylist()), field.type)
            )

        return change

    schema = pq.read_schema(pa.BufferReader(base))
    for name in schema.names:
        add(f"no column {name}", lambda t, n, name=name: t.drop_columns([name]))
        add(f"{name} null", column(name, lambda v: [None] * len(v)), "any")
    add("another column", lambda t, n: t.append_column("more", pa.array([1] * len(t))))
    add("no rows", lambda t, n: t[:0], "any")
    add("one row", lambda t, n: t[:1], "any")
    add("rows backwards", lambda t, n: t.take(list(range(len(t)))[::-1]), "any")
    for value in (math.nan, math.inf, -1.0, 1e308):
        add(f"times {value}", column("time", lambda v, x=value: [x] * len(v)), "any")
        add(
            f"crops {value}",
            column("crop", lambda v, x=value: [[min(x, 3e38)] * 3] * len(v)),
            "any",
        )
        add(
            f"boxes {value}", column("box", lambda v, x=value: [[min(x, 3e38)] * 4] * len(v)), "any"
        )
    add("one time for all", column("time", lambda v: [0.0] * len(v)), "any")
    for name in ("image", "background", "valid"):
        add(f"{name} empty", column(name, lambda v: [b""] * len(v)), "any")
        add(f"{name} a text", column(name, lambda v: [b"no picture"] * len(v)), "any")
        add(f"{name} truncated", column(name, lambda v: [x and x[: len(x) // 2] for x in v]), "any")
        add(f"{name} of 1 x 1 px", column(name, lambda v: [png_bytes(1, 1, True)] * len(v)), "any")
        huge = png_bytes(60000, 60000, False)
        add(f"{name} says 60000 x 60000", column(name, lambda v, h=huge: [h] * len(v)), "any")
    add("film empty", column("film", lambda v: [""] * len(v)), "any")
    add("film with a path", column("film", lambda v: ["../../x.mp4"] * len(v)), "any")
    add("frame -1", column("frame", lambda v: [-1] * len(v)), "any")
    add("clip numbers up and down", column("clip", lambda v: [i % 2 for i in range(len(v))]), "any")
    add(
        "paired up and down", column("paired", lambda v: [i % 2 == 0 for i in range(len(v))]), "any"
    )

    def other(table, numbers):
        return pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})

    add("another table", other)
    return made


def bvh_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, old: bytes, new: bytes, expect: str = "fail") -> None:
        made.append((words, lambda d, n: re.sub(old, new, d, count=1), expect))

    add("no HIERARCHY", rb"HIERARCHY\n", b"")
    add("no MOTION", rb"MOTION\n", b"")
    add("Frames 0", rb"Frames: \d+", b"Frames: 0")
    add("Frames -1", rb"Frames: \d+", b"Frames: -1")
    add("Frames a word", rb"Frames: \d+", b"Frames: many")
    add("Frames 10^12", rb"Frames: \d+", b"Frames: 1000000000000")
    for value in (b"0", b"-1", b"nan", b"inf", b"1e-9", b"1e308", b"word", b""):
        add(f"Frame Time {value.decode()!r}", rb"Frame Time: \S+", b"Frame Time: " + value)
    add("CHANNELS 99", rb"CHANNELS 6", b"CHANNELS 99")
    add("CHANNELS a word", rb"CHANNELS 3", b"CHANNELS three")
    add("an unknown channel", rb"Zrotation", b"Qrotation")
    add("one channel twice", rb"Zrotation Xrotation", b"Zrotation Zrotation", "any")
    add("OFFSET a word", rb"OFFSET \S+", b"OFFSET word")
    add("OFFSET nan", rb"OFFSET \S+", b"OFFSET nan")
    add("OFFSET inf", rb"(JOINT[^O]*)OFFSET \S+", rb"\1OFFSET inf")
    add("OFFSET of two numbers", rb"OFFSET \S+ ", b"OFFSET ")
    add("a brace missing", rb"\}", b"")
    add("a brace too many", rb"\}", b"} }")
    add(
        "two ROOTs",
        rb"MOTION",
        b"ROOT b\n{\n OFFSET 0 0 0\n CHANNELS 3 Zrotation Xrotation Yrotation\n}\nMOTION",
    )
    add("no wrists", rb"left_wrist", b"xyz", "any")
    add("a number that is a word", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 word")
    add("a number NaN", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 nan")
    add("a number 1e308", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 1e308")
    add("a number 1e30", rb"(Frame Time: \S+\n\S+) \S+", rb"\1 1e30")
    add("a number too few", rb"(Frame Time: \S+\n\S+) \S+", rb"\1")
    add("names in Latin-1", rb"pelvis", b"p\xe9lvis", "any")
    deep = b"".join(
        b"JOINT j%d\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n" % i
        for i in range(3000)
    )
    made.append(
        (
            "3000 joints in a row",
            lambda d, n: d.replace(b"MOTION", deep + b"}" * 3000 + b"\nMOTION"),
            "fail",
        )
    )
    made.append(
        (
            "a chain of 3000 joints",
            lambda d, n: (
                b"HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
                + deep
                + b"End Site\n{\nOFFSET 0 1 0\n}\n"
                + b"}\n" * 3001
                + b"MOTION\nFrames: 1\nFrame Time: 0.1\n"
                + b"0 " * 9003
                + b"\n"
            ),
            "fail",
        )
    )
    made.append(("Windows' lines", lambda d, n: d.replace(b"\n", b"\r\n"), "any"))
    made.append(("all in one line", lambda d, n: d.replace(b"\n", b" "), "any"))
    return made


def hdf5_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    import h5py

    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, change: Callable, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            out = io.BytesIO(data)
            with h5py.File(out, "r+") as file:
                change(file)
            return out.getvalue()

        made.append((words, mutate, expect))

    def put(name: str, value: Callable) -> Callable:
        def change(file) -> None:
            new = value(np.asarray(file[name]))
            del file[name]
            file[name] = new

        return change

    with h5py.File(io.BytesIO(base)) as file:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
    for name in names:

        def drop(file, name=name) -> None:
            del file[name]

        def group(file, name=name) -> None:
            del file[name]
            file.create_group(name)

        add(f"no {name}", drop)
        add(f"{name} a group", group)
        add(f"{name} words", put(name, lambda a: np.full(a.shape, b"word")))
        add(f"{name} NaN", put(name, lambda a: np.full(a.shape, np.nan)))
        add(f"{name} -1", put(name, lambda a: np.full(a.shape, -1)), "any")
        add(f"{name} 1e300", put(name, lambda a: np.full(a.shape, 1e300)), "any")
        add(f"{name} zeros", put(name, lambda a: np.zeros(a.shape)), "any")
        add(f"{name} without its last row", put(name, lambda a: a[:-1]))
        add(f"{name} without rows", put(name, lambda a: a[:0]))
        add(f"{name} flat", put(name, lambda a: a.reshape(-1)), "any")

        def claims(file, name=name) -> None:
            shape = (2**40, *file[name].shape[1:])
            del file[name]
            file.create_dataset(name, shape, "f8", chunks=(64, *shape[1:]))

        add(f"{name} claims 2^40 rows", claims)
    return made


def mat_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    import scipy.io

    held = {k: v for k, v in scipy.io.loadmat(io.BytesIO(base)).items() if k[:2] != "__"}
    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, name: str, value: Callable | None, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            arrays = {k: v for k, v in held.items() if k != name or value is not None}
            if value is not None:
                arrays[name] = value(held[name].copy())
            out = io.BytesIO()
            scipy.io.savemat(out, arrays, format="5")
            return out.getvalue()

        made.append((words, mutate, expect))

    def inner(change: Callable[[np.ndarray], np.ndarray]) -> Callable:
        def value(cells: np.ndarray) -> np.ndarray:
            if cells.dtype != object:
                return change(cells)
            out = cells.copy()
            out[0, 0] = change(out[0, 0])
            return out

        return value

    for name in held:
        add(f"no {name}", name, None)
        add(f"{name} a word", name, lambda a: "word")
        add(f"{name} NaN", name, inner(lambda a: np.full(a.shape, np.nan)))
        add(f"{name} inf", name, inner(lambda a: np.full(a.shape, np.inf)))
        add(f"{name} 1e300", name, inner(lambda a: np.full(a.shape, 1e300)), "any")
        add(f"{name} zeros", name, inner(lambda a: np.zeros(a.shape)), "any")
        add(f"{name} without rows", name, inner(lambda a: a[..., :0]), "fail")
        add(f"{name} transposed", name, inner(lambda a: a.T.copy()), "fail")
        add(f"{name} complex", name, inner(lambda a: a + 1j), "fail")
        add(f"{name} in cells", name, lambda a: np.array([[None, "x"]], object), "fail")
    return made


def onnx_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    import onnx

    made: list[tuple[str, Mutation, str]] = []

    def add(words: str, change: Callable, expect: str = "fail") -> None:
        def mutate(data: bytes, numbers: Numbers) -> bytes:
            model = onnx.load_from_string(data)
            change(model)
            return model.SerializeToString()

        made.append((words, mutate, expect))

    def rename(model) -> None:
        old = model.graph.input[0].name
        model.graph.input[0].name = "pictures"
        for node in model.graph.node:
            node.input[:] = ["pictures" if name == old else name for name in node.input]

    def size(model) -> None:
        for axis in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            axis.dim_value = 64

    def nan(model) -> None:
        for weight in model.graph.initializer:
            if weight.data_type == 1 and weight.raw_data:
                count = len(weight.raw_data) // 4
                weight.raw_data = struct.pack("<f", math.nan) * count

    def external(model) -> None:
        weight = next(w for w in model.graph.initializer if w.raw_data)
        weight.ClearField("raw_data")
        weight.data_location = 1
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "../../../../etc/passwd"

    add("without metadata", lambda m: m.ClearField("metadata_props"))
    add("of another run", lambda m: setattr(m.metadata_props[0], "value", "0" * 64))
    add("its input under another name", rename)
    add("its input of another size", size)
    add("without its last outputs", lambda m: m.graph.output.__delitem__(slice(2, None)))
    add("its outputs in another order", lambda m: m.graph.output.reverse())
    add("without outputs", lambda m: m.graph.ClearField("output"))
    add("without nodes", lambda m: m.graph.ClearField("node"))
    add("all weights NaN", nan)
    add("weights in /etc/passwd", external)
    add("of opset 999", lambda m: setattr(m.opset_import[0], "version", 999))
    return made


def log_mutations(base: bytes) -> list[tuple[str, Mutation, str]]:
    """Of log.jsonl."""
    made: list[tuple[str, Mutation, str]] = []
    for key in ("step", "loss", "total", "seconds"):
        values = {
            "a word": "word",
            "null": None,
            "a list": [],
            "NaN": math.nan,
            "1e308": 1e308,
            "-1": -1,
        }
        for words, value in values.items():

            def mutate(data: bytes, numbers: Numbers, key=key, value=value) -> bytes:
                lines = [json.loads(line) for line in data.splitlines()]
                for line in lines:
                    line[key] = value
                return "\n".join(map(json.dumps, lines)).encode() + b"\n"

            made.append((f"{key} {words}", mutate, "any"))
    made.append(("nested deep", lambda d, n: d + WORST.encode() + b"\n", "any"))
    made.append(("not UTF-8", lambda d, n: d.replace(b"prior", b"pri\xff\xfer"), "any"))
    made.append(("a line that lacks its end", lambda d, n: d[:-20], "any"))
    made.append(("lists in lines", lambda d, n: b"[1]\n3\nnull\n", "any"))
    return made


BY_KIND: dict[str, Callable[[bytes], list[tuple[str, Mutation, str]]]] = {
    "npz": npz_mutations,
    "json": json_mutations,
    "config": config_mutations,
    "csv": csv_mutations,
    "tensors": tensor_mutations,
    "parquet": parquet_mutations,
    "bvh": bvh_mutations,
    "hdf5": hdf5_mutations,
    "mat": mat_mutations,
    "onnx": onnx_mutations,
    "log": log_mutations,
}


# ---------------------------------------------------------------- inputs


@dataclass
class Case:
    """One input."""

    family: str
    words: str
    make: Callable[[Path, Numbers], list[str]]
    """Puts files into the folder of the run, and gives the command line."""
    expect: str = "any"
    """ok; any: either; fail; told: if accepted, not without a word (or all frames)."""
    names: tuple[str, ...] = ()
    """The message should hold one of these."""
    replaced: tuple[str, ...] = ("out", "out.*")
    """What the command may replace when it succeeds."""
    interrupt: float = 0.0
    key: str = ""
    argv: list[str] = dataclasses.field(default_factory=list)


@dataclass
class Target:
    """A file that a command reads."""

    name: str
    argv: list[str]
    seeds: list[str]
    file: str
    kind: str
    names: tuple[str, ...] = ()
    expect: str = "any"
    """Of mutations of bytes."""
    replaced: tuple[str, ...] = ("out", "out.*")
    weight: int = 10


SEEDS = Path()


def copied(folder: Path, seeds: list[str]) -> None:
    """Seeds, some under other names: 'run>run2'."""
    for seed in seeds:
        name, _, called = seed.partition(">")
        to = folder / (called or name)
        to.parent.mkdir(parents=True, exist_ok=True)
        if (SEEDS / name).is_dir():
            shutil.copytree(SEEDS / name, to, symlinks=True)
        else:
            shutil.copy(SEEDS / name, to)


def with_earlier(folder: Path, argv: list[str], numbers: Numbers) -> list[str]:
    """In one case of three, results of an earlier call and something of the user's own."""
    if numbers.random() > 0.35:
        return list(argv)
    more = []
    if "out" in argv and not (folder / "out").exists():
        earlier = {"predict": "poses", "export": "exported", "evaluate": "poses"}.get(argv[0])
        if earlier:
            copied(folder, [f"{earlier}>out"])
            more = ["--overwrite"] if argv[0] in ("predict", "export") else []
        (folder / "out").mkdir(exist_ok=True)
        (folder / "out/notes.txt").write_text("mine\n")
    for name in ("out.json", "out.html", "out.onnx"):
        if name in argv:
            (folder / name).write_text("an earlier result\n")
    return [*argv, *more]


def targets() -> list[Target]:
    made: list[Target] = []

    def add(name, argv, seeds, file, kind="", weight=10, expect="any", names=(), replaced=None):
        more = {} if replaced is None else {"replaced": replaced}
        made.append(
            Target(
                name, argv.split(), seeds.split(), file, kind, names, expect, weight=weight, **more
            )
        )

    quick = "--run run --no-overlay --no-viewer"
    for kind in ("mp4", "mkv", "webm", "avi", "mov", "gif", "mpg"):
        add(
            f"predict film {kind}",
            f"predict film.{kind} --output out {quick} --detector none",
            f"film.{kind} run",
            f"film.{kind}",
            "film",
            18,
            "told",
        )
    add(
        "predict film, all written",
        "predict film.mp4 --output out --run run --formats json csv bvh trc c3d",
        "film.mp4 run",
        "film.mp4",
        "film",
        20,
    )
    for kind in ("jpg", "png", "webp", "tif", "bmp"):
        add(
            f"predict picture {kind}",
            f"predict pic.{kind} --output out {quick} --detector none",
            f"pic.{kind} run",
            f"pic.{kind}",
            "picture",
            12,
        )
    add(
        "predict pictures",
        "predict pics --output out --run run --detector none",
        "pics run",
        "pics/b.png",
        "picture",
        14,
    )
    add(
        "predict boxes",
        f"predict film.mp4 --output out {quick} --detector file --boxes boxes.csv",
        "film.mp4 run boxes.csv",
        "boxes.csv",
        "csv",
        75,
    )
    add(
        "predict config",
        f"predict film.mp4 --output out {quick} --detector none",
        "film.mp4 run",
        "run/config.json",
        "config",
        75,
    )
    add(
        "predict weights",
        f"predict film.mp4 --output out {quick} --detector none",
        "film.mp4 run",
        "run/model.safetensors",
        "tensors",
        45,
    )
    raw = f"{quick} --detector none --pose-smoothing 0 --no-repair-sides"
    add(
        "predict weights, unsmoothed",
        f"predict film.mp4 --output out {raw}",
        "film.mp4 run",
        "run/model.safetensors",
        "tensors",
        14,
    )
    add(
        "predict picture, weights",
        "predict pic.jpg --output out --run run --detector none",
        "pic.jpg run",
        "run/model.safetensors",
        "tensors",
        8,
    )
    add(
        "predict onnx",
        f"predict film.mp4 --output out {quick} --detector none --onnx model.onnx",
        "film.mp4 run model.onnx",
        "model.onnx",
        "onnx",
        25,
    )
    add(
        "export",
        "export poses.npz --formats npz json csv bvh trc c3d --output out",
        "poses.npz",
        "poses.npz",
        "npz",
        90,
    )
    add(
        "evaluate poses",
        "evaluate matched/poses.npz labels.npz --output out.json",
        "matched labels.npz",
        "matched/poses.npz",
        "npz",
        40,
    )
    add(
        "evaluate labels",
        "evaluate matched/poses.npz labels.npz --output out.json",
        "matched labels.npz",
        "labels.npz",
        "npz",
        45,
    )
    add(
        "criteria poses",
        "criteria poses other/poses.npz --views --output out.json",
        "poses other",
        "other/poses.npz",
        "npz",
        35,
    )
    add(
        "criteria clips",
        "criteria moved --clips clips --output out.json",
        "moved clips",
        "clips/film.parquet",
        "parquet",
        25,
    )
    add(
        "report config",
        "report run --output out.html",
        "plain/run>run",
        "run/config.json",
        "json",
        25,
    )
    add(
        "report weights",
        "report run --output out.html",
        "plain/run>run",
        "run/model.safetensors",
        "tensors",
        10,
    )
    add("report log", "report run --output out.html", "plain/run>run", "run/log.jsonl", "log", 12)
    add(
        "report pictures",
        "report run --output out.html",
        "run",
        "run/pictures/step_00000002.npz",
        "npz",
        14,
    )
    add(
        "report poses",
        "report run --output out.html --poses poses",
        "plain/run>run poses",
        "poses/poses.npz",
        "npz",
        20,
    )
    add(
        "report overlay",
        "report run --output out.html --poses poses",
        "plain/run>run poses",
        "poses/overlay.mp4",
        "film",
        8,
    )
    add(
        "report metrics",
        "report run --output out.html --poses matched",
        "plain/run>run matched",
        "matched/metrics.json",
        "json",
        14,
    )
    add("info poses", "info poses.npz", "poses.npz", "poses.npz", "npz", 25)
    add("info clips", "info clips", "clips", "clips/film.parquet", "parquet", 20)
    add("info list of films", "info clips", "clips", "clips/_films.json", "json", 10)
    add("info config", "info run", "run", "run/config.json", "json", 14)
    add("info weights", "info run", "run", "run/model.safetensors", "tensors", 10)
    add("info log", "info run", "run", "run/log.jsonl", "log", 8)
    cut = "--shortest-clip 1 --crop-size 32 --workers 1 --no-whole --detector motion"
    add("prepare film", f"prepare film.mp4 --output out {cut}", "film.mp4", "film.mp4", "film", 22)
    add(
        "prepare films",
        f"prepare film.mp4 film.mkv>second.mkv --output out {cut}".replace("film.mkv>", ""),
        "film.mp4 film.mkv>second.mkv",
        "second.mkv",
        "film",
        10,
    )
    add(
        "prepare boxes",
        f"prepare film.mp4 --output out {cut.replace('motion', 'file')} --boxes boxes.csv",
        "film.mp4 boxes.csv",
        "boxes.csv",
        "csv",
        20,
    )
    add(
        "prepare backgrounds",
        f"prepare film.mp4 --output out {cut} --backgrounds scenes",
        "film.mp4 scenes",
        "scenes/film.png",
        "picture",
        8,
    )
    add(
        "prepare again, list",
        f"prepare film.mp4 --output out {cut}",
        "film.mp4 clips>out",
        "out/_films.json",
        "json",
        16,
    )
    add(
        "prepare again, clips",
        f"prepare film.mp4 --output out {cut}",
        "film.mp4 clips>out",
        "out/film.parquet",
        "",
        4,
    )
    on = " ".join(["--consistency-from 0 --smallest-spread 0", *QUICK, *TINY])
    add(
        "train clips",
        f"train --output out --clips allclips {on}",
        "allclips",
        "allclips/train_static_0000.parquet",
        "parquet",
        35,
    )
    add(
        "train labels",
        f"train --output out --clips allclips --labels labels --variant full {on}",
        "allclips labels",
        "labels/train_static_0000.npz",
        "npz",
        16,
    )
    add(
        "train start, config",
        f"train --output out --start run {' '.join(PRIOR[:10])}",
        "run",
        "run/config.json",
        "config",
        16,
    )
    add(
        "train start, weights",
        f"train --output out --start run {' '.join(PRIOR[:10])}",
        "run",
        "run/model.safetensors",
        "tensors",
        14,
    )
    again = " ".join(PRIOR).replace("--iterations 2", "--iterations 3")
    for file, kind, weight in (
        ("state.safetensors", "tensors", 14),
        ("config.json", "json", 12),
        ("prior.npz", "npz", 12),
        ("log.jsonl", "log", 6),
    ):
        add(
            f"train again, {file}",
            f"train --output out {again}",
            "bare>out",
            f"out/{file}",
            kind,
            weight,
        )
    add(
        "train backgrounds",
        f"train --output out --backgrounds scenes {' '.join(PRIOR)}",
        "scenes",
        "scenes/other.jpg",
        "picture",
        6,
    )
    ad = "--start run --detector none --renders 0 --iterations 2 --check-every 1 --workers 1 --batch-size 2 --shortest-clip 0.5"
    add("adapt film", f"adapt 0000.mp4 --output out {ad}", "0000.mp4 run", "0000.mp4", "film", 10)
    add(
        "adapt start",
        f"adapt 0000.mp4 --output out {ad}",
        "0000.mp4 run",
        "run/config.json",
        "config",
        8,
    )
    add(
        "adapt again",
        f"adapt 0000.mp4 --output out {ad}",
        "0000.mp4 run adapted>out",
        "out/adaptation.json",
        "json",
        14,
    )
    add(
        "convert h36m-fetch",
        "convert h36m --benchmark h36m_train --output out",
        "h36m",
        "h36m/processed/S1/Walking-1/annot.h5",
        "hdf5",
        16,
    )
    add(
        "convert h36m, picture",
        "convert h36m --benchmark h36m_train --output out",
        "h36m",
        "h36m/processed/S1/Walking-1/imageSequence/54138969/img_000003.jpg",
        "picture",
        8,
    )
    add(
        "convert mmpose",
        "convert mmpose --benchmark h36m_all --output out",
        "mmpose",
        "mmpose/annotation_body3d/fps50/h36m_test.npz",
        "npz",
        16,
    )
    add(
        "convert 3DHP",
        "convert 3dhp --benchmark mpi_inf_3dhp_train --output out",
        "3dhp",
        "3dhp/S1/Seq1/annot.mat",
        "mat",
        14,
    )
    add(
        "convert 3DHP test",
        "convert 3dhptest --benchmark mpi_inf_3dhp_test --output out",
        "3dhptest",
        "3dhptest/TS1/annot_data.mat",
        "hdf5",
        14,
    )
    add(
        "convert LSP",
        "convert lsp --benchmark lsp --output out",
        "lsp",
        "lsp/joints.mat",
        "mat",
        12,
    )
    add(
        "evaluate 3DHP",
        "evaluate p 3dhptest --protocol mpi_inf_3dhp_test --output out.json",
        "3dhptest poses>p/TS1",
        "3dhptest/TS1/annot_data.mat",
        "hdf5",
        8,
    )
    add(
        "evaluate LSP",
        "evaluate p lsp --protocol lsp --output out.json",
        "lsp poses>p/lsp",
        "lsp/joints.mat",
        "mat",
        6,
    )
    first = lambda place: str(
        sorted(p for p in (SEEDS / place).iterdir() if p.name[0] != "_")[0].relative_to(SEEDS)
    )
    sc = "score run --benchmark sw --output out.json --splits seen_world"
    add("score config", sc, "run sw", "run/config.json", "json", 5)
    add("score weights", sc, "run sw", "run/model.safetensors", "tensors", 8)
    add("score benchmark", sc, "run sw", "sw/synthworld.json", "json", 8)
    add("score prior", sc, "run sw", "sw/prior.npz", "npz", 12)
    add("score labels", sc, "run sw", first("sw/seen_world/labels"), "npz", 5)
    add("score clips", sc, "run sw", first("sw/seen_world/clips"), "parquet", 8)
    add(
        "figures",
        "figures scores.json --output out",
        "scores.json scores.npz",
        "scores.npz",
        "npz",
        30,
        names=("scores.npz",),
    )
    add(
        "ship scores",
        "ship run --scores scores.json small.json --machine x --output out",
        "run scores.json small.json",
        "small.json",
        "json",
        14,
    )
    add(
        "ship config",
        "ship run --scores scores.json small.json --machine x --output out",
        "run scores.json small.json",
        "run/config.json",
        "json",
        10,
    )
    add(
        "ship log",
        "ship run --scores scores.json small.json --machine x --output out",
        "run scores.json small.json",
        "run/log.jsonl",
        "log",
        6,
    )
    sy = "synthesize --output out --clips 1 --seconds 1 --size 64 --fps 6 --workers 1"
    add("synthesize BVH", f"{sy} --motion.clips motions", "motions", "motions/walk.bvh", "bvh", 36)
    add("synthesize AMASS", f"{sy} --motion.clips amass", "amass", "amass/walk.npz", "npz", 22)
    add(
        "synthesize backgrounds",
        f"{sy} --backgrounds scenes",
        "scenes",
        "scenes/other.jpg",
        "picture",
        6,
    )
    rp = "reproduce --output out --size tiny --folder sw --rows prior --seeds 0 --iterations 1"
    add("reproduce claim", rp, "sw table>out", "out/reproduction.json", "json", 7)
    add("reproduce scores", rp, "sw table>out", "out/scores/prior_0.json", "json", 10)
    add(
        "synthworld",
        "synthworld --output out --size tiny --workers 1",
        "sw>out",
        "out/synthworld.json",
        "json",
        5,
    )
    add(
        "export-onnx config",
        "export-onnx --output out.onnx --run run",
        "run",
        "run/config.json",
        "json",
        4,
    )
    add(
        "export-onnx weights",
        "export-onnx --output out.onnx --run run",
        "run",
        "run/model.safetensors",
        "tensors",
        4,
    )
    return made


def cases_of(target: Target) -> list[Case]:
    """Every mutation of a file: what stands in its place, its bytes, its contents."""
    base = (SEEDS / _origin(target)).read_bytes()
    path = Path(target.file)
    names = (*target.names, path.name, path.parent.name or path.stem, path.parts[0], path.stem)
    names = tuple(n for n in dict.fromkeys(names) if n)
    made: list[Case] = []

    def add(words: str, change: Callable[[Path, Numbers], object], expect: str) -> None:
        def make(folder: Path, numbers: Numbers) -> list[str]:
            copied(folder, target.seeds)
            change(folder / target.file, numbers)
            return with_earlier(folder, target.argv, numbers)

        made.append(
            Case(target.name, f"{path.name}: {words}", make, expect, names, target.replaced)
        )

    def rewrite(mutate: Mutation) -> Callable[[Path, Numbers], object]:
        def change(file: Path, numbers: Numbers) -> None:
            data = file.read_bytes()
            file.unlink()
            file.write_bytes(mutate(data, numbers))

        return change

    rebuilt = "again" in target.name or target.kind == "log" or "metrics" in target.name
    optional = (
        rebuilt
        or target.kind in ("log",)
        or target.name
        in (
            "prepare films",
            "report pictures",
            "report overlay",
            "reproduce scores",
            "info list of films",
            "prepare backgrounds",
            "convert h36m, picture",
            "synthesize backgrounds",
            "train backgrounds",
            "predict pictures",
            "train clips",
            "train labels",
            "score clips",
            "score labels",
            "synthworld",
        )
    )
    must = "any" if optional else "fail"
    for place in PLACES:
        add(f"in its place: {place}", lambda f, n, p=place: put_in_place(f, p), must)
    for words, data in WRONG_TYPES.items():
        add(f"{words} under its name", rewrite(lambda d, n, x=data: x), must)
    for words, mutate in BYTES.items():
        many = 6 if words.startswith(("truncated", "bytes", "a part")) else 1
        for i in range(many):
            expect = must if words in PLAINLY_BAD else target.expect
            if words == "truncated" and target.kind in (
                "npz",
                "config",
                "json",
                "tensors",
                "parquet",
                "onnx",
            ):
                expect = must
            if (
                words in ("truncated", "a part zeroed")
                and target.kind == "picture"
                and path.suffix != ".bmp"
            ):
                expect = "told"
            add(f"{words} ({i + 1})" if many > 1 else words, rewrite(mutate), expect)
    if target.kind == "film" and target.name in (
        "predict film mp4",
        "predict film, all written",
        "prepare film",
        "adapt film",
    ):
        for words, (kind, build, expect) in special_films().items():

            def make(folder: Path, numbers: Numbers, kind=kind, build=build) -> list[str]:
                copied(folder, [s for s in target.seeds if s != target.file])
                copied(folder, ["film.mkv>other.mp4"])
                name = f"{path.stem}.{kind}"
                build(folder / name)
                argv = with_earlier(folder, target.argv, numbers)
                return [name if word == target.file else word for word in argv]

            made.append(Case(target.name, f"film: {words}", make, expect, (path.stem,)))
    if target.kind == "picture":
        images = {
            "says 60000 x 60000": png_bytes(60000, 60000, False),
            "of 1 x 1 px": png_bytes(1, 1, True),
            "of 20000 x 1 px": png_bytes(20000, 1, True),
        }
        for words, data in images.items():
            add(
                f"a PNG {words}",
                rewrite(lambda d, n, x=data: x),
                "fail" if "says" in words else "any",
            )
        if target.name == "predict picture png":
            add(
                "a PNG of 30000 x 30000 px",
                rewrite(lambda d, n: png_bytes(30000, 30000, True)),
                "any",
            )
            add(
                "a PNG of 16000 x 16000 px",
                rewrite(lambda d, n: png_bytes(16000, 16000, True)),
                "any",
            )
    if target.kind in BY_KIND:
        for words, mutate, expect in BY_KIND[target.kind](base):
            if rebuilt or (optional and target.kind != "npz"):
                expect = "any"
            if target.name.startswith(("info", "report")) and target.kind in (
                "npz",
                "config",
                "json",
            ):
                expect = "any"
            if (
                target.name
                in (
                    "evaluate poses",
                    "evaluate labels",
                    "criteria poses",
                    "figures",
                    "score prior",
                    "score labels",
                    "train labels",
                )
                and expect == "fail"
            ):
                unused = ("focal", "energy", "film", "model_sha256", "fps", "confidence", "root")
                if words.split()[0] in unused or (
                    target.kind == "npz"
                    and words.split()[0] in ("camera", "camera_residual", "shadow", "mask")
                ):
                    expect = "any"
            add(words, rewrite(mutate), expect)
    return made


def _origin(target: Target) -> str:
    """Where among the seeds the file comes from, which may be called otherwise there."""
    for seed in target.seeds:
        name, _, called = seed.partition(">")
        if called and (target.file == called or target.file.startswith(f"{called}/")):
            return name + target.file[len(called) :]
    return target.file


# ---------------------------------------------------------------- options

BASES: dict[str, tuple[str, str, str]] = {
    "predict": (
        "film.mp4 run",
        "predict film.mp4",
        "--output out --run run --detector none --no-overlay --no-viewer",
    ),
    "prepare": (
        "film.mp4",
        "prepare film.mp4",
        "--output out --shortest-clip 1 --crop-size 32 --workers 1 --no-whole --detector motion",
    ),
    "train": ("", "train", "--output out " + " ".join(PRIOR)),
    "adapt": (
        "0000.mp4 run",
        "adapt 0000.mp4",
        "--output out --start run --detector none --renders 0 --iterations 2 --check-every 1 --workers 1 --batch-size 2 --shortest-clip 0.5",
    ),
    "synthesize": (
        "",
        "synthesize",
        "--output out --clips 1 --seconds 1 --size 64 --fps 6 --workers 1",
    ),
    "synthworld": ("sw>out", "synthworld", "--output out --size tiny --workers 1"),
    "convert": ("lsp", "convert lsp", "--benchmark lsp --output out"),
    "export": ("poses.npz", "export poses.npz", "--output out --formats json csv"),
    "export-onnx": ("run", "export-onnx", "--output out.onnx --run run"),
    "evaluate": ("matched labels.npz", "evaluate matched labels.npz", "--output out.json"),
    "criteria": ("moved clips", "criteria moved", "--output out.json --clips clips"),
    "score": ("run sw", "score run", "--benchmark sw --output out.json --splits seen_world"),
    "reproduce": (
        "sw",
        "reproduce",
        "--output out --size tiny --folder sw --rows prior --seeds 0 --iterations 1",
    ),
    "ship": (
        "run scores.json small.json",
        "ship run",
        "--scores scores.json small.json --machine x --output out",
    ),
    "figures": ("scores.json scores.npz", "figures scores.json", "--output out"),
    "report": ("plain/run>run", "report run", "--output out.html"),
    "info": ("run", "info run", ""),
    "app": ("run", "app", "--run run --port 0"),
}
NUMBERS = ("0", "-1", "nan", "inf", "1e308", "", "word")
STREAMED = ["--stream.renders", "8", "--stream.workers", "1", "--stream.size", "48"]


def replaced_option(argv: list[str], option: str, values: list[str]) -> list[str]:
    """The option with other values, in place of those it has there."""
    if option in argv:
        at = argv.index(option)
        end = at + 1
        while end < len(argv) and not argv[end].startswith("--"):
            end += 1
        argv = argv[:at] + argv[end:]
    if values == ["-"]:
        return argv
    return [*argv, option, *values] if len(values) != 1 else [*argv, f"{option}={values[0]}"]


def settings_of(kind: type, prefix: str = "") -> list[tuple[str, object]]:
    """Every option of a command with its type."""
    found: list[tuple[str, object]] = []
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint, bare = hints[field.name], field.name.replace("_", "-")
        marks: tuple = ()
        while typing.get_origin(hint) is typing.Annotated:
            hint, *more = typing.get_args(hint)
            marks += tuple(more)
        if any("Positional" in repr(mark) or "POSITIONAL" in repr(mark) for mark in marks):
            continue
        if dataclasses.is_dataclass(hint):
            omitted = any(
                "OmitArgPrefixes" in repr(m) or "OMIT_ARG_PREFIXES" in repr(m) for m in marks
            )
            found += settings_of(hint, prefix if omitted else f"{prefix}{bare}.")
        else:
            found.append((f"--{prefix}{bare}", hint))
    return found


def option_cases(command: str) -> list[Case]:
    from kinepose.cli import COMMANDS

    seeds, start, rest = BASES[command]
    base = [*start.split(), *rest.split()]
    made: list[Case] = []

    def add(option: str, values: list[str], expect: str, words: str = "") -> None:
        argv = replaced_option(base, option, values)
        if option.startswith("--stream.") and "renders" not in option:
            argv = replaced_option([*argv, *STREAMED], option, values)
            if option in ("--stream.workers", "--stream.size"):
                argv = replaced_option(argv, option, values)

        def make(folder: Path, numbers: Numbers) -> list[str]:
            copied(folder, seeds.split())
            return with_earlier(folder, argv, numbers)

        shown = words or " ".join(map(repr, values))
        name = option.rsplit(".", 1)[-1].lstrip("-")
        shown_value = [" ".join(value.split())[:12] for value in values if len(value) > 2]
        names = (name, name.replace("-", "_"), "s3:", "empty scene", "is read", *shown_value)
        made.append(Case(f"options of {command}", f"{option} {shown[:80]}", make, expect, names))

    for option, hint in settings_of(COMMANDS[command][1]):
        args, origin = typing.get_args(hint), typing.get_origin(hint)
        plain = {hint, *args}
        if bool in plain:
            add(option, ["maybe"], "fail")
        elif origin is tuple and args and args[0] is float:
            for values in (
                ["nan", "nan"],
                ["inf", "inf"],
                ["5", "1"],
                ["-1", "-1"],
                ["1"],
                ["word", "1"],
                ["0", "1e308"],
                ["0", "0"],
            ):
                refuse = {"nan", "word"} & set(values) or len(values) == 1 or values == ["5", "1"]
                add(option, values, "fail" if refuse else "any")
        elif origin is tuple and args and args[0] is int:
            for values in (["-1"], ["0"], ["word"], [""], ["1.5"], ["99999999999999999999"]):
                add(option, values, "fail" if values[0] in ("word", "", "1.5") else "any")
        elif int in plain or float in plain:
            for value in NUMBERS:
                if option == "--port" and value == "0":
                    continue
                refuse = value in ("", "word", "nan") or (
                    int in plain and value in ("inf", "1e308")
                )
                add(option, [value], "fail" if refuse else "any")
            if int in plain:
                add(option, ["99999999999999999999999"], "any")
                add(option, ["1.5"], "fail")
        elif origin is typing.Literal or any(typing.get_origin(a) is typing.Literal for a in args):
            for value in ("word", "", "NPZ"):
                add(option, [value], "fail")
        elif Path in plain or any(Path in typing.get_args(a) for a in args):
            if "output" not in option:
                for value in (
                    "missing/place",
                    "",
                    "/dev/null",
                    "a\nb",
                    "x" * 300,
                    "s3://bucket/x",
                    "film.mp4",
                ):
                    add(option, [value], "any")
        elif str in plain or (args and args[0] is str):
            for value in ("", "word", "../x", "x" * 5000, "a\nb\x1b[31m"):
                add(option, [value], "any")
    for words, more in {
        "an unknown option": ["--no-such-option", "1"],
        "an output that is missing": ["--output"],
        "one word too many": ["surplus"],
        "an option without its value": ["--device"],
    }.items():

        def make(folder: Path, numbers: Numbers, more=more) -> list[str]:
            copied(folder, seeds.split())
            return [*base, *more]

        fine = command in ("prepare", "adapt", "criteria", "export") and more == ["surplus"]
        made.append(Case(f"options of {command}", words, make, "any" if fine else "fail", ()))
    if command == "app":
        for case in made:
            case.interrupt = 8.0
    return made


# ---------------------------------------------------------------- outputs, names, and all the rest


def other_cases() -> list[Case]:
    from kinepose.benchmarks.config import Benchmark

    made: list[Case] = []

    def add(
        family,
        words,
        seeds,
        argv,
        expect="any",
        names=(),
        replaced=("out", "out.*"),
        before=None,
        interrupt=0.0,
    ):
        def make(folder: Path, numbers: Numbers) -> list[str]:
            copied(folder, seeds.split())
            if before is not None:
                before(folder)
            return list(argv) if not isinstance(argv, str) else argv.split()

        made.append(Case(family, words, make, expect, tuple(names), tuple(replaced), interrupt))

    quick = ["--run", "run", "--no-overlay", "--no-viewer", "--detector", "none"]
    full = ["--run", "run", "--detector", "none"]
    folders = {
        "predict": ("film.mp4 run", ["predict", "film.mp4", *full]),
        "prepare": (
            "film.mp4",
            [
                "prepare",
                "film.mp4",
                "--shortest-clip",
                "1",
                "--crop-size",
                "32",
                "--workers",
                "1",
                "--no-whole",
                "--detector",
                "motion",
            ],
        ),
        "train": ("", ["train", *PRIOR]),
        "adapt": (
            "0000.mp4 run",
            [
                "adapt",
                "0000.mp4",
                "--start",
                "run",
                "--detector",
                "none",
                "--renders",
                "0",
                "--iterations",
                "2",
                "--check-every",
                "1",
                "--workers",
                "1",
                "--batch-size",
                "2",
                "--shortest-clip",
                "0.5",
            ],
        ),
        "synthesize": (
            "",
            [
                "synthesize",
                "--clips",
                "1",
                "--seconds",
                "1",
                "--size",
                "64",
                "--fps",
                "6",
                "--workers",
                "1",
            ],
        ),
        "convert": ("lsp", ["convert", "lsp", "--benchmark", "lsp"]),
        "export": (
            "poses.npz",
            ["export", "poses.npz", "--formats", "json", "csv", "bvh", "trc", "c3d"],
        ),
        "figures": ("scores.json scores.npz", ["figures", "scores.json"]),
        "ship": (
            "run scores.json small.json",
            ["ship", "run", "--scores", "scores.json", "small.json", "--machine", "x"],
        ),
        "synthworld": ("", ["synthworld", "--size", "tiny", "--workers", "1"]),
        "reproduce": (
            "sw",
            [
                "reproduce",
                "--size",
                "tiny",
                "--folder",
                "sw",
                "--rows",
                "prior",
                "--seeds",
                "0",
                "--iterations",
                "1",
            ],
        ),
    }
    files = {
        "evaluate": ("matched labels.npz", ["evaluate", "matched", "labels.npz"]),
        "criteria": ("poses", ["criteria", "poses"]),
        "score": ("run sw", ["score", "run", "--benchmark", "sw", "--splits", "seen_world"]),
        "report": ("plain/run>run", ["report", "run"]),
        "export-onnx": ("run", ["export-onnx", "--run", "run"]),
    }
    places: dict[str, tuple[str, Callable[[Path], object] | None, str]] = {
        "a file": ("taken", lambda f: (f / "taken").write_text("mine\n"), "fail"),
        "below a file": ("taken/x/y", lambda f: (f / "taken").write_text("mine\n"), "fail"),
        "a dangling link": ("out", lambda f: (f / "out").symlink_to("nowhere"), "any"),
        "a link to itself": ("out", lambda f: (f / "out").symlink_to("out"), "any"),
        "in /proc": ("/proc/x", None, "fail"),
        "in /sys": ("/sys/x", None, "fail"),
        "/dev/null": ("/dev/null", None, "fail"),
        "/dev/full": ("/dev/full", None, "fail"),
        "empty": ("", None, "any"),
        "a name of 300 bytes": ("o" * 300, None, "fail"),
        "a name of 255 bytes": ("o" * 255, None, "any"),
        "4500 bytes of folders": ("/".join(["dir"] * 1200), None, "fail"),
        "a name with a line break and quotes": ("o\n'\"$(touch pwned)", None, "any"),
        "a name that is not UTF-8": ("o\udcff\udcfe", None, "any"),
        "a zero byte": ("o\0x", None, "fail"),
    }
    for command, (seeds, argv) in {**folders, **files}.items():
        for words, (place, before, expect) in places.items():
            if "\0" in place:
                continue
            if command in files and words == "a file":
                place, expect = "taken/", "any"
                before = lambda f: (f / "taken").mkdir()
                words = "a folder, for a file"
            ok = expect
            replaced = ("out", "out.*", "o*", "nowhere", "nowhere*")
            shown = place[:40].replace("\n", " ") if place else "output"
            known = (
                shown.strip("/").split("/")[0][:12] or "out",
                "output",
                "name",
                "/proc",
                "/dev",
                "File",
            )
            add(
                f"output of {command}",
                f"--output {words}",
                seeds,
                [*argv, f"--output={place}"],
                ok,
                known,
                replaced,
                before,
            )
    # Outputs that are inputs, or lie in them.
    p = "output is input"
    add(
        p,
        "predict: the film itself",
        "film.mp4 run",
        ["predict", "film.mp4", "--output", "film.mp4", *full],
        "fail",
        ("film.mp4",),
        (),
    )
    add(
        p,
        "predict of out/overlay.mp4 into out",
        "run",
        ["predict", "out/overlay.mp4", "--output", "out", *full],
        "fail",
        ("overlay.mp4",),
        (),
        lambda f: (f / "out").mkdir() or shutil.copy(SEEDS / "film.mp4", f / "out/overlay.mp4"),
    )
    add(
        p,
        "predict of out/overlay (pictures) into out",
        "run pics>out/overlay",
        ["predict", "out/overlay", "--output", "out", *full],
        "fail",
        ("overlay",),
        (),
    )
    add(
        p,
        "predict of pictures into their folder",
        "run pics",
        ["predict", "pics", "--output", "pics", *full],
        "any",
        ("pics",),
        (),
    )
    add(
        p,
        "predict, the output is the run",
        "run film.mp4",
        ["predict", "film.mp4", "--output", "run", *quick],
        "any",
        ("run",),
        (),
    )
    add(
        p,
        "predict, the output is the ONNX file",
        "run film.mp4 model.onnx",
        ["predict", "film.mp4", "--output", "model.onnx", "--onnx", "model.onnx", *quick],
        "fail",
        ("model.onnx",),
        (),
    )
    add(
        p,
        "predict, poses.npz is a folder",
        "run film.mp4",
        ["predict", "film.mp4", "--output", "out", *quick],
        "fail",
        ("poses.npz",),
        (),
        lambda f: (f / "out/poses.npz").mkdir(parents=True),
    )
    add(
        p,
        "predict, overlay.mp4 is a folder",
        "run film.mp4",
        ["predict", "film.mp4", "--output", "out", *full],
        "fail",
        ("overlay.mp4",),
        (),
        lambda f: (f / "out/overlay.mp4").mkdir(parents=True),
    )
    add(
        p,
        "predict, viewer.html is a folder",
        "run film.mp4",
        ["predict", "film.mp4", "--output", "out", *full],
        "fail",
        ("viewer.html",),
        (),
        lambda f: (f / "out/viewer.html").mkdir(parents=True),
    )
    add(
        p,
        "predict, overlay is a file",
        "run pics",
        ["predict", "pics", "--output", "out", *full],
        "fail",
        ("overlay",),
        (),
        lambda f: (f / "out").mkdir() or (f / "out/overlay").write_text("mine\n"),
    )
    add(
        p,
        "export, track_0.bvh is a folder",
        "poses.npz",
        ["export", "poses.npz", "--formats", "json", "bvh", "--output", "out"],
        "fail",
        ("track_0.bvh",),
        (),
        lambda f: (f / "out/track_0.bvh").mkdir(parents=True),
    )
    add(
        p,
        "export of out/poses.npz into out",
        "poses.npz>out/poses.npz",
        ["export", "out/poses.npz", "--formats", "npz", "json", "--output", "out"],
        "any",
        (),
        ("out/poses.json",),
    )
    add(
        p,
        "export, the output is the poses",
        "poses.npz",
        ["export", "poses.npz", "--formats", "json", "--output", "poses.npz"],
        "fail",
        ("poses.npz",),
        (),
    )
    add(
        p,
        "evaluate, the output is the poses",
        "matched labels.npz",
        ["evaluate", "matched/poses.npz", "labels.npz", "--output", "matched/poses.npz"],
        "fail",
        ("poses.npz",),
        (),
    )
    add(
        p,
        "evaluate, the output is the labels",
        "matched labels.npz",
        ["evaluate", "matched", "labels.npz", "--output", "labels.npz"],
        "fail",
        ("labels.npz",),
        (),
    )
    add(
        p,
        "criteria, the output is the poses",
        "poses.npz",
        ["criteria", "poses.npz", "--output", "poses.npz"],
        "fail",
        ("poses.npz",),
        (),
    )
    add(
        p,
        "report, the output is config.json",
        "run",
        ["report", "run", "--output", "run/config.json"],
        "fail",
        ("config.json",),
        (),
    )
    add(
        p,
        "report, the output is the weights",
        "run",
        ["report", "run", "--output", "run/model.safetensors"],
        "fail",
        ("model.safetensors",),
        (),
    )
    add(
        p,
        "export-onnx, the output is the weights",
        "run",
        ["export-onnx", "--run", "run", "--output", "run/model.safetensors"],
        "fail",
        ("model.safetensors",),
        (),
    )
    add(
        p,
        "score, the output is the benchmark's description",
        "run sw",
        [
            "score",
            "run",
            "--benchmark",
            "sw",
            "--output",
            "sw/synthworld.json",
            "--splits",
            "seen_world",
        ],
        "fail",
        ("synthworld.json",),
        (),
    )
    add(
        p,
        "score into prior.json, beside prior.npz of the benchmark",
        "run sw",
        [
            "score",
            "run",
            "--benchmark",
            "sw",
            "--output",
            "sw/prior.json",
            "--splits",
            "seen_world",
        ],
        "fail",
        ("prior",),
        (),
    )
    add(
        p,
        "score into poses.json, beside poses.npz",
        "run sw poses.npz",
        ["score", "run", "--benchmark", "sw", "--output", "poses.json", "--splits", "seen_world"],
        "fail",
        ("poses.npz",),
        (),
    )
    add(
        p,
        "ship, the output is the run",
        "run scores.json small.json",
        [
            "ship",
            "run",
            "--scores",
            "scores.json",
            "small.json",
            "--machine",
            "x",
            "--output",
            "run",
        ],
        "fail",
        ("run",),
        (),
    )
    add(
        p,
        "train into a run without state (as of adapt or the package)",
        "run",
        ["train", "--output", "run", *PRIOR],
        "fail",
        ("run",),
        (),
        lambda f: [(f / "run" / n).unlink() for n in ("state.safetensors",)],
    )
    add(
        p,
        "train into a folder that has a log.jsonl of something else",
        "",
        ["train", "--output", "out", *PRIOR],
        "fail",
        ("log.jsonl", "out"),
        (),
        lambda f: (f / "out").mkdir() or (f / "out/log.jsonl").write_text('{"mine": 1}\n'),
    )
    add(
        p,
        "train into a folder of clips",
        "clips",
        ["train", "--output", "clips", *PRIOR],
        "any",
        ("clips",),
        (),
    )
    add(
        p,
        "adapt into the run to start from",
        "0000.mp4 run",
        [*folders["adapt"][1], "--output", "run"],
        "fail",
        ("run",),
        (),
    )
    add(
        p,
        "adapt into a folder with clips",
        "0000.mp4 run clips>out/clips",
        [*folders["adapt"][1], "--output", "out"],
        "fail",
        ("clips",),
        (),
    )
    add(
        p,
        "adapt of films that fail, into a folder that holds training",
        "film.gif>0000.mp4 run",
        [*folders["adapt"][1], "--output", "out", "--shortest-clip=99"],
        "fail",
        ("out", "training", "clip"),
        (),
        lambda f: (
            (f / "out/training").mkdir(parents=True)
            or (f / "out/training/mine.txt").write_text("mine\n")
        ),
    )
    add(
        p,
        "prepare into the folder of the films",
        "film.mp4>films/film.mp4",
        [
            "prepare",
            "films",
            "--output",
            "films",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "any",
        ("films",),
        ("films/_films.json",),
    )
    add(
        p,
        "prepare, film.parquet is a folder",
        "film.mp4",
        [
            "prepare",
            "film.mp4",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "fail",
        ("film.parquet",),
        (),
        lambda f: (f / "out/film.parquet").mkdir(parents=True),
    )
    add(
        p,
        "prepare of a broken film over clips of the good one",
        "clips>out",
        [
            "prepare",
            "film.mp4",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "fail",
        ("film.mp4",),
        (),
        lambda f: (f / "film.mp4").write_bytes(b"broken"),
    )
    add(
        p,
        "prepare of a broken film over someone's film.parquet",
        "",
        [
            "prepare",
            "film.mp4",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "fail",
        ("film.mp4",),
        (),
        lambda f: (
            (f / "film.mp4").write_bytes(b"broken"),
            (f / "out").mkdir(),
            (f / "out/film.parquet").write_bytes(b"of another program"),
        ),
    )
    add(
        p,
        "prepare over someone's film.parquet",
        "film.mp4",
        [
            "prepare",
            "film.mp4",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "any",
        ("film.parquet",),
        (),
        lambda f: (
            (f / "out").mkdir(),
            (f / "out/film.parquet").write_bytes(b"of another program"),
        ),
    )
    add(
        p,
        "convert into the data set",
        "lsp",
        ["convert", "lsp", "--benchmark", "lsp", "--output", "lsp"],
        "any",
        ("lsp",),
        (),
    )
    add(
        p,
        "convert over links of the user's own in films/lsp",
        "lsp",
        ["convert", "lsp", "--benchmark", "lsp", "--output", "out"],
        "any",
        ("lsp",),
        (),
        lambda f: (
            (f / "out/films/lsp").mkdir(parents=True)
            or (f / "out/films/lsp/mine.jpg").symlink_to("/etc/hostname")
        ),
    )
    add(
        p,
        "synthesize over a film of the user's",
        "film.mp4>out/films/film_0000.mp4",
        [*folders["synthesize"][1], "--output", "out"],
        "any",
        ("film_0000.mp4",),
        ("out",),
    )
    add(
        p,
        "synthesize over the user's boxes.csv",
        "boxes.csv>out/boxes.csv",
        [*folders["synthesize"][1], "--output", "out"],
        "any",
        ("boxes.csv",),
        ("out",),
    )
    add(
        p,
        "figures, fig2_maps.png is a folder",
        "scores.json scores.npz",
        ["figures", "scores.json", "--output", "out"],
        "fail",
        ("fig2_maps.png",),
        (),
        lambda f: (f / "out/fig2_maps.png").mkdir(parents=True),
    )
    # Names.
    odd = {
        "a line break": "a\nb.mp4",
        "quotes and a dollar": "a'\"$(touch pwned)`.mp4",
        "250 bytes": "n" * 246 + ".mp4",
        "255 bytes": "n" * 251 + ".mp4",
        "a leading dash": "-rf.mp4",
        "bytes that are not UTF-8": "a\udcff\udcfe.mp4",
        "letters of other scripts": "人物\u202eフィルム é.mp4",
        "a leading dot": ".hidden.mp4",
        "a percent sign": "a%20%s%d{x}.mp4",
        "a colon": "http:x.mp4",
        "a protocol": "concat:film.mp4",
        "only a suffix": ".mp4",
        "no suffix": "film",
        "capitals": "FILM.MP4",
        "HTML": "<script>alert(1)<script>.mp4",
        "control characters": "a\x1b[31m\x07.mp4",
    }
    for words, name in odd.items():
        word = f"./{name}" if name.startswith("-") else name

        def put(folder: Path, name=name) -> None:
            shutil.copy(SEEDS / "film.mp4", folder / name)

        plain = name.strip(".-")[:8].replace("\n", " ")
        add(
            "names",
            f"predict a film named with {words}",
            "run",
            ["predict", word, "--output", "out", *full, "--formats", "json", "csv"],
            "any",
            (plain, "name"),
            before=put,
        )
        add(
            "names",
            f"prepare a film named with {words}",
            "",
            [
                "prepare",
                word,
                "--output",
                "out",
                "--shortest-clip",
                "1",
                "--crop-size",
                "32",
                "--workers",
                "1",
                "--no-whole",
                "--detector",
                "motion",
            ],
            "any",
            (plain, "name"),
            before=put,
        )
        if name.startswith("-"):
            add(
                "names",
                f"predict a film named with {words}, bare",
                "run",
                ["predict", name, "--output", "out", *full],
                "fail",
                (plain,),
                before=put,
            )

        def put_picture(folder: Path, name=name) -> None:
            (folder / "in").mkdir()
            shutil.copy(
                SEEDS / "pic.jpg",
                folder / "in" / (name[:-4] + ".jpg" if name.endswith("mp4") else name + ".jpg"),
            )

        if "251" not in words:
            add(
                "names",
                f"predict a folder with a picture named with {words}",
                "run",
                ["predict", "in", "--output", "out", *full],
                "any",
                (plain, "name", "in"),
                before=put_picture,
            )
    latin = "B\udcfccher"
    scene = lambda f: (
        (f / "scenes").mkdir() or shutil.copy(SEEDS / "pic.jpg", f / "scenes" / f"{latin}.jpg")
    )
    add(
        "names",
        "synthesize --backgrounds with a picture named in Latin-1",
        "",
        [*folders["synthesize"][1], "--output", "out", "--backgrounds", "scenes"],
        "any",
        ("scenes", "name"),
        before=scene,
    )
    add(
        "names",
        "train --backgrounds with a picture named in Latin-1",
        "",
        ["train", "--output", "out", "--backgrounds", "scenes", *PRIOR],
        "any",
        ("scenes", "name"),
        before=scene,
    )
    inside = lambda name: (
        lambda f: (f / latin).mkdir() or shutil.copy(SEEDS / name, f / latin / name)
    )
    add(
        "names",
        "predict a film in a folder named in Latin-1",
        "run",
        ["predict", f"{latin}/film.mp4", "--output", "out", *full],
        "any",
        ("film.mp4", "name"),
        before=inside("film.mp4"),
    )
    add(
        "names",
        "predict a picture in a folder named in Latin-1",
        "run",
        ["predict", f"{latin}/pic.jpg", "--output", "out", *full],
        "any",
        ("pic.jpg", "name"),
        before=inside("pic.jpg"),
    )
    add(
        "names",
        "prepare a film in a folder named in Latin-1",
        "",
        [
            "prepare",
            f"{latin}/film.mp4",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "any",
        ("film.mp4", "name"),
        before=inside("film.mp4"),
    )
    add(
        "names",
        "export of poses in a folder named in Latin-1",
        "",
        [
            "export",
            f"{latin}/poses.npz",
            "--output",
            "out",
            "--formats",
            "json",
            "bvh",
            "trc",
            "c3d",
        ],
        "any",
        ("poses.npz", "name"),
        before=inside("poses.npz"),
    )
    add(
        "names",
        "export into a folder named in Latin-1",
        "poses.npz",
        ["export", "poses.npz", "--output", latin, "--formats", "json", "bvh", "trc", "c3d"],
        "any",
        ("name", "cher"),
    )
    add(
        "names",
        "convert of a data set in a folder named in Latin-1",
        f"h36m>{latin}",
        ["convert", latin, "--benchmark", "h36m_train", "--output", "out"],
        "any",
        ("name", "img_", "cher"),
    )
    add(
        "names",
        "info of clips in a folder named in Latin-1",
        f"clips>{latin}",
        ["info", latin],
        "any",
        ("name", "cher"),
    )
    for command, argv in {
        "export": "export %s --formats json bvh trc c3d --output out",
        "info": "info %s",
        "criteria": "criteria %s --output out.json",
    }.items():
        for words in ("a line break", "bytes that are not UTF-8", "250 bytes", "HTML"):
            name = odd[words].replace(".mp4", ".npz")
            add(
                "names",
                f"{command} of poses named with {words}",
                "",
                [name if w == "%s" else w for w in argv.split()],
                "any",
                (name[:8].replace("\n", " "), "name"),
                before=lambda f, n=name: shutil.copy(SEEDS / "poses.npz", f / n),
            )
    for words in ("a line break", "bytes that are not UTF-8", "HTML"):
        name = odd[words].replace(".mp4", "")
        add(
            "names",
            f"report of a run named with {words}",
            "",
            ["report", name, "--output", "out.html"],
            "any",
            (name[:8].replace("\n", " "),),
            before=lambda f, n=name: shutil.copytree(SEEDS / "run", f / n),
        )
        add(
            "names",
            f"info of a run named with {words}",
            "",
            ["info", name],
            "any",
            (name[:8].replace("\n", " "),),
            before=lambda f, n=name: shutil.copytree(SEEDS / "run", f / n),
        )
        add(
            "names",
            f"train --start of a run named with {words}",
            "",
            ["train", "--start", name, "--output", "out", *PRIOR[:10]],
            "any",
            (name[:8].replace("\n", " "),),
            before=lambda f, n=name: shutil.copytree(SEEDS / "run", f / n),
        )
    # The command line itself, and combinations of settings that make no sense.
    c = "command line"
    for words, argv in {
        "nothing": [],
        "an empty word": [""],
        "an unknown command": ["detect"],
        "a command in capitals": ["PREDICT"],
        "not UTF-8": ["\udcff"],
        "a command of 100 kB": ["x" * 100_000],
        "a line break": ["a\nb"],
        "--version": ["--version"],
        "--help of a command": ["train", "--help"],
    }.items():
        add(c, words, "", argv, "any" if not argv or "help" in words else "fail")
    add(
        c,
        "--boxes without --detector file",
        "film.mp4 run boxes.csv",
        ["predict", "film.mp4", "--output", "out", "--boxes", "boxes.csv", *quick],
        "told",
        ("boxes",),
    )
    add(
        c,
        "--detector file without --boxes",
        "film.mp4 run",
        ["predict", "film.mp4", "--output", "out", "--run", "run", "--detector", "file"],
        "fail",
        ("boxes",),
    )
    add(
        c,
        "--detector motion on a picture",
        "pic.jpg run",
        ["predict", "pic.jpg", "--output", "out", "--run", "run", "--detector", "motion"],
        "fail",
        ("motion",),
    )
    add(
        c,
        "--detector rtdetr without weights",
        "film.mp4 run",
        ["predict", "film.mp4", "--output", "out", "--run", "run", "--detector", "rtdetr"],
        "fail",
        ("rtdetr", "detector"),
    )
    add(
        c,
        "--detector-weights a folder of something else",
        "film.mp4 run",
        [
            "predict",
            "film.mp4",
            "--output",
            "out",
            "--run",
            "run",
            "--detector",
            "rtdetr",
            "--detector-weights",
            "run",
        ],
        "fail",
        ("detector", "run"),
    )
    add(
        c,
        "--device cuda",
        "film.mp4 run",
        ["predict", "film.mp4", "--output", "out", "--device", "cuda", *quick],
        "fail",
        ("cuda", "CUDA"),
    )
    add(
        c,
        "--onnx of another run",
        "film.mp4 bare model.onnx",
        [
            "predict",
            "film.mp4",
            "--output",
            "out",
            "--run",
            "bare",
            "--onnx",
            "model.onnx",
            "--detector",
            "none",
        ],
        "fail",
        ("model.onnx",),
    )
    add(
        c,
        "--formats without any",
        "film.mp4 run",
        ["predict", "film.mp4", "--output", "out", *quick, "--formats"],
        "any",
        ("format",),
    )
    add(
        c,
        "export --formats without any",
        "poses.npz",
        ["export", "poses.npz", "--output", "out", "--formats"],
        "fail",
        ("format",),
    )
    add(
        c,
        "one film twice",
        "film.mp4",
        [
            "prepare",
            "film.mp4",
            "film.mp4",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "any",
        ("film",),
    )
    add(
        c,
        "two films of one name",
        "film.mp4 film.mkv",
        [
            "prepare",
            "film.mp4",
            "film.mkv",
            "--output",
            "out",
            "--shortest-clip",
            "1",
            "--crop-size",
            "32",
            "--workers",
            "1",
            "--no-whole",
            "--detector",
            "motion",
        ],
        "fail",
        ("film",),
    )
    add(c, "no film", "", ["prepare", "--output", "out"], "fail", ("film",))
    add(
        c,
        "an empty folder of films",
        "",
        ["prepare", "films", "--output", "out"],
        "fail",
        ("films",),
        before=lambda f: (f / "films").mkdir(),
    )
    add(
        c,
        "a folder with a folder in it",
        "",
        ["prepare", "films", "--output", "out"],
        "fail",
        ("films",),
        before=lambda f: (f / "films/x").mkdir(parents=True),
    )
    add(
        c,
        "poses of one film twice",
        "poses",
        ["criteria", "poses", "poses/poses.npz", "--output", "out.json"],
        "fail",
        ("poses",),
    )
    add(
        c,
        "--views of one film",
        "poses",
        ["criteria", "poses", "--views", "--output", "out.json"],
        "fail",
        ("views",),
    )
    add(
        c,
        "evaluate: labels and poses exchanged",
        "matched labels.npz",
        ["evaluate", "labels.npz", "matched/poses.npz", "--output", "out.json"],
        "fail",
        ("npz",),
    )
    add(
        c,
        "evaluate: poses against poses",
        "matched",
        ["evaluate", "matched", "matched/poses.npz", "--output", "out.json"],
        "fail",
        ("poses",),
    )
    add(
        c,
        "evaluate by a protocol of another data set",
        "poses lsp",
        ["evaluate", "poses", "lsp", "--protocol", "h36m_all", "--output", "out.json"],
        "fail",
        ("lsp",),
    )
    add(
        c,
        "score of a split that is none",
        "run sw",
        ["score", "run", "--benchmark", "sw", "--output", "out.json", "--splits", "no_such"],
        "fail",
        ("no_such",),
    )
    add(
        c,
        "score of a split that has no clips",
        "run sw",
        ["score", "run", "--benchmark", "sw", "--output", "out.json", "--splits", ".."],
        "fail",
        ("..",),
    )
    add(
        c,
        "score into .npz",
        "run sw",
        ["score", "run", "--benchmark", "sw", "--output", "out.npz"],
        "fail",
        ("npz",),
    )
    add(
        c,
        "figures of scores that are not there",
        "",
        ["figures", "missing.json", "--output", "out"],
        "fail",
        ("missing",),
    )
    add(
        c,
        "train, unsupervised without clips",
        "",
        ["train", "--output", "out", *QUICK, *TINY],
        "fail",
        ("clips",),
    )
    add(
        c,
        "train, full without labels",
        "allclips",
        ["train", "--output", "out", "--clips", "allclips", "--variant", "full", *QUICK, *TINY],
        "fail",
        ("labels",),
    )
    add(
        c,
        "train on clips given twice",
        "allclips allclips>more",
        ["train", "--output", "out", "--clips", "allclips", "more", *QUICK, *TINY],
        "fail",
        ("train_static",),
    )
    add(
        c,
        "train on poses as clips",
        "poses",
        ["train", "--output", "out", "--clips", "poses", *QUICK, *TINY],
        "fail",
        ("poses",),
    )
    add(
        c,
        "train on a run that has other settings",
        "bare>out",
        ["train", "--output", "out", *replaced_option(PRIOR, "--batch-size", ["3"])],
        "fail",
        ("batch_size", "batch-size"),
    )
    add(
        c,
        "train --start another model",
        "run",
        ["train", "--output", "out", "--start", "run", *PRIOR, "--model.branch-width=16"],
        "fail",
        ("run", "model"),
    )
    add(
        c,
        "train --preset unknown",
        "",
        ["train", "--output", "out", "--preset", "huge"],
        "fail",
        ("huge",),
    )
    add(
        c,
        "reproduce --preset unknown",
        "sw",
        ["reproduce", "--output", "out", "--folder", "sw", "--size", "tiny", "--preset", "huge"],
        "fail",
        ("huge",),
    )
    add(
        c,
        "reproduce --rows unknown",
        "sw",
        ["reproduce", "--output", "out", "--folder", "sw", "--size", "tiny", "--rows", "all"],
        "fail",
        ("all",),
    )
    add(
        c,
        "reproduce in a benchmark of another size",
        "sw",
        [
            "reproduce",
            "--output",
            "out",
            "--folder",
            "sw",
            "--size",
            "small",
            "--rows",
            "prior",
            "--iterations",
            "1",
        ],
        "fail",
        ("sw",),
    )
    add(
        c,
        "synthworld in a benchmark of another size",
        "sw>out",
        ["synthworld", "--output", "out", "--size", "small"],
        "fail",
        ("out",),
    )
    add(
        c,
        "convert of a folder with nothing",
        "",
        ["convert", "none", "--benchmark", "lsp", "--output", "out"],
        "fail",
        ("none",),
        before=lambda f: (f / "none").mkdir(),
    )
    for benchmark in typing.get_args(Benchmark):
        add(
            c,
            f"convert, {benchmark}: no such folder",
            "",
            f"convert nowhere --benchmark {benchmark} --output out".split(),
            "fail",
            ("nowhere",),
        )
    add(
        c,
        "convert --subjects unknown",
        "h36m",
        ["convert", "h36m", "--benchmark", "h36m_train", "--output", "out", "--subjects", "S99"],
        "fail",
        ("S99",),
    )
    add(
        c,
        "convert, a picture missing",
        "lsp",
        ["convert", "lsp", "--benchmark", "lsp", "--output", "out"],
        "fail",
        ("im0005.jpg",),
        before=lambda f: (f / "lsp/images/im0005.jpg").unlink(),
    )
    add(
        c,
        "convert, a film missing",
        "3dhp",
        ["convert", "3dhp", "--benchmark", "mpi_inf_3dhp_train", "--output", "out"],
        "fail",
        ("video_4.avi",),
        before=lambda f: (f / "3dhp/S1/Seq1/video_4.avi").unlink(),
    )
    add(
        c,
        "convert, the last picture missing",
        "h36m",
        ["convert", "h36m", "--benchmark", "h36m_train", "--output", "out"],
        "fail",
        ("img_000006.jpg",),
        before=lambda f: (
            f / "h36m/processed/S1/Walking-1/imageSequence/54138969/img_000006.jpg"
        ).unlink(),
    )
    for address in (
        "zip://clips::broken.zip",
        "nosuch://x",
        "s3://bucket/clips",
        "http://127.0.0.1:9/clips",
        "file:///nowhere",
        "memory://x",
        "ftp://127.0.0.1:9/x",
        "simplecache::zip://c::broken.zip",
        "://",
        "zip://::",
        "local://clips",
        "hf://x",
    ):
        add(
            "addresses",
            f"info {address}",
            "clips",
            ["info", address],
            "any" if address == "local://clips" else "fail",
            (address.split("://")[0] or "://", "broken.zip"),
            before=lambda f: (f / "broken.zip").write_bytes(b"PK\x03\x04broken"),
        )
        add(
            "addresses",
            f"train --clips {address}",
            "clips",
            ["train", "--output", "out", "--clips", address, *QUICK, *TINY],
            "any" if address == "local://clips" else "fail",
            (address.split("://")[0] or "://", "broken.zip"),
            before=lambda f: (f / "broken.zip").write_bytes(b"PK\x03\x04broken"),
        )
    for words, argv in {
        "--port -1": ["--port=-1"],
        "--port 70000": ["--port", "70000"],
        "--port 1.5": ["--port", "1.5"],
        "--host of nobody": ["--host", "no.such.host.invalid", "--port", "0"],
        "--host empty": ["--host=", "--port", "0"],
        "--host of another machine": ["--host", "192.0.2.1", "--port", "0"],
        "--run missing": ["--run=missing", "--port", "0"],
        "--device word": ["--device", "word", "--port", "0"],
        "--host with a line break": ["--host", "a\nb", "--port", "0"],
        "--host of 70000 letters": ["--host", "h" * 70000, "--port", "0"],
        "--host not UTF-8": ["--host", "\udcff", "--port", "0"],
    }.items():
        run = [] if "--run" in words else ["--run", "run"]
        add(
            "app",
            words,
            "run",
            ["app", *run, *argv],
            "any" if words in ("--host empty", "--device word") else "fail",
            ("port", "host", "run", "server", words.split()[0].strip("-"), "device"),
            interrupt=8.0,
        )
    folder_cases = {
        "a folder named as a picture inside": lambda f: (f / "pics/d.png").mkdir(),
        "a dangling link inside": lambda f: (f / "pics/d.png").symlink_to("nowhere"),
        "a link to itself inside": lambda f: (f / "pics/d.png").symlink_to("d.png"),
        "a pipe inside": lambda f: os.mkfifo(f / "pics/d.png"),
        "/dev/zero inside": lambda f: (f / "pics/d.png").symlink_to("/dev/zero"),
        "an empty picture inside": lambda f: (f / "pics/d.png").write_bytes(b""),
        "a text inside": lambda f: (f / "pics/readme.txt").write_text("x"),
        "a film inside": lambda f: shutil.copy(SEEDS / "film.mp4", f / "pics/film.mp4"),
        "pictures of several sizes": lambda f: picture(
            f / "pics/d.png", blob_frames(1, (640, 480))[0]
        ),
        "a picture of 16 bits": lambda f: picture(
            f / "pics/d.png", (blob_frames(1)[0].astype(np.uint16) * 257)
        ),
        "a grey picture": lambda f: picture(f / "pics/d.png", blob_frames(1)[0][..., 0]),
        "a picture of floats": lambda f: picture(
            f / "pics/d.tif", blob_frames(1)[0][..., 0].astype(np.float32)
        ),
        "nothing": lambda f: [p.unlink() for p in (f / "pics").iterdir()],
        "two of one stem": lambda f: picture(f / "pics/a.png", blob_frames(1)[0]),
        "the overlay of before": lambda f: picture(f / "pics/overlay.png", blob_frames(1)[0]),
    }
    for words, before in folder_cases.items():
        add(
            "folders of pictures",
            words,
            "pics run",
            ["predict", "pics", "--output", "out", *full],
            "any",
            ("d.png", "d.tif", "pics"),
            before=before,
        )
    return made


# ---------------------------------------------------------------- judging


def manifest(folder: Path) -> dict[str, str]:
    """Every path in a folder, with what tells whether it has changed."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place) / name
            relative = os.path.relpath(path, folder)
            if relative.split("/")[0] in (".tmp", ".state", ".stdout", ".stderr", ".hang"):
                continue
            if path.is_symlink():
                found[relative] = f"link {os.readlink(path)}"
            elif path.is_dir():
                found[relative] = "folder"
            elif path.is_file():
                data = path.read_bytes() if path.stat().st_size < 2**26 else b""
                found[relative] = f"file {path.stat().st_size} {hashlib.sha1(data).hexdigest()}"
            else:
                found[relative] = "special"
    return found


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


def told(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("kinepose: ")]


def judge(case: Case, folder: Path, before: dict[str, str], found: dict) -> list[tuple[str, str]]:
    """(kind of failure, detail), empty if the promise was kept; found['class'] says how."""
    after = manifest(folder)
    status, stderr, stdout = found["status"], found["stderr"], found["stdout"]
    faults: list[tuple[str, str]] = []
    new = sorted(set(after) - set(before))
    changed = sorted(n for n in before if after.get(n) != before[n])
    lines = stderr.splitlines()
    said = told(stderr)
    if any(Path(n).name == "pwned" for n in after) or (folder / ".tmp/pwned").exists():
        faults.append(("code ran", "the input ran a program"))
    if found["hung"]:
        stack = _text(folder / ".hang")
        faults.append(("hang", _last_frame(stack)))
    elif status < 0:
        faults.append(
            (
                "killed",
                f"signal {signal.Signals(-status).name}; {_last_frame(_text(folder / '.hang'))}",
            )
        )
    elif found["bug"]:
        faults.append(("bug", _error_of(found["bug"])))
    elif "Traceback (most recent call last)" in stderr or (
        lines and status and "Error" in lines[-1] and not said
    ):
        kind = (
            "memory"
            if re.search(r"MemoryError|not enough memory|std::bad_alloc", stderr)
            else "traceback"
        )
        faults.append((kind, _error_of(stderr)))
    elif status and case.interrupt and found["interrupted"]:
        pass
    elif status:
        last = lines[-1] if lines else ""
        if status not in (1, 2):
            faults.append(("status", f"exit status {status}"))
        if not last.startswith("kinepose: "):
            faults.append(("no line", last[:200]))
        elif (
            len(last) > LONG_LINE + 2 * max(map(len, case.argv), default=0)
            or len(lines) > LONG_TEXT
        ):
            faults.append(
                ("long", f"{len(lines)} lines, the last of {len(last)} letters: {last[:160]}")
            )
        elif case.names and not any(name in last for name in case.names):
            faults.append(("unclear", _normal(last)))
        if re.search(r"\[Errno|0x[0-9a-f]{6,}|<class '|object at|NoneType|typing\.|usecols", last):
            faults.append(("jargon", _normal(last)))
    noise = [x for x in lines if not x.startswith(("kinepose: ", "passed over: ")) and x.strip()]
    if noise and not any(k in ("traceback", "hang", "killed", "memory") for k, _ in faults):
        found["noise"] = _normal(noise[0])[:160]
    if not status and not found["hung"]:
        if case.expect == "fail" and not found["interrupted"]:
            faults.append(
                (
                    "accepted",
                    "status 0" + (f"; said: {said[-1][:120]}" if said else " without a word"),
                )
            )
        if case.expect == "told" and not said:
            count = _frames_in(folder / "out/poses.npz")
            if "film" not in case.family or count != FRAMES:
                faults.append(("silent", f"status 0 without a word; {count} frames of {FRAMES}"))
        lacks = "--no-energy" in case.argv or "score" in case.family
        for name in new + [c for c in changed if c in after]:
            path = folder / name
            plain = path.is_file() and not path.is_symlink()
            if plain and (wrong := nonsense(path, lacks)):
                faults.append(("nonsense", f"{_plain_name(path)}: {wrong}"))
        if re.search(r"(?<![A-Za-z])(nan|NaN)(?![A-Za-z])", stdout):
            faults.append(("nonsense", "nan is printed"))
    lost = [n for n in changed if status or not _may(n, case.replaced)]
    by_design = "again" in case.family or case.family.startswith(
        ("reproduce", "synthworld", "options of synthworld", "output of synthworld")
    )
    if by_design and not status:
        lost = []
    lost = [n for n in lost if not (before[n] == "folder" and n in after)]
    if lost:
        gone = [n for n in lost if n not in after]
        faults.append(
            (
                "destroyed",
                f"{'removed' if gone else 'changed'}: {_plain_name(Path((gone or lost)[0]))}",
            )
        )
    parts = [n for n in new if re.match(r"\..*\.part", Path(n).name)]
    temporary = [p for p in (folder / ".tmp").rglob("*")] if (folder / ".tmp").is_dir() else []
    if parts or temporary:
        faults.append(("temporary files", _plain_name(Path(parts[0] if parts else temporary[0]))))
    if found["processes_left"] and not found["hung"]:
        faults.append(("processes left", ""))
    if status and new and not parts:
        whole = [n for n in new if after[n] != "folder"]
        broken = [n for n in whole if nonsense(folder / n, True)]
        if broken:
            faults.append(
                (
                    "half-written",
                    f"{_plain_name(Path(broken[0]))}: {nonsense(folder / broken[0], True)}",
                )
            )
        elif whole:
            found["left"] = f"{len(whole)} files, as {_plain_name(Path(whole[0]))}"
        else:
            found["left"] = "an empty folder"
    found["class"] = (
        "failed"
        if faults
        else "refused"
        if status
        else "interrupted"
        if found["interrupted"]
        else "ok"
        if case.expect == "ok"
        else "tolerated"
    )
    if case.expect == "ok" and status:
        faults.append(("good input refused", _normal(lines[-1] if lines else "")))
        found["class"] = "failed"
    return faults


def _may(name: str, patterns: tuple[str, ...]) -> bool:
    import fnmatch

    return any(
        name == p
        or (name.startswith(f"{p}/") and "notes.txt" not in name)
        or (fnmatch.fnmatch(name, p) and "notes.txt" not in name)
        for p in patterns
    )


def _frames_in(path: Path) -> int:
    try:
        with np.load(path) as held:
            return len(np.unique(held["frame"]))
    except Exception:
        return 0


def _plain_name(path: Path) -> str:
    return re.sub(r"\d{4,}", "N", str(Path(*path.parts[-2:])))[:60]


def _error_of(stderr: str) -> str:
    """The last frame of kinepose and the error."""
    frames = re.findall(r'File "[^"]*/kinepose/([^"]+)", line (\d+), in (\S+)', stderr)
    lines = re.findall(r"^([\w.]*(?:[eE]rror|Exception|Violation|BadZipFile))\b", stderr, re.M)
    error = lines[-1].split(".")[-1] if lines else (stderr.strip().splitlines() or [""])[-1][:80]
    at = f"{frames[-1][0]}:{frames[-1][2]}" if frames else "?"
    return f"{error} in {at}"


def _last_frame(stack: str) -> str:
    frames = re.findall(r'File "[^"]*/kinepose/([^"]+)", line (\d+) in (\S+)', stack)
    other = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', stack)
    if frames:
        return f"{frames[0][0]}:{frames[0][2]}"
    return f"{Path(other[0][0]).name}:{other[0][2]}" if other else "?"


def _normal(text: str) -> str:
    """Without paths and numbers, so that the same fault has one name."""
    text = re.sub(r"(/[\w.+-]+)+/", "", text)
    text = re.sub(r"0x[0-9a-f]+", "0xN", text)
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", "N", text)[:220]


# ---------------------------------------------------------------- the page to drop films on


def app_uploads(work: Path, results: list[dict]) -> None:
    """Bad films by HTTP, to one server of the true command line."""
    folder = work / "app"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copied(folder, ["run", "film.mp4"])
    (folder / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(folder / "tmp")}
    argv = [KINEPOSE, "app", "--run", "run", "--port", "0", "--largest", "1"]
    out = (folder / "stdout").open("w")
    server = subprocess.Popen(
        argv,
        cwd=folder,
        stdout=out,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    address = ""
    for _ in range(300):
        time.sleep(0.2)
        if seen := re.search(r"http://127.0.0.1:\d+", _text(folder / "stdout")):
            address = seen[0]
            break
    good = (SEEDS / "film.mp4").read_bytes()

    def ask(method: str, path: str, data: bytes | None = None, host: str = "") -> tuple[int, str]:
        request = urllib.request.Request(address + path, data, method=method)
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read(4000).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read(4000).decode("utf-8", "replace")
        except Exception as error:
            return 0, f"{type(error).__name__}: {error}"

    uploads = {
        "an empty film": ("film.mp4", b""),
        "a text": ("film.mp4", b"no film\n" * 9),
        "a truncated film": ("film.mp4", good[: len(good) // 2]),
        "random bytes": ("film.mkv", np.random.default_rng(0).bytes(9000)),
        "a picture of text": ("a.png", b"no picture"),
        "a good film": ("film.mp4", good),
    }
    plain = {
        "no suffix": ("PUT", "/films/film", good),
        "a path": ("PUT", "/films/..%2F..%2Fx.mp4", good),
        "too large": ("PUT", "/films/a.mp4", bytes(2_000_000)),
        "no detector": ("PUT", "/films/a.mp4?detector=word", good),
        "detector file": ("PUT", "/films/a.mp4?detector=file", good),
        "no format": ("PUT", "/films/a.mp4?format=exe", good),
        "no such job": ("GET", "/jobs/xxx", None),
        "no such page": ("GET", "/etc/passwd", None),
        "a path in results": ("GET", "/jobs/xxx/..%2F..%2Fetc%2Fpasswd", None),
        "another method": ("POST", "/films/a.mp4", good),
        "a name of 5000 letters": ("PUT", f"/films/{'n' * 5000}.mp4?detector=word", good),
    }

    def note(words: str, verdict: str, detail: str, began: float) -> None:
        kind = [] if verdict == "pass" else [["app", detail[:200]]]
        results.append(
            {
                "key": f"app/{words}",
                "family": "app uploads",
                "command": "app",
                "words": words,
                "class": "refused" if verdict == "pass" else "failed",
                "faults": kind,
                "status": 0,
                "seconds": round(time.monotonic() - began, 1),
                "stderr": detail[:300],
                "megabytes": 0,
            }
        )

    for words, (method, path, data) in plain.items():
        began = time.monotonic()
        code, text = ask(method, path, data)
        note(
            words,
            "pass" if 400 <= code < 500 or (words == "too large" and code == 0) else "fail",
            f"HTTP {code}: {text[:150]}",
            began,
        )
    code, text = ask("GET", "/", host="evil.example")
    note(
        "another host",
        "pass" if code == 400 else "fail",
        f"HTTP {code}: {text[:100]}",
        time.monotonic(),
    )
    for words, (name, data) in uploads.items():
        began = time.monotonic()
        code, text = ask("PUT", f"/films/{name}?detector=none", data)
        state: dict = {}
        if code == 200:
            key = json.loads(text)["key"]
            while time.monotonic() - began < 90:
                state = json.loads(ask("GET", f"/jobs/{key}")[1])
                if state["state"] not in ("waiting", "running"):
                    break
                time.sleep(0.5)
        clear = (
            state.get("state") == "failed"
            and state.get("message")
            and state["message"] != "it ended unexpectedly"
        )
        good_one = words in ("a good film", "a truncated film") and state.get("state") == "done"
        note(
            words,
            "pass" if clear or good_one else "fail",
            f"HTTP {code}: {json.dumps(state)[:200]}",
            began,
        )
    server.send_signal(signal.SIGINT)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        note("the end", "fail", "does not end by SIGINT in 20 s", time.monotonic())
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    left = [p for p in (folder / "tmp").iterdir() if "torchinductor" not in p.name]
    note("nothing stays", "pass" if not left else "fail", f"left: {left[:3]}", time.monotonic())


# ---------------------------------------------------------------- all of it


def all_cases() -> dict[str, tuple[float, list[Case]]]:
    """Families with their weights."""
    made: dict[str, tuple[float, list[Case]]] = {}
    for target in targets():
        made[target.name] = (target.weight, cases_of(target))
    weights = {
        "predict": 40,
        "prepare": 30,
        "train": 75,
        "adapt": 16,
        "synthesize": 40,
        "synthworld": 4,
        "convert": 5,
        "export": 6,
        "export-onnx": 4,
        "evaluate": 5,
        "criteria": 5,
        "score": 6,
        "reproduce": 14,
        "ship": 6,
        "figures": 4,
        "report": 5,
        "info": 3,
        "app": 9,
    }
    for command, weight in weights.items():
        made[f"options of {command}"] = (weight, option_cases(command))
    for case in other_cases():
        family = made.setdefault(case.family, (0, []))
        family[1].append(case)
    for name, (weight, cases) in made.items():
        if not weight:
            made[name] = (
                min(len(cases), 200) * (0.45 if name.startswith("output of") else 0.85),
                cases,
            )
    return made


def drawn(count: int) -> list[Case]:
    """So many inputs: of each family its share, what is plain first in no family's favour."""
    only = os.environ.get("FUZZ_ONLY", "").split("|") if os.environ.get("FUZZ_ONLY") else []
    families = {n: f for n, f in all_cases().items() if not only or any(o in n for o in only)}
    total = sum(weight for weight, _ in families.values())
    chosen: list[Case] = []
    for name, (weight, cases) in families.items():
        seen: collections.Counter = collections.Counter()
        for case in cases:
            seen[case.words] += 1
            case.key = f"{name}/{case.words}" + (
                f" #{seen[case.words]}" if seen[case.words] > 1 else ""
            )
        numbers = np.random.default_rng([SEED, zlib.crc32(name.encode())])
        share = max(1, round(count * weight / total))
        order = numbers.permutation(len(cases))
        chosen += [cases[i] for i in order[:share]]
    return chosen


def prepared(case: Case, folder: Path) -> tuple[list[str], dict[str, str]]:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    case.argv = case.make(folder, np.random.default_rng([SEED, zlib.crc32(case.key.encode())]))
    return case.argv, manifest(folder)


def confirm(case: Case, folder: Path) -> dict:
    """By the true command line."""
    argv, before = prepared(case, folder)

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    (folder / ".tmp").mkdir()
    environment = os.environ | {
        "TMPDIR": str(folder / ".tmp"),
        "XDG_STATE_HOME": str(folder / ".state"),
    }
    began = time.monotonic()
    with (folder / ".stdout").open("wb") as out, (folder / ".stderr").open("wb") as err:
        process = subprocess.Popen(
            [KINEPOSE, *argv],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            preexec_fn=limits,
            start_new_session=True,
        )
        hung = interrupted = False
        while process.poll() is None:
            taken = time.monotonic() - began
            if case.interrupt and taken > case.interrupt + 12 and not interrupted:
                interrupted = True
                process.send_signal(signal.SIGINT)
            if taken > LIMIT + 15:
                hung = True
                _end_group(process.pid)
                process.wait()
            time.sleep(0.05)
    left = _end_group(process.pid)
    found = {
        "bug": _bug(folder),
        "status": process.returncode,
        "seconds": round(time.monotonic() - began, 2),
        "megabytes": 0,
        "hung": hung,
        "interrupted": interrupted,
        "processes_left": left,
        "stdout": _text(folder / ".stdout"),
        "stderr": _text(folder / ".stderr"),
    }
    found["faults"] = judge(case, folder, before, found)
    return found


def command_of(case: Case) -> str:
    if case.argv and re.fullmatch(r"[a-z-]+", case.argv[0]):
        return case.argv[0]
    return "kinepose"


def main() -> None:
    global SEEDS
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    work, count = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    work.mkdir(parents=True, exist_ok=True)
    SEEDS = work / "seeds"
    began = time.monotonic()
    zygote = Zygote()
    if not (SEEDS / "done").is_file():
        shutil.rmtree(SEEDS, ignore_errors=True)
        SEEDS.mkdir()
        make_seeds(SEEDS, zygote)
        (SEEDS / "done").write_text("")
    weights = Path(__import__("kinepose").__file__).parent / "weights"
    shipped = manifest(weights)
    seeds = {n: s for n, s in manifest(SEEDS).items()}
    cases = drawn(count)
    print(f"seeds after {time.monotonic() - began:.0f} s; {len(cases)} inputs", flush=True)
    results: list[dict] = []
    distinct: dict[tuple, Case] = {}
    log = (work / "results.jsonl").open("w")
    for number, case in enumerate(cases):
        folder = work / "runs" / f"{number:05d}"
        try:
            argv, before = prepared(case, folder)
        except Exception as error:
            print(f"cannot make {case.key}: {type(error).__name__}: {error}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            continue
        found = zygote.run(argv, folder, case.interrupt)
        faults = judge(case, folder, before, found)
        row = {
            "key": case.key,
            "family": case.family,
            "command": command_of(case),
            "words": case.words,
            "expect": case.expect,
            "faults": faults,
            **{
                k: found.get(k)
                for k in ("status", "seconds", "megabytes", "class", "noise", "left")
            },
        }
        row["stderr"] = found["stderr"][-1500:].encode("utf-8", "backslashreplace").decode()
        results.append(row)
        log.write(json.dumps(row) + "\n")
        log.flush()
        for kind, detail in faults:
            shared = kind in ("traceback", "jargon", "hang")
            signature = ("" if shared else row["command"], kind, detail)
            if signature not in distinct:
                distinct[signature] = case
        shutil.rmtree(folder, ignore_errors=True)
        if number % 50 == 49:
            bad = sum(bool(r["faults"]) for r in results)
            print(
                f"{number + 1} inputs, {bad} failed, {time.monotonic() - began:.0f} s", flush=True
            )
    if not os.environ.get("FUZZ_ONLY") or "app" in os.environ["FUZZ_ONLY"]:
        app_uploads(work, results)
        for row in results[-20:]:
            log.write(json.dumps(row) + "\n")
    zygote.end()
    assert manifest(weights) == shipped, "the package's own weights have changed"
    assert {n: s for n, s in manifest(SEEDS).items()} == seeds, "seeds have changed"
    passed = time.monotonic() - began
    print(
        f"{len(results)} inputs in {passed / 60:.1f} min; confirming {len(distinct)} findings",
        flush=True,
    )
    confirmed = confirm_all(distinct, work)
    write_summary(work, results, confirmed, passed)
    print(f"{work / 'summary.md'} after {(time.monotonic() - began) / 60:.1f} min", flush=True)


def confirm_all(distinct: dict[tuple, Case], work: Path) -> dict[tuple, dict]:
    """Each finding once; findings of one case by one run."""
    done: dict[str, dict] = {}
    confirmed: dict[tuple, dict] = {}
    if os.environ.get("FUZZ_CONFIRM") == "0":
        return confirmed
    for number, (signature, case) in enumerate(distinct.items()):
        if case.key not in done:
            folder = work / "findings" / f"{number:03d}"
            found = confirm(case, folder)
            done[case.key] = found
            for name in (".stdout", ".stderr"):
                (folder / name).replace(folder / f"printed{name}")
            shutil.rmtree(folder / ".tmp", ignore_errors=True)
            _trim(folder)
            prepared_again = folder / "input"
            prepared(case, prepared_again)
            _trim(prepared_again)
            argv = " ".join(_quoted(word) for word in case.argv)
            (folder / "command.txt").write_bytes(os.fsencode(f"kinepose {argv}\n"))
        found = done[case.key]
        confirmed[signature] = {
            "yes": signature[1] in {k for k, _ in found["faults"]},
            "status": found["status"],
            "seconds": found["seconds"],
            "stderr": found["stderr"][-700:],
            "key": case.key,
            "again": found["faults"],
            "argv": case.argv,
        }
    return confirmed


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word) if len(word) < 400 else f"{word[:20]}...({len(word)} letters)"


def _trim(folder: Path) -> None:
    """Large files go."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 8_000_000:
            path.unlink()


def write_summary(work: Path, results: list[dict], confirmed: dict, seconds: float) -> None:
    classes = ["refused", "tolerated", "ok", "interrupted", "failed"]
    table: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for row in results:
        table[row["command"]][row["class"]] += 1
        table["all"][row["class"]] += 1
    lines = [
        f"# {len(results)} inputs in {seconds / 60:.1f} min",
        "",
        "| command | inputs | " + " | ".join(classes) + " |",
        "|---" * 7 + "|",
    ]
    for name in [*sorted(n for n in table if n != "all"), "all"]:
        counts = table[name]
        lines.append(
            f"| {name} | {sum(counts.values())} | "
            + " | ".join(str(counts[c]) for c in classes)
            + " |"
        )
    kinds = collections.Counter(kind for row in results for kind in {k for k, _ in row["faults"]})
    lines += [
        "",
        "## Kinds of failure",
        "",
        *(f"- {kind}: {number} inputs" for kind, number in kinds.most_common()),
    ]
    lines += ["", "## Findings", ""]
    groups: dict[tuple, list[dict]] = collections.defaultdict(list)
    for row in results:
        for kind, detail in row["faults"]:
            groups[row["command"], kind, detail].append(row)
    for signature, rows in sorted(groups.items(), key=lambda g: (g[0][1], g[0][0])):
        known = confirmed.get(tuple(signature)) or confirmed.get(("", *signature[1:]), {})
        lines.append(
            f"- **{signature[1]}** {signature[0]}: {signature[2]} ({len(rows)} inputs; by the command line: {known.get('yes', '-')}, status {known.get('status', '-')})"
        )
        lines += [f"    - {row['key']}" for row in rows[:6]]
    for name, heading in (
        ("noise", "Lines beside the one line"),
        ("left", "Whole files left after a refusal"),
    ):
        lines += ["", f"## {heading}", ""]
        such = [r for r in results if r.get(name)]
        for (command, text), number in collections.Counter(
            (r["command"], r[name]) for r in such
        ).most_common(60):
            example = next(r["key"] for r in such if (r["command"], r[name]) == (command, text))
            lines.append(f"- {number} x {command}: {text} ({example})")
    odd = re.compile(r"'(-1|inf|1e308|0|9{9,})'$")
    accepted = collections.defaultdict(list)
    for row in results:
        if (
            row["family"].startswith("options of")
            and row["status"] == 0
            and (value := odd.search(row["words"]))
        ):
            accepted[row["command"], value[1]].append(row["words"].split()[0])
    lines += ["", "## Odd numbers that options accept", ""]
    lines += [
        f"- {command} {value}: {' '.join(options)}"
        for (command, value), options in sorted(accepted.items())
    ]
    said = collections.Counter(
        _normal(r["stderr"].splitlines()[-1])
        for r in results
        if r["status"] and r["stderr"].strip()
    )
    lines += [
        "",
        "## What is said",
        "",
        *(f"- {number} x `{text}`" for text, number in said.most_common()),
    ]
    slow = sorted(results, key=lambda r: -r["seconds"])[:15]
    lines += [
        "",
        "## Slowest",
        "",
        *(f"- {r['seconds']} s, {r['megabytes']} MB: {r['key']}" for r in slow),
    ]
    large = sorted(results, key=lambda r: -(r["megabytes"] or 0))[:10]
    lines += [
        "",
        "## Largest",
        "",
        *(f"- {r['megabytes']} MB, {r['seconds']} s: {r['key']}" for r in large),
    ]
    (work / "summary.md").write_bytes("\n".join(lines).encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    main()
