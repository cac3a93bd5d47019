"""How well held-out people are told apart: accuracy and its kin from the confusion matrix, AUROC and ROC curves.

Intervals are over people. Of what is counted in the confusion matrix they are by drawing each group's row from its
Dirichlet posterior with Jeffreys' prior (Brown, Cai and DasGupta 2001; Caelen 2017); of AUROC by DeLong et al. (1988)
on the logit scale. Repeats of the cross-validation are averaged within the person: they add no people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from atlas.validation.intervals import DRAWS, Estimate, drawn, on_logit, share


@dataclass(frozen=True)
class GroupResult:
    """One group against the others: people, and how they were named."""

    people: int
    recall: Estimate
    precision: Estimate
    f1: Estimate
    auroc: Estimate

    def to_json(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).to_json() for name in ("recall", "precision", "f1", "auroc")}
        return {"people": self.people, **parts}


@dataclass(frozen=True)
class Discrimination:
    """accuracy : Wilson's interval; recall, precision, f1 : means over groups; balanced accuracy is the mean recall
    auroc : mean over groups, each against the others
    confusion : (G, G) people of a row's group named as a column's, means over repeats
    roc : {group: (K, 2) false and true positive rates}
    """

    accuracy: Estimate
    balanced_accuracy: Estimate
    precision: Estimate
    f1: Estimate
    auroc: Estimate
    groups: Mapping[str, GroupResult]
    confusion: np.ndarray
    roc: Mapping[str, np.ndarray]


def discrimination(
    groups: Sequence[str], labels: np.ndarray, best: np.ndarray, probabilities: np.ndarray, seed: int = 0
) -> Discrimination:
    """labels (N,), best (R, N), probabilities (N, G)."""
    size = len(groups)
    votes = (best[..., None] == np.arange(size)).mean(0)
    confusion = np.stack([votes[labels == g].sum(0) for g in range(size)])
    right = votes[np.arange(len(labels)), labels]
    rng = np.random.default_rng([seed, 5])
    draws = np.stack(
        [rng.dirichlet(row + 0.5, DRAWS) * row.sum() for row in confusion], 1
    )  # (DRAWS, G, G) people, rows of the sizes there are
    values, spread = _rates(confusion[None]), _rates(draws)
    curves = [_components(probabilities[:, g], labels == g) for g in range(size)]
    per_group = {
        name: GroupResult(
            people=int((labels == g).sum()),
            recall=drawn(float(values[0][0, g]), spread[0][:, g]),
            precision=drawn(float(values[1][0, g]), spread[1][:, g]),
            f1=drawn(float(values[2][0, g]), spread[2][:, g]),
            auroc=_auroc([curves[g]], labels == g),
        )
        for g, name in enumerate(groups)
    }
    overall = [drawn(float(v[0].mean()), s.mean(1)) for v, s in zip(values, spread, strict=True)]
    return Discrimination(
        accuracy=share(float(right.sum()), len(labels)),
        balanced_accuracy=overall[0],
        precision=overall[1],
        f1=overall[2],
        auroc=_auroc(curves, None),
        groups=per_group,
        confusion=confusion,
        roc={name: _roc(probabilities[:, g], labels == g) for g, name in enumerate(groups)},
    )


def _rates(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(B, G) recall, precision (0 where nobody was named so) and F1 of confusion matrices (B, G, G)."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    recall = hits / np.maximum(confusion.sum(2), 1e-12)
    precision = hits / np.maximum(confusion.sum(1), 1e-12)
    return recall, precision, 2 * recall * precision / np.maximum(recall + precision, 1e-12)


def _components(score: np.ndarray, positive: np.ndarray) -> tuple[float, np.ndarray]:
    """AUROC, and each person's part in its variance, (N,): DeLong's structural components by ranks."""
    n, m = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(score)
    above = np.zeros(len(score))  # share of the other class that a person is on the right side of
    above[positive] = (ranks[positive] - rankdata(score[positive])) / m
    above[~positive] = 1 - (ranks[~positive] - rankdata(score[~positive])) / n
    value = float(above[positive].mean())
    counts = np.where(positive, n, m)
    return value, (above - value) / np.sqrt(counts * np.maximum(counts - 1, 1))


def _auroc(curves: Sequence[tuple[float, np.ndarray]], positive: np.ndarray | None) -> Estimate:
    """The mean of some AUROCs over the same people; a person's parts in them go together."""
    value = float(np.mean([v for v, _ in curves]))
    variance = float((np.mean([part for _, part in curves], 0) ** 2).sum())
    people = len(curves[0][1])
    smallest = people // max(2, len(curves)) if positive is None else min(positive.sum(), (~positive).sum())
    return on_logit(value, variance, int(smallest))


def _roc(score: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(K, 2) false and true positive rates, from (0, 0) to (1, 1); people of equal score together."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    true, false = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    return np.concatenate([[[0, 0]], np.column_stack([false / false[-1], true / true[-1]])])
