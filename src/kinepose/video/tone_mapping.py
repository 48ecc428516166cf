"""High dynamic range and BT.2020 brought to the colours of ordinary videos (BT.709, 8 bits).

By the formulas of ITU-R BT.2100 (PQ, HLG), BT.2087 (primaries) and BT.2390-10, 5.4.1 (the tone
curve), https://www.itu.int/rec/R-REC-BT: FFmpeg's zscale is in few builds, and its newer scaler
takes seconds to set up. Up to 28 cd/m2 light is shown as it is meant; what is brighter is
compressed, up to the 1000 cd/m2 for which most videos are graded.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter

Transfer = Literal["pq", "hlg", "sdr"]

PEAK = 1000.0
"""Of the display that a video is graded for; of HLG the one that BT.2100 names [cd/m2]."""
WHITE = 100.0
"""Of the display for which ordinary videos are graded: BT.2035 [cd/m2]."""
_GRID = 65
"""Points of the table along each of R', G', B': the most that Pillow takes; with 33, greys are 5
levels off."""
_GAMMA = 2.4
"""Of ordinary screens: BT.1886."""
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
"""From linear BT.2020."""
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
"""Of linear BT.2020."""
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

Signal = Float[np.ndarray, "*colours"]
Light = Float[np.ndarray, "*colours"]


def to_sdr(
    image: UInt8[np.ndarray, "height width 3"], transfer: Transfer
) -> UInt8[np.ndarray, "height width 3"]:
    """R'G'B' of BT.2020 with this transfer function as R'G'B' of BT.709."""
    return np.asarray(Image.fromarray(image).filter(_table(transfer)))


@lru_cache
def _table(transfer: Transfer) -> ImageFilter.Color3DLUT:
    steps = np.linspace(0, 1, _GRID)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    signal = np.stack([red, green, blue], axis=-1)
    return ImageFilter.Color3DLUT(_GRID, sdr_signal(signal, transfer).ravel())


def sdr_signal(
    signal: Float[np.ndarray, "*shape 3"], transfer: Transfer
) -> Float[np.ndarray, "*shape 3"]:
    """The same for numbers from 0 to 1."""
    if transfer == "sdr":
        share = signal**_GAMMA
    else:
        light = pq_to_light(signal) if transfer == "pq" else hlg_to_light(signal)
        brightest = light.max(-1, keepdims=True)
        share = light * (compressed(brightest) / np.maximum(brightest, 1e-9)) / WHITE
    return (share @ _TO_BT709.T).clip(0, 1) ** (1 / _GAMMA)


def pq_to_light(signal: Signal) -> Light:
    """BT.2100, table 4: the EOTF of PQ [cd/m2]."""
    power = signal ** (1 / _M2)
    return 1e4 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def light_to_pq(light: Light) -> Signal:
    """The inverse of `pq_to_light`."""
    power = (light / 1e4) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def hlg_to_light(signal: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """BT.2100, table 5: the inverse OETF of HLG and the OOTF of a display of PEAK [cd/m2]."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ _LUMINANCE
    return PEAK * luminance[..., None] ** 0.2 * scene


def compressed(light: Light) -> Light:
    """BT.2390-10, 5.4.1: from PEAK to WHITE along a spline, in PQ [cd/m2]."""
    top = light_to_pq(np.array([PEAK]))
    signal = np.minimum(light_to_pq(light) / top, 1)
    highest = light_to_pq(np.array([WHITE])) / top
    knee = 1.5 * highest - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * highest
    )
    return pq_to_light(top * np.where(signal < knee, signal, spline))
