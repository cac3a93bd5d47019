"""The audit finds what was planted and nothing in a clean cohort."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, summarise, template_units
from atlas.features import FeatureTable
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from atlas.validation import Audit, Samples, audit_cohort, person_splitter, samples_of, site_splitter, sites_of
from atlas.validation.audit import ALPHA
from atlas.validation.nuisances import Nuisance, associations
from atlas.validation.traits import SKETCH, recording_traits
from reconstruction.errors import InputError
from reconstruction.template import Template

People = list[AggregatedFace]
Sampled = Callable[[People], Samples]


@pytest.fixture
def audited(sampled: Sampled, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Audit]:
    monkeypatch.setattr("atlas.validation.nuisances.PERMUTATIONS", 999)

    def run(people: People, **options: object) -> Audit:
        samples = sampled(people)
        return audit_cohort(people, samples, person_splitter(4)(samples), **options)  # type: ignore[arg-type]

    return run


def checks(audit: Audit) -> list[tuple[str, str]]:
    return [(finding.check, finding.severity) for finding in audit.findings]


def test_a_clean_cohort_has_no_findings(made: Callable[..., People], audited: Callable[..., Audit]) -> None:
    people = made(48, 2.0)
    audit = audited(people, order=[person.id for person in people])
    assert audit.findings == ()
    assert {"participant number", "order in participants.tsv", "age", "sex"} <= {a.name for a in audit.associations}


def test_the_same_recording_under_two_names_is_refused(
    made: Callable[..., People], audited: Callable[..., Audit]
) -> None:
    people = made(24, 0.0)
    people[3] = replace(people[3], recordings=(people[3].recordings[0], people[9].recordings[1]))
    audit = audited(people)
    assert checks(audit) == [("duplicate", "refuse")]
    finding = audit.refused[0]
    assert finding.who == ("sub-004", "sub-010")
    assert "sub-" not in str(finding.to_json())
    assert "remove the copies" in finding.remedy
    assert audit.to_json()["findings"][0]["participants"] == ["sub-004", "sub-010"]


def test_one_face_under_two_names_is_refused(made: Callable[..., People], audited: Callable[..., Audit]) -> None:
    people = made(24, 0.0)
    twin = tuple(replace(r, shape=people[5].recordings[0].shape + 0.01) for r in people[2].recordings)
    people[2] = replace(people[2], recordings=twin)
    audit = audited(people)
    assert checks(audit) == [("near-duplicate", "refuse")]
    assert audit.refused[0].who == ("sub-003", "sub-006")
    allowed = audited(people, allow=["near-duplicate"])
    assert allowed.refused == ()
    assert allowed.findings[0].allowed


def test_the_same_recording_twice_for_one_person_warns(
    made: Callable[..., People], audited: Callable[..., Audit]
) -> None:
    people = made(24, 0.0)
    again = replace(people[0].recordings[0], stimulus="happiness")
    people[0] = replace(people[0], recordings=(people[0].recordings[0], again))
    assert checks(audited(people)) == [("duplicate", "warning")]


def test_numbers_that_tell_the_group_are_refused(made: Callable[..., People], audited: Callable[..., Audit]) -> None:
    people = made(48, 0.0)
    by_group = sorted(people, key=lambda person: person.group)
    numbered = [replace(person, id=f"sub-{i:03d}") for i, person in enumerate(by_group)]
    audit = audited(numbered, order=[person.id for person in numbered])
    assert ("participant number", "refuse") in checks(audit)
    assert ("order in participants.tsv", "refuse") in checks(audit)
    assert "without a face" in audit.refused[0].message
    dated = [
        replace(p, extra={"date": f"2024-{1 + 5 * (p.group == 'B') + i % 5:02d}-03"}) for i, p in enumerate(people)
    ]
    assert checks(audited(dated)) == [("date", "refuse")]
    scored = [replace(person, extra={"episodes": str(int(person.group == "B"))}) for person in people]
    assert audited(scored).findings == ()  # a clinical column is no identifier, unless named as one
    assert checks(audited(scored, columns=["episodes"])) == [("episodes", "refuse")]
    older = [replace(person, age=30.0 + 20 * (person.group == "B")) for person in people]
    assert checks(audited(older)) == [("age", "warning")]


def test_a_site_of_one_group_is_refused_unless_sites_are_held_out(
    made: Callable[..., People], sampled: Sampled
) -> None:
    rng = np.random.default_rng(0)
    people = [
        replace(p, extra={"site": ("S0", "S1")[int((p.group == "B") ^ (rng.random() < 0.1))]}) for p in made(60, 0.0)
    ]
    samples, sites = sampled(people), sites_of(people)
    assert sites is not None
    by_person = audit_cohort(people, samples, person_splitter(4)(samples))
    assert checks(by_person) == [("site", "refuse")]
    by_site = audit_cohort(people, samples, site_splitter(sites)(samples))
    assert checks(by_site) == [("site", "warning")]
    alone = np.array([f"S{person.group}" for person in people])
    with pytest.raises(InputError, match="expected every group at two or more sites"):
        site_splitter(alone)(samples)


def test_what_tells_nothing_is_seldom_found() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], 15)
    alarms = 0
    for number in range(60):
        nuisances = [Nuisance(f"n{i}", rng.normal(size=45), True) for i in range(5)]
        found = associations(nuisances, labels, permutations=399, seed=number)
        alarms += any(a.p < ALPHA for a in found)
    assert alarms <= 4  # 1 % are expected; five or more of 60 happen once in 4,000
    told = associations([Nuisance("told", labels + 0.0, False)], labels, permutations=399)[0]
    assert told.strength > 0.95
    assert told.p == pytest.approx(0.0025)


def test_a_recording_is_recognised_at_another_frame_rate_and_two_people_are_not(
    template: Template, space: MotionSpace
) -> None:
    people, units = [], template_units(template)
    for person in simulate_people(8, "none", 3, template):
        film = simulate_recording(person, "happiness", 8, 20, 0, template)
        summary = summarise(film, "happiness", space, units, recording_traits)
        people.append((person, film, summary))
    _, film, _ = people[0]
    half = {name: getattr(film, name)[::2] for name in ("expression", "pose", "translation", "time_s", "valid",
                                                        "quality", "reason")}  # fmt: skip
    copied = replace(film, **half, frame_rate=10.0)
    copy = summarise(copied, "happiness", space, units, recording_traits)
    courses = np.array([summary.biomarkers[-SKETCH:] for _, _, summary in people])
    assert np.triu(courses @ courses.T, 1).max() < 0.9
    faces = [AggregatedFace(p.id, p.group, (s,), 30.0 + i, p.sex) for i, (p, _, s) in enumerate(people)]
    faces[1] = replace(faces[1], recordings=(copy,))
    samples = samples_of(faces, FeatureTable(("x",), (), np.zeros((8, 1, 1))))
    audit = audit_cohort(faces, samples, person_splitter(2)(samples))
    assert [(f.check, f.who) for f in audit.refused] == [("near-duplicate", (faces[0].id, faces[1].id))] * 2
    assert "faces lie within" in audit.refused[0].message
    assert "move alike" in audit.refused[1].message
