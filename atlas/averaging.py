"""How standard faces are averaged: what a user chooses, and how few people a face may rest on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.groups import LEAST_PEOPLE
from atlas.person_weights import EQUAL, KINDS
from reconstruction.errors import InputError

_KNOWN = {"weights": KINDS, "adjust": (None, "age"), "by": (None, "sex")}


@dataclass(frozen=True)
class Averaging:
    """weights : of people, one of `atlas.person_weights.KINDS`
    adjust : ``age``: faces at the cohort's mean age; or None
    by : ``sex``: faces of a group's women and men beside the group's; or None
    least : people a face must rest on, unless they are simulated

    Raises InputError for any other value.
    """

    weights: str = EQUAL
    adjust: str | None = None
    by: str | None = None
    least: int = LEAST_PEOPLE

    def __post_init__(self) -> None:
        for name, known in _KNOWN.items():
            value = getattr(self, name)
            if value not in known:
                words = " or ".join(str(k) for k in known if k)
                raise InputError(f"expected --{name} {words}, got {value!r}; choose what is offered or leave it out.")
        if self.least < LEAST_PEOPLE:
            raise InputError(
                f"expected --min-people of {LEAST_PEOPLE} or more, got {self.least}: the mean of fewer people would "
                "show them; a higher number is possible."
            )

    def enough(self, people: Iterable[AggregatedFace]) -> bool:
        """Whether those who are not simulated are nobody or enough; simulated ones hide nobody."""
        real = sum(not person.simulated for person in people)
        return real == 0 or real >= self.least

    def mean_age(self, people: Sequence[AggregatedFace], warnings: list[str]) -> float | None:
        """The age that faces are adjusted to, the cohort's mean; None where they are not.

        Raises InputError where fewer than two ages are known.
        """
        if self.adjust is None:
            return None
        known = [person.age for person in people if person.age is not None]
        if len(set(known)) < 2:
            raise InputError(
                "expected people's ages in participants.tsv to adjust for, but fewer than two are known; add the "
                "column age or leave --adjust out."
            )
        if len(known) < len(people):
            warnings.append(f"{len(people) - len(known)} people of unknown age have no part in the age-adjusted faces")
        return float(np.mean(known))

    def by_sex(self, people: Sequence[AggregatedFace], warnings: list[str]) -> dict[str, list[AggregatedFace]]:
        """{sex: people}, empty unless asked for, of the groups of whose sexes, the unknown among them, none is too few:
        from the whole group's face and the others' theirs would follow. Raises InputError where nobody's sex is known.
        """
        if self.by is None:
            return {}
        if not any(person.sex for person in people):
            raise InputError(
                "expected people's sex in participants.tsv to average by, but nobody's is known; add the column sex or "
                "leave --by out."
            )
        out: dict[str, list[AggregatedFace]] = {}
        for group in sorted({person.group for person in people}):
            members = [person for person in people if person.group == group]
            sexes = {person.sex: [p for p in members if p.sex == person.sex] for person in members}
            if not all(self.enough(of_sex) for of_sex in sexes.values()):
                warnings.append(f"{group} has no faces by sex: one would rest on fewer than {self.least} people")
                continue
            for sex, of_sex in sexes.items():
                if sex:
                    out.setdefault(sex, []).extend(of_sex)
        return dict(sorted(out.items()))
