"""Tables of effects for a report: by level, the largest first, with what was planted where people are simulated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.biomarkers import ACTION_UNITS, MEASURES, ReliabilityTable
from atlas.biomarkers.table import BiomarkerTable
from atlas.cohort import Cohort
from atlas.statistics import Effect

ALPHA = 0.05  # family-wise error, and false discovery rate
SHOWN, MOST_SHOWN = 8, 20  # rows of a level in the text; more where more stand; the others are in the appendix
APPENDIX = 24  # rows of a level there; statistics.tsv holds all
REACH = 2.0  # standard deviations to either side in the small drawing of a row
LEVELS = {  # in the order in which a reader wants them
    "unit": "Action units",
    "measure": "Movement and expressivity measures",
    "organ": "Organs of the face",
    "region": "Regions of the face",
    "keypoint": "Key points",
    "vertex-cluster": "Clusters of the surface",
}


@dataclass(frozen=True)
class EffectRow:
    """An effect as a row tells it.

    contrast : ``MDD minus HC``; people : ``20 : 21``, or all where the effect is a slope
    meaning : the quantity in words
    point, low, high : -1 to 1, the effect and its interval in standard deviations over `REACH`, cut off beyond; None
        where they cannot be drawn
    stands : corrected for the family it is beyond `ALPHA`
    reliability : figures of the template's calibration, where the quantity has them
    """

    effect: Effect
    contrast: str
    people: str
    meaning: str
    point: float | None
    low: float | None
    high: float | None
    stands: bool
    reliability: Mapping[str, Any] | None


@dataclass(frozen=True)
class LevelTable:
    """Effects of one level by the size of d: `first` in the text, `rest` in the appendix, `omitted` in neither."""

    level: str
    title: str
    first: tuple[EffectRow, ...]
    rest: tuple[EffectRow, ...]
    omitted: int
    tests: int
    standing: int
    discoveries: int

    @property
    def known(self) -> bool:
        """Whether the reliability of any row is known."""
        return any(row.reliability or np.isfinite(row.effect.reliability) for row in (*self.first, *self.rest))


@dataclass(frozen=True)
class PlantedRow:
    """What was planted in simulated people, and what was found; `effect` is None where nothing was computed of it."""

    contrast: str
    name: str
    meaning: str
    planted: float
    effect: Effect | None

    @property
    def found(self) -> bool:
        """Whether it stands after correction and has the planted sign."""
        return self.effect is not None and self.effect.p_fwe < ALPHA and self.effect.effect * self.planted > 0


def level_tables(
    effects: Sequence[Effect],
    groups: Sequence[str],
    reliability: ReliabilityTable,
    biomarkers: BiomarkerTable | None = None,
) -> list[LevelTable]:
    """A table for every level that has effects; levels that are not among `LEVELS` come last."""
    labels = {q.name: q.label for q in biomarkers.quantities} if biomarkers else {}
    levels = [*LEVELS, *sorted({effect.level for effect in effects} - LEVELS.keys())]
    out = []
    for level in levels:
        of_level = sorted((e for e in effects if e.level == level), key=_by_size)
        if not of_level:
            continue
        rows = [_row(effect, groups, labels, reliability) for effect in of_level]
        last = max((i + 1 for i, row in enumerate(rows) if row.stands), default=0)
        shown = min(max(SHOWN, last), MOST_SHOWN)
        out.append(
            LevelTable(
                level=level,
                title=LEVELS.get(level, level),
                first=tuple(rows[:shown]),
                rest=tuple(rows[shown : shown + APPENDIX]),
                omitted=max(0, len(rows) - shown - APPENDIX),
                tests=len(rows),
                standing=sum(row.stands for row in rows),
                discoveries=sum(effect.q_fdr < ALPHA for effect in of_level),
            )
        )
    return out


def _by_size(effect: Effect) -> tuple[float, str, str]:
    return (-abs(effect.d) if np.isfinite(effect.d) else np.inf, effect.name, effect.contrast)


def _row(effect: Effect, groups: Sequence[str], labels: Mapping[str, str], reliability: ReliabilityTable) -> EffectRow:
    pair = contrasted(effect.contrast, groups)
    point = low = high = None
    if np.isfinite([effect.d, effect.effect, effect.low, effect.high]).all() and effect.effect:
        scale = abs(effect.d / effect.effect) if pair else 0.0  # a slope has no standard deviation to be drawn in
        point, low, high = (float(np.clip(x * scale / REACH, -1, 1)) for x in (effect.effect, effect.low, effect.high))
    return EffectRow(
        effect=effect,
        contrast=f"{pair[0]} minus {pair[1]}" if pair else f"slope on {effect.contrast}",
        people=f"{effect.n_a} : {effect.n_b}" if pair else str(effect.n_a),
        meaning=labels.get(effect.name) or meaning(effect.name),
        point=point if pair else None,
        low=low,
        high=high,
        stands=bool(effect.p_fwe < ALPHA),
        reliability=reliability.of(effect.name),
    )


def contrasted(contrast: str, groups: Sequence[str]) -> tuple[str, str] | None:
    """The two groups of a contrast, whatever signs their names hold; None where it is a score's name."""
    return next(((a, b) for a in groups for b in groups if a != b and contrast == f"{a}-{b}"), None)


def meaning(name: str) -> str:
    """A quantity in a few words; nothing where its name says all that is known."""
    if name in ACTION_UNITS:
        return ACTION_UNITS[name].name
    return MEASURES.get(name, "")


def planted_effects(cohort: Cohort) -> dict[str, dict[str, float]]:
    """{group: {quantity: d against the reference}} that ``simulation.json`` of a simulated cohort tells of; empty where
    there is none.
    """
    try:
        told = json.loads((cohort.folder / "simulation.json").read_text("utf-8"))
        planted = told["effects"]["planted"] if told["simulated"] else {}
        return {str(g): {str(n): float(d) for n, d in of_group.items()} for g, of_group in planted.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def planted_rows(
    planted: Mapping[str, Mapping[str, float]], effects: Sequence[Effect], groups: Sequence[str], reference: str
) -> tuple[list[PlantedRow], int, int]:
    """What was planted beside what was found, group by group against the reference; then how many tests of units and
    measures had nothing planted, and how many of those stand nevertheless.
    """
    found = {(e.contrast, e.name): e for e in effects if e.level in ("unit", "measure")}
    rows = [
        PlantedRow(f"{group} minus {reference}", name, meaning(name), d, found.get((f"{group}-{reference}", name)))
        for group, of_group in planted.items()
        if group in groups
        for name, d in sorted(of_group.items(), key=lambda item: (-abs(item[1]), item[0]))
    ]
    empty = [
        effect
        for (contrast, name), effect in found.items()
        if (pair := contrasted(contrast, groups)) and pair[1] == reference and name not in planted.get(pair[0], {})
    ]
    return rows, len(empty), sum(effect.p_fwe < ALPHA for effect in empty)
