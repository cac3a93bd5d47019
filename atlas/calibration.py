"""Calibration of the matcher's cosines: to probabilities, and to a threshold that means something."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from atlas.features import pooled_z


@dataclass(frozen=True)
class Calibration:
    """From held-out people; `people` is how many.

    temperature : cosines are divided by it before the softmax
    threshold : 1 - probability up to which a group belongs to the prediction set
    novelty : root mean squared scaled feature of the most unusual person
    """

    temperature: float
    threshold: float
    novelty: float
    people: int


def calibrate(
    cosines: np.ndarray, labels: np.ndarray, owners: np.ndarray, z: np.ndarray, coverage: float
) -> Calibration:
    """Temperature and threshold from held-out rows; a person's rows share the person's weight, groups weigh equally.

    The targets are smoothed as in Platt (1999), so that a small, separable sample does not claim certainty.
    """
    people = np.unique(owners)
    share = 1 / np.array([(owners == owner).sum() for owner in owners])
    size = np.array([share[labels == label].sum() for label in labels])
    weights = share / size / len(np.unique(labels))
    groups = cosines.shape[1]
    right = (size + 1) / (size + 2)
    target = np.repeat(((1 - right) / max(1, groups - 1))[:, None], groups, 1)
    target[np.arange(len(labels)), labels] = right

    def loss(log_temperature: float) -> float:
        probabilities = softmax(cosines / np.exp(log_temperature))
        return float(-(weights[:, None] * target * np.log(np.maximum(probabilities, 1e-12))).sum())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(10)), method="bounded", options={"xatol": 1e-4})
    temperature = float(np.exp(found.x))
    own = 1 - softmax(cosines / temperature)[np.arange(len(labels)), labels]
    order = np.argsort(own, kind="stable")
    reached = np.cumsum(share[order]) / (len(people) + 1)  # the +1: a new person's rank among the held-out ones
    beyond = np.flatnonzero(reached >= coverage - 1e-9)
    threshold = float(own[order][beyond[0]]) if len(beyond) else 1.0
    novelty = np.sqrt((pooled_z(z) ** 2).mean(1))
    return Calibration(temperature, threshold, float(novelty.max()), len(people))


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)
