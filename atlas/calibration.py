"""Calibration of a matcher's scores on people it had not learnt from: probabilities, prediction sets, novelty.

Probabilities: softmax(scores / temperature), the temperature by maximum likelihood (Guo et al. 2017), groups weighted
equally. Prediction sets: conformal prediction by group (Mondrian; Vovk et al. 2005): a group stays in the set where
1 - its probability is at most what a share `coverage` of that group's own held-out people scored. So every group's
people have their group in the set at the stated rate, whichever group is rarer where the matcher is used; with one
limit for all groups the rate holds on average only, and people of a group between two others miss it by far.
Held-out scores come from fits to nine tenths of the people that repeat everything, the choice of stopping included.
They are a little worse than those of the fit to all, so sets hold about a point more than stated where groups differ;
the exact guarantee of people set aside is given up for learning from everybody.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import minimize_scalar

TEMPERATURES = (0.02, 100.0)
CLEAR_OF_ALL = 1.0  # threshold that excludes no group: fewer people than the coverage needs


@dataclass(frozen=True)
class Calibration:
    """From held-out people; `people` is how many.

    temperature : scores are divided by it before the softmax
    thresholds : (G,) 1 - probability up to which each group belongs to the prediction set
    novelty, novelty_limit : median of the held-out people, NaN where unknown, and what 99 of 100 stay under; see
        `novelty_limit`
    """

    temperature: float
    thresholds: tuple[float, ...]
    novelty: float
    novelty_limit: float
    people: int

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """(..., G) from scores (..., G)."""
        return softmax(scores / self.temperature)

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """(..., G) bool: the groups that cannot be excluded."""
        return 1 - probabilities <= np.array(self.thresholds) + 1e-9

    def to_json(self) -> dict[str, Any]:
        document = {name: None if value != value or value == np.inf else value for name, value in asdict(self).items()}
        return document | {"thresholds": list(self.thresholds)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Calibration":
        unknown = {"novelty": np.nan, "novelty_limit": np.inf}
        known = {name: unknown[name] if value is None else value for name, value in document.items()}
        return cls(**known | {"thresholds": tuple(document["thresholds"])})


def calibrate(
    scores: np.ndarray, labels: np.ndarray, owners: np.ndarray, novelty: np.ndarray, coverage: float, rate: float
) -> Calibration:
    """From held-out rows; a person's rows share the person's weight, groups weigh equally.

    scores : (N, G); labels, owners, novelty : (N,) group, person, unlikeness of every row
    coverage : share of people whose group a set is to hold; rate : share who are to stay under the limit of novelty
    """
    _, place, rows = np.unique(owners, return_inverse=True, return_counts=True)
    share = 1 / rows[place]
    groups = scores.shape[1]
    temperature = _temperature(scores, labels, share)
    own = 1 - softmax(scores / temperature)[np.arange(len(labels)), labels]
    return Calibration(
        temperature=temperature,
        thresholds=tuple(
            conformal_quantile(own[labels == g], share[labels == g], coverage, CLEAR_OF_ALL) for g in range(groups)
        ),
        novelty=float(np.median(novelty)),
        novelty_limit=novelty_limit(novelty, share, rate),
        people=len(rows),
    )


def novelty_limit(novelty: np.ndarray, share: np.ndarray, rate: float) -> float:
    """What a share `rate` of new people stay under: the conformal quantile of the held-out ones, and where they are
    too few to have it, the prediction limit of their logarithms by Student's t.

    novelty, share : (N,) rows and their weight; a person's weights sum to 1
    """
    people = share.sum()
    if len(novelty) < 2:
        return np.inf
    logs = np.log(np.maximum(novelty, 1e-12))
    mean = np.average(logs, weights=share)
    sd = np.sqrt(np.average((logs - mean) ** 2, weights=share) * people / (people - 1))
    parametric = np.exp(mean + stats.t.ppf(rate, people - 1) * sd * np.sqrt(1 + 1 / people))
    return conformal_quantile(novelty, share, rate, float(parametric))


def conformal_quantile(values: np.ndarray, share: np.ndarray, rate: float, otherwise: float) -> float:
    """The value of rank rate (n + 1) among n people and a new one, interpolated, so that the rate is met and not
    exceeded by the fraction of a person; `otherwise` where that rank is beyond all of them.
    """
    people = share.sum()
    if rate * (people + 1) > people + 1e-9:
        return otherwise
    order = np.argsort(values, kind="stable")
    return float(np.interp(rate * (people + 1), np.cumsum(share[order]), values[order]))


def decided(sets: np.ndarray, best: np.ndarray) -> np.ndarray:
    """(...) bool: people who are given a group, not 'inconclusive': it alone is in the set, and no other is nearer.
    (Limits differ by group, so that a farther and less likely group can be the one left.)

    sets : (..., G) bool; best : (...) number of the nearest group
    """
    return (sets.sum(-1) == 1) & np.take_along_axis(sets, np.asarray(best)[..., None], -1)[..., 0]


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def _temperature(scores: np.ndarray, labels: np.ndarray, share: np.ndarray) -> float:
    """Targets are smoothed as in Platt (1999), so that a small, separable sample does not claim certainty."""
    groups = scores.shape[1]
    size = np.bincount(labels, share, groups)[labels]
    weights = share / size / len(np.unique(labels))
    right = (size + 1) / (size + 2)
    target = np.repeat(((1 - right) / max(1, groups - 1))[:, None], groups, 1)
    target[np.arange(len(labels)), labels] = right

    def loss(log_temperature: float) -> float:
        probabilities = softmax(scores / np.exp(log_temperature))
        return float(-(weights[:, None] * target * np.log(np.maximum(probabilities, 1e-12))).sum())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
