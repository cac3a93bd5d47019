"""participants.tsv: who is in a cohort, after BIDS (tab-separated, ``n/a`` for missing)."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconstruction.errors import InputError

MISSING = ("", "n/a", "na", "nan")
REQUIRED = ("participant_id", "group")


@dataclass(frozen=True)
class Table:
    """columns : names in lower case; rows : {column: cell} without blanks around, the first is row 2
    ragged : numbers of rows with more or fewer cells than there are columns
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    ragged: tuple[int, ...]


def read_table(path: Path) -> Table:
    """A tab-separated table; blank lines are left out.

    Raises
    ------
    InputError
        It is no UTF-8 text, or no table.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        reader = csv.DictReader((line for line in lines if line.strip()), delimiter="\t")
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        raw = list(reader)
    except UnicodeDecodeError as error:
        raise InputError(f"expected {path} as UTF-8 text, but it is not ({error.reason}); save it as UTF-8.") from error
    except (csv.Error, OSError) as error:
        raise InputError(
            f"expected a tab-separated table, but {path} cannot be read ({error}); write it anew."
        ) from error
    return Table(
        tuple(reader.fieldnames),
        tuple({key: (value or "").strip() for key, value in row.items() if key} for row in raw),
        tuple(number for number, row in enumerate(raw, start=2) if None in row or None in row.values()),
    )


def whole_id(text: str) -> str:
    """``sub-01`` of ``01`` or ``sub-01``."""
    return text if text.startswith("sub-") else f"sub-{text}"


def read_participants(path: Path, warnings: list[str], required: Sequence[str] = REQUIRED) -> dict[str, dict[str, str]]:
    """participant id to its row, lower-case column names; `required` ones must be there, participant_id among them.

    Raises
    ------
    InputError
        The table cannot be read, lacks a required column or lists a person twice.
    """
    table = read_table(path)
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise InputError(
            f"expected tab-separated columns participant_id, group, age, sex in {path}, but "
            f"{' and '.join(missing)} is "
            f"missing (found: {', '.join(table.columns) or 'nothing'}); add it, and separate columns by tabs."
        )
    for name in ("age", "sex"):
        if name not in table.columns:
            warnings.append(f"participants.tsv has no column {name}; it counts as missing for everyone")
    rows: dict[str, dict[str, str]] = {}
    for number, row in enumerate(table.rows, start=2):
        identity = row["participant_id"]
        if not identity:
            warnings.append(f"row {number} of participants.tsv has no participant_id and was left out")
            continue
        identity = whole_id(identity)
        if identity in rows:
            raise InputError(
                f"expected every participant_id once in {path}, but {identity} is listed twice; remove one of the "
                "two rows."
            )
        rows[identity] = row
    return rows


def age_of(text: str, identity: str, warnings: list[str]) -> float | None:
    """Years; None, with a warning, where it is no number of years."""
    if text.lower() in MISSING:
        return None
    try:
        age = float(text)
    except ValueError:
        age = float("nan")
    if not 0 < age < 120:
        warnings.append(f"{identity} has the age {text!r}, which is no number of years; it counts as missing")
        return None
    return age


def sex_of(text: str) -> str | None:
    """`F` or `M` of the usual words for them, another word as it is written, None where it is missing."""
    word = text.strip().lower()
    if word in MISSING:
        return None
    return {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}.get(word, text.strip())


def declared_simulated(row: Mapping[str, str]) -> bool:
    """Whether a row's column ``simulated`` says that the person does not exist."""
    return row.get("simulated", "").lower() in ("true", "1", "yes", "simulated")
