"""Whether probabilities mean what they say, and what deciding by them would gain.

Probabilities are those at the cohort's own group sizes. Expected calibration error: people by the probability of the
group named, in bins of equal size, the mean over people of |share right - mean probability|. A perfectly calibrated
classifier shows some error too on few people; how much is simulated, by drawing everyone's group from the very
probabilities. Net benefit (Vickers and Elkin 2006) of acting on people above a threshold t: (true positives - false
positives * t / (1 - t)) / people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from atlas.validation.intervals import DRAWS, Estimate, drawn, mean, share

BIN_PEOPLE, MOST_BINS = 10, 10
RESAMPLES = 200  # for the slope's interval
THRESHOLDS = np.arange(0.02, 0.9801, 0.02)


@dataclass(frozen=True)
class CalibrationBin:
    """people : in it; probability : their mean; right : share of them, low and high what perfect calibration shows."""

    people: int
    probability: float
    right: Estimate
    perfect_low: float
    perfect_high: float


@dataclass(frozen=True)
class CalibrationResult:
    """ece : the error and, as its interval, the range that a perfectly calibrated classifier shows on as many people
    p : share of perfectly calibrated classifiers with as large an error
    slope : 1 calibrated, below it overconfident: the power of the probabilities that fits the groups best
    brier : mean squared error summed over groups; by_size : that of naming the groups' shares for everyone
    """

    ece: float
    perfect_low: float
    perfect_high: float
    p: float
    slope: Estimate
    brier: Estimate
    by_size: float
    bins: tuple[CalibrationBin, ...]


def calibration(labels: np.ndarray, probabilities: np.ndarray, seed: int = 0) -> CalibrationResult:
    """labels (N,), probabilities (N, G)."""
    rng = np.random.default_rng([seed, 6])
    named = probabilities.argmax(1)
    confidence = probabilities.max(1)
    number = int(np.clip(len(labels) // BIN_PEOPLE, 1, MOST_BINS))
    bins = np.array_split(np.argsort(confidence, kind="stable"), number)
    right = (named == labels).astype(float)
    perfect = (rng.random((DRAWS, len(labels))) < confidence).astype(float)
    value, simulated = _ece(right[None], confidence, bins)[0], _ece(perfect, confidence, bins)
    low, high = np.quantile(simulated, [0.025, 0.975])
    told = []
    for members in bins:
        edge = np.quantile(perfect[:, members].mean(1), [0.025, 0.975])
        told.append(
            CalibrationBin(
                len(members),
                float(confidence[members].mean()),
                share(right[members].sum(), len(members)),
                *map(float, edge),
            )
        )
    truth = np.eye(probabilities.shape[1])[labels]
    shares = truth.mean(0)
    return CalibrationResult(
        ece=float(value),
        perfect_low=float(low),
        perfect_high=float(high),
        p=float((1 + (simulated >= value - 1e-12).sum()) / (1 + DRAWS)),
        slope=_slope(labels, probabilities, rng),
        brier=mean(((probabilities - truth) ** 2).sum(1)),
        by_size=float(1 - (shares**2).sum()),
        bins=tuple(told),
    )


def _ece(right: np.ndarray, confidence: np.ndarray, bins: Sequence[np.ndarray]) -> np.ndarray:
    """(B,) errors of right (B, N)."""
    gaps = [len(m) * np.abs(right[:, m].mean(1) - confidence[m].mean()) for m in bins]
    return np.sum(gaps, 0) / right.shape[1]


def _slope(labels: np.ndarray, probabilities: np.ndarray, rng: np.random.Generator) -> Estimate:
    logs = np.log(np.maximum(probabilities, 1e-6))

    def best(people: np.ndarray) -> float:
        def loss(slope: float) -> float:
            raised = slope * logs[people]
            raised = raised - raised.max(1, keepdims=True)
            own = raised[np.arange(len(people)), labels[people]]
            return float((np.log(np.exp(raised).sum(1)) - own).mean())

        return float(minimize_scalar(loss, bounds=(0, 5), method="bounded", options={"xatol": 1e-3}).x)

    everyone = np.arange(len(labels))
    return drawn(best(everyone), np.array([best(rng.choice(everyone, len(everyone))) for _ in range(RESAMPLES)]))


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at `THRESHOLDS`, (K,): of acting by the probability, on everyone; on nobody it is 0."""

    matcher: np.ndarray
    everyone: np.ndarray

    @property
    def useful(self) -> tuple[float, float] | None:
        """The longest run of thresholds at which the matcher gains more than acting on everyone or nobody."""
        better = self.matcher > np.maximum(self.everyone, 0) + 1e-9
        edges = np.flatnonzero(np.diff(np.concatenate([[0], better.astype(int), [0]])))
        runs = sorted(edges.reshape(-1, 2).tolist(), key=lambda run: run[0] - run[1])
        return (float(THRESHOLDS[runs[0][0]]), float(THRESHOLDS[runs[0][1] - 1])) if runs else None


def decision_curves(
    groups: Sequence[str], labels: np.ndarray, probabilities: np.ndarray
) -> Mapping[str, DecisionCurve]:
    """For every group, acting on those who may be of it."""
    odds = THRESHOLDS / (1 - THRESHOLDS)
    out = {}
    for g, name in enumerate(groups):
        own = labels == g
        acted = probabilities[:, g] >= THRESHOLDS[:, None]
        benefit = ((acted & own).sum(1) - (acted & ~own).sum(1) * odds) / len(labels)
        out[name] = DecisionCurve(benefit, (own.sum() - (~own).sum() * odds) / len(labels))
    return out
