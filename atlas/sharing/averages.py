"""The level group: averages of at least k people, of each group over all stimuli and before every one.

Two averages whose people differ by fewer than k would tell of these by their difference, and so would some combination
of several averages. So people who lack a stimulus that nearly all of their group have take no part, and `check_sets`
refuses what remains, within a release and against earlier ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.biomarkers.table import known_mean
from atlas.moments import Moments
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.storage import read_arrays, take, write_arrays

FILE, KIND, VERSION = "group-averages.safetensors", "group-averages", 1

Members = Mapping[tuple[str, str | None], frozenset[str]]  # {(group, stimulus): people of an average}


@dataclass(frozen=True)
class Average:
    """Of one group, over all stimuli (None) or before one.

    members : ids; they stay here
    shape, shape_sd (S,), motion, motion_sd (M,), biomarkers, biomarkers_sd (Q,) : mean and standard deviation over
        people, as `atlas.standard_faces` has them with equal weights; standard deviations and biomarkers are NaN where
        they do not leave, because noise was bought for the means alone
    """

    group: str
    stimulus: str | None
    members: frozenset[str]
    shape: np.ndarray
    shape_sd: np.ndarray
    motion: np.ndarray
    motion_sd: np.ndarray
    biomarkers: np.ndarray
    biomarkers_sd: np.ndarray


def group_averages(people: Sequence[AggregatedFace], least: int) -> tuple[tuple[Average, ...], dict[str, int]]:
    """All averages that rest on `least` people or more and do not tell of fewer by their difference, and how many
    people were left out of each group's.

    Raises
    ------
    InputError
        No group has as many people.
    """
    out: list[Average] = []
    left: dict[str, int] = {}
    for group in sorted({person.group for person in people}):
        members = [person for person in people if person.group == group]
        kept = _with_common_stimuli(members, least)
        if len(kept) < len(members):
            left[group] = len(members) - len(kept)
        if not kept:
            continue
        for stimulus in (None, *sorted({s for person in kept for s in person.stimuli})):
            of = [p for p in kept if stimulus is None or stimulus in p.stimuli]
            if len(of) >= least:
                out.append(_average(group, stimulus, of))
    if not out:
        raise InputError(
            f"expected at least {least} people in a group to average, but no group has so many who were recorded "
            "before the same stimuli; add people or merge groups."
        )
    return tuple(out), left


def members_of(averages: Sequence[Average]) -> Members:
    return {(average.group, average.stimulus): average.members for average in averages}


def told_apart(sets: Sequence[frozenset[str]], least: int) -> int:
    """The fewest people that averages over these sets tell of, if fewer than `least`; else 0.

    Pairs: people in one of two sets and not in the other. Combinations: people who are in the same sets form a cell;
    a linear combination of the averages gives a cell's own sum where its indicator lies in the row space of the sets'
    indicators.
    """
    sets = list(dict.fromkeys(sets))
    found = [len(a ^ b) for i, a in enumerate(sets) for b in sets[:i] if len(a ^ b) < least]
    cells: dict[tuple[bool, ...], int] = {}
    for person in set().union(*sets):
        pattern = tuple(person in one for one in sets)
        cells[pattern] = cells.get(pattern, 0) + 1
    rows = np.array(list(cells), float).reshape(len(cells), -1)  # (cells, sets)
    for number, size in enumerate(cells.values()):
        if size < least:
            wanted = np.eye(len(cells))[number]
            weights = np.linalg.lstsq(rows, wanted, rcond=None)[0]
            if np.allclose(rows @ weights, wanted, atol=1e-8):
                found.append(size)
    return min(found, default=0)


def save_averages(averages: Sequence[Average], space: MotionSpace, header: dict[str, Any], path: Path) -> Path:
    """Write the averages to one safetensors file, a row each. header : template, statement and the like."""
    size = min(len(averages[0].shape), 10**6)
    arrays = {
        name: np.stack([getattr(a, name) for a in averages]).astype(np.float32)
        for name in ("shape", "shape_sd", "motion", "motion_sd")
        if np.isfinite(getattr(averages[0], name)).all()
    }
    rows = [{"group": a.group, "stimulus": a.stimulus, "people": len(a.members)} for a in averages]
    about = {**header, "averages": rows, "motion_names": list(space.names), "shape_components": size}
    write_arrays(path, KIND, VERSION, arrays, about)
    return path


@dataclass(frozen=True)
class EarlierAverage:
    """One average of an earlier release: who was in it is not told."""

    group: str
    stimulus: str | None
    people: int
    shape: np.ndarray


def load_averages(path: Path) -> tuple[tuple[EarlierAverage, ...], bool]:
    """The averages in a file of `save_averages`, and whether differential privacy blurs them."""
    arrays, header = read_arrays(path, KIND, VERSION)
    rows = header.get("averages", [])
    shapes = take(arrays, "shape", (len(rows), None), path)
    try:
        found = tuple(
            EarlierAverage(str(row["group"]), row["stimulus"], int(row["people"]), shape)
            for row, shape in zip(rows, shapes, strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"expected group, stimulus and people of every average in {path}, but one lacks {error}; pass a release."
        ) from error
    return found, header.get("epsilon") is not None


def _with_common_stimuli(members: Sequence[AggregatedFace], least: int) -> list[AggregatedFace]:
    """Members of a group without those who lack a stimulus that all but fewer than `least` have; nobody where too few
    are left.
    """
    kept = list(members)
    while len(kept) >= least:
        stimuli = {s for person in kept for s in person.stimuli}
        lacking = {s: [p for p in kept if s not in p.stimuli] for s in stimuli}
        drop = {p.id for s, of in lacking.items() if len(of) < least <= len(kept) - len(of) for p in of}
        if not drop:
            return kept
        kept = [person for person in kept if person.id not in drop]
    return []


def _average(group: str, stimulus: str | None, people: Sequence[AggregatedFace]) -> Average:
    shape = Moments.of(np.stack([person.shape for person in people]))
    motion = Moments.of(np.stack([person.motion(stimulus) for person in people]))
    measured = np.stack([_biomarkers(person, stimulus) for person in people])
    known = np.isfinite(measured).all(0)  # a mean over some would tell of those who lack it
    values = Moments.of(np.where(known, measured, 0.0))
    return Average(
        group, stimulus, frozenset(person.id for person in people),
        shape.mean, shape.sd, motion.mean, motion.sd,
        np.where(known, values.mean, np.nan), np.where(known, values.sd, np.nan),
    )  # fmt: skip


def _biomarkers(person: AggregatedFace, stimulus: str | None) -> np.ndarray:
    """(Q,) mean over the stimuli, or before one, of a person's recordings."""
    of = person.stimuli if stimulus is None else (stimulus,)
    by_stimulus = [known_mean(np.stack([r.biomarkers for r in person.recordings if r.stimulus == s]), 0) for s in of]
    return known_mean(np.stack(by_stimulus), 0)
