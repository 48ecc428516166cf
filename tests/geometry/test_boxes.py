import numpy as np
from tests.tiny_videos import overlap

from kinepose.geometry.boxes import overlaps


def test_overlaps_equal_those_of_single_boxes() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 10, (12, 4))
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:] + 0.1], axis=-1)
    table = overlaps(boxes[:5], boxes[5:])
    naive = [[overlap(a, b) for b in boxes[5:]] for a in boxes[:5]]
    np.testing.assert_allclose(table, naive)


def test_boxes_without_an_area_overlap_nothing() -> None:
    point = np.array([[3.0, 3.0, 3.0, 3.0]])
    assert overlaps(point, point).tolist() == [[0.0]]
