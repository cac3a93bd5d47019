"""Panels of regions, organs and key points: each part's value in the reference group, how the others differ, all groups
as bars with intervals. The visual language is that of Emoface's region and organ analysis.

Colour is the value or the difference; a thick line round a part is p < 0.05 corrected for the family, a dashed one
q < 0.05. Differences and their p are those of `statistics.tsv`, so adjusted for covariates, where it has them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from scipy import stats

from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP, group_colours, symmetric_limit, upper_limit
from atlas.figures.face_map import PAPER, FaceMap, Parts, Shape, label_beside
from atlas.figures.overlays import SIGNIFICANT
from atlas.figures.page import GRID, INK, MARGIN, SMALL, TEXT, AtlasFigure, Page, Scale, head_height, tidy, wrapped
from atlas.figures.words import decimals, listed, people_word
from atlas.statistics.effect import Effect

TITLES = {"region": "Regions of the face", "organ": "Organs of the face", "keypoint": "Key points of the face"}
LABELLED = 12  # of many parts, those whose values stand beside the face: the largest
_FILL = 0.72  # opacity of a part on the face
_BARS, _GAP = 250, 26  # pixels

Values = Mapping[str, float]


def panels(
    table: BiomarkerTable,
    effects: Sequence[Effect],
    part_sets: Sequence[Parts],
    face: FaceMap,
    reference: str,
    *,
    simulated: bool,
) -> list[AtlasFigure]:
    """A panel for every family of regions, organs and key points whose places are those of one of `part_sets`."""
    families: dict[str, list[Quantity]] = {}
    for quantity in table.quantities:
        if quantity.level in TITLES:
            families.setdefault(quantity.family, []).append(quantity)
    out = []
    for family, quantities in families.items():
        places = {quantity.place for quantity in quantities}
        parts = next((p for p in part_sets if places == set(p.places)), None)
        if parts is not None:
            out.append(
                panel(family, quantities, table, effects, face.shapes(parts), face, reference, simulated=simulated)
            )
    return out


def panel(
    family: str,
    quantities: Sequence[Quantity],
    table: BiomarkerTable,
    effects: Sequence[Effect],
    shapes: Mapping[str, Shape],
    face: FaceMap,
    reference: str,
    *,
    simulated: bool,
) -> AtlasFigure:
    """One family of quantities, one for each place of `shapes`."""
    groups = [reference, *sorted(set(table.groups) - {reference})]
    counts = {group: table.groups.count(group) for group in groups}
    unit, level = quantities[0].unit, quantities[0].level
    names = {quantity.place: quantity.name for quantity in quantities}
    means = {group: _interval(table, group, names) for group in groups}
    known = {(e.name, e.contrast): e for e in effects}
    differences = {group: _differences(known, names, group, reference, means) for group in groups[1:]}
    sure = {
        group: {place: _sure(known.get((name, f"{group}-{reference}"))) for place, name in names.items()}
        for group in groups[1:]
    }
    limit = symmetric_limit(np.array(list(values.values())) for values in differences.values())
    scales = [Scale(SPREAD_MAP, 0.0, upper_limit([means[reference][:, 0]]), f"{unit} in {reference}")]
    tested = any((name, f"{group}-{reference}") in known for group in groups[1:] for name in names.values())
    if len(groups) > 1:
        more = f"{unit}{' points' if unit == '%' else ''} more in {listed(groups[1:], 'or')} than {reference}"
        scales.append(Scale(DIFFERENCE_MAP, -limit, limit, more))

    height, width = face.picture.shape[:2]
    across = max(2 * MARGIN + len(groups) * width + _GAP * (len(groups) - 1), 900)
    share = unit == "%"
    lines = wrapped(
        f"{_defined(quantities)}{_spelt_out(quantities)}{people_word(simulated).capitalize()}. "
        + ("Thick line: p < 0.05, corrected for the family; dashed: q < 0.05. " if tested else "")
        + f"Bars: mean of every group, 95 % interval over people{', dotted: all parts alike' if share else ''}.",
        across - 2 * MARGIN,
    )
    top = head_height(lines) + 44
    bars_top = top + height + 136
    upright = 7 * max(map(len, names)) if _wordy(list(names)) else 26
    page = Page(across, bars_top + _BARS + upright + 56)
    title = f"{TITLES[level]}: {family.replace('_', ' ')}"
    page.head(title, lines)
    left = (across - len(groups) * width - _GAP * (len(groups) - 1)) / 2
    for i, group in enumerate(groups):
        x = left + i * (width + _GAP)
        heading = f"{group}, n = {counts[group]}" if i == 0 else f"{group} − {reference}, n = {counts[group]}"
        page.text(x + width / 2, top - 18, heading, ha="center", weight="bold")
        axes = page.picture(face.picture, round(x), top)
        values = dict(zip(names, means[group][:, 0], strict=True)) if i == 0 else differences[group]
        _draw(axes, face, shapes, values, sure.get(group, {}), scales[min(i, 1)], level, signed=i > 0)
    for i, scale in enumerate(scales):
        start = left if i == 0 else left + width + _GAP
        room = width if i == 0 else (len(groups) - 1) * (width + _GAP) - _GAP
        page.bar(round(start + (room - min(room - 60, 420)) / 2), top + height + 16, min(room - 60, 420), scale)
    page.text(MARGIN, bars_top - 14, unit, SMALL)
    bars = page.axes(MARGIN + 44, bars_top, across - 2 * MARGIN - 44, _BARS)
    _bars(bars, list(names), means, group_colours(groups, reference), counts, share)
    page.foot()
    told = "; ".join(
        f"{group} against {reference}: {_largest(differences[group], sure[group], unit)}" for group in groups[1:]
    )
    alt = f"{title}, {unit}, {people_word(simulated)}. {reference}: {_most(names, means[reference], unit)}. {told}"
    return AtlasFigure(family.replace("_", "-"), title, alt, page.figure)


def _draw(
    axes: Axes,
    face: FaceMap,
    shapes: Mapping[str, Shape],
    values: Values,
    sure: Mapping[str, int],
    scale: Scale,
    level: str,
    *,
    signed: bool,
) -> None:
    """Parts in their colours on the face, with their values in or beside them."""
    values = {place: v for place, v in values.items() if np.isfinite(v) and shapes[place].lines}
    for place in sorted(values, key=lambda p: sure.get(p, 0)):  # lines of what is significant above the others
        shape, colour = shapes[place], scale(np.array(values[place]))
        style = {0: ("-", 0.9, "#8a8a8a"), 1: ("--", 1.8, INK), 2: ("-", 2.6, INK)}[sure.get(place, 0)]
        for line in shape.lines:
            if shape.filled:
                axes.add_patch(Polygon(line, facecolor=colour, alpha=_FILL, linewidth=0))
                line_style: dict[str, Any] = {"linestyle": style[0], "linewidth": style[1], "edgecolor": style[2]}
                axes.add_patch(Polygon(line, fill=False, **line_style))
            elif len(line) == 1:
                ring: dict[str, Any] = {"markeredgecolor": style[2], "markeredgewidth": style[1] * 0.7}
                axes.plot(*line.T, "o", markersize=7.5, color=colour, **ring)
            else:
                whole = np.vstack([line, line[:1]]) if shape.closed else line
                axes.plot(*whole.T, color=style[2], linewidth=6.5 + 2 * min(style[1], 1.6), solid_capstyle="round")
                axes.plot(*whole.T, color=colour, linewidth=6.5, solid_capstyle="round")
    for line in face.features if level == "region" else []:
        axes.plot(*line.T, color="#444444", linewidth=1.1)
    digits = decimals(scale.high)
    words = {place: f"{value:{'+z' if signed else 'z'}.{digits}f}" for place, value in values.items()}
    if len(shapes) <= 16 and all(shape.filled for shape in shapes.values()):
        for place, text in words.items():
            told = text if signed else f"{place}\n{text}"
            x, y = shapes[place].centre
            axes.text(x, y, told, fontsize=SMALL, color=INK, ha="center", va="center", bbox=PAPER)
        return
    shown = list(words)
    if len(shown) > LABELLED:
        shown = sorted(words, key=lambda p: (-sure.get(p, 0), -abs(values[p])))[:LABELLED]
    anchors = np.array([shapes[place].centre for place in shown])
    label_beside(axes, anchors, [f"{_short(place)} {words[place]}" for place in shown])


def _short(place: str) -> str:
    """A place's name beside the face, where its side is seen."""
    return place.removesuffix("_right").removesuffix("_left").replace("_", " ")


def _wordy(places: Sequence[str]) -> bool:
    """Whether the places' names must stand upright below bars."""
    return len(places) > 9 and max(map(len, places)) > 3


def _bars(
    axes: Axes,
    places: list[str],
    means: Mapping[str, np.ndarray],
    colours: Mapping[str, str],
    counts: Mapping[str, int],
    share: bool,
) -> None:
    """Groups beside each other at every place; points with intervals where there are too many for bars."""
    many, width = len(places) > 30, 0.8 / len(means)
    at = np.arange(len(places))
    for i, (group, found) in enumerate(means.items()):
        x = at + (i - (len(means) - 1) / 2) * width
        mean, low, high = found.T
        label = f"{group} (n = {counts[group]})"
        if many:
            axes.plot(x, mean, "o", markersize=3.2, color=colours[group], label=label)
        else:
            axes.bar(x, mean, width * 0.92, color=colours[group], label=label)
        axes.vlines(x, low, high, color=colours[group] if many else INK, linewidth=1.2)
    if share:
        axes.axhline(100 / len(places), color=INK, linewidth=1, linestyle=":")
    axes.set_xticks(at, [p.replace("_", " ") for p in places], fontsize=SMALL)
    tidy(axes, "y")
    axes.tick_params(axis="x", rotation=90 if many or _wordy(places) else 0, labelsize=7.5 if many else SMALL)
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.set_ylim(bottom=0)
    axes.axhline(0, color=GRID, linewidth=1)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1.01), ncols=len(means), frameon=False, fontsize=TEXT, labelcolor=INK
    )


def _interval(table: BiomarkerTable, group: str, names: Mapping[str, str]) -> np.ndarray:
    """(K, 3) mean and 95 % interval (Student) over a group's people; NaN bounds from fewer than two."""
    own = np.array(table.groups) == group
    values = np.stack([table.column(name)[own] for name in names.values()], 1)
    n = np.isfinite(values).sum(0)
    mean = np.array(
        [column[np.isfinite(column)].mean() if k else np.nan for column, k in zip(values.T, n, strict=True)]
    )
    sd = np.sqrt(np.where(np.isfinite(values), (values - mean) ** 2, 0).sum(0) / np.maximum(n - 1, 1))
    half = np.where(n > 1, stats.t.ppf(0.975, np.maximum(n - 1, 1)) * sd / np.sqrt(np.maximum(n, 1)), np.nan)
    return np.stack([mean, mean - half, mean + half], 1)


def _differences(
    known: Mapping[tuple[str, str], Effect],
    names: Mapping[str, str],
    group: str,
    reference: str,
    means: Mapping[str, np.ndarray],
) -> dict[str, float]:
    raw = means[group][:, 0] - means[reference][:, 0]
    found = (known.get((name, f"{group}-{reference}")) for name in names.values())
    return {p: float(r) if e is None else e.effect for p, e, r in zip(names, found, raw, strict=True)}


def _sure(effect: Effect | None) -> int:
    """2 : significant by the family-wise error; 1 : by the false discovery rate; 0 : neither, or not tested."""
    if effect is None:
        return 0
    return 2 if effect.p_fwe < SIGNIFICANT else int(effect.q_fdr < SIGNIFICANT)


def _defined(quantities: Sequence[Quantity]) -> str:
    """The family's definition as a sentence; nothing where every place has its own."""
    found = {quantity.definition for quantity in quantities}
    definition = found.pop()
    return "" if found else f"{definition[:1].upper()}{definition[1:]}. "


def _spelt_out(quantities: Sequence[Quantity]) -> str:
    """A sentence that says which places the abbreviations among them stand for; nothing where there are none."""
    short = [f"{q.place}: {q.label}" for q in quantities if q.level == "organ" and not q.place.islower()]
    return f"{'; '.join(short)}. " if short else ""


def _most(names: Mapping[str, str], means: np.ndarray, unit: str) -> str:
    order = np.argsort(-np.nan_to_num(means[:, 0]))[:3]
    places = list(names)
    return "most at " + ", ".join(f"{places[i]} {means[i, 0]:.2f} {unit}" for i in order)


def _largest(differences: Values, sure: Mapping[str, int], unit: str) -> str:
    order = sorted(differences, key=lambda place: -abs(differences[place]))[:3]
    significant = [place for place, how in sure.items() if how == 2]
    told = ", ".join(f"{place} {differences[place]:+.2f} {unit}" for place in order)
    return f"largest differences {told}; significant after correction: {listed(significant) if significant else 'none'}"
