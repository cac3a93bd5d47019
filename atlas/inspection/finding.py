"""A finding, and all findings about a cohort."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from reconstruction.sequence import STATEMENT

# an error stops `face-atlas build` or makes its result wrong; a warning leaves something out, or may mislead
LEVELS = ("error", "warning", "note")
NAMED = 3  # places that a sentence names; the rest is counted


@dataclass(frozen=True)
class Finding:
    """level : one of `LEVELS`; code : a word for programs; what : the finding; where : the places it is about"""

    level: str
    code: str
    what: str
    remedy: str
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        places = f": {listed(self.where)}" if self.where else ""
        return f"{self.what}{places}. {self.remedy}"


@dataclass(frozen=True)
class Row:
    """A person in participants.tsv or with recordings.

    group : None without one; counts : {stimulus: recordings}; sessions : {session: recordings}, None for no session
    """

    person: str
    group: str | None
    counts: dict[str, int]
    sessions: dict[str | None, int]


@dataclass(frozen=True)
class Inspection:
    """findings : errors first; people : by id; simulated : everybody is"""

    findings: tuple[Finding, ...]
    people: tuple[Row, ...]
    simulated: bool

    def of(self, level: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == level)

    @property
    def stimuli(self) -> tuple[str, ...]:
        return tuple(sorted({stimulus for row in self.people for stimulus in row.counts}))

    def to_json(self) -> dict[str, Any]:
        return {
            "statement": STATEMENT,
            "simulated": self.simulated,
            **{
                f"{level}s": [
                    {"code": f.code, "what": f.what, "where": list(f.where), "remedy": f.remedy} for f in self.of(level)
                ]
                for level in LEVELS
            },
            "people": [
                {
                    "participant_id": row.person,
                    "group": row.group,
                    "recordings": row.counts,
                    "sessions": {session or "none": n for session, n in row.sessions.items()},
                }
                for row in self.people
            ],
        }


def listed(places: Iterable[str]) -> str:
    """The first places, and how many more there are."""
    places = list(places)
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    return ", ".join(places[:NAMED]) + more
