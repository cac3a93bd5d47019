"""Who is compared, and what is known about them: group, age, sex and every other column of participants.tsv."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from atlas.cohort import Cohort
from atlas.participants import MISSING, read_participants
from atlas.phenotype import read_phenotype
from reconstruction.errors import InputError


@dataclass(frozen=True)
class People:
    """P people.

    ids, groups : P of each
    columns : {name: P texts}, lower-case names, as they stand in participants.tsv
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, places: Sequence[int] | np.ndarray) -> "People":
        """The people at `places`, in that order."""

        def taken(texts: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(texts[i] for i in places)

        return People(taken(self.ids), taken(self.groups), {name: taken(texts) for name, texts in self.columns.items()})

    def about(self, ids: Sequence[str], groups: Sequence[str]) -> "People":
        """What is known about the people `ids`; of those who are not here, nothing but their group."""
        place = {identity: i for i, identity in enumerate(self.ids)}
        columns = {
            name: tuple(texts[place[one]] if one in place else "" for one in ids)
            for name, texts in self.columns.items()
        }
        return People(tuple(ids), tuple(groups), columns)

    def texts(self, name: str) -> tuple[str | None, ...]:
        """A column, None where it is missing; ``group`` is one.

        Raises
        ------
        InputError
            There is no such column.
        """
        found = self.groups if name == "group" else self.columns.get(name.lower())
        if found is None:
            raise InputError(
                f"expected a column of participants.tsv ({', '.join(['group', *self.columns])}), got {name!r}; name "
                "one of them, or add it."
            )
        return tuple(None if text.strip().lower() in MISSING else text.strip() for text in found)

    def numbers(self, name: str) -> np.ndarray | None:
        """(P,) float64, a column as numbers, NaN where it is missing; None where a known value is no number."""
        texts = self.texts(name)
        try:
            values = np.array([np.nan if text is None else float(text) for text in texts])
        except ValueError:
            return None
        return values if np.isfinite(values[[text is not None for text in texts]]).all() else None


def people_of(cohort: Cohort) -> People:
    """The people of a cohort, with age, sex and their further columns."""
    extra = list(dict.fromkeys(name for person in cohort.people for name in person.extra))
    columns = {
        "age": tuple("" if person.age is None else f"{person.age:g}" for person in cohort.people),
        "sex": tuple(person.sex or "" for person in cohort.people),
        **{name: tuple(person.extra.get(name, "") for person in cohort.people) for name in extra},
    }
    known = {name: texts for name, texts in columns.items() if any(texts)}
    return People(tuple(p.id for p in cohort.people), tuple(p.group for p in cohort.people), known)


def read_people(table: str | Path) -> tuple[People, tuple[str, ...]]:
    """A participants.tsv, and what was odd in it.

    Raises
    ------
    InputError
        It is missing or cannot be read.
    """
    table = Path(table)
    if not table.is_file():
        raise InputError(f"expected a participants.tsv, but {table} does not exist; check the path.")
    warnings: list[str] = []
    rows = read_participants(table, warnings)
    names = list(
        dict.fromkeys(name for row in rows.values() for name in row if name not in ("participant_id", "group"))
    )
    columns = {name: tuple(row.get(name, "") for row in rows.values()) for name in names}
    return People(tuple(rows), tuple(row["group"] for row in rows.values()), columns), tuple(warnings)


def with_scores(people: People, folder: Path) -> tuple[People, tuple[str, ...]]:
    """`people` with the scores that a cohort's folder holds, see `atlas.phenotype`, and what was odd in them."""
    warnings: list[str] = []
    scores = read_phenotype(folder, None, people.columns, warnings)
    names = dict.fromkeys(name for of_person in scores.values() for name in of_person)
    columns = {name: tuple(scores.get(one, {}).get(name, "") for one in people.ids) for name in names}
    return People(people.ids, people.groups, {**people.columns, **columns}), tuple(warnings)
