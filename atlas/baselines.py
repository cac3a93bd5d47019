"""Plain classifiers on the encoder's inputs, for comparison: what the matcher has to be as good as.

Each is a scikit-learn classifier on the same X as `atlas.classifier.FaceMatcher` takes, NaN where a person lacks a
stimulus. Everything is learnt in `fit`: the scaling of `atlas.features`, and where a method has a strength to choose,
that by inner folds over people.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted, validate_data

from atlas.features import FeatureTable, fit_scaler

FOLDS = 3  # inner
LOGISTIC, LDA, SVM, BOOSTING = METHODS = ("logistic", "lda", "svm", "boosting")
_STRENGTHS = {  # of the penalty, from which inner folds choose
    LOGISTIC: {"C": [0.003, 0.03, 0.3]},
    SVM: {"estimator__C": [0.3, 1.0, 3.0]},
    BOOSTING: {"max_iter": [20, 60]},
}


class Baseline(ClassifierMixin, BaseEstimator):
    """A plain classifier, groups weighted equally.

    method : of `METHODS`: ``logistic`` multinomial logistic regression with a ridge penalty; ``lda`` linear
        discriminant analysis, its covariance shrunk as Ledoit and Wolf (2004); ``svm`` a support vector machine with a
        Gaussian kernel, its probabilities by Platt's sigmoid; ``boosting`` gradient-boosted trees
    names, stimuli, random_state : as those of `FaceMatcher`

    Attributes after `fit`: ``classes_`` (G,), ``model_``, ``scaler_``, ``n_features_in_``.
    """

    def __init__(
        self, method: str = LOGISTIC, names: Sequence[str] = (), stimuli: Sequence[str] = (), random_state: int = 0
    ):
        self.method = method
        self.names = names
        self.stimuli = stimuli
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Baseline":
        """Learn from people X (P, D) of the groups y (P,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"expected people of two groups or more, got only one class; {self.classes_[0]!r}.")
        self.scaler_ = fit_scaler(self._table(X))
        self.model_ = self._model(int(np.bincount(labels).min())).fit(self._inputs(X), y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(P,) groups."""
        return self.model_.predict(self._checked(X))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(P, G) probabilities of ``classes_``."""
        return self.model_.predict_proba(self._checked(X))

    def _model(self, smallest: int) -> Any:
        shuffled = {"random_state": self.random_state}
        models: dict[str, Callable[[], Any]] = {
            LOGISTIC: lambda: LogisticRegression(class_weight="balanced", max_iter=500),
            LDA: lambda: LinearDiscriminantAnalysis(
                solver="lsqr", shrinkage="auto", priors=np.full(len(self.classes_), 1 / len(self.classes_))
            ),
            SVM: lambda: CalibratedClassifierCV(SVC(class_weight="balanced"), ensemble=False, cv=min(FOLDS, smallest)),
            BOOSTING: lambda: HistGradientBoostingClassifier(
                class_weight="balanced", max_leaf_nodes=8, min_samples_leaf=5, early_stopping=False, **shuffled
            ),
        }
        if self.method not in models:
            raise ValueError(f"expected a method of {', '.join(METHODS)}, got {self.method!r}; choose one of them.")
        model = models[self.method]()
        if self.method not in _STRENGTHS or smallest < 2 * FOLDS:
            return model
        folds = StratifiedKFold(FOLDS, shuffle=True, **shuffled)
        return GridSearchCV(model, _STRENGTHS[self.method], cv=folds, scoring="balanced_accuracy")

    def _checked(self, X: np.ndarray) -> np.ndarray:
        check_is_fitted(self)
        return self._inputs(validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False))

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        return self.scaler_.inputs(self.scaler_.z(self._table(X)))

    def _table(self, X: np.ndarray) -> FeatureTable:
        return FeatureTable.of_matrix(X, self.names, self.stimuli)


BASELINES: Mapping[str, Callable[..., Baseline]] = MappingProxyType({m: partial(Baseline, m) for m in METHODS})
