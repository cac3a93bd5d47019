"""Severity: a questionnaire's or a rating's score (PHQ-9, BDI-II, YMRS) from the features that the encoder is given.

Ridge regression on the encoder's inputs, the penalty by leave-one-out inside the training people (Golub, Heath and
Wahba 1979). Whether it is worth anything is told by people held out in ten folds, everything learnt inside them, beside
scores shuffled over people; and, because groups differ in their scores, how well it orders people of one group. A new
person's interval is conformal, from what the held-out people missed by (Lei et al. 2018).
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from scipy import stats
from sklearn.linear_model import RidgeCV

from atlas.calibration import conformal_quantile
from atlas.features import FeatureTable, Scaler, fit_scaler
from atlas.statistics.people import People
from reconstruction.errors import InputError

FEWEST = 20  # people with a score
FOLDS, PERMUTATIONS, RESAMPLES = 10, 199, 2000
ALPHAS = tuple(10.0**k for k in np.arange(-1, 5, 0.5))
LEVEL = 0.05  # p up to which an estimate is told


@dataclass(frozen=True)
class SeverityScores:
    """How well held-out people's scores are told; intervals are 95 %, bootstrap over people.

    r2 : 1 - mean squared error by that of the training people's mean; mae : mean absolute error, in the score's unit,
        and `null_mae` that of the training people's median; spearman : rank correlation
    within_groups : rank correlation of what is left when each group's mean is taken off both; None of single people
    p : one-sided, of the rank correlation, the whole repeated with scores shuffled over people
    """

    people: int
    r2: float
    r2_interval: tuple[float, float]
    mae: float
    mae_interval: tuple[float, float]
    null_mae: float
    spearman: float
    spearman_interval: tuple[float, float]
    within_groups: float | None
    p: float
    permutations: int

    @property
    def beats_chance(self) -> bool:
        return self.p <= LEVEL and self.r2 > 0


@dataclass(frozen=True)
class Severity:
    """A fitted head for the score in `column`.

    scaler, weights : (K,) of its inputs; intercept : the score of the mean person
    low, high : least and greatest score among the people, which estimates are kept within
    half_width, single_half_width : of the interval by all stimuli, and by fewer
    coverage : share of people whose score lies in their interval
    """

    column: str
    scaler: Scaler
    weights: np.ndarray
    intercept: float
    low: float
    high: float
    half_width: float
    single_half_width: float
    coverage: float
    scores: SeverityScores

    def predict(self, table: FeatureTable) -> np.ndarray:
        """(N,) estimates."""
        inputs = self.scaler.inputs(self.scaler.z(table))
        return np.clip(inputs @ self.weights + self.intercept, self.low, self.high)

    def of(self, table: FeatureTable) -> dict[str, Any]:
        """What a match says of the one person in `table`."""
        known = {"column": self.column, "people": self.scores.people, "held_out_mae": round(self.scores.mae, 3),
                 "null_mae": round(self.scores.null_mae, 3), "held_out_r2": round(self.scores.r2, 3),
                 "held_out_spearman": round(self.scores.spearman, 3), "p": round(self.scores.p, 4)}  # fmt: skip
        if not self.scores.beats_chance:
            return known | {
                "estimate": None,
                "note": f"no estimate: on held-out people it is no better than chance (p = {self.scores.p:.2g}, R2 = "
                f"{self.scores.r2:.2f})",
            }
        whole = np.isfinite(table.values[0, :-1]).any(1).all() if table.stimuli else True
        half = self.half_width if whole else self.single_half_width
        estimate = float(self.predict(table)[0])
        ends = (max(estimate - half, self.low), min(estimate + half, self.high))
        within = self.scores.within_groups
        return known | {
            "estimate": round(estimate, 2),
            "low": round(ends[0], 2),
            "high": round(ends[1], 2),
            "coverage": self.coverage,
            "note": "an estimate from the face alone, no rating"
            + ("" if within is None else f"; within groups its rank correlation is {within:.2f}"),
        }

    def to_json(self) -> dict[str, Any]:
        """All but the arrays and the scaler."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("scaler", "weights", "scores")}
        return own | {"scores": asdict(self.scores)}


def fit_severity(
    table: FeatureTable,
    scores: np.ndarray,
    groups: np.ndarray,
    column: str,
    *,
    coverage: float = 0.9,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Severity:
    """Learn `column` from the people who have it.

    scores : (P,) NaN where missing; groups : (P,) names

    Raises
    ------
    InputError
        Fewer than `FEWEST` people have a score, or all the same.
    """
    known = np.isfinite(scores)
    if known.sum() < FEWEST or np.ptp(scores[known]) == 0:
        raise InputError(
            f"expected numbers that differ in the column {column} from {FEWEST} people or more, got {known.sum()} "
            f"people{' of one score' if known.any() and np.ptp(scores[known]) == 0 else ''}; choose another --score."
        )
    table, scores, groups = replace(table, values=table.values[known]), scores[known], np.asarray(groups)[known]
    people, rng = len(scores), np.random.default_rng(seed)
    single, owner = table.single()
    fold = rng.permutation(np.arange(people) % min(FOLDS, people))
    shuffled = np.stack([scores, *(rng.permutation(scores) for _ in range(permutations))], 1)  # (P, 1 + permutations)
    held, held_single = np.zeros(shuffled.shape), np.zeros(len(owner))
    null, centre = np.zeros(people), np.zeros(people)
    for k in range(fold.max() + 1):
        out, train = fold == k, fold != k
        scaler = fit_scaler(replace(table, values=table.values[train]))
        inputs = scaler.inputs(scaler.z(table))
        model = _ridge().fit(inputs[train], shuffled[train])
        low, high = shuffled[train].min(0), shuffled[train].max(0)
        held[out] = np.clip(model.predict(inputs[out]), low, high)
        rows = out[owner]
        if rows.any():
            apart = scaler.inputs(scaler.z(replace(single, values=single.values[rows])))
            held_single[rows] = np.clip(model.predict(apart)[:, 0], low[0], high[0])
        null[out], centre[out] = np.median(scores[train]), scores[train].mean()
    told = _scores(scores, held, null, centre, groups, shuffled, rng)
    scaler = fit_scaler(table)
    inputs = scaler.inputs(scaler.z(table))
    final = _ridge().fit(inputs, scores)
    return Severity(
        column=column,
        scaler=scaler,
        weights=np.atleast_1d(np.squeeze(final.coef_)),
        intercept=float(np.squeeze(final.intercept_)),
        low=float(scores.min()),
        high=float(scores.max()),
        half_width=conformal_quantile(np.abs(held[:, 0] - scores), np.ones(people), coverage, np.ptp(scores)),
        single_half_width=conformal_quantile(
            np.abs(held_single - scores[owner]), 1 / np.bincount(owner)[owner], coverage, np.ptp(scores)
        ),
        coverage=coverage,
        scores=told,
    )


def score_column(known: People | None, column: str, ids: list[str], groups: list[str]) -> np.ndarray:
    """(P,) float64 a column of participants.tsv for the people `ids`, NaN where missing.

    Raises
    ------
    InputError
        There is no such column, or it holds other than numbers.
    """
    people = (known or People((), ())).about(ids, groups)
    values = people.numbers(column)
    if values is None:
        raise InputError(f"expected numbers in the column {column} of participants.tsv, got words; choose another.")
    return values


def _ridge() -> RidgeCV:
    """Each score, true or shuffled, chooses its penalty for itself."""
    return RidgeCV(ALPHAS, alpha_per_target=True)


def _scores(
    scores: np.ndarray,
    held: np.ndarray,
    null: np.ndarray,
    centre: np.ndarray,
    groups: np.ndarray,
    shuffled: np.ndarray,
    rng: np.random.Generator,
) -> SeverityScores:
    """held, shuffled : (P, 1 + permutations) estimates and what they are of, the true scores first"""
    people, estimate = len(scores), held[:, 0]
    miss, plain = (estimate - scores) ** 2, (centre - scores) ** 2
    wide = np.abs(estimate - scores)
    draws = rng.integers(0, people, (RESAMPLES, people))
    rank = _rank_correlations(held, shuffled)
    drawn = _rank_correlations(estimate[draws].T, scores[draws].T)
    own, left = scores.copy(), estimate.copy()
    for group in np.unique(groups):
        own[groups == group] -= own[groups == group].mean()
        left[groups == group] -= left[groups == group].mean()
    several = np.ptp(own) > 0 and np.ptp(left) > 0
    return SeverityScores(
        people=people,
        r2=float(1 - miss.sum() / plain.sum()),
        r2_interval=_interval(1 - miss[draws].sum(1) / plain[draws].sum(1)),
        mae=float(wide.mean()),
        mae_interval=_interval(wide[draws].mean(1)),
        null_mae=float(np.abs(null - scores).mean()),
        spearman=float(rank[0]),
        spearman_interval=_interval(drawn),
        within_groups=float(_rank_correlations(left[:, None], own[:, None])[0]) if several else None,
        p=float((1 + (rank[1:] >= rank[0] - 1e-9).sum()) / len(rank)),
        permutations=len(rank) - 1,
    )


def _rank_correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) Spearman's correlation of every column (P, N) of one with the other's; 0 where one is constant."""
    a, b = (stats.rankdata(values, axis=0) for values in (one, other))
    a, b = a - a.mean(0), b - b.mean(0)
    length = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return np.divide((a * b).sum(0), length, out=np.zeros(a.shape[1]), where=length > 0)


def _interval(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
