"""A figure with its 95 % interval, and the intervals that validation uses, all over people."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from atlas.evaluation import wilson

LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
DRAWS = 4000


@dataclass(frozen=True)
class Estimate:
    """value, and low to high, its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        return {name: rounded(getattr(self, name)) for name in ("value", "low", "high")}


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def rounded(value: float) -> float | None:
    """To four digits; None for what is not known."""
    return round(float(value), 4) if np.isfinite(value) else None


def share(hits: float, n: float) -> Estimate:
    """A share of n people, with Wilson's (1927) interval; fractions where repeats disagree."""
    if n <= 0:
        return UNKNOWN
    return Estimate(hits / n, *wilson(hits, n))


def share_difference(a: Estimate, b: Estimate) -> Estimate:
    """a - b of two sets of people, by Newcombe's (1998) hybrid of Wilson's intervals."""
    value = a.value - b.value
    low = value - np.hypot(a.value - a.low, b.high - b.value)
    high = value + np.hypot(a.high - a.value, b.value - b.low)
    return Estimate(value, float(low), float(high))


def mean(values: np.ndarray) -> Estimate:
    """Mean over people with its normal interval."""
    half = _Z * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return Estimate(float(values.mean()), float(values.mean() - half), float(values.mean() + half))


def on_logit(value: float, variance: float, smallest: int) -> Estimate:
    """An interval of something between 0 and 1 from its variance, on the logit scale so that it stays there.

    smallest : people of the smaller class. At 0 and 1 the variance is none; what so few people could hide, by the
        binomial bound 0.025^(1/n), takes its place.
    """
    tail = ((1 - LEVEL) / 2) ** (1 / max(1, smallest))
    if value >= 1 - 1e-9:
        return Estimate(value, tail, 1.0)
    if value <= 1e-9:
        return Estimate(value, 0.0, 1 - tail)
    logit, half = np.log(value / (1 - value)), _Z * np.sqrt(variance) / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-(logit + np.array([-half, half]))))
    return Estimate(value, float(low), float(high))


def drawn(value: float, draws: np.ndarray) -> Estimate:
    """A value with the 95 % range of draws about it, which includes the value itself."""
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(draws[np.isfinite(draws)], [edge, 1 - edge]) if np.isfinite(draws).any() else (value, value)
    return Estimate(value, float(min(low, value)), float(max(high, value)))
