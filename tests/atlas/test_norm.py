"""Norms by age and sex, and where a person stands against them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from atlas.aggregation import AggregatedFace, RecordingSummary, feature_names, template_units
from atlas.atlas import Atlas
from atlas.atlas_file import load_atlas, save_atlas
from atlas.features import block
from atlas.motion import MotionSpace, face_mask
from atlas.norm import FARTHEST, Norm, fit_norms, person_maps
from atlas.overlay import outward_directions
from atlas.standing import standing
from reconstruction.template import Template


@pytest.fixture(scope="module")
def make(template: Template, space: MotionSpace) -> Callable[..., AggregatedFace]:
    """``make(id, smile, age, sex)``: somebody whose mean smile is that, before every stimulus."""
    names = feature_names(space, template_units(template))
    column, unit = space.names.index("mouthSmileLeft"), names.index("AU12")

    def one(
        identity: str,
        smile: float,
        age: float | None,
        sex: str | None,
        stimuli: Sequence[str] = ("anger", "joy"),
        simulated: bool = True,
    ) -> AggregatedFace:
        features = np.zeros(len(names))
        features[unit] = smile
        mean, covariance = np.zeros(space.size), np.zeros((space.size, space.size))
        mean[column], covariance[column, column] = smile, smile**2
        recordings = tuple(
            RecordingSummary(s, 100, 100, np.zeros(template.n_shape), mean, covariance, features, "", simulated)
            for s in stimuli
        )
        return AggregatedFace(identity, "HC", recordings, age, sex)

    return one


def people(make: Callable[..., AggregatedFace], number: int = 24, **about: object) -> list[AggregatedFace]:
    """A line: 0.5 + 0.01 a year from 40, men 0.1 above women, and a scatter of 0.05."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(number):
        age, sex = float(20 + 2 * i), "FM"[i % 2]
        smile = 0.5 + 0.01 * (age - 40) + 0.1 * (sex == "M") + rng.normal(0, 0.05)
        out.append(make(f"sub-{i:02d}", smile, age, sex, **about))
    return out


@pytest.fixture(scope="module")
def norm(make: Callable[..., AggregatedFace], template: Template, space: MotionSpace) -> Norm:
    found = fit_norms(people(make), template, space, "HC", ("anger", "joy"))
    assert set(found) == {None, "anger", "joy"}
    return found[None]  # type: ignore[return-value]


def test_a_planted_line_in_age_and_sex_is_found(norm: Norm, template: Template, space: MotionSpace) -> None:
    assert norm.covariates == ("age", "sex")
    assert (norm.people, norm.women, norm.men, norm.age_low, norm.age_high) == (24, 12, 12, 20, 70)
    place = norm.quantities.index("AU12")
    for age, sex, truth in ((40, "F", 0.5), (60, "F", 0.7), (60, "M", 0.8)):
        mean, sd = norm.expected("named", age, sex)
        assert mean[place] == pytest.approx(truth, abs=0.06)
        assert 0.03 < sd[place] < 0.09
    direction = outward_directions(template, space)[:, space.names.index("mouthSmileLeft")]
    most = np.abs(direction).argmax()
    assert norm.expected("outward", 60, "M")[0][most] == pytest.approx(0.8 * direction[most], rel=0.1)


def test_z_is_that_of_one_case_against_a_small_sample(
    make: Callable[..., AggregatedFace], template: Template, space: MotionSpace
) -> None:
    """Crawford and Howell (1998), with nothing known of age and sex."""
    smiles = [0.3, 0.5, 0.4, 0.6, 0.7, 0.5]
    members = [make(f"sub-{i}", smile, None, None) for i, smile in enumerate(smiles)]
    norms = fit_norms(members, template, space, "HC", ("anger", "joy"))
    assert norms[None].covariates == ()
    found = standing(make("sub-9", 0.9, 33, "F"), norms, ("anger", "joy"), template, space)
    assert found is not None
    t = (0.9 - 0.5) / (np.std(smiles, ddof=1) * np.sqrt(7 / 6))
    assert found.z["AU12"] == pytest.approx(stats.norm.isf(stats.t.sf(t, 5)), rel=1e-6)
    half = stats.t.ppf(0.975, 5) * np.std(smiles, ddof=1) * np.sqrt(7 / 6)
    assert (found.low["AU12"], found.high["AU12"]) == pytest.approx((0.5 - half, 0.5 + half))
    moving = np.abs(found.motion) > 0
    assert moving.any()
    np.testing.assert_allclose(found.motion[moving], found.z["AU12"], rtol=1e-3)
    assert norms[None].limits(33, "F") == [
        "The norm is not adjusted for age: it is known of too few of its people.",
        "The norm is not adjusted for sex: it is known of too few of its people.",
    ]


def test_two_of_a_hundred_of_the_norms_own_kind_lie_beyond_two_to_either_side(norm: Norm) -> None:
    rng = np.random.default_rng(1)
    beyond = []
    for _ in range(300):
        sample = rng.normal(size=(norm.people + 1, 40))
        x = np.stack([np.ones(norm.people), rng.normal(size=norm.people), rng.normal(size=norm.people)], 1)
        x[:, 1:] -= x[:, 1:].mean(0)
        inverse = np.linalg.inv(x.T @ x)
        lines = inverse @ x.T @ sample[1:]
        sd = np.sqrt(((sample[1:] - x @ lines) ** 2).sum(0) / norm.freedom)
        one = replace(
            norm, covariates=("age", "sex"), age=0.0, named=lines, named_sd=sd, inverse=inverse, women=1, men=1
        )
        mean, spread = one.expected("named", 0.3, "M")
        t = (sample[0] - mean) / spread
        beyond.append(np.abs(t) > stats.t.isf(stats.norm.sf(FARTHEST), norm.freedom))
    assert np.mean(beyond) == pytest.approx(2 * stats.norm.sf(FARTHEST), abs=0.012)


def test_who_is_of_unknown_age_is_compared_with_all_and_less_sharply(norm: Norm) -> None:
    place = norm.quantities.index("AU12")
    known, unknown = norm.expected("named", 43.0, "F")[1][place], norm.expected("named", None, None)[1][place]
    assert unknown > 2 * known
    assert norm.limits(None, "other") == [
        "The person's age is not known: compared with the norm's people of every age.",
        "The person's sex is neither F nor M: compared with the norm's people of every sex.",
    ]
    assert norm.limits(85, "F") == ["At 85 the person is outside the norm's ages: the line is drawn beyond its people."]
    assert norm.told(43, "F") == (
        "HC women aged 43 (a line in age and sex through 24 people, 12 women and 12 men, aged 20 to 70)"
    )


def test_a_sex_of_too_few_people_who_exist_is_no_covariate(
    make: Callable[..., AggregatedFace], template: Template, space: MotionSpace
) -> None:
    members = people(make, 18, simulated=False)
    found = fit_norms(members, template, space, "HC", ("anger", "joy"))[None]
    assert found is not None
    assert found.covariates == ("age",)  # nine women, nine men: a mean of fewer than ten would show them
    assert (found.women, found.men) == (0, 0)
    assert fit_norms(members[:9], template, space, "HC", ("anger", "joy")) == {}


def test_before_some_stimuli_a_person_is_compared_with_these(
    make: Callable[..., AggregatedFace], template: Template, space: MotionSpace
) -> None:
    stimuli = ("anger", "fear", "joy")
    norms = fit_norms(people(make, stimuli=stimuli), template, space, "HC", stimuli)
    one = standing(make("sub-9", 0.5, 40, "F", ["joy"]), norms, stimuli, template, space)
    two = standing(make("sub-9", 0.5, 40, "F", ["anger", "joy"]), norms, stimuli, template, space)
    assert one is not None
    assert two is not None
    assert (one.stimuli, one.norm.stimulus) == (("joy",), "joy")
    assert two.stimuli == ("anger", "joy")
    strange = standing(make("sub-9", 0.5, 40, "F", ["unknown"]), norms, stimuli, template, space)
    assert strange is not None
    assert strange.norm.stimulus is None


def test_maps_are_means_over_stimuli(
    make: Callable[..., AggregatedFace], template: Template, space: MotionSpace
) -> None:
    person = make("sub-1", 0.4, 30, "F")
    motion, outward = person_maps([person], space, outward_directions(template, space))
    column = space.names.index("mouthSmileLeft")
    np.testing.assert_allclose(motion[0], space.rms_mm(person.covariance()), rtol=1e-6)
    np.testing.assert_allclose(outward[0], 0.4 * outward_directions(template, space)[:, column], rtol=1e-5)


def test_an_atlas_keeps_its_norms_in_its_file(known_atlas: Atlas, template: Template, tmp_path: Path) -> None:
    save_atlas(known_atlas, tmp_path / "atlas.safetensors")
    read = load_atlas(tmp_path)
    assert read.norms.keys() == known_atlas.norms.keys()
    for stimulus, norm in known_atlas.norms.items():
        again = read.norms[stimulus]
        assert (again.covariates, again.quantities, again.people) == (norm.covariates, norm.quantities, norm.people)
        np.testing.assert_allclose(again.motion, norm.motion, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(again.inverse, norm.inverse, rtol=1e-5)
    assert read.inputs[0].names == known_atlas.inputs[0].names
    assert read.people == known_atlas.people
    assert read.subgroups == known_atlas.subgroups
    whole = read.norms[None]
    assert whole is not None
    assert whole.people == 12
    assert "AU12" in whole.quantities
    assert all(block(name) == "named" for name in whole.quantities)
    low, high = whole.beyond[:2]
    assert 0 <= low <= high <= 1
    assert face_mask(template).any()
