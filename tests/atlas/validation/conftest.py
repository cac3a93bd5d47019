"""People made of numbers alone, for tests of what validation does with them."""

from collections.abc import Callable

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, RecordingSummary
from atlas.features import feature_table
from atlas.validation import Samples, samples_of

STIMULI = ("anger", "happiness")
NAMES = (*(f"level c{i}" for i in range(6)), "AU04", "AU12")
Make = Callable[..., list[AggregatedFace]]


@pytest.fixture(scope="session")
def made() -> Make:
    """``made(people, effect, seed=0, sites=1)``: people of A and B in an order that carries no group; in B the last two
    features are `effect` standard deviations higher.
    """

    def make(people: int, effect: float, seed: int = 0, sites: int = 1) -> list[AggregatedFace]:
        rng = np.random.default_rng(seed)
        groups = rng.permutation(np.repeat(["A", "B"], people // 2))
        out = []
        for i, group in enumerate(groups):
            own = rng.normal(size=len(NAMES)) + effect * (group == "B") * np.array([0] * 6 + [1, 1])
            shape = rng.normal(size=20)
            recordings = tuple(
                RecordingSummary(
                    stimulus=stimulus,
                    frames=100,
                    frames_used=100,
                    shape=shape + 0.1 * rng.normal(size=20),
                    mean=np.zeros(1),
                    covariance=np.zeros((1, 1)),
                    features=own + 0.3 * rng.normal(size=len(NAMES)),
                    digest=f"{seed:04d}{i:06d}{stimulus[:6]:>6}",
                    simulated=True,
                    stage="simulated",
                )
                for stimulus in STIMULI
            )
            extra = {"site": f"S{i % sites}"} if sites > 1 else {}
            age, sex = float(rng.integers(20, 60)), str(rng.choice(["F", "M"]))
            out.append(AggregatedFace(f"sub-{i + 1:03d}", str(group), recordings, age, sex, extra))
        return out

    return make


@pytest.fixture(scope="session")
def sampled() -> Callable[[list[AggregatedFace]], Samples]:
    return lambda people: samples_of(people, feature_table([p.recordings for p in people], NAMES, STIMULI))
