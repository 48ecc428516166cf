"""cropping.py: batches of crops, each with one that lends its appearance."""

import weakref

import numpy as np
import pytest

from kinepose.video.cropping import batches_with_sources, source_rows


def test_source_rows_by_hand():
    time = np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0])
    track = np.array([0, 1, 0, 1, 0, 1, 0, 0])
    sources = source_rows(track, time, gap=1.0)
    # Track 0 is rows 0 2 4 6 7: a second later, and for the last two a second earlier.
    assert sources[[0, 2, 4, 6, 7]].tolist() == [4, 6, 7, 2, 4]
    # Track 1 is rows 1 3 5, one second long: the middle one has no row so far away.
    assert sources[[1, 5]].tolist() == [5, 1] and sources[3] in (1, 5)
    assert source_rows(np.array([4]), np.array([0.0]), 1.0).tolist() == [0]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_bring_every_row_once_with_its_source(batch_size):
    rng = np.random.default_rng(0)
    count = 60
    sources = np.clip(np.arange(count) + rng.integers(-7, 8, count), 0, count - 1)
    crops = (np.full((2, 2, 3), i, np.uint8) for i in range(count))
    seen = []
    for rows, images, lent in batches_with_sources(crops, sources, batch_size):
        assert 0 < len(rows) <= batch_size
        assert [image[0, 0, 0] for image in images] == rows.tolist()
        assert [image[0, 0, 0] for image in lent] == sources[rows].tolist()
        seen += rows.tolist()
    assert sorted(seen) == list(range(count))


def test_batches_hold_no_more_than_the_gap_needs():
    """Of 3000 crops no more than the gap and a few batches are alive at once."""
    alive = set()

    def crops(count):
        for number in range(count):
            crop = np.zeros((2, 2, 3), np.uint8)
            alive.add(number)
            weakref.finalize(crop, alive.discard, number)
            yield crop

    count, most = 3000, 0
    sources = source_rows(np.zeros(count, np.int64), np.arange(count) / 10, gap=2.0)
    for _ in batches_with_sources(crops(count), sources, 8):
        most = max(most, len(alive))
    assert 20 < most < 2 * 20 + 4 * 8
