"""What a calibration learns."""

from dataclasses import fields, replace

import numpy as np
import pytest

from reconstruction.fitting import Regressor
from reconstruction.motion import motion_names
from reconstruction.photographer import Renders
from reconstruction.skin_noise import UNSEEN
from reconstruction.training import calibrate, judge, learn


def test_from_a_detector_without_fault_everything_is_learnt(template, ideal_calibration):
    assert (ideal_calibration.reliability > 0.9).mean() > 0.85, "all but expressions that resemble each other"
    assert ideal_calibration.reliability.min() > 0.5
    assert np.median(ideal_calibration.slope) == pytest.approx(1, abs=0.1)
    assert np.median(ideal_calibration.shape_reliability[:20]) > 0.98
    assert ideal_calibration.template_sha256 == template.sha256


def test_noise_lowers_the_reliability_that_is_reported(template, ideal_calibration, ideal_renders):
    noisy = Renders(**{f.name: getattr(ideal_renders, f.name).copy() for f in fields(Renders)})
    noisy.points += np.random.default_rng(0).normal(0, 3, noisy.points.shape).astype(np.float32)
    reliability = learn(template, noisy, {}).reliability
    assert (reliability < ideal_calibration.reliability).all()


def test_reliability_is_measured_on_other_people(ideal_calibration, ideal_renders):
    """Judged on the very people it learnt from it must look at least as good: the trial did not see them."""
    own = judge(ideal_calibration, ideal_renders.of(ideal_renders.person >= ideal_renders.person.max() - 25))
    assert np.median(own["reliability"]) >= np.median(ideal_calibration.reliability)


def test_learning_twice_gives_the_same(template, ideal_calibration, ideal_renders):
    again = learn(template, ideal_renders, ideal_calibration.provenance)
    for f in fields(again):
        np.testing.assert_array_equal(getattr(again, f.name), getattr(ideal_calibration, f.name))


def test_rounding_of_two_features_that_say_the_same_is_no_news(template, ideal_renders):
    said = ideal_renders.motion[:, :1] + 0.01 * np.random.default_rng(0).normal(size=(len(ideal_renders.person), 1))
    said = np.repeat(said.astype(np.float32), 2, 1)
    regress = Regressor(learn(template, replace(ideal_renders, features=said, features_twice=said), {}))
    here = ideal_renders.person == ideal_renders.person[0]
    points, weight = ideal_renders.points[here], np.ones(here.sum())
    equal, rounded = (regress(points, said[here] + off, weight, 1.0).motion for off in ([0, 0], [0, 1e-6]))
    assert np.abs(equal - rounded).max() < 0.01


@pytest.mark.slow
def test_from_rendered_people_blinks_smiles_and_the_jaw_are_learnt(template):
    calibration = calibrate(template, people=150, frames=6, seed=3, jobs=2, trial=4)
    reliable = dict(zip(motion_names(template), calibration.reliability, strict=True))
    assert calibration.provenance["frames_found"] > 800
    shown = calibration.skin_sd[calibration.skin_sd < 0.9 * UNSEEN]  # half of the windows are used, like a chessboard's
    assert len(shown) > 0.2 * calibration.skin_sd.size
    assert 1e-4 < np.median(shown) < 1e-3
    assert calibration.measured.people == 4
    assert min(reliable[name] for name in ("eyeBlinkLeft", "jaw_x", "mouthSmileLeft")) > 0.4


@pytest.mark.slow
def test_any_number_of_jobs_learns_the_same(template, monkeypatch):
    monkeypatch.setattr("reconstruction.training.CHUNK", 3)
    monkeypatch.setattr("reconstruction.training.FILM_CHUNK", 1)
    monkeypatch.setattr("reconstruction.training.TRIAL_FRAMES", 8)
    steps = []
    one, two = (
        calibrate(template, 6, 3, seed=3, jobs=jobs, trial=2, progress=lambda *step: steps.append(step))
        for jobs in (1, 2)
    )
    assert steps[: len(steps) // 2] == [
        *(("photograph", n, 6) for n in (3, 6)), ("skin", 1, 1), *(("trial", n, 2) for n in (1, 2))
    ]  # fmt: skip
    np.testing.assert_array_equal(one.skin_sd, two.skin_sd)
    for name, values in vars(one.measured).items():
        np.testing.assert_array_equal(values, getattr(two.measured, name))
    np.testing.assert_array_equal(one.canonical, two.canonical)
    np.testing.assert_array_equal(one.motion_effect, two.motion_effect)
