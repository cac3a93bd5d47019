"""Cross-validation by person: chance without an effect, clearly above with one."""

from collections.abc import Callable

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.evaluation import Evaluation, evaluate, wilson
from atlas.features import feature_table, stimuli_of
from atlas.motion import MotionSpace
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def evaluated(aggregated: Aggregated, template: Template, space: MotionSpace) -> Callable[[str, int, int], Evaluation]:
    names = feature_names(space, template_units(template))

    def run(effects: str, seed: int, permutations: int) -> Evaluation:
        people = aggregated(effects, 36, seed)
        table = feature_table([p.recordings for p in people], names, stimuli_of(people))
        groups, ids = [p.group for p in people], [p.id for p in people]
        return evaluate(table, groups, ids, permutations=permutations, coverage=0.8)

    return run


def test_planted_effects_are_found(evaluated: Callable[[str, int, int], Evaluation]) -> None:
    result = evaluated("strong", 0, 19)
    assert result.accuracy >= 0.6
    assert result.accuracy_interval[0] > result.chance
    assert result.p == pytest.approx(0.05)
    assert result.cautions == ()
    assert result.single_accuracy > result.chance
    assert result.baseline_accuracy > result.chance
    assert result.brier < 2 / 3
    assert sum(sum(row.values()) for row in result.confusion.values()) == 36


def test_nothing_planted_is_matched_at_chance(evaluated: Callable[[str, int, int], Evaluation]) -> None:
    accuracies = [evaluated("none", seed, 0).accuracy for seed in range(3)]
    assert 0.18 <= np.mean(accuracies) <= 0.48  # 1/3 within 3.3 standard errors of 108 people
    result = evaluated("none", 0, 19)
    assert result.p is not None
    assert result.p > 0.05
    assert "does not tell its groups apart" in result.cautions[0]


def test_the_result_tells_of_every_person_once_but_keeps_people_out_of_what_is_shared(
    evaluated: Callable[[str, int, int], Evaluation],
) -> None:
    result = evaluated("strong", 0, 0)
    assert len({p.person for p in result.predictions}) == 36
    assert result.p is None
    assert "predictions" not in result.to_json()
    assert len(result.people_json()["people"]) == 36
    assert result == evaluated("strong", 0, 0)


def test_shuffles_in_processes_give_the_same(
    evaluated: Callable[[str, int, int], Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atlas.evaluation.PART", 2)
    alone = evaluated("strong", 0, 4)
    monkeypatch.setattr("atlas.evaluation.MANY", 0)
    assert evaluated("strong", 0, 4) == alone


def test_wilson_interval() -> None:
    np.testing.assert_allclose(wilson(8, 10), (0.4901625, 0.9433178), atol=1e-6)
    assert wilson(0, 5)[0] == pytest.approx(0, abs=1e-12)
    assert wilson(5, 5)[1] == 1
