"""Sheets: groups of an atlas side by side with their scales, what is sure and what is not, and the spread beside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP
from atlas.figures.heads import HATCH, VIEWS
from atlas.figures.overlays import EXAGGERATION, SIGNIFICANT, AtlasPictures
from atlas.figures.page import INK, MARGIN, SMALL, AtlasFigure, Page, Scale, head_height, wrapped
from atlas.figures.words import how_sure, listed, people_word, where
from atlas.overlay import KINDS, MOTION

SPREAD_LABEL = "mm from the group's mean (root mean square over people)"
TITLES = {MOTION: "Facial motion relative to {}", "outward": "Mean expression relative to {}"}
NAMES = {MOTION: "overlays-motion", "outward": "overlays-outward"}
_REDUCED = 0.62
_LABEL, _GAP, _NOTE, _KEY_WIDTH = 118, 84, 24, 1120  # pixels: left of pictures, for a bar, for words under one, a key

Row = Sequence[np.ndarray | None]


def difference_label(pictures: AtlasPictures, kind: str = MOTION) -> str:
    """Unit and sign of the difference scale."""
    compared, reference = pictures.compared, pictures.atlas.reference
    groups = listed(compared, "or") if 1 <= len(compared) <= 3 else "the group"
    return f"mm more motion in {groups} than {reference}" if kind == MOTION else outward_label(groups, reference)


def outward_label(groups: str, reference: str) -> str:
    return f"mm outward in {groups} relative to {reference}"


def atlas_sheets(pictures: AtlasPictures) -> list[AtlasFigure]:
    """Every sheet of all groups."""
    groups, compared = pictures.atlas.groups, pictures.compared
    return [
        standard_sheet(pictures, groups),
        *(overlay_sheet(pictures, compared, kind) for kind in KINDS if compared),
        spread_sheet(pictures, groups),
        expression_sheet(pictures, groups),
        *([stimulus_sheet(pictures)] if compared else []),
    ]


def standard_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> AtlasFigure:
    """Standard faces from three sides, a row each, with the spread of the mean expression beside."""
    return sheet(
        "standard-faces",
        "Standard faces",
        f"Mean identity with mean expression over all stimuli, not exaggerated; {_who(pictures)}, equally weighted. "
        "Right: spread of mean expression over people.",
        [*VIEWS, "spread"],
        {
            _heading(pictures, group): [
                *(pictures.standard(group, view) for view in VIEWS), pictures.spread(group, "motion"),
            ]
            for group in groups
        },
        [Scale(SPREAD_MAP, 0.0, pictures.spread_limit_mm["motion"], SPREAD_LABEL)],
        alt=f"Standard faces of {_told(pictures, groups)}, {_who(pictures)}: from the front, three-quarter and in "
        "profile, with the spread over people, whose root mean square over the face is "
        + _each(groups, lambda group: f"{pictures.spread_mm(group, None):.2f} mm"),
    )  # fmt: skip


def overlay_sheet(pictures: AtlasPictures, groups: Sequence[str], kind: str = MOTION) -> AtlasFigure:
    """Groups relative to the reference group, or the reference group's own motion where it alone is asked for."""
    atlas, limit = pictures.atlas, pictures.limits_mm[kind]
    if list(groups) == [atlas.reference]:
        return sheet(
            "overlays-reference",
            f"Facial motion of {atlas.reference}",
            f"Root mean squared distance from the mean place; {_who(pictures)}. The others are compared with it.",
            list(VIEWS),
            {_heading(pictures, group): [pictures.motion(group, view) for view in VIEWS] for group in groups},
            [Scale(SPREAD_MAP, 0.0, pictures.motion_limit_mm, f"mm of motion in {atlas.reference}")],
            alt=f"Mean motion of {atlas.reference}, {_who(pictures)}: {where(pictures, atlas.reference)}",
        )
    what = (
        "How far every point moves about its mean place"
        if kind == MOTION
        else "How far the mean expression lies along the outward normal, beyond the face without expression"
    )
    known = kind in pictures.reliability
    trust = "" if known else " How reliable it is at every place is not known for these recordings."
    return sheet(
        NAMES[kind],
        TITLES[kind].format(atlas.reference),
        f"{what}; {_who(pictures)}. Shape: standard face, not exaggerated. Right: standard deviation over the group's "
        f"people.{trust}",
        [*VIEWS, "spread over people"],
        {
            _heading(pictures, group): [
                *(pictures.difference(group, view, kind) for view in VIEWS), pictures.deviation(group, "front", kind),
            ]
            for group in groups
        },
        [
            Scale(DIFFERENCE_MAP, -limit, limit, difference_label(pictures, kind)),
            Scale(SPREAD_MAP, 0.0, pictures.sd_limits_mm[kind], "mm, standard deviation over people"),
        ],
        key=known,
        alt=f"Standard faces of {_told(pictures, groups)}, {_who(pictures)}, coloured by "
        f"{difference_label(pictures, kind)}; "
        + _each(groups, lambda g: f"{where(pictures, g, kind)}, {how_sure(pictures, g, kind)}"),
    )  # fmt: skip


def spread_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> AtlasFigure:
    """How far apart the mean expressions of a group's people are."""
    return sheet(
        "spread",
        "Spread of mean expression over people",
        f"Distance of a person's mean expression from the group's; {_who(pictures)}.",
        list(VIEWS),
        {_heading(pictures, group): [pictures.spread(group, "motion", view) for view in VIEWS] for group in groups},
        [Scale(SPREAD_MAP, 0.0, pictures.spread_limit_mm["motion"], SPREAD_LABEL)],
        alt=f"Spread of mean expression within {_told(pictures, groups)}, {_who(pictures)}; root mean square over the "
        "face " + _each(groups, lambda group: f"{pictures.spread_mm(group, None):.2f} mm"),
    )


def expression_sheet(pictures: AtlasPictures, groups: Sequence[str]) -> AtlasFigure:
    """Mean expressions before every stimulus beside the face without expression."""
    atlas, reference = pictures.atlas, pictures.atlas.reference
    spreads = {g: [None, *(pictures.spread_mm(g, s) for s in atlas.stimuli)] for g in groups}
    return sheet(
        "expressions",
        f"Mean expression before each stimulus, exaggerated {EXAGGERATION:g} times",
        f"All on the mean identity of {reference}; {_who(pictures)}. Below: the exaggeration, and the spread of "
        "mean expression over people (root mean square over the face, not exaggerated).",
        ["no expression", *atlas.stimuli],
        {
            _heading(pictures, group): [
                smaller(picture)
                for picture in (pictures.neutral(reference), *(pictures.expressive(group, s) for s in atlas.stimuli))
            ]
            for group in groups
        },
        notes={_heading(pictures, g): [_exaggerated(spread) for spread in row] for g, row in spreads.items()},
        alt=f"Mean expression of {_told(pictures, groups)}, {_who(pictures)}, before {listed(list(atlas.stimuli))}, "
        f"exaggerated {EXAGGERATION:g} times",
    )  # fmt: skip


def stimulus_sheet(pictures: AtlasPictures) -> AtlasFigure:
    """Standard faces of all groups before every stimulus, and how far each lies outward of the reference group's."""
    atlas, limit = pictures.atlas, pictures.stimulus_limit_mm
    rows: dict[str, Row] = {}
    notes: dict[str, list[str]] = {}
    for group in (atlas.reference, *pictures.compared):
        faces = [pictures.expressive(group, s) for s in atlas.stimuli]
        against = [None if group == atlas.reference else pictures.stimulus_difference(group, s) for s in atlas.stimuli]
        rows[_heading(pictures, group)] = [smaller(p) for pair in zip(faces, against, strict=True) for p in pair]
        spreads = [_exaggerated(pictures.spread_mm(group, s)) for s in atlas.stimuli]
        notes[_heading(pictures, group)] = [
            n for s, d in zip(spreads, against, strict=True) for n in (s, "" if d is None else f"× {EXAGGERATION:g}")
        ]
    told = []
    for group in pictures.compared:
        found = ((s, pictures.stimulus_difference_mm(group, s)) for s in atlas.stimuli)
        sizes = {s: float(np.abs(d[pictures.seen]).max()) for s, d in found if d is not None}
        told.append(f"{group} differs most before {max(sizes, key=lambda s: sizes[s])} ({max(sizes.values()):.2f} mm)")
    return sheet(
        "stimuli",
        f"Standard faces before each stimulus, expression exaggerated {EXAGGERATION:g} times",
        f"All on the mean identity of {atlas.reference}; {_who(pictures)}. Colour: the difference as it is, not "
        "exaggerated and not tested stimulus by stimulus. Below a face: the exaggeration, and the spread of mean "
        "expression over people (root mean square over the face, not exaggerated).",
        [heading for s in atlas.stimuli for heading in (s, f"against {atlas.reference}")],
        rows,
        [Scale(DIFFERENCE_MAP, -limit, limit, difference_label(pictures, "outward"))],
        notes=notes,
        alt=f"Standard faces of {_told(pictures, atlas.groups)}, {_who(pictures)}, before "
        f"{listed(list(atlas.stimuli))}, exaggerated {EXAGGERATION:g} times; {'; '.join(told)}",
    )


def sheet(
    name: str,
    title: str,
    caption: str,
    columns: Sequence[str],
    rows: Mapping[str, Row],
    scales: Sequence[Scale] = (),
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
    key: bool | None = None,
    alt: str,
) -> AtlasFigure:
    """Pictures in a table with a title, a caption, colour bars and the statement.

    columns : headings; rows : {heading: one picture a column, None for an empty place}; notes : words below them
    key : explain lines and, where True, stripes; None : there are none
    """
    tallest = [max((p.shape[0] for p in row if p is not None), default=1) for row in rows.values()]
    told = list(zip(*(notes or {}).values(), strict=True)) or [()] * len(columns)
    widest = [
        max([p.shape[1] for p in column if p is not None] + [9 * len(heading)] + [8 * len(note) for note in words])
        for heading, column, words in zip(columns, zip(*rows.values(), strict=True), told, strict=True)
    ]
    width = max(_LABEL + sum(widest) + MARGIN, 16 * len(title), _KEY_WIDTH if key else 640)
    lines = wrapped(caption, width - 2 * MARGIN)
    note = _NOTE if notes else 0
    top = head_height(lines) + 40
    bars = top + sum(tallest) + note * len(rows) + 14
    page = Page(width, bars + (_GAP if scales else 0) + (0 if key is None else 28) + 40)
    page.head(title, lines)
    for i, heading in enumerate(columns):
        page.text(_LABEL + sum(widest[:i]) + widest[i] / 2, top - 18, heading, ha="center")
    for (heading, row), high in zip(rows.items(), tallest, strict=True):
        page.text(MARGIN, top + high / 2, heading, weight="bold")
        for i, picture in enumerate(row):
            if picture is not None:
                left = _LABEL + sum(widest[:i])
                page.picture(picture, left + (widest[i] - picture.shape[1]) // 2, top + (high - picture.shape[0]) // 2)
                if notes:
                    page.text(left + widest[i] / 2, top + high + 10, notes[heading][i], SMALL, ha="center")
        top += high + note
    each = (width - _LABEL - MARGIN) / max(1, len(scales))
    for i, scale in enumerate(scales):
        size = min(440, each - 40)
        page.bar(round(_LABEL + each * i + (each - size) / 2), bars, round(size), scale)
    if key is not None:
        _key(page, bars + _GAP + 8, stripes=key)
    page.foot()
    return AtlasFigure(name, title, alt, page.figure)


def _key(page: Page, y: float, stripes: bool) -> None:
    """What lines and stripes mean."""
    x, grey = float(MARGIN), "#{:02x}{:02x}{:02x}".format(*HATCH)
    entries: list[tuple[Any, str]] = [
        ("-", f"p < {SIGNIFICANT:g}, corrected for all vertices (family-wise)"),
        ("--", f"q < {SIGNIFICANT:g} (false discovery rate)"),
        *([("/", "grey stripes: less than half of the variance is recovered")] if stripes else []),
    ]
    for mark, words in entries:
        places = [x / page.width, (x + 34) / page.width], 1 - y / page.height
        if mark == "/":
            box = Rectangle(
                (places[0][0], places[1] - 8 / page.height), 34 / page.width, 16 / page.height,
                facecolor="white", edgecolor=grey, hatch="////", linewidth=0.8,
            )  # fmt: skip
            page.figure.add_artist(box)
        else:
            line = Line2D(places[0], [places[1]] * 2, color=INK, linestyle=mark, linewidth=2.2 if mark == "-" else 1.4)
            page.figure.add_artist(line)
        page.text(x + 42, y, words, SMALL)
        x += 42 + 7.6 * len(words) + 26


def _exaggerated(spread: float | None) -> str:
    return "" if spread is None else f"× {EXAGGERATION:g}, spread {spread:.2f} mm"


def smaller(picture: np.ndarray | None) -> np.ndarray | None:
    """A picture at `_REDUCED` of its size, for sheets with many."""
    if picture is None:
        return None
    size = round(_REDUCED * picture.shape[1]), round(_REDUCED * picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def _each(groups: Sequence[str], say: Callable[[str], str]) -> str:
    return "; ".join(f"{group}: {say(group)}" for group in groups)


def _heading(pictures: AtlasPictures, group: str) -> str:
    return f"{group}\nn = {pictures.atlas.standard_faces[group][None].people}"


def _told(pictures: AtlasPictures, groups: Sequence[str]) -> str:
    return listed([f"{group} (n = {pictures.atlas.standard_faces[group][None].people})" for group in groups])


def _who(pictures: AtlasPictures) -> str:
    return people_word(pictures.atlas.simulated)
