"""image_grids.py: every image is in its place."""

import numpy as np
from tests.visualization.test_charts import LEFT_WRIST, RIGHT_WRIST, pixel, standing

from kinepose.visualization import image_grids
from kinepose.visualization.skeletons import LEFT, RIGHT, TRUTH

STEP = image_grids.CELL + image_grids.GAP
HEADING = 2 * image_grids.TEXT + 2


def test_reconstruction_rows_lay_images_out_in_order():
    count = 3
    plain = [np.full((count, 16, 16, 3), 40 * i, np.uint8) for i in range(1, 5)]
    maps = np.zeros((count, 33, 4, 4), np.uint8)
    page = image_grids.reconstruction_rows(plain[0], plain[1], plain[2], maps, plain[3])
    assert page.shape == (
        HEADING + image_grids.GAP + count * STEP, image_grids.GAP + 5 * STEP, 3,
    )  # fmt: skip
    middle = page[-STEP // 2, image_grids.GAP + image_grids.CELL // 2 :: STEP, 0]
    assert middle.tolist() == [40, 80, 120, int(0.35 * 80), 160]


def test_transfer_grid_has_poses_in_rows_clothes_in_columns_and_backgrounds_in_blocks():
    poses = np.full((2, 8, 8, 3), 10, np.uint8)
    people = np.full((3, 8, 8, 3), 20, np.uint8)
    places = np.array([30, 40], np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    places = places.repeat(3, 3)
    transfers = np.zeros((2, 3, 2, 8, 8, 3), np.uint8)
    p, a, b = np.ogrid[:2, :3, :2]
    transfers[:] = (100 + 20 * p + 3 * a + 10 * b)[..., None, None, None]
    page = image_grids.transfer_grid(poses, people, places, transfers)
    half, more = image_grids.CELL // 2, image_grids.APART - image_grids.GAP
    rows = image_grids.GAP + half + STEP * np.arange(4) + more * np.array([0, 0, 1, 1])
    columns = image_grids.GAP + half + STEP * np.arange(7) + more * np.array([0, 1, 1, 1, 2, 2, 2])
    assert page[np.ix_(rows, columns)][..., 0].tolist() == [
        [255, 30, 255, 255, 40, 255, 255],
        [255, 20, 20, 20, 20, 20, 20],
        [10, 100, 103, 106, 110, 113, 116],
        [10, 120, 123, 126, 130, 133, 136],
    ]
    assert page.shape[1] == columns[-1] + half + image_grids.GAP


def test_maps_glow_in_the_colour_of_their_side():
    maps = np.zeros((33, 7, 7), np.uint8)
    maps[LEFT_WRIST, :3, :3] = 255
    maps[RIGHT_WRIST, 4:, 4:] = 255
    drawing = image_grids.maps_on_image(np.zeros((14, 14, 3), np.uint8), maps).astype(int)
    cell = image_grids.CELL // 7
    left, right = (
        drawing[cell + cell // 2][cell + cell // 2],
        drawing[-2 * cell + cell // 2][-2 * cell + cell // 2],
    )
    np.testing.assert_allclose(left, 0.85 * np.array(LEFT), atol=2)
    np.testing.assert_allclose(right, 0.85 * np.array(RIGHT), atol=2)
    assert image_grids.separate_maps(maps).ndim == 3


def test_joints_on_images_and_two_views():
    joints2d = (standing()[:, :2] / 1000).astype(np.float32)
    page = image_grids.joints_on_images(
        np.zeros((7, 32, 32, 3), np.uint8), np.stack([joints2d] * 7)
    )
    wrist = (joints2d[LEFT_WRIST] + 1) / 2 * image_grids.CELL + image_grids.GAP
    assert pixel(page, wrist) == list(LEFT)
    views = image_grids.skeletons_from_two_views(
        standing()[None].repeat(3, 0), ["0 s", "1 s", "2 s"]
    )
    assert views.shape == (image_grids.GAP + 2 * STEP, image_grids.GAP + 3 * STEP, 3)
    in_one_place = image_grids.skeletons_from_two_views(np.zeros((2, 17, 3), np.float32), ["", ""])
    assert in_one_place.ndim == 3


def test_maps_of_an_image_go_from_the_image_to_each_of_the_33():
    maps = np.zeros((33, 7, 7), np.uint8)
    maps[LEFT_WRIST, :3, :3] = 255
    maps[17 + RIGHT_WRIST - 1, 4:, 4:] = 255  # limbs are in the order of the joints they end at
    image = np.full((14, 14, 3), 100, np.uint8)
    page = image_grids.maps_of_an_image(image, np.full((17, 2), 0.9, np.float32), maps)
    inset = image_grids.CELL // 7
    y, x = image_grids.GAP + HEADING + inset, image_grids.GAP + inset + STEP * np.arange(5)
    far = image_grids.CELL - 2 * inset
    glow = {"left": page[y, x].astype(int), "right": page[y + far, x + far].astype(int)}
    for name, colour, steps in (("left", LEFT, (2, 4)), ("right", RIGHT, (3, 4))):
        for step in range(2, 5):
            expected = 35 + (0.85 * np.array(colour) if step in steps else 0)
            np.testing.assert_allclose(glow[name][step], np.minimum(expected, 255), atol=2)
    assert glow["left"][0].tolist() == [100] * 3

    tile = image_grids.MAP_CELL + image_grids.GAP
    row = tile + 22
    heatmaps = 2 * (image_grids.GAP + HEADING) + image_grids.CELL + image_grids.GAP
    affinity_maps = heatmaps + 2 * row + HEADING + image_grids.GAP
    for top, number, inside in ((heatmaps, LEFT_WRIST, 5), (affinity_maps, RIGHT_WRIST - 1, 85)):
        y, x = top + row * (number // 9) + 22 + inside, image_grids.GAP + inside
        lit = page[y, x + tile * np.arange(7)].astype(int).sum(-1) > 600
        assert lit.nonzero()[0].tolist() == [number % 9]


def test_a_pose_and_its_truth_lie_on_the_image():
    predicted = (standing()[:, :2] / 1000).astype(np.float32)
    truth = predicted + np.float32([0, 0.2])
    cell = image_grids.joints_on_image(np.zeros((32, 32, 3), np.uint8), predicted, truth)
    assert pixel(cell, (predicted[LEFT_WRIST] + 1) / 2 * image_grids.CELL) == list(LEFT)
    assert pixel(cell, (truth[LEFT_WRIST] + 1) / 2 * image_grids.CELL) == list(TRUTH)


def test_images_of_different_sizes_are_in_line_on_white():
    small, large = (np.full((size, size, 3), size, np.uint8) for size in (10, 30))
    row = image_grids.beside([small, large], gap=5)
    assert row.shape == (30, 45, 3)
    assert row[[0, 29, 0, 29], [0, 0, 44, 12], 0].tolist() == [10, 255, 30, 255]
    np.testing.assert_array_equal(image_grids.stacked([small, large], gap=5), row.swapaxes(0, 1))
    assert (image_grids.heading("text", 60) < 128).any() and image_grids.heading(
        "", 60
    ).min() == 255
