"""Two occasions of every person, so that an attack can look for the one in the other.

Where at least half of the people were recorded in two sessions, an attacker's gallery is their first session and the
probe their second. Without sessions, every other stimulus stands for the other occasion; with one recording a person,
its second half does. These are of the same day, which makes the attack easier, and of other stimuli or shorter, which
makes it harder: only sessions give an honest figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from atlas.cohort import Recording

SESSIONS, STIMULI, HALVES = "sessions", "stimuli", "halves of recordings"
GALLERY, PROBE, NEITHER, BOTH = 0, 1, -1, 2
_WHAT = {
    SESSIONS: "gallery: first session; probe: second session",
    STIMULI: "only one session: gallery: recordings before every other stimulus; probe: those before the others",
    HALVES: "only one session and stimulus: gallery: first half of every recording; probe: its second half",
}


class Recorded(Protocol):
    """A person; sessions : their names, in order, the empty one where recordings have none"""

    @property
    def recordings(self) -> tuple[Recording, ...]: ...

    @property
    def sessions(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Occasions:
    """kind : `SESSIONS`, `STIMULI` or `HALVES`
    sides : {recording's path: `GALLERY`, `PROBE`, `NEITHER` or, of halves, `BOTH`}
    """

    kind: str
    sides: dict[Path, int]

    @property
    def description(self) -> str:
        return _WHAT[self.kind]


@dataclass(frozen=True)
class Rows:
    """Values of recordings, or of halves of them.

    person, stimulus : (R,) int, numbers of the person and of the stimulus
    side : (R,) int, as in `Occasions.sides`
    values : (R, F) float64, NaN where unknown
    """

    person: np.ndarray
    stimulus: np.ndarray
    side: np.ndarray
    values: np.ndarray

    def cube(self, people: int, stimuli: int, side: int | None = None) -> np.ndarray:
        """(N, Q, F) mean of a person's rows before a stimulus, of one side or of all; NaN where there is none."""
        use = np.ones(len(self.side), bool) if side is None else self.side == side
        where, values = (self.person[use], self.stimulus[use]), self.values[use]
        known = np.isfinite(values)
        total = np.zeros((people, stimuli, self.values.shape[1]))
        count = np.zeros_like(total)
        np.add.at(total, where, np.where(known, values, 0))
        np.add.at(count, where, known)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def occasions(people: Sequence[Recorded]) -> Occasions:
    """How the recordings of people are best parted."""
    if 2 * sum(len(person.sessions) > 1 for person in people) >= len(people):
        sides = {
            r.path: {name: i for i, name in enumerate(person.sessions[:2])}.get(r.session or "", NEITHER)
            for person in people
            for r in person.recordings
        }
        return Occasions(SESSIONS, sides)
    every = [r for person in people for r in person.recordings]
    stimuli = sorted({r.stimulus or "" for r in every})
    if 2 * sum(len({r.stimulus for r in person.recordings}) > 1 for person in people) >= len(people):
        return Occasions(STIMULI, {r.path: stimuli.index(r.stimulus or "") % 2 for r in every})
    return Occasions(HALVES, {r.path: BOTH for r in every})


def flat(cube: np.ndarray, kind: str) -> np.ndarray:
    """(N, D): what an attacker compares of standardised values (N, Q, F): every stimulus by itself where both sides
    have the same ones, their mean where they have not.
    """
    if kind != STIMULI:
        return cube.reshape(len(cube), -1)
    known = np.isfinite(cube)
    count = known.sum(1)
    return np.where(count > 0, np.where(known, cube, 0).sum(1) / np.maximum(count, 1), np.nan)
