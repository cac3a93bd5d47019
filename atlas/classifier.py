"""The matcher as a scikit-learn classifier, for scikit-learn's tools and for validation.

X is a table of people: (P, D), NaN where a person lacks a stimulus. `FeatureTable.matrix` gives it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from atlas.calibration import Calibration
from atlas.cross_fitting import cross_fit, unlikeness
from atlas.features import FeatureTable, Scaler, fit_scaler
from atlas.matcher import COVERAGE, check_coverage, fit_matchers
from reconstruction.errors import InputError

ENCODER = "encoder"
LEAST_PROBABILITY = 1e-6  # of a baseline, before its logarithm is calibrated


class FaceMatcher(ClassifierMixin, BaseEstimator):
    """Groups of people by the cosine similarity of their embeddings to the groups' standard faces.

    Everything is learnt in `fit`: scaling, encoder, stopping, and from people held out of fits to the others the
    temperature of the probabilities, the limits of the prediction sets and of novelty.

    names : of the F features; none where every column of X is a feature before one unknown stimulus
    stimuli : of the Q stimuli; X has (Q + 1) x F columns, the last F for recordings of unknown stimulus
    method : ``encoder``, or a name of `atlas.baselines.BASELINES`, whose logarithms of probabilities then take the
        place of the cosines and are calibrated alike
    coverage : share of every group's people whose group a prediction set is to hold
    random_state : int, RandomState or None

    Attributes after `fit`: ``classes_`` (G,), ``n_features_in_``, ``whole_`` and ``single_`` the `Calibration` of
    people with all stimuli and with fewer, ``scaler_``; ``matcher_`` the `Matcher` of the encoder, or ``estimator_``
    with the baseline as its ``classifier``.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        stimuli: Sequence[str] = (),
        method: str = ENCODER,
        coverage: float = COVERAGE,
        random_state: Any = 0,
    ):
        self.names = names
        self.stimuli = stimuli
        self.method = method
        self.coverage = coverage
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: np.ndarray, y: np.ndarray) -> "FaceMatcher":
        """Learn from people X (P, D) of the groups y (P,).

        Raises
        ------
        InputError
            The coverage is out of range, there is no such method, or X is not as wide as names and stimuli make it.
        ValueError
            X or y is nothing scikit-learn takes: infinite numbers, a continuous y, one class.
        """
        check_coverage(self.coverage)
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"expected people of two classes or more, got one class, {self.classes_[0]}.")
        table = self._table(X)
        given = isinstance(self.random_state, Integral)
        seed = int(self.random_state if given else check_random_state(self.random_state).randint(2**31 - 1))
        if self.method == ENCODER:
            names, everyone = tuple(map(str, self.classes_)), np.ones(len(labels), bool)
            self.matcher_ = fit_matchers(table, labels, names, [everyone], self.coverage, seed)[0]
            self.whole_, self.single_ = self.matcher_.whole, self.matcher_.single
            self.scaler_ = self.matcher_.encoder.scaler
        else:
            self._fit_baseline(table, labels, seed)
        return self

    def similarities(self, X: np.ndarray) -> np.ndarray:
        """(P, G) cosines to the standard faces of ``classes_``; of a baseline the logarithms of its probabilities."""
        return self._scores(self._checked(X))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(P, G) calibrated probabilities of ``classes_``."""
        table = self._checked(X)
        return _each(table, self.whole_, self.single_, self._scores(table), Calibration.probabilities)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(P,) the group whose standard face is nearest; of a baseline the likeliest."""
        best = self.similarities(X).argmax(1)
        return self.classes_[best]

    def prediction_sets(self, X: np.ndarray) -> np.ndarray:
        """(P, G) bool: the groups that cannot be excluded; anything but the nearest alone is 'inconclusive'."""
        table = self._checked(X)
        scores = self._scores(table)
        return _each(table, self.whole_, self.single_, scores, lambda c, s: c.sets(c.probabilities(s)))

    def refused(self, X: np.ndarray) -> np.ndarray:
        """(P,) bool: people more unlike those learnt from than 99 of 100 of them; a `Match` of them names no group."""
        table = self._checked(X)
        scaler: Scaler = self.scaler_
        strange = unlikeness(scaler.z(table))
        return _each(table, self.whole_, self.single_, strange, lambda c, s: s > c.novelty_limit)

    def _fit_baseline(self, table: FeatureTable, labels: np.ndarray, seed: int) -> None:
        from atlas.baselines import BASELINES

        if self.method not in BASELINES:
            raise InputError(
                f"expected the method {ENCODER}, {', '.join(BASELINES)}, got {self.method!r}; choose one of them."
            )
        X = table.matrix()

        def fitted(rows: np.ndarray) -> "_Baseline":
            made = BASELINES[self.method](names=table.names, stimuli=table.stimuli, random_state=seed)
            return _Baseline(made.fit(X[rows], labels[rows]), len(self.classes_))

        self.estimator_, held = cross_fit(fitted, table, labels, len(self.classes_), seed)
        self.scaler_ = fit_scaler(table)
        self.whole_, self.single_ = held.calibrations(labels, self.coverage)

    def _scores(self, table: FeatureTable) -> np.ndarray:
        if self.method == ENCODER:
            encoder = self.matcher_.encoder
            return encoder.cosines(encoder.scaler.z(table))
        return self.estimator_(table)

    def _checked(self, X: np.ndarray) -> FeatureTable:
        check_is_fitted(self)
        return self._table(validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _table(self, X: np.ndarray) -> FeatureTable:
        names = tuple(self.names) or tuple(f"x{i}" for i in range(X.shape[1]))
        stimuli = tuple(self.stimuli)
        if X.shape[1] != (len(stimuli) + 1) * len(names):
            raise InputError(
                f"expected {(len(stimuli) + 1) * len(names)} columns, {len(names)} features before {len(stimuli)} "
                f"stimuli and an unknown one, got {X.shape[1]}; take FeatureTable.matrix()."
            )
        return FeatureTable(names, stimuli, X.reshape(len(X), len(stimuli) + 1, len(names)))


def _each(table: FeatureTable, whole: Calibration, single: Calibration, values: np.ndarray, told: Any) -> np.ndarray:
    """`told` of a calibration and values (P, ...): by `whole` for people with all stimuli, by `single` for others."""
    complete = np.isfinite(table.values[:, :-1]).any(2).all(1)
    of_whole, of_single = told(whole, values), told(single, values)
    return np.where(complete.reshape(-1, *[1] * (of_whole.ndim - 1)), of_whole, of_single)


@dataclass(frozen=True)
class _Baseline:
    """A fitted classifier of group numbers; called with a table of N people, (N, G) logarithms of its probabilities.

    A group the classifier has not met has the least.
    """

    classifier: Any
    groups: int

    def __call__(self, table: FeatureTable) -> np.ndarray:
        found = np.full((len(table), self.groups), LEAST_PROBABILITY)
        chances = self.classifier.predict_proba(table.matrix())
        found[:, self.classifier.classes_] = np.maximum(chances, LEAST_PROBABILITY)
        return np.log(found)
