"""participants.tsv: who is in a cohort, after BIDS (tab-separated, ``n/a`` for missing)."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconstruction.errors import InputError

MISSING = ("", "n/a", "na", "nan")
REQUIRED = ("participant_id", "group")


def read_participants(
    table: Path, warnings: list[str], required: Sequence[str] = REQUIRED
) -> dict[str, dict[str, str]]:
    """participant id to its row, lower-case column names; `required` ones must be there, participant_id among them."""
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected {table} as UTF-8 text, but it is not ({error.reason}); save it as UTF-8."
        ) from error
    reader = csv.DictReader((line for line in lines if line.strip()), delimiter="\t")
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in required if name not in reader.fieldnames]
    if missing:
        raise InputError(
            f"expected tab-separated columns participant_id, group, age, sex in {table}, but "
            f"{' and '.join(missing)} is "
            f"missing (found: {', '.join(reader.fieldnames) or 'nothing'}); add it, and separate columns by tabs."
        )
    for name in ("age", "sex"):
        if name not in reader.fieldnames:
            warnings.append(f"participants.tsv has no column {name}; it counts as missing for everyone")
    rows: dict[str, dict[str, str]] = {}
    for number, raw in enumerate(reader, start=2):
        row = {key: (value or "").strip() for key, value in raw.items() if key}
        identity = row["participant_id"]
        if not identity:
            warnings.append(f"row {number} of participants.tsv has no participant_id and was left out")
            continue
        identity = identity if identity.startswith("sub-") else f"sub-{identity}"
        if identity in rows:
            raise InputError(
                f"expected every participant_id once in {table}, but {identity} is listed twice; remove one of the "
                "two rows."
            )
        rows[identity] = row
    return rows


def age_of(text: str, identity: str, warnings: list[str]) -> float | None:
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
