"""The best any matcher can do on simulated people: the accuracy of the Bayes-optimal decision given the recordings.

What of a recording depends on its person's latent levels z, and so on the group, is known from how it is made
(`atlas.simulation.people`, `atlas.simulation.recording`):

- the mean of an action unit's course, the head's mean speed and the gaze's dispersion are ``typical * (1 + SPREAD *
  y)`` to the last digit, with y ~ N(z, OCCASION^2) drawn anew in every recording: the mean of y over R recordings is
  sufficient, N(z, OCCASION^2 / R);
- blinks last exactly as long as the person's level says; one blink tells it;
- a recording in which e blinks are expected has floor(e + u) of them, u uniform: c blinks with probability
  max(0, 1 - |e - c|).

Everything else (when things happen, how strongly, camera, identity, age, sex) is drawn without the levels. A group's
likelihood is thus exact up to quadrature: levels of action units share a Gaussian factor s and are independent given
it, so p(observed) is one integral over s of a product of one-dimensional integrals over the levels; the movement
measures are independent. The decision is the group of the largest prior times likelihood, and its accuracy is the mean
of the largest posterior over people drawn from the model.

It is an upper bound in one respect: levels so low that a recording holds them at the least possible value (below -3.3;
an effect below -1.4 is needed for that) are taken as seen where recordings only show that they are low. What the
recordings themselves tell can be read back with `observed`, so that the decision is also made on recordings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from atlas.biomarkers.action_units import FULL
from atlas.features import FeatureTable
from atlas.simulation.effects import QUANTITIES, REFERENCE_GROUP, UNITS, Effects, load_effects
from atlas.simulation.people import SHARED, SPREAD, draw_levels, level_of_normal
from atlas.simulation.recording import BLINKS, OCCASION, STIMULI, TYPICAL, unit_levels
from reconstruction.errors import InputError

PEOPLE = 20_000  # of each group, from the model
PART = 2000  # people whose likelihood is computed at once
VARYING = tuple(q for q in QUANTITIES if q not in BLINKS)  # what differs from recording to recording
_NORMAL = np.arange(-6, 6.001, 0.01)  # own Gaussian of a level
_SHARED = np.linspace(-5, 5, 81)  # the units' shared Gaussian
_SEEN = np.arange(-3.5, 5.5, 0.01)  # observed level
_MEASURED = 1e-6  # density of a duration outside of what there is: read from recordings, it is not quite exact


@dataclass(frozen=True)
class BayesAccuracy:
    """accuracy : share of people whom the Bayes-optimal decision gives their group; low, high : 95 % interval
    people : drawn from the model
    how : in words
    """

    accuracy: float
    low: float
    high: float
    people: int
    how: str


@dataclass(frozen=True)
class Observed:
    """What the recordings of P people tell of their levels.

    levels : (P, N) mean over recordings of every quantity in `VARYING`
    duration : (P,) level of the blinks' duration, NaN where nobody blinked
    blinks : (P, R) blinks in every recording
    seconds : of a recording
    """

    levels: np.ndarray
    duration: np.ndarray
    blinks: np.ndarray
    seconds: float

    def __len__(self) -> int:
        return len(self.levels)


def bayes_accuracy(
    effects: Effects | str | Path | None = "default",
    sizes: Mapping[str, int] | None = None,
    stimuli: Sequence[str] = STIMULI,
    seconds: float = 20.0,
    *,
    people: int = PEOPLE,
    seed: int = 0,
) -> BayesAccuracy:
    """Accuracy of the Bayes-optimal decision on new people of `atlas.simulation.simulate`'s cohorts.

    effects : as `load_effects` takes them
    sizes : people of every group, what it is weighted by and decided with; all alike without
    stimuli, seconds : of a person's recordings, one before each stimulus
    people : drawn of each group

    Raises
    ------
    InputError
        The effects cannot be used, or `sizes` are not of the effects' groups.
    """
    planted = _groups(effects)
    prior = _prior(planted, sizes)
    sums = np.zeros(3)
    rng = np.random.default_rng([seed, 4])
    for weight, group in zip(prior, planted, strict=True):
        if not weight:
            continue
        drawn = draw_observed(planted[group], people, len(stimuli), seconds, rng)
        best = posterior(drawn, planted, prior).max(1)
        sums += weight * np.array([best.mean(), weight * best.var() / len(best), 1])
    accuracy, half = sums[0] / sums[2], 1.96 * np.sqrt(sums[1])
    return BayesAccuracy(
        accuracy=float(accuracy),
        low=float(accuracy - half),
        high=float(min(1, accuracy + half)),
        people=people * int((prior > 0).sum()),
        how="exact posterior of the known generative model, mean of its maximum over simulated people",
    )


def posterior(seen: Observed, effects: Effects, prior: Sequence[float] | np.ndarray | None = None) -> np.ndarray:
    """(P, G) probability of every group of `effects`, in their order and then HC, given what the recordings tell.

    prior : (G,), all alike without
    """
    planted = _groups(effects)
    shares = np.full(len(planted), 1 / len(planted)) if prior is None else np.asarray(prior, float)
    logs = np.stack([_log_likelihood(seen, of_group) for of_group in planted.values()], 1)
    with np.errstate(divide="ignore"):
        logs = logs + np.log(shares)
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def draw_observed(
    planted: Mapping[str, float], people: int, recordings: int, seconds: float, rng: np.random.Generator
) -> Observed:
    """What the recordings of `people` new people with planted effects tell, drawn from the model."""
    z = draw_levels(people, rng) + np.array([planted.get(q, 0.0) for q in QUANTITIES])
    varying = z[:, [QUANTITIES.index(q) for q in VARYING]]
    varying = varying + OCCASION / np.sqrt(recordings) * rng.normal(size=varying.shape)
    expected = _expected_blinks(z[:, QUANTITIES.index("blink_rate")], seconds)
    blinks = np.floor(expected[:, None] + rng.uniform(size=(people, recordings))).astype(int)
    duration = np.where(blinks.any(1), z[:, QUANTITIES.index("blink_duration")], np.nan)
    return Observed(varying, duration, blinks, seconds)


def observed(table: FeatureTable, seconds: float) -> Observed:
    """What simulated people's features tell of their levels: `draw_observed` read back from recordings.

    table : of recordings before known stimuli, each person before every one; how long blinks last is known as
        finely as the frame rate shows it

    Raises
    ------
    InputError
        A stimulus is none of the simulation's, or a recording is missing.
    """
    if not set(table.stimuli) <= set(STIMULI) or not np.isfinite(table.values[:, :-1]).any(2).all():
        raise InputError(
            f"expected a recording of every person before each stimulus, of {', '.join(STIMULI)}, got "
            f"{', '.join(table.stimuli) or 'none'}, some perhaps missing; simulate the cohort anew."
        )
    column = {name: table.values[:, :-1, i] for i, name in enumerate(table.names)}
    units = np.array([unit_levels(stimulus) for stimulus in table.stimuli])  # (Q, U)
    typical = {u: FULL * units[:, i] for i, u in enumerate(UNITS)} | TYPICAL
    level = {q: (column[q] / typical[q] - 1) / SPREAD for q in (*VARYING, "blink_duration")}
    known = np.isfinite(level["blink_duration"])
    lasted = np.where(known, level["blink_duration"], 0).sum(1) / np.maximum(known.sum(1), 1)
    return Observed(
        levels=np.stack([level[q].mean(1) for q in VARYING], 1),
        duration=np.where(known.any(1), lasted, np.nan),
        blinks=np.round(column["blink_rate"] * seconds / 60).astype(int),
        seconds=seconds,
    )


def _groups(effects: Effects | str | Path | None) -> dict[str, dict[str, float]]:
    return {**load_effects(effects if not isinstance(effects, Mapping) else _planted(effects)), REFERENCE_GROUP: {}}


def _planted(effects: Effects) -> dict[str, Mapping[str, float]]:
    return {group: planted for group, planted in effects.items() if group != REFERENCE_GROUP}


def _prior(planted: Mapping[str, object], sizes: Mapping[str, int] | None) -> np.ndarray:
    if sizes is None:
        return np.full(len(planted), 1 / len(planted))
    if not set(sizes) <= set(planted) or min(sizes.values(), default=0) < 0 or not sum(sizes.values()):
        raise InputError(
            f"expected the sizes of {', '.join(planted)}, got those of {', '.join(sizes) or 'none'}; give the effects "
            "that the cohort was simulated with."
        )
    counts = np.array([sizes.get(group, 0) for group in planted], float)
    return counts / counts.sum()


def _expected_blinks(z: np.ndarray, seconds: float) -> np.ndarray:
    return TYPICAL["blink_rate"] * np.maximum(0.02, 1 + SPREAD * z) / 60 * seconds


def _log_likelihood(seen: Observed, planted: Mapping[str, float]) -> np.ndarray:
    """(P,) log density of what was seen, for a group with planted effects."""
    shift = np.array([planted.get(q, 0.0) for q in VARYING])
    is_unit = np.isin(VARYING, UNITS)
    sd = OCCASION / np.sqrt(seen.blinks.shape[1])
    shared, alone = _log_densities(sd)
    out = np.zeros(len(seen))
    for start in range(0, len(seen), PART):
        part = slice(start, start + PART)
        levels = np.clip(seen.levels[part] - shift, _SEEN[0], _SEEN[-1] - 1e-9)
        of_units = sum(_interpolated(shared, y) for y in levels[:, is_unit].T)  # (p, S)
        weight = stats.norm.logpdf(_SHARED) + np.log(_SHARED[1] - _SHARED[0])
        out[part] = logsumexp(of_units + weight, axis=1)
        out[part] += sum(_interpolated(alone[:, None], y)[:, 0] for y in levels[:, ~is_unit].T)
    return out + _log_duration(seen, planted) + _log_blinks(seen, planted)


@lru_cache(maxsize=8)
def _log_densities(sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Log density of an observed level on `_SEEN`: (Y, S) given the shared factor, and (Y,) of an unshared quantity."""
    step = _NORMAL[1] - _NORMAL[0]
    smeared = stats.norm.pdf(_SEEN[:, None], level_of_normal(_NORMAL), sd) * step  # (Y, X)
    given = stats.norm.pdf(_NORMAL[:, None], np.sqrt(SHARED) * _SHARED, np.sqrt(1 - SHARED))  # (X, S)
    least = 1e-300
    return np.log(smeared @ given + least), np.log(smeared @ stats.norm.pdf(_NORMAL) + least)


def _interpolated(logs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(p, S) rows of `logs` (Y, S) at levels y (p,), between the grid's points linear."""
    place = (y - _SEEN[0]) / (_SEEN[1] - _SEEN[0])
    below = np.minimum(place.astype(int), len(_SEEN) - 2)
    share = (place - below)[:, None]
    return (1 - share) * logs[below] + share * logs[below + 1]


def _log_duration(seen: Observed, planted: Mapping[str, float]) -> np.ndarray:
    """(P,) log density of the level of the blinks' duration; nothing where nobody blinked."""
    z = seen.duration - planted.get("blink_duration", 0.0)
    grid = level_of_normal(_NORMAL)
    density = stats.norm.pdf(_NORMAL) / np.gradient(grid, _NORMAL)
    found = np.interp(np.nan_to_num(z), grid, density, 0.0, 0.0)
    return np.where(np.isnan(z), 0.0, np.log(found + _MEASURED))


def _log_blinks(seen: Observed, planted: Mapping[str, float]) -> np.ndarray:
    """(P,) log probability of the blinks in every recording."""
    z = level_of_normal(_NORMAL) + planted.get("blink_rate", 0.0)
    weight = stats.norm.pdf(_NORMAL) * (_NORMAL[1] - _NORMAL[0])
    kinds, which = np.unique(np.sort(seen.blinks, axis=1), axis=0, return_inverse=True)
    chance = np.maximum(0, 1 - np.abs(_expected_blinks(z, seen.seconds) - kinds[..., None]))  # (K, R, X)
    return np.log(chance.prod(1) @ weight + 1e-300)[which.ravel()]
