"""Re-identification: how often somebody who has a recording of everyone finds a person again in what is shared.

The attacker holds a gallery, recordings of N known people made on another occasion, reconstructs them with this
software and computes what is shared, without its noise. A probe is one pseudonym's shared values. Five attacks name the
likeliest of the N people for every probe:

nearest neighbour : least Euclidean distance of standardised values; needs nothing but the gallery
nearest neighbour, whitened : largest cosine in the gallery's principal components, each divided by the root of its
    variance plus the mean variance
linear : a two-covariance model (Ioffe 2006, probabilistic LDA) with diagonal covariances in principal components: the
    likelihood of the probe given each person's gallery; learnt from other people whose both sides are known
linear discriminant : cosine in components whitened by the covariance within people, shrunk as Ledoit and Wolf (2004)
    do; learnt from other people as well
linear discriminant, few components : the same in a quarter as many components as people, of equal variance

What is learnt from people is never learnt from the one attacked, nor from somebody whose shared values are the same
(folds of people; who shares a mean is in one fold). The attacks were chosen on simulated
people among several of their kind, for being the strongest with and without noise. Known columns of participants.tsv
(sex, age band) rule people out beforehand. Chance is one in N.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf
from sklearn.model_selection import KFold

from atlas.evaluation import wilson

FOLDS = 5
COMPONENTS = 150  # principal components kept at most
FEWEST = 10  # people with both sides, to train on
_FAR = 1e9


@dataclass(frozen=True)
class AttackResult:
    """Of one attack: `top1`, the share of probes whose own person came first (ties count in part), its 95 % Wilson
    interval over people, and how many probes and candidates there were.
    """

    name: str
    top1: float
    low: float
    high: float
    probes: int
    candidates: int

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "top1": round(self.top1, 4),
            "top1_low": round(self.low, 4),
            "top1_high": round(self.high, 4),
            "probes": self.probes,
            "candidates": self.candidates,
        }


def reidentify(
    gallery: np.ndarray, probe: np.ndarray, possible: np.ndarray | None = None, seed: int = 0
) -> tuple[AttackResult, ...]:
    """All attacks, the most successful first.

    gallery, probe : (N, D) of the same people in the same order; rows of NaN where a person lacks one, single NaN where
        a value is missing
    possible : (N, N) bool, whether the known columns let probe i be person j
    seed : of the folds
    """
    here, known = np.isfinite(probe).any(1), np.isfinite(gallery).any(1)
    probes = np.flatnonzero(here & known)
    allowed = np.ones((len(gallery), len(gallery)), bool) if possible is None else possible
    allowed = allowed & known
    results = [
        _result(name, scores, allowed, probes, int(known.sum()))
        for name, scores in _attacks(*_standardised(gallery, probe), probes, seed)
    ]
    return tuple(sorted(results, key=lambda r: -r.top1))


def _attacks(gallery: np.ndarray, probe: np.ndarray, probes: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names, and (N, N) distances of every probe to everyone."""
    yield "nearest neighbour", cdist(probe, gallery)
    if not gallery.shape[1]:
        return
    basis = _half_whitened(gallery)
    yield "nearest neighbour, whitened", _cosine_distance(probe @ basis, gallery @ basis)
    different, alike = np.unique(probe[probes], axis=0, return_inverse=True)
    if len(probes) < FEWEST or len(different) < 2:
        return
    by_component, discriminant, few = np.zeros((3, len(gallery), len(gallery)))
    folds = KFold(min(FOLDS, len(different)), shuffle=True, random_state=seed)
    for inside, outside in folds.split(different):
        train, test = probes[np.isin(alike, inside)], probes[np.isin(alike, outside)]
        basis = _half_whitened(np.concatenate([gallery[train], probe[train]]))
        known, seen = gallery @ basis, probe @ basis
        x, y = known[train], seen[train]
        slope = np.maximum((x * y).sum(0) / (x**2).sum(0), 0)
        unexplained = np.sqrt(((y - slope * x) ** 2).mean(0) + 1e-12)
        by_component[test] = cdist(seen[test] / unexplained, known * slope / unexplained)
        discriminant[test] = _discriminant(known, seen, train, test)
        basis = _whitened(np.concatenate([gallery[train], probe[train]]), len(train) // 4)
        few[test] = _discriminant(gallery @ basis, probe @ basis, train, test)
    yield "linear", by_component
    yield "linear discriminant", discriminant
    yield "linear discriminant, few components", few


def _discriminant(known: np.ndarray, seen: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(len(test), N) cosine distances after whitening by the covariance within the training people."""
    within = np.atleast_2d(ledoit_wolf(seen[train] - known[train])[0]) + 1e-12 * np.eye(known.shape[1])
    whiten = np.linalg.cholesky(np.linalg.inv(within))
    return _cosine_distance(seen[test] @ whiten, known @ whiten)


def _half_whitened(rows: np.ndarray) -> np.ndarray:
    """(D, K) principal axes of rows (N, D), each divided by sqrt(its variance + the axes' mean variance)."""
    axes, variance, mean = _principal(rows, COMPONENTS)
    return axes / np.sqrt(variance + mean)


def _whitened(rows: np.ndarray, most: int) -> np.ndarray:
    """(D, K) at most `most` principal axes of rows (N, D), each divided by the root of its variance."""
    axes, variance, mean = _principal(rows, max(1, most))
    return axes / np.sqrt(variance + 1e-6 * mean)


def _principal(rows: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Axes (D, K) and their variances (K,), the largest first, and the mean variance over all axes there are."""
    _, strength, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    variance = strength**2 / len(rows)
    keep = slice(0, max(1, min(most, int((strength > 1e-6 * strength[0]).sum()))))
    return axes[keep].T, variance[keep], float(variance.mean()) + 1e-12


def _cosine_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (a, b))
    return 1 - a @ b.T


def _standardised(gallery: np.ndarray, probe: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both less their own mean, by the gallery's standard deviation; what varies with nobody is dropped, what is
    missing is the mean.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = _sd(gallery)
        use = (sd > 1e-9) & (_sd(probe) > 1e-9)
        parts = [(part - _mean(part)) / sd for part in (gallery, probe)]
    g, p = (np.nan_to_num(part[:, use]) for part in parts)
    return g, p


def _result(name: str, distances: np.ndarray, allowed: np.ndarray, probes: np.ndarray, candidates: int) -> AttackResult:
    hits = 0.0
    for i in probes:
        to_all = np.where(allowed[i], distances[i], _FAR)
        first = np.isclose(to_all, to_all.min(), rtol=1e-9, atol=0)
        hits += float(first[i]) / int(first.sum())
    n = max(1, len(probes))
    low, high = wilson(hits, n)
    return AttackResult(name, hits / n, low, high, len(probes), candidates)


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(0) / np.maximum(known.sum(0), 1)


def _sd(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    centred = np.where(known, values - _mean(values), 0)
    return np.sqrt((centred**2).sum(0) / np.maximum(known.sum(0) - 1, 1))
