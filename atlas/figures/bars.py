"""Colour bars alone, for pages that lay their pictures out themselves."""

from matplotlib.figure import Figure

from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP
from atlas.figures.page import DPI, Page, Scale, figure_png


def difference_bar(limit: float, label: str) -> bytes:
    """PNG of the bar for differences from -limit to +limit; label says unit and sign."""
    return _bar(Scale(DIFFERENCE_MAP, -limit, limit, label))


def spread_bar(limit: float, label: str) -> bytes:
    """PNG of the bar from 0 to limit."""
    return _bar(Scale(SPREAD_MAP, 0.0, limit, label))


def _bar(scale: Scale) -> bytes:
    page = Page(506, 86)
    page.bar(30, 8, 446, scale)
    figure: Figure = page.figure
    figure.set_dpi(2 * DPI)
    return figure_png(figure)
