"""What an atlas's people are like, and how well the people of a sex, an age or a site were matched when held out.

Of people who exist, numbers below the least that a face may rest on are told as ``fewer than 10``, and a subgroup of
fewer is left out, so that nobody stands out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.evaluation import Evaluation, wilson
from atlas.match import INCONCLUSIVE

AGE_BANDS = ((0, 30), (30, 45), (45, 60), (60, 120))  # years, the end not included
LEAST_SIMULATED = 3  # people of a subgroup, where nobody exists: a share of fewer tells nothing


def people_summary(people: Sequence[AggregatedFace], groups: Sequence[str], least: int) -> dict[str, dict[str, Any]]:
    """{group: numbers of people and recordings, sexes, ages, sites and medication where the cohort has them}."""
    out: dict[str, dict[str, Any]] = {}
    for group in groups:
        members = [person for person in people if person.group == group]
        ages = [person.age for person in members if person.age is not None]
        simulated = all(person.simulated for person in members)
        out[group] = {
            "people": len(members),
            "recordings": sum(len(person.recordings) for person in members),
            "sex": _counts([person.sex for person in members], simulated, least),
            "age": {"known": len(ages)},
        }
        if len(ages) > 1:
            out[group]["age"] |= {"mean": round(float(np.mean(ages)), 1), "sd": round(float(np.std(ages, ddof=1)), 1)}
        for column in ("site", "medication"):
            values = [person.extra.get(column) for person in members]
            if any(values):
                out[group][column] = _counts(values, simulated, least)
    return out


def _counts(values: Iterable[str | None], simulated: bool, least: int) -> dict[str, int | str]:
    found = Counter(value or "not known" for value in values)
    return {v: n if simulated or n >= least else f"fewer than {least}" for v, n in sorted(found.items())}


def age_band(age: float | None) -> str | None:
    """``30 to 44``; None where the age is unknown."""
    if age is None:
        return None
    low, high = next((b for b in AGE_BANDS if b[0] <= age < b[1]), AGE_BANDS[-1])
    return f"under {high}" if low == 0 else f"{low} and over" if high == 120 else f"{low} to {high - 1}"


def subgroups(people: Sequence[AggregatedFace], evaluation: Evaluation, least: int) -> tuple[dict[str, Any], ...]:
    """Rows of ``by``, ``value``, ``people``, ``accuracy`` with its 95 % interval (Wilson), ``covered``,
    ``inconclusive``, of held-out people.
    """
    predicted = {p.person: p for p in evaluation.predictions}
    of = {
        "sex": {p.id: p.sex for p in people},
        "age": {p.id: age_band(p.age) for p in people},
        "site": {p.id: p.extra.get("site") or None for p in people},
    }
    simulated = {p.id for p in people if p.simulated}
    out = []
    for by, values in of.items():
        for value in sorted({v for v in values.values() if v}):
            members = [i for i, v in values.items() if v == value and i in predicted]
            if len(members) < (LEAST_SIMULATED if simulated.issuperset(members) else least):
                continue
            found = [predicted[i] for i in members]
            right = sum(p.best == p.group for p in found)
            low, high = wilson(right, len(found))
            out.append(
                {
                    "by": by,
                    "value": value,
                    "people": len(found),
                    "accuracy": round(right / len(found), 4),
                    "accuracy_interval": [round(low, 4), round(high, 4)],
                    "covered": round(float(np.mean([p.covered for p in found])), 4),
                    "inconclusive": round(float(np.mean([p.decision == INCONCLUSIVE for p in found])), 4),
                }
            )
    return tuple(out)
