"""Scaling and the encoder: what they learn from, and that they do it twice alike."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.encoder import FittedEncoder, Task, embed, fit_encoders, inner_folds
from atlas.features import FeatureTable, feature_table, fit_scaler, stimuli_of
from atlas.motion import MotionSpace
from atlas.training import Encoder
from reconstruction.template import Template

Aggregated = Callable[[str, int, int], list[AggregatedFace]]


@pytest.fixture(scope="module")
def people(aggregated: Aggregated) -> list[AggregatedFace]:
    return aggregated("strong", 36, 0)


@pytest.fixture(scope="module")
def table(people: list[AggregatedFace], template: Template, space: MotionSpace) -> FeatureTable:
    names = feature_names(space, template_units(template))
    return feature_table([person.recordings for person in people], names, stimuli_of(people))


@pytest.fixture(scope="module")
def labels(people: list[AggregatedFace]) -> np.ndarray:
    return np.array([("BD", "HC", "MDD").index(person.group) for person in people])


@pytest.fixture(scope="module")
def fitted(table: FeatureTable, labels: np.ndarray) -> FittedEncoder:
    return fit_encoders(table, [Task(labels, np.arange(len(labels)) >= 9)], 3)[0]


def test_scaling_compares_within_the_stimulus(table: FeatureTable) -> None:
    scaler = fit_scaler(table)
    smile = table.names.index("AU12")
    raw, z = table.values[:, :-1, smile], scaler.z(table)[:, :-1, smile]
    happiness = table.stimuli.index("happiness")
    assert raw[:, happiness].mean() > 2 * np.delete(raw, happiness, 1).mean()
    np.testing.assert_allclose(z.mean(0), 0, atol=0.15)  # clipped, so nearly


def test_a_missing_stimulus_is_not_guessed(table: FeatureTable) -> None:
    scaler = fit_scaler(table)
    partial = table.values.copy()
    partial[:, 0] = np.nan
    z = scaler.z(FeatureTable(table.names, table.stimuli, partial))
    x = scaler.unprojected(z)
    assert np.isfinite(x).all()
    named = int(scaler.named.sum())
    assert not x[:, len(table.names) : len(table.names) + named].any()  # no departure where nothing was seen


def test_the_encoder_learns_from_training_people_only(
    table: FeatureTable, labels: np.ndarray, fitted: FittedEncoder
) -> None:
    changed = table.values.copy()
    changed[:9] = 100.0
    other = fit_encoders(
        FeatureTable(table.names, table.stimuli, changed),
        [Task(np.where(np.arange(len(labels)) < 9, 0, labels), np.arange(len(labels)) >= 9)],
        3,
    )[0]
    np.testing.assert_array_equal(fitted.prototypes, other.prototypes)
    np.testing.assert_array_equal(fitted.weights["outer"], other.weights["outer"])
    assert np.isnan(fitted.held_people[:9]).all()
    assert np.isfinite(fitted.held_people[9:]).all()


def test_held_out_people_lie_nearest_to_their_group(
    table: FeatureTable, labels: np.ndarray, fitted: FittedEncoder
) -> None:
    cosines = fitted.cosines(fitted.scaler.z(table))
    assert cosines.shape == (36, 3)
    assert (np.abs(cosines) <= 1 + 1e-6).all()
    assert (cosines[:9].argmax(1) == labels[:9]).mean() >= 0.6
    held = fitted.held_people[9:]
    assert (held.argmax(1) == labels[9:]).mean() >= 0.6


def test_embeddings_have_length_one_and_numpy_agrees_with_torch(fitted: FittedEncoder) -> None:
    rng = np.random.default_rng(0)
    size = 7
    x = rng.normal(size=(5, size)).astype(np.float32)
    encoder = Encoder(torch.zeros(1, size, 3), torch.zeros(1, 1, 3), 4, 0)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.from_numpy(rng.normal(size=parameter.shape).astype(np.float32))
        expected = encoder(torch.from_numpy(x)[None])[0].numpy()
    weights = {name: value.detach().numpy()[0] for name, value in encoder.named_parameters()}
    np.testing.assert_allclose(embed(x, weights), expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(fitted.prototypes, axis=1), 1, atol=1e-5)


def test_the_same_seed_gives_the_same_encoder_alone_or_in_a_batch(table: FeatureTable, labels: np.ndarray) -> None:
    whole = Task(labels, np.ones(len(labels), bool))
    part = Task(labels, np.arange(len(labels)) % 5 > 0)
    first, second = fit_encoders(table, [whole], 3, seed=4)[0], fit_encoders(table, [whole], 3, seed=4)[0]
    np.testing.assert_array_equal(first.prototypes, second.prototypes)
    np.testing.assert_array_equal(first.held_people, second.held_people)
    together = fit_encoders(table, [part, whole], 3, seed=4)[1]
    np.testing.assert_allclose(first.prototypes, together.prototypes, atol=1e-4)


def test_training_fits_a_nonlinear_boundary_better_than_its_start() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(90, 2, 8))
    labels = (np.abs(values[:, 0, 0]) > 0.7).astype(int)
    values[:, 1] = np.nan
    values[labels == 1, 0, 1] += 0.8
    table = FeatureTable(tuple(f"level {i}" for i in range(8)), ("x",), values)
    fitted = fit_encoders(table, [Task(labels, np.ones(90, bool))], 2)[0]
    assert fitted.steps > 0


def test_folds_are_stratified_and_by_person() -> None:
    labels = np.repeat([0, 1, 2], [9, 6, 12])
    fold = inner_folds(labels, np.ones(27, bool), 3, 0)
    counts = np.array([[((labels == g) & (fold == k)).sum() for k in range(3)] for g in range(3)])
    np.testing.assert_array_equal(counts, [[3] * 3, [2] * 3, [4] * 3])
