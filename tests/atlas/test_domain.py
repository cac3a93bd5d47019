"""What a match refuses: recordings and people that are none of the atlas's kind."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from atlas.aggregation import AggregatedFace, RecordingSummary
from atlas.domain import Domain, domain_of

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def people(aggregated: Aggregated) -> list[AggregatedFace]:
    return aggregated("strong", 36, 0)


@pytest.fixture(scope="module")
def domain(people: list[AggregatedFace]) -> Domain:
    return domain_of(people)


def taken(recording: RecordingSummary, **changed: float | str) -> list[RecordingSummary]:
    assert recording.capture is not None
    return [replace(recording, capture=replace(recording.capture, **changed))]


def test_the_atlass_own_people_are_accepted(domain: Domain, people: list[AggregatedFace]) -> None:
    assert [
        domain.reasons(p.recordings, p.age, p.sex) for p in people if domain.reasons(p.recordings, p.age, p.sex)
    ] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"frame_rate": 4.0}, "frame rate 4 frames a second, but the atlas's recordings allow no less than 5"),
        ({"frame_rate": 21.0}, "allow no more than 20"),
        ({"field_of_view": 100.0}, "field of view 100 degrees"),
        ({"face_px": 1.0}, "width of the face 1 pixels"),
        ({"seconds": 2.0}, "usable frames 2 s, but the atlas's recordings allow no less than 4"),
        ({"used": 0.4}, "share of usable frames 0.4"),
        ({"quality": 0.3}, "mean quality of usable frames 0.3"),
        ({"verdict": "not usable"}, "the recording is not usable by its verdict"),
        ({"template_sha256": "f" * 64}, "parameters of template ffffffff, but the atlas's are of "),
    ],
)
def test_another_camera_length_quality_or_template_is_refused(
    domain: Domain, people: list[AggregatedFace], changed: dict[str, float | str], said: str
) -> None:
    reasons = domain.reasons(taken(people[0].recordings[0], **changed))
    assert len(reasons) == 1
    assert said in reasons[0]


def test_parameters_of_another_stage_are_refused_and_unknown_ones_are_not(
    domain: Domain, people: list[AggregatedFace]
) -> None:
    one = people[0].recordings[0]
    assert domain.reasons([replace(one, stage="fast")]) == [
        "parameters of quality fast, but the atlas's are simulated: they differ for that alone"
    ]
    assert domain.reasons([replace(one, stage="unknown")]) == []


def test_ages_and_sexes_the_atlas_has_not_are_refused(domain: Domain, people: list[AggregatedFace]) -> None:
    recordings = people[0].recordings
    assert domain.ages is not None
    low, high = domain.ages
    assert low % 5 == high % 5 == 0  # bands: nobody's own age
    assert domain.reasons(recordings, age=high + 4) == []
    assert domain.reasons(recordings, age=high + 6) == [
        f"age {high + 6:g}, but the atlas's people are {low:g} to {high:g} years old (tolerance 5)"
    ]
    assert len(domain.reasons(recordings, age=low - 6)) == 1
    women = domain_of([p for p in people if p.sex == "F"])
    assert women.reasons(recordings, sex="M") == ["sex M, but the atlas's people are F only"]
    assert domain.reasons(recordings, sex="M") == []


def test_an_atlas_that_knows_nothing_refuses_nothing(people: list[AggregatedFace]) -> None:
    recordings = taken(people[0].recordings[0], frame_rate=1.0, verdict="not usable")
    assert Domain().reasons(recordings, age=100, sex="M") == []


def test_a_domain_survives_json(domain: Domain) -> None:
    assert Domain.from_json(domain.to_json()) == domain
