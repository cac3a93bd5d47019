"""The Bayes-optimal decision on simulated people: right about the model, and about recordings made by it."""

import numpy as np
import pytest

from atlas.aggregation import feature_names, summarise, template_units
from atlas.features import FeatureTable
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from atlas.simulation.bayes import VARYING, bayes_accuracy, draw_observed, observed, posterior
from atlas.simulation.effects import QUANTITIES
from atlas.simulation.recording import OCCASION
from reconstruction.errors import InputError
from reconstruction.template import Template

PLANTED = {"MDD": {"AU12": -1.2, "head_speed": -1.0, "blink_duration": 0.8}, "BD": {"AU02": 1.0, "blink_rate": 1.2}}


def test_the_accuracy_is_that_of_its_decisions() -> None:
    told = bayes_accuracy(PLANTED, seconds=10, people=600)
    assert told.low < told.accuracy < told.high
    assert told.people == 1800
    rng = np.random.default_rng(5)
    groups = (*PLANTED, "HC")
    right = [
        (posterior(draw_observed(PLANTED.get(g, {}), 600, 5, 10.0, rng), PLANTED).argmax(1) == i).mean()
        for i, g in enumerate(groups)
    ]
    assert np.mean(right) == pytest.approx(told.accuracy, abs=0.04)


def test_nothing_planted_is_chance_and_more_is_more() -> None:
    assert bayes_accuracy("none", people=200).accuracy == pytest.approx(1 / 3)
    half = {g: {q: d / 2 for q, d in planted.items()} for g, planted in PLANTED.items()}
    assert bayes_accuracy(half, people=400).high < bayes_accuracy(PLANTED, people=400).low


def test_one_group_alone_is_always_known_and_sizes_weigh() -> None:
    assert bayes_accuracy(PLANTED, {"MDD": 10}, people=100).accuracy == 1
    uneven = bayes_accuracy(PLANTED, {"MDD": 1, "BD": 1, "HC": 98}, people=200).accuracy
    assert uneven > 0.97


def test_a_posterior_of_one_quantity_is_bayes_rule() -> None:
    """A quantity that is seen exactly: the odds are the ratio of its densities."""
    planted = {"MDD": {"blink_duration": 0.8}}
    seen = draw_observed({}, 400, 5, 10.0, np.random.default_rng(0))
    chances = posterior(seen, planted)
    from scipy import stats

    level = stats.beta(2, 4)
    mean, sd = level.mean(), level.std()
    densities = np.stack([level.pdf(mean + sd * (seen.duration - d)) for d in (0.8, 0.0)], 1)
    expected = densities / densities.sum(1, keepdims=True)
    np.testing.assert_allclose(chances, expected, atol=0.01)


def test_recordings_tell_what_the_model_says(template: Template, space: MotionSpace) -> None:
    stimuli, units = ("happiness", "neutral"), template_units(template)
    names = feature_names(space, units)
    people = simulate_people(30, PLANTED, 2, template)
    values = np.full((30, 3, len(names)), np.nan)
    for i, person in enumerate(people):
        for q, stimulus in enumerate(stimuli):
            film = simulate_recording(person, stimulus, 10, 10, 0, template)
            values[i, q] = summarise(film, stimulus, space, units).features
    seen = observed(FeatureTable(names, stimuli, values), 10.0)
    z = np.array([[p.levels[q] for q in VARYING] for p in people])
    error = seen.levels - z
    assert np.abs(error.mean()) < 0.02
    assert error.std() == pytest.approx(OCCASION / np.sqrt(2), rel=0.1)
    rate = 16 * (1 + 0.3 * np.array([p.levels["blink_rate"] for p in people])) / 6
    assert (np.abs(seen.blinks - rate[:, None]) < 1).all()
    assert QUANTITIES.index("blink_rate") not in [QUANTITIES.index(q) for q in VARYING]


def test_sizes_and_recordings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="expected the sizes of MDD, BD, HC, got those of XX; give the effects"):
        bayes_accuracy(PLANTED, {"XX": 3})
    lacking = FeatureTable(("AU12",), ("happiness",), np.full((2, 2, 1), np.nan))
    with pytest.raises(InputError, match="expected a recording of every person before each stimulus"):
        observed(lacking, 10.0)
