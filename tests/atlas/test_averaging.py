"""Standard faces that are weighted, adjusted for age, by sex, with intervals; and those that would show somebody."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, RecordingSummary
from atlas.averaging import Averaging
from atlas.motion import MotionSpace
from atlas.person_weights import CAP, person_weights, stratum
from atlas.standard_faces import StandardFace, standard_faces
from reconstruction.errors import InputError
from reconstruction.template import Template

SLOPE, STEP = 0.004, 0.3  # of the first motion coefficient: per year, and MDD against HC


def cohort(space: MotionSpace, n_shape: int, people: int = 60, seed: int = 0) -> list[AggregatedFace]:
    """Simulated people of HC, young and mostly women, and of MDD, twice as many, older and mostly men."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(people):
        ill = i % 3 > 0
        age = float(rng.integers(40, 70) if ill else rng.integers(20, 55))
        motion = rng.normal(0, 0.02, space.size)
        motion[0] += SLOPE * age + STEP * ill
        shape = rng.normal(size=n_shape)
        recordings = tuple(
            RecordingSummary(s, 100, 90, shape, motion, 0.01 * np.eye(space.size), np.zeros(3), "0", True)
            for s in ("a", "b")
        )
        sex = "F" if rng.uniform() < (0.3 if ill else 0.7) else "M"
        out.append(AggregatedFace(f"sub-{i}", "MDD" if ill else "HC", recordings, age, sex))
    return out


@pytest.fixture(scope="module")
def people(space: MotionSpace, template: Template) -> list[AggregatedFace]:
    return cohort(space, template.n_shape)


def exist(people: list[AggregatedFace]) -> list[AggregatedFace]:
    """The same people, not simulated."""
    return [replace(p, recordings=tuple(replace(r, simulated=False) for r in p.recordings)) for p in people]


def difference(faces: dict[str, dict[str | None, StandardFace]], i: int = 0) -> float:
    return float(faces["MDD"][None].motion[i] - faces["HC"][None].motion[i])


def test_adjusted_for_age_groups_differ_by_what_is_not_age(
    people: list[AggregatedFace], template: Template, space: MotionSpace
) -> None:
    plain = standard_faces(people, template, space).faces
    adjusted = standard_faces(people, template, space, Averaging(adjust="age")).faces
    assert difference(plain) > STEP + 0.05
    assert difference(adjusted) == pytest.approx(STEP, abs=0.02)
    face = adjusted["HC"][None]
    assert face.age == pytest.approx(np.mean([p.age for p in people]))
    assert plain["HC"][None].age is None
    ages = np.array([p.age for p in people])
    design = np.column_stack([ages, *([p.group == g for p in people] for g in ("HC", "MDD"))]).astype(float)
    rows = np.stack([p.motion() for p in people])
    solved = np.linalg.lstsq(design, rows, rcond=None)[0]
    np.testing.assert_allclose(face.motion, solved[1] + face.age * solved[0], atol=1e-10)
    assert face.motion_sd[0] < 0.5 * plain["HC"][None].motion_sd[0]  # about the line


def test_unknown_ages_are_left_out_of_adjusted_faces_and_said(
    people: list[AggregatedFace], template: Template, space: MotionSpace
) -> None:
    some = [replace(p, age=None) if i < 6 else p for i, p in enumerate(people)]
    made = standard_faces(some, template, space, Averaging(adjust="age"))
    assert (made.faces["HC"][None].people, made.faces["HC"][None].people_without) == (18, 2)
    assert "6 people of unknown age" in made.warnings[0]
    with pytest.raises(InputError, match="fewer than two are known"):
        standard_faces([replace(p, age=None) for p in people], template, space, Averaging(adjust="age"))
    none_of_hc = [replace(p, age=None) if p.group == "HC" else p for p in people]
    with pytest.raises(InputError, match=r"known age in every group .* HC has fewer"):
        standard_faces(none_of_hc, template, space, Averaging(adjust="age"))


def test_poststratified_groups_have_the_cohorts_make_up(people: list[AggregatedFace]) -> None:
    made = person_weights(people, "poststratified")
    everyone = Counter(stratum(p) for p in people)
    for group in ("HC", "MDD"):
        members = [(p, w) for p, w in zip(people, made.values, strict=True) if p.group == group]
        assert np.mean([w for _, w in members]) == pytest.approx(1)
        held = {stratum(p) for p, _ in members}
        share = {h: sum(w for p, w in members if stratum(p) == h) / len(members) for h in held}
        wanted = {h: everyone[h] / sum(everyone[k] for k in held) for h in held}
        if max(w for _, w in members) < CAP - 1e-9:
            assert share == pytest.approx(wanted)
    assert any("HC has nobody of" in warning for warning in made.warnings)  # of the old
    with pytest.raises(InputError, match="equal or poststratified, got 'both'"):
        person_weights(people, "both")
    with pytest.raises(InputError, match="nobody's is known"):
        person_weights([replace(p, age=None, sex=None) for p in people], "poststratified")


def test_one_person_never_stands_for_many(space: MotionSpace, template: Template) -> None:
    people = cohort(space, template.n_shape, 90)
    lone = [p for p in people if p.group == "HC" and (p.sex == "F" or p.id == "sub-0")]
    some = [replace(p, sex="M" if p.id == "sub-0" else "F", age=50.0) for p in lone]
    others = [replace(p, sex="M", age=50.0) for p in people if p.group == "MDD"]
    made = person_weights([*some, *others], "poststratified")
    assert made.values[: len(some)].max() < 1.3 * CAP  # mean weight is one again after the cut
    assert made.warnings[0].startswith("1 people of HC stand for so many")


def test_weights_move_the_mean_and_lower_the_effective_number(
    people: list[AggregatedFace], template: Template, space: MotionSpace
) -> None:
    made = standard_faces(people, template, space, Averaging(weights="poststratified")).faces
    weights = person_weights(people, "poststratified").values
    of_hc = np.array([p.group == "HC" for p in people])
    rows = np.stack([p.motion() for p in people])
    face = made["HC"][None]
    np.testing.assert_allclose(face.motion, np.average(rows[of_hc], axis=0, weights=weights[of_hc]), atol=1e-12)
    assert face.effective_people == pytest.approx(weights[of_hc].sum() ** 2 / (weights[of_hc] ** 2).sum())
    assert face.effective_people < face.people == 20
    assert difference(made) < difference(standard_faces(people, template, space).faces)  # ages are more alike


def test_intervals_are_the_standard_errors_of_the_mean(
    people: list[AggregatedFace], template: Template, space: MotionSpace
) -> None:
    for adjust, tolerance in ((None, 0.15), ("age", 0.2)):
        face = standard_faces(people, template, space, Averaging(adjust=adjust)).faces["MDD"][None]
        width = (face.motion_high - face.motion_low) / 2
        expected = 1.96 * face.motion_sd / np.sqrt(face.people)
        assert np.median(width / expected) == pytest.approx(1, abs=tolerance)
        assert ((face.motion_low < face.motion) & (face.motion < face.motion_high)).all()
        moved = face.motion_spread_mm > 0.01
        ratio = face.motion_margin_mm[moved] / face.motion_spread_mm[moved]
        assert np.median(ratio) == pytest.approx(1.96 / np.sqrt(face.people), rel=tolerance)
        assert (face.frame_spread_mm[moved] > face.motion_spread_mm[moved]).all()


def test_an_age_adjusted_face_is_less_sure_far_from_its_groups_ages(template: Template, space: MotionSpace) -> None:
    people = cohort(space, template.n_shape)
    old = [replace(p, age=p.age + 40) if p.group == "MDD" and p.age else p for p in people]
    width = [
        float(np.ptp([f.motion_low[1:], f.motion_high[1:]], axis=0).mean())
        for f in (standard_faces(c, template, space, Averaging(adjust="age")).faces["HC"][None] for c in (people, old))
    ]
    assert width[1] > 1.2 * width[0]


def test_sexes_have_faces_of_their_own(people: list[AggregatedFace], template: Template, space: MotionSpace) -> None:
    made = standard_faces(people, template, space, Averaging(by="sex"))
    assert set(made.by_sex) == {"F", "M"}
    women = [p.motion() for p in people if p.group == "MDD" and p.sex == "F"]
    face = made.by_sex["F"]["MDD"][None]
    np.testing.assert_allclose(face.motion, np.mean(women, 0), atol=1e-12)
    assert (face.sex, face.people) == ("F", len(women))
    assert made.faces["MDD"][None].sex is None
    with pytest.raises(InputError, match="nobody's is known"):
        standard_faces([replace(p, sex=None) for p in people], template, space, Averaging(by="sex"))


def test_what_would_show_few_people_is_not_made(
    people: list[AggregatedFace], template: Template, space: MotionSpace
) -> None:
    """Sexes of which one is few, because the group's face less the other's gives it away; stimuli that few saw."""
    real = exist(people)
    few = [p for p in real if p.group == "HC" and p.sex == "M"]
    assert 0 < len(few) < 10
    made = standard_faces(real, template, space, Averaging(by="sex"))
    assert all("HC" not in of_sex for of_sex in made.by_sex.values())
    assert "HC has no faces by sex: one would rest on fewer than 10 people" in made.warnings
    assert {"F", "M"} == {sex for sex, of_sex in made.by_sex.items() if "MDD" in of_sex}
    lacking = [replace(p, recordings=p.recordings[:1]) if p.group == "HC" and i > 20 else p for i, p in enumerate(real)]
    faces = standard_faces(lacking, template, space)
    assert set(faces.faces["HC"]) == {None, "a"}
    assert "HC has no face before b: fewer than 10 people can be used" in faces.warnings
    assert set(standard_faces(lacking, template, space, Averaging(least=30)).faces["MDD"]) == {None, "a", "b"}
    simulated = [replace(p, recordings=p.recordings[:1]) if p.id != "sub-0" else p for p in people]
    assert "b" in standard_faces(simulated, template, space).faces["HC"]


def test_options_that_are_not_offered_are_refused() -> None:
    with pytest.raises(InputError, match="--adjust age, got 'sex'"):
        Averaging(adjust="sex")
    with pytest.raises(InputError, match="--by sex, got 'age'"):
        Averaging(by="age")
    with pytest.raises(InputError, match="--weights equal or poststratified, got 'none'"):
        Averaging(weights="none")
    with pytest.raises(InputError, match="--min-people of 10 or more, got 3"):
        Averaging(least=3)
