"""box_tables.py: tables as trackers, pandas and Excel write them."""

import warnings
from pathlib import Path

import pytest

from kinepose.io.errors import BadInputError, VideoWarning
from kinepose.video.box_tables import read_boxes


def test_boxes_are_read_by_video_track_and_frame(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("film, frame, track, x0,y0,x1,y1\na.mp4,3,1,0,1,2.5,3\n\nb.mp4,0,0,1,1,2,2\n")
    boxes = read_boxes(path)
    assert boxes["a.mp4"][1][3].tolist() == [0, 1, 2.5, 3]
    assert set(boxes) == {"a.mp4", "b.mp4"}
    path.write_text(path.read_text().replace("film", "video"))
    assert set(read_boxes(path)) == {"a.mp4", "b.mp4"}
    path.write_bytes(b"\xef\xbb\xbfframe,track,x0,y0,x1,y1\r\n7,0,1,1,2,2\r\n")
    assert list(read_boxes(path)[""][0]) == [7]


HEAD = "frame,track,x0,y0,x1,y1\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("frame,x0,y0,x1,y1\n0,1,1,2,2\n", "no column track"),
        ("", "no column"),
        (HEAD, "holds no boxes"),
        (HEAD + "0,0,1,1,2,2\n1,0,1,1,2,wide\n", "line 3: .*wide"),
        (HEAD + "0,0,1,1,2\n", "line 2"),
        (HEAD + "0,0,5,1,2,2\n", "line 2: the box is empty"),
        (HEAD + "0,0,1,1,nan,2\n", "line 2: .*finite"),
        (HEAD + "0,0,1,1,1e300,2\n", "line 2: .*farther than 100000 px"),
        (HEAD + "-1,0,1,1,2,2\n", "line 2: frame -1"),
        (HEAD + f"{2**63},0,1,1,2,2\n", "line 2: .*too large"),
        (HEAD + f"0,{-(2**63)},1,1,2,2\n", "line 2: .*too large"),
        (HEAD + "0,0,1,1,2,2\n0,0,1,1,2,2\n", "line 3: a second box"),
        (HEAD + "0.0,0,1,1,2,2\n", r"line 2: frame '0\.0' .* write it as 7"),
        (HEAD + "0,0,,,,\n", "line 2: .* leave out rows of nobody"),
        (HEAD.replace(",", ";") + "0;0;1;1;2;2\n", "semicolons: save the table with commas"),
        (HEAD.replace(",", "\t") + "0\t0\t1\t1\t2\t2\n", "tabs"),
        ("sep=;\n" + HEAD, "delete it"),
        ("# by a tracker\n" + HEAD, "delete it"),
        ("frame,track,x,y,w,h\n0,0,1,1,2,2\n", r"x1 = x \+ width"),
        (HEAD.strip() + ",score\n0,0,1,1,2,2,1.5\n", "line 2: score 1.5"),
        ("film,frame,track,x0,y0,x1,y1\nfilm.mp4,0.5,0,1,1,2,2\n", "line 2"),
        (HEAD + "0,0,0.4,0.2,0.6,0.9\n", "line 2: .* smaller than a pixel.* Multiply x by"),
    ],
)
def test_wrong_boxes_are_refused_with_their_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match=reason) as refused:
        read_boxes(path)
    assert "\n" not in str(refused.value)


def test_a_missing_and_a_binary_file_of_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no such file: .*none\.csv"):
        read_boxes(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(BadInputError):
        read_boxes(tmp_path / "binary.csv")


def test_a_table_for_excel_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text(HEAD + "0,0,1,1,2,2\n", encoding="utf-16")
    with pytest.raises(BadInputError, match=r"boxes\.csv is not UTF-8: save it as such$"):
        read_boxes(tmp_path / "boxes.csv")


def test_spaces_and_empty_lines_do_no_harm_and_scores_are_heeded(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    rows = "0 , 0 , 1 , 1 , 2 , 2 , 0.9\n , , , , , , \n1,0,1,1,2,2,0.4\n2,0,1,1,2,2,\n"
    path.write_text("frame , track , x0 , y0 , x1 , y1 , score\n" + rows)
    with pytest.warns(VideoWarning, match=r"boxes\.csv: 1 boxes with a score below 0\.5"):
        boxes = read_boxes(path, least_score=0.5)
    assert sorted(boxes[""][0]) == [0, 2]


def test_a_table_of_a_larger_video_whose_boxes_reach_over_the_edge_is_said(tmp_path: Path) -> None:
    """A person in the upper left of 640 x 360 px; the middles lie in a video of half the size."""
    path = tmp_path / "boxes.csv"
    path.write_text(HEAD + "".join(f"{i},0,{200 + i},40,{330 + i},310\n" for i in range(9)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_boxes(path, size=(640, 360))
    with pytest.warns(VideoWarning, match="9 of 9 boxes reach far over the edge"):
        read_boxes(path, size=(320, 180))


def test_a_table_of_a_smaller_video_is_said(tmp_path: Path) -> None:
    """Boxes of a copy of half the size lie in the upper left quarter, all of them."""
    path = tmp_path / "boxes.csv"
    path.write_text(HEAD + "".join(f"{i},0,{200 + i},40,{300 + i},170\n" for i in range(9)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_boxes(path, size=(320, 180))
    with pytest.warns(VideoWarning, match="all boxes lie in the upper left quarter"):
        read_boxes(path, size=(640, 360))
