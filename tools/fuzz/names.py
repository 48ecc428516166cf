"""Videos, images, poses, runs and folders with names that are rare."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.fuzz.cases import Case, case, words

NAMES = {
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
    "a protocol": "concat:video.mp4",
    "only a suffix": ".mp4",
    "no suffix": "video",
    "capitals": "VIDEO.MP4",
    "HTML": "<script>alert(1)<script>.mp4",
    "control characters": "a\x1b[31m\x07.mp4",
}
LATIN = "B\udcfccher"
"""Bücher in Latin-1."""
FOUR, THREE = (
    ("a line break", "bytes that are not UTF-8", "250 bytes", "HTML"),
    ("a line break", "bytes that are not UTF-8", "HTML"),
)


def name_cases(good: Path) -> list[Case]:
    """All of them."""
    made: list[Case] = []

    def add(what: str, argv: list[str], *says: str, **more: Any) -> None:
        made.append(case(good, "names", what, argv, names=says, **more))

    def put(seed: str, name: str, folder: str = "") -> Callable[[Path], object]:
        def before(place: Path) -> None:
            (place / folder).mkdir(exist_ok=True)
            copy = shutil.copytree if (good / seed).is_dir() else shutil.copy
            copy(good / seed, place / folder / name)

        return before

    everything, cut = words("--output out {all}"), words("--output out {cut}")
    for what, name in NAMES.items():
        video, word = put("video.mp4", name), f"./{name}" if name.startswith("-") else name
        plain = name.strip(".-")[:8].replace("\n", " ")
        formats = [*everything, "--formats", "json", "csv"]
        argv = ["predict", word, *formats]
        more = {"needs": "run", "before": video}
        add(f"predict a video named with {what}", argv, plain, "name", **more)
        add(
            f"prepare a video named with {what}",
            ["prepare", word, *cut],
            plain,
            "name",
            before=video,
        )
        if word != name:
            bare = f"predict a video named with {what}, bare"
            add(bare, ["predict", name, *everything], plain, expect="fail", **more)
        image = (name[:-4] if name.endswith("mp4") else name) + ".jpg"
        add(
            f"predict a folder with an image named with {what}",
            ["predict", "in", *everything],
            *(plain, "name", "in"),
            needs="run",
            before=put("pic.jpg", image, "in"),
        )
    made += _in_latin(good, put)
    for command, line in {
        "export": "export % --formats json bvh trc c3d --output out",
        "info": "info %",
        "criteria": "criteria % --output out.json",
    }.items():
        for what in FOUR:
            name = NAMES[what].replace(".mp4", ".npz")
            argv = [name if word == "%" else word for word in line.split()]
            plain = name[:8].replace("\n", " ")
            more = {"before": put("poses.npz", name)}
            add(f"{command} of poses named with {what}", argv, plain, "name", **more)
    for what in THREE:
        name = NAMES[what].replace(".mp4", "")
        plain, more = name[:8].replace("\n", " "), {"before": put("run", name)}
        report, start = ["--output", "out.html"], words("--output out {start}")
        add(f"report of a run named with {what}", ["report", name, *report], plain, **more)
        add(f"info of a run named with {what}", ["info", name], plain, **more)
        argv = ["train", "--start", name, *start]
        add(f"train --start of a run named with {what}", argv, plain, **more)
    return made


def _in_latin(good: Path, put: Callable[..., Callable[[Path], object]]) -> list[Case]:
    """Folders named in Latin-1, and an image among backgrounds."""
    scene, motions = put("pic.jpg", f"{LATIN}.jpg", "scenes"), "--formats json bvh trc c3d"
    inside = "in a folder named in Latin-1"
    rows: list[tuple[str, str, str, Callable | None, tuple[str, ...]]] = [
        *(
            (
                f"{line.split()[0]} --backgrounds with an image named in Latin-1",
                line,
                "",
                scene,
                ("scenes", "name"),
            )
            for line in (
                "synthesize {videos} --output out --backgrounds scenes",
                "train --output out --backgrounds scenes {prior}",
            )
        ),
        *(
            (f"{what} {inside}", line, needs, put(name, name, LATIN), (name, "name"))
            for what, line, needs, name in (
                ("predict a video", "predict %/video.mp4 --output out {all}", "run", "video.mp4"),
                ("predict an image", "predict %/pic.jpg --output out {all}", "run", "pic.jpg"),
                ("prepare a video", "prepare %/video.mp4 --output out {cut}", "", "video.mp4"),
                ("export of poses", f"export %/poses.npz --output out {motions}", "", "poses.npz"),
            )
        ),
        (
            "export into a folder named in Latin-1",
            f"export poses.npz --output % {motions}",
            "poses.npz",
            None,
            ("name", "cher"),
        ),
        (
            f"convert of a data set {inside}",
            "convert % --benchmark h36m_train --output out",
            f"h36m>{LATIN}",
            None,
            ("name", "img_", "cher"),
        ),
        (f"info of clips {inside}", "info %", f"clips>{LATIN}", None, ("name", "cher")),
    ]
    return [
        case(
            good,
            "names",
            what,
            [w.replace("%", LATIN) for w in words(line)],
            needs,
            before,
            names=says,
        )
        for what, line, needs, before, says in rows
    ]
