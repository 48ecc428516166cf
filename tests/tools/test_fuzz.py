"""tools/fuzz: its tables speak of commands that there are, and its judge sees what is wrong."""

import json

import cv2
import numpy as np
import pytest
from tools.fuzz.cases import case
from tools.fuzz.damage import BYTES, PLACES, put_in_place
from tools.fuzz.files import targets
from tools.fuzz.judge import judge, manifest
from tools.fuzz.options import BASES, SHARES, replaced_option
from tools.fuzz.well_formed import is_well_formed

from kinepose.commands import COMMANDS
from kinepose.io.files import kind_of

FINE = {"status": 0, "hung": False, "interrupted": False, "processes_left": False, "bug": ""}


def test_the_tables_are_of_commands_that_there_are(tmp_path):
    for split in ("labels", "clips"):  # a * stands for the first file there
        (tmp_path / "sw/seen_world" / split).mkdir(parents=True)
        (tmp_path / "sw/seen_world" / split / "a.x").touch()
    lines = [target.argv for target in targets(tmp_path)]
    assert len(lines) > 60 and {line[0] for line in lines} <= set(COMMANDS)
    assert set(BASES) == set(SHARES) == set(COMMANDS) - {"train-detector"}


@pytest.mark.parametrize(
    ("left", "status", "said", "fault"),
    [
        ({}, 2, "kinepose: out: no such video", None),
        ({}, 2, "kinepose: something is wrong", "unclear"),
        ({}, 2, "kinepose: video.mp4 'utf-8' codec can't decode", "jargon"),
        ({}, 1, "Traceback (most recent call last):\n  ...\nValueError: x", "traceback"),
        ({}, -9, "", "killed"),
        ({}, 0, "", "accepted"),
        ({"video.mp4": None}, 2, "kinepose: video.mp4", "destroyed"),
        ({"video.mp4": "other"}, 2, "kinepose: video.mp4", "destroyed"),
        ({"out.json": "{}"}, 2, "kinepose: video.mp4", None),
        ({"out.json": "{"}, 2, "kinepose: video.mp4", "half-written"),
        ({"out.json": '{"a": NaN}'}, 0, "", "nonsense"),
        ({".out.part.json": "{}"}, 2, "kinepose: video.mp4", "temporary files"),
        ({"pwned": ""}, 2, "kinepose: video.mp4", "code ran"),
    ],
)
def test_the_judge_sees_what_is_wrong(left, status, said, fault, tmp_path):
    tried = case(tmp_path, "x", "y", ["info"], expect="fail", names=("video", "out"))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "video.mp4").write_text("video")
    before = manifest(folder)
    for name, text in left.items():
        path = folder / name
        path.unlink() if text is None else path.write_text(text)
    found = FINE | {"status": status, "stdout": "", "stderr": said}
    kinds = {kind for kind, _ in judge(tried, folder, before, found)}
    assert (fault in kinds) if fault else not kinds
    json.dumps(found["class"])


def test_what_no_decoder_sees_is_not_asked_of_kinepose(tmp_path):
    path = tmp_path / "pic.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    for change, fine in [(data, True), (data[:2000] + bytes(400) + data[2400:], False)]:
        path.write_bytes(change)
        assert is_well_formed(path) == fine


def test_what_stands_in_place_of_a_file_and_what_becomes_of_its_bytes(tmp_path):
    kinds = {}
    for place in PLACES:
        path = tmp_path / "video.mp4"
        path.write_text("video")
        put_in_place(path, place)
        kinds[place] = kind_of(path)
        put_in_place(path, "missing")
    assert kinds["pipe"] == "a pipe" and kinds["socket"] == "a socket"
    assert kinds["/dev/zero"] == "a device" and kinds["dangling link"] == "nothing"
    data = bytes(range(256)) * 40
    for words, mutate in BYTES.items():
        once, again = (mutate(data, np.random.default_rng(3)) for _ in range(2))
        assert once == again != data, words


def test_an_option_is_replaced_with_all_its_values():
    line = ["train", "--widths", "8", "8", "--seed", "1"]
    assert replaced_option(line, "--widths", ["3", "4"]) == [
        *("train", "--seed", "1", "--widths", "3", "4")
    ]
    assert replaced_option(line, "--more", ["-1"])[-1] == "--more=-1"
