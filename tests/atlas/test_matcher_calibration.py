"""Calibration: probabilities that spread what is noise, prediction sets that hold every group at its rate."""

import numpy as np
import pytest

from atlas.calibration import Calibration, calibrate, conformal_quantile, decided, novelty_limit, softmax


def calibrated(scores: np.ndarray, labels: np.ndarray, coverage: float = 0.9) -> Calibration:
    return calibrate(scores, labels, np.arange(len(labels)), np.ones(len(labels)), coverage, 0.99)


def test_probabilities_spread_what_is_noise_and_sharpen_what_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 200)
    noise = rng.uniform(-1, 1, (600, 3))
    dull, sharp = calibrated(noise, labels), calibrated(noise + 1.5 * np.eye(3)[labels], labels)
    assert dull.probabilities(noise).max() < 0.6
    assert sharp.temperature < dull.temperature


def test_sets_hold_every_group_at_its_rate_even_one_between_two_others() -> None:
    rng = np.random.default_rng(1)

    def drawn(each: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat([0, 1, 2], each)
        place = rng.normal(size=3 * each) + np.array([-1.5, 0, 1.5])[labels]
        return -((place[:, None] - [-1.5, 0, 1.5]) ** 2) / 2, labels

    held, by_one_limit = [], []
    for _ in range(10):
        made = calibrated(*drawn(100))
        scores, labels = drawn(500)
        chances = made.probabilities(scores)
        sets, own = made.sets(chances), 1 - chances[np.arange(1500), labels]
        held.append([sets[labels == g, g].mean() for g in range(3)])
        by_one_limit.append((own <= np.quantile(own, 0.9))[labels == 1].mean())
    assert np.mean(held, 0) == pytest.approx([0.9] * 3, abs=0.03)
    assert np.mean(by_one_limit) < 0.885  # what one limit for all groups does to the one between


def test_too_few_people_for_the_coverage_exclude_no_group() -> None:
    labels = np.array([0, 1, 0, 1])
    assert calibrated(np.eye(2)[labels], labels).thresholds == (1.0, 1.0)


def test_a_quantile_hits_its_rate_on_average_and_counts_people_not_rows() -> None:
    rng = np.random.default_rng(2)
    limits = [conformal_quantile(rng.uniform(size=25), np.ones(25), 0.9, 1.0) for _ in range(4000)]
    assert np.mean(limits) == pytest.approx(0.9, abs=0.004)  # of uniform values the limit is the share below it
    values, people = rng.uniform(size=30), np.ones(30)
    once = conformal_quantile(values, people, 0.8, 1.0)
    assert conformal_quantile(np.repeat(values, 3), np.repeat(people, 3) / 3, 0.8, 1.0) == pytest.approx(once, abs=0.05)


@pytest.mark.parametrize("people", [30, 300])
def test_novelty_refuses_about_one_of_a_hundred_of_the_same_kind(people: int) -> None:
    rng = np.random.default_rng(people)
    beyond = []
    for _ in range(200):
        seen, new = np.exp(rng.normal(0, 0.2, people)), np.exp(rng.normal(0, 0.2, 500))
        beyond.append((new > novelty_limit(seen, np.ones(people), 0.99)).mean())
    assert np.mean(beyond) == pytest.approx(0.01, abs=0.004)


def test_a_calibration_survives_json_with_what_it_does_not_know() -> None:
    made = Calibration(0.3, (0.5, 1.0), np.nan, np.inf, 4)
    document = made.to_json()
    assert (document["novelty"], document["novelty_limit"]) == (None, None)
    back = Calibration.from_json(document)
    assert np.isnan(back.novelty)
    assert (back.novelty_limit, back.thresholds) == (np.inf, (0.5, 1.0))
    assert softmax(np.zeros(4)).tolist() == [0.25] * 4


def test_a_group_is_named_only_where_it_is_left_alone_and_nearest() -> None:
    sets = np.array([[True, False, False], [False, True, False], [True, True, False], [False, False, False]])
    assert decided(sets, np.array([0, 0, 0, 0])).tolist() == [True, False, False, False]
    assert decided(np.stack([sets, sets]), np.array([[0] * 4, [1] * 4]))[1].tolist() == [False, True, False, False]
