"""Pictures of an atlas: standard faces, biomarker overlays, spread; with their scales, the same bytes every time."""

from atlas.figures.heads import VIEWS, HeadPainter, png
from atlas.figures.overlays import AtlasPictures
from atlas.figures.sheets import write_sheets

__all__ = ["VIEWS", "AtlasPictures", "HeadPainter", "png", "write_sheets"]
