"""Weighted mean and covariance of many rows, taken up part by part, so that the rows need not be held together.

Rows are vectors of coefficients, and a vertex moves with D_v C D_v^T for their covariance C (`atlas.motion`): mean face
and spread of every vertex come out of one pass. Parts are merged as Chan, Golub and LeVeque (1983) do, which loses
nothing to a mean that is large against the spread; a row is a part, which gives Welford's (1962) update.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Of rows with K columns and weights of their own.

    weight, weight_squares : sum of the weights, and of their squares
    mean : (K,) float64, weighted; zero where nothing weighs
    scatter : (K, K) float64, sum of weight * (row - mean)(row - mean)^T
    """

    weight: float
    weight_squares: float
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def none(cls, size: int) -> "Moments":
        """Of no row: what to start adding from."""
        return cls(0.0, 0.0, np.zeros(size), np.zeros((size, size)))

    @classmethod
    def of(cls, rows: np.ndarray, weights: np.ndarray | None = None) -> "Moments":
        """Of rows (N, K), of weight one without `weights` (N,). Products are taken in the rows' own precision."""
        w = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
        total = float(w.sum())
        if total <= 0:
            return cls.none(rows.shape[1])
        mean = (w / total).astype(rows.dtype) @ rows
        centred = rows - mean
        centred *= np.sqrt(w).astype(rows.dtype)[:, None]
        return cls(total, float(w @ w), mean.astype(np.float64), (centred.T @ centred).astype(np.float64))

    def __add__(self, other: "Moments") -> "Moments":
        if other.weight <= 0:
            return self
        if self.weight <= 0:
            return other
        weight = self.weight + other.weight
        between = other.mean - self.mean
        share = other.weight / weight
        scatter = np.multiply.outer(self.weight * share * between, between)
        scatter += self.scatter
        scatter += other.scatter
        squares = self.weight_squares + other.weight_squares
        return Moments(weight, squares, self.mean + share * between, scatter)

    @property
    def effective(self) -> float:
        """Kish's (1965) effective number of rows: as many of equal weight give as sure a mean."""
        return self.weight**2 / self.weight_squares if self.weight_squares else 0.0

    @property
    def spread(self) -> np.ndarray:
        """(K, K) covariance of these rows about their mean, as they are."""
        return self.scatter / self.weight if self.weight else self.scatter

    @property
    def covariance(self) -> np.ndarray:
        """(K, K) covariance of what the rows are a sample of: divided by n - 1 where weights are equal; zero for one
        row.
        """
        freedom = self.weight - self.weight_squares / self.weight if self.weight else 0.0
        return self.scatter / freedom if freedom > 1e-9 * self.weight else np.zeros_like(self.scatter)

    @property
    def sd(self) -> np.ndarray:
        """(K,) square root of the covariance's diagonal."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0))
