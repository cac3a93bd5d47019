"""How well overlays are recovered at every vertex."""

import numpy as np
import pytest

from atlas.biomarkers.reliability import coefficient_names
from atlas.biomarkers.vertex_reliability import recovered_share, vertex_reliability
from atlas.motion import MotionSpace, face_mask
from reconstruction.reliability import Reliability
from reconstruction.template import Template


def films(template: Template, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(N, M) true motion of 12 people with 20 frames each, every person about a mean, and whose each is."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(12), 20)
    size = len(coefficient_names(template))
    return 0.3 * rng.normal(size=(240, size)) + 0.2 * rng.normal(size=(12, size))[person], person


def test_the_truth_is_recovered_whole_and_nothing_not_at_all(template: Template, space: MotionSpace) -> None:
    true, person = films(template)
    measured = Reliability(true, 0 * true, true.copy(), person)
    face = face_mask(template)
    for values in recovered_share(template, space, measured, "full").values():
        known = np.isfinite(values)
        assert known[face].mean() > 0.9
        assert np.abs(values[face] - 1)[known[face]].max() < 1e-5
    for values in recovered_share(template, space, measured, "fast").values():
        known = np.isfinite(values)
        assert np.abs(values[face])[known[face]].max() < 1e-5


def test_noise_takes_its_share_of_the_variance(template: Template, space: MotionSpace) -> None:
    true, person = films(template)
    noise = np.random.default_rng(1).normal(size=true.shape)
    found = recovered_share(template, space, Reliability(true, true, true + 0.15 * noise, person), "full")
    assert np.nanmedian(found["motion"][face_mask(template)]) == pytest.approx(1 - 0.15**2 / 0.3**2, abs=0.03)


def test_an_offset_of_everyone_is_no_error_but_one_of_a_person_is(template: Template, space: MotionSpace) -> None:
    true, person = films(template)
    own = np.random.default_rng(2).normal(size=(12, true.shape[1]))[person]
    face = face_mask(template)
    everyone = recovered_share(template, space, Reliability(true, true, true + 0.5, person), "full")
    each = recovered_share(template, space, Reliability(true, true, true + 0.4 * own, person), "full")
    assert np.nanmin(everyone["outward"][face]) > 0.999
    assert np.nanmin(each["motion"][face]) > 0.999
    assert np.nanmedian(each["outward"][face]) < 0.1


def test_what_does_not_move_is_unknown_and_the_skull_hardly_moves(template: Template, space: MotionSpace) -> None:
    found = vertex_reliability(template, space, "full")
    assert set(found) == {"motion", "outward"}
    crown = template.v_template[:, 1].argmax()
    for values in found.values():
        assert np.isnan(values[crown])
        assert np.isfinite(values[face_mask(template)]).mean() > 0.9
        assert np.nanmin(values) >= 0
        assert np.nanmax(values) <= 1
    assert np.nanmedian(vertex_reliability(template, space, "fast")["motion"]) < np.nanmedian(found["motion"])


def test_simulated_parameters_have_none(template: Template, space: MotionSpace) -> None:
    assert vertex_reliability(template, space, "simulated") == {}
