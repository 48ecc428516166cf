"""Photographed places: panoramas all around a point, and what a camera sees that stands there.

Every fifth of the package's panoramas, by name, is kept for tests; nothing trains on those.
"""

import functools
import math
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from kinepose.io.errors import BadInputError
from kinepose.synthetic.backgrounds import recolour, smooth_noise

Panorama = UInt8[np.ndarray, "rows 2*rows 3"]
"""RGB, equirectangular: azimuths clockwise from left to right, the horizon in the middle row."""

_FOLDER = Path(str(files("kinepose.synthetic") / "assets" / "places"))
_FIELD_OF_VIEW = (25.0, 90.0)
"""[degrees]"""
_LEVEL = Rotation.from_matrix([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""From a level camera (x right, y down, z ahead) that looks at the middle of the panorama to the
place (x right, y ahead, z up)."""


@functools.cache
def training_places() -> tuple[Panorama, ...]:
    """The panoramas that may be trained on, in name order."""
    return tuple(read_panorama(path) for i, path in enumerate(_paths()) if i % 5 != 0)


@functools.cache
def test_places() -> tuple[Panorama, ...]:
    """The panoramas that are kept for tests, in name order."""
    return tuple(read_panorama(path) for path in _paths()[::5])


def read_panorama(path: Path) -> Panorama:
    """A panorama from a file.

    Raises:
        BadInputError: if it cannot be read, or is not twice as wide as it is high.
    """
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # a header that speaks of more than 2^30 pixels
        image = None
    if image is None:
        raise BadInputError(f"{path}: not an image that can be read.")
    height, width = image.shape[:2]
    if width != 2 * height:
        raise BadInputError(
            f"{path}: no panorama: {width} x {height} px, where it should be twice as wide as high."
        )
    return image


def perspective_view(
    panorama: Panorama,
    yaw: float,
    pitch: float,
    roll: float,
    fov: float,
    width: int,
    height: int,
) -> UInt8[np.ndarray, "{height} {width} 3"]:
    """What a camera without distortion sees.

    Args:
        panorama: Where it stands.
        yaw: To the right of the panorama's middle [degrees].
        pitch: Above the horizon [degrees].
        roll: Clockwise, so that the image turns counterclockwise [degrees].
        fov: Field of view from the left border to the right [degrees].
        width: Of the image [px].
        height: Of the image [px].
    """
    aimed = Rotation.from_euler("ZX", [-yaw, pitch], degrees=True)
    rotation = aimed * _LEVEL * Rotation.from_euler("z", roll, degrees=True)
    focal = width / 2 / math.tan(math.radians(fov) / 2)
    return view_of(panorama, rotation.as_matrix(), focal, width, height)


def view_of(
    panorama: Panorama,
    rotation_place_from_camera: Float[np.ndarray, "3 3"],
    focal: float,
    width: int,
    height: int,
) -> UInt8[np.ndarray, "{height} {width} 3"]:
    """What a camera (x right, y down, z ahead) sees of a place (z up); its focal length in px.

    Where the panorama has more pixels than the view it is shrunk first, so that nothing flickers.
    """
    shrink = 2 * math.pi * focal / panorama.shape[1]
    if shrink < 1:
        size = (math.ceil(shrink * panorama.shape[1]), math.ceil(shrink * panorama.shape[0]))
        panorama = cv2.resize(panorama, size, interpolation=cv2.INTER_AREA)
    across = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal
    down = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / focal
    x, y, z = (
        row[0] * across + (row[1] * down + row[2])[:, None]
        for row in rotation_place_from_camera.astype(np.float32)
    )
    rows, columns = panorama.shape[:2]
    at_column = np.arctan2(x, y) * np.float32(columns / 2 / math.pi) + (columns / 2 - 0.5)
    elevation = np.arctan2(z, np.sqrt(x * x + y * y))
    at_row = (rows / 2 - 0.5) - elevation * np.float32(rows / math.pi)
    return cv2.remap(
        panorama,
        at_column,
        at_row.clip(0, rows - 1),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )


def random_view(
    generator: np.random.Generator, panorama: Panorama, height: int, width: int
) -> UInt8[np.ndarray, "{height} {width} 3"]:
    """What someone's camera may see: about level, wide or narrow, brighter or darker.

    Narrow views are larger than the panorama's pixels: they are sharpened and given some texture.
    """
    fov = math.exp(generator.uniform(*np.log(_FIELD_OF_VIEW)))
    yaw, pitch = generator.uniform(-180, 180), generator.normal(-5, 8)
    view = perspective_view(panorama, yaw, pitch, generator.normal(0, 3), fov, width, height)
    if generator.random() < 0.5:
        view = np.ascontiguousarray(view[:, ::-1])
    enlarged = width * 360 / (fov * panorama.shape[1])
    if enlarged > 1:
        view = _textured(generator, view, enlarged)
    return recolour(generator, view)


def _textured(
    generator: np.random.Generator, view: UInt8[np.ndarray, "height width 3"], enlarged: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Edges and fine detail in place of those that a few pixels of a panorama lack."""
    height, width = view.shape[:2]
    smooth = cv2.GaussianBlur(view, (0, 0), 0.7 * enlarged)
    strength = generator.uniform(0, 1)
    sharp = cv2.addWeighted(view, 1 + strength, smooth, -strength, 0)
    grain = smooth_noise(generator, height, width, max(height, width) // 4)
    share = 1 + generator.uniform(0, 0.1) * grain
    return cv2.multiply(sharp, cv2.merge([share] * 3), dtype=cv2.CV_8U)


def _paths() -> list[Path]:
    return sorted(_FOLDER.glob("*.jpg"))
