"""The matcher as a scikit-learn classifier, for scikit-learn's tools and for validation.

X is a table of people: (P, D), NaN where a person lacks a stimulus. `FeatureTable.matrix` gives it.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from atlas.features import FeatureTable
from atlas.matcher import COVERAGE, Matcher, fit_matcher


class FaceMatcher(ClassifierMixin, BaseEstimator):
    """Groups of people by the cosine similarity of their embeddings to the groups' standard faces.

    names : of the F features; none where every column of X is a feature before one unknown stimulus
    stimuli : of the Q stimuli; X has (Q + 1) x F columns, the last F for recordings of unknown stimulus
    coverage : share of people whose own group a prediction set is to hold
    random_state : int

    Attributes after `fit`: ``classes_`` (G,) group names, ``matcher_`` the `Matcher`, ``n_features_in_``.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        stimuli: Sequence[str] = (),
        coverage: float = COVERAGE,
        random_state: int = 0,
    ):
        self.names = names
        self.stimuli = stimuli
        self.coverage = coverage
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "FaceMatcher":
        """Learn from people X (P, D) of the groups y (P,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_ = np.unique(y)
        self.matcher_ = fit_matcher(
            self._table(X), [str(name) for name in y], coverage=self.coverage, seed=self.random_state
        )
        return self

    def similarities(self, X: np.ndarray) -> np.ndarray:
        """(P, G) cosines to the standard faces of ``classes_``."""
        encoder = self._fitted().encoder
        return encoder.cosines(encoder.scaler.z(self._checked(X)))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(P, G) calibrated probabilities of ``classes_``."""
        matcher, table = self._fitted(), self._checked(X)
        cosines = self.similarities(X)
        rows = [matcher.probabilities(c, matcher.calibration(p)) for c, p in zip(cosines, _present(table), strict=True)]
        return np.array(rows)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(P,) the group whose standard face is nearest."""
        return self.classes_[self.similarities(X).argmax(1)]

    def prediction_sets(self, X: np.ndarray) -> np.ndarray:
        """(P, G) bool: the groups that cannot be excluded; anything but exactly one is 'inconclusive'."""
        matcher, table = self._fitted(), self._checked(X)
        sets = [
            matcher.prediction_set(p, matcher.calibration(s))
            for p, s in zip(self.predict_proba(X), _present(table), strict=True)
        ]
        return np.array([[str(name) in kept for name in self.classes_] for kept in sets])

    def _fitted(self) -> Matcher:
        check_is_fitted(self)
        return self.matcher_

    def _checked(self, X: np.ndarray) -> FeatureTable:
        return self._table(validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _table(self, X: np.ndarray) -> FeatureTable:
        names = tuple(self.names) or tuple(f"x{i}" for i in range(X.shape[1]))
        stimuli = tuple(self.stimuli)
        return FeatureTable(names, stimuli, X.reshape(len(X), len(stimuli) + 1, len(names)))


def _present(table: FeatureTable) -> list[list[str]]:
    """The stimuli every person was recorded before."""
    known = np.isfinite(table.values[:, :-1]).any(2)
    return [[s for s, there in zip(table.stimuli, row, strict=True) if there] for row in known]
