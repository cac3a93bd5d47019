"""Matches: probabilities, decisions, evidence, warnings."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.evidence import quantities_of
from atlas.features import feature_table, stimuli_of
from atlas.match import REFUSED
from atlas.matcher import SIMULATED, Matcher, fit_matcher
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def matcher(aggregated: Aggregated, template: Template, space: MotionSpace) -> Matcher:
    people = aggregated("strong", 36, 0)
    names = feature_names(space, template_units(template))
    table = feature_table([person.recordings for person in people], names, stimuli_of(people))
    digests = [r.digest for person in people for r in person.recordings]
    return fit_matcher(table, [p.group for p in people], coverage=0.8, simulated=True, digests=digests)


def test_new_people_are_matched_above_chance_and_say_how_sure(matcher: Matcher, aggregated: Aggregated) -> None:
    people = aggregated("strong", 30, 77)
    matches = [matcher.match(person.recordings, person.id) for person in people]
    best = [max(m.similarities, key=m.similarities.__getitem__) for m in matches]
    assert np.mean([b == p.group for b, p in zip(best, people, strict=True)]) >= 0.6
    covered = np.mean([p.group in m.prediction_set for m, p in zip(matches, people, strict=True)])
    assert covered >= 0.6  # aims at 0.8; 30 people
    for made in matches:
        assert sum(made.probabilities.values()) == pytest.approx(0 if made.refusals else 1)
        assert all(-1 <= similarity <= 1 for similarity in made.similarities.values())
        if not made.refusals:
            nearest = max(made.similarities, key=made.similarities.__getitem__)
            assert made.decision == (nearest if made.prediction_set == (nearest,) else "inconclusive")
        assert SIMULATED in made.warnings


def test_one_recording_is_enough_and_less_sure(matcher: Matcher, aggregated: Aggregated) -> None:
    person = aggregated("strong", 30, 77)[0]
    made = matcher.match(person.recordings[:1], "one")
    assert made.stimuli == (person.recordings[0].stimulus,)
    assert any(warning.startswith("no recording of") for warning in made.warnings)
    assert matcher.calibration(made.stimuli) is matcher.single
    assert matcher.calibration(person.stimuli) is matcher.whole


def test_evidence_names_the_quantity_that_was_changed(matcher: Matcher, aggregated: Aggregated) -> None:
    names = matcher.encoder.scaler.names
    column = names.index("AU12")
    person = aggregated("strong", 30, 77)[0]
    neutral = [
        replace(r, features=matcher.encoder.scaler.mean[matcher.stimuli.index(r.stimulus)].copy())
        for r in person.recordings
    ]
    for recording in neutral:
        recording.features[column] += 3 * matcher.encoder.scaler.sd[0, column]
    evidence = matcher.match(neutral, "x").evidence
    assert evidence[0]["feature"] == "AU12"
    assert evidence[0]["z"] > 1
    assert "lip corner puller" in evidence[0]["meaning"]
    assert evidence[0]["pulls_towards"] in matcher.groups
    assert evidence[0]["amount"] > 2 * evidence[1]["amount"]


def test_warnings_tell_what_is_wrong(matcher: Matcher, aggregated: Aggregated) -> None:
    person = aggregated("strong", 30, 77)[0]
    one = person.recordings[0]
    known = aggregated("strong", 36, 0)[0].recordings
    assert any("built with this recording" in w for w in matcher.match(known, "x").warnings)
    assert not any("built with this recording" in w for w in matcher.match([one], "x").warnings)
    assert any("only 20 usable" in w for w in matcher.match([replace(one, frames_used=20)], "x").warnings)
    assert any("no stimulus disgust" in w for w in matcher.match([replace(one, stimulus="disgust")], "x").warnings)
    strange = replace(one, features=one.features + 50)
    refused = matcher.match([strange], "x")
    assert refused.decision == REFUSED
    assert refused.prediction_set == ()
    assert refused.probabilities == {}
    assert set(refused.similarities) == set(matcher.groups)
    assert "unlike the atlas's people" in refused.refusals[0]
    assert "99 of 100 stay under" in refused.refusals[0]
    real = replace(matcher, simulated=False, cautions=("cannot tell",))
    assert {"the person matched is simulated", "cannot tell"} <= set(real.match([one], "x").warnings)
    with pytest.raises(InputError, match="at least one recording"):
        matcher.match([], "x")


def test_the_answer_is_plain_json(matcher: Matcher, aggregated: Aggregated) -> None:
    document = matcher.match(aggregated("strong", 30, 77)[0].recordings, "file", "sub-9").to_json()
    assert {"input", "similarities", "probabilities", "decision", "evidence", "frames_used", "warnings"} <= set(
        document
    )
    assert document["statement"] == "research use; not a diagnosis"
    assert document["person"] == "sub-9"
    assert document["simulated"] is True


def test_quantities_gather_an_action_unit_with_its_shapes() -> None:
    names = ("level mouthSmileLeft", "speed mouthSmileRight", "level mouthLeft", "AU12", "blink_rate")
    assert quantities_of(names) == {"AU12": [3, 0, 1], "blink_rate": [4], "mouthLeft": [2]}


def test_coverage_out_of_range_is_refused(aggregated: Aggregated, template: Template, space: MotionSpace) -> None:
    people = aggregated("none", 12, 0)
    table = feature_table([p.recordings for p in people], feature_names(space, template_units(template)), ())
    with pytest.raises(InputError, match="expected a coverage from"):
        fit_matcher(table, [p.group for p in people], coverage=1.0)
