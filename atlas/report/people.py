"""What a report says about the people: who took part, which frames were used, and each person's biomarkers.

Reads the cohort's parameter files once. Nobody is named: a report may be shared.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import MIN_FRAMES, UNKNOWN
from atlas.biomarkers import mean_action_units, measures
from atlas.cohort import Cohort, Participant
from atlas.participants import MISSING, read_participants
from reconstruction.errors import InputError
from reconstruction.sequence import load


@dataclass(frozen=True)
class PersonSummary:
    """One person in numbers.

    recordings, recordings_used : with enough usable frames
    frames, frames_used : of the recordings used; left_out : {reason: frames}
    values : {action unit or measure: mean over stimuli, each the mean of its recordings}; NaN where unknown
    """

    group: str
    age: float | None
    sex: str | None
    recordings: int
    recordings_used: int
    frames: int
    frames_used: int
    left_out: dict[str, int]
    values: dict[str, float]


@dataclass(frozen=True)
class GroupFlow:
    """A group's way from the participants' table to the atlas; counts of people, recordings and frames."""

    group: str
    listed: int
    people: int
    women: int
    men: int
    age_mean: float | None
    age_sd: float | None
    recordings: int
    recordings_used: int
    frames: int
    frames_used: int
    left_out: dict[str, int]


def summarise_people(cohort: Cohort) -> list[PersonSummary]:
    """A summary of every person of a cohort whose recordings are parameter files."""
    return [_summarise(person) for person in cohort.people]


def _summarise(person: Participant) -> PersonSummary:
    by_stimulus: dict[str, list[dict[str, float]]] = {}
    left_out: Counter[str] = Counter()
    frames = used = good = 0
    for recording in person.recordings:
        try:
            sequence = load(recording.path)
        except InputError:  # the build left it out too, and said so
            continue
        valid = int(sequence.valid.sum())
        frames, used = frames + len(sequence), used + valid
        left_out.update(sequence.summary()["frames_left_out"])
        if valid < MIN_FRAMES:
            used -= valid
            left_out["too few usable frames in the recording"] += valid
            continue
        good += 1
        found = mean_action_units(sequence) | measures(sequence)
        by_stimulus.setdefault(recording.stimulus or UNKNOWN, []).append(found)
    means = [_mean_of(values) for values in by_stimulus.values()]
    return PersonSummary(
        group=person.group,
        age=person.age,
        sex=person.sex,
        recordings=len(person.recordings),
        recordings_used=good,
        frames=frames,
        frames_used=used,
        left_out=dict(sorted(left_out.items())),
        values=_mean_of(means),
    )


def _mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of every quantity over the rows that know it."""
    out = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [row[name] for row in rows if np.isfinite(row.get(name, np.nan))]
        out[name] = float(np.mean(known)) if known else float("nan")
    return out


def participant_flow(cohort: Cohort, people: list[PersonSummary]) -> list[GroupFlow]:
    """Counts by group, in the groups' order; `listed` is how many people participants.tsv has of the group."""
    rows = read_participants(cohort.folder / "participants.tsv", [])
    listed = Counter(row["group"] for row in rows.values() if row["group"].lower() not in MISSING)
    return [_flow(group, listed[group], [p for p in people if p.group == group]) for group in cohort.groups]


def _flow(group: str, listed: int, people: list[PersonSummary]) -> GroupFlow:
    in_atlas = [person for person in people if person.recordings_used]
    ages = [person.age for person in in_atlas if person.age is not None]
    sexes = Counter((person.sex or "").strip().lower()[:1] for person in in_atlas)
    left_out: Counter[str] = Counter()
    for person in people:
        left_out.update(person.left_out)
    return GroupFlow(
        group=group,
        listed=listed,
        people=len(in_atlas),
        women=sexes["f"] + sexes["w"],
        men=sexes["m"],
        age_mean=float(np.mean(ages)) if ages else None,
        age_sd=float(np.std(ages, ddof=1)) if len(ages) > 1 else None,
        recordings=sum(person.recordings for person in people),
        recordings_used=sum(person.recordings_used for person in people),
        frames=sum(person.frames for person in people),
        frames_used=sum(person.frames_used for person in people),
        left_out=dict(sorted(left_out.items())),
    )
