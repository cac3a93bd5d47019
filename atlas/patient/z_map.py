"""A person's z-map: how far every point of the face is from the norm, drawn on the template or on their own shape."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_hex

from atlas.biomarkers.vertex_reliability import vertex_reliability
from atlas.figures.colours import difference_colours, on_surface
from atlas.figures.heads import HeadPainter
from atlas.figures.overlays import TRUSTED
from atlas.figures.words import PLACES
from atlas.motion import MotionSpace, face_mask
from atlas.norm import FARTHEST
from atlas.report.pictures import Picture, picture
from atlas.report.words import signed
from atlas.standing import Standing
from reconstruction.template import Template

LIMIT = 3.0  # of the colours; every page has the same
VIEWS = ("front", "three-quarter")
KINDS = {  # in words, and what the signs mean
    "motion": ("How much it moves", "red more, blue less than the norm"),
    "outward": ("Where it lies on average", "red farther outward, blue farther inward than the norm"),
}


def z_pictures(
    standing: Standing, template: Template, space: MotionSpace, stage: str, shape: np.ndarray | None, height: int = 360
) -> Mapping[str, list[Picture]]:
    """{kind: pictures from `VIEWS`}: colour is z up to `LIMIT`, a line runs where |z| passes `FARTHEST`, grey stripes
    cover what the fit recovers too poorly to be read.

    stage : of the recordings, for the stripes
    shape : (S,) the person's own, to draw it on; the template's mean head where it is None
    """
    vertices = template.v_template if shape is None else template.v_template + template.shapedirs @ shape
    seen = face_mask(template)
    painter, reliability = HeadPainter(template, height), vertex_reliability(template, space, stage)
    out = {}
    for kind, (title, _) in KINDS.items():
        z = np.where(seen, standing.motion if kind == "motion" else standing.outward, 0)
        colours = on_surface(template, difference_colours(z, LIMIT))
        line = np.clip(np.abs(z) / (2 * FARTHEST), 0, 1)
        known = reliability.get(kind)
        stripes = None
        if known is not None:
            stripes = np.where(seen, np.clip(0.5 + 5 * (TRUSTED - np.nan_to_num(known, nan=1.0)), 0, 1), 0)
        told = f"{title}: z {places_told(z, template)}"
        out[kind] = [
            picture(
                painter.draw(vertices.astype(np.float32), colours, view, outline=line, hatched=stripes),
                f"{told}, {view}",
            )
            for view in VIEWS
        ]
    return out


def places_told(z: np.ndarray, template: Template) -> str:
    """A map in words: mean z over the landmarks of each place."""
    points = (z[template.landmarks68.triangles] * template.landmarks68.barycentric).sum(1)
    return ", ".join(f"{place} {signed(float(points[own].mean()), 1)}" for own, place in PLACES)


def z_colours(number: int = 41) -> list[str]:
    """Colours from -`LIMIT` to `LIMIT`, for a bar."""
    return [to_hex(rgb / 255) for rgb in difference_colours(np.linspace(-LIMIT, LIMIT, number), LIMIT)]
