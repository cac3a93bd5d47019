"""What the matcher has to beat: plain classifiers on the same features, age and sex alone, and naming one group."""

import inspect
from collections.abc import Sequence
from importlib import import_module, util

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atlas.aggregation import AggregatedFace
from atlas.features import FeatureTable, fit_scaler

_LATER = "atlas.baselines"


class PooledFeatures(TransformerMixin, BaseEstimator):
    """Scaled features pooled over stimuli, as the encoder takes them before its principal axes.

    names, stimuli : of the table, as in `FaceMatcher`
    """

    def __init__(self, names: Sequence[str] = (), stimuli: Sequence[str] = ()):
        self.names = names
        self.stimuli = stimuli

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "PooledFeatures":
        self.scaler_ = fit_scaler(self._table(X))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """(P, D), blocks of equal weight, scaled so that a ridge of usual strength fits."""
        return 10 * self.scaler_.unprojected(self.scaler_.z(self._table(X)))

    def _table(self, X: np.ndarray) -> FeatureTable:
        stimuli, names = tuple(self.stimuli), tuple(self.names)
        return FeatureTable(names, stimuli, np.asarray(X, float).reshape(len(X), len(stimuli) + 1, len(names)))


def comparators(table: FeatureTable, seed: int = 0) -> dict[str, ClassifierMixin]:
    """Classifiers on `FeatureTable.matrix` by name: those of `atlas.baselines`, or logistic regression alone."""
    if util.find_spec(_LATER):
        found = import_module(_LATER).BASELINES
        return {name: _made(maker, table, seed) for name, maker in found.items()}
    features = PooledFeatures(table.names, table.stimuli)
    return {"logistic": make_pipeline(features, LogisticRegression(C=0.1, class_weight="balanced", max_iter=500))}


def _made(maker: object, table: FeatureTable, seed: int) -> ClassifierMixin:
    given = {"names": table.names, "stimuli": table.stimuli, "random_state": seed, "seed": seed}
    wanted = inspect.signature(maker).parameters  # type: ignore[arg-type]
    return maker(**{name: value for name, value in given.items() if name in wanted})  # type: ignore[operator]


def age_and_sex(people: Sequence[AggregatedFace]) -> np.ndarray | None:
    """(P, C) age and sex, unknown ages as the mean; None where they tell nobody from another."""
    ages = np.array([np.nan if person.age is None else person.age for person in people], float)
    columns = [] if np.isnan(ages).all() else [np.where(np.isnan(ages), np.nanmean(ages), ages)]
    columns += [np.array([float(p.sex == sex) for p in people]) for sex in sorted({p.sex for p in people if p.sex})]
    kept = [column for column in columns if np.ptp(column) > 0]
    return np.stack(kept, 1) if kept else None


def of_age_and_sex() -> ClassifierMixin:
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
