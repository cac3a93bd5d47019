"""How much each person counts in the standard face of their group: all alike, or so that groups of different make-up
compare.

Post-stratification (Holt and Smith 1979): a person of group g in stratum h, a sex and an age band, weighs (N_h / N) /
(n_gh / n_g), the stratum's share in the whole cohort over its share in the group. Every group's weighted make-up is
then that of the cohort. A stratum that a group lacks cannot be made up for, and few people cannot stand for many: both
are said.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from atlas.aggregation import AggregatedFace
from reconstruction.errors import InputError

EQUAL, POSTSTRATIFIED = KINDS = ("equal", "poststratified")
AGE_BANDS = (30, 45, 60)  # years at which the next band begins
CAP = 4.0  # most a person may weigh, in mean weights of the group

Stratum = tuple[str, str]


@dataclass(frozen=True)
class PersonWeights:
    """values : (P,) float64, mean 1 within every group
    warnings : strata that a group lacks, weights cut; they name nobody
    """

    kind: str
    values: np.ndarray
    warnings: tuple[str, ...] = ()


def person_weights(people: Sequence[AggregatedFace], kind: str = EQUAL) -> PersonWeights:
    """The weights of people, in their order.

    Raises
    ------
    InputError
        There is no such kind, or nobody's sex and age are known.
    """
    if kind not in KINDS:
        raise InputError(f"expected weights {' or '.join(KINDS)}, got {kind!r}; choose one of them.")
    values = np.ones(len(people))
    if kind == EQUAL:
        return PersonWeights(kind, values)
    if not any(person.age is not None or person.sex for person in people):
        raise InputError(
            "expected the sex or the age of people in participants.tsv to post-stratify by, but nobody's is known; add "
            "these columns or use equal weights."
        )
    strata = [stratum(person) for person in people]
    cohort, sizes = Counter(strata), Counter(person.group for person in people)
    cells = Counter((person.group, h) for person, h in zip(people, strata, strict=True))
    for i, (person, h) in enumerate(zip(people, strata, strict=True)):
        values[i] = cohort[h] / len(people) * sizes[person.group] / cells[person.group, h]
    warnings = []
    for group in sorted(sizes):
        members = [i for i, person in enumerate(people) if person.group == group]
        of_group = values[members] / values[members].mean()
        heavy = int((of_group > CAP).sum())
        if heavy:
            warnings.append(
                f"{heavy} people of {group} stand for so many that their weights were cut to {CAP:g} times the mean"
            )
        cut = np.minimum(of_group, CAP)
        values[members] = cut / cut.mean()
        lacking = [h for h in sorted(cohort) if not cells[group, h]]
        if lacking:
            share = sum(cohort[h] for h in lacking) / len(people)
            names = ", ".join(" ".join(h) for h in lacking)
            warnings.append(
                f"{group} has nobody of {names} ({share:.0%} of the cohort): its weights cannot make up for that"
            )
    return PersonWeights(kind, values, tuple(warnings))


def stratum(person: AggregatedFace) -> Stratum:
    """A person's sex and age band; what is unknown is a band of its own."""
    if person.age is None:
        return person.sex or "unknown sex", "of unknown age"
    band = int(np.searchsorted(AGE_BANDS, person.age, side="right"))
    ages = (f"under {AGE_BANDS[0]}", *(f"{a} to {b - 1}" for a, b in pairwise(AGE_BANDS)))
    return person.sex or "unknown sex", (*ages, f"{AGE_BANDS[-1]} and over")[band]
