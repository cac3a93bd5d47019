"""The matcher among scikit-learn's tools, and what it promises of people who share no difference."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from atlas.classifier import FaceMatcher
from atlas.features import FeatureTable
from reconstruction.errors import InputError

STIMULI = ("anger", "neutral")
NAMES = (*(f"{kind} c{i}" for kind in ("level", "spread", "speed") for i in range(6)), "AU12", "AU15")


@pytest.fixture
def few_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two fits to half of the people instead of ten: what is held out of them is tested, not how finely."""
    monkeypatch.setattr("atlas.cross_fitting.FOLDS", 2)


@pytest.mark.usefixtures("few_folds")
@parametrize_with_checks([FaceMatcher()])
def test_scikit_learns_own_checks(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def people(each: int, groups: int, d: float, seed: int) -> tuple[FeatureTable, np.ndarray]:
    """Gaussian people of whom group g differs by d standard deviations in a quarter of the features."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups), each)
    level = rng.normal(size=(len(labels), len(NAMES)))
    for g in range(1, groups):
        level[labels == g, g::4] += d
    values = np.full((len(labels), 3, len(NAMES)), np.nan)
    values[:, :2] = level[:, None] + 0.5 * rng.normal(size=(len(labels), 2, len(NAMES)))
    return FeatureTable(NAMES, STIMULI, values), labels


def matcher(**settings: Any) -> FaceMatcher:
    return FaceMatcher(NAMES, STIMULI, **settings)


@pytest.fixture(scope="module")
def fitted() -> FaceMatcher:
    table, labels = people(30, 3, 1.2, 0)
    return matcher().fit(table.matrix(), np.array(["MDD", "BD", "HC"])[labels])


def test_groups_keep_their_names_and_new_people_are_found(fitted: FaceMatcher) -> None:
    table, labels = people(100, 3, 1.2, 1)
    truth = np.array(["MDD", "BD", "HC"])[labels]
    assert fitted.classes_.tolist() == ["BD", "HC", "MDD"]
    assert (fitted.predict(table.matrix()) == truth).mean() > 0.7
    chances = fitted.predict_proba(table.matrix())
    assert chances.sum(1) == pytest.approx(1)
    assert (fitted.classes_[chances.argmax(1)] == fitted.predict(table.matrix())).all()
    assert (np.abs(fitted.similarities(table.matrix())) <= 1 + 1e-6).all()
    sets = fitted.prediction_sets(table.matrix())
    assert sets[truth[:, None] == fitted.classes_].mean() == pytest.approx(0.9, abs=0.07)
    assert 0.1 < (sets.sum(1) == 1).mean() < 1


def test_integers_keep_their_order_above_ten() -> None:
    table, labels = people(12, 2, 3.0, 2)
    y = np.array([9, 10])[labels]
    made = matcher().fit(table.matrix(), y)
    assert made.classes_.tolist() == [9, 10]
    assert (made.predict(table.matrix()) == y).mean() > 0.8


def test_a_missing_stimulus_is_calibrated_apart(fitted: FaceMatcher) -> None:
    table, _ = people(20, 3, 1.2, 3)
    partial = table.values.copy()
    partial[:, 0] = np.nan
    X = FeatureTable(NAMES, STIMULI, partial).matrix()
    chances = fitted.predict_proba(X)
    np.testing.assert_allclose(chances, fitted.single_.probabilities(fitted.similarities(X)))
    assert not np.allclose(chances, fitted.whole_.probabilities(fitted.similarities(X)))


def test_people_of_another_kind_are_refused_and_hardly_any_of_the_same(fitted: FaceMatcher) -> None:
    table, _ = people(100, 3, 1.2, 4)
    assert fitted.refused(table.matrix()).mean() < 0.05
    assert fitted.refused(3 * table.matrix()).mean() > 0.9


def test_people_without_any_difference_have_their_group_in_the_set_at_the_rate() -> None:
    held, chances = [], []
    for seed in range(4):
        table, labels = people(30, 2, 0.0, seed)
        made = matcher(coverage=0.8).fit(table.matrix(), labels)
        new, truth = people(150, 2, 0.0, 100 + seed)
        held.append(made.prediction_sets(new.matrix())[np.arange(300), truth].mean())
        chances.append(made.predict_proba(new.matrix()).max(1).mean())
    assert np.mean(held) == pytest.approx(0.8, abs=0.06)
    assert np.mean(chances) < 0.6


def test_the_same_seed_gives_the_same_and_clones_too() -> None:
    table, labels = people(15, 2, 1.0, 0)
    made = matcher(random_state=3)
    first = made.fit(table.matrix(), labels).predict_proba(table.matrix())
    again = clone(made).fit(table.matrix(), labels).predict_proba(table.matrix())
    np.testing.assert_array_equal(first, again)


def test_a_baseline_is_calibrated_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def plain(**_: Any) -> Any:
        return make_pipeline(SimpleImputer(keep_empty_features=True), LogisticRegression(C=1e3, max_iter=1000))

    module = type("baselines", (), {"BASELINES": {"plain": plain}})
    monkeypatch.setitem(__import__("sys").modules, "atlas.baselines", module)
    table, labels = people(40, 2, 0.6, 0)
    made = matcher(method="plain").fit(table.matrix(), labels)
    new, truth = people(200, 2, 0.6, 1)
    raw = made.estimator_.classifier.predict_proba(new.matrix()).max(1).mean()
    told, right = made.predict_proba(new.matrix()), made.predict(new.matrix()) == truth
    assert abs(told.max(1).mean() - right.mean()) < abs(raw - right.mean())  # less sure of itself than it was
    assert made.prediction_sets(new.matrix())[np.arange(400), truth].mean() == pytest.approx(0.9, abs=0.07)
    with pytest.raises(InputError, match="expected the method encoder, plain, got 'oracle'"):
        matcher(method="oracle").fit(table.matrix(), labels)


def test_what_cannot_be_fitted_is_said() -> None:
    table, labels = people(6, 2, 1.0, 0)
    with pytest.raises(InputError, match=r"expected a coverage from 0\.5"):
        matcher(coverage=1.0).fit(table.matrix(), labels)
    with pytest.raises(InputError, match="expected 60 columns, 20 features before 2 stimuli and an unknown one, got"):
        matcher().fit(table.matrix()[:, :40], labels)
    with pytest.raises(ValueError, match="expected people of two classes or more, got one class"):
        matcher().fit(table.matrix(), np.zeros(12, int))
