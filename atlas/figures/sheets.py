"""Sheets for slides: groups of an atlas side by side with their scale, as PNG."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from atlas.figures.bars import sheet
from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP
from atlas.figures.heads import VIEWS
from atlas.figures.overlays import EXAGGERATION, AtlasPictures
from atlas.overlay import MOTION
from reconstruction.storage import write_atomically

SPREAD_LABEL = "mm from the group's mean (root mean square over people)"


def difference_label(pictures: AtlasPictures) -> str:
    """Unit and sign of the difference scale."""
    compared, reference = pictures.compared, pictures.atlas.reference
    group = compared[0] if len(compared) == 1 else "the group"
    return f"mm more motion in {group} than {reference}"


def write_sheets(pictures: AtlasPictures, out: str | Path) -> list[Path]:
    """Write ``standard-faces.png``, ``overlays.png``, ``spread.png`` and ``expressions.png`` below `out`."""
    files = {
        "standard-faces.png": standard_sheet(pictures, pictures.atlas.groups),
        "overlays.png": overlay_sheet(pictures, pictures.compared),
        "spread.png": spread_sheet(pictures, pictures.atlas.groups),
        "expressions.png": expression_sheet(pictures, pictures.atlas.groups),
    }
    for name, content in files.items():
        write_atomically(Path(out) / name, content)
    return [Path(out) / name for name in files]


def standard_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> bytes:
    """PNG: standard faces from three sides, a row each."""
    return sheet(
        list(VIEWS),
        _rows(pictures, groups, pictures.standard),
        "Standard faces",
        f"Mean identity with mean expression over all stimuli, not exaggerated; n {_who(pictures)}, equally weighted.",
    )


def overlay_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> bytes:
    """PNG: motion relative to the reference group, or of the reference group itself where it alone is asked for."""
    atlas, limit = pictures.atlas, pictures.difference_limit_mm
    if list(groups) == [atlas.reference]:
        return sheet(
            list(VIEWS),
            _rows(pictures, groups, pictures.motion),
            f"Facial motion of {atlas.reference}",
            f"Root mean squared distance from the mean place; n {_who(pictures)}. The others are compared with it.",
            (SPREAD_MAP, 0.0, pictures.motion_limit_mm, f"mm of motion in {atlas.reference}"),
        )
    return sheet(
        list(VIEWS),
        _rows(pictures, groups, pictures.difference),
        f"Facial motion relative to {atlas.reference}",
        f"n {_who(pictures)}. Line: the {atlas.overlays[atlas.reference][MOTION].level:.0%} interval leaves out zero, "
        "each vertex by itself.",
        (DIFFERENCE_MAP, -limit, limit, difference_label(pictures)),
    )


def spread_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> bytes:
    """PNG: how far apart the mean expressions of a group's people are."""
    return sheet(
        list(VIEWS),
        _rows(pictures, groups, lambda group, view: pictures.spread(group, "motion", view)),
        "Spread of mean expression over people",
        f"Distance of a person's mean expression from the group's; n {_who(pictures)}.",
        (SPREAD_MAP, 0.0, pictures.spread_limit_mm["motion"], SPREAD_LABEL),
    )


def expression_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> bytes:
    """PNG: mean expressions before every stimulus beside the face without expression."""
    atlas = pictures.atlas
    return sheet(
        ["no expression", *atlas.stimuli],
        {
            _heading(pictures, group): [
                pictures.neutral(atlas.reference),
                *(pictures.expressive(group, stimulus) for stimulus in atlas.stimuli),
            ]
            for group in groups
        },
        f"Mean expression before each stimulus, exaggerated {EXAGGERATION:g} times",
        f"All on the mean identity of {atlas.reference}; n {_who(pictures)}.",
    )


def _rows(
    pictures: AtlasPictures, groups: Sequence[str], draw: Callable[[str, str], np.ndarray]
) -> dict[str, list[np.ndarray | None]]:
    return {_heading(pictures, group): [draw(group, view) for view in VIEWS] for group in groups}


def _heading(pictures: AtlasPictures, group: str) -> str:
    return f"{group}\nn = {pictures.atlas.standard_faces[group][None].people}"


def _who(pictures: AtlasPictures) -> str:
    return "simulated people" if pictures.atlas.simulated else "people"
