"""Permutation of linear models, against closed forms and against permutation done by hand."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from atlas.statistics.permutation import among, fit, model, orders, p_values, shuffled_t, step_down

RNG = np.random.default_rng(0)
ONES = np.ones((20, 1))
GROUP = np.repeat([1.0, 0.0], [9, 11])


def test_t_of_two_groups_and_of_a_slope_are_scipys() -> None:
    y, score = RNG.normal(size=(20, 3)), RNG.normal(size=20)
    found = fit(model(GROUP, ONES), y)
    np.testing.assert_allclose(found.t, stats.ttest_ind(y[:9], y[9:]).statistic)
    np.testing.assert_allclose(found.effect, y[:9].mean(0) - y[9:].mean(0))
    slope = stats.linregress(score, y[:, 0])
    found = fit(model(score, ONES), y)
    assert found.effect[0] == pytest.approx(slope.slope)
    assert found.t[0] == pytest.approx(slope.slope / slope.stderr)


def test_covariates_as_in_the_normal_equations() -> None:
    z, y = RNG.normal(size=(20, 2)), RNG.normal(size=(20, 2))
    design = np.column_stack([GROUP, ONES, z])
    solution, rest, _, _ = np.linalg.lstsq(design, y, rcond=None)
    error = np.sqrt(rest / 16 * np.linalg.inv(design.T @ design)[0, 0])
    found = fit(model(GROUP, np.column_stack([ONES, z])), y)
    np.testing.assert_allclose(found.effect, solution[0])
    np.testing.assert_allclose(found.t, solution[0] / error)


def test_every_permuted_t_is_that_of_the_permuted_residuals() -> None:
    z, y = RNG.normal(size=(20, 2)), RNG.normal(size=(20, 4))
    of = model(GROUP, np.column_stack([ONES, z]))
    residuals = fit(of, y).residuals
    shuffles = orders(20, 5, RNG)
    by_hand = [fit(of, residuals[order] + (y - residuals)).t for order in shuffles]  # Freedman and Lane, as written
    np.testing.assert_allclose(shuffled_t(of, residuals, shuffles), by_hand)


def test_without_covariates_it_is_the_plain_permutation_test() -> None:
    y = np.array([[3.1, 2.0, 4.4, 0.3, 1.2, 0.1]]).T
    group = np.array([1.0, 1, 1, 0, 0, 0])
    everything = np.array(list(permutations(range(6))), np.int32)
    of = model(group, np.ones((6, 1)))
    found = fit(of, y)
    all_t = shuffled_t(of, found.residuals, everything)[:, 0]
    exact = stats.permutation_test((y[:3, 0], y[3:, 0]), lambda a, b: abs(a.mean() - b.mean()), alternative="greater")
    assert np.mean(np.abs(all_t) >= abs(found.t[0]) - 1e-9) == pytest.approx(exact.pvalue)


def test_permutations_keep_to_their_blocks() -> None:
    blocks = np.array([0, 1, 0, 1, 1, 0])
    drawn = orders(6, 200, np.random.default_rng(1), blocks)
    assert (blocks[drawn] == blocks).all()
    assert (np.sort(drawn, axis=1) == np.arange(6)).all()
    assert len(np.unique(drawn, axis=0)) == 36


def test_permutations_among_some_are_permutations_and_as_likely() -> None:
    kept = np.array([True, False, True, True, False])
    drawn = among(orders(5, 6000, np.random.default_rng(2)), kept)
    each, counts = np.unique(drawn, axis=0, return_counts=True)
    assert (np.sort(each, axis=1) == np.arange(3)).all()
    assert len(each) == 6
    assert stats.chisquare(counts).pvalue > 0.001


def test_p_is_never_zero_and_counts_the_found_arrangement() -> None:
    shuffled = np.array([[0.5, -3.0], [1.0, 0.0], [-2.0, 1.0]])
    np.testing.assert_allclose(p_values(np.array([2.0, 5.0]), shuffled), [2 / 4, 1 / 4])


def test_step_down_by_hand() -> None:
    found = np.array([1.0, -3.0, 2.0, np.nan])
    shuffled = np.array([[1.5, 0.1, 0.2, 9], [0.1, -2.5, 0.3, 9], [0.0, 0.1, 1.2, 9], [0.2, 0.2, 0.4, 9.0]])
    # -3: no largest reaches it; 2: of columns 0 and 2 none; 1: of column 0 the first
    np.testing.assert_allclose(step_down(found, shuffled), [2 / 5, 1 / 5, 1 / 5, np.nan])


def test_values_that_never_differ_have_no_effect() -> None:
    y = np.column_stack([np.full(20, 0.1), RNG.normal(size=20)])
    found = fit(model(GROUP, ONES), y)
    assert found.t[0] == found.effect[0] == found.sd[0] == 0
    assert p_values(found.t, shuffled_t(model(GROUP, ONES), found.residuals, orders(20, 50, RNG)))[0] == 1


def test_family_wise_error_of_max_t_is_five_percent() -> None:
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(12, 12))
    z = rng.normal(size=(24, 1))
    group = np.repeat([1.0, 0.0], 12)
    alarms = 0
    for _ in range(300):
        y = np.exp(0.4 * rng.normal(size=(24, 12)) @ mixing / 3) + z  # correlated, skewed, driven by a covariate
        of = model(group, np.column_stack([np.ones(24), z]))
        found = fit(of, y)
        alarms += step_down(found.t, shuffled_t(of, found.residuals, orders(24, 99, rng))).min() <= 0.05
    low, high = stats.binomtest(15, 300).proportion_ci(0.999)
    assert 300 * low < alarms < 300 * high
