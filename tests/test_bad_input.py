"""A file that lies gets one line, and an output never falls on an input: a case of every kind."""

import itertools
import json
import math
import os
import shutil
import signal
import socket
import struct
import time
import warnings
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.conftest import run_here

from kinepose import cli
from kinepose.adaptation.checks import read_adaptation
from kinepose.artifacts.model_files import load_model, save_model
from kinepose.artifacts.pose_files import (
    VideoLabels,
    VideoPoses,
    read_labels,
    read_poses,
    write_labels,
    write_poses,
)
from kinepose.artifacts.run_folder import read_last_images, read_log, read_run_config
from kinepose.benchmarks.synthworld import read_synthworld
from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.clips import SCHEMA
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.pairs import load_images
from kinepose.dataset.renders import load_prior
from kinepose.evaluation.score import read_scores
from kinepose.io.array_files import map_npy, read_npz
from kinepose.io.errors import BadInputError, SettingError, TrainingError, VideoWarning
from kinepose.io.files import replacing
from kinepose.io.places import Reads, Writes, _marked, _marks, _places, check_places
from kinepose.io.schema import differences, read_json
from kinepose.paper.reproduce import Record
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.mocap_files import clips_in
from kinepose.training.checkpoint import Run, save
from kinepose.training.config import PRESETS, TrainConfig
from kinepose.training.losses import LOSSES
from kinepose.video.box_tables import read_boxes

ROWS = 5
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def poses(rows: int = ROWS) -> VideoPoses:
    body = np.random.default_rng(0).normal(0, 300, (rows, 17, 3)).astype(np.float32)
    return VideoPoses(
        video=np.array("video.mp4"),
        frame=np.arange(rows),
        time=np.arange(rows) / 25,
        image=np.full(rows, ""),
        track=np.zeros(rows, np.int64),
        box=np.tile(np.float32([0, 0, 30, 60]), (rows, 1)),
        joints2d=body[..., :2] / 10 + 50,
        joints3d=body,
        confidence=np.full((rows, 17), 0.5, np.float32),
        root=np.tile(np.float32([0, 0, 5000]), (rows, 1)),
        focal=np.full(rows, 500, np.float32),
        energy=np.full(rows, np.nan, np.float32),
        fps=np.array(25, np.float32),
    )


def labels() -> VideoLabels:
    held = poses()
    lens, fps = np.array(500, np.float32), np.array(25, np.float32)
    return VideoLabels(held.frame, held.track, held.joints2d, held.joints3d, lens, fps)


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_model):
    """A folder to stand in, with good inputs: a run, poses, labels and clips."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    train = replace(PRESETS["cpu"], output=Path("run"))
    save_model(tiny_model, Path("run"), train=train)
    line = {"step": 1, "loss": "prior", "total": 1.0, "pose": 1.0, "seconds": 1.0}
    Path("run/log.jsonl").write_text(json.dumps(line) + "\n")
    write_poses(Path("poses.npz"), poses())
    write_labels(Path("labels.npz"), labels())
    write_clips(Path("clips"))
    return tmp_path


def write_clips(folder, **columns):
    folder.mkdir(exist_ok=True)
    image = cv2.imencode(".png", np.full((16, 16, 3), 90, np.uint8))[1].tobytes()
    row = {
        **{"video": "video.mp4", "clip": 0, "track": 0, "paired": True, "fps": 25.0},
        **{"image": image, "background": image, "valid": image, "reason": "because"},
        **{"box": [0.0, 0.0, 1.0, 1.0], "crop": [0.0, 0.0, 1.0], "background_motion": 1.0},
    }
    rows = [row | {"frame": i, "time": i / 25} | columns for i in range(ROWS)]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "video.parquet")


def contents(folder):
    """Every file, but for the log of what we did not foresee."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".state" not in path.parts
    }


@pytest.fixture
def refused(place, monkeypatch, capsys):
    """A call that must end with status 2, one short line, and nothing changed; gives the line."""

    def call(*words):
        before = contents(place)
        status, lines = run_here(monkeypatch, capsys, *words)
        assert status == 2, lines
        assert len(lines) == 1 and lines[0].startswith("kinepose: ") and len(lines[0]) < 700
        for jargon in ("Traceback", "[Errno", "NoneType", "object at", "typing."):
            assert jargon not in lines[0]
        assert contents(place) == before
        return lines[0]

    return call


def npz_with(path, **arrays):
    with np.load(path) as held:
        np.savez_compressed(path, **(dict(held) | arrays))


def npz_with_head(path, name, head, body=b""):
    """The same archive, one array of which says something else of itself."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    head = head.encode() + b" " * (-(len(head) + 11) % 64) + b"\n"
    members[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in members.items():
            archive.writestr(each, data)


def patched(path, offset_local, offset_central, value):
    """Every member of a zip with another number in its two heads."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", offset_local), (b"PK\x01\x02", offset_central)):
        start = data.find(mark)
        while start >= 0:
            struct.pack_into("<H", data, start + offset, value)
            start = data.find(mark, start + 4)
    path.write_bytes(bytes(data))


F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
LYING_ARRAYS = {
    "words": lambda p: npz_with(p, joints2d=np.full((ROWS, 17, 2), "word")),
    "a row less": lambda p: npz_with(p, root=np.zeros((ROWS - 1, 3), np.float32)),
    "a dimension more": lambda p: npz_with(p, track=np.zeros((1, ROWS), np.int64)),
    "one number": lambda p: npz_with(p, joints3d=np.float32(3)),
    "complex": lambda p: npz_with(p, confidence=np.zeros((ROWS, 17), complex)),
    "nan": lambda p: npz_with(p, joints3d=poses().joints3d * np.nan),
    "too large for float32": lambda p: npz_with(p, joints3d=np.full((ROWS, 17, 3), 1e300)),
    "inf where nan may be": lambda p: npz_with(p, energy=np.full(ROWS, np.inf, np.float32)),
    "below its range": lambda p: npz_with(p, fps=np.float32(-1)),
    "above its range": lambda p: npz_with(p, fps=np.float32(1e30)),
    "a frame of next century": lambda p: npz_with(p, frame=np.arange(ROWS) + 2**40),
    "an empty box": lambda p: npz_with(p, box=np.zeros((ROWS, 4), np.float32)),
    "another version": lambda p: npz_with(p, format_version=np.int64(99)),
    "other joints": lambda p: npz_with(p, joint_names=np.array(["knee"])),
    "a lone surrogate": lambda p: npz_with(p, video=np.array("\udcff")),
    "an object": lambda p: npz_with(p, video=np.array({"a": 1}, object)),
    "4 TB": lambda p: npz_with_head(p, "box", F4 % "(1099511627776,)", bytes(64)),
    "4 TB that fit together": lambda p: npz_with_head(p, "focal", F4 % f"({2**40},)", bytes(64)),
    "10^30 rows": lambda p: npz_with_head(p, "box", F4 % f"({10**30}, 4)"),
    "-1 rows": lambda p: npz_with_head(p, "box", F4 % "(-1, 4)"),
    "a nested head": lambda p: npz_with_head(p, "box", "(" * 4000),
    "a program": lambda p: npz_with_head(p, "box", "__import__('os').system('touch sprung')"),
    "encrypted": lambda p: patched(p, 6, 8, 1),
    "packed in way 99": lambda p: patched(p, 8, 10, 99),
    "version 99 of zip": lambda p: patched(p, 4, 6, 99),
    "cut off": lambda p: p.write_bytes(p.read_bytes()[:700]),
    "a bare array": lambda p: np.save(p.open("wb"), np.zeros(3)),
    "empty": lambda p: p.write_bytes(b""),
    "a folder": lambda p: (p.unlink(), p.mkdir()),
    "a pipe": lambda p: (p.unlink(), os.mkfifo(p)),
    "a device": lambda p: (p.unlink(), p.symlink_to("/dev/zero")),
    "a link to itself": lambda p: (p.unlink(), p.symlink_to(p.name)),
    "missing": lambda p: p.unlink(),
}


@pytest.mark.parametrize("lie", LYING_ARRAYS)
def test_poses_that_lie_are_one_line(lie, refused, place):
    LYING_ARRAYS[lie](place / "poses.npz")
    assert "poses.npz" in refused("export", "poses.npz", "--formats", "json", "--output", "out")
    assert not (place / "sprung").exists()


def test_labels_renders_and_images_are_read_by_schemas_too(place):
    npz_with(place / "labels.npz", track=np.int64(3))
    with pytest.raises(BadInputError, match=r"labels\.npz: track is int64 \(\), not int64 \(5\)"):
        read_labels(place / "labels.npz")
    for lie, says in (
        (np.zeros((ROWS, 17, 3)), "a body without size"),
        (np.full((ROWS, 17, 3), 1e30), "too high"),
    ):
        write_labels(place / "labels.npz", labels())
        npz_with(place / "labels.npz", joints3d=lie)
        with pytest.raises(BadInputError, match=rf"labels\.npz: joints3d holds .*{says}"):
            read_labels(place / "labels.npz")
    (place / "run/images").mkdir()
    np.savez(place / "run/images/step_00000001.npz", source=np.zeros(3))
    with pytest.raises(BadInputError, match="holds no images of a run: it lacks appearance_im"):
        read_last_images(place / "run")


def test_what_is_written_is_read_again_whatever_kind_of_float_it_is(place):
    npz_with(place / "poses.npz", joints3d=poses().joints3d.astype(">f8"), box=poses().box[:, ::1])
    assert np.array_equal(read_poses(place / "poses.npz").joints3d, poses().joints3d)
    fortran = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    np.savez(place / "f.npz", a=fortran)
    schema = {"a": VideoPoses.__annotations__["focal"]}
    with pytest.raises(BadInputError, match=r"a is float64 \(3, 4\), not float32 \(rows\)"):
        read_npz(place / "f.npz", schema, "numbers")


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.data())
def test_flipped_bytes_of_poses_are_poses_or_one_line(place, data):
    good = (place / "labels.npz").read_bytes()
    changed = bytearray(good)
    for start in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=6)):
        changed[start] = data.draw(st.integers(0, 255))
    path = place / "changed.npz"
    path.write_bytes(bytes(changed[: data.draw(st.integers(1, len(good)))]))
    try:
        held = read_labels(path)
    except BadInputError as error:
        assert "\n" not in str(error) and "changed.npz" in str(error)
    else:
        assert np.isfinite(held.joints3d).all() and len(held.frame) == len(held.joints2d)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=6,
)


@settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.data())
def test_any_json_in_a_config_is_a_run_or_one_line(place, data):
    held = json.loads((place / "run/config.json").read_text())
    part = data.draw(st.sampled_from([held, held["model"], held["train"], held["train"]["stream"]]))
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
    (place / "odd").mkdir(exist_ok=True)
    (place / "odd/config.json").write_text(json.dumps(held))
    try:
        assert read_run_config(place / "odd").model.sigma > 0
    except BadInputError as error:
        assert str(error).startswith(f"{place}/odd/config.json: ") and "\n" not in str(error)
        assert len(str(error)) < len(str(place)) + 300


def put(path, **changes):
    """Settings of the model with other values."""
    held = json.loads(path.read_text())
    held["model"] |= changes
    path.write_text(json.dumps(held))


def put_train(path, **changes):
    held = json.loads(path.read_text())
    held["train"] |= changes
    path.write_text(json.dumps(held))


LYING_RUNS = {
    "nested deep": (lambda run: (run / "config.json").write_text("[" * 100_000), "not JSON"),
    "UTF-16": (lambda run: (run / "config.json").write_bytes("{}".encode("utf-16")), "not JSON"),
    "NaN in what is kept": (
        lambda run: put_train(run / "config.json", learning_rate=math.nan),
        "a number in it is not finite",
    ),
    "an unknown setting": (lambda run: put(run / "config.json", more=1), "model.more"),
    "null": (
        lambda run: put(run / "config.json", decoder_widths=None),
        "model.decoder_widths null",
    ),
    "an object": (lambda run: put(run / "config.json", branch_width={}), "model.branch_width"),
    "10^400": (lambda run: put(run / "config.json", sigma=10**400), "model.sigma 1000"),
    "NaN": (lambda run: put(run / "config.json", appearance_dropout=math.nan), "finite"),
    "10^9 wide": (lambda run: put(run / "config.json", branch_width=10**9), "at most"),
    "too few widths": (lambda run: put(run / "config.json", appearance_widths=[]), "widths"),
    "maps of 10^12": (lambda run: put(run / "config.json", map_size=10**12), "model.map_size"),
    "heatmaps of odd crops": (
        lambda run: put(run / "config.json", heatmaps=8, image_size=33),
        "config.json: --model.heatmaps needs",
    ),
    "another width": (lambda run: put(run / "config.json", branch_width=33), "does not fit"),
    "a config that is a pipe": (
        lambda run: ((run / "config.json").unlink(), os.mkfifo(run / "config.json")),
        "a pipe",
    ),
    "weights of nan": (lambda run: weights(run, lambda t: t * math.nan), "not finite"),
    "weights turned": (lambda run: weights(run, lambda t: t.T), "does not fit"),
    "weights of int": (lambda run: weights(run, lambda t: t.int()), "does not fit"),
    "weights cut off": (
        lambda run: (run / "model.safetensors").write_bytes(
            (run / "model.safetensors").read_bytes()[:5000]
        ),
        "no file of safetensors",
    ),
    "a head of 2^63": (
        lambda run: (run / "model.safetensors").write_bytes(struct.pack("<Q", 2**63)),
        "no file of safetensors",
    ),
    "a socket": (lambda run: bind(run / "model.safetensors"), "a socket"),
}


def weights(run, change):
    held = load_file(run / "model.safetensors")
    name = next(n for n, t in held.items() if t.ndim == 2 and t.shape[0] != t.shape[1])
    held[name] = change(held[name]).contiguous()
    save_file(held, run / "model.safetensors")


def bind(path):
    path.unlink()
    socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))


@pytest.mark.parametrize("lie", LYING_RUNS)
def test_a_run_that_lies_is_one_line(lie, refused, place):
    change, says = LYING_RUNS[lie]
    change(place / "run")
    (place / "video.mp4").write_bytes(b"no video")
    assert says in refused("predict", "video.mp4", "--output", "out", "--run", "run")


def test_a_backbone_that_cannot_be_built_is_one_line(place):
    held = json.loads((place / "run/config.json").read_text())
    for name, value in (("id2label", 0), ("hidden_act", 1e308), ("model_type", "bert")):
        changed = held | {"backbone": held["backbone"] | {name: value}}
        (place / "run/config.json").write_text(json.dumps(changed))
        with pytest.raises(BadInputError, match=r"run/config\.json is no description"):
            load_model(place / "run")


def test_lines_of_a_log_that_are_none_are_passed_over(place):
    log = place / "run/log.jsonl"
    good = log.read_bytes()
    bad = [b"{", b"[1]", b'{"step": 2}', b"\xff\xfe", b"[" * 100_000]
    bad += [good.replace(b"1.0", word) for word in (b"null", b'"word"', b"NaN", b"[]")]
    log.write_bytes(good + b"\n".join(bad) + b"\n")
    assert [line["step"] for line in read_log(place / "run")] == [1]


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (read_adaptation, '{"finished": true, "settings": {}, "change": "x"}', "change"),
        (read_adaptation, '{"finished": 1, "settings": {}}', "finished 1"),
        (read_synthworld, '{"version": 1, "size": NaN, "content": null}', "size"),
        (read_scores, '{"splits": {}, "model_sha256": "", "benchmark": {}}', "benchmark.version"),
        (lambda path: read_json(path, Record), '{"benchmark": 3}', "benchmark 3"),
        (lambda path: read_json(path, dict[str, float]), '"word"', "word"),
        (lambda path: read_json(path, dict[str, float]), '{"a": Infinity}', "a inf"),
    ],
)
def test_json_of_every_kind_is_checked(place, read, text, says):
    for name in ("adaptation.json", "synthworld.json", "any.json"):
        (place / name).write_text(text)
    path = place if read in (read_adaptation, read_synthworld) else place / "any.json"
    with pytest.raises(BadInputError, match=says) as caught:
        read(path)
    assert "\n" not in str(caught.value) and ".json" in str(caught.value)


HEAD = "film,frame,track,x0,y0,x1,y1\n"
GOOD_BOX = "video.mp4,0,0,1,1,9,9\n"


@pytest.mark.parametrize(
    "row",
    [
        "video.mp4,1,0,1,1",
        "video.mp4,1,0,1,1,9,9,7",
        "video.mp4,1e3,0,1,1,9,9",
        "video.mp4,1,,1,1,9,9",
    ],
)
def test_rows_of_boxes_are_named_by_their_line(place, row):
    (place / "boxes.csv").write_text(f"{HEAD}{GOOD_BOX}video.mp4,{row}\n")
    with pytest.raises(BadInputError, match=r"boxes\.csv, line 3: "):
        read_boxes(place / "boxes.csv")


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("box", None, "box is missing in 5 rows"),
        ("paired", None, "paired is missing"),
        ("valid", None, "valid is missing where a clip is paired"),
        ("time", math.nan, "time holds a number that cannot be"),
        ("crop", [0.0, math.inf, 1.0], "crop holds a number that cannot be"),
        ("frame", -1, "below 0"),
    ],
)
def test_clips_that_lie_are_one_line(place, column, value, says):
    write_clips(place / "clips", **{column: value})
    with pytest.raises(BadInputError, match=says):
        read_clips([place / "clips"])


def test_a_pipe_in_place_of_the_list_of_videos_is_one_line(refused, place):
    os.mkfifo(place / "clips/_videos.json")
    assert "_videos.json is a pipe" in refused("info", "clips")


def test_a_text_in_clips_that_is_none_is_one_line(place):
    path = place / "clips/video.parquet"
    table = pq.read_table(path)
    latin = pa.array([b"B\xfccher"] * ROWS, pa.binary()).view(pa.string())
    pq.write_table(table.set_column(0, "video", latin), path)
    with pytest.raises(BadInputError, match=r"video\.parquet is no file of clips, or is broken"):
        read_clips([place / "clips"])


def test_an_image_in_clips_that_claims_to_be_vast_is_named(place):
    vast = bytearray(cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes())
    vast[16:24] = struct.pack(">II", 60000, 60000)
    write_clips(place / "clips", image=bytes(vast))
    with pytest.raises(BadInputError, match=r"the image of frame 2 of video\.mp4 is broken"):
        load_images(read_clips([place / "clips"]), np.array([2]), 16)


@pytest.mark.parametrize(
    "text",
    [b"", b"MOTION\n", b"HIERARCHY\nROOT a\n{\n", b"HIERARCHY\nROOT a\n{ }\nMOTION\nFrames: 1"],
)
def test_bvh_that_is_cut_off_is_one_line(place, text):
    (place / "motions").mkdir()
    (place / "motions/walk.bvh").write_bytes(text)
    with pytest.raises(BadInputError, match=r"walk\.bvh: ") as caught:
        clips_in(place / "motions")
    assert "usecols" not in str(caught.value) and "\n" not in str(caught.value)


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


def test_what_we_did_not_foresee_is_caught_at_the_top(place, monkeypatch, capsys):
    def broken(_):
        raise ZeroDivisionError("by us")

    monkeypatch.setitem(cli.COMMANDS, "info", (broken, cli.COMMANDS["info"][1]))
    status, (line,) = run_here(monkeypatch, capsys, "info", "run")
    assert status == 70 and "Traceback" not in line and "this is a bug" in line
    (path,) = (place / ".state").rglob("*.txt")
    assert str(path) in line
    written = path.read_text()
    assert "ZeroDivisionError: by us" in written and "['info', 'run']" in written


def test_ctrl_c_and_a_full_memory_are_no_bugs(place, monkeypatch, capsys):
    for error, says in ((KeyboardInterrupt, "interrupted"), (MemoryError, "memory")):

        def stopped(_, error=error):
            raise error

        monkeypatch.setitem(cli.COMMANDS, "info", (stopped, cli.COMMANDS["info"][1]))
        status, (line,) = run_here(monkeypatch, capsys, "info", "run")
        assert status == 2 and says in line
    assert not (place / ".state").exists()


def test_who_is_told_to_end_clears_up(place, monkeypatch, capsys):
    def killed(_):
        with replacing(place / "out.json") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    before = contents(place)
    monkeypatch.setitem(cli.COMMANDS, "info", (killed, cli.COMMANDS["info"][1]))
    status, (line,) = run_here(monkeypatch, capsys, "info", "run")
    assert status == 2 and "interrupted" in line
    assert contents(place) == before and not (place / ".state").exists()


def test_what_libraries_warn_of_is_not_said(place, monkeypatch, capsys):
    def warned(_):
        warnings.warn("of interest to developers", RuntimeWarning, stacklevel=1)
        warnings.warn("video.mp4 is broken", VideoWarning, stacklevel=1)

    monkeypatch.setitem(cli.COMMANDS, "info", (warned, cli.COMMANDS["info"][1]))
    assert run_here(monkeypatch, capsys, "info", "run") == (0, ["kinepose: video.mp4 is broken"])


def test_files_that_are_mapped_into_memory_are_checked_too(place):
    hint = VideoPoses.__annotations__["joints3d"]
    path = place / "kept.npy"
    for lie in (
        lambda: np.save(path, np.zeros((2, 17, 4), np.float32)),
        lambda: np.save(path, np.array([{}], object)),
        lambda: np.savez(path.open("wb"), a=np.zeros(3)),
        lambda: (np.save(path, np.zeros((9, 17, 3), np.float32)), os.truncate(path, 500)),
        lambda: path.write_bytes(b""),
    ):
        lie()
        with pytest.raises(BadInputError, match=r"kept\.npy"):
            map_npy(path, hint, "kept")
    np.save(path, np.ones((2, 17, 3), np.float32))
    assert map_npy(path, hint, "kept").sum() == 102


@pytest.mark.parametrize("name", ["model", "average", "two.parts", ""])
def test_a_loss_has_a_name_that_its_state_can_be_kept_under(name):
    with pytest.raises(ValueError, match="cannot be called"):
        replace(LOSSES[0], name=name)


def test_weights_that_are_not_finite_are_never_saved(place, tiny_model):
    config = replace(PRESETS["cpu"], output=place / "kept")
    state = Run(config, tiny_model, {})
    save(state)
    before = contents(place)
    with torch.no_grad():
        next(tiny_model.parameters()).mul_(math.inf)
    with pytest.raises(TrainingError, match="is not finite; the last checkpoint is in"):
        save(state)
    assert contents(place) == before


def test_poses_that_are_not_finite_are_never_written(place):
    with pytest.raises(BadInputError, match="joints3d holds numbers that are not finite"):
        write_poses(place / "bad.npz", replace(poses(), joints3d=poses().joints3d * np.inf))
    assert not (place / "bad.npz").exists()


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


def test_weights_that_are_cut_off_are_not_described(refused, place):
    path = place / "run/model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "model.safetensors" in refused("info", "run")


def test_tensors_that_share_a_place_are_not_described(refused, place):
    path = place / "run/model.safetensors"
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + length])
    head["more"] = next(tensor for name, tensor in head.items() if name != "__metadata__")
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    assert "model.safetensors: one tensor does not begin" in refused("info", "run")


def test_renders_of_other_numbers_become_those_of_the_model(prior, tmp_path):
    path = shutil.copy(prior, tmp_path / "prior.npz")
    npz_with(path, joints2d=np.zeros((4, 17, 2), np.uint8))
    assert load_prior(path).joints2d.dtype == np.float32


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
        (["criteria", "s3://b/poses.npz", "--output", "out"], "is an address"),
        (["predict", "video.mp4", "--output", "out", "--onnx", "s3://b/x"], "is an address"),
        (["predict", "video.mp4", "--output", "out", "--onnx", "run"], "run is a folder, not"),
    ],
)
def test_what_is_no_path_of_this_machine_is_said(words, says, refused, place):
    (place / "video.mp4").write_bytes(b"no video")
    assert says in refused(*words)
