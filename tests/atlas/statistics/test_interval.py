"""Bootstrap intervals over people."""

import numpy as np
import pytest
from scipy import stats

from atlas.statistics.interval import effect_interval


def test_bca_of_two_groups_is_scipys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.gamma(2, size=30), rng.gamma(3, size=25)
    theirs = stats.bootstrap((a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), n_resamples=9999, rng=1)
    group = np.repeat([1.0, 0.0], [30, 25])
    low, high = effect_interval(
        np.concatenate([a, b])[:, None], group, np.ones((55, 1)), group, np.random.default_rng(2), 9999
    )
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_a_resample_is_a_weighted_fit() -> None:
    rng = np.random.default_rng(3)
    group, z, y = np.repeat([1.0, 0.0], 15), rng.normal(size=30), rng.normal(size=(30, 2)) + 5
    low, high = effect_interval(y, group, np.column_stack([np.ones(30), z]), group, np.random.default_rng(4), 400)
    draws = np.random.default_rng(4)
    weights = np.zeros((400, 30))
    for value in (0.0, 1.0):
        weights[:, group == value] = draws.multinomial(15, np.full(15, 1 / 15), 400)
    design = np.column_stack([group, np.ones(30), z])
    by_hand = np.array(
        [np.linalg.lstsq(design * np.sqrt(w)[:, None], y * np.sqrt(w)[:, None], rcond=None)[0][0] for w in weights]
    )
    inside = ((by_hand > low) & (by_hand < high)).mean(0)
    np.testing.assert_allclose(inside, 0.95, atol=0.02)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    group = np.repeat([1.0, 0.0], 25)
    y = rng.gamma(2, size=(50, 1500))
    y[:25] += 0.7
    low, high = effect_interval(y, group, np.ones((50, 1)), group, rng, 400)
    assert 0.91 < ((low < 0.7) & (high > 0.7)).mean() < 0.965


def test_a_draw_without_one_of_a_covariates_values_is_no_trouble() -> None:
    group, rare = np.repeat([1.0, 0.0], 6), np.zeros(12)
    rare[2] = 1
    y = np.random.default_rng(6).normal(size=(12, 3))
    low, high = effect_interval(y, group, np.column_stack([np.ones(12), rare]), group, np.random.default_rng(7), 200)
    assert np.isfinite([low, high]).all()
    assert (np.abs([low, high]) < 10).all()
