"""Calibration drift: where it becomes known which group people are of, do the probabilities and sets still hold?

Observed over expected (O/E) of every group, with an interval from the exact one of a Poisson count (Garwood 1936), says
how common the groups are against the matcher's assumption that they are equally so; that is prevalence, and no alarm.
The alarm of calibration compares the excess of the Brier score (`atlas.excess`), adjusted to how common the groups are,
with that of the atlas's own held-out people. It allows for three errors: that of these people, that of the held-out
people, and that of the temperature, which one matcher has from the people it was calibrated on and everybody shares:
log T has the standard error (m v)^-1/2 for m people and logits of the mean variance v under the probabilities (the
Fisher information of a temperature). The alarm of coverage asks whether the prediction sets hold people's own
group too seldom: where people are like those it was calibrated on, n of them are covered as a beta-binomial count, of
the parameters k and m + 1 - k for m people and k = ceil((m + 1) coverage) (Vovk 2012; Angelopoulos and Bates 2023).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from atlas.evaluation import wilson
from atlas.excess import adjusted, excess
from atlas.monitoring.alarm import ALPHA, DRAWS, LEAST, Alarm, Rate
from atlas.monitoring.stream import Entry

SHARPER = 2.0  # the shift whose power is told: the truth is as sure as the square root of the probabilities
LOST = 0.15  # and: coverage falls by so much


@dataclass(frozen=True)
class CalibrationDrift:
    """people : whose group is known

    groups : {group: observed, expected, ratio with its 95 % interval}
    spiegelhalter : z of the probabilities, adjusted to how common the groups are, and its p (two-sided)
    covered : share of people whose own group the set holds, with its 95 % interval
    """

    people: int
    groups: dict[str, dict[str, float]]
    spiegelhalter: float
    spiegelhalter_p: float
    covered: float
    covered_low: float
    covered_high: float
    alarms: tuple[Alarm, ...]


def calibration_drift(
    entries: Sequence[Entry],
    outcomes: Mapping[str, str],
    groups: Sequence[str],
    held_out: Mapping[str, Any],
    calibrated_on: int,
    coverage: float,
    seed: int,
    draws: int = DRAWS,
) -> CalibrationDrift | None:
    """Of the entries whose group `outcomes` {person: group} tells; None where it tells of fewer than `LEAST`.

    held_out : `held_out_excess` of the atlas, empty where it is not known: then the probabilities alone are the measure
    calibrated_on : people that the sets were calibrated on
    """
    known = [e for e in entries if e.person is not None and e.probabilities and outcomes.get(e.person) in groups]
    if len(known) < LEAST:
        return None
    labels = np.array([groups.index(outcomes[str(e.person)]) for e in known])
    raw = np.array([[e.probabilities[g] for g in groups] for e in known])
    covered = np.array([outcomes[str(e.person)] in e.prediction_set for e in known])
    fair = adjusted(raw, labels)
    found, variance = excess(fair, labels)
    spiegelhalter = float(_deviate(found.sum(), variance.sum(), len(labels), {}))
    low, high = wilson(int(covered.sum()), len(covered))
    return CalibrationDrift(
        people=len(known),
        groups={g: _observed(int((labels == i).sum()), float(raw[:, i].sum())) for i, g in enumerate(groups)},
        spiegelhalter=spiegelhalter,
        spiegelhalter_p=float(2 * stats.norm.sf(abs(spiegelhalter))),
        covered=float(covered.mean()),
        covered_low=low,
        covered_high=high,
        alarms=(
            _calibration_alarm(fair, labels, held_out, temperature_error(fair, calibrated_on), seed, draws),
            _coverage_alarm(covered, calibrated_on, coverage, seed, draws),
        ),
    )


def _observed(count: int, expected: float) -> dict[str, float]:
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    return {"observed": count, "expected": expected, "ratio": count / expected, "low": float(low) / expected,
            "high": float(high) / expected}  # fmt: skip


def temperature_error(fair: np.ndarray, calibrated_on: int) -> float:
    """Standard error of the mean excess of people with probabilities (N, G) that the temperature's error makes."""
    logits = np.log(np.maximum(fair, 1e-9))
    spread = (fair * logits**2).sum(1) - (fair * logits).sum(1) ** 2
    error = 1 / np.sqrt(max(1, calibrated_on) * max(float(spread.mean()), 1e-9))
    step = min(error, 0.5)
    return error / step * abs(_mean_excess(fair, step) - _mean_excess(fair, -step)) / 2


def _mean_excess(fair: np.ndarray, log_temperature: float) -> float:
    """Of people of whom `fair` is true but who were given probabilities of another temperature."""
    given = fair ** np.exp(-log_temperature)
    given = given / given.sum(1, keepdims=True)
    squares = (given**2).sum(1)
    return float(np.mean(2 * squares - 2 * (fair * given).sum(1)))


def _deviate(
    total: np.ndarray, variance: np.ndarray, people: int, held_out: Mapping[str, Any], shared: float = 0.0
) -> np.ndarray:
    """z of the mean excess of `people`, (R,) totals with (R,) variances of these, against the held-out people's.

    shared : standard error that all of them share
    """
    own = (held_out["sd"] ** 2 / held_out["people"] if held_out else 0.0) + shared**2
    return (total / people - held_out.get("mean", 0.0)) / np.sqrt(np.maximum(variance / people**2 + own, 1e-12))


def _calibration_alarm(
    fair: np.ndarray, labels: np.ndarray, held_out: Mapping[str, Any], shared: float, seed: int, draws: int
) -> Alarm:
    """Its rates: groups drawn from the adjusted probabilities, or, for power, from their tempered ones; the held-out
    people's mean, and the error of the temperature, drawn about what the probabilities expect.
    """
    found, variance = excess(fair, labels)
    z = float(_deviate(found.sum(), variance.sum(), len(labels), held_out, shared))
    bound = float(stats.norm.isf(ALPHA / 2))
    rng = np.random.default_rng([seed, 3])
    centred = {**held_out, "mean": 0.0} if held_out else {}

    def fires(truth: np.ndarray) -> np.ndarray:
        out = []
        for _ in range(draws):
            drawn = (rng.random((len(truth), 1)) > truth.cumsum(1)[:, :-1]).sum(1)
            total, spread = excess(fair, drawn)
            noise = rng.normal() * np.hypot(shared, held_out["sd"] / np.sqrt(held_out["people"]) if held_out else 0.0)
            out.append(_deviate(total.sum() - noise * len(truth), spread.sum(), len(truth), centred, shared))
        return np.abs(np.array(out)) > bound

    tempered = fair ** (1 / SHARPER)
    return Alarm(
        name="calibration",
        question="Are the probabilities as right as they were for the atlas's held-out people?",
        people=len(labels),
        statistic="z of the excess Brier score" + ("" if held_out else " (Spiegelhalter)"),
        found=z,
        threshold=bound,
        p=float(2 * stats.norm.sf(abs(z))),
        fired=abs(z) > bound,
        false_alarms=Rate.of(fires(fair)),
        power=Rate.of(fires(tempered / tempered.sum(1, keepdims=True))),
        shift=f"log odds are really {1 / SHARPER:.0%} of what the probabilities say",
    )


def _coverage_alarm(covered: np.ndarray, calibrated_on: int, coverage: float, seed: int, draws: int) -> Alarm:
    n, m = len(covered), calibrated_on
    k = min(int(np.ceil((m + 1) * coverage - 1e-9)), m)
    law = stats.betabinom(n, k, m + 1 - k)
    counts = np.arange(n + 1)
    fatal = counts[law.cdf(counts) <= ALPHA]
    threshold = int(fatal.max()) if len(fatal) else -1
    rng = np.random.default_rng([seed, 4])
    share = rng.beta(k, m + 1 - k, draws)
    return Alarm(
        name="coverage",
        question=f"Do the prediction sets still hold the own group for {coverage:.0%} of people?",
        people=n,
        statistic="people whose own group is in the set",
        found=float(covered.sum()),
        threshold=float(threshold),
        p=float(law.cdf(covered.sum())),
        fired=bool(covered.sum() <= threshold),
        false_alarms=Rate.of(rng.binomial(n, share) <= threshold),
        power=Rate.of(rng.binomial(n, np.maximum(share - LOST, 0)) <= threshold),
        shift=f"coverage falls by {LOST:.0%}",
    )
