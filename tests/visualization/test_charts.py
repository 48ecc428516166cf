"""charts.py and skeletons.py: what is drawn is where, and in the colour, that it should be."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.visualization import charts
from kinepose.visualization.skeletons import (
    LEFT,
    MIDLINES,
    RIGHT,
    TRUTH,
    draw_skeleton,
    overlay_frame,
    skeleton_view,
)

LEFT_WRIST, RIGHT_WRIST, HEAD = 13, 16, 10


def standing():
    """A person 1700 mm tall who faces the camera, arms stretched out, in camera axes [mm]."""
    joints = np.zeros((17, 3))
    joints[[1, 2, 3], 0], joints[[4, 5, 6], 0] = -100, 100
    joints[[2, 5], 1], joints[[3, 6], 1] = 410, 820
    joints[7, 1], joints[8, 1], joints[9, 1], joints[10, 1] = -230, -540, -700, -870
    joints[9, 2] = -100
    joints[[11, 12, 13], 0], joints[[14, 15, 16], 0] = (200, 460, 700), (-200, -460, -700)
    joints[11:, 1] = -540
    return joints


def pixel(overlay, point):
    return overlay[int(point[1]), int(point[0])].tolist()


def test_a_skeleton_has_its_sides_colours_where_its_joints_are():
    overlay = np.full((200, 200, 3), 90, np.uint8)
    joints2d = standing()[:, :2] / 10 + 100
    draw_skeleton(overlay, joints2d, person=1)
    assert pixel(overlay, joints2d[LEFT_WRIST]) == list(LEFT)
    assert pixel(overlay, joints2d[RIGHT_WRIST]) == list(RIGHT)
    assert pixel(overlay, joints2d[HEAD]) == list(MIDLINES[1])
    assert pixel(overlay, (5, 5)) == [90, 90, 90]


def test_the_truth_is_green_behind_what_is_predicted():
    truth = standing() * [-1, 1, 1] + [0, 60, 0]
    view = skeleton_view([(0, standing())], 440, 0.0, half_extent=1100.0, truth=truth)
    for joint in (LEFT_WRIST, RIGHT_WRIST):
        assert pixel(view, truth[joint, :2] / 5 + 220) == list(TRUTH)
    assert pixel(view, standing()[LEFT_WRIST, :2] / 5 + 220) == list(LEFT)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_wild_joints_do_no_harm(value):
    overlay = np.zeros((50, 50, 3), np.uint8)
    joints2d = np.full((17, 2), 25.0)
    joints2d[LEFT_WRIST] = value
    draw_skeleton(overlay, joints2d)
    assert overlay[25, 25].any() == np.isfinite(value), "whose place is unknown is not drawn"


def test_views_turn_about_the_vertical():
    """The left arm is to the right as recorded, points away from the viewer at the side, and is
    to the left from behind."""
    for turn, side in [(0.0, 1), (180.0, -1)]:
        view = skeleton_view([(0, standing())], 200, turn, half_extent=1000.0)
        assert pixel(view, (100 + 70 * side, 100 - 54)) == list(LEFT)
        assert pixel(view, (100 - 70 * side, 100 - 54)) == list(RIGHT)
    side_view = skeleton_view([(0, standing())], 200, 90.0, half_extent=1000.0)
    assert pixel(side_view, (100 - 10, 100 - 70)) == list(MIDLINES[0])  # the nose, at z = -100
    near_arm = pixel(side_view, (100, 100 - 54))
    assert near_arm == list(LEFT)  # seen from x > 0 the left arm hides the right one


def test_several_people_stand_side_by_side():
    view = skeleton_view([(0, standing()), (1, standing())], 400, 0.0, half_extent=2000.0)
    for column, colour in [(100, MIDLINES[0]), (300, MIDLINES[1])]:
        assert pixel(view, (column, 200 - 87)) == list(colour)


@pytest.mark.parametrize(
    ("size", "shown"), [((100, 50), (480, 240)), ((2000, 1000), (720, 360)), ((600, 7200), None)]
)
def test_an_overlay_is_of_a_size_that_can_be_looked_at(size, shown):
    image = np.zeros((*size, 3), np.uint8)
    overlay = overlay_frame(
        image, [], np.zeros((0, 4)), np.zeros((0, 17, 2)), np.zeros((0, 17, 3)), 1700.0
    )
    if shown:
        assert overlay.shape == (shown[0], shown[1] + shown[0] // 2, 3)
    assert max(overlay.shape) <= 3 * 720


def svg(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    return ElementTree.fromstring(buffer.getvalue())


def test_losses_have_one_chart_each_and_average_what_they_show():
    log = [
        {"step": step, "loss": name, "total": 2.0 * step, "pose": 1.0 * step, "joints": step}
        for step in range(1, 601)
        for name in (["prior"] if step < 100 else ["prior", "paired"])
    ]
    figure = charts.losses_over_steps(log)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss prior", "loss paired"]
    total = figure.axes[0].lines[0]
    assert total.get_label() == "total" and len(total.get_xdata()) == 150
    np.testing.assert_allclose(total.get_ydata(), 2 * total.get_xdata())
    assert svg(figure).tag.endswith("svg")


def test_losses_of_an_empty_log_and_of_a_single_line():
    assert not charts.losses_over_steps([]).axes
    charts.losses_over_steps([{"step": 1, "loss": "prior", "total": 0.5}])


def test_energy_and_errors_by_joint():
    time, track = np.arange(6) / 2, np.array([0, 1] * 3)
    figure = charts.energy_over_time(time, np.arange(6.0), track)
    assert [line.get_label() for line in figure.axes[0].lines] == ["person 0", "person 1"]
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [1, 3, 5])
    bars = charts.errors_by_joint({name: float(i) for i, name in enumerate(JOINT_NAMES)})
    assert [patch.get_width() for patch in bars.axes[0].patches] == list(range(16, -1, -1))
    assert svg(bars).tag.endswith("svg")


def test_bars_show_the_mean_of_each_row_its_seeds_and_the_baselines():
    names, values = ["prior only", "D_p", "full 3D"], [[150.0, 170.0], [120.0], []]
    figure = charts.bars_with_seeds(names, values, {"mean pose": 151.0, "floor": 13.8})
    axes = figure.axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[:2] == [160, 120] and np.isnan(widths[2])
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    ticks = dict(zip(names, axes.get_yticks(), strict=True))
    assert ticks["prior only"] > ticks["D_p"] > ticks["full 3D"], "from top to bottom"
    seeds = {line.get_ydata()[0]: list(line.get_xdata()) for line in axes.lines[:2]}
    assert seeds == {ticks["prior only"]: [150, 170], ticks["D_p"]: [120]}
    lines = {line.get_label(): line.get_xdata()[0] for line in axes.lines[3:]}
    assert lines == {"mean pose: 151.0": 151.0, "floor: 13.8": 13.8}
    assert [text.get_text() for text in axes.texts] == ["160.0", "120.0", "not run"]
    assert "[mm]" in axes.get_xlabel()
    assert svg(figure).tag.endswith("svg")


def test_energy_against_error_shows_every_frame_and_what_keeping_the_surest_gives():
    energy = np.array([0.3, 0.1, 0.2, 0.9, 0.5])
    error = np.array([30.0, 10.0, 20.0, 70.0, 50.0])
    split = np.array(["seen_world"] * 3 + ["unseen_look"] * 2)
    rho = {"seen_world": 1.0, "unseen_look": -0.25}
    figure = charts.energy_against_error(energy, error, split, rho)
    scatter, kept = figure.axes
    shown = [line.get_xydata().tolist() for line in scatter.lines]
    assert shown == [[[0.1, 10], [0.2, 20], [0.3, 30]], [[0.5, 50], [0.9, 70]]]
    assert kept.lines[0].get_ydata().tolist() == [10, 15, 20]
    np.testing.assert_allclose(kept.lines[0].get_xdata(), [100 / 3, 200 / 3, 100])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [r"seen world, $\rho = +1.00$", r"unseen look, $\rho = -0.25$"]
    assert "[mm]" in scatter.get_ylabel() and "[mm]" in kept.get_ylabel()
