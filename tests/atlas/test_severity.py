"""A score as a second head: told where held-out people bear it out, and not told where they do not."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.features import FeatureTable
from atlas.severity import Severity, fit_severity, score_column
from atlas.statistics.people import People
from reconstruction.errors import InputError

STIMULI = ("anger", "neutral")
NAMES = (*(f"{kind} c{i}" for kind in ("level", "spread", "speed") for i in range(6)), "AU12", "AU15")


def people(count: int, seed: int) -> tuple[FeatureTable, np.ndarray]:
    """Gaussian people, and a score of 0 to 27 that AU12 and AU15 tell in part."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(count, len(NAMES)))
    values = np.full((count, 3, len(NAMES)), np.nan)
    values[:, :2] = level[:, None] + 0.4 * rng.normal(size=(count, 2, len(NAMES)))
    score = 12 - 4 * level[:, -2] + 3 * level[:, -1] + 3 * rng.normal(size=count)
    return FeatureTable(NAMES, STIMULI, values), np.clip(score, 0, 27)


@pytest.fixture(scope="module")
def severity() -> Severity:
    table, scores = people(90, 0)
    scores[:10] = np.nan
    return fit_severity(table, scores, np.repeat(["HC", "MDD", "BD"], 30), "phq-9", permutations=49)


def test_a_planted_score_is_told_within_its_interval_at_the_stated_rate(severity: Severity) -> None:
    found = severity.scores
    assert found.people == 80
    assert found.p == pytest.approx(1 / 50)
    assert found.r2_interval[0] < found.r2 < found.r2_interval[1]
    assert found.r2 > 0.3
    assert found.mae < found.null_mae
    assert found.within_groups is not None
    assert found.within_groups > 0.4
    table, scores = people(400, 1)
    told = severity.predict(table)
    assert np.corrcoef(told, scores)[0, 1] > 0.6
    assert (np.abs(told - scores) <= severity.half_width).mean() == pytest.approx(0.9, abs=0.06)
    assert np.abs(told - scores).mean() == pytest.approx(found.mae, rel=0.25)


def test_a_match_is_told_the_estimate_with_its_interval(severity: Severity) -> None:
    table, _ = people(3, 5)
    one = replace(table, values=table.values[:1])
    told = severity.of(one)
    assert told["column"] == "phq-9"
    assert severity.low <= told["low"] <= told["estimate"] <= told["high"] <= severity.high
    assert told["coverage"] == 0.9
    assert "no rating; within groups its rank correlation is" in told["note"]
    alone = one.values.copy()
    alone[:, 0] = np.nan
    fewer = severity.of(replace(one, values=alone))
    assert severity.single_half_width != severity.half_width
    assert fewer["estimate"] != told["estimate"]


def test_a_score_that_the_face_does_not_tell_is_not_estimated() -> None:
    table, _ = people(60, 0)
    scores = np.random.default_rng(9).integers(0, 27, 60).astype(float)
    made = fit_severity(table, scores, np.repeat("HC", 60), "phq-9", permutations=49)
    assert made.scores.r2 < 0.15
    told = made.of(replace(table, values=table.values[:1]))
    assert told["estimate"] is None
    assert told["note"].startswith("no estimate: on held-out people it is no better than chance (p = ")
    assert "low" not in told


def test_a_score_that_only_tells_groups_apart_orders_nobody_within_them() -> None:
    table, _ = people(90, 0)
    labels = np.repeat([0, 1, 2], 30)
    shifted = replace(table, values=table.values + 2.5 * labels[:, None, None])
    scores = 6.0 * labels + np.random.default_rng(3).normal(size=90)
    found = fit_severity(shifted, scores, labels, "phq-9", permutations=19).scores
    assert found.r2 > 0.5
    assert found.within_groups is not None
    assert abs(found.within_groups) < 0.3


def test_scores_that_cannot_be_learnt_are_refused() -> None:
    table, scores = people(30, 0)
    groups = np.repeat("HC", 30)
    few = np.where(np.arange(30) < 19, scores, np.nan)
    with pytest.raises(InputError, match="column phq-9 from 20 people or more, got 19 people; choose another --score"):
        fit_severity(table, few, groups, "phq-9")
    with pytest.raises(InputError, match="got 30 people of one score"):
        fit_severity(table, np.ones(30), groups, "phq-9")
    known = People(("sub-1", "sub-2"), ("HC", "MDD"), {"site": ("A", "B"), "phq-9": ("3", "n/a")})
    values = score_column(known, "PHQ-9", ["sub-2", "sub-1"], ["MDD", "HC"])
    np.testing.assert_array_equal(values, [np.nan, 3])
    with pytest.raises(InputError, match="expected numbers in the column site"):
        score_column(known, "site", ["sub-1"], ["HC"])
    with pytest.raises(InputError, match="expected a column of participants"):
        score_column(known, "bdi", ["sub-1"], ["HC"])
