"""Bootstrap over people of weighted group means, with or without an adjustment for age, all resamples at once.

People are drawn with replacement within each group. Weighted sums over people are all that means and slopes need, so
that a thousand resamples are a few matrix products.
"""

from collections.abc import Mapping, Sequence

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
NORMAL = 1.959964  # half the width of a `LEVEL` interval in standard errors

ByGroup = Mapping[str, np.ndarray]


def slope(rows: ByGroup, weights: ByGroup, ages: ByGroup) -> np.ndarray:
    """(K,) change per year by weighted least squares, one slope within all groups.

    rows : (N, K) of every group; weights, ages : (N,); zero where nobody's age departs from their group's mean
    """
    every = {group: w[None] for group, w in weights.items()}
    sums = [_about_age(rows[group], ages[group], every[group]) for group in sorted(rows)]
    return _slopes(sums)[0]


def group_means(
    rows: ByGroup,
    weights: ByGroup,
    ages: ByGroup | None,
    age: float,
    seed: Sequence[int],
    resamples: int = RESAMPLES,
) -> dict[str, np.ndarray]:
    """{group: (R, K)} weighted means of resamples; with `ages` at the given age, the slope estimated in each anew."""
    drawn = {}
    for number, group in enumerate(sorted(rows)):
        n = len(rows[group])
        rng = np.random.default_rng([*seed, number])
        drawn[group] = rng.multinomial(n, np.full(n, 1 / n), size=resamples) * weights[group]
    if ages is None:
        return {group: w @ rows[group] / w.sum(1, keepdims=True) for group, w in drawn.items()}
    sums = {group: _about_age(rows[group], ages[group], w) for group, w in drawn.items()}
    steep = _slopes(list(sums.values()))
    return {group: mean + steep * (age - mean_age)[:, None] for group, (mean, mean_age, _, _) in sums.items()}


Sums = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _about_age(rows: np.ndarray, ages: np.ndarray, weights: np.ndarray) -> Sums:
    """Of every row of weights (R, N): mean row (R, K), mean age (R,), and summed products with the age's departure from
    its mean, of the age itself (R,) and of the rows (R, K).
    """
    total = weights.sum(1)
    mean, mean_age = weights @ rows / total[:, None], weights @ ages / total
    middle = ages.mean()  # products are taken about it, so that little is lost in the differences
    centred = ages - middle
    squares = weights @ centred**2 - total * (mean_age - middle) ** 2
    products = weights @ (centred[:, None] * rows) - (total * (mean_age - middle))[:, None] * mean
    return mean, mean_age, squares, products


def _slopes(sums: Sequence[Sums]) -> np.ndarray:
    """(R, K) pooled over groups; zero where ages do not vary."""
    squares, products = sum(s[2] for s in sums)[:, None], sum(s[3] for s in sums)
    return np.divide(products, squares, out=np.zeros_like(products), where=squares > 1e-9)
