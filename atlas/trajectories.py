"""Average trajectories: what a group's faces do over time before a stimulus, from the start of the recording.

Every person counts alike: a person's recordings before a stimulus are averaged first, and only what was seen is, time
by time. So a blink of one person is a ripple in the mean; what everyone does at the same time stands out. People are
taken up one at a time and not kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from atlas.motion import MotionSpace
from reconstruction.sequence import FaceSequence

RATE = 10.0  # times per second
LONGEST_S = 600.0  # of a recording, the first ten minutes are looked at
BRIDGED_S = 0.25  # no value is read between two valid frames farther apart than this, or than 1.5 frame intervals


@dataclass(frozen=True)
class Trajectory:
    """Mean motion of a group before a stimulus, at K times.

    time_s : (K,) float64, seconds since the recordings' start, `RATE` a second; up to the length that at least half of
        the people's recordings reach, without the times at which too few people were seen
    motion, sd : (K, M) float32, mean and standard deviation over people of the motion coefficients; no spread from one
        person is zero and says nothing
    people : (K,) int32, seen at each time
    """

    group: str
    stimulus: str
    time_s: np.ndarray
    motion: np.ndarray
    sd: np.ndarray
    people: np.ndarray


def course(sequence: FaceSequence, space: MotionSpace) -> np.ndarray:
    """(K, M) float32 motion at 0, 1 / `RATE`, ... seconds, linear between valid frames; NaN where none is near."""
    time, motion = sequence.time_s - sequence.time_s[0], space.vectors(sequence)
    wanted = np.arange(int(min(time[-1], LONGEST_S) * RATE + 1e-6) + 1) / RATE
    last = max(len(time) - 2, 0)
    before = np.clip(np.searchsorted(time, wanted, side="right") - 1, 0, last)
    after = np.minimum(before + 1, len(time) - 1)
    gap = time[after] - time[before]
    share = np.divide(wanted - time[before], gap, out=np.zeros_like(wanted), where=gap > 0).clip(0, 1)
    at, near = np.isclose(share, [[0], [1]]), gap <= max(BRIDGED_S, 1.5 / sequence.frame_rate)
    known = (sequence.valid[before] | at[1]) & (sequence.valid[after] | at[0]) & (near | at.any(0))
    part = share.astype(np.float32)[:, None]
    return np.where(known[:, None], (1 - part) * motion[before] + part * motion[after], np.float32(np.nan))


@dataclass
class _Running:
    """Welford's (1962) mean and sum of squares for each time, and how long people's recordings are."""

    people: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    lengths: list[int] = field(default_factory=list)

    def add(self, motion: np.ndarray) -> None:
        longer = len(motion) - len(self.people)
        if longer > 0:
            self.people = np.pad(self.people, (0, longer))
            self.mean = np.pad(self.mean, ((0, longer), (0, 0)))
            self.squares = np.pad(self.squares, ((0, longer), (0, 0)))
        seen = np.flatnonzero(np.isfinite(motion[:, 0]))
        self.people[seen] += 1
        away = motion[seen] - self.mean[seen]
        self.mean[seen] += away / self.people[seen, None]
        self.squares[seen] += away * (motion[seen] - self.mean[seen])
        self.lengths.append(len(motion))


class TrajectorySums:
    """Collects people's courses by group and stimulus."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], _Running] = {}

    def add(self, group: str, stimulus: str, courses: Sequence[np.ndarray]) -> None:
        """One person's recordings before a stimulus, each (K, M) as `course` gives it."""
        size = courses[0].shape[1]
        start = _Running(np.zeros(0, np.int32), np.zeros((0, size)), np.zeros((0, size)))
        self._running.setdefault((group, stimulus), start).add(_mean(courses))

    def trajectories(self, least: Mapping[str, int]) -> dict[str, dict[str, Trajectory]]:
        """{group: {stimulus: Trajectory}}.

        least : how many people of a group must be seen at a time; one of a group that is not named
        """
        out: dict[str, dict[str, Trajectory]] = {}
        for (group, stimulus), sums in sorted(self._running.items()):
            reached = sorted(sums.lengths, reverse=True)[(len(sums.lengths) - 1) // 2]
            kept = np.flatnonzero(sums.people[:reached] >= least.get(group, 1))
            if not len(kept):
                continue
            people = sums.people[kept]
            sd = np.sqrt(sums.squares[kept] / np.maximum(people - 1, 1)[:, None])
            mean = sums.mean[kept]
            out.setdefault(group, {})[stimulus] = Trajectory(
                group, stimulus, kept / RATE, mean.astype(np.float32), sd.astype(np.float32), people
            )
        return out


def _mean(courses: Sequence[np.ndarray]) -> np.ndarray:
    """(K, M) float64 mean at every time over the courses that know it; as long as the longest."""
    length = max(len(c) for c in courses)
    total, count = np.zeros((length, courses[0].shape[1])), np.zeros(length)
    for c in courses:
        known = np.isfinite(c[:, 0])
        total[: len(c)] += np.where(known[:, None], c, 0)
        count[: len(c)] += known
    return np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)
