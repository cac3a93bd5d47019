"""An atlas's pictures as data URIs with words for those who cannot see them."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atlas.figures import VIEWS, AtlasPictures, png
from atlas.figures.bars import difference_bar, spread_bar
from atlas.figures.overlays import EXAGGERATION
from atlas.figures.sheets import SPREAD_LABEL, difference_label
from atlas.figures.words import PLACES
from atlas.overlay import MOTION
from atlas.report.words import number, signed
from reconstruction.errors import InputError

Content = bytes | str | Path  # of a figure: a PNG or SVG file's bytes, or where it lies
SHOWN_ANYWAY = ("standard-faces", "overlays-motion", "spread", "expressions")  # figures that the page draws itself
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A picture in the page: `uri` holds the PNG, `alt` says what it shows."""

    uri: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class ShownFigure:
    """A finished figure with the words that stand below it."""

    name: str
    uri: str
    words: str


def figure_of(name: str, content: Content, words: str) -> ShownFigure:
    """A figure for the page.

    Raises
    ------
    InputError
        It cannot be read, or is neither PNG nor SVG.
    """
    try:
        data = content if isinstance(content, bytes) else Path(content).read_bytes()
    except OSError as error:
        raise InputError(f"expected the figure {name} for the report, but it cannot be read; draw it anew.") from error
    if not data.startswith(_PNG) and b"<svg" not in data[:2000]:
        raise InputError(f"expected the figure {name} as PNG or SVG, but it is neither; give one of these.")
    return ShownFigure(name, data_uri(data), words)


def picture(pixels: np.ndarray, alt: str) -> Picture:
    """A picture (H, W, 3) uint8 for the page."""
    return Picture(data_uri(png(pixels)), alt, pixels.shape[1], pixels.shape[0])


def data_uri(content: bytes) -> str:
    """A PNG or SVG file's content as a data URI."""
    kind = "svg+xml" if b"<svg" in content[:2000] else "png"
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def atlas_pictures(drawn: AtlasPictures) -> dict[str, Any]:
    """Everything drawn in the report, by section and group."""
    atlas = drawn.atlas
    kind = "simulated people" if atlas.simulated else "people"

    def views(draw: Any, group: str, told: str) -> list[Picture]:
        return [picture(draw(group, view), f"{told}, {view}") for view in VIEWS]

    groups = {}
    for group in atlas.groups:
        face = atlas.standard_faces[group][None]
        who = f"{group}, {face.people} {kind}"
        if group == atlas.reference:
            overlay = views(drawn.motion, group, f"Mean motion of {who}: {_where(drawn, group)}")
        else:
            overlay = views(
                drawn.difference, group, f"Motion of {who} against {atlas.reference}: {_where(drawn, group)}"
            )
        groups[group] = {
            "people": face.people,
            "standard": views(drawn.standard, group, f"Standard face of {who}"),
            "overlay": overlay,
            "where": _where(drawn, group),
            "spread_motion": picture(drawn.spread(group, "motion"), f"Spread of mean expression within {who}"),
            "spread_shape": picture(drawn.spread(group, "shape"), f"Spread of identity within {who}"),
        }
    stimuli = list(atlas.stimuli)
    expressions = {
        group: [
            picture(pixels, f"Mean expression of {group} before {stimulus}, exaggerated {EXAGGERATION:g} times")
            if (pixels := drawn.expressive(group, stimulus)) is not None
            else None
            for stimulus in stimuli
        ]
        for group in atlas.groups
    }
    limits = drawn.spread_limit_mm
    return {
        "groups": groups,
        "stimuli": stimuli,
        "expressions": expressions,
        "neutral": picture(drawn.neutral(atlas.reference), f"Mean identity of {atlas.reference} without expression"),
        "exaggeration": f"{EXAGGERATION:g}",
        "difference_limit": f"{drawn.difference_limit_mm:g}",
        "difference_label": difference_label(drawn),
        "difference_bar": data_uri(difference_bar(drawn.difference_limit_mm, difference_label(drawn))),
        "motion_limit": f"{drawn.motion_limit_mm:g}",
        "motion_bar": data_uri(spread_bar(drawn.motion_limit_mm, f"mm of motion in {atlas.reference}")),
        "spread_limits": {key: f"{value:g}" for key, value in limits.items()},
        "spread_motion_bar": data_uri(spread_bar(limits["motion"], SPREAD_LABEL)),
        "spread_shape_bar": data_uri(spread_bar(limits["shape"], SPREAD_LABEL)),
    }


def _where(drawn: AtlasPictures, group: str) -> str:
    """A group's map in words: mean over the landmarks of each place, mm."""
    atlas, template = drawn.atlas, drawn.template
    overlay = atlas.overlays[group][MOTION]
    reference = group == atlas.reference
    values = overlay.mean_mm if reference else overlay.difference_mm
    points = (values[template.landmarks68.triangles] * template.landmarks68.barycentric).sum(1)
    write = number if reference else signed
    told = [f"{place} {write(float(points[ids].mean()))}" for ids, place in PLACES]
    return ", ".join(told) + " mm"
