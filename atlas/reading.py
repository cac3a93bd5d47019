"""A cohort's parameter files, each read once: everything that is made of a cohort starts from what comes out here.

A recording is held for as long as it is summarised; what stays is of fixed length for a recording, and for the average
trajectories of fixed length for a group.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from atlas.aggregation import (
    FEW_FRAMES,
    UNKNOWN,
    AggregatedFace,
    RecordingSummary,
    left_out,
    summarise,
    template_units,
)
from atlas.cohort import Cohort, Participant, Recording
from atlas.groups import LEAST_PEOPLE, check_groups
from atlas.motion import MotionSpace
from atlas.trajectories import Trajectory, TrajectorySums, course
from reconstruction.errors import InputError, why_left_out
from reconstruction.sequence import FaceSequence, load
from reconstruction.template import Template


@dataclass(frozen=True)
class UnusedRecording:
    """A recording that no result rests on, and why in words that may name it.

    frames, frames_used : in the file, zero where it cannot be read, and those that are valid
    left_out : {reason: frames} that are not valid
    """

    person: str
    group: str
    frames: int
    frames_used: int
    left_out: dict[str, int]
    why: str


@dataclass(frozen=True)
class Reading:
    """people : those with a usable recording
    trajectories : {group: {stimulus: Trajectory}}
    unused : recordings left out
    notes : on single recordings and people; they name them and are no part of an atlas
    warnings : on the cohort as a whole; they name nobody
    """

    people: tuple[AggregatedFace, ...]
    trajectories: dict[str, dict[str, Trajectory]]
    unused: tuple[UnusedRecording, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def read_cohort(
    cohort: Cohort,
    template: Template,
    space: MotionSpace,
    *,
    biomarkers: Callable[[FaceSequence], np.ndarray] | None = None,
    least: int = LEAST_PEOPLE,
    progress: Callable[[int, int], None] | None = None,
) -> Reading:
    """Read a cohort whose recordings are all parameter files.

    biomarkers : gives a recording's biomarkers, (Q,), for `RecordingSummary.biomarkers`
    least : people who are not simulated that a group, and every time of a trajectory, needs
    progress : called with (people read, people)

    Raises
    ------
    InputError
        Parameters belong to another template, or a group is left with too few people.
    """
    units = template_units(template)
    sums = TrajectorySums()
    people: list[AggregatedFace] = []
    unused: list[UnusedRecording] = []
    for number, person in enumerate(cohort.people):
        summaries: list[RecordingSummary] = []
        courses: dict[str, list[np.ndarray]] = {}
        for recording in person.recordings:
            sequence = _load(person, recording, unused)
            if sequence is None:
                continue
            sequence.check_template(template)
            try:
                summaries.append(summarise(sequence, recording.stimulus, space, units, biomarkers))
            except InputError as error:
                unused.append(_unused(person, recording, error, sequence))
                continue
            courses.setdefault(summaries[-1].stimulus, []).append(course(sequence, space))
        if summaries:
            people.append(
                AggregatedFace(person.id, person.group, tuple(summaries), person.age, person.sex, person.extra)
            )
        for stimulus in courses.keys() - {UNKNOWN}:  # what was not before the same stimulus has no common course
            sums.add(person.group, stimulus, courses[stimulus])
        if progress:
            progress(number + 1, len(cohort.people))
    check_groups(people, least)
    exist = {person.group for person in people if not person.simulated}
    warnings = _uneven_stimuli(people)
    few = [r.frames_used for person in people for r in person.recordings if r.frames_used < FEW_FRAMES]
    if few:
        warnings.append(f"{len(few)} recordings have fewer than {FEW_FRAMES} usable frames, the shortest {min(few)}")
    kept = {person.id for person in people}
    notes = [recording.why for recording in unused]
    notes += [f"{p.id} has no usable recording and was left out" for p in cohort.people if p.id not in kept]
    trajectories = sums.trajectories({group: least for group in exist})
    return Reading(tuple(people), trajectories, tuple(unused), tuple(notes), tuple(warnings))


def _load(person: Participant, recording: Recording, unused: list[UnusedRecording]) -> FaceSequence | None:
    try:
        sequence = load(recording.path)
    except InputError as error:
        unused.append(_unused(person, recording, error))
        return None
    # the cohort's table may know it where the file does not
    return replace(sequence, simulated=True) if person.simulated else sequence


def _unused(
    person: Participant, recording: Recording, error: InputError, sequence: FaceSequence | None = None
) -> UnusedRecording:
    why = why_left_out(recording.path, error)
    if sequence is None:
        return UnusedRecording(person.id, person.group, 0, 0, {}, why)
    used = int(sequence.valid.sum())
    return UnusedRecording(person.id, person.group, len(sequence), used, left_out(sequence), why)


def _uneven_stimuli(people: Sequence[AggregatedFace]) -> list[str]:
    """Stimuli that some people lack: their means rest on fewer stimuli than the others'."""
    out = []
    for stimulus in sorted({s for person in people for s in person.stimuli}):
        lacking = Counter(person.group for person in people if stimulus not in person.stimuli)
        if lacking:
            counts = ", ".join(f"{n} of {group}" for group, n in sorted(lacking.items()))
            out.append(f"no recording of the stimulus {stimulus} from {counts}; their means rest on the others")
    return out
