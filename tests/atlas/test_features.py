"""Which features are matched: identity only where it is asked for."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.encoder import Task, fit_encoders
from atlas.features import FeatureTable, bent, feature_table, fit_scaler, kind_of, named_features, stimuli_of
from atlas.matcher import fit_matcher
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]
GROUPS = ("BD", "HC", "MDD")


def with_groups_own_faces(people: list[AggregatedFace]) -> list[AggregatedFace]:
    """The same people, whose faces alone tell their group: diagnosis confounded with identity."""

    def changed(person: AggregatedFace) -> AggregatedFace:
        moved = np.zeros_like(person.recordings[0].shape)
        moved[GROUPS.index(person.group)] = 4
        return replace(person, recordings=tuple(replace(r, shape=r.shape + moved) for r in person.recordings))

    return [changed(person) for person in people]


def table_of(people: list[AggregatedFace], kind: str, template: Template, space: MotionSpace) -> FeatureTable:
    names = named_features(feature_names(space, template_units(template)), template.n_shape, kind)
    return feature_table([person.recordings for person in people], names, stimuli_of(people))


def accuracy(table: FeatureTable, labels: np.ndarray) -> float:
    train = np.arange(len(labels)) < 24
    fitted = fit_encoders(table, [Task(labels, train)], 3)[0]
    return float((fitted.cosines(fitted.scaler.z(table)).argmax(1) == labels)[~train].mean())


def test_identity_does_not_leak_into_the_default_and_does_where_it_is_asked_for(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    people = aggregated("none", 36, 0)
    confounded = with_groups_own_faces(people)
    labels = np.array([GROUPS.index(person.group) for person in people])
    plain, default = (table_of(p, "expression", template, space) for p in (people, confounded))
    np.testing.assert_array_equal(default.values, plain.values)  # so the matcher is the same, to the last digit
    assert accuracy(default, labels) <= 0.7
    for kind in ("shape", "both"):
        assert accuracy(table_of(confounded, kind, template, space), labels) >= 0.9


@pytest.mark.parametrize("kind", ["expression", "shape", "both"])
def test_a_kind_of_features_is_known_by_its_names(kind: str) -> None:
    names = named_features(("level jawOpen", "AU12"), 3, kind)
    assert kind_of(names) == kind
    assert len(names) == {"expression": 2, "shape": 3, "both": 5}[kind]


def test_no_other_kind_of_features_is_known() -> None:
    with pytest.raises(InputError, match="expected features expression, shape, both, got 'face'; choose one of them"):
        named_features(("AU12",), 3, "face")


def test_bending_stretches_what_is_little_and_keeps_the_order() -> None:
    z = np.linspace(-2, 4, 61)
    steps = np.diff(bent(z))
    assert (np.diff(steps) < 0).all()
    assert (steps > 0).all()
    assert bent(np.zeros(1)) == 0
    assert np.diff(bent(np.array([-1e-4, 1e-4]))) == pytest.approx(2e-4, rel=1e-3)


def test_inputs_are_named_features_as_they_are_then_axes_of_the_rest() -> None:
    rng = np.random.default_rng(0)
    names = ("level a", "spread a", "AU12", "AU04")
    table = FeatureTable(names, ("x",), np.where(np.arange(2)[:, None] == 0, rng.normal(size=(40, 2, 4)), np.nan))
    scaler = fit_scaler(table, bend=0)
    x = scaler.inputs(scaler.z(table))
    assert scaler.input_blocks[:2] == ("named", "named")
    assert set(scaler.input_blocks[2:]) == {"axes"}
    np.testing.assert_allclose(x[:, :2], scaler.z(table)[:, 0, 2:])


def test_a_match_by_shape_alone_needs_no_expression(
    aggregated: Aggregated, template: Template, space: MotionSpace
) -> None:
    people = with_groups_own_faces(aggregated("none", 36, 0))
    matcher = fit_matcher(table_of(people, "shape", template, space), [person.group for person in people])
    recordings = [replace(r, features=np.zeros(0)) for r in people[0].recordings]
    made = matcher.match(recordings, "x")
    assert max(made.similarities, key=made.similarities.__getitem__) == people[0].group
    assert made.evidence[0]["feature"] == f"identity-{GROUPS.index(people[0].group) + 1}"
