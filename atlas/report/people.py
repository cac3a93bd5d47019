"""Who a report is about: from the list of participants to the frames used, and what is known of the people.

Written from the table of participants and the aggregated faces: no parameter file is read again. Nobody is named, for a
report may be shared.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.cohort import Cohort, Participant
from atlas.participants import MISSING, read_participants

COLUMNS = ("site", "medication")  # of participants.tsv, told beside age and sex where they are there
SEXES = {"f": "women", "w": "women", "m": "men"}  # by the first letter
MOST_VALUES = 8  # a column of words with more different ones is no category; its values are not shown
ALL = "all"


@dataclass(frozen=True)
class GroupFlow:
    """A group's way from the table of participants to the atlas.

    listed : in participants.tsv; recorded : with a recording that can be read; people : in the atlas
    recordings, recordings_used : of the people recorded
    frames, frames_used : of the recordings used; left_out : {reason: frames}
    """

    group: str
    listed: int
    recorded: int
    people: int
    recordings: int
    recordings_used: int
    frames: int
    frames_used: int
    left_out: dict[str, int]


@dataclass(frozen=True)
class ParticipantFlow:
    """listed : rows of participants.tsv; without_group : those that name no group and take no part."""

    listed: int
    without_group: int
    groups: tuple[GroupFlow, ...]


@dataclass(frozen=True)
class Characteristic:
    """One thing that is known of the people, as table 1 tells it.

    rows : (what is counted, text for every group and for all)
    """

    name: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def participant_flow(cohort: Cohort, people: Sequence[AggregatedFace]) -> ParticipantFlow:
    """Counts by group; people : those in the atlas."""
    rows = read_participants(cohort.folder / "participants.tsv", [])
    listed = Counter(row["group"] for row in rows.values() if row["group"].lower() not in MISSING)
    groups = sorted({*listed, *cohort.groups})
    return ParticipantFlow(
        listed=len(rows),
        without_group=len(rows) - listed.total(),
        groups=tuple(_flow(group, listed[group], cohort, people) for group in groups),
    )


def _flow(group: str, listed: int, cohort: Cohort, people: Sequence[AggregatedFace]) -> GroupFlow:
    recorded = cohort.of_group(group)
    used = [r for person in people if person.group == group for r in person.recordings]
    left_out: Counter[str] = Counter()
    for recording in used:
        left_out.update(recording.left_out)
    return GroupFlow(
        group=group,
        listed=listed,
        recorded=len(recorded),
        people=sum(person.group == group for person in people),
        recordings=sum(len(person.recordings) for person in recorded),
        recordings_used=len(used),
        frames=sum(r.frames for r in used),
        frames_used=sum(r.frames_used for r in used),
        left_out=dict(sorted(left_out.items(), key=lambda item: (-item[1], item[0]))),
    )


def table_one(
    cohort: Cohort, people: Sequence[AggregatedFace], groups: Sequence[str], columns: Sequence[str] = ()
) -> list[Characteristic]:
    """Table 1: the people in the atlas by group, and all of them; no tests, as groups' characteristics need none.

    columns : of participants.tsv that the analysis used; shown beside `COLUMNS`, where they are there
    """
    inside = {person.id for person in people}
    known = [person for person in cohort.people if person.id in inside]
    parts = [*([p for p in known if p.group == group] for group in groups), known]
    stimuli = sorted({s for person in people for s in person.stimuli})
    recorded = [[p for p in people if group in (ALL, p.group)] for group in (*groups, ALL)]
    out = [
        _numbers("Age, years", parts, lambda person: person.age),
        _categories("Sex", parts, lambda person: None if person.sex is None else _sex(person.sex)),
    ]
    for column in dict.fromkeys((*COLUMNS, *(c for c in columns if c not in ("age", "sex")))):
        if any(column in person.extra for person in known):
            out.append(_column(column, parts))
    counts = [
        (f"before {stimulus}", tuple(str(sum(stimulus in p.stimuli for p in part)) for part in recorded))
        for stimulus in stimuli
    ]
    return [*out, Characteristic("People recorded", tuple(counts))]


def _sex(text: str) -> str:
    return SEXES.get(text.lower()[:1], text)


def _column(column: str, parts: Sequence[Sequence[Participant]]) -> Characteristic:
    """A column of participants.tsv: as numbers where all that is known of it are numbers, else as categories."""

    def words(person: Participant) -> str | None:
        value = person.extra.get(column, "")
        return None if value.lower() in MISSING else value

    values = [value for person in parts[-1] if (value := words(person)) is not None]
    title = column[:1].upper() + column[1:]
    if values and all(_is_number(value) for value in values) and len(set(values)) > 2:
        return _numbers(title, parts, lambda person: None if (value := words(person)) is None else float(value))
    return _categories(title, parts, words)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _numbers(
    name: str, parts: Sequence[Sequence[Participant]], of: Callable[[Participant], float | None]
) -> Characteristic:
    found = [[value for person in part if (value := of(person)) is not None] for part in parts]
    rows = [("mean (SD)", tuple(_mean_sd(values) for values in found))]
    return Characteristic(name, (*rows, *_unknown(parts, found)))


def _mean_sd(values: Sequence[float]) -> str:
    if not values:
        return "not known"
    return f"{np.mean(values):.1f}" + (f" ({np.std(values, ddof=1):.1f})" if len(values) > 1 else "")


def _categories(
    name: str, parts: Sequence[Sequence[Participant]], of: Callable[[Participant], str | None]
) -> Characteristic:
    found = [[value for person in part if (value := of(person)) is not None] for part in parts]
    values = sorted(set(found[-1]))
    if len(values) > MOST_VALUES:
        return Characteristic(
            name, (("different values", tuple(str(len(set(part))) for part in found)), *_unknown(parts, found))
        )
    rows = [(value, tuple(_share(part.count(value), len(part)) for part in found)) for value in values]
    return Characteristic(name, (*rows, *_unknown(parts, found)))


def _share(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.0f}\N{NO-BREAK SPACE}%)" if of else "0"


def _unknown(
    parts: Sequence[Sequence[Participant]], found: Sequence[Sequence[object]]
) -> list[tuple[str, tuple[str, ...]]]:
    """The row of people of whom it is not known."""
    return [("not known", tuple(str(len(part) - len(values)) for part, values in zip(parts, found, strict=True)))]
