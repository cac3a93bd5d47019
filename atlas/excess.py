"""Calibration in one number a person: how much worse the Brier score is than the probabilities themselves expect.

Spiegelhalter (1986), for several groups: a person's score is S = sum_g (y_g - p_g)^2, which, if the probabilities hold,
has the mean E = sum_g p_g (1 - p_g) and the variance of sum_j [group j] (1 - 2 p_j). The sum of S - E over people,
divided by the root of their variances' sum, is his z: positive where probabilities are too sure, negative where they
are too timid. A matcher's probabilities hold where groups are equally common; where they are not, they are first
adjusted to how common they are (`adjusted`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from atlas.evaluation import Evaluation


def adjusted(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N, G) probabilities for groups as common as among `labels` (N,), from those for equally common ones."""
    share = np.bincount(labels, minlength=probabilities.shape[1]) / len(labels)
    raised = np.maximum(probabilities, 1e-9) * share
    return raised / raised.sum(1, keepdims=True)


def excess(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) S - E and (N,) its variance, of people of the groups `labels` (N,) with probabilities (N, G)."""
    own = probabilities[np.arange(len(labels)), labels]
    squares = (probabilities**2).sum(1)
    gain = 1 - 2 * probabilities
    mean = (probabilities * gain).sum(1)
    variance = (probabilities * gain**2).sum(1) - mean**2
    return 1 - 2 * own + squares - (1 - squares), np.maximum(variance, 0)


def held_out_excess(evaluation: "Evaluation", groups: Sequence[str]) -> dict[str, Any]:
    """``people``, ``mean`` and ``sd`` of the excess of an atlas's held-out people."""
    predictions = evaluation.predictions
    probabilities = np.array([[p.probabilities[group] for group in groups] for p in predictions])
    labels = np.array([list(groups).index(p.group) for p in predictions])
    found, _ = excess(adjusted(probabilities, labels), labels)
    return {"people": len(found), "mean": round(float(found.mean()), 6), "sd": round(float(found.std(ddof=1)), 6)}
