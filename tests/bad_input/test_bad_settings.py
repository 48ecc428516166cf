"""Settings and names that cannot be meant get one line, and odd names that can are taken."""

import math
import os
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import run_here

from kinepose.dataset.config import PrepareConfig
from kinepose.io.errors import SettingError
from kinepose.io.schema import differences
from kinepose.synthetic.config import SceneConfig
from kinepose.training.config import TrainConfig


def test_nan_and_inf_are_no_numbers_for_any_option():
    for made in (TrainConfig(Path("x")), SceneConfig(), PrepareConfig((), Path("x"))):
        for field in fields(made):
            value = getattr(made, field.name)
            wrong = {
                float: (math.nan, math.inf, -math.inf),
                int: (10**30,),
            }
            for bad in wrong.get(type(value), ()):
                with pytest.raises(SettingError, match=f"--{field.name.replace('_', '-')} "):
                    replace(made, **{field.name: bad})
            if isinstance(value, tuple) and value and isinstance(value[0], float):
                for pair in ((math.nan, 1.0), (1e9, 0.0), (0.0, math.inf)):
                    with pytest.raises(SettingError):
                        replace(made, **{field.name: pair})


def test_settings_on_the_command_line_are_named_as_they_were_given(refused):
    for words, says in [
        (("--stream.scene.noise", "5", "1"), "--stream.scene.noise [5.0, 1.0]: must be from 0"),
        (("--learning-rate", "inf"), "--learning-rate inf: must be a finite number"),
        (("--model.appearance-widths", "-1"), "--model.appearance-widths -1: must be at least 1"),
        (("--stream.scene.sun", "word", "1"), "--stream.scene.sun"),
        (("--batch-size", "9" * 30), "--batch-size 99999"),
        (("--device", "tpu"), "--device"),
    ]:
        assert says in refused("train", "--output", "out", *words)


def test_differences_are_named_one_by_one():
    held = {"stream": {"pool": 0, "motion": {"apart": False}}, "seed": 1}
    wanted = {"stream": {"pool": 0, "motion": {"apart": True}}, "seed": 2, "more": [1]}
    assert differences(held, wanted) == [
        "stream.motion.apart False, not True", "seed 1, not 2", "more null, not [1]"
    ]  # fmt: skip


def test_names_are_bytes(place, monkeypatch, capsys):
    latin = os.fsdecode(b"B\xfccher")
    shutil.copytree("run", f"{latin}-run")
    shutil.copy("poses.npz", f"{latin}.npz")
    shutil.copytree("clips", f"{latin}-clips")
    for words in (
        ("info", f"{latin}-run"),
        ("info", f"{latin}.npz"),
        ("info", f"{latin}-clips"),
        ("report", f"{latin}-run", "--output", f"{latin}.html"),
        ("export", "poses.npz", "--formats", "json", "csv", "bvh", "trc", "c3d", "--output", latin),
        ("evaluate", "poses.npz", "labels.npz", "--output", f"{latin}.json"),
    ):
        assert run_here(monkeypatch, capsys, *words) == (0, []), words
    assert (place / latin / "track_0.c3d").stat().st_size > 1000


def test_a_name_that_leaves_no_room_is_one_line(refused, place):
    name = "n" * 251 + ".mp4"
    (place / name).write_bytes(b"no video")
    assert "is too long" in refused("prepare", name, "--output", "out")


def test_a_name_without_room_for_the_detectors_is_refused_before_anything_is_traced(refused):
    assert "too long" in refused("export-onnx", "--run", "run", "--output", f"{'x' * 245}.onnx")


def test_a_name_that_is_not_utf8_is_written_to(place, monkeypatch, capsys):
    from kinepose.video.writing import write_video

    write_video(Path("video.mp4"), [np.full((64, 64, 3), 5 * i, np.uint8) for i in range(25)], 25.0)
    out = place / "o\udcff"
    settings = [
        "--detector",
        "none",
        "--shortest-clip",
        "0.5",
        "--crop-size",
        "32",
        "--workers",
        "1",
        "--no-whole",
    ]
    status, lines = run_here(
        monkeypatch, capsys, "prepare", "video.mp4", *settings, "--output", out
    )
    assert status == 0, lines
    assert (out / "video.parquet").is_file()


def test_boxes_without_their_detector_are_one_line(refused, place):
    (place / "video.mp4").write_bytes(b"no video")
    said = refused("predict", "video.mp4", "--output", "out", "--boxes", "boxes.csv")
    assert "--boxes is read by --detector file alone" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["prepare", "video.mp4", "--output", "out", "--backgrounds", ""],
            "--backgrounds is empty",
        ),
        (["prepare", "video.mp4", "--output=", "--crop-size=64"], "--output is empty"),
        (["export", "", "--output", "out"], "a name is empty"),
        (["export", "poses.npz", "--output", "out"], "Missing from kinepose export: --formats"),
        (["predict", "-rf.mp4", "--output", "out"], "there is no option -rf.mp4"),
        (["criteria", "s3://b/poses.npz", "--output", "out"], "is an address"),
        (["predict", "video.mp4", "--output", "out", "--onnx", "s3://b/x"], "is an address"),
        (["predict", "video.mp4", "--output", "out", "--onnx", "run"], "run is a folder, not"),
    ],
)
def test_what_is_no_path_of_this_machine_is_said(words, says, refused, place):
    (place / "video.mp4").write_bytes(b"no video")
    assert says in refused(*words)
