"""Which statistics leave at the level summary, and with how much noise: the audit's limit decides.

From wide to narrow: everything; action units and movement; so many of the core biomarkers. Taken is the widest set
whose people stay below the limit with noise that costs at most `MOST_COST` of the correlation with the values as
measured; that is noise of about half a standard deviation over people, no more than a person differs from one day to
another. Where none does, the narrowest gets as much noise as it needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.biomarkers.quantity import Quantity
from atlas.sharing.audit import Comparison
from atlas.sharing.summary import CORE, correlated_noise

MOST_COST = 0.1
MOST_NOISE = 3.0  # standard deviations over people; beyond it nothing is left of a value
DRAWS = 8  # of noise, whose mean top-1 is compared with the limit; four times as many close to it
ROUNDS = 6  # of bisection: noise is found to MOST_NOISE / 2^6


@dataclass(frozen=True)
class FieldSet:
    """name : what a user asks for; fields : names of columns, in order"""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """A set of fields with noise `sd`, in standard deviations over people, and the mean top-1 over draws of noise."""

    name: str
    fields: int
    noise_sd: float
    top1: float

    def to_json(self) -> dict[str, object]:
        expected = 1 / np.sqrt(1 + self.noise_sd**2)
        return {
            "set": self.name,
            "fields": self.fields,
            "noise_sd": round(self.noise_sd, 3),
            "top1": round(self.top1, 4),
            "expected_correlation": round(float(expected), 3),
        }


def field_sets(quantities: Sequence[Quantity], coefficients: Sequence[str]) -> tuple[FieldSet, ...]:
    """The sets from wide to narrow. coefficients : names of the columns that are no biomarkers"""
    names = [q.name for q in quantities]
    plain = [q.name for q in quantities if q.family == "unit_intensity"]
    plain += [q.name for q in quantities if q.level == "measure" and q.mirror == q.name and "asymmetry" not in q.name]
    core = [name for name in CORE if name in names]
    narrow = [FieldSet(f"core:{n}", tuple(core[:n])) for n in range(len(core), 0, -1)]
    return (FieldSet("all", (*names, *coefficients)), FieldSet("units", tuple(plain)), *narrow)


def noise_at_cost(cost: float = MOST_COST) -> float:
    """Noise that leaves a correlation of 1 - cost, in standard deviations of the values: r = 1 / sqrt(1 + sd^2)."""
    return float(np.sqrt(1 / (1 - cost) ** 2 - 1))


def choose_fields(
    sets: Sequence[FieldSet],
    names: Sequence[str],
    comparison: Comparison,
    own: np.ndarray,
    limit: float,
    rng: np.random.Generator,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[FieldSet, float, tuple[Trial, ...]]:
    """The set, the least noise that keeps top-1 below the limit (at most `MOST_NOISE`), and everything tried.

    names : of the comparison's F columns
    own : (N, Q, F) people's standardised values, whose correlations the noise takes
    """
    trials: list[Trial] = []

    def top1(of: FieldSet, sd: float) -> float:
        columns = [names.index(field) for field in of.fields]
        found: list[float] = []
        while len(found) < (DRAWS if sd else 1) or (sd and len(found) < 4 * DRAWS and _near(found, limit)):
            noise = correlated_noise(own[:, :, columns], sd, rng)
            found.append(comparison.attack(noise, columns)[0].top1)
        trials.append(Trial(of.name, len(of.fields), sd, float(np.mean(found))))
        if progress:
            progress("audit", len(trials), len(sets) + ROUNDS + 1)
        return trials[-1].top1

    bearable = noise_at_cost()
    taken, low, high = sets[-1], bearable, MOST_NOISE
    for candidate in sets if len(sets) > 1 else ():
        if top1(candidate, bearable) <= limit:
            taken, low, high = candidate, 0.0, bearable
            break
    if len(sets) == 1:
        low = 0.0
    if low == 0.0 and top1(taken, 0.0) <= limit:
        return taken, 0.0, tuple(trials)
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        low, high = (low, middle) if top1(taken, middle) <= limit else (middle, high)
    return taken, high, tuple(trials)


def _near(found: Sequence[float], limit: float) -> bool:
    """Whether the mean lies within two standard errors of the limit."""
    return len(found) > 1 and abs(np.mean(found) - limit) < 2 * np.std(found) / np.sqrt(len(found))
