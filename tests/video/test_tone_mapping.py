"""tone_mapping.py against the numbers of the recommendations."""

import numpy as np
import pytest

from kinepose.video.tone_mapping import (
    PEAK,
    WHITE,
    compressed,
    hlg_to_light,
    light_to_pq,
    pq_to_light,
    sdr_signal,
    to_sdr,
)


@pytest.mark.parametrize(
    ("light", "signal"), [(0.0, 0.0), (1.0, 0.1499), (100.0, 0.5081), (1000.0, 0.7518), (1e4, 1.0)]
)
def test_pq_by_its_table(light: float, signal: float) -> None:
    np.testing.assert_allclose(pq_to_light(np.array([signal])), light, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(light_to_pq(np.array([light])), signal, atol=1e-4)


def test_hlg_by_its_report() -> None:
    """BT.2408, table 1: 75 % of the signal is reference white, 203 cd/m2; 38 % is 26 cd/m2."""
    for signal, light in ((1.0, 1000.0), (0.75, 203.0), (0.38, 26.0)):
        shown = hlg_to_light(np.full(3, signal))
        np.testing.assert_allclose(shown, light, rtol=0.02)


def test_the_curve_leaves_shadows_and_never_turns_back() -> None:
    light = np.linspace(0, PEAK, 2000)
    shown = compressed(light)
    np.testing.assert_allclose(shown[light < 25], light[light < 25], atol=0.01)
    assert (np.diff(shown) > -1e-9).all() and shown[-1] == pytest.approx(WHITE)
    assert (compressed(np.array([5000.0])) <= WHITE + 1e-6).all()


def test_white_stays_white_and_bt709_red_comes_back() -> None:
    """BT.2087: linear BT.709 (1, 0, 0) is BT.2020 (0.6274, 0.0691, 0.0164)."""
    red = np.array([0.6274, 0.0691, 0.0164]) ** (1 / 2.4)
    np.testing.assert_allclose(sdr_signal(red, "sdr") ** 2.4, [1, 0, 0], atol=2e-3)
    for transfer in ("pq", "hlg", "sdr"):
        np.testing.assert_allclose(sdr_signal(np.ones(3), transfer), 1, atol=1e-3)


def test_the_table_is_the_formula() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    for transfer in ("pq", "hlg", "sdr"):
        exact = 255 * sdr_signal(image / 255, transfer)
        assert np.abs(to_sdr(image, transfer) - exact).mean() < 2
