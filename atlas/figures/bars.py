"""Colour bars and sheets: pictures with the scale that belongs to them, as PNG without dates."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP
from reconstruction.sequence import STATEMENT

DPI = 110
INK = "#222222"


def difference_bar(limit: float, label: str) -> bytes:
    """PNG of the bar for differences from -limit to +limit; label says unit and sign."""
    return _bar(DIFFERENCE_MAP, -limit, limit, label)


def spread_bar(limit: float, label: str) -> bytes:
    """PNG of the bar from 0 to limit."""
    return _bar(SPREAD_MAP, 0.0, limit, label)


def _bar(name: str, low: float, high: float, label: str) -> bytes:
    figure = Figure(figsize=(4.6, 0.78), dpi=2 * DPI)
    _draw_bar(figure, (0.06, 0.62, 0.88, 0.26), name, low, high, label)
    return figure_png(figure)


def _draw_bar(
    figure: Figure, place: tuple[float, float, float, float], name: str, low: float, high: float, label: str
) -> None:
    axes = figure.add_axes(place)
    bar = figure.colorbar(ScalarMappable(Normalize(low, high), colormaps[name]), cax=axes, orientation="horizontal")
    bar.set_ticks([low, (low + high) / 2, high] if low == 0 else [low, low / 2, 0, high / 2, high])
    bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:+.3g}" if low < 0 and value else f"{value:.3g}")
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.set_label(label, fontsize=9, color=INK)
    bar.outline.set_visible(False)


def sheet(
    columns: Sequence[str],
    rows: Mapping[str, Sequence[np.ndarray | None]],
    title: str,
    caption: str,
    bar: tuple[str, float, float, str] | None = None,
) -> bytes:
    """PNG of pictures in a table with a title, a caption that ends in the statement, and a colour bar.

    columns : headings; rows : {heading: one picture a column, None for an empty place}
    bar : (colour map, low, high, label)
    """
    shown = {heading: [p for p in row if p is not None] for heading, row in rows.items()}
    tallest = [max(p.shape[0] for p in row) for row in shown.values()]
    widest = [
        max((p.shape[1] for p in column if p is not None), default=1) for column in zip(*rows.values(), strict=True)
    ]
    label, head, foot = 110, 84, 74 + (84 if bar else 0)
    width, height = label + sum(widest) + 20, head + sum(tallest) + foot
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    figure.text(16 / width, 1 - 22 / height, title, fontsize=13, weight="bold", color=INK, va="center")
    for i, heading in enumerate(columns):
        centre = label + sum(widest[:i]) + widest[i] / 2
        figure.text(centre / width, 1 - 60 / height, heading, fontsize=10, color=INK, ha="center", va="center")
    top = head
    for (heading, row), high in zip(rows.items(), tallest, strict=True):
        figure.text(16 / width, 1 - (top + high / 2) / height, heading, fontsize=11, color=INK, va="center")
        for i, picture in enumerate(row):
            if picture is not None:
                h, w = picture.shape[:2]
                left = label + sum(widest[:i]) + (widest[i] - w) // 2
                figure.figimage(picture, left, height - top - high + (high - h) // 2, resize=False)
        top += high
    if bar:
        name, low, most, text = bar
        _draw_bar(figure, (0.3, (foot - 34) / height, 0.4, 16 / height), name, low, most, text)
    figure.text(16 / width, 44 / height, caption, fontsize=8.5, color=INK, va="center")
    figure.text(16 / width, 20 / height, STATEMENT, fontsize=8.5, color="#666666", va="center")
    return figure_png(figure)


def figure_png(figure: Figure) -> bytes:
    """PNG of a figure, without a date."""
    packed = io.BytesIO()
    FigureCanvasAgg(figure).print_png(packed, metadata={"Software": None})
    return packed.getvalue()
