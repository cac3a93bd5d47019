"""Subgroup drift: is the matcher as sure, as similar and as right for people of every sex, age band and site?

A gap is a subgroup's mean minus that of all others who are known: of how often the answer is 'inconclusive', of the
similarity to the nearest standard face and, where outcomes are known, of how often the prediction set holds the own
group. Intervals: Newcombe's (1998) of two shares, Welch's of two means. The alarm asks whether the largest gap, in
standard errors, is larger than in 95 % of the same people with their subgroups shuffled, which allows for the number of
gaps (Westfall and Young 1993).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.evaluation import wilson
from atlas.monitoring.alarm import ALPHA, DRAWS, LEAST, Alarm, Rate
from atlas.monitoring.stream import Entry

SMALLEST = 5  # people of a subgroup, and others beside it
WORSE = 0.5  # the shift whose power is told: so many of one subgroup's decided people turn inconclusive
_SHARES = ("inconclusive", "covered")


@dataclass(frozen=True)
class Gap:
    """A subgroup's mean of a measure against all others', with the 95 % interval of their difference."""

    by: str
    value: str
    measure: str
    people: int
    others: int
    mean: float
    others_mean: float
    gap: float
    low: float
    high: float


def subgroup_drift(
    entries: Sequence[Entry],
    known: Mapping[str, Mapping[str, str]],
    outcomes: Mapping[str, str],
    seed: int,
    draws: int = DRAWS,
) -> tuple[list[Gap], Alarm]:
    """Gaps of the subgroups that `known` {by: {person: value}} tells, and their alarm."""
    question = "Is the matcher as sure and as right for every subgroup?"
    silent = Alarm("subgroups", question, silent=f"fewer than {LEAST} people whose sex, age or site is known")
    measures = _measures(entries, outcomes)
    members: list[np.ndarray] = []
    told: list[tuple[str, str]] = []
    for by, values in known.items():
        own = np.array([values.get(e.person or "") or "" for e in entries])
        for value in sorted(set(own) - {""}):
            members.append(np.where(own == "", np.nan, own == value))
            told.append((by, value))
    gaps, used = [], []
    for i, (by, value) in enumerate(told):
        for measure, y in measures.items():
            there = np.isfinite(members[i]) & np.isfinite(y)
            inside = there & (members[i] == 1)
            outside = there & (members[i] == 0)
            if min(inside.sum(), outside.sum()) < SMALLEST:
                continue
            gaps.append(_gap(by, value, measure, y[inside], y[outside]))
            used.append((i, measure))
    if len(entries) < LEAST or not gaps:
        return gaps, silent
    rng = np.random.default_rng([seed, 5])
    columns = np.stack([members[i] for i, _ in used])
    values = np.stack([measures[m] for _, m in used])
    found = _largest(columns, values)
    orders = [rng.permutation(len(entries)) for _ in range(2 * draws)]
    shuffled = np.array([_largest(columns[:, order], values) for order in orders])
    threshold = float(np.quantile(shuffled[:draws], 1 - ALPHA))
    alarm = Alarm(
        name="subgroups",
        question=question,
        people=int(np.isfinite(columns).any(0).sum()),
        statistic=f"largest of {len(used)} gaps, in standard errors",
        found=found,
        threshold=threshold,
        p=float((1 + (shuffled[:draws] >= found - 1e-12).sum()) / (1 + draws)),
        fired=found > threshold,
        false_alarms=Rate.of(shuffled[draws:] > threshold),
        power=Rate.of(_worse(columns, values, used, orders[draws:], rng) > threshold),
        shift=f"{WORSE:.0%} of the decided people of the largest subgroup turn inconclusive",
    )
    return gaps, alarm


def _measures(entries: Sequence[Entry], outcomes: Mapping[str, str]) -> dict[str, np.ndarray]:
    own = [outcomes.get(e.person or "") for e in entries]
    covered = [
        float(g in e.prediction_set) if g is not None and e.probabilities else np.nan
        for g, e in zip(own, entries, strict=True)
    ]
    out = {
        "inconclusive": np.array([float(e.inconclusive) for e in entries]),
        "similarity": np.array([e.similarity for e in entries]),
    }
    return out | ({"covered": np.array(covered)} if np.isfinite(covered).any() else {})


def _gap(by: str, value: str, measure: str, inside: np.ndarray, outside: np.ndarray) -> Gap:
    a, b = float(inside.mean()), float(outside.mean())
    if measure in _SHARES:
        (la, ua), (lb, ub) = (wilson(int(y.sum()), len(y)) for y in (inside, outside))
        low = a - b - np.sqrt((a - la) ** 2 + (ub - b) ** 2)
        high = a - b + np.sqrt((ua - a) ** 2 + (b - lb) ** 2)
    else:
        low, high = stats.ttest_ind(inside, outside, equal_var=False).confidence_interval(0.95)
    return Gap(by, value, measure, len(inside), len(outside), a, b, a - b, float(low), float(high))


def _largest(columns: np.ndarray, values: np.ndarray) -> float:
    """The largest |z| of pooled two-sample differences of values (K, N) between columns (K, N) of 1, 0 and NaN."""
    there = np.isfinite(columns) & np.isfinite(values)
    inside, outside = there & (columns == 1), there & (columns == 0)
    y = np.where(there, values, 0)
    n, m = inside.sum(1), outside.sum(1)
    a, b = ((y * inside).sum(1) / np.maximum(n, 1), (y * outside).sum(1) / np.maximum(m, 1))
    mean = y.sum(1) / np.maximum(n + m, 1)
    variance = (np.where(there, values - mean[:, None], 0) ** 2).sum(1) / np.maximum(n + m - 1, 1)
    error = np.sqrt(np.maximum(variance, 1e-12) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)))
    return float(np.abs((a - b) / error)[(n > 0) & (m > 0)].max(initial=0))


def _worse(
    columns: np.ndarray,
    values: np.ndarray,
    used: Sequence[tuple[int, str]],
    orders: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """(R,) largest gaps of shuffled people, of whom so many of the largest subgroup turn inconclusive."""
    rows = np.array([i for i, (_, measure) in enumerate(used) if measure == "inconclusive"])
    largest = rows[np.nansum(columns[rows], 1).argmax()]
    out = []
    for order in orders:
        moved = columns[:, order]
        turned = (moved[largest] == 1) & (rng.random(values.shape[1]) < WORSE)
        worse = values.copy()
        worse[rows] = np.where(turned, 1.0, worse[rows])
        out.append(_largest(moved, worse))
    return np.array(out)
