"""The largest differences between groups in quantities a clinician can name: action units and movement measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.biomarkers import ACTION_UNITS, MEASURES
from atlas.report.people import PersonSummary

SHOWN = 6  # rows a group
FALSE_DISCOVERY = 0.05


@dataclass(frozen=True)
class Difference:
    """One quantity, one group against the reference; people are the unit.

    difference : mean of the group minus mean of the reference; low, high : 95 % interval (Welch 1947)
    effect : Hedges' g, in pooled person-level standard deviations
    q : p of Welch's test after Benjamini and Hochberg (1995), over every quantity and group of the table
    """

    group: str
    name: str
    meaning: str
    people: int
    reference_people: int
    mean: float
    reference_mean: float
    difference: float
    low: float
    high: float
    effect: float
    q: float


def group_differences(people: Sequence[PersonSummary], reference: str) -> tuple[dict[str, list[Difference]], int]:
    """{group: its largest differences by the size of the effect}, and how many were looked at in all.

    Quantities that fewer than two people of either group have, or in which nobody differs, are left out.
    """
    groups = [group for group in sorted({p.group for p in people}) if group != reference]
    names = dict.fromkeys(name for person in people for name in person.values)
    found: list[Difference] = []
    for group in groups:
        for name in names:
            a, b = (_values(people, name, g) for g in (group, reference))
            made = _compare(a, b, group, name)
            if made is not None:
                found.append(made)
    if found:
        adjusted = stats.false_discovery_control([item.q for item in found])
        found = [Difference(**(vars(item) | {"q": float(q)})) for item, q in zip(found, adjusted, strict=True)]
    ranked = sorted(found, key=lambda item: (-abs(item.effect), item.name))
    return {group: [item for item in ranked if item.group == group][:SHOWN] for group in groups}, len(found)


def _values(people: Sequence[PersonSummary], name: str, group: str) -> np.ndarray:
    values = np.array([p.values.get(name, np.nan) for p in people if p.group == group], float)
    return values[np.isfinite(values)]


def _compare(a: np.ndarray, b: np.ndarray, group: str, name: str) -> Difference | None:
    freedom = len(a) + len(b) - 2
    if len(a) < 2 or len(b) < 2:
        return None
    variances = a.var(ddof=1), b.var(ddof=1)
    pooled = np.sqrt(((len(a) - 1) * variances[0] + (len(b) - 1) * variances[1]) / freedom)
    if pooled < 1e-9:
        return None
    difference = float(a.mean() - b.mean())
    parts = variances[0] / len(a), variances[1] / len(b)
    error = np.sqrt(sum(parts))
    welch = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))  # degrees of freedom
    half = float(stats.t.ppf(0.975, welch) * error)
    return Difference(
        group=group,
        name=name,
        meaning=_meaning(name),
        people=len(a),
        reference_people=len(b),
        mean=float(a.mean()),
        reference_mean=float(b.mean()),
        difference=difference,
        low=difference - half,
        high=difference + half,
        effect=float(difference / pooled * (1 - 3 / (4 * freedom - 1))),
        q=float(2 * stats.t.sf(abs(difference) / error, welch)),  # p; adjusted for their number later
    )


def _meaning(name: str) -> str:
    if name in ACTION_UNITS:
        return f"{ACTION_UNITS[name].name}, intensity 0 to 5"
    return MEASURES.get(name, "")
