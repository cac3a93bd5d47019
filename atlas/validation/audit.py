"""The leakage audit: what would let a matcher be right for the wrong reason, looked for before anything is trained.

A finding either refuses the run or warns, by thresholds that are stated here:

- ``person``: rows of one person on both sides of a fold. Refuses.
- ``duplicate``: the same parameters under two participants. Refuses; twice under one participant warns.
- ``near-duplicate``: under two participants, two recordings' courses correlate by `ALIKE` or more, or two faces are
  closer than `CLOSE` of the median distance between two people's recordings. Refuses.
- any identifier or circumstance (`atlas.validation.nuisances`), by its name: refuses where it goes with the groups by
  Cramér's V of `STRONG` or more at a corrected p below `ALPHA`, warns below that strength. Age and sex, which a face
  shows by rights, and the site where whole sites are held out, warn at most.

What refuses can be allowed by name, knowingly; the finding stays in the report.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.validation.nuisances import Association, associations, nuisances_of
from atlas.validation.splits import SITE, Samples, Split
from atlas.validation.traits import NUMBERS, SKETCH
from reconstruction.sequence import STATEMENT

REFUSE, WARN = "refuse", "warning"
ALIKE = 0.92  # correlation of two recordings' courses; of two people's before one stimulus, 0.83 at most in 60
CLOSE = 0.25  # distance of two faces, of the median distance
STRONG, ALPHA = 0.5, 0.01
SHOWN = 10  # people named in audit.json for a finding


@dataclass(frozen=True)
class Finding:
    """check : its name, which ``--allow`` takes; severity : `REFUSE` or `WARN`
    message, remedy : sentences that name nobody
    who : participants it is about, for the audit's own file
    allowed : asked to go on all the same
    """

    check: str
    severity: str
    message: str
    remedy: str
    who: tuple[str, ...] = ()
    allowed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Without the people it is about."""
        told = {"check": self.check, "severity": self.severity, "message": self.message, "remedy": self.remedy}
        return {**told, "allowed": self.allowed}


@dataclass(frozen=True)
class Audit:
    """associations : of every identifier and circumstance tested, found or not; checks : what was looked at."""

    findings: tuple[Finding, ...]
    associations: tuple[Association, ...]
    checks: tuple[str, ...]

    @property
    def refused(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == REFUSE and not f.allowed)

    def to_json(self) -> dict[str, Any]:
        """The audit's own file: who it is about is in it, so it is personal data."""
        findings = [{**f.to_json(), "participants": list(f.who[:SHOWN])} for f in self.findings]
        return {
            "statement": STATEMENT,
            "refused": bool(self.refused),
            "findings": findings,
            "tested": [association_json(a) for a in self.associations],
            "checks": list(self.checks),
        }


def association_json(found: Association) -> dict[str, Any]:
    """What is told of an association, tested and found or not."""
    return {"name": found.name, "strength": round(found.strength, 3), "p": round(found.p, 4), "people": found.people}


def audit_cohort(
    people: Sequence[AggregatedFace],
    samples: Samples,
    split: Split,
    *,
    order: Sequence[str] = (),
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    seed: int = 0,
) -> Audit:
    """Look for leaks between the folds of `split`.

    people : P, whom `samples.owner` numbers
    order : ids as participants.tsv lists them; columns : further columns of it to test
    allow : checks by name that shall not refuse
    """
    labels = np.array([samples.groups.index(person.group) for person in people])
    tested = associations(nuisances_of(people, order, columns), labels, seed=seed)
    checks = ["one person on both sides of a fold", "the same parameters twice"]
    findings = [*_people_on_both_sides(people, samples, split), *_duplicates(people)]
    faces = _alike_faces(people)
    checks.append("faces of two people closer than a quarter of the median distance")
    if _traits_known(people):
        checks.append("recordings of two people whose courses are alike")
        faces += _alike_courses(people)
    findings += faces
    findings += [finding for found in tested if (finding := _association(found, split)) is not None]
    checks += [f"{found.name} with the group" for found in tested]
    findings = [replace(f, allowed=f.severity == REFUSE and f.check in allow) for f in findings]
    return Audit(tuple(findings), tested, tuple(checks))


def _people_on_both_sides(people: Sequence[AggregatedFace], samples: Samples, split: Split) -> list[Finding]:
    torn: set[int] = set()
    for fold in split.folds:
        torn |= set(samples.owner[fold.train]) & set(samples.owner[fold.test])
    if not torn:
        return []
    return [
        Finding(
            "person",
            REFUSE,
            f"{len(torn)} of {len(people)} people are on both sides of a fold: the matcher is asked about people it "
            "has learnt by heart.",
            "split by person, so that all of a person's frames and recordings are held out together.",
            tuple(people[i].id for i in sorted(torn)),
        )
    ]


def _duplicates(people: Sequence[AggregatedFace]) -> list[Finding]:
    owners: dict[str, list[str]] = defaultdict(list)
    for person in people:
        for recording in person.recordings:
            owners[recording.digest].append(person.id)
    shared = sorted({one for found in owners.values() if len(set(found)) > 1 for one in found})
    twice = sorted({one for found in owners.values() for one in found if found.count(one) > 1})
    out = []
    if shared:
        out.append(
            Finding(
                "duplicate",
                REFUSE,
                f"{len(shared)} people share a recording with another: the same parameters are there under two "
                "participants, one of whom may be held out while the other is learnt from.",
                "remove the copies, or list the person once.",
                tuple(shared),
            )
        )
    if twice:
        out.append(
            Finding(
                "duplicate",
                WARN,
                f"{len(twice)} people have the same recording twice, under two stimuli or runs.",
                "keep one of them, under the stimulus it was made before.",
                tuple(twice),
            )
        )
    return out


def _alike_faces(people: Sequence[AggregatedFace]) -> list[Finding]:
    """Recordings of two participants whose shapes are far closer than two people's are."""
    owner, digests = _recordings(people)
    shapes = np.stack([r.shape for person in people for r in person.recordings])
    squares = (shapes**2).sum(1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * shapes @ shapes.T, 0))
    typical = float(np.median(distance[owner[:, None] != owner]))
    if typical < 1e-6:  # no identity in these parameters
        return []
    pairs = _pairs(distance < CLOSE * typical, owner, digests)
    return _near(people, pairs, f"faces lie within {CLOSE:g} of the median distance between two people")


def _alike_courses(people: Sequence[AggregatedFace]) -> list[Finding]:
    """Recordings of two participants that move alike at all times."""
    owner, digests = _recordings(people)
    courses = np.array([r.biomarkers[-SKETCH:] for person in people for r in person.recordings])
    pairs = _pairs(courses @ courses.T >= ALIKE, owner, digests)
    return _near(people, pairs, f"recordings move alike throughout (correlation {ALIKE:g} or more)")


def _recordings(people: Sequence[AggregatedFace]) -> tuple[np.ndarray, np.ndarray]:
    """(R,) whose recording it is, and (R,) its digest."""
    owner = np.array([i for i, person in enumerate(people) for _ in person.recordings])
    return owner, np.array([r.digest for person in people for r in person.recordings])


def _pairs(alike: np.ndarray, owner: np.ndarray, digests: np.ndarray) -> list[tuple[int, int]]:
    """Two people each, of recordings (R, R) that are alike; those that share a recording are told as duplicates."""
    shared = {(a, b) for a, b in owner[np.argwhere(digests[:, None] == digests)].tolist() if a != b}
    found = np.argwhere(np.triu(alike & (owner[:, None] != owner), 1))
    return sorted({(min(a, b), max(a, b)) for a, b in owner[found].tolist()} - shared)


def _near(people: Sequence[AggregatedFace], pairs: Sequence[tuple[int, int]], why: str) -> list[Finding]:
    if not pairs:
        return []
    who = sorted({people[i].id for pair in pairs for i in pair})
    count = "1 pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
    return [
        Finding(
            "near-duplicate",
            REFUSE,
            f"{count} of participants may be one person: their {why}.",
            "list the person once, or remove the copy; identical twins and the like can be allowed.",
            tuple(who),
        )
    ]


def _traits_known(people: Sequence[AggregatedFace]) -> bool:
    length = len(NUMBERS) + 1 + SKETCH
    return all(len(r.biomarkers) == length for person in people for r in person.recordings)


def _association(found: Association, split: Split) -> Finding | None:
    if found.p >= ALPHA:
        return None
    held_out = split.kind == SITE and found.name == "site"
    strong = found.strength >= STRONG and not found.confounder and not held_out
    told = f"{found.name} goes with the group (Cramér's V {found.strength:.2f}, corrected p {found.p:.3f})"
    if found.confounder:
        remedy = "match or post-stratify the groups, and read the subgroups: a face shows age and sex."
    elif held_out:
        remedy = "whole sites are held out, so it cannot help a match; read the results by site."
    else:
        remedy = (
            "record every group alike and number people without their group; where that is past, hold out whole sites "
            "or take a part of the cohort in which it does not differ."
        )
    meaning = "" if found.confounder or held_out else ": it may tell the groups apart without a face"
    return Finding(found.name, REFUSE if strong else WARN, f"{told}{meaning}.", remedy)
