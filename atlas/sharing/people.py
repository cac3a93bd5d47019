"""Who leaves with a share, under which name, and what participants.tsv may say of them.

Only known columns leave: group, sex, age in bands, and that somebody is simulated; of dates the days between a person's
sessions. Pseudonyms are drawn at random, rows stand in their order, which is random too. Sex, age bands and intervals
tell people apart by themselves: they are made as coarse as the audit's limit asks, and left out where fewer than
`FEWEST_ALIKE` people of a group share them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from atlas.cohort import Cohort, Participant, Recording
from atlas.sharing.intervals import Days, best_step, days_between, in_order, in_steps, shared
from reconstruction.errors import InputError

CONSENT = "consent_share"  # column of participants.tsv
FEWEST_ALIKE = 5  # people of one group who share sex and age band, or a stimulus
_YES, _NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"  # no vowels, so that no word comes out
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9+_-]{0,19}")
_TEN, _TWENTY = (20, 30, 40, 50, 60, 70, 80), (40, 60)  # years at which a band begins


@dataclass(frozen=True)
class SharedPerson:
    """source : in the cohort; nothing of it is written but through the other fields
    pseudonym : ``sub-`` and eight random letters
    group; sex : ``F`` or ``M``, or None; age : a band such as ``40-49``, or None
    sessions : their names in the cohort, in order
    days : since the first session, in steps, by the sessions' names in the cohort; empty where they are not told
    """

    source: Participant
    pseudonym: str
    group: str
    sex: str | None
    age: str | None
    sessions: tuple[str, ...]
    days: Days = field(default_factory=dict)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return self.source.recordings


@dataclass(frozen=True)
class Chosen:
    """people : in the order of their pseudonyms
    left_out : {reason: people}
    columns : of participants.tsv that leave
    edges : years at which a new age band begins; none where ages do not leave
    step : days that intervals between sessions are rounded to; 0 where they do not leave
    days : everyone's intervals, so rounded, whether they leave or not
    """

    people: tuple[SharedPerson, ...]
    left_out: dict[str, int]
    columns: tuple[str, ...]
    edges: tuple[int, ...]
    step: int = 0
    days: tuple[Days, ...] = ()

    @property
    def simulated(self) -> bool:
        return all(person.source.simulated for person in self.people)

    @property
    def dated(self) -> bool:
        """Whether intervals between sessions leave."""
        return any(person.days for person in self.people)

    @property
    def told_apart(self) -> bool:
        """Whether sex, age or intervals leave, of anybody."""
        return self.dated or any(person.sex or person.age for person in self.people)

    @property
    def fields(self) -> tuple[str, ...]:
        """What the audit says leaves of people beside their values."""
        told = (f"participants: {name}" for name in self.columns[1:])
        return (*told, *(("recording: days since the first session",) if self.dated else ()))

    @property
    def possible(self) -> np.ndarray:
        """(N, N) bool: whether what is told of person i holds for person j, of whom an attacker knows sex, age, and how
        far apart the sessions were.
        """
        sexes = [person.source.sex for person in self.people]
        bands = [age_band(person.source.age, self.edges) for person in self.people]
        told_sex, told_band = [person.sex for person in self.people], [person.age for person in self.people]
        apart = [_line(days) for days in self.days] or [None] * len(self.people)
        told_apart = [_line(person.days) for person in self.people]
        return _agree(told_sex, sexes) & _agree(told_band, bands) & _agree(told_apart, apart)


def choose_people(
    cohort: Cohort,
    rng: np.random.Generator,
    *,
    consent_needed: bool = False,
    columns: Sequence[str] = ("sex", "age"),
    most_told: float | None = None,
) -> Chosen:
    """Who leaves. Where participants.tsv has the column `CONSENT`, nobody leaves who says no there.

    consent_needed : nobody leaves who does not say yes there
    columns : of sex, age and interval that may leave
    most_told : share of people that these alone may single out; None for ten-year bands as they are

    Raises
    ------
    InputError
        Consent is needed and the column is missing, nobody is left, or a group's name is no short word.
    """
    answers = [person.extra.get(CONSENT, "").strip().lower() for person in cohort.people]
    if consent_needed and not any(answers):
        raise InputError(
            f"expected a column {CONSENT} in participants.tsv, yes for everyone who agreed that all their parameters "
            "are shared, but there is none; add it or choose the level motion, summary or group."
        )
    agreed = [p for p, a in zip(cohort.people, answers, strict=True) if a in _YES or (not consent_needed and a == "")]
    unclear = sum(a not in (*_YES, *_NO, "") for a in answers)
    left_out = {"said no": sum(a in _NO for a in answers)}
    left_out["did not say"] = len(answers) - len(agreed) - left_out["said no"] - unclear
    left_out["answer is neither yes nor no"] = unclear
    if not agreed:
        raise InputError(
            f"expected people who agreed in the column {CONSENT} of participants.tsv, but nobody says yes; nothing can "
            "be shared at this level."
        )
    for group in sorted({person.group for person in agreed}):
        if not _WORD.fullmatch(group):
            raise InputError(
                f"expected names of groups of at most 20 letters and digits, got {group!r}; rename it in "
                "participants.tsv."
            )
    names = _pseudonyms(len(agreed), {person.id for person in cohort.people}, rng)
    drawn = sorted(zip(names, agreed, strict=True), key=lambda pair: pair[0])
    days = [days_between(cohort.folder, p) for _, p in drawn]
    unnamed = [
        SharedPerson(p, name, p.group, None, None, in_order(p.recordings, d))
        for (name, p), d in zip(drawn, days, strict=True)
    ]
    groups = [p.group for p in unnamed]
    for sexes, edges, intervals in _ways(unnamed, columns, "interval" in columns and any(days)):
        people = _told(unnamed, sexes, edges)
        step, apart = 0, tuple[Days, ...]()
        if intervals:
            step = best_step(groups, days, FEWEST_ALIKE)
            apart = tuple(in_steps(d, step) for d in days)
            alike = shared(groups, apart, FEWEST_ALIKE)
            people = tuple(replace(p, days=d) if a else p for p, d, a in zip(people, apart, alike, strict=True))
        told = ["participant_id", "group", *(c for c in ("sex", "age") if any(getattr(p, c) for p in people))]
        if any(person.source.simulated for person in people):
            told.append("simulated")
        chosen = Chosen(people, {why: n for why, n in left_out.items() if n}, tuple(told), edges, step, apart)
        if most_told is None or (1 / chosen.possible.sum(1)).mean() <= most_told:
            break
    return chosen


def age_band(age: float | None, edges: Sequence[int]) -> str | None:
    """``under 40``, ``40-59`` or ``60 or over`` for the edges 40 and 60; None where the age is unknown."""
    if age is None or not edges:
        return None
    number = int(np.searchsorted(edges, age, side="right"))
    if number == 0:
        return f"under {edges[0]}"
    return f"{edges[-1]} or over" if number == len(edges) else f"{edges[number - 1]}-{edges[number] - 1}"


def _ways(
    people: Sequence[SharedPerson], columns: Sequence[str], dated: bool
) -> list[tuple[bool, tuple[int, ...], bool]]:
    """Whether sexes are told, the edges of age bands, and whether intervals are told, from fine to coarse."""
    known = [person.source.age for person in people if person.source.age is not None]
    ages: list[tuple[int, ...]] = []
    if "age" in columns and known:
        ages = [_TEN, _TWENTY, (int(10 * round(float(np.median(known)) / 10)),)]
    ways = [("sex" in columns, edges, False) for edges in (*ages, ())] + [(False, (), False)]
    return [(*ways[0][:2], True), *ways] if dated else ways


def _line(days: Days) -> str | None:
    """Intervals as one text that can be compared; None where there are none."""
    return " ".join(str(n) for n in sorted(days.values())) or None


def _told(people: Sequence[SharedPerson], sexes: bool, edges: Sequence[int]) -> tuple[SharedPerson, ...]:
    """The people with sex and age band, less what too few of a group share."""
    out = []
    for p in people:
        sex = p.source.sex if sexes and p.source.sex in ("F", "M") else None
        out.append(replace(p, sex=sex, age=age_band(p.source.age, edges)))
    cells = Counter((p.group, p.sex, p.age) for p in out)
    out = [p if cells[p.group, p.sex, p.age] >= FEWEST_ALIKE else replace(p, age=None) for p in out]
    sexes_of = Counter((p.group, p.sex) for p in out)
    return tuple(p if sexes_of[p.group, p.sex] >= FEWEST_ALIKE else replace(p, sex=None, age=None) for p in out)


def _agree(told: Sequence[str | None], known: Sequence[str | None]) -> np.ndarray:
    """(N, N) bool: equal, or one of both is not known."""
    return np.array([[t is None or k is None or t == k for k in known] for t in told], bool)


def _pseudonyms(n: int, taken: Iterable[str], rng: np.random.Generator) -> list[str]:
    """`n` different random names that nobody has already."""
    drawn: list[str] = []
    used = {name.lower() for name in taken}
    while len(drawn) < n:
        name = "sub-" + "".join(_LETTERS[i] for i in rng.integers(0, len(_LETTERS), 8))
        if name not in used:
            used.add(name)
            drawn.append(name)
    return drawn
