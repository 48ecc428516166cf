"""figures.py and drawing.py: what is drawn is where, and in the colour, that it should be."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kinepose import figures
from kinepose.drawing import LEFT, MIDLINES, RIGHT, draw_skeleton, overlay_frame, skeleton_view
from kinepose.geometry.skeleton import JOINT_NAMES

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


def pixel(picture, point):
    return picture[int(point[1]), int(point[0])].tolist()


def test_a_skeleton_has_its_sides_colours_where_its_joints_are():
    picture = np.full((200, 200, 3), 90, np.uint8)
    joints2d = standing()[:, :2] / 10 + 100
    draw_skeleton(picture, joints2d, person=1)
    assert pixel(picture, joints2d[LEFT_WRIST]) == list(LEFT)
    assert pixel(picture, joints2d[RIGHT_WRIST]) == list(RIGHT)
    assert pixel(picture, joints2d[HEAD]) == list(MIDLINES[1])
    assert pixel(picture, (5, 5)) == [90, 90, 90]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_wild_joints_do_no_harm(value):
    picture = np.zeros((50, 50, 3), np.uint8)
    joints2d = np.full((17, 2), 25.0)
    joints2d[LEFT_WRIST] = value
    draw_skeleton(picture, joints2d)


def test_views_turn_about_the_vertical():
    """The left arm is to the right as filmed, points away from the viewer at the side, and is
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
    picture = overlay_frame(
        image, [], np.zeros((0, 4)), np.zeros((0, 17, 2)), np.zeros((0, 17, 3)), 1700.0
    )
    if shown:
        assert picture.shape == (shown[0], shown[1] + shown[0] // 2, 3)
    assert max(picture.shape) <= 3 * 720


def test_reconstruction_rows_lay_pictures_out_in_order():
    count = 3
    plain = [np.full((count, 16, 16, 3), 40 * i, np.uint8) for i in range(1, 5)]
    maps = np.zeros((count, 33, 4, 4), np.uint8)
    page = figures.reconstruction_rows(plain[0], plain[1], plain[2], maps, plain[3])
    step = figures.CELL + figures.GAP
    assert page.shape == (
        figures.HEADING + figures.GAP + count * step, figures.GAP + 5 * step, 3,
    )  # fmt: skip
    middle = page[-step // 2, figures.GAP + figures.CELL // 2 :: step, 0]
    assert middle.tolist() == [40, 80, 120, int(0.35 * 80), 160]


def test_transfer_grid_has_poses_in_rows_and_clothes_in_columns():
    poses = np.full((2, 8, 8, 3), 10, np.uint8)
    people = np.full((3, 8, 8, 3), 20, np.uint8)
    transfers = np.zeros((2, 3, 8, 8, 3), np.uint8)
    transfers[:] = (100 + 10 * np.arange(2)[:, None] + np.arange(3))[..., None, None, None]
    page = figures.transfer_grid(poses, people, np.full((8, 8, 3), 30, np.uint8), transfers)
    step, half = figures.CELL + figures.GAP, figures.CELL // 2
    rows = (
        figures.HEADING
        + figures.GAP
        + half
        + step * np.arange(3)
        + 2 * figures.GAP * np.array([0, 1, 1])
    )
    columns = figures.GAP + half + step * np.arange(4) + 2 * figures.GAP * np.array([0, 1, 1, 1])
    seen = page[np.ix_(rows, columns)][..., 0]
    assert seen.tolist() == [[30, 20, 20, 20], [10, 100, 101, 102], [10, 110, 111, 112]]


def test_maps_glow_in_the_colour_of_their_side():
    maps = np.zeros((33, 7, 7), np.uint8)
    maps[LEFT_WRIST, :3, :3] = 255
    maps[RIGHT_WRIST, 4:, 4:] = 255
    picture = figures.maps_on_image(np.zeros((14, 14, 3), np.uint8), maps).astype(int)
    cell = figures.CELL // 7
    left, right = (
        picture[cell + cell // 2][cell + cell // 2],
        picture[-2 * cell + cell // 2][-2 * cell + cell // 2],
    )
    np.testing.assert_allclose(left, 0.85 * np.array(LEFT), atol=2)
    np.testing.assert_allclose(right, 0.85 * np.array(RIGHT), atol=2)
    assert figures.separate_maps(maps).ndim == 3


def test_joints_on_images_and_two_views():
    joints2d = (standing()[:, :2] / 1000).astype(np.float32)
    page = figures.joints_on_images(np.zeros((7, 32, 32, 3), np.uint8), np.stack([joints2d] * 7))
    wrist = (joints2d[LEFT_WRIST] + 1) / 2 * figures.CELL + figures.GAP
    assert pixel(page, wrist) == list(LEFT)
    views = figures.skeletons_from_two_views(standing()[None].repeat(3, 0), ["0 s", "1 s", "2 s"])
    step = figures.CELL + figures.GAP
    assert views.shape == (figures.GAP + 2 * step, figures.GAP + 3 * step, 3)


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
    figure = figures.losses_over_steps(log)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss prior", "loss paired"]
    total = figure.axes[0].lines[0]
    assert total.get_label() == "total" and len(total.get_xdata()) == 150
    np.testing.assert_allclose(total.get_ydata(), 2 * total.get_xdata())
    assert svg(figure).tag.endswith("svg")


def test_losses_of_an_empty_log_and_of_a_single_line():
    assert not figures.losses_over_steps([]).axes
    figures.losses_over_steps([{"step": 1, "loss": "prior", "total": 0.5}])


def test_energy_and_errors_by_joint():
    time, track = np.arange(6) / 2, np.array([0, 1] * 3)
    figure = figures.energy_over_time(time, np.arange(6.0), track)
    assert [line.get_label() for line in figure.axes[0].lines] == ["person 0", "person 1"]
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [1, 3, 5])
    bars = figures.errors_by_joint({name: float(i) for i, name in enumerate(JOINT_NAMES)})
    assert [patch.get_width() for patch in bars.axes[0].patches] == list(range(16, -1, -1))
    assert svg(bars).tag.endswith("svg")
