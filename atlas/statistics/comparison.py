"""Comparison of groups, and relation to a score, quantity by quantity: what ``statistics.tsv`` says of biomarkers.

For every contrast the people of its two groups alone are modelled: ``quantity ~ group + covariates``; the effect is the
adjusted difference of means. For a score all people who have it are: ``quantity ~ score + covariates``, the effect is
the slope, and groups are adjusted for only where ``group`` is named as a covariate. Tests are those of
`atlas.statistics.permutation`, intervals those of `atlas.statistics.interval`. Quantities of one family and contrast
are corrected together; contrasts and families are not corrected for each other.

A person who lacks a quantity is left out of its test alone, with the permutations of all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from atlas.biomarkers.table import BiomarkerTable
from atlas.statistics.contrast import FEWEST, Contrast, stream
from atlas.statistics.design import Covariates, Design, choose_covariates, make_design
from atlas.statistics.effect import Effect
from atlas.statistics.interval import RESAMPLES, effect_interval
from atlas.statistics.people import People
from atlas.statistics.permutation import among, fit, model, orders, p_values, shuffled_t, step_down
from reconstruction.errors import InputError

PERMUTATIONS = 1000


@dataclass(frozen=True)
class Statistics:
    """What was found, and how.

    effects : rows of ``statistics.tsv``
    covariates : names adjusted for where it could be done; `warnings` say where it could not
    """

    effects: tuple[Effect, ...]
    covariates: tuple[str, ...]
    permutations: int
    resamples: int
    seed: int
    warnings: tuple[str, ...] = ()

    def __add__(self, other: "Statistics") -> "Statistics":
        """Both, of the same people with the same settings; a warning that both have is kept once."""
        return Statistics(
            self.effects + other.effects,
            self.covariates,
            self.permutations,
            self.resamples,
            self.seed,
            tuple(dict.fromkeys(self.warnings + other.warnings)),
        )


def compare(
    table: BiomarkerTable,
    people: People | None,
    contrasts: Sequence[Contrast],
    *,
    covariates: Sequence[str] | None = None,
    within: str | None = None,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    reliability: Mapping[str, float] | None = None,
) -> Statistics:
    """Every contrast of every quantity; deterministic in `seed`, whatever the order of people.

    people : what is known about the table's people; None for nothing but their groups
    covariates : names; None for age and sex where nearly everyone's are known, () for none
    within : column whose values people change places within, ``site``
    reliability : {quantity: correlation with the truth over people}, see `atlas.biomarkers.quantity_reliability`

    Raises
    ------
    InputError
        A group is too small, or the covariates asked for cannot be used.
    """
    values, about = _in_order(table, people)
    chosen, warnings = choose_covariates(about, covariates)
    effects: list[Effect] = []
    said = list(warnings)
    for contrast in contrasts:
        design = make_design(about, contrast.tested(about), chosen, contrast.label, within)
        said += design.warnings
        rows, odd = _rows(table, values, design, contrast.label, True, permutations, resamples, seed, reliability)
        effects += rows
        said += odd
    return Statistics(tuple(effects), chosen.names, permutations, resamples, seed, tuple(said))


def correlate(
    table: BiomarkerTable,
    people: People,
    score: str,
    *,
    covariates: Sequence[str] | None = None,
    within: str | None = None,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
    seed: int = 0,
    reliability: Mapping[str, float] | None = None,
) -> Statistics:
    """The relation of every quantity to a score, a column of participants.tsv; see `compare`.

    Raises
    ------
    InputError
        The score is no column, no number, or known for too few people, or the covariates asked for cannot be used.
    """
    values, about = _in_order(table, people)
    chosen, warnings = choose_covariates(about, covariates)
    chosen = Covariates(tuple(name for name in chosen.names if name.lower() != score.lower()), chosen.asked)
    numbers = about.numbers(score)
    if numbers is None:
        text = next(t for t in about.texts(score) if t is not None and not _is_number(t))
        raise InputError(
            f"expected numbers in the column {score}, but it holds {text!r}; write n/a where it is unknown."
        )
    known = numbers[np.isfinite(numbers)]
    if len(known) < 2 * FEWEST or np.ptp(known) == 0:
        raise InputError(
            f"expected {2 * FEWEST} people or more with different values of {score}, but it is known for {len(known)} "
            f"with {len(set(known.tolist()))} different values; name another score."
        )
    said = list(warnings)
    if len(known) < len(about):
        said.append(f"{score}: {len(about) - len(known)} of {len(about)} people have no value and were left out")
    design = make_design(about, numbers, chosen, score, within)
    rows, odd = _rows(table, values, design, score, False, permutations, resamples, seed, reliability)
    return Statistics(tuple(rows), chosen.names, permutations, resamples, seed, (*said, *design.warnings, *odd))


def _in_order(table: BiomarkerTable, people: People | None) -> tuple[np.ndarray, People]:
    """Values (P, Q) and people, by id: the order in which they come must not matter to what is drawn by chance."""
    order = np.argsort(np.array(table.people))
    known = people or People(table.people, table.groups)
    return table.values[order], known.about(table.people, table.groups).take(order)


def _rows(
    table: BiomarkerTable,
    values: np.ndarray,
    design: Design,
    label: str,
    groups: bool,
    permutations: int,
    resamples: int,
    seed: int,
    reliability: Mapping[str, float] | None,
) -> tuple[list[Effect], list[str]]:
    """The rows of one contrast or score, and warnings."""
    y = values[design.kept]
    shuffles = orders(len(y), permutations, stream(seed, label, "permutations"), design.blocks)
    found = _Columns.empty(y.shape[1], permutations)
    patterns, which = np.unique(np.isfinite(y), axis=1, return_inverse=True)
    for number, known in enumerate(patterns.T):
        columns = np.flatnonzero(which.ravel() == number)
        found.counts[:, columns] = _counts(design.tested[known], groups)[:, None]
        if not _testable(design, known, groups):
            continue
        x, nuisance, part = design.tested[known], design.nuisance[known], y[np.ix_(known, columns)]
        of = model(x, nuisance)
        fitted = fit(of, part)
        found.effect[columns], found.t[columns] = fitted.effect, fitted.t
        found.d[columns] = hedges(fitted.effect, fitted.sd, of.freedom) if groups else partial(fitted.t, of.freedom)
        inner = shuffles if known.all() else among(shuffles, known)
        found.shuffled[:, columns] = shuffled_t(of, fitted.residuals, inner)
        rng = stream(seed, label, "bootstrap")
        strata = x if groups else design.blocks[known]
        found.low[columns], found.high[columns] = effect_interval(part, x, nuisance, strata, rng, resamples)
    p = p_values(found.t, found.shuffled)
    p_fwe, q = np.full(len(p), np.nan), np.full(len(p), np.nan)
    families = np.array([quantity.family for quantity in table.quantities], dtype=object)
    for family in dict.fromkeys(families):
        members = np.flatnonzero((families == family) & np.isfinite(p))
        if len(members):
            p_fwe[members] = step_down(found.t[members], found.shuffled[:, members])
            q[members] = false_discovery_control(p[members])
    per = "" if groups else f" per point of {label}"
    rows = [
        Effect(
            quantity.level,
            quantity.name,
            label,
            int(found.counts[0, i]),
            int(found.counts[1, i]),
            float(found.effect[i]),
            quantity.unit + per,
            float(found.low[i]),
            float(found.high[i]),
            float(found.d[i]),
            float(p[i]),
            float(p_fwe[i]),
            float(q[i]),
            float((reliability or {}).get(quantity.name, np.nan)),
        )
        for i, quantity in enumerate(table.quantities)
    ]
    return rows, _gaps(table, y, found.t, label)


@dataclass
class _Columns:
    """Results of every quantity while they are filled in."""

    counts: np.ndarray
    effect: np.ndarray
    t: np.ndarray
    d: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shuffled: np.ndarray

    @classmethod
    def empty(cls, size: int, permutations: int) -> "_Columns":
        effect, t, d, low, high = (np.full(size, np.nan) for _ in range(5))
        return cls(np.zeros((2, size), int), effect, t, d, low, high, np.full((permutations, size), np.nan))


def hedges(effect: np.ndarray, sd: np.ndarray, freedom: int) -> np.ndarray:
    """Hedges' g (Hedges 1981) of adjusted values: the adjusted difference in residual standard deviations, times
    1 - 3 / (4 df - 1). What covariates explain is in neither.
    """
    d = np.divide(effect, sd, out=np.zeros_like(effect), where=sd > 0)
    return d * (1 - 3 / (4 * freedom - 1))


def partial(t: np.ndarray, freedom: int) -> np.ndarray:
    """Partial correlation from the t statistic of a slope: t / sqrt(t^2 + df)."""
    return t / np.sqrt(t**2 + freedom)


def _counts(tested: np.ndarray, groups: bool) -> np.ndarray:
    return np.array([(tested == 1).sum(), (tested == 0).sum()] if groups else [len(tested), 0])


def _testable(design: Design, known: np.ndarray, groups: bool) -> bool:
    x = design.tested[known]
    enough = _counts(x, groups).min() >= FEWEST if groups else len(x) >= 2 * FEWEST
    if not enough:
        return False
    of = model(x, design.nuisance[known])
    return bool(of.rest.any()) and of.freedom >= 2


def _gaps(table: BiomarkerTable, y: np.ndarray, t: np.ndarray, label: str) -> list[str]:
    """What was tested in fewer people, or not at all, in one sentence each."""
    lacking = (~np.isfinite(y)).sum(0)
    fewer = [f"{table.names[i]} ({lacking[i]})" for i in np.flatnonzero((lacking > 0) & np.isfinite(t))]
    never = [table.names[i] for i in np.flatnonzero(~np.isfinite(t))]
    said = []
    if fewer:
        said.append(f"{label}: left out of single tests because the value is missing, people: {', '.join(fewer)}")
    if never:
        said.append(f"{label}: known for too few people to be tested: {', '.join(never)}")
    return said


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
