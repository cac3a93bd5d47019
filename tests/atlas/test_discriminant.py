"""The encoder's start: cosines that decide as the discriminant does, and that do not believe every difference."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from atlas.discriminant import discriminant


def drawn(groups: int, people: int, inputs: int, differing: int, size: float, seed: int) -> tuple[np.ndarray, ...]:
    """Correlated inputs, of which the first `differing` differ between groups, and the groups."""
    rng = np.random.default_rng(seed)
    labels = np.arange(people) % groups
    x = rng.normal(size=(people, inputs)) * np.sqrt(0.7) + np.sqrt(0.3) * rng.normal(size=(people, 1))
    centres = np.zeros((groups, inputs))
    centres[:, :differing] = size * np.random.default_rng(99).normal(size=(groups, differing))
    return x + centres[labels], labels


def cosines(x: np.ndarray, labels: np.ndarray, new: np.ndarray, blocks: np.ndarray | None = None) -> np.ndarray:
    groups = labels.max() + 1
    blocks = np.zeros(x.shape[1], int) if blocks is None else blocks
    linear, offset = discriminant(x[None], labels[None], np.ones((1, len(x))), blocks[None], groups)
    means = np.stack([x[labels == g].mean(0) for g in range(groups)])
    unit = [e / np.linalg.norm(e, axis=1, keepdims=True) for e in (y @ linear[0] + offset[0] for y in (new, means))]
    return unit[0] @ unit[1].T


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_the_nearest_standard_face_by_cosine_is_the_discriminants_decision(groups: int) -> None:
    x, labels = drawn(groups, 6000, 8, 8, 0.8, 0)
    new, _ = drawn(groups, 2000, 8, 8, 0.8, 1)
    peer = LinearDiscriminantAnalysis(priors=np.full(groups, 1 / groups)).fit(x, labels).predict(new)
    assert (cosines(x, labels, new).argmax(1) == peer).mean() > 0.97


def test_two_groups_have_more_cosines_than_two() -> None:
    x, labels = drawn(2, 400, 6, 3, 0.8, 0)
    found = cosines(x, labels, x)
    score = LinearDiscriminantAnalysis().fit(x, labels).decision_function(x)
    order = np.argsort(score)
    margin = (found[:, 1] - found[:, 0])[order]
    assert np.corrcoef(np.arange(400), np.argsort(np.argsort(margin)))[0, 1] > 0.98
    assert margin.std() > 0.1


def test_few_differences_among_many_are_found_better_than_by_a_plain_discriminant() -> None:
    new, truth = drawn(3, 3000, 40, 4, 0.7, 5)
    ours, plain = [], []
    for seed in range(6):
        x, labels = drawn(3, 90, 40, 4, 0.7, 10 + seed)
        ours.append((cosines(x, labels, new).argmax(1) == truth).mean())
        peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / 3] * 3)
        plain.append((peer.fit(x, labels).predict(new) == truth).mean())
    assert np.mean(ours) > np.mean(plain) + 0.01


def test_inputs_that_are_not_used_have_no_say() -> None:
    x, labels = drawn(3, 90, 6, 3, 0.8, 0)
    blocks = np.array([0, 0, 0, 0, -1, -1])
    linear, _ = discriminant(x[None], labels[None], np.ones((1, 90)), blocks[None], 3)
    assert not linear[0, 4:].any()
    assert linear[0, :4].any()


def test_many_at_once_are_each_as_alone() -> None:
    x, labels = drawn(3, 60, 5, 2, 0.8, 0)
    weights = np.stack([np.ones(60), np.arange(60) < 45]).astype(float)
    blocks = np.array([[0, 0, 0, 1, 1]] * 2)
    both = discriminant(np.stack([x, x]), np.stack([labels] * 2), weights, blocks, 3)
    alone = discriminant(x[None, :45], labels[None, :45], np.ones((1, 45)), blocks[:1], 3)
    np.testing.assert_allclose(both[0][1], alone[0][0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(both[1][1], alone[1][0], rtol=1e-6, atol=1e-9)
