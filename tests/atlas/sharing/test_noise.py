"""Noise of the level summary: as large as asked, correlated as the values are, and no larger than needed."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.sharing.audit import Comparison
from atlas.sharing.blurring import NOISE, Measured
from atlas.sharing.field_sets import FieldSet, Search, choose_fields, noise_at_cost
from atlas.sharing.occasions import SESSIONS, Rows
from atlas.sharing.summary import Scale, blurred, correlated_noise, cost

PEOPLE = 300
FEW = 60  # for the search, which attacks often


@pytest.fixture(scope="module")
def values():
    """(N, 2, 4) of people: the first two biomarkers correlate, stimuli do strongly."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(PEOPLE, 4)) @ np.array([[1, 0.8, 0, 0], [0, 0.6, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return np.stack([own * [2, 3, 4, 5], own * [1, 1, 2, 9]], 1) + 0.01 * rng.normal(size=(PEOPLE, 2, 4)) + 7


def test_noise_has_the_size_and_the_correlations_of_the_values(values):
    z = Scale.of(values).z(values)
    noise = np.concatenate([correlated_noise(z, 0.5, np.random.default_rng(i)) for i in range(20)])
    assert noise.std(0) == pytest.approx(np.full((2, 4), 0.5), rel=0.06)
    flat, own = noise.reshape(len(noise), -1), z.reshape(PEOPLE, -1)
    assert np.corrcoef(flat.T) == pytest.approx(np.corrcoef(own.T), abs=0.06)
    contrast = flat[:, 0] - flat[:, 4]  # the same biomarker before both stimuli: no more and no less noise than signal
    assert contrast.std() / (own[:, 0] - own[:, 4]).std() == pytest.approx(0.5, rel=0.15)


def test_blurred_values_are_rounded_and_outliers_cut(values):
    wild = values.copy()
    wild[0, 0, 0] = 1000
    scale = Scale.of(values)
    made = blurred(scale.z(wild), np.zeros_like(wild), scale)
    assert np.abs(made / scale.steps - np.round(made / scale.steps)).max() < 1e-6
    assert (scale.steps <= 0.1 * scale.sd).all()
    assert made[0, 0, 0] == pytest.approx(scale.mean[0, 0] + 3 * scale.sd[0, 0], abs=scale.steps[0, 0])


def test_cost_is_what_the_noise_takes(values):
    scale = Scale.of(values)
    stimulus = np.repeat([0, 1], PEOPLE)
    rows = np.concatenate([values[:, 0], values[:, 1]])
    for sd in (0.0, noise_at_cost(), 2.0):
        noise = correlated_noise(scale.z(values), sd, np.random.default_rng(1))
        paid = cost(
            blurred(scale.z(rows, stimulus), np.concatenate([noise[:, 0], noise[:, 1]]), scale, stimulus),
            rows, scale, stimulus,
        )  # fmt: skip
        assert paid.correlation == pytest.approx(1 / np.sqrt(1 + sd**2), abs=0.06)
        assert paid.error == pytest.approx(0.8 * sd, abs=0.06)
    assert noise_at_cost(0.1) == pytest.approx(0.484, abs=1e-3)


@pytest.fixture(scope="module")
def measured():
    """Two days of people before one stimulus, nothing but the second of whom is blurred."""
    rng = np.random.default_rng(2)
    person = rng.normal(size=(FEW, 8))
    gallery, probe = (person + 0.3 * rng.normal(size=person.shape) for _ in range(2))
    who, first = np.arange(FEW), np.zeros(FEW, int)
    scale = Scale.of(probe[:, None])
    z = [scale.z(values[:, None]) for values in (gallery, probe)]
    comparison = Comparison(*z, SESSIONS, np.ones((FEW, FEW), bool))
    rows = Rows(who, first, first, probe)
    return Measured(rows, first, replace(rows, side=first + 1), first, scale, comparison)


NAMES = tuple("abcdefgh")
SETS = (FieldSet("all", NAMES), FieldSet("two", NAMES[:2]), FieldSet("one", NAMES[:1]))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("atlas.sharing.field_sets.DRAWS", 3)
    monkeypatch.setattr("atlas.sharing.field_sets.ROUNDS", 3)


def chosen(measured, sets, limit):
    return choose_fields(sets, Search(measured, NAMES, limit, np.random.default_rng(3)), (NOISE,))


def test_the_widest_set_that_bears_its_noise_is_taken(measured):
    choice = chosen(measured, SETS, 0.2)
    sd, trials = choice.blurred.noise_sd, choice.trials
    assert choice.taken.name == "two"
    assert 0 <= sd <= noise_at_cost() * 1.1
    assert trials[0].name == "all"
    assert trials[0].top1 > 0.5
    assert choice.blurred.top1 <= 0.2
    assert choice.blurred.values.shape == (FEW, 2)


def test_no_more_noise_than_needed(measured):
    sd = chosen(measured, SETS[:1], 0.3).blurred.noise_sd
    rng = np.random.default_rng(4)
    top1 = [np.mean([measured.noisy(range(8), x, rng).top1 for _ in range(4)]) for x in (sd, 0.6 * sd)]
    assert top1[0] < 0.35
    assert top1[1] > 0.3
    assert chosen(measured, SETS[2:], 0.9).blurred.noise_sd == 0
