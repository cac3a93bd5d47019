"""Weights, aggregated faces and standard faces."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from atlas.aggregation import (
    AggregatedFace,
    RecordingSummary,
    feature_names,
    frame_moments,
    frame_weights,
    summarise,
    template_units,
)
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from atlas.standard_faces import standard_faces
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def sequence(template: Template) -> FaceSequence:
    return simulate_recording(simulate_people(3, "none", 0, template)[0], "happiness", 8, 10, 0, template)


def test_motion_displaces_vertices_as_the_model_does(template: Template, space: MotionSpace) -> None:
    motion = np.zeros(space.size)
    motion[space.names.index("mouthSmileLeft")] = 0.5
    motion[space.names.index("jaw x")] = 0.1
    expression, pose = space.split(motion, template)
    rest = FaceModel(template)(
        torch.zeros(1, template.n_shape), torch.from_numpy(expression)[None], torch.from_numpy(pose)[None]
    )
    true = 1000 * (rest[0].numpy() - template.v_template)
    linear = 1000 * space.directions @ motion.astype(np.float32)
    assert np.abs(true).max() > 5
    assert np.abs(true - linear).max() < 0.6  # mm; what is lost is the curvature of the jaw's arc


def test_weights_follow_quality_and_activation(sequence: FaceSequence, space: MotionSpace) -> None:
    weights = frame_weights(sequence, space)
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()  # still frames count a little
    motion = space.vectors(sequence)
    activation = space.displacement_mm(motion - np.median(motion, 0))
    np.testing.assert_allclose(weights / weights[0], (0.5 + activation) / (0.5 + activation[0]), rtol=1e-6)
    half = replace(sequence, quality=np.where(np.arange(len(sequence)) < 40, 0.5, 1).astype(np.float32))
    changed = frame_weights(half, space) / weights
    assert changed[:40].mean() == pytest.approx(changed[40:].mean() / 2)


def test_moments_in_single_precision_are_those_in_double(sequence: FaceSequence, space: MotionSpace) -> None:
    quality = np.random.default_rng(0).random(len(sequence)).astype(np.float32)
    valid = np.arange(len(sequence)) % 7 > 0
    part = replace(
        sequence, quality=quality, valid=valid, expression=sequence.expression * valid[:, None] + valid[:, None]
    )
    motion = space.vectors(part)
    mean, covariance = frame_moments(part, space, motion)
    rows, weights = motion[valid].astype(np.float64), np.maximum(quality, 1e-3)[valid].astype(np.float64)
    expected = np.cov(rows, rowvar=False, bias=True, aweights=weights)
    assert np.abs(covariance - expected).max() < 1e-5 * expected.max()
    np.testing.assert_allclose(mean, frame_weights(part, space)[valid] @ rows, atol=1e-6)


def test_masked_frames_change_nothing(sequence: FaceSequence, space: MotionSpace, template: Template) -> None:
    units = template_units(template)
    cut = {name: getattr(sequence, name)[:60] for name in ("expression", "pose", "translation", "time_s", "valid")}
    short = replace(sequence, **cut, quality=sequence.quality[:60], reason=sequence.reason[:60])
    valid = np.arange(len(sequence)) < 60
    garbage = np.where(valid[:, None], sequence.expression, 0)
    masked = replace(sequence, valid=valid, expression=garbage, quality=np.where(valid, 1, 0).astype(np.float32))
    a, b = summarise(short, "happiness", space, units), summarise(masked, "happiness", space, units)
    np.testing.assert_allclose(a.mean, b.mean, atol=1e-6)  # products of frames are taken in single precision
    np.testing.assert_allclose(a.features, b.features, atol=1e-5)
    assert (b.frames, b.frames_used) == (80, 60)


def test_too_few_frames_are_refused(sequence: FaceSequence, space: MotionSpace, template: Template) -> None:
    few = replace(sequence, valid=np.arange(len(sequence)) < 4)
    with pytest.raises(InputError, match="at least 10 frames with a trustworthy face, but found 4 of 80"):
        summarise(few, None, space, template_units(template))


def test_features_have_names_and_do_not_depend_on_identity(
    sequence: FaceSequence, space: MotionSpace, template: Template
) -> None:
    units = template_units(template)
    other = replace(sequence, shape=sequence.shape + 1)
    a, b = summarise(sequence, None, space, units), summarise(other, None, space, units)
    assert len(a.features) == len(feature_names(space, units))
    np.testing.assert_array_equal(a.features, b.features)
    assert {"AU12", "blink_rate", "level jaw x"} <= set(feature_names(space, units))


def _recording(space: MotionSpace, stimulus: str, level: float, shape: float, n_shape: int) -> RecordingSummary:
    size = space.size
    return RecordingSummary(
        stimulus, 100, 90, np.full(n_shape, shape), np.full(size, level), np.eye(size), np.zeros(3), "0", True
    )


def test_stimuli_count_equally_within_people_and_people_within_groups(template: Template, space: MotionSpace) -> None:
    def recording(stimulus: str, level: float, shape: float) -> RecordingSummary:
        return _recording(space, stimulus, level, shape, template.n_shape)

    a = AggregatedFace("sub-1", "HC", (recording("x", 0.1, 1), recording("x", 0.3, 1), recording("y", 0.4, 1)))
    b = AggregatedFace("sub-2", "HC", (recording("x", 0.5, -1),))
    faces = standard_faces([a, b], template, space).faces["HC"]
    face = faces[None]
    np.testing.assert_allclose(face.motion, ((0.2 + 0.4) / 2 + 0.5) / 2)
    np.testing.assert_allclose(face.shape, 0)
    np.testing.assert_allclose(face.shape_sd, np.sqrt(2))
    assert (face.people, face.frames, face.frames_left_out) == (2, 360, 40)
    assert (faces["y"].people, faces["y"].people_without) == (1, 1)
    assert "y" not in standard_faces([b], template, space).faces["HC"]


def test_spread_equals_the_spread_of_vertices(aggregated: Aggregated, template: Template, space: MotionSpace) -> None:
    people = [person for person in aggregated("strong", 12, 1) if person.group == "MDD"]
    face = standard_faces(people, template, space).faces["MDD"][None]
    neutral = np.stack([template.v_template + template.shapedirs @ person.shape for person in people])
    brute = 1000 * np.sqrt(((neutral - neutral.mean(0)) ** 2).sum(2).sum(0) / (len(people) - 1))
    np.testing.assert_allclose(face.shape_spread_mm, brute, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(face.neutral(template), neutral.mean(0), atol=1e-6)


def test_shape_and_expression_are_kept_apart(aggregated: Aggregated, template: Template, space: MotionSpace) -> None:
    faces = standard_faces(aggregated("strong", 12, 1), template, space).faces
    assert list(faces) == ["BD", "HC", "MDD"]
    assert set(faces["HC"]) == {None, "anger", "happiness", "neutral"}
    smile = [faces["HC"][s].named_motion(space)["mouthSmileLeft"] for s in ("happiness", "neutral")]
    assert smile[0] > 2 * smile[1]
    face = faces["HC"][None]
    np.testing.assert_allclose(face.expressive(template, space, exaggeration=0), face.neutral(template), atol=1e-5)
    assert np.abs(face.expressive(template, space) - face.neutral(template)).max() > 1e-3
