"""Made streams of matches."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from atlas.inputs import NOVELTY, USED, WHOLE, InputReference, reference_of
from atlas.monitoring import Entry

GROUPS = ("BD", "HC", "MDD")
NAMES = (*(f"AU{i:02d}" for i in range(1, 11)), NOVELTY, USED)
STIMULI = ("anger", "joy")
ATLAS = "ab" * 32


@pytest.fixture(scope="session")
def reference() -> InputReference:
    """Of 80 people: standard normal features."""
    values = np.random.default_rng(1).normal(size=(80, len(NAMES)))
    return reference_of(values, NAMES, range(80), WHOLE, (25.0, 30.0))


@pytest.fixture(scope="session")
def make() -> Callable[..., list[Entry]]:
    """``make(people, seed, shift=..., late=...)``: people like those of `reference`; `shift` standard deviations in
    AU01, `late` in the novelty from the middle on, `turn` in the embeddings from then on.
    """

    def entries(
        people: int, seed: int = 0, shift: float = 0.0, late: float = 0.0, turn: float = 0.0, sure: float = 1.0
    ) -> list[Entry]:
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(people, len(NAMES)))
        values[:, 0] += shift
        later = np.arange(people) >= people // 2
        values[:, NAMES.index(NOVELTY)] += late * later
        embedding = rng.normal(size=(people, 6))
        embedding[:, 0] += turn * later
        logits = rng.normal(size=(people, len(GROUPS)))
        chances = np.exp(sure * logits) / np.exp(sure * logits).sum(1, keepdims=True)
        out = []
        for i in range(people):
            row = dict(zip(NAMES, map(float, values[i]), strict=True))
            novelty, used = row.pop(NOVELTY), row.pop(USED)
            kept = tuple(g for g, p in zip(GROUPS, chances[i], strict=True) if p > 0.3)
            out.append(
                Entry(
                    person=f"sub-{seed:02d}{i:03d}",
                    stimuli=STIMULI,
                    features=row,
                    novelty=novelty,
                    used=used,
                    frame_rate=25.0,
                    embedding=tuple(map(float, embedding[i])),
                    similarities=dict(zip(GROUPS, map(float, logits[i] / 10), strict=True)),
                    probabilities=dict(zip(GROUPS, map(float, chances[i]), strict=True)),
                    prediction_set=kept,
                    decision=kept[0] if len(kept) == 1 else "inconclusive",
                    simulated=True,
                )
            )
        return out

    return entries


@pytest.fixture(scope="session")
def followed(reference: InputReference) -> Any:
    """What is looked at of an atlas."""
    return SimpleNamespace(
        groups=GROUPS,
        stimuli=STIMULI,
        inputs=(reference,),
        held_out_excess={"people": 80, "mean": 0.0, "sd": 0.4},
        simulated=True,
        matcher=SimpleNamespace(coverage=0.9, whole=SimpleNamespace(people=80), single=SimpleNamespace(people=80)),
    )
