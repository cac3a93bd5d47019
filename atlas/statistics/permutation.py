"""Permutation test of a linear model, one for every quantity: Freedman & Lane (1983), as in Winkler et al. (2014).

For values y, a tested column x and nuisance columns Z (1 and the covariates): what Z leaves of y, ``e = R y``, is
permuted over people, and the t statistic of x in the model of ``P e`` on [x, Z] is compared with the one found. Adding
Z's fit back to ``P e``, as the authors write it, changes nothing in that t. Without covariates it is the plain
permutation test of two means, or of a slope. Two-sided: sizes are compared. ``p = (1 + count) / (1 + n)``, the found
arrangement being one of all (Phipson & Smyth 2010), so p is never 0.

Exchangeable under the null hypothesis are people, or people within a block such as a site. The t statistic pools the
groups' variances: where these differ much and the groups' sizes too, p is not exact.
"""

from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-9  # a statistic that differs by no more from the one found is the same
WIDTH = 2048  # columns at a time keep the memory small


@dataclass(frozen=True)
class Model:
    """x and Z for n people.

    rest : (n,) what Z leaves of x; all zero where Z explains it
    basis : (n, C) orthonormal, spans Z
    """

    rest: np.ndarray
    basis: np.ndarray

    @property
    def freedom(self) -> int:
        return len(self.rest) - self.basis.shape[1] - 1


@dataclass(frozen=True)
class Fit:
    """effect, t : (Q,) slope of x and its t statistic; sd : (Q,) residual standard deviation; values nothing differs in
    have an effect, t and sd of 0
    residuals : (n, Q) what Z leaves of the values
    """

    effect: np.ndarray
    t: np.ndarray
    sd: np.ndarray
    residuals: np.ndarray


def model(tested: np.ndarray, nuisance: np.ndarray) -> Model:
    """A model of x (n,) and Z (n, C), whose columns may depend on each other."""
    vectors, sizes, _ = np.linalg.svd(nuisance / np.maximum(np.linalg.norm(nuisance, axis=0), 1e-300), full_matrices=False)
    basis = vectors[:, sizes > 1e-9 * sizes[0]]
    rest = tested - basis @ (basis.T @ tested)
    explained = np.linalg.norm(rest) < 1e-9 * max(float(np.linalg.norm(tested)), 1e-300)
    return Model(np.zeros_like(rest) if explained else rest, basis)


def fit(of: Model, values: np.ndarray) -> Fit:
    """Least squares for values (n, Q) that are all known."""
    residuals = values - of.basis @ (of.basis.T @ values)
    flat = np.linalg.norm(residuals, axis=0) <= 1e-9 * np.linalg.norm(values, axis=0)
    residuals[:, flat] = 0
    square = float(of.rest @ of.rest)
    effect = of.rest @ residuals / square
    left = np.maximum((residuals**2).sum(0) - effect**2 * square, 0)
    sd = np.sqrt(left / of.freedom)
    return Fit(effect, _ratio(effect * np.sqrt(square), sd), sd, residuals)


def orders(n: int, count: int, rng: np.random.Generator, blocks: np.ndarray | None = None) -> np.ndarray:
    """(count, n) int: permutations, drawn with equal chance; places change within equal `blocks` (n,) only."""
    out = np.tile(np.arange(n, dtype=np.int32), (count, 1))
    for block in np.unique(blocks) if blocks is not None else (0,):
        places = np.flatnonzero(blocks == block) if blocks is not None else np.arange(n)
        out[:, places] = rng.permuted(np.tile(places.astype(np.int32), (count, 1)), axis=1)
    return out


def among(shuffles: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(N, m) the permutations (N, n) as they act among the m people `kept` (n,) bool, in their own numbers.

    A person who would get the value of one left out gets the value that this one would get, and so on. Of permutations
    drawn with equal chance this makes permutations of the kept drawn with equal chance, which differ from those of the
    others as little as can be.
    """
    image = shuffles[:, kept]
    while (lost := ~kept[image]).any():
        image = np.where(lost, np.take_along_axis(shuffles, image, 1), image)
    return (np.cumsum(kept) - 1)[image]


def shuffled_t(of: Model, residuals: np.ndarray, shuffles: np.ndarray) -> np.ndarray:
    """(N, Q) float64: t for every permutation (N, n) of `Fit.residuals` (n, Q).

    |R P e|^2 = |e|^2 - |basis^T P e|^2, so that all is matrix products with columns of the model, put in order.
    """
    count, quantities = len(shuffles), residuals.shape[1]
    back = np.empty_like(shuffles)
    np.put_along_axis(back, shuffles.astype(np.int64), np.arange(shuffles.shape[1], dtype=shuffles.dtype)[None], 1)
    square = float(of.rest @ of.rest)
    x = of.rest[back]
    planes = [column[back] for column in of.basis.T if np.ptp(column) > 1e-12]  # e sums to 0: the constant sees none
    out = np.empty((count, quantities))
    for start in range(0, quantities, WIDTH):
        e = residuals[:, start : start + WIDTH]
        effect = x @ e / np.sqrt(square)
        left = (e**2).sum(0) - effect**2
        for plane in planes:
            left -= (plane @ e) ** 2
        out[:, start : start + WIDTH] = _ratio(effect, np.sqrt(np.maximum(left, 0) / of.freedom))
    return out


def p_values(found: np.ndarray, shuffled: np.ndarray) -> np.ndarray:
    """(Q,) two-sided p of statistics found (Q,) among shuffled (N, Q), each by itself; NaN where found is."""
    count = (np.abs(shuffled) >= np.abs(found) * (1 - ROUNDING)).sum(0)
    return np.where(np.isfinite(found), (1 + count) / (1 + len(shuffled)), np.nan)


def step_down(found: np.ndarray, shuffled: np.ndarray) -> np.ndarray:
    """(Q,) p corrected for the family: step-down max-T (Westfall & Young 1993, algorithm 4.1).

    The largest statistic is compared with the largest of every permutation, the second with the largest without the
    first, and so on; a p is never below that of a larger statistic. Statistics that are NaN are no part of the family.
    """
    out = np.full(len(found), np.nan)
    known = np.flatnonzero(np.isfinite(found))
    if not len(known):
        return out
    falling = known[np.argsort(-np.abs(found[known]), kind="stable")]
    largest = np.maximum.accumulate(np.abs(shuffled[:, falling[::-1]]), axis=1)[:, ::-1]
    count = (largest >= np.abs(found[falling]) * (1 - ROUNDING)).sum(0)
    out[falling] = np.maximum.accumulate((1 + count) / (1 + len(shuffled)))
    return out


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)
