"""Scores of a cohort's people: ``phenotype/<measure>.tsv`` and ``sub-<id>/sub-<id>_sessions.tsv``, after BIDS.

The first has one row a person (``participant_id``), and may, which BIDS's validator does not yet take, have one for
each of a person's sessions (``session_id``); the second has one row a session and lies with the person. Both are read
into `Participant.extra`, so that a score can be a covariate.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from atlas.participants import MISSING, read_table, whole_id
from reconstruction.errors import InputError, why_left_out

FOLDER = "phenotype"
SESSIONS = "sessions"  # sub-<id>_sessions.tsv, and what its columns are called after where a name is taken
KEYS = ("participant_id", "session_id")
LEFT_OUT = ("acq_time",)  # a date tells who somebody is

# {(measure, column): {participant id: {session or None: cell}}}
_Scores = dict[tuple[str, str], dict[str, dict[str | None, str]]]


def phenotype_tables(folder: Path) -> list[Path]:
    """The tables with scores of a cohort folder."""
    return [*sorted((folder / FOLDER).glob("*.tsv")), *sorted(folder.glob(f"sub-*/sub-*_{SESSIONS}.tsv"))]


def read_phenotype(
    folder: Path, session: str | None, taken: Mapping[str, object], warnings: list[str]
) -> dict[str, dict[str, str]]:
    """{participant id: {column: text}} of a cohort folder's scores, without what is missing.

    session : whose scores; None for a person's mean over sessions, of numbers
    taken : columns of participants.tsv; a column of a name that is taken, or that two measures have, is called
        ``<measure>_<column>``
    """
    scores: _Scores = {}
    for path in phenotype_tables(folder):
        try:
            _read(path, scores)
        except InputError as error:
            warnings.append(why_left_out(path, error))
    names = [column for _, column in scores]
    out: dict[str, dict[str, str]] = {}
    for (measure, column), people in scores.items():
        name = f"{measure}_{column}" if column in taken or names.count(column) > 1 else column
        differing = 0
        for identity, cells in people.items():
            value = _one(cells, session)
            differing += value is None
            if value:
                out.setdefault(identity, {})[name] = value
        if differing:
            warnings.append(
                f"{name} differs between the sessions of {differing} people and is no number; it counts as missing for "
                "them, unless a session is chosen"
            )
    return out


def session_label(text: str) -> str:
    """``1`` of ``ses-1`` or ``1``."""
    return text.strip().removeprefix("ses-")


def _read(path: Path, scores: _Scores) -> None:
    person = path.parent.name if path.name.endswith(f"_{SESSIONS}.tsv") else None
    measure = SESSIONS if person else path.stem
    table = read_table(path)
    key = "session_id" if person else "participant_id"
    if key not in table.columns:
        raise InputError(f"expected a column {key} in {path}, but it is missing; add it, separated by tabs.")
    cases = [
        (person or whole_id(row["participant_id"]), session_label(row.get("session_id", "")) or None)
        for row in table.rows
    ]
    if double := [identity for (identity, _), count in Counter(cases).items() if count > 1]:
        raise InputError(
            f"expected every person and session once in {path}, but {double[0]} is listed twice; remove one row."
        )
    for (identity, session), row in zip(cases, table.rows, strict=True):
        for column, cell in row.items():
            if column not in KEYS and column not in LEFT_OUT and cell.lower() not in MISSING and identity != "sub-":
                scores.setdefault((measure, column), {}).setdefault(identity, {}).setdefault(session, cell)


def _one(cells: Mapping[str | None, str], session: str | None) -> str | None:
    """A person's value: of the session, or of all; empty where there is none, None where it cannot be one."""
    if session is not None:
        return cells.get(session, cells.get(None, ""))
    values = set(cells.values())
    if len(values) == 1:
        return values.pop()
    try:
        return f"{sum(map(float, cells.values())) / len(cells):.6g}"
    except ValueError:
        return None
