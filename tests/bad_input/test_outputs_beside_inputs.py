"""An output never falls on an input: every command, and every place that it reads."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bad_input.good_inputs import contents
from tests.conftest import run_here

from kinepose import cli
from kinepose.io.errors import BadInputError
from kinepose.io.places import Reads, Writes, _marked, _marks, _places, check_places

OVERLAPS = {
    "the weights of a run": ("report", "run", "--output", "run/model.safetensors"),
    "the settings of a run": ("report", "run", "--output", "run/config.json"),
    "into the images of a run": ("report", "run", "--output", "run/images/page.html"),
    "poses": ("evaluate", "poses.npz", "labels.npz", "--output", "poses.npz"),
    "labels": ("evaluate", "poses.npz", "labels.npz", "--output", "labels.npz"),
    "by a link": ("evaluate", "poses.npz", "labels.npz", "--output", "link.npz"),
    "by another folder": ("evaluate", "poses.npz", "labels.npz", "--output", "./a/../labels.npz"),
    "poses as BVH": (
        "report",
        "run",
        "--poses",
        "out",
        "--output",
        "out/track_3.bvh",
    ),
    "the run as ONNX": ("export-onnx", "--run", "run", "--output", "run/model.safetensors"),
    "the video that was predicted": ("predict", "out/overlay.mp4", "--output", "out"),
    "the images that were predicted": ("predict", "out/overlay", "--output", "out"),
    "the run to start from": ("train", "--start", "run", "--output", "run"),
    "the data set": ("convert", "clips", "--benchmark", "lsp", "--output", "clips"),
    "a folder of videos": ("prepare", "clips", "--output", "clips"),
    "a folder for a file": ("report", "run", "--output", "clips"),
    "a file for a folder": ("export", "poses.npz", "--formats", "csv", "--output", "poses.npz"),
    "a run without its state": ("train", "--output", "run", "--variant", "prior"),
}


@pytest.mark.parametrize("words", OVERLAPS)
def test_an_output_never_falls_on_an_input(words, refused, place):
    (place / "a").mkdir()
    (place / "out/overlay").mkdir(parents=True)
    (place / "run/images").mkdir()
    (place / "out/overlay.mp4").write_bytes(b"a video")
    (place / "link.npz").symlink_to("labels.npz")
    refused(*OVERLAPS[words])


LINES = {
    "synthesize": "--motion.clips motions --backgrounds scenes",
    "synthworld": "",
    "convert": "data --benchmark lsp",
    "prepare": "video.mp4 videos --detector file --boxes boxes.csv --backgrounds scenes",
    "train": "--clips clips more --labels labels --backgrounds scenes --start run",
    "train-detector": "--places scenes --start detector.safetensors",
    "adapt": "video.mp4 --start run --backgrounds scenes --detector file --boxes boxes.csv",
    "predict": "video.mp4 --run run --onnx a.onnx --detector file --boxes boxes.csv --formats csv",
    "export": "poses.npz --formats json trc",
    "export-onnx": "--run run",
    "evaluate": "poses labels.npz",
    "criteria": "poses other.npz --clips clips",
    "score": "run --benchmark data",
    "reproduce": "--folder data --more clips",
    "figures": "scores.json",
    "report": "run --poses poses",
}
"""Of every command that writes: all that it can read."""


@pytest.mark.parametrize("command", LINES)
def test_no_place_of_any_command_falls_on_what_it_reads(command, place):
    words = [command, *LINES[command].split(), "--output", "out"]
    config = cli._parse(command, cli.COMMANDS[command][1], words[1:])
    marked = list(_marked(config))
    for path, mark in marked:
        for name in mark.names if isinstance(mark, Reads) and not path.suffix else ():
            inside = path / name.replace("*", "0")
            inside.mkdir(parents=True, exist_ok=True) if name.endswith("/") else _touch(inside)
        _touch(path if path.suffix else path / "some/file")
    Path("out").exists() and shutil.rmtree("out")
    sources = {p for path, mark in marked for p, _ in _places(path, mark, config)
               if isinstance(mark, Reads) and "*" not in p.name}  # fmt: skip
    (written,) = (mark for path, mark in marked if isinstance(mark, Writes))
    names = [name.replace("{format}", "trc") for name in written.names if "*" not in name]
    several, names = sorted(sources), names or [""]
    pairs = zip(itertools.cycle(several), itertools.cycle(names), strict=False)
    for source, name in itertools.islice(pairs, max(len(several), len(names))):
        assert source.exists()
        for make in (Path.symlink_to, Path.hardlink_to):
            output = Path("out", name)
            output.parent.mkdir(parents=True, exist_ok=True)
            if make is Path.symlink_to or source.is_file():
                make(output, source.absolute())
                with pytest.raises(BadInputError, match=r"cannot write|name another"):
                    check_places(config)
            output.unlink(missing_ok=True)
            shutil.rmtree("out", ignore_errors=True)
    folders = [source for source in sources if source.is_dir()]
    for folder in folders:
        with pytest.raises(BadInputError, match="is read"):
            check_places(replace(config, output=Path("nowhere/..") / folder / "within"))
    check_places(config)


def test_a_video_among_clips_is_not_replaced_by_its_clips(refused):
    shutil.copy("poses.npz", "clips/mine.parquet")
    said = refused("prepare", "clips/mine.parquet", "--output", "clips")
    assert "clips/mine.parquet is read" in said


def test_clips_do_not_replace_what_is_none_of_an_earlier_call(refused, place):
    (place / "video.mp4").write_bytes(b"a video")
    theirs = place / "out/video.parquet"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    said = refused("prepare", "video.mp4", "--output", "out")
    assert "video.mp4 is not cut: out/video.parquet is a file that no earlier call wrote" in said
    assert theirs.read_bytes() == b"mine"
    theirs.unlink()
    theirs.mkdir()
    assert "video.parquet is a folder" in refused("prepare", "video.mp4", "--output", "out")
    assert list(theirs.parent.iterdir()) == [theirs]


def test_exports_lie_beside_the_poses_that_they_are_of(place, monkeypatch, capsys):
    for name in ("results.json", "track_0.bvh"):
        (place / name).write_text("{}")
    words = ("export", ".", "--formats", "bvh", "--output", ".")
    assert run_here(monkeypatch, capsys, *words) == (0, [])
    assert (place / "track_0.bvh").stat().st_size > 1000


def _touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_every_path_of_every_command_is_marked_as_read_or_written():
    assert set(LINES) == set(cli.COMMANDS) - {"info", "app"}
    kept = {"cutouts"}  # a cache of its own files, which it adds and never replaces
    for name, (_, kind) in cli.COMMANDS.items():
        for setting, hint in kind.__annotations__.items():
            if ("Path" in repr(hint) or "Address" in repr(hint)) and setting not in kept:
                assert any(isinstance(m, Reads | Writes) for m in _marks(hint)), (name, setting)


@pytest.mark.parametrize("onto", ["out/poses.npz", "out/overlay", "out", "video.mp4", "boxes.csv"])
def test_boxes_that_predict_writes_fall_on_nothing_else(onto, refused):
    for name in ("video.mp4", "boxes.csv"):
        Path(name).write_bytes(b"mine")
    people = ("--detector", "file", "--boxes", "boxes.csv", "--detections", onto)
    said = refused("predict", "video.mp4", "--run", "run", "--output", "out", *people)
    assert "it is read" in said or "written too" in said or "is a folder" in said


def test_scores_do_not_replace_arrays_of_something_else(place, tiny_model):
    from kinepose.evaluation.config import ScoreConfig
    from kinepose.evaluation.score import score

    before = contents(place)
    with pytest.raises(BadInputError, match=r"poses\.npz holds no scored frames"):
        score(ScoreConfig(Path("run"), Path("nowhere"), Path("poses.json")))
    assert contents(place) == before
