"""Forest plots: standardised effects of every contrast with their intervals, what is significant, how reliable it is.

The interval of `effect` is brought to the scale of `d` by the same factor as the effect itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from atlas.figures.overlays import SIGNIFICANT
from atlas.figures.page import INK, MARGIN, SMALL, SOFT, TEXT, AtlasFigure, Page, head_height, tidy, wrapped
from atlas.figures.words import decimals, listed, people_word
from atlas.statistics.effect import Effect

SHOWN = 24  # rows: those with the largest effect in any contrast
MORE, LESS, NEITHER = "#b2182b", "#2166ac", "#9a9a9a"  # the ends of RdBu_r, as in overlays; grey: not significant
_ROW, _COLUMN, _NUMBERS, _RELIABILITY = 27, 330, 150, 130  # pixels
_LETTER = 8  # pixels of a quantity's name
_RECOVERED = " Reliability: correlation with the truth, by the template's calibration."
_MARKERS = {2: "s", 1: "D", 0: "o"}


def forest(
    name: str,
    title: str,
    effects: Sequence[Effect],
    labels: Mapping[str, str],
    *,
    simulated: bool,
    shown: int = SHOWN,
) -> AtlasFigure:
    """A row a quantity, sorted by its largest effect; a column a contrast; reliability at the right.

    effects : of quantities that are compared by the same contrasts; vertex clusters, which have no `d`, are left out
    labels : {name of a quantity: a few words}
    """
    known = {(e.name, e.contrast): e for e in effects if np.isfinite(e.d)}
    contrasts = list(dict.fromkeys(contrast for _, contrast in known))
    sizes: dict[str, float] = {}
    for (quantity, _), effect in known.items():
        sizes[quantity] = max(sizes.get(quantity, 0.0), abs(effect.d))
    rows = sorted(sizes, key=lambda quantity: (-sizes[quantity], quantity))
    chosen = rows[:shown]
    names = max(160, 20 + _LETTER * max((len(labels.get(quantity, quantity)) for quantity in chosen), default=0))
    reliabilities = [_reliability(known, quantity) for quantity in chosen]
    recovered = bool(np.isfinite(reliabilities).any())  # parameters that no fit gave have no reliability
    width = 2 * MARGIN + names + (_COLUMN + _NUMBERS) * len(contrasts) + (_RELIABILITY if recovered else 0)
    score = all(e.n_b == 0 for e in known.values())
    scale = "partial correlation" if score else "Hedges' g"
    left_out = f"; the {len(chosen)} largest of {len(rows)}" if len(chosen) < len(rows) else ""
    lines = wrapped(
        f"{scale}, with 95 % interval over people; {people_word(simulated)}{left_out}. Beside it the effect "
        f"in its unit.{_RECOVERED if recovered else ''}",
        width - 2 * MARGIN,
    )
    top = head_height(lines) + 64
    height = _ROW * len(chosen)
    page = Page(width, top + height + 130)
    page.head(title, lines)
    y = [top + _ROW * (i + 0.5) for i in range(len(chosen))]
    for at, quantity in zip(y, chosen, strict=True):
        page.text(MARGIN + names - 10, at, labels.get(quantity, quantity), SMALL + 0.5, ha="right")
    bounds = np.array([_bounds(e) for (q, _), e in known.items() if q in chosen], float)
    largest: dict[str, float] = {}
    for effect in known.values():
        largest[effect.unit] = max(largest.get(effect.unit, 0.0), abs(effect.effect))
    known_bounds = bounds[np.isfinite(bounds)]
    reach = 1.08 * float(np.abs(known_bounds).max(initial=0)) or 1.0
    for i, contrast in enumerate(contrasts):
        x = MARGIN + names + i * (_COLUMN + _NUMBERS)
        axes = page.axes(x, top, _COLUMN, height)
        own = [known.get((quantity, contrast)) for quantity in chosen]
        _column(axes, own, reach, scale)
        page.text(x + _COLUMN / 2, top - 40, _heading(contrast, own), ha="center", weight="bold")
        page.text(x + _COLUMN / 2, top - 18, _directions(contrast, score), SMALL, color=SOFT, ha="center")
        for at, found in zip(y, own, strict=True):
            if found is not None:
                bold = "bold" if _sure(found) == 2 else "normal"
                digits = decimals(largest[found.unit])
                unit = found.unit.removesuffix(" 0 to 5")
                page.text(x + _COLUMN + 10, at, f"{found.effect:+z.{digits}f} {unit}", SMALL, weight=bold)
    if recovered:
        _reliabilities(page, width - MARGIN - _RELIABILITY + 10, top, y, reliabilities)
    _key(
        page,
        top + height + 78,
        "red: rises, blue: falls with it" if score else "red: more, blue: less than the second group",
    )
    page.foot()
    return AtlasFigure(
        name, title, f"{title}, {scale}, {people_word(simulated)}. {_told(known, contrasts)}", page.figure
    )


def _reliability(known: Mapping[tuple[str, str], Effect], quantity: str) -> float:
    """Reliability of a quantity, NaN where unknown."""
    return next((e.reliability for (q, _), e in known.items() if q == quantity), float("nan"))


def _column(axes: Axes, effects: Sequence[Effect | None], reach: float, scale: str) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    for i, effect in enumerate(effects):
        if i % 2:
            axes.axhspan(i - 0.5, i + 0.5, color="#f5f5f5", zorder=0)
        if effect is None:
            continue
        sure, (low, high) = _sure(effect), _bounds(effect)
        colour = NEITHER if sure == 0 else (MORE if effect.d > 0 else LESS)
        axes.hlines(i, low, high, color=colour, linewidth=2.2)
        axes.plot(effect.d, i, **_mark(sure, colour))
    axes.set_ylim(len(effects) - 0.5, -0.5)
    axes.set_xlim(-reach, reach)
    axes.set_yticks([])
    tidy(axes, "x")
    axes.set_xlabel(scale, fontsize=TEXT, color=INK)


def _reliabilities(page: Page, x: float, top: float, y: Sequence[float], values: Sequence[float]) -> None:
    page.text(x + 50, top - 18, "reliability r", SMALL, color=SOFT, ha="center")
    axes = page.axes(x, top, 60, _ROW * len(values))
    shown = np.nan_to_num(np.clip(values, 0, 1))
    axes.barh(np.arange(len(values)), np.ones(len(values)), height=0.42, color="#eeeeee")
    axes.barh(np.arange(len(values)), shown, height=0.42, color="#555555")
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_axis_off()
    for at, value in zip(y, values, strict=True):
        page.text(x + 68, at, f"{value:.2f}" if np.isfinite(value) else "–", SMALL)


def _key(page: Page, y: float, colours: str) -> None:
    x = float(MARGIN + 8)
    entries = (
        (2, f"p < {SIGNIFICANT:g}, corrected for the family"), (1, f"q < {SIGNIFICANT:g} (false discovery rate)"),
        (0, "neither"),
    )  # fmt: skip
    for sure, words in entries:
        colour = INK if sure else NEITHER
        mark = Line2D([x / page.width], [1 - y / page.height], linestyle="", **_mark(sure, colour))
        page.figure.add_artist(mark)
        page.text(x + 14, y, words, SMALL)
        x += 14 + 7.6 * len(words) + 34
    if x + 7.6 * len(colours) > page.width - MARGIN:
        x, y = float(MARGIN), y + 18
    page.text(x, y, colours, SMALL)


def _mark(sure: int, colour: str) -> dict[str, Any]:
    """A square, filled, where p_fwe is small; a diamond where q is; else a circle."""
    return {
        "marker": _MARKERS[sure],
        "markersize": 8,
        "color": colour if sure == 2 else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 1.8,
    }


def _bounds(effect: Effect) -> tuple[float, float]:
    """The effect's interval on the scale of d."""
    if effect.effect == 0:
        return float("nan"), float("nan")
    factor = effect.d / effect.effect
    low, high = sorted((effect.low * factor, effect.high * factor))
    return low, high


def _sure(effect: Effect) -> int:
    return 2 if effect.p_fwe < SIGNIFICANT else int(effect.q_fdr < SIGNIFICANT)


def _heading(contrast: str, effects: Sequence[Effect | None]) -> str:
    found = next(effect for effect in effects if effect is not None)
    if found.n_b == 0:
        return f"{contrast} (n = {found.n_a})"
    return f"{contrast.replace('-', ' − ')} (n = {found.n_a}, {found.n_b})"


def _directions(contrast: str, score: bool) -> str:
    first = contrast.partition("-")[0]
    return f"← falls      rises with {contrast} →" if score else f"← less in {first}      more in {first} →"


def _told(known: Mapping[tuple[str, str], Effect], contrasts: Sequence[str]) -> str:
    out = []
    for contrast in contrasts:
        own = sorted((e for (_, c), e in known.items() if c == contrast), key=lambda e: -abs(e.d))
        sure = [f"{e.name} {e.d:+.2f}" for e in own if _sure(e) == 2]
        most = ", ".join(f"{e.name} {e.d:+.2f}" for e in own[:3])
        out.append(f"{contrast}: largest {most}; significant after correction: {listed(sure[:8]) if sure else 'none'}")
    return ". ".join(out)
