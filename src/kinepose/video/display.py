"""From a decoded frame to the picture that a player shows.

Turned and mirrored as the film asks, of square pixels, in the colours of BT.709, over a plain
colour where it is transparent; shrunk in the same step where that is asked for.
"""

import warnings
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from jaxtyping import Int, UInt8

from kinepose.errors import FilmWarning
from kinepose.video.tone_mapping import Transfer, to_sdr

Picture = UInt8[np.ndarray, "_ _ 3"]

PLAIN = 128
"""Grey behind what is transparent: nobody's clothes vanish in it."""
_HIGH_DEFINITION = 720
"""Rows from which on films that do not name their matrix have BT.709's rather than BT.601's."""
_UNSPECIFIED, _BT2020 = 2, 9
HDR_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
"""By FFmpeg's numbers, which are those of ITU-T H.273."""
_UPRIGHT = np.eye(2, dtype=np.int64)


class Display:
    """How the frames of a film are shown: as its first frame says, and of its size.

    There is an FFmpeg scaler for each size: one for several in turn would be set up anew again and
    again, which takes several times as long as its work. Not for several threads at once.
    """

    def __init__(self, first: av.VideoFrame, pixel_aspect: Fraction | None) -> None:
        self.turn = orientation(first)
        self.transposes = self.turn[0, 0] == 0
        width, height = _square(first.width, first.height, pixel_aspect)
        self.size = (height, width) if self.transposes else (width, height)
        self.transparent = has_alpha(first)
        self.transfer = HDR_TRANSFERS.get(first.color_trc)
        if self.transfer is None and first.color_primaries == _BT2020:
            self.transfer = "sdr"
        unnamed = first.colorspace == _UNSPECIFIED and first.height >= _HIGH_DEFINITION
        self.matrix = Colorspace.ITU709 if unnamed else None
        self.scalers: dict[tuple[int, int] | None, VideoReformatter] = {}

    def develop(self, frame: av.VideoFrame, size: tuple[int, int] | None) -> Picture:
        """RGB, as large as it is shown, or shrunk to (width, height) by the mean over an area."""
        width, height = size or self.size
        if self.transposes:
            width, height = height, width
        scaled = self.scalers.setdefault(size, VideoReformatter()).reformat(
            frame,
            width,
            height,
            format="rgba" if self.transparent else "rgb24",
            src_colorspace=self.matrix,
            interpolation=Interpolation.BILINEAR if size is None else Interpolation.AREA,
        )
        picture = scaled.to_ndarray()
        if self.transparent:
            picture = over_plain(picture)
        if self.transfer is not None:
            picture = to_sdr(picture, self.transfer)
        return np.ascontiguousarray(turned(picture, self.turn))


def orientation(frame: av.VideoFrame) -> Int[np.ndarray, "2 2"]:
    """Where the film's display matrix takes x and y (down): a turn or mirror of whole quarters.

    ISO 14496-12, 8.3.2: x' = a x + c y, y' = b x + d y.
    """
    held = _side_data(frame)
    if Type.DISPLAYMATRIX not in held:
        return _UPRIGHT
    a, b, _, c, d = np.frombuffer(held[Type.DISPLAYMATRIX], np.int32)[:5]
    matrix = np.array([[a, c], [b, d]], np.int64)
    size = np.abs(matrix).max(initial=1)
    quarters = np.sign(matrix) * (np.abs(matrix) > size / 2)
    return quarters if abs(np.linalg.det(quarters)) == 1 else _UPRIGHT


def turned(
    picture: UInt8[np.ndarray, "_ _ channels"], turn: Int[np.ndarray, "2 2"]
) -> UInt8[np.ndarray, "_ _ channels"]:
    """A picture after x' = a x + c y, y' = b x + d y."""
    if turn[0, 0] == 0:
        picture, turn = picture.swapaxes(0, 1), turn[:, ::-1]
    across, down = turn.diagonal().tolist()
    return picture[::down, ::across]


def over_plain(picture: UInt8[np.ndarray, "height width 4"]) -> Picture:
    """RGBA laid over grey."""
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = alpha * picture[..., :3] + (255 - alpha) * PLAIN
    return ((mixed + 127) // 255).astype(np.uint8)


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether some of a frame may be transparent."""
    return any(component.is_alpha for component in frame.format.components)


def warn_of_what_is_not_shown(name: str, frame: av.VideoFrame, metadata: dict[str, str]) -> None:
    """Say in a FilmWarning what no flat picture of ours shows as it is meant."""
    held = _side_data(frame)
    if Type.SPHERICAL in held or Type.STEREO3D in held:
        kind = "spherical" if Type.SPHERICAL in held else "stereoscopic"
        _warn(f"{name} is a {kind} film: its pictures are taken as they are stored")
    if Type.DOVI_METADATA in held and frame.color_trc not in HDR_TRANSFERS:
        _warn(f"{name} is in Dolby Vision without a common base: its colours are wrong")
    if metadata.get("alpha_mode") == "1" and not has_alpha(frame):
        _warn(f"{name} is transparent in a way that is not read: it is taken as opaque")
    if Type.DISPLAYMATRIX in held and not _whole_quarters(held[Type.DISPLAYMATRIX]):
        _warn(f"{name} asks to be shown askew: it is turned by whole quarters alone")


def _side_data(frame: av.VideoFrame) -> dict[Type, bytes]:
    held: Any = frame.side_data
    return {data.type: bytes(data) for data in held}


def _whole_quarters(display_matrix: bytes) -> bool:
    matrix = np.frombuffer(display_matrix, np.int32)
    larger, smaller = sorted(np.abs(matrix[[0, 1]].astype(np.int64)), reverse=True)
    return bool(smaller < 0.01 * larger)


def _warn(message: str) -> None:
    warnings.warn(message, FilmWarning, stacklevel=4)


def _square(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size in square pixels: the shorter side of a pixel is stretched, as players do."""
    aspect = pixel_aspect or Fraction(1)
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)
