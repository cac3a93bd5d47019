"""Frames of one person on both sides: refused, and what it would have faked."""

from collections.abc import Callable

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace
from atlas.features import FeatureTable
from atlas.validation import Fold, Samples, Settings, Split, audit_cohort, person_splitter, validate
from atlas.validation.bayes import BestPossible
from reconstruction.errors import InputError

PIECES, FEATURES = 6, 12
UNKNOWN = BestPossible(float("nan"), float("nan"), float("nan"), "not asked for")


def by_frame(samples: Samples) -> Split:
    """What must not be done: pieces of recordings over folds, whoever they are of."""
    fold = np.random.default_rng(0).permutation(np.arange(len(samples)) % 3)
    return Split("person", (tuple(Fold(f"fold {k + 1}", fold != k, fold == k) for k in range(3)),))


@pytest.fixture(scope="module")
def pieces(made: Callable[..., list[AggregatedFace]]) -> tuple[list[AggregatedFace], Samples]:
    """24 people of two groups that do not differ, each recorded in six pieces that are alike."""
    rng, people = np.random.default_rng(1), made(24, 0.0)
    owner = np.repeat(np.arange(24), PIECES)
    own = rng.normal(size=(24, FEATURES))[owner]
    values = np.full((len(owner), 2, FEATURES), np.nan)
    values[:, 0] = own + 0.2 * rng.normal(size=own.shape)
    labels = np.array([("A", "B").index(people[i].group) for i in owner])
    table = FeatureTable(tuple(f"level c{i}" for i in range(FEATURES)), ("anger",), values)
    return people, Samples(table, ("A", "B"), labels, owner)


def test_a_split_by_frame_is_refused_and_would_have_faked_a_matcher(
    pieces: tuple[list[AggregatedFace], Samples], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atlas.validation.validation.embedding_map", lambda *_: None)
    people, samples = pieces
    settings = Settings(permutations=0)
    torn = by_frame(samples)
    audit = audit_cohort(people, samples, torn)
    assert [(f.check, f.severity, len(f.who)) for f in audit.refused] == [("person", "refuse", 24)]
    assert "split by person" in audit.refused[0].remedy
    with pytest.raises(InputError, match="the audit passes, but it refuses for person"):
        validate(people, samples, torn, audit, settings, best=UNKNOWN)

    forced = audit_cohort(people, samples, torn, allow=("person",))
    faked = validate(people, samples, torn, forced, settings, best=UNKNOWN)
    whole = person_splitter(3)(samples)
    honest = validate(people, samples, whole, audit_cohort(people, samples, whole), settings, best=UNKNOWN)
    points = 100 * (faked.result.accuracy.value - honest.result.accuracy.value)
    with capsys.disabled():
        print(
            f"\na split by frame fakes {points:.0f} points: {faked.result.accuracy.value:.0%} against "
            f"{honest.result.accuracy.value:.0%} by person, chance 50%"
        )
    assert abs(honest.result.accuracy.value - 0.5) < 0.25
    assert points > 20
    assert faked.to_json()["audit"][0]["allowed"]
