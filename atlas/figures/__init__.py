"""Pictures of an atlas: standard faces, biomarker overlays, spread; with their scales, the same bytes every time."""

from atlas.figures.collection import atlas_figures
from atlas.figures.heads import VIEWS, HeadPainter, png
from atlas.figures.overlays import AtlasPictures
from atlas.figures.page import AtlasFigure, write_figure

__all__ = [
    "VIEWS",
    "AtlasFigure",
    "AtlasPictures",
    "HeadPainter",
    "atlas_figures",
    "png",
    "write_figure",
]
