import numpy as np
import pytest
from tests.tiny_films import overlap

from kinepose.video.tracking import fill_and_smooth, link, overlaps, smooth, split_at_jumps


def box(x: float, y: float = 0.0, size: float = 10.0) -> np.ndarray:
    return np.array([x, y, x + size, y + size])


def test_overlaps_equal_those_of_single_boxes() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 10, (12, 4))
    boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:] + 0.1], axis=-1)
    table = overlaps(boxes[:5], boxes[5:])
    naive = [[overlap(a, b) for b in boxes[5:]] for a in boxes[:5]]
    np.testing.assert_allclose(table, naive)


def test_two_people_are_followed_whatever_the_order_of_their_boxes() -> None:
    found = [np.stack([box(2 * i), box(100 - 2 * i)][:: 1 if i % 2 else -1]) for i in range(20)]
    tracks = link(found, np.arange(20.0).tolist(), [0], 2.0)
    assert len(tracks) == 2
    for track in tracks:
        xs = np.array([track[i][0] for i in range(20)])
        assert np.ptp(np.diff(xs)) == 0


def test_a_person_lost_too_long_or_behind_a_cut_is_a_new_one() -> None:
    times = np.arange(12.0).tolist()
    found = [box(0.0)[None]] * 12
    nobody = np.zeros((0, 4))
    assert len(link(found, times, [0], 2.0)) == 1
    assert len(link(found, times, [0, 6], 2.0)) == 2
    assert len(link([*found[:4], nobody, *found[5:]], times, [0], 2.0)) == 1
    assert len(link([*found[:4], nobody, nobody, nobody, *found[7:]], times, [0], 2.0)) == 2


def test_gaps_are_filled_along_a_line_and_long_ones_are_not() -> None:
    times = (0.1 * np.arange(40)).tolist()
    finds = {i: box(3.0 * i, -i) for i in [2, 3, 7, 10, 30, 33]}
    positions, boxes = fill_and_smooth(finds, times, [0], 1.0, 0.2)
    assert positions.tolist() == [*range(2, 11), *range(30, 34)]
    for position, filled in zip(positions, boxes, strict=True):
        np.testing.assert_allclose(filled, box(3.0 * position, -position), atol=1e-9)


def test_nothing_is_filled_across_a_cut() -> None:
    finds = {i: box(0.0) for i in (0, 1, 4, 5)}
    positions, _ = fill_and_smooth(finds, np.arange(6.0).tolist(), [0, 3], 5.0, 0.0)
    assert positions.tolist() == [0, 1, 4, 5]


def test_gaps_are_filled_by_time_not_by_count() -> None:
    _, boxes = fill_and_smooth({0: box(0.0), 2: box(10.0)}, [0.0, 0.9, 1.0], [0], 5.0, 0.0)
    assert boxes[1, 0] == pytest.approx(9.0)


def test_smoothing_calms_what_shakes_and_keeps_a_steady_walk() -> None:
    times = np.arange(200) / 10
    steady = 3.0 * times[:30, None] + np.zeros((30, 4))
    np.testing.assert_allclose(smooth(steady, times[:30], 0.3), steady, atol=1e-9)
    noise = np.random.default_rng(0).normal(size=(200, 4))
    assert smooth(noise, times, 0.3).std() < 0.5 * noise.std()
    np.testing.assert_array_equal(smooth(noise[:1], times[:1], 0.3), noise[:1])


def test_smoothing_goes_by_time_where_frames_come_unevenly() -> None:
    """A slow wave at uneven times is damped as it is at even ones."""
    even = np.arange(0, 12, 0.05)
    uneven = np.sort(np.concatenate([even[even < 4], even[even >= 4][::3]]))

    def wave(times: np.ndarray) -> np.ndarray:
        return np.sin(2 * times)[:, None] + np.zeros((len(times), 4))

    damped = smooth(wave(even), even, 0.3)[:, 0]
    also = smooth(wave(uneven), uneven, 0.3)[:, 0]
    inside = (uneven > 1.5) & (uneven < 10.5)
    np.testing.assert_allclose(also[inside], np.interp(uneven, even, damped)[inside], atol=0.02)
    assert np.abs(damped[60:180]).max() == pytest.approx(np.exp(-0.5 * 0.6**2), abs=0.01)


def test_consecutive_frames_are_one_person_however_far_apart() -> None:
    found = [box(float(i))[None] for i in range(5)]
    assert len(link(found, [0.0, 3.0, 6.0, 9.0, 12.0], [0], 1.0)) == 1
    finds = {i: box(float(i)) for i in (0, 1, 2, 4)}
    positions, _ = fill_and_smooth(finds, [0.0, 3.0, 6.0, 9.0, 12.0], [0], 1.0, 0.0)
    assert positions.tolist() == [0, 1, 2, 4]


def test_a_leap_to_another_person_ends_a_piece_a_long_gap_does_not() -> None:
    frames = {0: box(0.0), 1: box(8.0), 2: box(80.0), 3: box(82.0), 90: box(300.0)}
    pieces = split_at_jumps(frames, {frame: frame / 10 for frame in frames}, 1.0)
    assert [sorted(piece) for piece in pieces] == [[0, 1], [2, 3, 90]]
