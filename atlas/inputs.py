"""What goes into a match, in a few numbers, and what those numbers are for the atlas's own people.

A deployed matcher is followed by comparing the people it is given with those it was built from (`atlas.monitoring`).
The atlas keeps means, correlations and counts of its people for that, and no single person's: a bin of a count holds
about `LEAST_PEOPLE` of them. People with all the atlas's stimuli and single recordings are kept apart, because the mean
of one stimulus varies more than that of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.aggregation import AggregatedFace, RecordingSummary
from atlas.features import block, feature_table, pooled_z
from atlas.groups import LEAST_PEOPLE

if TYPE_CHECKING:
    from atlas.matcher import Matcher

WHOLE, SINGLE = KINDS = ("whole", "single")
NOVELTY, USED = "novelty", "share of frames used"
MOST_BINS = 10


def inputs_of(matcher: "Matcher", z: np.ndarray, recordings: Sequence[RecordingSummary]) -> dict[str, Any]:
    """Of one person with scaled features z (1, Q + 1, F): ``features`` {action unit or measure: mean z over stimuli},
    ``novelty`` the root mean square of all features' z, ``used`` the share of frames used, ``frame_rate`` the mean of
    the recordings', per second, ``embedding`` (K,).
    """
    pooled = pooled_z(z)[0]
    named = [i for i, name in enumerate(matcher.encoder.scaler.names) if block(name) == "named"]
    known = np.isfinite(z[0]).any(0)
    return {
        "features": {matcher.encoder.scaler.names[i]: round(float(pooled[i]), 3) for i in named if known[i]},
        "novelty": round(float(np.sqrt((pooled**2).mean())), 4),
        "used": round(sum(r.frames_used for r in recordings) / sum(r.frames for r in recordings), 4),
        "frame_rate": round(float(np.mean([r.frame_rate for r in recordings])), 3),
        "embedding": [round(float(v), 4) for v in matcher.encoder.embed(z)[0]],
    }


@dataclass(frozen=True)
class InputReference:
    """D numbers of the atlas's people, or of their single recordings, as `kind` says.

    people : how many; of recordings their share in it is a person's, so that everyone counts once
    names : action units and measures (z), then `NOVELTY` and `USED`. No similarity: the encoder has learnt from these
        people, and encoders that have not learnt from one of them have learnt from fewer, so that either differs from
        that of anybody new
    mean, sd : (D,)
    correlation : (D, D)
    edges : (D, B - 1) ascending, between the bins; counts : (D, B) people in them
    frame_rate_low, frame_rate_high : per second
    """

    kind: str
    people: int
    names: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    correlation: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    frame_rate_low: float
    frame_rate_high: float

    def bins(self, values: np.ndarray) -> np.ndarray:
        """(N, D) the bins that values (N, D) fall into."""
        return np.stack([np.searchsorted(e, v, side="right") for e, v in zip(self.edges, values.T, strict=True)], 1)


def input_references(matcher: "Matcher", people: Sequence[AggregatedFace]) -> tuple[InputReference, ...]:
    """Of the people that `matcher` was fitted to, in its table's order; of whole people and of single recordings."""
    scaler = matcher.encoder.scaler
    sets: dict[str, list[tuple[Sequence[RecordingSummary], int]]] = {
        WHOLE: [(p.recordings, i) for i, p in enumerate(people) if set(p.stimuli) >= set(scaler.stimuli)],
        SINGLE: [((r,), i) for i, p in enumerate(people) for r in p.recordings],
    }
    out = []
    for kind, parts in sets.items():
        if len({i for _, i in parts}) < 2 * LEAST_PEOPLE:
            continue
        found = []
        for recordings, _ in parts:
            z = scaler.z(feature_table([recordings], scaler.names, scaler.stimuli))
            made = inputs_of(matcher, z, recordings)
            found.append({**made["features"], NOVELTY: made["novelty"], USED: made["used"]})
        names = tuple(n for n in found[0] if all(np.isfinite(row.get(n, np.nan)) for row in found))
        rates = [r.frame_rate for recordings, _ in parts for r in recordings]
        values = np.array([[row[name] for name in names] for row in found])
        out.append(reference_of(values, names, [i for _, i in parts], kind, (min(rates), max(rates))))
    return tuple(out)


def reference_of(
    values: np.ndarray, names: tuple[str, ...], owners: Sequence[int], kind: str, rates: tuple[float, float]
) -> InputReference:
    """Of rows (N, D) that belong to the people `owners` (N,): everyone counts once."""
    _, owner, number = np.unique(owners, return_inverse=True, return_counts=True)
    weights = 1 / number[owner]
    people = len(number)
    mean = weights @ values / people
    centred = values - mean
    covariance = (weights[:, None] * centred).T @ centred / (people - 1)
    sd = np.sqrt(np.diag(covariance))
    scale = np.where(sd > 0, sd, 1)
    size = int(np.clip(people // LEAST_PEOPLE, 2, MOST_BINS))
    edges = np.quantile(values, np.arange(1, size) / size, axis=0).T
    part = InputReference(
        kind, people, names, mean, sd, covariance / np.outer(scale, scale), edges, np.zeros((len(names), size)), *rates
    )
    counts = [np.bincount(b, weights, size) for b in part.bins(values).T]
    return InputReference(**{**vars(part), "counts": np.array(counts)})
