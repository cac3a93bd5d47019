"""A cohort's recordings, each read once: what of it leaves, what an attacker computes of that."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from atlas.aggregation import MIN_FRAMES, UNKNOWN, template_units
from atlas.bids.names import recording_path
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.parallel import run_all
from atlas.sharing.occasions import BOTH, GALLERY, HALVES, PROBE, Occasions, Rows
from atlas.sharing.people import FEWEST_ALIKE, Chosen
from atlas.sharing.sequences import attack_features, halves, motion_only, traceless
from atlas.sharing.tables import coefficient_quantities, coefficients
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence, load, save
from reconstruction.template import Template, load_template

MANY = 100  # recordings from which processes share the work
_STIMULUS = re.compile(r"[A-Za-z]{1,20}[0-9]{0,2}")  # a word; no date fits


@dataclass(frozen=True)
class SharedRecording:
    """path : in the cohort; person, stimulus : numbers; session, run : as they are told, from 1
    place : in the share, named after BIDS; days : since the person's first session, None where it is not told
    """

    path: Path
    person: int
    stimulus: int
    session: int
    run: int
    place: Path = Path()
    days: int | None = None


@dataclass(frozen=True)
class Plan:
    """recordings : that leave; stimuli : their names
    left_out : recordings whose stimulus is no plain word or has too few people
    """

    recordings: tuple[SharedRecording, ...]
    stimuli: tuple[str, ...]
    left_out: int


def plan(chosen: Chosen) -> Plan:
    """Which recordings leave, and as what. Sessions are counted: their names may be dates. A stimulus leaves that
    `FEWEST_ALIKE` people have, or all.
    """
    people: Counter[str] = Counter()
    for person in chosen.people:
        people.update({r.stimulus or UNKNOWN for r in person.recordings})
    enough = min(FEWEST_ALIKE, len(chosen.people))
    stimuli = tuple(sorted(s for s, n in people.items() if n >= enough and _STIMULUS.fullmatch(s)))
    out, left = [], 0
    for number, person in enumerate(chosen.people):
        runs: Counter[tuple[int, str]] = Counter()
        for recording in person.recordings:
            stimulus = recording.stimulus or UNKNOWN
            if stimulus not in stimuli:
                left += 1
                continue
            session = 1 + person.sessions.index(recording.session or "")
            runs[session, stimulus] += 1
            run = runs[session, stimulus]
            days = person.days.get(recording.session or "")
            out.append(SharedRecording(recording.path, number, stimuli.index(stimulus), session, run, days=days))
    if not out:
        raise InputError(
            "expected recordings of stimuli that several people have, named by a word as in task-anger, but found "
            "none; rename them."
        )
    several = Counter((r.person, r.session, r.stimulus) for r in out)
    sessions_told = any(r.session > 1 for r in out)
    placed = []
    for r in out:
        told = str(r.session) if sessions_told else None
        again = r.run if several[r.person, r.session, r.stimulus] > 1 else None
        placed.append(
            replace(r, place=recording_path(chosen.people[r.person].pseudonym, told, stimuli[r.stimulus], again))
        )
    return Plan(tuple(placed), stimuli, left)


@dataclass(frozen=True)
class Read:
    """recordings : that could be used, a row each of `values` (R, F); unusable : how many could not
    compared : rows with sides, for the attack: those recordings, or their halves
    """

    recordings: tuple[SharedRecording, ...]
    values: np.ndarray
    compared: Rows
    unusable: int

    @property
    def rows(self) -> Rows:
        who = np.array([r.person for r in self.recordings])
        return Rows(who, np.array([r.stimulus for r in self.recordings]), np.zeros(len(who), int), self.values)

    @property
    def cells(self) -> np.ndarray:
        """(R,) number of each recording's session, stimulus and run."""
        told = np.array([(r.session, r.stimulus, r.run) for r in self.recordings])
        return np.unique(told, axis=0, return_inverse=True)[1].reshape(-1)


def read_recordings(
    planned: Plan,
    chosen: Chosen,
    occasions: Occasions,
    level: str,
    template: str,
    folder: Path,
    workers: int | None = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Read:
    """Read every recording once; at the levels motion and full what leaves is written below `folder` on the way.

    workers : processes, see `atlas.parallel.run_all`; few recordings are read in this one

    Raises
    ------
    InputError
        Parameters belong to another template, or none can be used.
    """
    jobs = [
        (
            recording.path, level, template, chosen.people[recording.person].source.simulated,
            occasions.kind == HALVES, folder / recording.place if level != "summary" else None,
        )
        for recording in planned.recordings
    ]  # fmt: skip
    tell = (lambda done, of: progress("reading", done, of)) if progress else None
    done = run_all(read_one, jobs, workers if len(jobs) >= MANY else 1, tell)
    used = [(recording, values) for recording, values in zip(planned.recordings, done, strict=True) if values]
    if not used:
        least = 2 * MIN_FRAMES if occasions.kind == HALVES else MIN_FRAMES
        raise InputError(
            f"expected recordings of at least {least} trustworthy frames to share and to audit, but none has so many; "
            "use longer or better ones."
        )
    person, stimulus, side, values = [], [], [], []
    for recording, found in used:
        own = occasions.sides[recording.path]
        for part, row in zip((GALLERY, PROBE) if own == BOTH else (own,), found[1:] or found, strict=True):
            person.append(recording.person)
            stimulus.append(recording.stimulus)
            side.append(part)
            values.append(row)
    compared = Rows(np.array(person), np.array(stimulus), np.array(side), np.stack(values))
    whole = np.stack([found[0] for _, found in used])
    return Read(tuple(recording for recording, _ in used), whole, compared, len(done) - len(used))


def read_one(
    path: Path, level: str, template: str, simulated: bool, halved: bool, target: Path | None
) -> list[np.ndarray]:
    """Values (F,) of a recording, and where `halved` those of its two halves behind it; nothing of one that cannot be
    used.
    """
    head, parts = prepared_template(template)
    try:
        sequence = load(path)
    except InputError:
        return []
    sequence.check_template(head)
    if simulated:
        sequence = replace(sequence, simulated=True)
    if level != "summary":
        sequence = motion_only(sequence) if level == "motion" else traceless(sequence)
    pieces = [sequence, *(halves(sequence) if halved else ())]
    if min(int(piece.valid.sum()) for piece in pieces) < MIN_FRAMES:
        return []
    values = [_values(piece, level, head, parts) for piece in pieces]
    if target is not None:
        save(sequence, target)
    return values


def summary_quantities(template: str) -> tuple[tuple[Quantity, ...], tuple[Quantity, ...]]:
    """Biomarkers, and statistics of coefficients: the columns of a summary."""
    parts = prepared_template(template)[1]
    return parts.quantities, coefficient_quantities(parts.space)


def _values(sequence: FaceSequence, level: str, head: Template, parts: FaceParts) -> np.ndarray:
    if level == "summary":
        return np.concatenate([recording_biomarkers(sequence, parts), coefficients(sequence, parts.space)])
    return attack_features(sequence, parts.space, template_units(head))


def template_of(chosen: Chosen) -> str:
    """The template that the first recording's parameters name."""
    return load(chosen.people[0].recordings[0].path).template


@lru_cache(maxsize=2)
def prepared_template(template: str) -> tuple[Template, FaceParts]:
    """A template, and what measures biomarkers with it; takes a second, once."""
    head = load_template(template)
    return head, face_parts(head)
