"""Input drift: are the people matched like those the atlas was built from, and do they stay alike over time?

Features: the people's counts in the atlas's bins against its own people's, Pearson's chi-squared of two samples, with
the false discovery rate over features (Benjamini and Hochberg 1995); the population stability index (PSI) and the shift
in standard deviations say how much. Over time: a two-sided CUSUM (Page 1954) of the novelty's normal scores in the
atlas's bins, which holds whatever its distribution; and the maximum mean discrepancy (Gretton et al. 2012) between the
earlier and the later half's embeddings, with a permutation test. Embeddings are not compared with the atlas's own
people's: the encoder has learnt from these and puts them nearer to their groups than it does anybody new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from atlas.inputs import KINDS, NOVELTY, SINGLE, USED, WHOLE, InputReference
from atlas.monitoring.alarm import ALPHA
from atlas.monitoring.stream import Entry

SLACK = 0.5  # standard deviations: the CUSUM's allowance, half of the shift it finds soonest
PERMUTATIONS = 199
_NULL = 2000  # simulated streams that thresholds come from


@dataclass(frozen=True)
class FeatureDrift:
    """A feature: shift in the atlas's standard deviations, population stability index, p, and q over all features."""

    name: str
    people: int
    shift: float
    psi: float
    p: float
    q: float


def kind_of(entry: Entry, stimuli: Sequence[str]) -> str | None:
    """Which of the atlas's people an entry is compared with; None for some of the stimuli but not all."""
    if set(entry.stimuli) >= set(stimuli):
        return WHOLE
    return SINGLE if len(entry.stimuli) == 1 else None


def values_of(entries: Sequence[Entry], reference: InputReference) -> np.ndarray:
    """(N, D) of the reference's names, NaN where an entry does not know one."""
    rows = [{**e.features, NOVELTY: e.novelty, USED: e.used} for e in entries]
    return np.array([[row.get(name, np.nan) for name in reference.names] for row in rows]).reshape(
        len(rows), len(reference.names)
    )


def feature_drift(found: Sequence[tuple[InputReference, np.ndarray]]) -> list[FeatureDrift]:
    """Of values (N, D) of new people beside the reference they belong to, one pair for each kind."""
    names = list(dict.fromkeys(name for reference, _ in found for name in reference.names))
    rows = []
    for name in names:
        statistic, freedom, psi, shift, people = 0.0, 0, 0.0, 0.0, 0
        for reference, values in found:
            if name not in reference.names:
                continue
            i = reference.names.index(name)
            own = values[np.isfinite(values[:, i]), i]
            if not len(own):
                continue
            counts = np.bincount(
                np.searchsorted(reference.edges[i], own, side="right"), minlength=reference.counts.shape[1]
            )
            part, part_freedom = _two_samples(reference.counts[i], counts)
            statistic, freedom = statistic + part, freedom + part_freedom
            psi += len(own) * _psi(reference.counts[i], counts)
            shift += len(own) * (own.mean() - reference.mean[i]) / max(reference.sd[i], 1e-9)
            people += len(own)
        if freedom:
            rows.append((name, people, shift / people, psi / people, float(stats.chi2.sf(statistic, freedom))))
    if not rows:
        return []
    q = stats.false_discovery_control([row[4] for row in rows])
    return [FeatureDrift(*row, float(value)) for row, value in zip(rows, q, strict=True)]


def _two_samples(reference: np.ndarray, counts: np.ndarray) -> tuple[float, int]:
    """Pearson's chi-squared of two rows of counts (B,), and its degrees of freedom."""
    total = reference + counts
    kept = total > 0
    both = np.stack([reference, counts])[:, kept]
    expected = both.sum(1, keepdims=True) * total[kept] / total.sum()
    return float(((both - expected) ** 2 / expected).sum()), int(kept.sum()) - 1


def _psi(reference: np.ndarray, counts: np.ndarray) -> float:
    """Population stability index of two rows of counts, half a person added to every bin."""
    a, b = ((row + 0.5) / (row + 0.5).sum() for row in (reference, counts))
    return float(((b - a) * np.log(b / a)).sum())


def scores(values: np.ndarray, edges: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(N,) normal scores of values (N,): the mean normal deviate of the reference's bin that each lies in."""
    share = counts / counts.sum()
    ends = stats.norm.ppf(np.clip(np.concatenate([[0], np.cumsum(share)]), 1e-9, 1 - 1e-9))
    density = stats.norm.pdf(ends)
    middle = np.divide(density[:-1] - density[1:], share, out=np.zeros_like(share), where=share > 0)
    return middle[np.searchsorted(edges, values, side="right")]


def cusum(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) upper and (N,) lower CUSUM of standardised values, both not negative (Page 1954)."""
    up, down = np.zeros(len(z)), np.zeros(len(z))
    high = low = 0.0
    for i, value in enumerate(z):
        high, low = max(0.0, high + value - SLACK), max(0.0, low - value - SLACK)
        up[i], down[i] = high, low
    return up, down


def largest_cusums(z: np.ndarray) -> np.ndarray:
    """(R,) the largest CUSUM to either side of every row of (R, N)."""
    high, low, most = (np.zeros(len(z)) for _ in range(3))
    for column in z.T:
        high, low = np.maximum(0, high + column - SLACK), np.maximum(0, low - column - SLACK)
        most = np.maximum(most, np.maximum(high, low))
    return most


@cache
def null_cusums(people: int, reference_people: int, size: int, seed: int, draws: int = _NULL) -> np.ndarray:
    """(draws,) the largest CUSUM of `people` who are like the atlas's `reference_people`, in bins made by these."""
    rng = np.random.default_rng([seed, 1])
    out = []
    for _ in range(draws):
        edges = np.quantile(rng.normal(size=reference_people), np.arange(1, size) / size)
        out.append(scores(rng.normal(size=people), edges, np.full(size, reference_people / size)))
    return largest_cusums(np.array(out))


@cache
def null_outside(people: int, reference_people: int, seed: int, draws: int = _NULL) -> np.ndarray:
    """(draws,) how many of `people` lie outside the range of `reference_people` like them."""
    rng = np.random.default_rng([seed, 2])
    ends = np.sort(rng.random((draws, reference_people)), 1)[:, [0, -1]]
    new = rng.random((draws, people))
    return ((new < ends[:, :1]) | (new > ends[:, 1:])).sum(1)


def kernel_of(embeddings: np.ndarray) -> np.ndarray:
    """(N, N) Gaussian kernel of embeddings (N, K), as wide as their median distance."""
    square = squareform(pdist(embeddings, "sqeuclidean"))
    positive = square[square > 0]
    return np.exp(-square / (np.median(positive) if len(positive) else 1.0))


def discrepancies(kernel: np.ndarray, later: np.ndarray) -> np.ndarray:
    """(R,) squared maximum mean discrepancies, biased, between those of rows `later` (R, N) bool and the others."""
    weights = np.where(later, 1 / later.sum(1, keepdims=True), -1 / (~later).sum(1, keepdims=True))
    return np.einsum("rn,nm,rm->r", weights, kernel, weights, optimize=True)


def halves(people: int) -> np.ndarray:
    return np.arange(people) >= people // 2


def discrepancy_p(
    kernel: np.ndarray, later: np.ndarray, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> tuple[float, float]:
    """The discrepancy of the later half (N,) bool, and its p by permutation of people over time."""
    shuffled = rng.permuted(np.tile(later, (permutations, 1)), axis=1)
    found = float(discrepancies(kernel, later[None])[0])
    return found, float((1 + (discrepancies(kernel, shuffled) >= found - 1e-12).sum()) / (1 + permutations))


def any_feature(found: Sequence[FeatureDrift]) -> bool:
    """Whether the alarm of features goes off."""
    return any(row.q < ALPHA for row in found)


def by_kind(
    entries: Sequence[Entry], references: Mapping[str, InputReference], stimuli: Sequence[str]
) -> list[tuple[InputReference, list[int]]]:
    """Every reference with the places of the entries that are compared with it."""
    kinds = [kind_of(entry, stimuli) for entry in entries]
    return [
        (references[kind], [i for i, own in enumerate(kinds) if own == kind]) for kind in KINDS if kind in references
    ]
