"""One function for each figure made of images, from arrays alone.

Images come and go as uint8 [*, H, W, 3] RGB; figures lie on white.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS
from kinepose.visualization.skeletons import (
    MIDLINES,
    TRUTH,
    Colour,
    draw_skeleton,
    side_colour,
    skeleton_view,
)

ImageArray = UInt8[np.ndarray, "_ _ 3"]
ImageArrays = UInt8[np.ndarray, "count size size 3"]

CELL = 168
"""Side of a small image [px]."""
MAP_CELL = 90
"""Side of one of the 33 maps [px]."""
GAP = 6
APART = 3 * GAP
"""Between what belongs together less."""
TEXT = 14
"""Size of letters [px]; a heading is twice as high."""
INK: Colour = (32, 36, 44)
FAILURE: Colour = (233, 74, 137)
"""The paper's pink box."""


def reconstruction_rows(
    source: ImageArrays,
    target: ImageArrays,
    background: ImageArrays,
    maps: UInt8[np.ndarray, "count 33 rows columns"],
    reconstruction: ImageArrays,
) -> ImageArray:
    """A row a pair: who (I_s), in which pose (I_t), where (B_t), the maps between, and I^_t."""
    between = np.stack([maps_on_image(image, own) for image, own in zip(target, maps, strict=True)])
    columns = {
        "source": source,
        "target": target,
        "background": background,
        "maps of target": between,
        "reconstruction": reconstruction,
    }
    rows = [beside([cell(image) for image in row]) for row in zip(*columns.values(), strict=True)]
    headings = beside([heading(name, CELL) for name in columns])
    return page([headings, stacked(rows)], gap=0)


def transfer_grid(
    pose_images: UInt8[np.ndarray, "poses size size 3"],
    appearance_images: UInt8[np.ndarray, "people size size 3"],
    background_images: UInt8[np.ndarray, "places size size 3"],
    transfers: UInt8[np.ndarray, "poses people places size size 3"],
) -> ImageArray:
    """The paper's Fig. 3: a row each pose, a column each person, a block each background."""
    poses, people, places = (
        [_named(image, f"{letter}{number}") for number, image in enumerate(images, start=1)]
        for letter, images in (
            ("P", pose_images), ("A", appearance_images), ("B", background_images)
        )
    )  # fmt: skip
    corner = _blank(2 * CELL + GAP, CELL)
    for line, text in enumerate(["P  the pose", "A  the clothes", "B  the background"]):
        _write(corner, text, (0, 4 + 26 * line), 18)
    columns = [stacked([corner, stacked(poses)], APART)]
    for place, background in enumerate(places):
        painted = [beside([cell(image) for image in row]) for row in transfers[:, :, place]]
        given = stacked([background, beside(people)])
        columns.append(stacked([given, stacked(painted)], APART))
    return page([beside(columns, APART)])


def joints_on_images(images: ImageArrays, joints2d: Float[np.ndarray, "count 17 2"]) -> ImageArray:
    """2D skeletons on crops; joints from -1 to 1 across each."""
    cells = [joints_on_image(*one) for one in zip(images, joints2d, strict=True)]
    return page([_in_rows(cells, columns=5)])


def joints_on_image(
    image: UInt8[np.ndarray, "size size 3"],
    joints2d: Float[np.ndarray, "17 2"],
    truth: Float[np.ndarray, "17 2"] | None = None,
) -> UInt8[np.ndarray, "cell cell 3"]:
    """A 2D skeleton on a crop, the truth green behind it; joints from -1 to 1 across it."""
    drawing = cell(image)
    if truth is not None:
        draw_skeleton(drawing, (truth + 1) / 2 * CELL, width=1, colour=TRUTH)
    draw_skeleton(drawing, (joints2d + 1) / 2 * CELL, width=2)
    return drawing


def maps_on_image(
    image: UInt8[np.ndarray, "size size 3"], maps: UInt8[np.ndarray, "33 rows columns"]
) -> UInt8[np.ndarray, "cell cell 3"]:
    """Heatmaps and affinity maps glow over the darkened image."""
    joints = [*range(len(JOINT_NAMES)), *(child for _, child in LIMBS)]
    glow = np.zeros((CELL, CELL, 3))
    for joint, one in zip(joints, maps, strict=True):
        colour = np.array(side_colour(JOINT_NAMES[joint], MIDLINES[0]))
        share = cv2.resize(one, (CELL, CELL), interpolation=cv2.INTER_LINEAR)[..., None] / 255
        glow = np.maximum(glow, share * colour)
    return np.clip(0.35 * cell(image) + 0.85 * glow, 0, 255).astype(np.uint8)


def separate_maps(maps: UInt8[np.ndarray, "33 rows columns"]) -> ImageArray:
    """All 33 maps of one image: 17 heatmaps, then 16 affinity maps."""
    return page(_map_rows(maps))


def maps_of_an_image(
    image: UInt8[np.ndarray, "size size 3"],
    joints2d: Float[np.ndarray, "17 2"],
    maps: UInt8[np.ndarray, "33 rows columns"],
) -> ImageArray:
    """The paper's Fig. 2A: from p_2D to heatmaps and affinity maps, on the image and apart."""
    joints = np.arange(len(maps)) < len(JOINT_NAMES)
    steps = {
        "image": cell(image),
        "2D joints": joints_on_image(image, joints2d),
        "heatmaps": maps_on_image(image, maps * joints[:, None, None]),
        "affinity maps": maps_on_image(image, maps * ~joints[:, None, None]),
        "both": maps_on_image(image, maps),
    }
    return page([beside([captioned(step, text) for text, step in steps.items()]), *_map_rows(maps)])


def skeletons_from_two_views(
    joints3d: Float[np.ndarray, "count 17 3"], labels: Sequence[str]
) -> ImageArray:
    """3D skeletons in camera axes, pelvis at 0: as recorded, and below it from the side."""
    half_extent = 1.05 * float(np.abs(joints3d).max()) or 1.0
    views = [two_views(joints, half_extent) for joints in joints3d]
    for (upper, _), label in zip(views, labels, strict=True):
        _write(upper, label, (7, 5), 12, on_dark=True)
    for view, text in zip(views[0], ("as recorded", "from the side"), strict=True):
        _write(view, text, (7, CELL - 20), 12, on_dark=True)
    return page([beside(row) for row in zip(*views, strict=True)])


def two_views(
    joints3d: Float[np.ndarray, "17 3"],
    half_extent: float,
    truth: Float[np.ndarray, "17 3"] | None = None,
) -> tuple[UInt8[np.ndarray, "cell cell 3"], UInt8[np.ndarray, "cell cell 3"]]:
    """A 3D skeleton in camera axes, pelvis at 0, as recorded and from aside; green: the truth."""
    front, side = (
        cell(skeleton_view([(0, joints3d)], 2 * CELL, turn, half_extent, truth=truth))
        for turn in (0.0, 90.0)
    )
    return front, side


def cell(image: UInt8[np.ndarray, "size size 3"]) -> UInt8[np.ndarray, "cell cell 3"]:
    """An image, larger or smaller, at the size at which all are shown."""
    larger = image.shape[0] > CELL
    return cv2.resize(
        image, (CELL, CELL), interpolation=cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    )


def beside(images: Sequence[ImageArray], gap: int = GAP) -> ImageArray:
    """Images in a row, their upper edges in line."""
    height = max(len(drawing) for drawing in images)
    parts = []
    for drawing in images:
        lower = _blank(height - len(drawing), drawing.shape[1])
        parts += [np.concatenate([drawing, lower]), _blank(height, gap)]
    return np.concatenate(parts[:-1], axis=1)


def stacked(images: Sequence[ImageArray], gap: int = GAP) -> ImageArray:
    """Images one below the other, their left edges in line."""
    return beside([drawing.swapaxes(0, 1) for drawing in images], gap).swapaxes(0, 1)


def page(parts: Sequence[ImageArray], gap: int = GAP) -> ImageArray:
    """The whole figure: its parts one below the other, within a margin."""
    margin = ((GAP, GAP), (GAP, GAP), (0, 0))
    return np.ascontiguousarray(np.pad(stacked(parts, gap), margin, constant_values=255))


def captioned(drawing: ImageArray, text: str, size: int = TEXT, bold: bool = False) -> ImageArray:
    """An image below its heading."""
    return stacked([heading(text, drawing.shape[1], size, bold), drawing], gap=0)


def heading(text: str, width: int, size: int = TEXT, bold: bool = False) -> ImageArray:
    """A line of text on white; what is wider than `width` [px] is cut off."""
    strip = _blank(2 * size + 2, width)
    _write(strip, text, (1, size // 2), size, bold)
    return strip


def framed(drawing: ImageArray, colour: Colour | None) -> ImageArray:
    """An image within a border as wide as a gap; of None it is white."""
    border = np.full((len(drawing) + 2 * GAP, drawing.shape[1] + 2 * GAP, 3), 255, np.uint8)
    if colour is not None:
        border[:] = colour
    border[GAP:-GAP, GAP:-GAP] = drawing
    return border


def _map_rows(maps: UInt8[np.ndarray, "33 rows columns"]) -> list[ImageArray]:
    names = [name.replace("_", " ") for name in JOINT_NAMES]
    names += [names[child] for _, child in LIMBS]
    cells = []
    for one, name in zip(maps, names, strict=True):
        large = cv2.resize(one, (MAP_CELL, MAP_CELL), interpolation=cv2.INTER_NEAREST)
        shaded = cv2.cvtColor(cv2.applyColorMap(large, cv2.COLORMAP_MAGMA), cv2.COLOR_BGR2RGB)
        cells.append(captioned(shaded, name, 10))
    count, width = len(JOINT_NAMES), 5 * CELL
    return [
        heading("heatmaps, each of a joint", width),
        _in_rows(cells[:count], columns=9),
        heading("affinity maps, each of the limb that ends at a joint", width),
        _in_rows(cells[count:], columns=9),
    ]


def _named(image: UInt8[np.ndarray, "size size 3"], name: str) -> UInt8[np.ndarray, "cell cell 3"]:
    drawing = cell(image)
    _write(drawing, name, (6, 3), 20, bold=True, on_dark=True)
    return drawing


def _blank(height: int, width: int) -> ImageArray:
    return np.full((height, width, 3), 255, np.uint8)


def _in_rows(cells: Sequence[ImageArray], columns: int) -> ImageArray:
    return stacked([beside(cells[i : i + columns]) for i in range(0, len(cells), columns)])


def _write(
    drawing: ImageArray,
    text: str,
    corner: tuple[int, int],
    size: int,
    bold: bool = False,
    on_dark: bool = False,
) -> None:
    """Paint text, its upper left corner at `corner` [px]; on images it is white with an edge."""
    canvas = Image.fromarray(drawing)
    fill, edge = ((255, 255, 255), 2) if on_dark else (INK, 0)
    ImageDraw.Draw(canvas).text(
        corner, text, fill, _font(size, bold), stroke_width=edge, stroke_fill=INK
    )
    drawing[:] = np.asarray(canvas)


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Matplotlib's own, which charts are lettered in as well."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
