"""How well motion is recovered: pairs of true and recovered motion of simulated people, and the figures they give.

`film_trial` films people of the template with known motion, whom the calibration has not learnt from, and reconstructs
them as recordings are. The pairs are kept, not their figures, so that any linear combination of motion parameters, such
as an action unit, has its figures and their intervals over people.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

STAGES = ("fast", "full")  # worse first
RATE = 15.0  # frames a second of the films: webcams in poor light, and the lowest at which a recording is smoothed
DETECTION = 3.29  # 2 x 1.645: 5 % false alarms and 5 % misses (Currie 1968; IUPAC 1995), the blank's mean well known
RIDGE = 0.02  # of the variance of every true parameter, so that those that move together share what both explain
BOOTSTRAPS = 1000


@dataclass(frozen=True)
class Recovery:
    """One quantity in one stage. Within person (every person's own mean taken out) but for `between`.

    r : correlation with the truth; low, high : its 95 % interval (bootstrap over people)
    between, between_low, between_high : correlation over people of their means, and its interval
    slope : recovered per true unit
    error_sd : root mean square error, in the quantity's unit
    detection_limit : the smallest true departure of one frame from the person's mean that is told from none with 5 %
        false alarms and 5 % misses: 3.29 times the blank's standard deviation by the slope. The blank is what is
        recovered beyond what the quantity's own truth explains: noise, and the leak of all else that moves. None: not
        detectable within `reach`. Between two frames of a person it is the square root of 2 times as much.
    reach : the range of the truth in the films
    NaN where nothing moved.
    """

    r: float
    low: float
    high: float
    between: float
    between_low: float
    between_high: float
    slope: float
    error_sd: float
    detection_limit: float | None
    reach: float


@dataclass(frozen=True)
class Reliability:
    """N frames of P people, M motion parameters as in module `motion`.

    true : (N, M) what was filmed; fast, full : (N, M) what the stages recovered, smoothed as a recording's
    person : (N,) whose frame
    """

    true: np.ndarray
    fast: np.ndarray
    full: np.ndarray
    person: np.ndarray

    @property
    def people(self) -> int:
        return len(np.unique(self.person))

    @property
    def reach(self) -> np.ndarray:
        """(M,) the range of every true parameter."""
        return np.ptp(self.true, axis=0)

    def of(self, weights: np.ndarray, stage: str) -> list[Recovery]:
        """Figures of K linear combinations of motion, weights (K, M), in a stage of `STAGES`."""
        true, found = self.true @ weights.T, getattr(self, stage) @ weights.T
        person, at, frames = np.unique(self.person, return_inverse=True, return_counts=True)
        mean_true, mean_found = (self._per_person(x, at) / frames[:, None] for x in (true, found))
        t, f = true - mean_true[at], found - mean_found[at]
        within = [self._per_person(x, at) for x in (t * t, t * f, f * f)]
        means = [mean_true, mean_found, mean_true**2, mean_true * mean_found, mean_found**2]

        def correlations(counts: np.ndarray) -> np.ndarray:
            """(2, B, K) within and between, with every person taken `counts` (B, P) times."""
            mt, mf, mtt, mtf, mff = (counts @ x / len(person) for x in means)
            moments = (counts @ x for x in within)
            return np.stack([_correlation(*moments), _correlation(mtt - mt * mt, mtf - mt * mf, mff - mf * mf)])

        rng = np.random.default_rng(0)
        again = rng.multinomial(len(person), np.full(len(person), 1 / len(person)), BOOTSTRAPS)
        (r, between), drawn = correlations(np.ones((1, len(person))))[:, 0], correlations(again)
        low, high = _percentiles(drawn)
        tt, tf, ff = (x.sum(0) for x in within)
        slope = np.divide(tf, tt, out=np.full(len(tt), np.nan), where=tt > 0)
        blank = np.sqrt(np.maximum(ff - np.nan_to_num(slope) * tf, 0) / max(1, len(t) - len(person) - 1))
        error = _error(f - t, len(person))
        reach = np.ptp(true, axis=0)
        limit = np.divide(DETECTION * blank, slope, out=np.full(len(tt), np.inf), where=slope > 0)
        return [
            Recovery(
                r=float(r[k]),
                low=float(low[0, k]),
                high=float(high[0, k]),
                between=float(between[k]),
                between_low=float(low[1, k]),
                between_high=float(high[1, k]),
                slope=float(slope[k]),
                error_sd=float(error[k]),
                detection_limit=float(limit[k]) if limit[k] <= reach[k] else None,
                reach=float(reach[k]),
            )
            for k in range(len(weights))
        ]

    def every(self, stage: str) -> list[Recovery]:
        """Figures of the M motion parameters."""
        return self.of(np.eye(self.true.shape[1]), stage)

    def error_sd(self, stage: str) -> np.ndarray:
        """(M,) root mean square error of one frame, the person's mean error taken out."""
        _, at, frames = np.unique(self.person, return_inverse=True, return_counts=True)
        apart = getattr(self, stage) - self.true
        return _error(apart - (self._per_person(apart, at) / frames[:, None])[at], len(frames))

    def leaks(self, weights: np.ndarray, moves: np.ndarray, stage: str) -> tuple[np.ndarray, np.ndarray]:
        """How much of K combinations of motion, weights (K, M), is recovered where nothing but the motion moves (J, M)
        is done; and its standard error: (K, J) each.

        Ridge regression of the recovered on the true motion within person; errors by the jackknife over people.
        """
        person, at, frames = np.unique(self.person, return_inverse=True, return_counts=True)
        t, f = (x - (self._per_person(x, at) / frames[:, None])[at] for x in (self.true, getattr(self, stage)))
        scale = np.sqrt((t**2).mean(0))
        z, f = np.divide(t, scale, out=np.zeros_like(t), where=scale > 0), f @ weights.T
        own = [np.flatnonzero(at == p) for p in range(len(person))]
        causes, effects = (np.array([z[i].T @ x[i] for i in own]) for x in (z, f))
        ridge = RIDGE * len(z) * np.eye(len(scale))
        left_out = np.linalg.solve(causes.sum(0) - causes + ridge, effects.sum(0) - effects)
        every = np.linalg.solve(causes.sum(0) + ridge, effects.sum(0))
        moved = np.divide(moves, scale, out=np.zeros(moves.shape), where=scale > 0)
        leak, others = moved @ every, moved @ left_out
        variance = (len(own) - 1) / len(own) * ((others - others.mean(0)) ** 2).sum(0)
        return leak.T, np.sqrt(variance).T

    @staticmethod
    def join(parts: "Sequence[Reliability]") -> "Reliability":
        return Reliability(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Reliability)))

    @staticmethod
    def _per_person(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        """(P, K) sums of (N, K)."""
        sums = np.zeros((at.max(initial=-1) + 1, values.shape[1]))
        np.add.at(sums, at, values)
        return sums


def _error(apart: np.ndarray, people: int) -> np.ndarray:
    """Root mean square (K,) of errors (N, K) about the means of so many people."""
    return np.sqrt((apart**2).sum(0) / max(1, len(apart) - people))


def _correlation(tt: np.ndarray, tf: np.ndarray, ff: np.ndarray) -> np.ndarray:
    """Correlation by second moments; NaN where nothing moved."""
    square = tt * ff
    return np.divide(tf, np.sqrt(np.maximum(square, 0)), out=np.full(tf.shape, np.nan), where=square > 1e-18)


def _percentiles(drawn: np.ndarray) -> np.ndarray:
    """(2, ...) the 2.5th and 97.5th percentile of (..., B, K) over B; NaN where most of B is."""
    known = np.isfinite(drawn).mean(-2) > 0.5
    filled = np.where(known[..., None, :], drawn, 0)
    return np.where(known, np.nanpercentile(filled, [2.5, 97.5], axis=-2), np.nan)
