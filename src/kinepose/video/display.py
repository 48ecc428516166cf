"""From a decoded frame to the image that a player shows.

Turned and mirrored as the video asks, of square pixels, in the colours of BT.709, over a plain
colour where it is transparent; shrunk in the same step where that is asked for.
"""

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.reformatter import Interpolation, VideoReformatter
from jaxtyping import Int, UInt8

from kinepose.io.errors import BadInputError, VideoWarning
from kinepose.video.tone_mapping import Transfer, to_sdr

ImageArray = UInt8[np.ndarray, "_ _ 3"]

PLAIN = 128
"""Grey behind what is transparent: nobody's clothes vanish in it."""
_HIGH_DEFINITION = 720
"""Rows from which on videos that do not name their matrix have BT.709's rather than BT.601's."""
_UNSPECIFIED, _BT709, _BT2020 = 2, 1, 9
_UNKNOWN_MATRICES = {8: "YCgCo", 10: "BT.2020, constant luminance", 14: "ICtCp"}
"""Which FFmpeg's scaler does not know."""
_THINNEST, _WIDEST = Fraction(1, 4), Fraction(4)
"""Pixels of other aspects are nobody's intention."""
HDR_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
"""By FFmpeg's numbers, which are those of ITU-T H.273."""
_UPRIGHT = np.eye(2, dtype=np.int64)


@dataclass(frozen=True)
class Colours:
    """What numbers of a video mean, by ITU-T H.273; 2 is unspecified."""

    transfer: int
    primaries: int
    matrix: int

    def or_else(self, other: "Colours") -> "Colours":
        """Those of the other where these are unspecified."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Colours(*(second if first == _UNSPECIFIED else first for first, second in pairs))


def stated_colours(source: av.VideoFrame | av.VideoCodecContext) -> Colours:
    """Of a frame or, before its first frame is decoded, of a stream: what its container says."""
    return Colours(int(source.color_trc), int(source.color_primaries), int(source.colorspace))


class Display:
    """How the frames of a video are shown: as its first frame says, and of its size.

    There is an FFmpeg scaler for each size: one for several in turn would be set up anew again and
    again, which takes several times as long as its work. Not for several threads at once.
    """

    def __init__(
        self, first: av.VideoFrame, pixel_aspect: Fraction | None, contained: Colours
    ) -> None:
        self.turn = orientation(first)
        self.transposes = self.turn[0, 0] == 0
        self.pixel_aspect = pixel_aspect if is_square_enough(pixel_aspect) else None
        self.stored = (first.width, first.height)
        width, height = _square(*self.stored, self.pixel_aspect)
        self.size = (height, width) if self.transposes else (width, height)
        self.transparent = has_alpha(first)
        colours = stated_colours(first).or_else(contained)
        self.transfer = HDR_TRANSFERS.get(colours.transfer)
        if self.transfer is None and colours.primaries == _BT2020:
            self.transfer = "sdr"
        self.matrix = colours.matrix
        if self.matrix == _UNSPECIFIED and first.height >= _HIGH_DEFINITION:
            self.matrix = _BT709
        self.scalers: dict[tuple[int, int], VideoReformatter] = {}

    def develop(self, frame: av.VideoFrame, size: tuple[int, int] | None) -> ImageArray:
        """RGB, as large as it is shown, or shrunk to (width, height) by the mean over an area.

        A frame of another shape than the first one's lies over grey, in the middle and whole.
        """
        width, height = size or self.size
        if self.transposes:
            width, height = height, width
        image = self._scaled(frame, self._fitting(frame, width, height), size is None)
        if image.shape[:2] != (height, width):
            image = _framed(image, width, height)
        return np.ascontiguousarray(turned(image, self.turn))

    def has_shape(self, frame: av.VideoFrame) -> bool:
        """Whether width and height of a frame are to each other as the first one's, nearly."""
        width, height = self.stored
        return abs(frame.width * height - width * frame.height) <= 0.02 * width * frame.height

    def _fitting(self, frame: av.VideoFrame, width: int, height: int) -> tuple[int, int]:
        """Width and height with which a frame lies whole in these [px]."""
        if self.has_shape(frame):
            return width, height
        columns, rows = _square(frame.width, frame.height, self.pixel_aspect)
        scale = min(width / columns, height / rows)
        return max(1, round(scale * columns)), max(1, round(scale * rows))

    def _scaled(self, frame: av.VideoFrame, size: tuple[int, int], whole: bool) -> ImageArray:
        if frame.colorspace == _UNSPECIFIED:
            frame.colorspace = self.matrix
        scaled = self.scalers.setdefault(size, VideoReformatter()).reformat(
            frame,
            *size,
            format="rgba" if self.transparent else "rgb24",
            interpolation=Interpolation.BILINEAR if whole else Interpolation.AREA,
        )
        image = scaled.to_ndarray()
        if self.transparent:
            image = over_plain(image)
        return image if self.transfer is None else to_sdr(image, self.transfer)


def orientation(frame: av.VideoFrame) -> Int[np.ndarray, "2 2"]:
    """Where the video's display matrix takes x and y (down): a turn or mirror of whole quarters.

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
    image: UInt8[np.ndarray, "_ _ channels"], turn: Int[np.ndarray, "2 2"]
) -> UInt8[np.ndarray, "_ _ channels"]:
    """An image after x' = a x + c y, y' = b x + d y."""
    if turn[0, 0] == 0:
        image, turn = image.swapaxes(0, 1), turn[:, ::-1]
    across, down = turn.diagonal().tolist()
    return image[::down, ::across]


def over_plain(image: UInt8[np.ndarray, "height width 4"]) -> ImageArray:
    """RGBA laid over grey."""
    alpha = image[..., 3:].astype(np.uint16)
    mixed = alpha * image[..., :3] + (255 - alpha) * PLAIN
    return ((mixed + 127) // 255).astype(np.uint8)


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether some of a frame may be transparent."""
    return any(component.is_alpha for component in frame.format.components)


def is_square_enough(pixel_aspect: Fraction | None) -> bool:
    """Whether pixels of this aspect, if one is stated, may be meant."""
    return not pixel_aspect or _THINNEST <= pixel_aspect <= _WIDEST


def check_shown(name: str, frame: av.VideoFrame, stream: av.VideoStream) -> None:
    """Say in a VideoWarning what no flat image of ours shows as it is meant.

    Raises:
        BadInputError: if nothing of it would be right.
    """
    held, metadata, aspect = _side_data(frame), stream.metadata, stream.sample_aspect_ratio
    if frame.colorspace in _UNKNOWN_MATRICES:
        kind = _UNKNOWN_MATRICES[frame.colorspace]
        raise BadInputError(f"{name} has colours that are not read ({kind})")
    if not is_square_enough(aspect):
        _warn(f"{name} asks for pixels of {aspect}: they are taken for square ones")
    if Type.SPHERICAL in held or Type.STEREO3D in held:
        kind = "spherical" if Type.SPHERICAL in held else "stereoscopic"
        _warn(f"{name} is a {kind} video: its images are taken as they are stored")
    if Type.DOVI_METADATA in held and frame.color_trc not in HDR_TRANSFERS:
        _warn(f"{name} is in Dolby Vision without a common base: its colours are wrong")
    if metadata.get("alpha_mode") == "1" and not has_alpha(frame):
        _warn(f"{name} is transparent in a way that is not read: it is taken as opaque")
    if Type.DISPLAYMATRIX in held and not _whole_quarters(held[Type.DISPLAYMATRIX]):
        _warn(f"{name} asks to be shown askew: it is turned by whole quarters alone")


def _side_data(frame: av.VideoFrame) -> dict[Type, bytes]:
    try:
        held = frame.side_data
    except ValueError:  # PyAV fails at kinds that it does not know: Exif, 3D displays
        held = _without_unknown(frame).side_data
    return {data.type: bytes(data) for data in cast(Any, held)}


def _without_unknown(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame without the side data that PyAV does not know."""
    last = max(int(cast(Any, kind.value)) for kind in Type)
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        ),
        *(graph.add("sidedata", f"mode=delete:type={last + i}") for i in range(1, 17)),
        graph.add("buffersink"),
    ).configure()
    graph.vpush(frame)
    return graph.vpull()


def _whole_quarters(display_matrix: bytes) -> bool:
    matrix = np.frombuffer(display_matrix, np.int32)
    larger, smaller = sorted(np.abs(matrix[[0, 1]].astype(np.int64)), reverse=True)
    return bool(smaller < 0.01 * larger)


def _warn(message: str) -> None:
    warnings.warn(message, VideoWarning, stacklevel=4)


def _framed(image: ImageArray, width: int, height: int) -> ImageArray:
    """An image in the middle of a plain one of this width and height."""
    whole = np.full((height, width, 3), PLAIN, np.uint8)
    rows, columns, _ = image.shape
    top, left = (height - rows) // 2, (width - columns) // 2
    whole[top : top + rows, left : left + columns] = image
    return whole


def _square(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size in square pixels: the shorter side of a pixel is stretched, as players do."""
    aspect = pixel_aspect or Fraction(1)
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)
