"""Plain classifiers beside the matcher: they learn what can be learnt, in `fit` alone."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import clone

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.baselines import BASELINES, Baseline
from atlas.features import FeatureTable, feature_table, stimuli_of
from atlas.motion import MotionSpace
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def cohort(aggregated: Aggregated, template: Template, space: MotionSpace) -> tuple[FeatureTable, np.ndarray]:
    people = aggregated("strong", 36, 0)
    names = feature_names(space, template_units(template))
    table = feature_table([person.recordings for person in people], names, stimuli_of(people))
    return table, np.array([person.group for person in people])


@pytest.mark.parametrize("name", BASELINES)
def test_planted_effects_are_learnt(name: str, cohort: tuple[FeatureTable, np.ndarray]) -> None:
    table, groups = cohort
    X, train = table.matrix(), np.arange(36) < 24
    model = clone(BASELINES[name](names=table.names, stimuli=table.stimuli)).fit(X[train], groups[train])
    assert (model.predict(X[~train]) == groups[~train]).mean() >= 0.5
    chances = model.predict_proba(X[~train])
    assert chances.shape == (12, 3)
    np.testing.assert_allclose(chances.sum(1), 1)


def test_a_missing_stimulus_and_other_people_change_nothing_that_was_learnt(
    cohort: tuple[FeatureTable, np.ndarray],
) -> None:
    table, groups = cohort
    model = BASELINES["lda"](names=table.names, stimuli=table.stimuli).fit(table.matrix()[:24], groups[:24])
    partial = table.values.copy()
    partial[24:, 0] = np.nan
    alone = model.predict_proba(partial.reshape(36, -1)[24:25])
    np.testing.assert_allclose(model.predict_proba(partial.reshape(36, -1)[24:])[:1], alone)


def test_an_unknown_method_and_a_single_group_are_refused() -> None:
    X = np.random.default_rng(0).normal(size=(10, 3))
    with pytest.raises(ValueError, match="expected a method of logistic, lda, svm, boosting, got 'oracle'"):
        Baseline("oracle").fit(X, np.arange(10) % 2)
    with pytest.raises(ValueError, match="got only one class"):
        Baseline().fit(X, np.zeros(10))
