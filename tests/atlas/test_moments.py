"""Moments in one pass are those of all rows at once."""

import numpy as np
import pytest

from atlas.moments import Moments


@pytest.mark.parametrize("weighted", [False, True])
def test_parts_merge_into_the_whole(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 4)) @ rng.normal(size=(4, 4)) + 1000  # a mean that is large against the spread
    weights = rng.uniform(0, 3, 90) if weighted else np.ones(90)
    merged = Moments.none(4)
    for part in np.split(np.arange(90), [1, 2, 40, 40]):
        merged += Moments.of(rows[part], weights[part])
    np.testing.assert_allclose(merged.mean, np.average(rows, axis=0, weights=weights), rtol=1e-13)
    np.testing.assert_allclose(merged.covariance, np.cov(rows.T, aweights=weights), rtol=1e-10)
    np.testing.assert_allclose(merged.spread, np.cov(rows.T, aweights=weights, ddof=0), rtol=1e-10)
    assert merged.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_one_row_has_no_spread_and_none_has_nothing() -> None:
    one = Moments.of(np.array([[1.0, 2.0]]), np.array([3.0]))
    np.testing.assert_array_equal(one.covariance, 0)
    np.testing.assert_array_equal(one.sd, 0)
    assert one.effective == pytest.approx(1)
    empty = Moments.none(2) + Moments.of(np.ones((3, 2)), np.zeros(3))
    assert (empty.weight, empty.effective) == (0, 0)
    np.testing.assert_array_equal((empty + one).mean, [1, 2])
