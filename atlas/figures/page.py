"""A page: a figure laid out in pixels from its upper left corner, its words for those who cannot see it, its files.

A page becomes PNG and SVG, the same bytes for the same content: no date, no version, fixed ids. matplotlib's
global state is left as it was.
"""

import io
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from atlas.figures.letters import letters_of
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically

DPI = 110
INK, SOFT, GRID = "#222222", "#666666", "#dddddd"
TITLE, HEADING, TEXT, SMALL = 16.0, 12.5, 11.0, 9.5  # points; a page fills a slide, so that these stay legible there
MARGIN = 20  # pixels
_LETTER = 0.515  # mean width of a letter, in heights
_SVG: Any = {"svg.hashsalt": "face-atlas", "svg.fonttype": "path", "svg.image_inline": True}


@dataclass(frozen=True)
class Scale:
    """What colours mean: a colour map from `low` to `high`, and the unit and sign in words."""

    colour_map: str
    low: float
    high: float
    label: str

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(..., 4) colours 0..1 of values (...); those beyond the ends have the ends' colours."""
        return colormaps[self.colour_map](np.clip((values - self.low) / (self.high - self.low), 0, 1))


@dataclass(frozen=True)
class AtlasFigure:
    """A finished figure.

    name : of its files, without suffix
    alt : what it shows, in words
    """

    name: str
    title: str
    alt: str
    drawn: Figure

    def png(self) -> bytes:
        return figure_png(self.drawn)

    def svg(self) -> bytes:
        """SVG with letters as outlines, heads as PNG inside, and title and alternative text for screen readers."""
        packed = io.BytesIO()
        about = {"Date": None, "Creator": None, "Format": None, "Type": None}
        resolution = self.drawn.dpi
        with matplotlib.rc_context(_SVG), letters_of(self.drawn):
            FigureCanvasSVG(self.drawn).print_svg(
                packed, metadata=about | {"Title": self.title, "Description": self.alt}
            )
        self.drawn.set_dpi(resolution)  # the SVG canvas leaves its own
        return packed.getvalue()


def write_figure(figure: AtlasFigure, folder: str | Path) -> list[Path]:
    """Write ``<name>.png`` and ``<name>.svg`` into `folder`."""
    paths = [Path(folder) / f"{figure.name}{suffix}" for suffix in (".png", ".svg")]
    for path, content in zip(paths, (figure.png(), figure.svg()), strict=True):
        write_atomically(path, content)
    return paths


def figure_png(figure: Figure) -> bytes:
    """PNG of a figure, without a date."""
    packed = io.BytesIO()
    with letters_of(figure):
        FigureCanvasAgg(figure).print_png(packed, metadata={"Software": None})
    return packed.getvalue()


class Page:
    """A white page of `width` x `height` pixels; x to the right, y down; text is centred on y."""

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")

    def text(self, x: float, y: float, text: str, size: float = TEXT, **style: Any) -> None:
        style = {"color": INK, "va": "center", "ha": "left"} | style
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=size, **style)

    def head(self, title: str, lines: list[str]) -> None:
        """Title and, below it, the lines of the caption."""
        self.text(MARGIN, 24, title, TITLE, weight="bold")
        for i, line in enumerate(lines):
            self.text(MARGIN, 56 + 22 * i, line)

    def foot(self) -> None:
        self.text(MARGIN, self.height - 16, STATEMENT, SMALL, color=SOFT)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes over a box given by its upper left corner."""
        across, down = self.width, self.height
        return self.figure.add_axes((x / across, 1 - (y + height) / down, width / across, height / down))

    def picture(self, pixels: np.ndarray, x: float, y: float) -> Axes:
        """A picture (H, W, 3) uint8, one of its pixels to one of the page's; the axes' units are its pixels."""
        height, width = pixels.shape[:2]
        axes = self.axes(x, y, width, height)
        axes.imshow(pixels, extent=(0, width, height, 0), aspect="auto", interpolation="none")
        axes.set_axis_off()
        return axes

    def bar(self, x: float, y: float, width: float, scale: Scale) -> None:
        """A colour bar with its label below."""
        axes = self.axes(x, y, width, 16)
        mappable = ScalarMappable(Normalize(scale.low, scale.high), colormaps[scale.colour_map])
        bar = self.figure.colorbar(mappable, cax=axes, orientation="horizontal")
        signed = scale.low < 0
        bar.set_ticks([float(tick) for tick in np.linspace(scale.low, scale.high, 5 if signed else 3)])
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:+.3g}" if signed and value else f"{value:.3g}")
        bar.ax.tick_params(labelsize=SMALL, colors=INK)
        bar.set_label(scale.label, fontsize=TEXT, color=INK)
        bar.outline.set_visible(False)


def wrapped(text: str, width: float, size: float = TEXT) -> list[str]:
    """Lines of `text` that fit `width` pixels at `size` points."""
    return textwrap.wrap(text, max(12, int(width / (_LETTER * size * DPI / 72))))


def head_height(lines: list[str]) -> int:
    """Pixels that title and caption take."""
    return 56 + 22 * len(lines)


def tidy(axes: Axes, grid: str | None = None) -> None:
    """No frame, no tick marks, small labels, and a light grid along `grid`."""
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL, colors=INK, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
