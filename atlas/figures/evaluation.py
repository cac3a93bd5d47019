"""Figures of `face-atlas evaluate`: how well every expression is recovered, and cumulative errors."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atlas.figures.page import DPI, INK, figure_png

_BAR, _SIDE, _GRID = "#4c78a8", "#222222", "#dddddd"
_COLOURS = ("#1f4e79", "#b0563b", "#6a8f3c")
Recovery = Mapping[str, Mapping[str, float | None]]


def recovery_figure(title: str, caption: str, expressions: Recovery, units: Recovery) -> bytes:
    """PNG of bars, one an expression and one an action unit: within-person correlation with the truth, with its 95 %
    interval over people and, where there are two sides, a mark for each.
    """
    rows = max(len(expressions), len(units))
    height = 1.9 + 0.235 * rows
    figure = Figure(figsize=(11.5, height), dpi=DPI, facecolor="white")
    figure.text(0.015, 1 - 0.28 / height, title, fontsize=13, weight="bold", color=INK, va="center")
    for i, line in enumerate(caption.splitlines()):
        figure.text(0.015, 1 - (0.58 + 0.2 * i) / height, line, fontsize=9, color=INK, va="center")
    top = 1.25 + 0.2 * (caption.count("\n"))
    for left, heading, recovery in (
        (0.155, "expressions, mean of both sides", expressions),
        (0.70, "action units", units),
    ):
        if not recovery:
            continue
        share = len(recovery) * 0.235 / height
        axes = figure.add_axes((left, 1 - top / height - share, 0.285, share))
        _bars(axes, recovery)
        axes.set_title(heading, fontsize=10, color=INK, loc="left")
    return figure_png(figure)


def _bars(axes: Axes, recovery: Recovery) -> None:
    ordered = sorted(recovery.items(), key=lambda item: item[1]["r"] or 0.0)
    places = np.arange(len(ordered))
    values = np.array([row["r"] for _, row in ordered], float)
    bounds = np.array([[row["low"], row["high"]] for _, row in ordered], float).reshape(-1, 2)
    axes.barh(places, values, height=0.66, color=_BAR, alpha=0.75)
    axes.hlines(places, bounds[:, 0], bounds[:, 1], color=INK, linewidth=1.1)
    for place, (_, row) in zip(places, ordered, strict=True):
        for side, mark in (("left", "<"), ("right", ">")):
            if (value := row.get(side)) is not None:
                axes.plot(value, place, mark, color="white", markeredgecolor=_SIDE, markersize=4.5, linewidth=0)
    axes.set_yticks(places, [f"{name}  {row['r']:.2f}" for name, row in ordered], fontsize=8, color=INK)
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlim(min(0.0, float(np.nanmin([*values, *bounds[:, 0], 0]))) - 0.02, 1)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("within-person correlation with the truth", fontsize=8, color=INK)
    _tidy(axes, "x")


def cumulative_figure(title: str, caption: str, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """PNG of cumulative errors; curves: {label: (error in mm, percentage of points at most that far)}."""
    figure = Figure(figsize=(7, 5), dpi=DPI, facecolor="white")
    figure.text(0.03, 0.955, title, fontsize=13, weight="bold", color=INK, va="center")
    figure.text(0.03, 0.905, caption, fontsize=9, color=INK, va="center")
    axes = figure.add_axes((0.1, 0.11, 0.86, 0.75))
    for (label, (error, percentage)), colour in zip(curves.items(), _COLOURS, strict=False):
        axes.plot(error, percentage, color=colour, label=label, linewidth=1.8)
    furthest = max(error[-1] for error, _ in curves.values())
    axes.set_xlim(0, furthest)
    axes.set_ylim(0, 100)
    axes.set_xlabel("distance from scan to mesh, mm", fontsize=9, color=INK)
    axes.set_ylabel("share of scan points at most that far, %", fontsize=9, color=INK)
    axes.legend(loc="lower right", fontsize=9, frameon=False)
    _tidy(axes, "both")
    return figure_png(figure)


def _tidy(axes: Axes, grid: str) -> None:
    axes.grid(axis=grid, color=_GRID, linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
