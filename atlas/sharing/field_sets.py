"""Which statistics leave at the level summary, and how blurred: the audit's limit decides.

From wide to narrow: everything; action units and movement; so many of the core biomarkers. Taken is the widest set
whose people stay below the limit at a cost of at most `MOST_COST` of the correlation with the values as measured, and
of the recordings: with noise, or as means of people alike, whichever keeps more of that correlation. Noise that costs
so much is about half a standard deviation over people, no more than a person differs from one day to another. Where no
set does, the narrowest is blurred as far as it needs, in the way that keeps more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from atlas.biomarkers.quantity import Quantity
from atlas.sharing.blurring import MEANS, NOISE, WAYS, Blurred, Measured
from atlas.sharing.people import FEWEST_ALIKE
from atlas.sharing.summary import CORE
from reconstruction.errors import InputError

MOST_COST = 0.1
MOST_NOISE = 3.0  # standard deviations over people; beyond it nothing is left of a value
DRAWS = 8  # of noise, whose mean top-1 is compared with the limit; four times as many close to it
ROUNDS = 6  # of bisection: noise is found to MOST_NOISE / 2^6
TRIES = 10  # draws of noise, each a little larger than the last, until the one that leaves passes itself
MORE = 1.05
ALIKE = (FEWEST_ALIKE, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000)  # people, at least


@dataclass(frozen=True)
class FieldSet:
    """name : what a user asks for; fields : names of columns, in order"""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """A set of fields blurred in one way: by noise `noise_sd`, in standard deviations over people, or as means of
    `people_alike`; the top-1 (with noise its mean over draws), and the correlation with the values as measured (of
    noise the expected one).
    """

    name: str
    fields: int
    noise_sd: float
    people_alike: int | None
    top1: float
    correlation: float

    def to_json(self) -> dict[str, object]:
        return {
            "set": self.name,
            "fields": self.fields,
            "noise_sd": round(self.noise_sd, 3),
            "people_alike": self.people_alike,
            "top1": round(self.top1, 4),
            "correlation": round(self.correlation, 3),
        }


@dataclass(frozen=True)
class Choice:
    """taken : the set; blurred : what leaves of it; trials : everything tried; refused : why means were not, if so"""

    taken: FieldSet
    blurred: Blurred
    trials: tuple[Trial, ...]
    refused: str | None = None


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


def correlation_with(noise_sd: float) -> float:
    """The correlation that noise leaves."""
    return float(1 / np.sqrt(1 + noise_sd**2))


@dataclass
class Search:
    """For the least blur of a set of fields that keeps top-1 below a limit.

    names : of the measured columns
    unsafe : why means over clusters (N,) may not leave, or None
    """

    measured: Measured
    names: Sequence[str]
    limit: float
    rng: np.random.Generator
    unsafe: Callable[[np.ndarray], str | None] = lambda cluster: None
    progress: Callable[[str, int, int], None] | None = None
    of: int = 0
    trials: list[Trial] = field(default_factory=list)
    refused: str | None = None

    def noise(self, fields: FieldSet, low: float = 0.0, high: float = MOST_NOISE) -> float:
        """The least noise between two."""
        if low == 0.0 and self.top1(fields, 0.0) <= self.limit:
            return 0.0
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.top1(fields, middle) <= self.limit else (middle, high)
        return high

    def top1(self, fields: FieldSet, sd: float) -> float:
        """Mean over draws of noise."""
        columns, found = self._columns(fields), list[float]()
        while len(found) < (DRAWS if sd else 1) or (sd and len(found) < 4 * DRAWS and _near(found, self.limit)):
            found.append(self.measured.noisy(columns, sd, self.rng).top1)
        return self._told(Trial(fields.name, len(columns), sd, None, float(np.mean(found)), correlation_with(sd)))

    def settled(self, fields: FieldSet, sd: float) -> Blurred:
        """One draw of noise `sd`, or a little more, that passes itself."""
        for attempt in range(TRIES):
            sd = sd if attempt == 0 else max(sd, 0.05) * MORE
            made = self.measured.noisy(self._columns(fields), sd, self.rng)
            if made.top1 <= self.limit or sd > MOST_NOISE:
                break
        return made

    def means(self, fields: FieldSet, most_cost: float) -> Blurred | None:
        """Of the fewest people alike that stay below the limit, as all larger numbers do; None where none does at this
        cost.
        """
        if not _bears(self._averaged(fields, ALIKE[0]), most_cost):  # fewer people cost less
            return None
        best = None
        for least in reversed(self.sizes):
            made = self._averaged(fields, least)
            if made.cluster is not None and (why := self.unsafe(made.cluster)) is not None:
                self.refused = why
                continue
            trial = Trial(fields.name, len(fields.fields), 0.0, made.least_alike, made.top1, made.cost.correlation)
            if self._told(trial) > self.limit:
                break
            best = made if _bears(made, most_cost) else best
        return best

    def most_alike(self, fields: FieldSet) -> Blurred:
        """Means of as many people as there may be."""
        if not self.sizes:
            raise InputError(
                f"expected at least {2 * ALIKE[0]} people for means of people alike, got {self.measured.people}; "
                "choose --blur noise."
            )
        return self._averaged(fields, self.sizes[-1])

    @property
    def sizes(self) -> list[int]:
        """Up to the one at which equal records cannot be told apart often enough to pass the limit."""
        enough = min((k for k in ALIKE if 1 / k <= self.limit), default=ALIKE[-1])
        return [k for k in ALIKE if k <= min(enough, self.measured.people // 2)]

    def _averaged(self, fields: FieldSet, least: int) -> Blurred:
        columns = self._columns(fields)
        return self.measured.averaged(columns, self.measured.alike(columns, least))

    def _columns(self, fields: FieldSet) -> list[int]:
        return [self.names.index(name) for name in fields.fields]

    def _told(self, trial: Trial) -> float:
        self.trials.append(trial)
        if self.progress:
            self.progress("audit", len(self.trials), max(self.of, len(self.trials)))
        return trial.top1


def choose_fields(sets: Sequence[FieldSet], search: Search, ways: Sequence[str] = WAYS) -> Choice:
    """What leaves, blurred as little as the limit asks: in the one of `ways` that keeps more of the correlation."""
    bearable = noise_at_cost()
    for fields in sets if len(sets) > 1 else ():
        made = []
        if NOISE in ways and search.top1(fields, bearable) <= search.limit:
            made.append(search.settled(fields, search.noise(fields, 0.0, bearable)))
        if MEANS in ways and (means := search.means(fields, MOST_COST)) is not None:
            made.append(means)
        if made:
            return Choice(fields, max(made, key=_worth), tuple(search.trials), search.refused)
    fields, made = sets[-1], []
    if NOISE in ways:
        made.append(search.settled(fields, search.noise(fields, bearable if len(sets) > 1 else 0.0)))
    if MEANS in ways and (means := search.means(fields, 1.0)) is not None:
        made.append(means)
    passed = [one for one in made if one.top1 <= search.limit] or made or [search.most_alike(fields)]
    return Choice(fields, max(passed, key=_worth), tuple(search.trials), search.refused)


def _worth(made: Blurred) -> float:
    return made.cost.correlation


def _bears(made: Blurred, most_cost: float) -> bool:
    return made.cost.correlation >= 1 - most_cost and made.leaves.mean() >= 1 - MOST_COST


def _near(found: Sequence[float], limit: float) -> bool:
    """Whether the mean lies within two standard errors of the limit."""
    return len(found) > 1 and abs(np.mean(found) - limit) < 2 * np.std(found) / np.sqrt(len(found))
