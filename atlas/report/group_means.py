"""Group means of biomarkers with intervals, and how far a person's values agree from stimulus to stimulus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.biomarkers import ACTION_UNITS
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.report.effects import LEVELS

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """Mean over n people, with Student's interval; NaN where it cannot be had."""

    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Intraclass correlation over stimuli of `people` people, with its interval."""

    people: int
    icc: float
    low: float
    high: float


@dataclass(frozen=True)
class MeansRow:
    quantity: Quantity
    means: tuple[Mean, ...]
    agreement: Agreement | None


@dataclass(frozen=True)
class MeansTable:
    """Rows of one level, means in the groups' order; `in_text` is false of what stands in the appendix."""

    level: str
    title: str
    rows: tuple[MeansRow, ...]
    in_text: bool


def means_tables(table: BiomarkerTable, groups: Sequence[str]) -> list[MeansTable]:
    """Every level's quantities in the table's order, a mean for each group; first what stands in the text."""
    of_person, values = np.array(table.groups), table.values
    rows = [
        MeansRow(
            quantity,
            tuple(mean_interval(values[of_person == group, i]) for group in groups),
            agreement(table.by_stimulus[:, :, i], of_person),
        )
        for i, quantity in enumerate(table.quantities)
    ]
    out = []
    for in_text in (True, False):
        for level, title in LEVELS.items():
            of_level = tuple(r for r in rows if r.quantity.level == level and _in_text(r.quantity) == in_text)
            if of_level:
                out.append(
                    MeansTable(level, title if in_text or level != "unit" else f"{title}, more", of_level, in_text)
                )
    return out


def _in_text(quantity: Quantity) -> bool:
    """Intensities of action units, and measures."""
    return quantity.name in ACTION_UNITS or quantity.level == "measure"


def mean_interval(values: np.ndarray) -> Mean:
    """Mean of what is known among `values` (P,), with Student's 95 % interval."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return Mean(len(known), float(known.mean()) if len(known) else float("nan"), float("nan"), float("nan"))
    half = stats.t.ppf((1 + LEVEL) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return Mean(len(known), float(known.mean()), float(known.mean() - half), float(known.mean() + half))


def agreement(by_stimulus: np.ndarray, groups: np.ndarray) -> Agreement | None:
    """How alike people's places within their group are before different stimuli.

    ICC(C,1), single values, consistency (McGraw and Wong 1996), of values from which the mean of their group before
    their stimulus was taken; one degree of freedom of the people goes to every group. 1: who shows more before one
    stimulus shows as much more before every other; 0: a stimulus tells nothing of the next.

    by_stimulus : (P, S), NaN where unknown; people without all stimuli take no part
    groups : (P,)

    None with fewer than two stimuli, no more people than groups, or where nobody differs.
    """
    whole = np.isfinite(by_stimulus).all(1)
    values, of_person = by_stimulus[whole], groups[whole]
    n, k = values.shape
    names = np.unique(of_person)
    people = n - len(names)  # degrees of freedom
    if k < 2 or people < 1:
        return None
    values = values.copy()
    for name in names:
        values[of_person == name] -= values[of_person == name].mean(0)
    means = values.mean(1, keepdims=True)
    between = k * (means**2).sum() / people
    within = ((values - means) ** 2).sum() / (people * (k - 1))
    if between + within <= 1e-18:
        return None

    def icc(f: float) -> float:
        return float((f - 1) / (f + k - 1)) if np.isfinite(f) else 1.0

    f = between / within if within > 0 else np.inf
    tail = (1 - LEVEL) / 2
    low = f / stats.f.isf(tail, people, people * (k - 1))
    high = f * stats.f.isf(tail, people * (k - 1), people)
    return Agreement(n, icc(f), icc(low), icc(high))
