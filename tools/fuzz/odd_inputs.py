"""Addresses, the page's own settings, folders of images, and words that are no command."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
from tools.fuzz.cases import Case, case, words
from tools.fuzz.images import blob_frames, write_image

from kinepose.benchmarks.config import Benchmark

ADDRESSES = (
    *("zip://clips::broken.zip", "nosuch://x", "s3://bucket/clips", "http://127.0.0.1:9/clips"),
    *("file:///nowhere", "memory://x", "ftp://127.0.0.1:9/x", "simplecache::zip://c::broken.zip"),
    *("://", "zip://::", "local://clips", "hf://x"),
)
COMMANDS = {
    "nothing": [],
    "an empty word": [""],
    "an unknown command": ["detect"],
    "a command in capitals": ["PREDICT"],
    "not UTF-8": ["\udcff"],
    "a command of 100 kB": ["x" * 100_000],
    "a line break": ["a\nb"],
    "--version": ["--version"],
    "--help of a command": ["train", "--help"],
}
PAGE = {
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
}


def _image(name: str, image: np.ndarray) -> Callable[[Path], object]:
    return lambda folder: write_image(folder / "pics" / name, image)


_IMAGE = blob_frames(1)[0]
IMAGES: dict[str, Callable[[Path], object]] = {
    "a folder named as an image inside": lambda f: (f / "pics/d.png").mkdir(),
    "a dangling link inside": lambda f: (f / "pics/d.png").symlink_to("nowhere"),
    "a link to itself inside": lambda f: (f / "pics/d.png").symlink_to("d.png"),
    "a pipe inside": lambda f: os.mkfifo(f / "pics/d.png"),
    "/dev/zero inside": lambda f: (f / "pics/d.png").symlink_to("/dev/zero"),
    "an empty image inside": lambda f: (f / "pics/d.png").write_bytes(b""),
    "a text inside": lambda f: (f / "pics/readme.txt").write_text("x"),
    "a video inside": lambda f: shutil.copy(f / "video.mp4", f / "pics/video.mp4"),
    "images of several sizes": _image("d.png", blob_frames(1, (640, 480))[0]),
    "an image of 16 bits": _image("d.png", _IMAGE.astype(np.uint16) * 257),
    "a grey image": _image("d.png", _IMAGE[..., 0]),
    "an image of floats": _image("d.tif", _IMAGE[..., 0].astype(np.float32)),
    "nothing": lambda f: [path.unlink() for path in (f / "pics").iterdir()],
    "two of one stem": _image("a.png", _IMAGE),
    "the overlay of before": _image("overlay.png", _IMAGE),
}
"""What else may lie in a folder of images."""


def odd_cases(good: Path) -> list[Case]:
    """All of them."""
    return [*_commands(good), *_addresses(good), *_page(good), *_images(good)]


def _commands(good: Path) -> list[Case]:
    made = []
    for what, argv in COMMANDS.items():
        expect = "any" if not argv or "help" in what else "fail"
        made.append(case(good, "command line", what, argv, expect=expect))
    for benchmark in get_args(Benchmark):
        argv = words(f"convert nowhere --benchmark {benchmark} --output out")
        what, says = f"convert, {benchmark}: no such folder", ("nowhere",)
        made.append(case(good, "command line", what, argv, expect="fail", names=says))
    return made


def _addresses(good: Path) -> list[Case]:
    def before(folder: Path) -> None:
        (folder / "broken.zip").write_bytes(b"PK\x03\x04broken")

    return [
        case(
            good,
            "addresses",
            f"{what} {address}",
            [address if word == "%" else word for word in words(line)],
            "clips",
            before,
            expect="any" if address == "local://clips" else "fail",
            names=(address.split("://")[0] or "://", "broken.zip"),
        )
        for address in ADDRESSES
        for what, line in (
            ("info", "info %"),
            ("train --clips", "train --output out --clips % {short}"),
        )
    ]


def _page(good: Path) -> list[Case]:
    made = []
    for what, argv in PAGE.items():
        run = [] if "--run" in what else ["--run", "run"]
        says = ("port", "host", "run", "server", what.split()[0].strip("-"), "device")
        expect = "any" if what == "--device word" else "fail"
        more = {"expect": expect, "names": says, "interrupt": 8.0}
        made.append(case(good, "app", what, ["app", *run, *argv], "run", **more))
    return made


def _images(good: Path) -> list[Case]:
    argv, says = words("predict pics --output out {all}"), ("d.png", "d.tif", "pics")
    needs = "pics run video.mp4"
    return [
        case(good, "folders of images", what, argv, needs, before, names=says)
        for what, before in IMAGES.items()
    ]
