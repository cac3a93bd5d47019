"""Figures of a validation against what is known, and against other software's."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, precision_score, recall_score, roc_auc_score, roc_curve

from atlas.aggregation import AggregatedFace
from atlas.validation import Samples, person_splitter
from atlas.validation.discrimination import discrimination
from atlas.validation.held_out import hold_out
from atlas.validation.intervals import Estimate, on_logit, share_difference
from atlas.validation.intervals import share as share_of
from atlas.validation.null import permuted_accuracies
from atlas.validation.probabilities import THRESHOLDS, calibration, decision_curves
from atlas.validation.subgroups import subgroups

GROUPS = ("A", "B", "C")


@pytest.fixture(scope="module")
def told() -> tuple[np.ndarray, np.ndarray]:
    """240 people's groups, and probabilities that they were drawn from: perfectly calibrated."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1.2, 0.8, 0.5], 240).round(2) + 0.01
    probabilities /= probabilities.sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in probabilities])
    return labels, probabilities


def test_discrimination_agrees_with_scikit_learn(told: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = told
    best = probabilities.argmax(1)
    found = discrimination(GROUPS, labels, best[None], probabilities)
    assert found.accuracy.value == pytest.approx((best == labels).mean())
    for g, name in enumerate(GROUPS):
        own, part = labels == g, found.groups[name]
        assert part.auroc.value == pytest.approx(roc_auc_score(own, probabilities[:, g]))
        assert part.recall.value == pytest.approx(recall_score(own, best == g))
        assert part.precision.value == pytest.approx(precision_score(own, best == g))
        assert part.f1.value == pytest.approx(f1_score(own, best == g))
        rates = roc_curve(own, probabilities[:, g], drop_intermediate=False)
        np.testing.assert_allclose(found.roc[name], np.column_stack(rates[:2]))
        for estimate in (part.auroc, part.recall, part.precision, part.f1):
            assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    assert found.auroc.value == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"))
    assert found.confusion.sum() == 240


def test_the_intervals_of_auroc_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    """DeLong's of one, and of the mean over groups, each at 95 %; of 200 samples, below 89 % once in 3,000."""
    monkeypatch.setattr("atlas.validation.discrimination.DRAWS", 10)  # of other intervals
    rng, hits, true = np.random.default_rng(2), np.zeros(2), None
    for number in range(201):
        n = 6_000 if number == 0 else 45  # the first tells the truth
        labels = np.arange(n) % 3
        scores = rng.normal(size=(n, 3)) + 0.9 * np.eye(3)[labels]
        raised = np.exp(scores)
        found = discrimination(GROUPS, labels, scores.argmax(1)[None], raised / raised.sum(1, keepdims=True))
        pair = (found.groups["A"].auroc, found.auroc)
        if true is None:
            true = [estimate.value for estimate in pair]
        else:
            hits += [estimate.low <= t <= estimate.high for estimate, t in zip(pair, true, strict=True)]
    assert (hits / 200 > 0.89).all()
    assert (hits / 200 < 1).all()


def test_perfect_separation_still_has_an_interval() -> None:
    labels = np.repeat([0, 1], 8)
    found = discrimination(("A", "B"), labels, labels[None], np.eye(2)[labels] * 0.8 + 0.1)
    assert found.groups["A"].auroc == Estimate(1.0, pytest.approx(0.025 ** (1 / 8)), 1.0)
    assert found.balanced_accuracy.value == 1
    assert found.balanced_accuracy.low < 0.95
    assert on_logit(0.0, 0.0, 8).high == pytest.approx(1 - 0.025 ** (1 / 8))


def test_repeats_add_nobody(told: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = told
    best = probabilities.argmax(1)
    once = discrimination(GROUPS, labels, best[None], probabilities)
    thrice = discrimination(GROUPS, labels, np.stack([best] * 3), probabilities)
    assert thrice.accuracy == once.accuracy


def test_perfectly_calibrated_is_inside_its_range_and_overconfident_is_not(
    told: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, probabilities = told
    honest = calibration(labels, probabilities)
    assert honest.perfect_low <= honest.ece <= honest.perfect_high
    assert honest.slope.low < 1 < honest.slope.high
    assert honest.brier.value == pytest.approx(
        sum(brier_score_loss(labels == g, probabilities[:, g]) for g in range(3))
    )
    sharp = probabilities**4 / (probabilities**4).sum(1, keepdims=True)
    proud = calibration(labels, sharp)
    assert proud.ece > proud.perfect_high
    assert proud.p < 0.01
    assert proud.slope.high < 0.6
    assert proud.slope.value == pytest.approx(honest.slope.value / 4, rel=0.05)


def test_net_benefit_is_counted(told: tuple[np.ndarray, np.ndarray]) -> None:
    labels, probabilities = told
    curve = decision_curves(GROUPS, labels, probabilities)["A"]
    at = int(np.abs(THRESHOLDS - 0.5).argmin())
    acted, own = probabilities[:, 0] >= 0.5, labels == 0
    assert curve.matcher[at] == pytest.approx(((acted & own).sum() - (acted & ~own).sum()) / 240)
    assert curve.everyone[at] == pytest.approx((own.sum() - (~own).sum()) / 240)
    assert curve.useful is not None
    noise = np.random.default_rng(0).permutation(probabilities)
    blind = decision_curves(GROUPS, labels, np.where(noise > 0, 1 / 3, 0))["A"]
    assert blind.useful is None or blind.useful[1] - blind.useful[0] < 0.1


def test_gaps_between_subgroups(made: Callable[..., list[AggregatedFace]]) -> None:
    people = made(60, 0.0)
    right = np.array([float(person.sex == "F" or i % 3 == 0) for i, person in enumerate(people)])
    found = {(s.variable, s.value): s for s in subgroups(people, right, None, None)}
    women, men = found["sex", "women"], found["sex", "men"]
    assert women.accuracy is not None
    assert women.accuracy.value == 1
    assert women.gap is not None
    assert women.gap.low > 0.3
    assert men.gap is not None
    assert men.gap.value == pytest.approx(-women.gap.value)
    few = [replace(p, extra={"medication": "lithium" if i < 4 else "none"}) for i, p in enumerate(people)]
    hidden = {(s.variable, s.value): s for s in subgroups(few, right, None, None)}["medication", "lithium"]
    assert hidden.accuracy is None
    assert hidden.size == 4
    assert share_difference(share_of(56, 70), share_of(48, 80)).low == pytest.approx(0.0524, abs=5e-4)  # Newcombe 1998


def test_shuffles_are_kept_and_gone_on_with(
    made: Callable[..., list[AggregatedFace]],
    sampled: Callable[[list[AggregatedFace]], Samples],
    tmp_path: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = sampled(made(24, 3.0))
    samples = replace(samples, table=replace(samples.table, values=samples.table.values[:, :2]))
    samples = replace(samples, table=replace(samples.table, stimuli=samples.table.stimuli[:1]))
    split, classifier = person_splitter(3)(samples), LogisticRegression()
    held = hold_out({"plain": (classifier, samples)}, split)["plain"]
    whole = permuted_accuracies(classifier, samples, split, held, 12)
    first = permuted_accuracies(classifier, samples, split, held, 8, folder=tmp_path)  # type: ignore[arg-type]
    fitted: list[int] = []
    monkeypatch.setattr(LogisticRegression, "fit", _counted(LogisticRegression.fit, fitted))
    on = permuted_accuracies(classifier, samples, split, held, 12, folder=tmp_path)  # type: ignore[arg-type]
    np.testing.assert_array_equal(on, whole)
    np.testing.assert_array_equal(on[:8], first)
    assert len(fitted) == 4 * 3
    permuted_accuracies(classifier, samples, split, held, 12, seed=1, folder=tmp_path)  # type: ignore[arg-type]
    assert len(fitted) == 4 * 3 + 12 * 3
    assert (held.best[0] == samples.labels).mean() > whole.max()


def _counted(fit: Callable[..., object], calls: list[int]) -> Callable[..., object]:
    def counted(self: object, *arguments: object) -> object:
        calls.append(1)
        return fit(self, *arguments)

    return counted
