"""Design of a test: what is tested, what is adjusted for, and whom it can be done with.

Covariates are columns of participants.tsv. Numbers are centred; texts become one column of 0 and 1 for every value but
the most common, and so do numbers named as ``C(site)``, whose sizes mean nothing. Age and sex are adjusted for unless
asked otherwise. A covariate that is unknown for more than a tenth of the people is not adjusted for, and a person who
lacks one of the others is left out; both are said. Nothing is filled in.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from atlas.statistics.people import People
from reconstruction.errors import InputError

USUAL = ("age", "sex")  # adjusted for unless asked otherwise
NEARLY_ALL = 0.9  # of the people must have a covariate for it to be used
PEOPLE_PER_COLUMN = 5  # fewer people for each column of covariates explain anything
COLLINEAR = 1e-3  # share of a column that the others do not explain, below which it says nothing of its own


@dataclass(frozen=True)
class Covariates:
    """Names to adjust for, and whether they were asked for: then what cannot be done is an error, else a warning."""

    names: tuple[str, ...]
    asked: bool


@dataclass(frozen=True)
class Design:
    """n people who can be tested.

    kept : (n,) int, their places among the people given
    tested : (n,) float64, the regressor of interest: 1 and 0 for two groups, or a score
    nuisance : (n, C) float64, 1 and the covariates
    names : C names, the first ``1``
    blocks : (n,) int, people who may change places with each other; all 0 where everyone may
    warnings : what was left out
    """

    kept: np.ndarray
    tested: np.ndarray
    nuisance: np.ndarray
    names: tuple[str, ...]
    blocks: np.ndarray
    warnings: tuple[str, ...]


def choose_covariates(people: People, wanted: Sequence[str] | None) -> tuple[Covariates, tuple[str, ...]]:
    """Which covariates to adjust for, and warnings; None for age and sex where there are such columns.

    Raises
    ------
    InputError
        A covariate that was asked for is no column.
    """
    usual = [name for name in USUAL if name in people.columns]
    names, warnings = [], []
    for name in dict.fromkeys(usual if wanted is None else wanted):
        known = sum(text is not None for text in people.texts(_bare(name)))
        if known >= NEARLY_ALL * len(people):
            names.append(name)
        else:
            warnings.append(f"{_bare(name)} is known for {known} of {len(people)} people only: not adjusted for")
    return Covariates(tuple(names), wanted is not None), tuple(warnings)


def make_design(people: People, tested: np.ndarray, covariates: Covariates, label: str, within: str | None = None) -> Design:
    """The design of one test.

    tested : (P,) of all people given, NaN for those who are not part of it
    label : of the test, for messages
    within : column whose values people change places within when permuted; it is adjusted for as well

    Raises
    ------
    InputError
        What is tested cannot be told from the covariates asked for, or they are too many for the people.
    """
    names = covariates.names
    if within is not None:
        names = (*(name for name in names if _bare(name) != within), f"C({within})")
    design, trouble = _design(people, tested, names, label, within)
    if trouble and (covariates.asked or within is not None):
        raise InputError(f"{trouble}; name fewer or other covariates.")
    if trouble:
        design, _ = _design(people, tested, (), label, None)
        reason = f"{label}: not adjusted for {' and '.join(map(_bare, names))} ({trouble})"
        design = replace(design, warnings=(*design.warnings, reason))
    return design


def _design(
    people: People, tested: np.ndarray, names: Sequence[str], label: str, within: str | None
) -> tuple[Design, str]:
    """A design, and why it cannot be used: the first half of a sentence, or nothing."""
    part = np.isfinite(tested)
    known = part.copy()
    for name in names:
        known &= np.array([text is not None for text in people.texts(_bare(name))])
    warnings = []
    if (part & ~known).any():
        lacking = " or ".join(_bare(name) for name in names)
        warnings.append(f"{label}: {_count(part & ~known)} without {lacking} left out")
    kept = np.flatnonzero(known)
    there, x = people.take(kept), tested[kept]
    pairs = [("1", np.ones(len(kept)))]
    for name in names:
        columns = _columns(there, name)
        pairs += columns
        if not columns:
            warnings.append(f"{label}: {_bare(name)} is the same for everyone, so not adjusted for")
    blocks = np.zeros(len(kept), int)
    if within is not None:
        blocks = np.unique([text or "" for text in there.texts(within)], return_inverse=True)[1]
    design = Design(kept, x, np.stack([c for _, c in pairs], 1), tuple(n for n, _ in pairs), blocks, tuple(warnings))
    return design, _trouble(x, pairs[1:], label)


def _bare(name: str) -> str:
    """``C(site)`` to ``site``."""
    return name[2:-1] if name.startswith("C(") and name.endswith(")") else name


def _count(chosen: np.ndarray) -> str:
    return "1 person" if chosen.sum() == 1 else f"{int(chosen.sum())} people"


def _columns(people: People, name: str) -> list[tuple[str, np.ndarray]]:
    """A covariate's columns by name; none where it is the same for everyone."""
    numbers = people.numbers(_bare(name)) if name == _bare(name) else None
    if numbers is not None:
        centred = numbers - numbers.mean() if len(numbers) else numbers
        return [(name, centred)] if centred.any() and np.ptp(numbers) > 0 else []
    texts = [text or "" for text in people.texts(_bare(name))]
    values = sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))
    return [(f"{_bare(name)} {value}", np.array([float(t == value) for t in texts])) for value, _ in values[1:]]


def _trouble(tested: np.ndarray, columns: list[tuple[str, np.ndarray]], label: str) -> str:
    """Why the columns cannot be adjusted for, as the first half of a sentence; empty where they can."""
    if not columns:
        return ""
    if len(set(tested.tolist())) < 2:
        return f"expected covariates that are known for people of both groups, but in {label} they are not"
    if len(tested) < PEOPLE_PER_COLUMN * len(columns):
        return (
            f"expected at least {PEOPLE_PER_COLUMN} people for every column of covariates, but {label} has "
            f"{len(tested)} people and {len(columns)} columns ({', '.join(name for name, _ in columns[:6])}"
            f"{' ...' if len(columns) > 6 else ''})"
        )
    basis = np.full((len(tested), 1), len(tested) ** -0.5)
    for name, column in [*columns, ("", tested)]:
        rest = column - column.mean()
        length = np.linalg.norm(rest)
        rest = rest - basis @ (basis.T @ rest)
        if length > 0 and np.linalg.norm(rest) < COLLINEAR * length:
            if name:
                return f"expected covariates that say different things, but in {label} the others tell {name} already"
            return (
                f"expected covariates that differ from what is tested, but {' and '.join(n for n, _ in columns)} tell "
                f"{label} already"
            )
        if length > 0:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return ""
