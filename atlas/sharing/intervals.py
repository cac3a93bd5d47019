"""How long after a person's first session the others were: what a share tells of dates, and all it tells of them.

Dates are those of BIDS's ``sub-*_sessions.tsv`` and ``sub-*_scans.tsv`` (``acq_time``), or a session's own name such as
``ses-20240517``. They stay; the days between them leave in steps. How far apart somebody's sessions were can tell who
it is, so the step is the one with which most people are not alone, and the others' intervals stay too.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from atlas.cohort import Participant, Recording, session_of
from atlas.participants import read_table
from atlas.phenotype import SESSIONS, session_label
from reconstruction.errors import InputError

STEPS = (7, 30, 90, 365)  # days
_DATE = re.compile(r"(19|20)\d{6}")  # a session's name that is one

Days = dict[str, int]


def days_between(folder: Path, person: Participant) -> Days:
    """{session: whole days since the person's earliest} of sessions whose dates are known; empty where it is one."""
    sessions = {r.session for r in person.recordings if r.session}
    dates = {s: day for s in sessions if (day := _day(s) if _DATE.fullmatch(s) else None)}
    dates |= {s: day for s, day in _told(folder / person.id, person.id).items() if s in sessions}
    return {s: (day - min(dates.values())).days for s, day in dates.items()} if len(dates) > 1 else {}


def in_order(recordings: Sequence[Recording], days: Days) -> tuple[str, ...]:
    """Names of a person's sessions by their dates, where all are known, else by their names, 2 before 10."""

    def by_name(name: str) -> tuple[int, str]:
        return (int(name), "") if name.isdigit() else (10**9, name)

    sessions = {r.session or "" for r in recordings}
    dated = sessions <= set(days)
    return tuple(sorted(sessions, key=lambda name: (days[name] if dated else 0, by_name(name))))


def in_steps(days: Days, step: int) -> Days:
    """The nearest multiples of `step`."""
    return {session: step * round(n / step) for session, n in days.items()}


def best_step(groups: Sequence[str], days: Sequence[Days], fewest: int) -> int:
    """The finest of the steps with which the most people share their intervals with `fewest` of their group."""
    return max(STEPS, key=lambda step: sum(shared(groups, [in_steps(d, step) for d in days], fewest)))


def shared(groups: Sequence[str], days: Sequence[Days], fewest: int) -> list[bool]:
    """Of everyone: whether as many of the group have the same intervals, and there are any."""
    cells = [(group, tuple(sorted(d.values()))) for group, d in zip(groups, days, strict=True)]
    counts = Counter(cells)
    return [bool(d) and counts[cell] >= fewest for cell, d in zip(cells, days, strict=True)]


def _told(folder: Path, person: str) -> dict[str, date]:
    """{session: its earliest date} as the person's tables have it."""
    found: dict[str, date] = {}
    for path in [*sorted(folder.rglob(f"{person}*_scans.tsv")), folder / f"{person}_{SESSIONS}.tsv"]:
        try:
            rows = read_table(path).rows
        except InputError:
            continue
        for row in rows:
            session = session_label(row.get("session_id", "")) or session_of(Path(person, row.get("filename", "")))
            session = session or session_of(path.relative_to(folder.parent))
            day = _day(row.get("acq_time", ""))
            if session and day:
                found[session] = min(day, found.get(session, day))
    return found


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None
