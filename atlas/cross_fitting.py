"""What fits to the other people say of every person: a fit to all, and beside it fits that leave a tenth out each.

The fits to nine tenths repeat everything, scaling and the choice of stopping included, so what they say of the people
left out is what a fit says of a new person. (The encoder's own inner folds will not do: training stops where they
fare best, and on people without any difference between groups prediction sets from them hold 0.82 of 0.90.)

Chance differences between groups are larger among fewer people, by 5 % among nine tenths, so these fits tell groups
apart by more than the fit to all, where there is nothing else to tell. Their scores are brought to its scale by the
ratio of both fits' scatter over the same people, which no group enters; else sets would hold 0.92 of 0.90.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from atlas.calibration import Calibration, calibrate
from atlas.domain import RATE
from atlas.encoder import FittedEncoder, Task, fit_encoders, inner_folds
from atlas.features import FeatureTable, Scaler, fit_scaler, pooled_z

FOLDS = 10
Scores = Callable[[FeatureTable], np.ndarray]  # (N, G) of a table of N people
Fitted = TypeVar("Fitted", bound=Scores)


@dataclass(frozen=True)
class HeldOut:
    """P people and their R recorded stimuli, each alone; of those who were not learnt from.

    people, single : (P, G), (R, G) scores, NaN of people that took no part
    novelty, single_novelty : (P,), (R,) see `unlikeness`
    owner : (R,) whose stimulus it is
    """

    people: np.ndarray
    single: np.ndarray
    novelty: np.ndarray
    single_novelty: np.ndarray
    owner: np.ndarray

    def calibrations(self, labels: np.ndarray, coverage: float) -> tuple[Calibration, Calibration]:
        """Of matches of all stimuli, and of fewer; labels (P,)."""
        known, rows = np.isfinite(self.people).all(1), np.isfinite(self.single).all(1)
        owner = self.owner[rows]
        return (
            calibrate(self.people[known], labels[known], np.flatnonzero(known), self.novelty[known], coverage, RATE),
            calibrate(self.single[rows], labels[owner], owner, self.single_novelty[rows], coverage, RATE),
        )


def unlikeness(z: np.ndarray) -> np.ndarray:
    """(N,) root mean squared pooled feature of scaled features (N, Q + 1, F): 1 is as unlike the mean as people are."""
    return np.sqrt((pooled_z(z) ** 2).mean(1))


def cross_fit_encoders(
    table: FeatureTable, labels: np.ndarray, groups: int, trains: Sequence[np.ndarray], seed: int = 0
) -> list[tuple[FittedEncoder, HeldOut]]:
    """For every mask (P,) of training people in `trains` the encoder fitted to them, and what is held out of it."""
    folds = [_folds(labels, train, seed) for train in trains]
    tasks = [
        Task(labels, chosen)
        for train, fold in zip(trains, folds, strict=True)
        for chosen in (train, *(train & (fold != k) for k in range(fold.max() + 1)))
    ]
    fitted = iter(fit_encoders(table, tasks, groups, seed))
    out = []
    for fold in folds:
        encoder = next(fitted)
        parts = [next(fitted) for _ in range(fold.max() + 1)]
        scores = [_cosines(part) for part in parts]
        scalers = [part.scaler for part in parts]
        out.append((encoder, _held_out(table, fold, groups, scalers, scores, _cosines(encoder))))
    return out


def cross_fit(
    fit: Callable[[np.ndarray], Fitted],
    table: FeatureTable,
    labels: np.ndarray,
    groups: int,
    seed: int = 0,
) -> tuple[Fitted, HeldOut]:
    """The same for any classifier of all the people.

    fit : of the training people (P,) bool, gives a function from tables of N people to scores (N, G)
    """
    fold = _folds(labels, np.ones(len(labels), bool), seed)
    fitted = [fit(fold != k) for k in range(fold.max() + 1)]
    whole = fit(fold >= 0)
    scalers = [fit_scaler(_taken(table, fold != k)) for k in range(fold.max() + 1)]
    return whole, _held_out(table, fold, groups, scalers, fitted)


def _folds(labels: np.ndarray, train: np.ndarray, seed: int) -> np.ndarray:
    """(P,) -1 for people who take no part; of no more folds than the smallest group has people, two at least."""
    sizes = np.bincount(labels[train])
    return inner_folds(labels, train, int(np.clip(sizes[sizes > 0].min(), 2, FOLDS)), seed + 7)


def _held_out(
    table: FeatureTable,
    fold: np.ndarray,
    groups: int,
    scalers: Sequence[Scaler],
    scores: Sequence[Scores],
    whole: Scores | None = None,
) -> HeldOut:
    """scalers, scores : of the fits that leave a fold out each
    whole : of the fit to all, to whose scale they are brought; none where scores of people learnt from are far more
        extreme than others', as a classifier's probabilities can be
    """
    everyone = _taken(table, fold >= 0)
    single, owner = table.single()
    of_people, of_single = np.full((len(table), groups), np.nan), np.full((len(owner), groups), np.nan)
    novelty, single_novelty = np.full(len(table), np.nan), np.full(len(owner), np.nan)
    for k, scaler in enumerate(scalers):
        scale = 1.0 if whole is None else _scatter(whole(everyone)) / max(_scatter(scores[k](everyone)), 1e-12)
        for rows, source, told, strange in (
            (fold == k, table, of_people, novelty),
            (fold[owner] == k, single, of_single, single_novelty),
        ):
            if rows.any():
                held = _taken(source, rows)
                told[rows], strange[rows] = scale * scores[k](held), unlikeness(scaler.z(held))
    return HeldOut(of_people, of_single, novelty, single_novelty, owner)


def _scatter(scores: np.ndarray) -> float:
    """How far apart scores (N, G) tell the groups: root mean square about each person's mean."""
    return float(np.sqrt(((scores - scores.mean(1, keepdims=True)) ** 2).mean()))


def _cosines(encoder: FittedEncoder) -> Scores:
    return lambda rows: encoder.cosines(encoder.scaler.z(rows))


def _taken(table: FeatureTable, rows: np.ndarray) -> FeatureTable:
    return replace(table, values=table.values[rows])
