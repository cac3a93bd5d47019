"""Who is compared, and what is known about them: group, age, sex and every other column of participants.tsv."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from atlas.cohort import Cohort
from atlas.participants import MISSING, read_participants
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
            name: tuple(texts[place[one]] if one in place else "" for one in ids) for name, texts in self.columns.items()
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
                f"expected a column of participants.tsv ({', '.join(['group', *self.columns])}), got {name!r}; name one "
                "of them, or add it."
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
    names = list(dict.fromkeys(name for row in rows.values() for name in row if name not in ("participant_id", "group")))
    columns = {name: tuple(row.get(name, "") for row in rows.values()) for name in names}
    return People(tuple(rows), tuple(row["group"] for row in rows.values()), columns), tuple(warnings)


def with_phenotype(people: People, folder: str | Path, column: str) -> People:
    """`people` with `column` from the one ``phenotype/*.tsv`` of a BIDS folder that has it; unchanged where they have
    it already, or no file does.

    Raises
    ------
    InputError
        Several files have it, or one lists a person twice.
    """
    column = column.lower()
    if column in people.columns:
        return people
    found = []
    for path in sorted(Path(folder).glob("*.tsv")):
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        reader = csv.DictReader((line for line in lines if line.strip()), delimiter="\t")
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        if column in reader.fieldnames and "participant_id" in reader.fieldnames:
            found.append((path, [(row["participant_id"].strip(), (row[column] or "").strip()) for row in reader]))
    if not found:
        return people
    if len(found) > 1:
        raise InputError(
            f"expected {column} in one file of {Path(folder).name}, but {' and '.join(p.name for p, _ in found)} have "
            "it; put the one that counts into participants.tsv."
        )
    path, rows = found[0]
    values = {(one if one.startswith("sub-") else f"sub-{one}"): value for one, value in rows}
    if len(values) < len(rows):
        raise InputError(
            f"expected every participant_id once in {path.name}, but one is listed twice; put the value that counts "
            "into participants.tsv."
        )
    column_texts = tuple(values.get(identity, "") for identity in people.ids)
    return People(people.ids, people.groups, {**people.columns, column: column_texts})
