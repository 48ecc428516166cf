"""One function for each figure, from arrays alone.

Pictures come and go as uint8 [*, H, W, 3] RGB; what has axes comes as a matplotlib Figure.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kinepose.drawing import LEFT, MIDLINES, RIGHT, Colour, draw_skeleton, skeleton_view, write
from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS

Picture = UInt8[np.ndarray, "height width 3"]
Pictures = UInt8[np.ndarray, "count size size 3"]

CELL = 168
"""Side of a small picture in a mosaic [px]."""
GAP = 6
HEADING = 30
INK = "#20242c"
SERIES = ("#1f6fb4", "#d9730d", "#3a8f4d", "#a04db0", "#8a8f99")


def losses_over_steps(log: Sequence[dict[str, Any]]) -> Figure:
    """One chart a loss, from the lines of log.jsonl: its total and its terms, averaged in bins."""
    names = list(dict.fromkeys(str(line["loss"]) for line in log))
    figure = Figure(figsize=(7, 2.3 * max(1, len(names))), layout="constrained")
    for index, name in enumerate(names):
        lines = [line for line in log if line["loss"] == name]
        axes = figure.add_subplot(len(names), 1, index + 1)
        step = np.array([line["step"] for line in lines], float)
        keys = lines[0] | lines[-1]  # terms may join in the course of a run
        terms = [key for key in keys if key not in ("step", "loss", "seconds", "total")]
        for term, colour in zip(["total", *terms], SERIES, strict=False):
            if term != "total" and len(terms) == 1:
                continue
            values = np.array([line.get(term, np.nan) for line in lines], float)
            x, y = _averaged(step, values)
            axes.plot(x, y, color=colour, lw=2 if term == "total" else 1.2, label=term)
        axes.set_yscale("log")
        axes.set_title(f"loss {name}", loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.legend(ncols=4, frameon=False, fontsize=8, loc="upper right")
        _plain(axes)
    if names:
        axes.set_xlabel("iteration")
    return figure


def energy_over_time(
    time: Float[np.ndarray, " rows"],
    energy: Float[np.ndarray, " rows"],
    track: Int[np.ndarray, " rows"],
    unit: str = "time [s]",
) -> Figure:
    """The energy of each pose; peaks are where to look for mistakes."""
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.add_subplot()
    numbers = np.unique(track)
    for index, number in enumerate(numbers):
        rows = track == number
        colour = SERIES[index % len(SERIES)]
        axes.plot(time[rows], energy[rows], color=colour, lw=1.4, label=f"person {number}")
    if len(numbers) > 1:
        axes.legend(ncols=4, frameon=False, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(unit)
    axes.set_ylabel("energy")
    _plain(axes)
    return figure


def errors_by_joint(errors: dict[str, float], unit: str = "mm") -> Figure:
    """The error of each joint as a bar, in the colours of the skeleton's sides."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    names = list(errors)[::-1]
    bars = axes.barh(
        [name.replace("_", " ") for name in names],
        [errors[name] for name in names],
        height=0.7,
        color=["#{:02x}{:02x}{:02x}".format(*_side(name, (138, 143, 153))) for name in names],
    )
    axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8, color=INK)
    axes.set_xlabel(f"[{unit}]")
    _plain(axes)
    axes.grid(False, axis="y")
    return figure


def reconstruction_rows(
    source: Pictures,
    target: Pictures,
    background: Pictures,
    maps: UInt8[np.ndarray, "count 33 rows columns"],
    reconstruction: Pictures,
) -> Picture:
    """A row a pair: who (I_s), in which pose (I_t), where (B_t), the maps between, and I^_t."""
    between = np.stack([maps_on_image(image, own) for image, own in zip(target, maps, strict=True)])
    columns = {
        "source": source,
        "target": target,
        "background": background,
        "maps of target": between,
        "reconstruction": reconstruction,
    }
    rows = [
        np.stack([_cell(image) for image in row]) for row in zip(*columns.values(), strict=True)
    ]
    return _mosaic(rows, list(columns))


def transfer_grid(
    pose_images: UInt8[np.ndarray, "poses size size 3"],
    appearance_images: UInt8[np.ndarray, "people size size 3"],
    background: UInt8[np.ndarray, "size size 3"],
    transfers: UInt8[np.ndarray, "poses people size size 3"],
) -> Picture:
    """The paper's Fig. 3: the pose of each row, the clothes of each column, one background."""
    top = [_cell(background), *(_cell(image) for image in appearance_images)]
    rows = [np.stack(top)]
    for pose, painted in zip(pose_images, transfers, strict=True):
        rows.append(np.stack([_cell(pose), *(_cell(image) for image in painted)]))
    headings = ["background", *["clothes of"] * len(appearance_images)]
    return _mosaic(rows, headings, side="pose of", framed_edges=True)


def joints_on_images(images: Pictures, joints2d: Float[np.ndarray, "count 17 2"]) -> Picture:
    """2D skeletons on crops; joints from -1 to 1 across each."""
    cells = []
    for image, joints in zip(images, joints2d, strict=True):
        cell = _cell(image)
        draw_skeleton(cell, (joints + 1) / 2 * CELL, width=2)
        cells.append(cell)
    return _mosaic(_in_rows(cells, columns=5))


def maps_on_image(
    image: UInt8[np.ndarray, "size size 3"], maps: UInt8[np.ndarray, "33 rows columns"]
) -> UInt8[np.ndarray, "cell cell 3"]:
    """The paper's Fig. 2A: heatmaps and affinity maps glow over the darkened picture."""
    joints = [*range(len(JOINT_NAMES)), *(child for _, child in LIMBS)]
    glow = np.zeros((CELL, CELL, 3))
    for joint, one in zip(joints, maps, strict=True):
        colour = np.array(_side(JOINT_NAMES[joint], MIDLINES[0]))
        share = cv2.resize(one, (CELL, CELL), interpolation=cv2.INTER_LINEAR)[..., None] / 255
        glow = np.maximum(glow, share * colour)
    return np.clip(0.35 * _cell(image) + 0.85 * glow, 0, 255).astype(np.uint8)


def separate_maps(maps: UInt8[np.ndarray, "33 rows columns"]) -> Picture:
    """All 33 maps of one picture side by side: 17 heatmaps, then 16 affinity maps."""
    cells = []
    for one in maps:
        shaded = cv2.applyColorMap(
            cv2.resize(one, (80, 80), interpolation=cv2.INTER_NEAREST), cv2.COLORMAP_MAGMA
        )
        cells.append(cv2.cvtColor(shaded, cv2.COLOR_BGR2RGB))
    return _mosaic(_in_rows(cells, columns=11))


def skeletons_from_two_views(
    joints3d: Float[np.ndarray, "count 17 3"], labels: Sequence[str]
) -> Picture:
    """3D skeletons in camera axes, pelvis at 0: as filmed, and below it from the side."""
    half_extent = 1.05 * float(np.abs(joints3d).max())
    rows = []
    for turn in (0.0, 90.0):
        cells = [skeleton_view([(0, joints)], CELL, turn, half_extent) for joints in joints3d]
        rows.append(np.stack(cells))
    for cell, label in zip(rows[0], labels, strict=True):
        write(cell, label, (8, 18), 0.42)
    write(rows[0][0], "as filmed", (8, CELL - 8), 0.42)
    write(rows[1][0], "from the side", (8, CELL - 8), 0.42)
    return _mosaic(rows)


def _averaged(
    step: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], points: int = 150
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    bins = np.array_split(np.arange(len(step)), min(points, len(step)))
    return (
        np.array([step[rows].mean() for rows in bins]),
        np.array([values[rows].mean() for rows in bins]),
    )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b8bdc7")
    axes.tick_params(which="both", colors=INK, labelsize=8)
    axes.grid(color="#e4e7ec", lw=0.7)
    axes.set_axisbelow(True)
    axes.xaxis.label.set(fontsize=9, color=INK)
    axes.yaxis.label.set(fontsize=9, color=INK)


def _side(name: str, midline: Colour) -> Colour:
    """The colour of a joint's side of the body."""
    if name.startswith("left_"):
        return LEFT
    return RIGHT if name.startswith("right_") else midline


def _cell(image: UInt8[np.ndarray, "size size 3"]) -> UInt8[np.ndarray, "cell cell 3"]:
    larger = image.shape[0] > CELL
    return cv2.resize(
        image, (CELL, CELL), interpolation=cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    )


def _in_rows(
    cells: list[UInt8[np.ndarray, "cell cell 3"]], columns: int
) -> list[UInt8[np.ndarray, "_ cell cell 3"]]:
    return [np.stack(cells[i : i + columns]) for i in range(0, len(cells), columns)]


def _mosaic(
    rows: Sequence[UInt8[np.ndarray, "_ cell cell 3"]],
    headings: Sequence[str] = (),
    side: str = "",
    framed_edges: bool = False,
) -> Picture:
    """Pictures on white in rows; the first row and column stand apart where they are inputs."""
    cell = rows[0].shape[1]
    top = HEADING if headings else 0
    apart = 2 * GAP if framed_edges else 0
    step = cell + GAP
    width = GAP + step * max(len(row) for row in rows) + apart
    page = np.full((top + GAP + step * len(rows) + apart, width, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = top + GAP + i * step + apart * (i > 0), GAP + j * step + apart * (j > 0)
            page[y : y + cell, x : x + cell] = picture
            if side and j == 0 and i > 0:
                write(page[y : y + cell, x : x + cell], side, (6, cell - 8), 0.42)
    for j, heading in enumerate(headings):
        x = GAP + j * step + apart * (j > 0)
        cv2.putText(
            page, heading, (x, 21), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (32, 36, 44), 1, cv2.LINE_AA
        )
    return page
