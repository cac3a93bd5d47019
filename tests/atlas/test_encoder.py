"""Scaling and the encoder: what they learn from, and that they do it twice alike."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.augmentation import Augmentation
from atlas.encoder import FittedEncoder, Task, attended, embed, fit_encoders, inner_folds
from atlas.features import FeatureTable, feature_table, fit_scaler, stimuli_of
from atlas.motion import MotionSpace
from atlas.old_atlas import from_residual_encoder
from atlas.rows import training_rows
from atlas.training import Encoder, Training, _relabelled
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


def heavy_tailed(seed: int) -> tuple[FeatureTable, np.ndarray, np.ndarray]:
    """400 people of two groups that differ where a linear discriminant hardly sees it, and half of them to train on."""
    rng = np.random.default_rng(seed)
    labels = np.arange(400) % 2
    u = rng.normal(size=(400, 6))
    u[:, 0] += 1.2 * labels
    values = np.full((400, 2, 6), np.nan)
    values[:, 0] = np.exp(2 * u)
    return FeatureTable(tuple(f"level {i}" for i in range(6)), ("x",), values), labels, rng.uniform(size=400) < 0.5


def test_training_departs_from_the_discriminant_where_held_out_people_gain() -> None:
    table, labels, train = heavy_tailed(1)

    def right(training: Training) -> tuple[int, float]:
        fitted = fit_encoders(table, [Task(labels, train)], 2, training=training)[0]
        return fitted.steps, float((fitted.cosines(fitted.scaler.z(table)).argmax(1) == labels)[~train].mean())

    steps, trained = right(Training())
    assert steps > 0
    assert trained > right(Training(checkpoints=(0,)))[1]


def test_nothing_to_gain_is_no_training(table: FeatureTable, labels: np.ndarray) -> None:
    shuffled = np.random.default_rng(0).permutation(labels)
    assert fit_encoders(table, [Task(shuffled, np.ones(36, bool))], 3)[0].steps == 0


OPTIONS = {
    "gate": Training(attention=True),
    "rank": Training(rank=True),
    "relabel": Training(rank=True, relabel=True),
    "copies": Training(augmentation=Augmentation(1, mirror=True, warp=0.1, drop=0.3, noise=0.3)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_trains_alike_twice_and_learns_from_training_people_only(name: str) -> None:
    table, labels, train = heavy_tailed(1)
    some = slice(0, 120)
    table, labels, train = FeatureTable(table.names, table.stimuli, table.values[some]), labels[some], train[some]
    training = replace(OPTIONS[name], checkpoints=(0, 8))
    first, second = (fit_encoders(table, [Task(labels, train)], 2, 0, training)[0] for _ in range(2))
    for weight, array in first.weights.items():
        np.testing.assert_array_equal(array, second.weights[weight])
    strange = np.where(train[:, None, None], table.values, 7 * table.values)
    other = FeatureTable(table.names, table.stimuli, strange)
    changed = fit_encoders(other, [Task(np.where(train, labels, 0), train)], 2, 0, training)[0]
    np.testing.assert_array_equal(first.prototypes, changed.prototypes)


def test_the_gate_before_training_counts_stimuli_alike_and_numpy_agrees(table: FeatureTable) -> None:
    scaler = fit_scaler(table)
    z = scaler.z(table)
    rows = training_rows(table, scaler, Augmentation(), 0)
    size = rows.x.shape[1]
    encoder = Encoder(torch.zeros(1, size, 3), torch.zeros(1, 1, 3), 4, 0, attention=True)
    x, singles = torch.from_numpy(rows.x[None]).float(), torch.from_numpy(rows.singles)
    with torch.no_grad():
        np.testing.assert_allclose(encoder.attended(x, singles), x, atol=1e-5)
        encoder.gate += torch.from_numpy(np.random.default_rng(0).normal(size=(size, 1)).astype(np.float32))
        moved = encoder.attended(x, singles)[0, : len(table)].numpy()
    assert not np.allclose(moved, rows.x[: len(table)], atol=0.01)
    np.testing.assert_allclose(
        attended(scaler.inputs(z), z, scaler, {"gate": encoder.gate.detach().numpy()[0]}), moved, atol=1e-4
    )


def test_a_person_is_relabelled_alone_and_only_if_learnt_from() -> None:
    labels, trained = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[True, True, True, False]])
    likely = torch.tensor([[[0.9, 0.1], [0.1, 0.9], [0.45, 0.55], [0.9, 0.1], [0.1, 0.9]]])
    kept = torch.tensor([[0, 1, 2, 3, 4]])  # the last is a single stimulus
    low = torch.ones(1, 5, dtype=torch.bool)
    out = _relabelled(labels, trained, likely, kept, low, 4)
    assert out.tolist() == [[0, 1, 1, 1]]
    low[0, 1] = False  # important enough to be believed
    assert _relabelled(labels, trained, likely, kept, low, 4).tolist() == [[0, 0, 1, 1]]


def test_an_older_encoder_embeds_as_it_did() -> None:
    rng = np.random.default_rng(0)
    shapes = {"linear": (5, 5), "inner": (5, 3), "bias": (1, 3), "outer": (3, 5)}
    old = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    x = rng.normal(size=(4, 5))
    before = x + x @ old["linear"] + np.tanh(x @ old["inner"] + old["bias"]) @ old["outer"]
    arrays, header = from_residual_encoder({f"encoder/{n}": a for n, a in old.items()}, {})
    weights = {name.removeprefix("encoder/"): array for name, array in arrays.items()}
    np.testing.assert_allclose(embed(x, weights), before / np.linalg.norm(before, axis=1, keepdims=True))
    assert header["bend"] == 0


def test_folds_are_stratified_and_by_person() -> None:
    labels = np.repeat([0, 1, 2], [9, 6, 12])
    fold = inner_folds(labels, np.ones(27, bool), 3, 0)
    counts = np.array([[((labels == g) & (fold == k)).sum() for k in range(3)] for g in range(3)])
    np.testing.assert_array_equal(counts, [[3] * 3, [2] * 3, [4] * 3])
