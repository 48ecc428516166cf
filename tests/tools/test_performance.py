"""tools/performance.py from end to end, with networks as small as can be: the page is written."""

from dataclasses import replace

import pytest
from tests.conftest import no_shape_checks

from kinepose.training.config import PRESETS
from tools import performance


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_page_is_written(videos, tiny_config, tmp_path, monkeypatch):
    paper = replace(PRESETS["paper"], model=replace(tiny_config, heatmaps=0))
    presets = {"paper": paper, "kinepose": replace(paper, model=tiny_config)}
    monkeypatch.setattr(performance, "PRESETS", presets)
    monkeypatch.setattr(performance, "output_of", lambda *command: "0123456789ab")  # no Git needed
    video, page = sorted((videos / "films").glob("*.mp4"))[0], tmp_path / "page.md"
    boxes = videos / "boxes.csv"
    with no_shape_checks():
        performance.main(performance.Settings(video, boxes, output=page, repeat=1, rounds=1))
    written = page.read_text()
    assert "People with boxes given: 1;" in written
    for row in ("| kinepose, torch | detector people |", "| prior |", "| paired |", "| `prepare`"):
        assert row in written
