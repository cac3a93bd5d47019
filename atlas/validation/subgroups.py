"""Whether the matcher serves everyone alike: results by sex, age band, site and medication, with the gaps between them.

A gap is a subgroup's accuracy less that of all others, with Newcombe's (1998) interval. Subgroups of fewer than
`LEAST` people are counted and not told: of people who exist a share of so few would tell on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.participants import MISSING
from atlas.person_weights import stratum
from atlas.report.people import SEXES
from atlas.validation.intervals import Estimate, share, share_difference

LEAST = 10
FEW = 30  # people; below it a subgroup's interval spans most of what could be
MOST_VALUES = 12
COLUMNS = ("site", "medication")


@dataclass(frozen=True)
class Subgroup:
    """variable, value : ``sex``, ``women``; people : of every group
    accuracy, covered, inconclusive : None where there are fewer than `LEAST` people
    gap : accuracy less that of everybody else of whom the variable is known; None where nobody else is
    """

    variable: str
    value: str
    people: Mapping[str, int]
    accuracy: Estimate | None
    covered: Estimate | None
    inconclusive: Estimate | None
    gap: Estimate | None

    @property
    def size(self) -> int:
        return sum(self.people.values())

    @property
    def few(self) -> bool:
        return self.size < FEW

    def to_json(self) -> dict[str, Any]:
        parts = {
            name: None if (found := getattr(self, name)) is None else found.to_json()
            for name in ("accuracy", "covered", "inconclusive", "gap")
        }
        return {"variable": self.variable, "value": self.value, "people": dict(self.people), **parts}


def subgroups(
    people: Sequence[AggregatedFace],
    right: np.ndarray,
    covered: np.ndarray | None,
    inconclusive: np.ndarray | None,
    columns: Sequence[str] = (),
) -> tuple[Subgroup, ...]:
    """right, covered, inconclusive : (P,) share of repeats in which it was so
    columns : of participants.tsv beside `COLUMNS`
    """
    groups = sorted({person.group for person in people})
    out = []
    for variable, of in _variables(people, columns).items():
        values = [of(person) for person in people]
        present = sorted({value for value in values if value is not None}, key=lambda v: (not v.startswith("under"), v))
        if not 1 < len(present) <= MOST_VALUES:
            continue
        known = np.array([value is not None for value in values])
        for value in present:
            member = np.array([one == value for one in values])
            counts = {g: sum(p.group == g for p, m in zip(people, member, strict=True) if m) for g in groups}
            if member.sum() < LEAST:
                out.append(Subgroup(variable, value, counts, None, None, None, None))
                continue
            accuracy, others = _share(right, member), known & ~member
            out.append(
                Subgroup(
                    variable=variable,
                    value=value,
                    people=counts,
                    accuracy=accuracy,
                    covered=None if covered is None else _share(covered, member),
                    inconclusive=None if inconclusive is None else _share(inconclusive, member),
                    gap=share_difference(accuracy, _share(right, others)) if others.any() else None,
                )
            )
    return tuple(out)


def _variables(
    people: Sequence[AggregatedFace], columns: Sequence[str]
) -> dict[str, Callable[[AggregatedFace], str | None]]:
    out: dict[str, Callable[[AggregatedFace], str | None]] = {
        "sex": lambda person: None if person.sex is None else SEXES.get(person.sex, person.sex),
        "age": lambda person: None if person.age is None else stratum(person)[1],
    }
    for column in dict.fromkeys((*COLUMNS, *columns)):
        if any(column in person.extra for person in people):
            out[column] = lambda person, name=column: _text(person, name)  # type: ignore[misc]
    return out


def _text(person: AggregatedFace, column: str) -> str | None:
    text = person.extra.get(column, "").strip()
    return None if text.lower() in MISSING else text


def _share(values: np.ndarray, member: np.ndarray) -> Estimate:
    return share(float(values[member].sum()), int(member.sum()))
