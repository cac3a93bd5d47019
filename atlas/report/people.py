"""Who a report is about: from the list of participants to the frames used, and what is known of the people.

Written from the table of participants and what came out of reading the cohort: no parameter file is read again. Nobody
is named, for a report may be shared.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.cohort import Cohort
from atlas.participants import MISSING, read_participants
from atlas.reading import Reading

COLUMNS = ("site", "medication")  # of participants.tsv, told beside age and sex where they are there
SEXES = {"F": "women", "M": "men"}
MOST_VALUES = 8  # a column of words with more different ones is no category; its values are not shown
TOO_FEW = "in a recording with too few usable ones"


@dataclass(frozen=True)
class GroupFlow:
    """A group's way from the table of participants to the atlas.

    listed : in participants.tsv; recorded : with a recording that can be read; people : in the atlas
    recordings, recordings_used : of the people recorded
    frames, frames_used : of all recordings that can be read; what is usable in a recording that is not used does not
        count as used
    left_out : {reason: frames}, the most frequent first
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


def participant_flow(cohort: Cohort, reading: Reading) -> ParticipantFlow:
    """Counts by group."""
    rows = read_participants(cohort.folder / "participants.tsv", [])
    listed = Counter(row["group"] for row in rows.values() if row["group"].lower() not in MISSING)
    groups = sorted({*listed, *cohort.groups})
    return ParticipantFlow(
        listed=len(rows),
        without_group=len(rows) - listed.total(),
        groups=tuple(_flow(group, listed[group], cohort, reading) for group in groups),
    )


def _flow(group: str, listed: int, cohort: Cohort, reading: Reading) -> GroupFlow:
    recorded = cohort.of_group(group)
    used = [r for person in reading.people if person.group == group for r in person.recordings]
    unused = [r for r in reading.unused if r.group == group]
    left_out: Counter[str] = Counter({TOO_FEW: sum(r.frames_used for r in unused)})
    for reasons in (*(r.left_out for r in used), *(r.left_out for r in unused)):
        left_out.update(reasons)
    return GroupFlow(
        group=group,
        listed=listed,
        recorded=len(recorded),
        people=sum(person.group == group for person in reading.people),
        recordings=sum(len(person.recordings) for person in recorded),
        recordings_used=len(used),
        frames=sum(r.frames for r in used) + sum(r.frames for r in unused),
        frames_used=sum(r.frames_used for r in used),
        left_out={reason: n for reason, n in sorted(left_out.items(), key=lambda item: (-item[1], item[0])) if n},
    )


def table_one(
    people: Sequence[AggregatedFace], groups: Sequence[str], columns: Sequence[str] = ()
) -> list[Characteristic]:
    """Table 1: the people in the atlas by group, and all of them; no tests, as groups' characteristics need none.

    columns : of participants.tsv that the analysis used; shown beside `COLUMNS`, where they are there
    """
    parts = [*([p for p in people if p.group == group] for group in groups), list(people)]
    stimuli = sorted({s for person in people for s in person.stimuli})
    out = [
        _numbers("Age, years", parts, lambda person: person.age),
        _categories("Sex", parts, lambda person: None if person.sex is None else SEXES.get(person.sex, person.sex)),
    ]
    for column in dict.fromkeys((*COLUMNS, *columns)):
        if column not in ("age", "sex") and any(column in person.extra for person in people):
            out.append(_column(column, parts))
    counts = [(f"before {s}", tuple(str(sum(s in p.stimuli for p in part)) for part in parts)) for s in stimuli]
    return [*out, Characteristic("People recorded", tuple(counts))]


def _column(column: str, parts: Sequence[Sequence[AggregatedFace]]) -> Characteristic:
    """A column of participants.tsv: as numbers where all that is known of it are numbers, else as categories."""

    def words(person: AggregatedFace) -> str | None:
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
    name: str, parts: Sequence[Sequence[AggregatedFace]], of: Callable[[AggregatedFace], float | None]
) -> Characteristic:
    found = [[value for person in part if (value := of(person)) is not None] for part in parts]
    rows = [("mean (SD)", tuple(_mean_sd(values) for values in found))]
    return Characteristic(name, (*rows, *_unknown(parts, found)))


def _mean_sd(values: Sequence[float]) -> str:
    if not values:
        return "not known"
    return f"{np.mean(values):.1f}" + (f" ({np.std(values, ddof=1):.1f})" if len(values) > 1 else "")


def _categories(
    name: str, parts: Sequence[Sequence[AggregatedFace]], of: Callable[[AggregatedFace], str | None]
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
    parts: Sequence[Sequence[AggregatedFace]], found: Sequence[Sequence[object]]
) -> list[tuple[str, tuple[str, ...]]]:
    """The row of people of whom it is not known."""
    return [("not known", tuple(str(len(part) - len(values)) for part, values in zip(parts, found, strict=True)))]
