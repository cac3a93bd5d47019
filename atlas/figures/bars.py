"""Colour bars alone, for pages that lay their pictures out themselves."""

from dataclasses import replace

from matplotlib.figure import Figure

from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP
from atlas.figures.page import DPI, Page, Scale, figure_png, wrapped


def difference_bar(limit: float, label: str) -> bytes:
    """PNG of the bar for differences from -limit to +limit; label says unit and sign."""
    return _bar(Scale(DIFFERENCE_MAP, -limit, limit, label))


def spread_bar(limit: float, label: str) -> bytes:
    """PNG of the bar from 0 to limit."""
    return _bar(Scale(SPREAD_MAP, 0.0, limit, label))


def _bar(scale: Scale) -> bytes:
    lines = wrapped(scale.label, 430)  # narrower than the picture: letters differ
    page = Page(506, 66 + 20 * len(lines))
    page.bar(30, 8, 446, replace(scale, label="\n".join(lines)))
    figure: Figure = page.figure
    figure.set_dpi(2 * DPI)
    return figure_png(figure)
