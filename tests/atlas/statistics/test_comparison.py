"""Comparisons of groups and relations to a score, from a table to rows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from atlas.biomarkers.table import BiomarkerTable
from atlas.statistics import (
    COLUMNS,
    Contrast,
    Effect,
    People,
    Statistics,
    compare,
    contrasts,
    correlate,
    write_statistics,
)
from reconstruction.errors import InputError

Tables = Callable[..., BiomarkerTable]
GROUPS = ("A",) * 20 + ("B",) * 25
A_B = (Contrast("A", "B"),)


def same(a: Statistics, b: Statistics) -> bool:
    return repr(a.effects) == repr(b.effects)


def test_groups_are_compared_with_the_reference_then_with_each_other() -> None:
    assert [c.label for c in contrasts(["MDD", "HC", "BD", "MDD"], "HC")] == ["BD-HC", "MDD-HC", "MDD-BD"]


def test_a_planted_difference_is_found_with_its_size_interval_and_sign(table_of: Tables) -> None:
    y = np.random.default_rng(0).normal(size=(45, 6))
    y[:20, 2] -= 1.5
    found = compare(table_of(y, GROUPS), None, A_B, permutations=499)
    row = found.effects[2]
    assert (row.level, row.name, row.contrast, row.n_a, row.n_b, row.unit) == ("measure", "q2", "A-B", 20, 25, "mm")
    assert row.effect == pytest.approx(y[:20, 2].mean() - y[20:, 2].mean())
    assert row.low < row.effect < row.high < 0
    pooled = np.sqrt((19 * y[:20, 2].var(ddof=1) + 24 * y[20:, 2].var(ddof=1)) / 43)
    assert row.d == pytest.approx(row.effect / pooled * (1 - 3 / (4 * 43 - 1)))
    assert row.p == 1 / 500
    assert row.p_fwe <= 0.01
    others = [e for e in found.effects if e.name != "q2"]
    assert all(e.p <= e.p_fwe for e in found.effects)
    assert all(e.p_fwe > 0.05 for e in others)
    q = stats.false_discovery_control([e.p for e in found.effects])
    np.testing.assert_allclose([e.q_fdr for e in found.effects], q)


def test_p_without_covariates_is_near_the_t_tests(table_of: Tables) -> None:
    y = np.random.default_rng(1).normal(size=(45, 5))
    found = compare(table_of(y, GROUPS), None, A_B, permutations=4000, resamples=50)
    theirs = stats.ttest_ind(y[:20], y[20:]).pvalue
    np.testing.assert_allclose([e.p for e in found.effects], theirs, atol=0.03)


def test_a_confounded_covariate_takes_the_spurious_effect_away(table_of: Tables) -> None:
    rng = np.random.default_rng(2)
    age = np.concatenate([rng.normal(50, 8, 20), rng.normal(35, 8, 25)])
    y = 0.1 * age[:, None] + 0.3 * rng.normal(size=(45, 3))
    table = table_of(y, GROUPS)
    known = People(table.people, table.groups, {"age": tuple(f"{a:.2f}" for a in age)})
    raw = compare(table, known, A_B, covariates=(), permutations=299)
    adjusted = compare(table, known, A_B, permutations=299)
    assert adjusted.covariates == ("age",)
    assert all(e.p_fwe < 0.01 and e.effect > 1 for e in raw.effects)
    assert all(e.p_fwe > 0.05 and abs(e.effect) < 0.3 for e in adjusted.effects)


def test_families_are_corrected_apart(table_of: Tables) -> None:
    y = np.random.default_rng(3).normal(size=(45, 40))
    y[:20, 0] += 0.8
    together = table_of(y, GROUPS)
    first = replace(together.quantities[0], family="alone")
    apart = replace(together, quantities=(first, *together.quantities[1:]))
    one, other = (compare(t, None, A_B, permutations=499, resamples=20).effects[0] for t in (together, apart))
    assert one.p == other.p == other.p_fwe < one.p_fwe


def test_neither_the_order_of_people_nor_other_contrasts_matter(table_of: Tables) -> None:
    y = np.random.default_rng(4).normal(size=(45, 4))
    y[3, 1] = np.nan
    table = table_of(y, GROUPS)
    known = People(table.people, table.groups, {"age": tuple(str(20 + i % 17) for i in range(45))})
    order = np.random.default_rng(5).permutation(45)
    turned = BiomarkerTable(
        table.quantities,
        tuple(table.people[i] for i in order),
        tuple(table.groups[i] for i in order),
        table.stimuli,
        table.by_stimulus[order],
    )
    first = compare(table, known, A_B, permutations=99, resamples=99)
    assert same(first, compare(turned, known.take(order[::-1]), A_B, permutations=99, resamples=99))
    assert not same(first, compare(table, known, A_B, permutations=99, resamples=99, seed=1))
    more = compare(table, known, (Contrast("B", "A"), *A_B), permutations=99, resamples=99)
    assert repr(more.effects[4:]) == repr(first.effects)


def test_missing_values_leave_people_out_of_their_test_alone(table_of: Tables) -> None:
    y = np.random.default_rng(6).normal(size=(45, 3))
    whole = compare(table_of(y, GROUPS), None, A_B, permutations=199)
    holes = y.copy()
    holes[[0, 30, 31], 1] = np.nan
    holes[:19, 2] = np.nan
    found = compare(table_of(holes, GROUPS), None, A_B, permutations=199)
    a, b, c = found.effects
    assert (a.effect, a.p) == (pytest.approx(whole.effects[0].effect), whole.effects[0].p)
    assert (b.n_a, b.n_b) == (19, 23)
    assert b.effect == pytest.approx(np.nanmean(holes[:20, 1]) - np.nanmean(holes[20:, 1]))
    assert (c.n_a, c.n_b) == (1, 25)
    assert np.isnan([c.effect, c.low, c.d, c.p, c.p_fwe, c.q_fdr]).all()
    assert found.warnings == (
        "A-B: left out of single tests because the value is missing, people: q1 (3)",
        "A-B: known for too few people to be tested: q2",
    )


def test_a_score_is_a_partial_correlation(table_of: Tables) -> None:
    rng = np.random.default_rng(7)
    age, bdi = rng.uniform(20, 60, 45), rng.integers(0, 40, 45).astype(float)
    y = np.stack([0.05 * bdi + 0.02 * age + rng.normal(size=45), rng.normal(size=45)], 1)
    table = table_of(y, GROUPS)
    texts = {"bdi": (*(f"{b:g}" for b in bdi[:-1]), "n/a"), "age": tuple(map(str, age))}
    known = People(table.people, table.groups, texts)
    found = correlate(table, known, "bdi", permutations=499)
    row = found.effects[0]
    rest = [v[:44] - np.polyval(np.polyfit(age[:44], v[:44], 1), age[:44]) for v in (bdi, y[:, 0])]
    assert row.d == pytest.approx(stats.pearsonr(*rest).statistic)
    assert row.effect == pytest.approx(stats.linregress(*rest).slope)
    assert (row.contrast, row.n_a, row.n_b, row.unit) == ("bdi", 44, 0, "mm per point of bdi")
    assert row.low < row.effect < row.high
    assert row.p_fwe < 0.05 < found.effects[1].p_fwe
    assert found.warnings == ("bdi: 1 of 45 people have no value and were left out",)


def test_scores_that_are_none_are_refused(table_of: Tables) -> None:
    table = table_of(np.zeros((45, 1)), GROUPS)
    texts = {"word": ("mild",) * 45, "flat": ("3",) * 45}
    known = People(table.people, table.groups, texts)
    with pytest.raises(InputError, match="expected numbers in the column word, but it holds 'mild'"):
        correlate(table, known, "word")
    with pytest.raises(InputError, match="known for 45 with 1 different values"):
        correlate(table, known, "flat")
    with pytest.raises(InputError, match=r"expected a column of participants.tsv \(group, word, flat\), got 'phq9'"):
        correlate(table, known, "phq9")


def test_a_group_of_one_is_refused(table_of: Tables) -> None:
    with pytest.raises(InputError, match=r"at least 2 people in every group that is tested, but B \(1\) has fewer"):
        compare(table_of(np.zeros((4, 1)), ("A", "A", "A", "B")), None, A_B)


def test_reliability_is_the_calibrations(table_of: Tables) -> None:
    table = table_of(np.random.default_rng(8).normal(size=(45, 2)), GROUPS)
    found = compare(table, None, A_B, permutations=99, resamples=20, reliability={"q0": 0.7})
    assert found.effects[0].reliability == 0.7
    assert np.isnan(found.effects[1].reliability)


def test_the_file_has_the_columns_and_says_what_is_unknown(tmp_path) -> None:
    row = Effect(
        "unit", "AU12", "MDD-HC", 20, 25, -0.123456789, "mm", float("nan"), 0.1, -0.5, 0.001, 0.02, 0.03, float("nan")
    )
    lines = write_statistics([row], tmp_path / "a" / "statistics.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert lines[1] == "unit\tAU12\tMDD-HC\t20\t25\t-0.123457\tmm\tn/a\t0.1\t-0.5\t0.001\t0.02\t0.03\tn/a"
    assert write_statistics([], tmp_path / "b.tsv").read_text().count("\n") == 1
