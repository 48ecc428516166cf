"""Clips, tables of boxes and motions that lie get one line."""

import math
import os
import struct

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.bad_input.good_inputs import ROWS, write_clips

from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.pairs import load_images
from kinepose.io.errors import BadInputError
from kinepose.synthetic.mocap_files import clips_in
from kinepose.video.box_tables import read_boxes

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
