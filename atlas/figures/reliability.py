"""Figure of a template's reliability: how well every movement is recovered, and what else is taken for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from atlas.figures.colours import DIFFERENCE_MAP
from atlas.figures.page import DPI, INK, figure_png

ROW, TOP, FOOT, GAP = 0.2, 2.1, 1.75, 1.95  # inches
MOST = 0.4  # of a range: all leaks above have the same colour
SHOWN = 80  # rows of a block
_BAR, _FAST, _SOFT, _SELF = "#4c78a8", "#f2a33a", "#777777", "#e9ecf0"


@dataclass(frozen=True)
class Row:
    """One quantity in `full`; r, low, high : correlation and its interval; fast : r in `fast`; limit : detection limit
    as text; NaN where nothing moved.
    """

    r: float
    low: float
    high: float
    fast: float
    limit: str


Block = tuple[str, Mapping[str, Row], np.ndarray]


def reliability_figure(title: str, caption: str, blocks: Sequence[Block]) -> bytes:
    """PNG of blocks, each (heading, {name: row}, leaks (K, K)): bars of the correlation with the truth, and a map of
    what is recovered in a row, as a share of its range, when only the column's quantity moves; 0 is left white.
    """
    blocks = [
        (heading, dict(list(rows.items())[:SHOWN]), leak[:SHOWN, :SHOWN]) for heading, rows, leak in blocks if rows
    ]
    sizes = [ROW * len(rows) for _, rows, _ in blocks]
    widest = max(sizes)
    height, width = TOP + sum(sizes) + GAP * (len(blocks) - 1) + FOOT, 6.2 + widest + 0.4
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    figure.text(0.25 / width, 1 - 0.3 / height, title, fontsize=14, weight="bold", color=INK, va="center")
    for i, line in enumerate(caption.splitlines()):
        figure.text(0.25 / width, 1 - (0.6 + 0.21 * i) / height, line, fontsize=9, color=INK, va="center")
    top = TOP
    for (heading, rows, leak), size in zip(blocks, sizes, strict=True):
        bottom, share = 1 - (top + size) / height, size / height
        bars = figure.add_axes((2.0 / width, bottom, 3.0 / width, share))
        _bars(bars, rows)
        figure.text(0.25 / width, 1 - (top - 0.38) / height, heading, fontsize=10.5, weight="bold", color=INK)
        cells = figure.add_axes((6.2 / width, bottom, size / width, share))
        _cells(cells, list(rows), leak)
        top += size + GAP
    _scale(figure, width, height)
    return figure_png(figure)


def _bars(axes: Axes, rows: Mapping[str, Row]) -> None:
    places = np.arange(len(rows))
    low, high, r, fast = (
        np.array([getattr(row, key) for row in rows.values()]) for key in ("low", "high", "r", "fast")
    )
    axes.barh(places, np.nan_to_num(r), height=0.68, color=_BAR, alpha=0.8, label="full")
    axes.hlines(places, low, high, color=INK, linewidth=1.2)
    axes.plot(fast, places, "D", color=_FAST, markeredgecolor="white", markersize=5, label="fast")
    axes.set_yticks(places, list(rows), fontsize=8, color=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(min(0.0, float(np.nanmin([*low, *fast, 0.0]))), 1)
    axes.set_xlabel("correlation with the truth within a person", fontsize=8.5, color=INK)
    for place, row in zip(places, rows.values(), strict=True):
        _beside(axes, place, "–" if np.isnan(row.r) else f"{row.r:.2f}", row.limit, INK)
    _beside(axes, -1.15, "r", "limit", _SOFT)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, frameon=False, borderaxespad=0.1)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    _bare(axes)


def _beside(axes: Axes, place: float, r: str, limit: str, colour: str) -> None:
    for text, points in ((r, 24), (limit, 66)):
        axes.annotate(
            text, (1, place), (points, 0), textcoords="offset points", ha="right", va="center", fontsize=8,
            color=_SOFT if text == "none" else colour, annotation_clip=False,
        )  # fmt: skip


def _cells(axes: Axes, names: list[str], leak: np.ndarray) -> None:
    """The map; the diagonal holds the slopes in words."""
    colours = colormaps[DIFFERENCE_MAP](np.clip(leak / MOST / 2 + 0.5, 0, 1))
    own = np.arange(len(names))
    colours[own, own] = (*(int(_SELF[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1)
    axes.imshow(colours, aspect="equal", interpolation="nearest")
    for i in own:
        axes.text(i, i, f"{leak[i, i]:.1f}", fontsize=5.5, color=INK, ha="center", va="center")
    short = [name.split()[0] if name.startswith("AU") else name for name in names]
    axes.set_xticks(own, short, rotation=90, fontsize=7.5, color=INK)
    axes.set_yticks(own, [""] * len(names))
    axes.set_xticks(own[:-1] + 0.5, minor=True)
    axes.set_yticks(own[:-1] + 0.5, minor=True)
    axes.grid(which="minor", color="#eeeeee", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.tick_params(length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _scale(figure: Figure, width: float, height: float) -> None:
    axes = figure.add_axes((6.2 / width, 0.6 / height, 3.2 / width, 0.16 / height))
    bar = figure.colorbar(
        ScalarMappable(Normalize(-MOST, MOST), colormaps[DIFFERENCE_MAP]), cax=axes, orientation="horizontal"
    )
    bar.set_ticks([-MOST, -MOST / 2, 0, MOST / 2, MOST])
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.outline.set_visible(False)
    bar.set_label("map: share of the row's range; diagonal: slope when nothing else moves", fontsize=8.5, color=INK)
