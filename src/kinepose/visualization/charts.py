"""One function for each figure with axes, from arrays alone; those of images: image_grids.py."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kinepose.visualization.skeletons import side_colour

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
        for term, colour in zip(["total", *terms], cycle(SERIES)):
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
        color=["#{:02x}{:02x}{:02x}".format(*side_colour(name, (138, 143, 153))) for name in names],
    )
    axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8, color=INK)
    axes.set_xlabel(f"[{unit}]")
    _plain(axes)
    axes.grid(False, axis="y")
    return figure


def bars_with_seeds(
    names: Sequence[str],
    values: Sequence[Sequence[float]],
    baselines: Mapping[str, float],
    measure: str = "P-MPJPE [mm]",
) -> Figure:
    """A bar for the mean of each row, a dot for each of its seeds, a line for each baseline.

    A row without values yet keeps its place.
    """
    figure = Figure(figsize=(7, 1.1 + 0.36 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    place = np.arange(len(names))[::-1]
    means = [float(np.mean(row)) if len(row) else np.nan for row in values]
    axes.barh(place, means, height=0.66, color=SERIES[0], alpha=0.35)
    for y, row, mean in zip(place, values, means, strict=True):
        axes.plot(row, np.full(len(row), y), "o", color=SERIES[0], ms=4, mec="white", mew=0.5)
        text, x = (f"{mean:.1f}", max(row)) if len(row) else ("not run", 0.0)
        axes.annotate(
            text,
            (x, y),
            (7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
            bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
        )
    for (name, value), colour in zip(baselines.items(), cycle(SERIES[1:])):
        axes.axvline(value, color=colour, lw=1.3, ls="--", label=f"{name}: {value:.1f}")
    axes.set_yticks(place, names)
    axes.set_xlabel(measure)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.margins(x=0.1)
    axes.set_xlim(left=0)
    _plain(axes)
    axes.grid(False, axis="y")
    if baselines:
        figure.legend(loc="outside upper right", ncols=4, frameon=False, fontsize=8)
    return figure


def energy_against_error(
    energy: Float[np.ndarray, " frames"],
    error: Float[np.ndarray, " frames"],
    split: Shaped[np.ndarray, " frames"],
    rho: Mapping[str, float],
) -> Figure:
    """Does energy rank failures? Each frame, and the error of what is kept if it decides.

    On the right the frames of highest energy are left out, more and more: a curve that falls says
    that energy finds failures, a flat one that it does not. `rho` is Spearman's, by split.
    """
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    scatter, kept = figure.subplots(1, 2)
    for name, colour in zip(rho, cycle(SERIES)):
        rows = np.flatnonzero(split == name)
        rows = rows[np.argsort(energy[rows], kind="stable")]
        label = rf"{name.replace('_', ' ')}, $\rho = {rho[name]:+.2f}$"
        scatter.plot(energy[rows], error[rows], ".", color=colour, ms=3, alpha=0.35, mew=0)
        count = np.arange(1, len(rows) + 1)
        shown = count >= 0.05 * len(rows)
        mean = np.cumsum(error[rows]) / count
        kept.plot(100 * (count / len(rows))[shown], mean[shown], color=colour, lw=1.4, label=label)
    scatter.set_xlabel("energy")
    scatter.set_ylabel("P-MPJPE of the frame [mm]")
    scatter.set_ylim(bottom=0)
    kept.set_xlabel("kept: the frames of lowest energy [%]")
    kept.set_ylabel("mean P-MPJPE of these [mm]")
    kept.invert_xaxis()
    for axes in (scatter, kept):
        _plain(axes)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


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
