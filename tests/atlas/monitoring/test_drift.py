"""Drift of inputs, calibration and subgroups: quiet where nothing changes, loud where something does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from atlas.calibration import softmax
from atlas.excess import adjusted, excess
from atlas.inputs import InputReference, reference_of
from atlas.monitoring import Entry
from atlas.monitoring.alarm import Rate
from atlas.monitoring.calibration_drift import CalibrationDrift, calibration_drift, temperature_error
from atlas.monitoring.input_alarms import InputDrift, input_drift
from atlas.monitoring.input_drift import (
    cusum,
    discrepancy_p,
    feature_drift,
    halves,
    kernel_of,
    largest_cusums,
    null_cusums,
    scores,
    values_of,
)
from atlas.monitoring.subgroup_drift import subgroup_drift

GROUPS, STIMULI = ("BD", "HC", "MDD"), ("anger", "joy")
Make = Callable[..., list[Entry]]


def drift(entries: list[Entry], reference: InputReference, draws: int = 10) -> dict[str, Any]:
    found = input_drift(entries, [reference], STIMULI, 0, draws)
    return {alarm.name: alarm for alarm in found.alarms} | {"found": found}


def test_each_kind_of_change_sets_off_its_own_alarm(make: Make, reference: InputReference) -> None:
    quiet = drift(make(60), reference)
    assert [name for name, a in quiet.items() if name != "found" and a.fired] == []
    shifted = drift(make(60, shift=1.2), reference)
    assert shifted["features"].fired
    inputs: InputDrift = shifted["found"]
    assert inputs.features[0].name == "AU01"
    before = next(f.shift for f in quiet["found"].features if f.name == "AU01")
    assert inputs.features[0].shift - before == pytest.approx(1.2 / reference.sd[0])
    assert inputs.features[0].psi > 0.25 > np.median([f.psi for f in inputs.features])
    assert drift(make(60, late=1.5), reference)["novelty"].fired
    assert drift(make(60, turn=3.0), reference)["embeddings"].fired
    fast = [replace(e, frame_rate=60.0) if i % 4 == 0 else e for i, e in enumerate(make(60))]
    rates = drift(fast, reference)["frame rate"]
    assert rates.fired
    assert rates.found == 15


def test_rates_are_measured_and_say_how_sure(make: Make, reference: InputReference) -> None:
    alarms = drift(make(40), reference, draws=60)
    for name in ("features", "novelty", "embeddings", "frame rate"):
        rate: Rate = alarms[name].false_alarms
        assert rate.draws == 60
        assert rate.low <= 0.06  # 5 % wanted
        assert alarms[name].power.share > rate.share
        assert alarms[name].shift


def test_few_people_are_not_asked(make: Make, reference: InputReference) -> None:
    alarms = drift(make(12), reference)
    for name in ("features", "novelty", "embeddings", "frame rate"):
        assert alarms[name].silent == "12 people, fewer than 20"
        assert not alarms[name].fired
    partly = [replace(e, stimuli=("anger",)) for e in make(30)]  # the atlas knows no single recordings
    assert drift(partly, reference)["features"].silent == "0 people, fewer than 20"


def test_features_p_is_uniform_where_nothing_changed(reference: InputReference) -> None:
    rng = np.random.default_rng(3)
    size = len(reference.names)
    p = []
    for _ in range(60):
        fresh = reference_of(rng.normal(size=(80, size)), reference.names, range(80), "whole", (0, 0))
        p += [row.p for row in feature_drift([(fresh, rng.normal(size=(50, size)))])]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.025)


def test_bins_hold_many_people_and_nobody_alone(reference: InputReference) -> None:
    assert reference.counts.shape[1] == 8
    assert reference.counts.min() >= 9
    assert reference.counts.sum(1) == pytest.approx(np.full(len(reference.names), 80))
    owners = np.repeat(np.arange(20), 3)
    shared = reference_of(np.random.default_rng(0).normal(size=(60, 2)), ("a", "b"), owners, "single", (1, 2))
    assert shared.people == 20
    assert shared.counts.sum(1) == pytest.approx([20, 20])


def test_unknown_values_take_no_part(make: Make, reference: InputReference) -> None:
    entries = [replace(e, features={k: v for k, v in e.features.items() if k != "AU02"}) for e in make(30)]
    values = values_of(entries, reference)
    assert np.isnan(values[:, reference.names.index("AU02")]).all()
    assert "AU02" not in [row.name for row in feature_drift([(reference, values)])]


def test_cusum_is_pages() -> None:
    z = np.array([1.0, 2.0, -1.0, 0.0, -3.0])
    up, down = cusum(z)
    assert up.tolist() == [0.5, 2.0, 0.5, 0.0, 0.0]
    assert down.tolist() == [0.0, 0.0, 0.5, 0.0, 2.5]
    assert largest_cusums(np.array([z])).tolist() == [2.5]
    edges = stats.norm.ppf([0.25, 0.5, 0.75])
    found = scores(np.array([-9.0, -0.1, 0.1, 9.0]), edges, np.full(4, 20.0))
    assert found == pytest.approx([-1.2711, -0.3247, 0.3247, 1.2711], abs=1e-3)  # means of a normal's quarters
    assert (null_cusums(30, 80, 8, 5, 20) == null_cusums(30, 80, 8, 5, 20)).all()


def test_discrepancy_permutes_people_over_time() -> None:
    rng = np.random.default_rng(2)
    same = rng.normal(size=(40, 3))
    later = halves(40)
    assert discrepancy_p(kernel_of(same), later, rng)[1] > 0.05
    assert discrepancy_p(kernel_of(same + 2 * later[:, None]), later, rng)[1] == pytest.approx(1 / 200)


def test_excess_is_zero_on_average_where_probabilities_hold() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (rng.random((4000, 1)) > p.cumsum(1)[:, :-1]).sum(1)
    found, variance = excess(p, labels)
    assert abs(found.sum() / np.sqrt(variance.sum())) < 3
    assert found.var() == pytest.approx(variance.mean(), rel=0.1)
    sure = p**3 / (p**3).sum(1, keepdims=True)
    found, variance = excess(sure, labels)
    assert found.sum() / np.sqrt(variance.sum()) > 5  # too sure
    rare = np.r_[labels, np.zeros(8000, int)]
    fair = adjusted(np.tile([1 / 3, 1 / 3, 1 / 3], (len(rare), 1)), rare)
    assert fair[0] == pytest.approx(np.bincount(rare) / len(rare))


def drawn(entries: list[Entry], power: float, seed: int = 5) -> dict[str, str]:
    """Outcomes drawn from the probabilities to a power: 1 as they say, less where they are too sure."""
    rng = np.random.default_rng(seed)
    out = {}
    for e in entries:
        p = np.array([e.probabilities[g] for g in GROUPS]) ** power
        out[str(e.person)] = GROUPS[int(rng.choice(3, p=p / p.sum()))]
    return out


def calibrated(entries: list[Entry], outcomes: dict[str, str], **changed: Any) -> CalibrationDrift:
    settings: dict[str, Any] = {"held_out": {"people": 80, "mean": 0.0, "sd": 0.4}, "calibrated_on": 80,
                                "coverage": 0.8, "seed": 0, "draws": 100} | changed  # fmt: skip
    found = calibration_drift(entries, outcomes, GROUPS, **settings)
    assert found is not None
    return found


def test_probabilities_that_are_too_sure_are_found(make: Make) -> None:
    entries = make(150, sure=2.0)
    good, bad = (calibrated(entries, drawn(entries, power)) for power in (1.0, 0.2))
    assert not good.alarms[0].fired
    assert bad.alarms[0].fired
    assert bad.spiegelhalter > 3 > abs(good.spiegelhalter)
    assert sum(g["observed"] for g in good.groups.values()) == 150
    for row in good.groups.values():
        assert row["low"] < row["ratio"] < row["high"]
    false, power = good.alarms[0].false_alarms, good.alarms[0].power
    assert false is not None
    assert power is not None
    assert false.low <= 0.05
    assert power.share > false.share


def test_the_error_of_a_temperature_is_what_refitting_it_shows() -> None:
    """The mean excess of new people, over calibrations of 60 people each, scatters as `temperature_error` says."""
    rng = np.random.default_rng(8)
    logits = 1.5 * rng.normal(size=(3000, 3))
    fair = softmax(logits)
    means = []
    for _ in range(40):
        some = rng.choice(3000, 60, replace=False)
        labels = (rng.random((60, 1)) > fair[some].cumsum(1)[:, :-1]).sum(1)

        def loss(log_t: float, some: np.ndarray = some, labels: np.ndarray = labels) -> float:
            return -float(np.log(softmax(logits[some] / np.exp(log_t))[np.arange(60), labels]).sum())

        given = softmax(logits / np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))
        means.append(float((2 * (given**2).sum(1) - 2 * (fair * given).sum(1)).mean()))
    assert temperature_error(fair, 60) == pytest.approx(np.std(means), rel=0.35)
    assert temperature_error(fair, 240) == pytest.approx(temperature_error(fair, 60) / 2, rel=0.1)


def test_coverage_is_compared_with_what_so_small_a_calibration_gives(make: Make) -> None:
    entries = [replace(e, prediction_set=("HC",), decision="HC") for e in make(40)]
    people = [str(e.person) for e in entries]
    all_right = dict.fromkeys(people, "HC")
    half = {p: "HC" if i % 2 else "BD" for i, p in enumerate(people)}
    assert not calibrated(entries, all_right, coverage=0.9).alarms[1].fired
    missed = calibrated(entries, half, coverage=0.9)
    alarm = missed.alarms[1]
    assert alarm.fired
    assert (missed.covered, alarm.found) == (0.5, 20.0)
    law = stats.betabinom(40, 73, 8)  # ceil(81 * 0.9) = 73 of 80
    assert law.cdf(alarm.threshold) <= 0.05 < law.cdf(alarm.threshold + 1)
    wide = calibrated(entries, half, coverage=0.9, calibrated_on=10).alarms[1]
    assert wide.threshold is not None
    assert alarm.threshold is not None
    assert wide.threshold < alarm.threshold


def test_without_enough_outcomes_calibration_is_not_judged(make: Make) -> None:
    entries = make(40)
    few = dict(list(drawn(entries, 1.0).items())[:19])
    assert calibration_drift(entries, few, GROUPS, {}, 80, 0.9, 0, 50) is None
    strange = dict.fromkeys(drawn(entries, 1.0), "SCZ")
    assert calibration_drift(entries, strange, GROUPS, {}, 80, 0.9, 0, 50) is None


def test_a_worse_subgroup_is_found_and_an_equal_one_is_not(make: Make) -> None:
    entries = make(80)
    sexes = {"sex": {str(e.person): "FM"[i % 2] for i, e in enumerate(entries)}}
    gaps, alarm = subgroup_drift(entries, sexes, {}, 0, 100)
    assert not alarm.fired
    assert {(g.value, g.measure) for g in gaps} == {(s, m) for s in "FM" for m in ("inconclusive", "similarity")}
    worse = [
        replace(e, decision="inconclusive") if i % 2 == 0 else replace(e, decision="HC") for i, e in enumerate(entries)
    ]
    gaps, alarm = subgroup_drift(worse, sexes, {}, 0, 100)
    assert alarm.fired
    women = next(g for g in gaps if (g.value, g.measure) == ("F", "inconclusive"))
    assert (women.mean, women.others_mean, women.gap) == (1.0, 0.0, 1.0)
    assert women.low > 0.8
    assert alarm.false_alarms is not None
    assert alarm.false_alarms.low <= 0.05


def test_subgroups_of_a_few_people_are_not_told(make: Make) -> None:
    entries = make(40)
    sites = {"site": {str(e.person): "small" if i < 4 else "large" for i, e in enumerate(entries)}}
    gaps, alarm = subgroup_drift(entries, sites, {}, 0, 50)
    assert gaps == []
    assert alarm.silent == "fewer than 20 people whose sex, age or site is known"


def test_coverage_of_subgroups_where_outcomes_are_known(make: Make) -> None:
    entries = [replace(e, prediction_set=("HC",)) for e in make(40)]
    outcomes = {str(e.person): "HC" if i % 2 else "BD" for i, e in enumerate(entries)}
    sexes = {"sex": {str(e.person): "FM"[i % 2] for i, e in enumerate(entries)}}
    gaps, alarm = subgroup_drift(entries, sexes, outcomes, 0, 100)
    covered = next(g for g in gaps if (g.value, g.measure) == ("M", "covered"))
    assert (covered.mean, covered.others_mean) == (1.0, 0.0)
    assert alarm.fired
