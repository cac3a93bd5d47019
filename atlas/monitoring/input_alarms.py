"""The alarms of input drift, with their rates measured on streams drawn from what the atlas knows of its people.

Drawn are normal features with the atlas's correlations: an atlas's people, from whom bins are made anew, then a stream;
so that how few people the atlas has counts. That is a model of the inputs; `scripts/measure_monitor.py` measures the
same alarms on whole simulated matches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.inputs import NOVELTY, InputReference, reference_of
from atlas.monitoring.alarm import ALPHA, DRAWS, LEAST, Alarm, Rate
from atlas.monitoring.input_drift import (
    FeatureDrift,
    any_feature,
    by_kind,
    cusum,
    discrepancy_p,
    feature_drift,
    halves,
    kernel_of,
    largest_cusums,
    null_cusums,
    null_outside,
    scores,
    values_of,
)
from atlas.monitoring.stream import Entry

SHIFT = 0.8  # the shifts whose power is told, in the atlas's standard deviations: in one feature of six,
STEP = 1.0  # of the novelty from the middle of the stream on,
TURN = 1.5  # of the embeddings along their first principal axis, in the later half,
OUTSIDE = 0.2  # and a share of people recorded at a frame rate that the atlas does not have
LATEST = 400  # people whose embeddings are compared, the earlier half with the later


@dataclass(frozen=True)
class Chart:
    """The novelty's CUSUM over the people in order of time: both sides, and the threshold."""

    up: np.ndarray
    down: np.ndarray
    threshold: float


@dataclass(frozen=True)
class InputDrift:
    """compared : how many people are compared with the atlas's; the others have some of its stimuli but not all
    frame_rates : least and largest, per second; chart : None with too few people
    """

    compared: int
    features: tuple[FeatureDrift, ...]
    frame_rates: tuple[float, float]
    chart: Chart | None
    alarms: tuple[Alarm, ...]


def input_drift(
    entries: Sequence[Entry],
    references: Sequence[InputReference],
    stimuli: Sequence[str],
    seed: int,
    draws: int = DRAWS,
) -> InputDrift:
    """Of people in order of time; deterministic in `seed`."""
    parts = by_kind(entries, {r.kind: r for r in references}, stimuli)
    found = [(r, values_of([entries[i] for i in own], r)) for r, own in parts]
    compared = sum(len(own) for _, own in parts)
    features = feature_drift(found)
    rates = [e.frame_rate for e in entries if e.frame_rate > 0]
    chart, alarm_novelty = _novelty(entries, parts, seed, draws)
    return InputDrift(
        compared=compared,
        features=tuple(sorted(features, key=lambda row: (row.p, row.name))),
        frame_rates=(min(rates), max(rates)) if rates else (0.0, 0.0),
        chart=chart,
        alarms=(
            _features(features, compared, [(r, len(own)) for r, own in parts], seed, draws),
            _frame_rates(rates, references, seed, draws),
            alarm_novelty,
            _discrepancy(entries, seed, draws),
        ),
    )


def _features(
    features: Sequence[FeatureDrift],
    people: int,
    sizes: Sequence[tuple[InputReference, int]],
    seed: int,
    draws: int,
) -> Alarm:
    question = "Are people's features spread as those of the atlas's people?"
    if people < LEAST or not features:
        return Alarm("features", question, people, silent=_few(people))
    rng = np.random.default_rng([seed, 6])
    quiet, moved = [], []
    for _ in range(draws):
        drawn = [(_redrawn(r, rng), _normal(r, n, rng)) for r, n in sizes if n]
        quiet.append(any_feature(feature_drift(drawn)))
        shifted = [(r, x + SHIFT * (np.arange(x.shape[1]) % 6 == 0)) for r, x in drawn]
        moved.append(any_feature(feature_drift(shifted)))
    least = min(features, key=lambda row: row.q)
    return Alarm(
        name="features",
        question=question,
        people=people,
        statistic=f"least q of {len(features)} features ({least.name})",
        found=least.q,
        threshold=ALPHA,
        p=least.q,
        fired=any_feature(features),
        false_alarms=Rate.of(quiet),
        power=Rate.of(moved),
        shift=f"one feature of six shifts by {SHIFT:g} standard deviations",
    )


def _redrawn(reference: InputReference, rng: np.random.Generator) -> InputReference:
    """What the reference would have been for other people like its own."""
    x = _normal(reference, reference.people, rng)
    return reference_of(x, reference.names, range(reference.people), reference.kind, (0.0, 0.0))


def _normal(reference: InputReference, people: int, rng: np.random.Generator) -> np.ndarray:
    values, vectors = np.linalg.eigh(reference.correlation)
    root = vectors * np.sqrt(np.maximum(values, 0))
    return rng.normal(size=(people, len(root))) @ root.T


def _frame_rates(rates: Sequence[float], references: Sequence[InputReference], seed: int, draws: int) -> Alarm:
    question = "Are recordings made at the atlas's frame rates?"
    known = [r for r in references if r.frame_rate_high > 0]
    if len(rates) < LEAST or not known:
        return Alarm("frame rate", question, len(rates), silent=_few(len(rates)) if known else "not in the atlas")
    low, high = min(r.frame_rate_low for r in known), max(r.frame_rate_high for r in known)
    outside = sum(not low * 0.98 <= rate <= high * 1.02 for rate in rates)  # 29.97 and 30 are alike
    people = known[0].people
    null = null_outside(len(rates), people, seed)
    threshold = int(np.quantile(null, 1 - ALPHA, method="higher"))
    fresh = null_outside(len(rates), people, seed + 1, draws)
    rng = np.random.default_rng([seed, 7])
    return Alarm(
        name="frame rate",
        question=question,
        people=len(rates),
        statistic=f"people recorded outside {low:g} to {high:g} frames a second",
        found=float(outside),
        threshold=float(threshold),
        p=float((1 + (null >= outside).sum()) / (1 + len(null))),
        fired=outside > threshold,
        false_alarms=Rate.of(fresh > threshold),
        power=Rate.of(np.maximum(fresh, rng.binomial(len(rates), OUTSIDE, draws)) > threshold),
        shift=f"{OUTSIDE:.0%} of people are recorded at another rate",
    )


def _novelty(
    entries: Sequence[Entry],
    parts: Sequence[tuple[InputReference, list[int]]],
    seed: int,
    draws: int,
) -> tuple[Chart | None, Alarm]:
    question = "Do people become more, or less, unlike the atlas's people?"
    z = np.full(len(entries), np.nan)
    used = [(r, own) for r, own in parts if NOVELTY in r.names and own]
    for reference, own in used:
        i = reference.names.index(NOVELTY)
        values = values_of([entries[k] for k in own], reference)[:, i]
        z[own] = scores(values, reference.edges[i], reference.counts[i])
    z = z[np.isfinite(z)]
    if len(z) < LEAST:
        return None, Alarm("novelty", question, len(z), silent=_few(len(z)))
    reference = used[0][0]
    size, people = reference.counts.shape[1], reference.people
    null = null_cusums(len(z), people, size, seed)
    threshold = float(np.quantile(null, 1 - ALPHA))
    up, down = cusum(z)
    found = float(max(up.max(), down.max()))
    rng = np.random.default_rng([seed, 8])
    edges = stats.norm.ppf(np.arange(1, size) / size)
    step = STEP * (np.arange(len(z)) >= len(z) // 2)
    moved = np.array([
        scores(rng.normal(size=len(z)) + step, edges, np.full(size, people / size)) for _ in range(draws)
    ])  # fmt: skip
    alarm = Alarm(
        name="novelty",
        question=question,
        people=len(z),
        statistic="largest CUSUM, in standard deviations",
        found=found,
        threshold=threshold,
        p=float((1 + (null >= found).sum()) / (1 + len(null))),
        fired=found > threshold,
        false_alarms=Rate.of(null_cusums(len(z), people, size, seed + 1, draws) > threshold),
        power=Rate.of(largest_cusums(moved) > threshold),
        shift=f"from the middle on, it shifts by {STEP:g} standard deviation",
    )
    return Chart(up, down, threshold), alarm


def _discrepancy(entries: Sequence[Entry], seed: int, draws: int) -> Alarm:
    question = "Are the later half's embeddings like the earlier half's?"
    size = max((len(e.embedding) for e in entries), default=0)
    embeddings = np.array([e.embedding for e in entries if len(e.embedding) == size][-LATEST:])
    if len(embeddings) < LEAST or size == 0:
        return Alarm("embeddings", question, len(embeddings), silent=_few(len(embeddings)))
    rng = np.random.default_rng([seed, 9])
    kernel, later = kernel_of(embeddings), halves(len(embeddings))
    _, p = discrepancy_p(kernel, later, rng)
    centred = embeddings - embeddings.mean(0)
    _, strength, axes = np.linalg.svd(centred, full_matrices=False)
    along = TURN * strength[0] / np.sqrt(len(embeddings)) * axes[0]
    quiet, moved = [], []
    for _ in range(draws):
        order = rng.permutation(len(embeddings))
        quiet.append(discrepancy_p(kernel[np.ix_(order, order)], later, rng)[1] <= ALPHA)
        shifted = kernel_of(embeddings[order] + later[:, None] * along)
        moved.append(discrepancy_p(shifted, later, rng)[1] <= ALPHA)
    return Alarm(
        name="embeddings",
        question=question,
        people=len(embeddings),
        statistic="p of the maximum mean discrepancy",
        found=p,
        threshold=ALPHA,
        p=p,
        fired=p <= ALPHA,
        false_alarms=Rate.of(quiet),
        power=Rate.of(moved),
        shift=f"the later half shifts by {TURN:g} standard deviations along the first principal axis",
    )


def _few(people: int) -> str:
    return f"{people} people, fewer than {LEAST}"
