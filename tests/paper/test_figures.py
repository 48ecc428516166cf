"""charts.py on a file written for the test: what is drawn is what the file holds."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.visualization.test_charts import standing

from kinepose.evaluation.scored import (
    NO_TRANSFERS,
    Examples,
    ScoredFrames,
    ScoredRun,
    Transfers,
    read_scored,
    write_scored,
)
from kinepose.io.errors import BadInputError
from kinepose.paper.config import FiguresConfig
from kinepose.paper.figures import draw_figures, energy_chart, poses_page
from kinepose.visualization import image_grids

SPLITS, QUANTILES = ("seen_world", "foreign_look"), (0.05, 0.5, 0.95)
FRAMES = 10


@pytest.fixture
def scored() -> ScoredRun:
    """Two splits of ten frames; in the first one energy ranks the errors, in the second backwards.

    The image of example i is grey, of value 20 i.
    """
    count, shown = len(SPLITS) * FRAMES, len(SPLITS) * len(QUANTILES)
    errors = 100.0 + np.arange(count)
    standing2d = np.tile(standing()[:, :2].astype(np.float32) / 1000, (count, 1, 1))
    standing3d = np.tile(standing().astype(np.float32), (count, 1, 1))
    grey = np.arange(0, 20 * shown, 20, dtype=np.uint8)
    return ScoredRun(
        ScoredFrames(
            split=np.repeat(SPLITS, FRAMES),
            video=np.full(count, "video.mp4"),
            frame=np.arange(count),
            motion=np.full(count, "getup_faceup"),
            p_mpjpe=errors,
            joints2d_error=np.full(count, 0.1, np.float32),
            energy=np.where(np.arange(count) < FRAMES, errors, -errors).astype(np.float32),
            joints2d=standing2d,
            joints3d=standing3d,
        ),
        Examples(
            row=np.array([0, 5, 9, 10, 15, 19]),
            quantile=np.array(QUANTILES * len(SPLITS)),
            image=np.tile(grey[:, None, None, None], (1, 8, 8, 3)),
            maps=np.zeros((shown, 33, 4, 4), np.uint8),
            true_joints2d=standing2d[:shown],
            true_joints3d=standing3d[:shown],
        ),
        Transfers(
            *(np.zeros((n, 8, 8, 3), np.uint8) for n in (2, 2, 3)),
            np.zeros((2, 2, 3, 8, 8, 3), np.uint8),
        ),
    )


def nothing_painted(scored: ScoredRun) -> ScoredRun:
    energy = np.full_like(scored.frames.energy, np.nan)
    return replace(scored, frames=replace(scored.frames, energy=energy), transfers=NO_TRANSFERS)


def test_arrays_come_back_as_they_were_and_go_by_the_name_of_the_scores(scored, tmp_path):
    write_scored(tmp_path / "scores.npz", scored)
    for path in (tmp_path / "scores.npz", tmp_path / "scores.json"):
        back = read_scored(path)
        for part in ("frames", "examples", "transfers"):
            for name, values in vars(getattr(scored, part)).items():
                np.testing.assert_array_equal(vars(getattr(back, part))[name], values)


def test_poses_page_has_a_row_a_split_and_frames_the_failures(scored):
    page = poses_page(scored)
    block = 2 * image_grids.CELL + image_grids.GAP + 2 * image_grids.GAP
    strip, text = 2 * 20 + 2, image_grids.GAP
    first = text + 2 * strip + image_grids.GAP + 2 * strip
    rows = first + np.arange(2) * (2 * strip + block + image_grids.GAP)
    columns = image_grids.GAP + np.arange(3) * (block + image_grids.GAP)
    inside = image_grids.GAP + image_grids.CELL // 4
    images = page[np.ix_(rows + inside, columns + inside)][..., 0]
    assert images.tolist() == [[0, 20, 40], [60, 80, 100]]
    framed = (page[np.ix_(rows + 2, columns + block // 2)] == image_grids.FAILURE).all(-1)
    assert framed.tolist() == [[False, False, True]] * 2
    assert page.shape == (rows[1] + block + text, columns[2] + block + text, 3)


def test_energy_chart_says_by_split_whether_energy_ranks_errors(scored):
    labels = [text.get_text() for text in energy_chart(scored).legends[0].get_texts()]
    assert [label.split(" = ")[1] for label in labels] == ["+1.00$", "-1.00$"]


def test_what_a_decoder_is_needed_for_is_drawn_only_with_one(scored, tmp_path, capsys):
    for name, run in {"with": scored, "without": nothing_painted(scored)}.items():
        write_scored(tmp_path / f"{name}.npz", run)
        draw_figures(FiguresConfig(tmp_path / f"{name}.json", tmp_path / name))
    always = ["fig2_maps.png", "fig4_poses.png"]
    drawn = {
        name: sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("with", "without")
    }
    assert drawn["with"] == sorted([*always, "fig3_transfer.png", "energy.png"])
    assert drawn["without"] == always
    said = capsys.readouterr().out
    assert "no fig3_transfer.png: no trained decoder" in said
    assert "no energy.png: no trained decoder" in said
    page = cv2.imread(str(tmp_path / "with" / "fig4_poses.png"))[..., ::-1]
    np.testing.assert_array_equal(page, poses_page(scored))


def test_bad_input_is_one_line_and_leaves_nothing(scored, tmp_path):
    write_scored(tmp_path / "broken.npz", scored)
    content = (tmp_path / "broken.npz").read_bytes()
    (tmp_path / "broken.npz").write_bytes(content[: len(content) // 2])
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    np.savez(tmp_path / "pickled.npz", split=np.array([{}], object))
    for name in ("nowhere.json", "broken.npz", "other.npz", "pickled.npz"):
        with pytest.raises(BadInputError, match=name.partition(".")[0]) as caught:
            draw_figures(FiguresConfig(tmp_path / name, tmp_path / "out"))
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()
