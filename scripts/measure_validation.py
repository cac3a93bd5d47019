"""What validation is worth: chance on cohorts without a difference, points that a split by frame fakes, and time.

    python scripts/measure_validation.py {null,frames,time} [--out FILE.json]

null : 100 cohorts of 60 simulated people, drawn from one pool of 150 without planted effects, who get groups by lot
    in every cohort (people are simulated once, cohorts overlap in people and not in groups): mean accuracy against
    chance, coverage of prediction sets, share of calibration errors inside the range of perfect calibration, findings
    of the audit.
frames : 36 simulated people without planted effects, every recording cut into 8 pieces: accuracy when the pieces of a
    person are spread over folds against whole people held out, for matcher and baselines; the audit's verdict.
time : nested validation of 353 people's features (158, 128, 67; random numbers, as time does not depend on them), in
    processor seconds and by the clock.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from atlas.aggregation import AggregatedFace, RecordingSummary, feature_names, summarise, template_units
from atlas.features import FeatureTable, feature_table
from atlas.motion import motion_space
from atlas.parallel import run_all
from atlas.simulation import simulate_people, simulate_recording
from atlas.simulation.recording import STIMULI
from atlas.validation import Samples, Settings, Split, audit_cohort, person_splitter, samples_of, validate
from atlas.validation.bayes import BestPossible
from atlas.validation.comparators import comparators
from atlas.validation.held_out import hold_out
from atlas.validation.intervals import mean
from atlas.validation.probabilities import calibration
from atlas.validation.splits import PERSON, Fold
from atlas.validation.traits import recording_traits
from atlas.validation.validation import matcher_for
from reconstruction.sequence import FaceSequence
from reconstruction.template import load_template

POOL, PEOPLE, COHORTS, PIECES = 150, 60, 100, 8
EMOFACE = {"MDD": 158, "BD": 128, "HC": 67}
UNKNOWN = BestPossible(float("nan"), float("nan"), float("nan"), "not asked for")


def simulated(
    people: int, seconds: float, fps: float, seed: int
) -> Iterator[tuple[AggregatedFace, list[FaceSequence]]]:
    """People without planted effects, and their recordings before every stimulus."""
    template = load_template()
    space, units = motion_space(template), template_units(template)
    for person in simulate_people(people, "none", seed, template):
        films = [simulate_recording(person, s, seconds, fps, seed, template) for s in STIMULI]
        summaries = tuple(
            summarise(film, s, space, units, recording_traits) for film, s in zip(films, STIMULI, strict=True)
        )
        yield AggregatedFace(person.id, person.group, summaries, float(person.age), person.sex), films


def null(cohorts: int) -> dict[str, object]:
    space, units = motion_space(load_template()), template_units(load_template())
    pool = [person for person, _ in simulated(POOL, 10, 10, 1)]
    names = feature_names(space, units)
    found = run_all(null_cohort, [(pool, names, number) for number in range(cohorts)], None, told)
    accuracy, coverage, inside, findings, logistic = map(np.array, zip(*found, strict=True))
    # cohorts share people, not groups: given the people, groups drawn by lot are independent
    return {
        "cohorts": cohorts, "people": PEOPLE, "chance": 1 / 3,
        "accuracy": mean(accuracy).to_json(), "logistic_accuracy": mean(logistic).to_json(),
        "coverage": mean(coverage).to_json(), "stated": 0.9,
        "ece_inside_perfect_range": float(inside.mean()),
        "audits_with_findings": int((findings > 0).sum()),
    }  # fmt: skip


def null_cohort(pool: list[AggregatedFace], names: tuple[str, ...], number: int) -> tuple[float, ...]:
    rng = np.random.default_rng([number, 1])
    groups = rng.permutation(np.repeat(["BD", "HC", "MDD"], PEOPLE // 3))
    drawn = sorted(rng.choice(len(pool), PEOPLE, replace=False))
    people = [replace(pool[i], group=str(group)) for i, group in zip(drawn, groups, strict=True)]
    samples = samples_of(people, feature_table([p.recordings for p in people], names, tuple(sorted(STIMULI))))
    split = person_splitter(5, seed=number)(samples)
    audit = audit_cohort(people, samples, split, order=[p.id for p in people], seed=number)
    matcher, logistic = matcher_for(samples.table, Settings(seed=number)), comparators(samples.table)["logistic"]
    held, other = hold_out({"matcher": (matcher, samples), "logistic": (logistic, samples)}, split, workers=1).values()
    assert held.sets is not None
    labels = samples.labels
    error = calibration(labels, held.adjusted, number)
    return (
        float((held.best[0] == labels).mean()),
        float(held.sets[0, np.arange(PEOPLE), labels].mean()),
        float(error.perfect_low <= error.ece <= error.perfect_high),
        len(audit.findings),
        float((other.best[0] == labels).mean()),
    )


def frames(people: int = 36) -> dict[str, object]:
    space, units = motion_space(load_template()), template_units(load_template())
    names, stimuli = feature_names(space, units), tuple(sorted(STIMULI))
    who, rows, owner = [], [], []
    for i, (person, films) in enumerate(simulated(people, 24, 10, 2)):
        who.append(person)
        for piece in range(PIECES):
            cut = [piece_of(film, piece) for film in films]
            rows.append([summarise(film, s, space, units) for film, s in zip(cut, STIMULI, strict=True)])
            owner.append(i)
    table = feature_table(rows, names, stimuli)
    whole = samples_of(who, table)  # only for the groups
    labels = np.array([whole.groups.index(who[i].group) for i in owner])
    samples = Samples(table, whole.groups, labels, np.array(owner))
    out: dict[str, object] = {"people": people, "pieces": len(samples), "chance": 1 / 3}
    for kind, split in (("by_person", person_splitter(5)(samples)), ("by_frame", by_frame(samples))):
        audit = audit_cohort(who, samples, split)
        out[kind] = {"refused": [f.check for f in audit.refused]}
        asked = {"matcher": matcher_for(table, Settings()), **comparators(table)}
        for name, held in hold_out({n: (one, samples) for n, one in asked.items()}, split, workers=1).items():
            out[kind][name] = float((held.best[0] == labels).mean())  # type: ignore[index]
    return out


def by_frame(samples: Samples, folds: int = 5) -> Split:
    """What must not be done: rows over folds, whoever they are of."""
    fold = np.random.default_rng(0).permutation(np.arange(len(samples)) % folds)
    return Split(PERSON, (tuple(Fold(f"fold {k + 1}", fold != k, fold == k) for k in range(folds)),))


def piece_of(film: FaceSequence, piece: int) -> FaceSequence:
    """One of `PIECES` stretches of a recording."""
    size = len(film) // PIECES
    part = slice(piece * size, (piece + 1) * size)
    fields = ("expression", "pose", "translation", "time_s", "valid", "quality", "reason")
    return replace(film, **{name: getattr(film, name)[part] for name in fields})


def timed(permutations: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    space, units = motion_space(load_template()), template_units(load_template())
    names, stimuli = feature_names(space, units), tuple(sorted(STIMULI))
    groups = np.repeat(list(EMOFACE), list(EMOFACE.values()))
    own = rng.normal(size=(len(groups), 1, len(names)))
    values = 0.7 * own + rng.normal(size=(len(groups), len(stimuli) + 1, len(names)))
    values[:, -1] = np.nan
    blank = RecordingSummary("neutral", 450, 450, np.zeros(1), np.zeros(1), np.zeros((1, 1)), np.zeros(1), "", True)
    people = [
        AggregatedFace(
            f"sub-{i:03d}", str(g), (replace(blank, shape=rng.normal(size=50), digest=f"{i:016d}"),), 40.0, "F"
        )
        for i, g in enumerate(rng.permutation(groups))
    ]
    samples = samples_of(people, FeatureTable(names, stimuli, values))
    split = person_splitter(5)(samples)
    audit = audit_cohort(people, samples, split)
    stages: dict[str, float] = {}

    def seen(stage: str, done: int, of: int) -> None:
        stages[stage] = round(time.perf_counter() - began, 1)

    with tempfile.TemporaryDirectory() as folder:
        began, before = time.perf_counter(), os.times()
        found = validate(people, samples, split, audit, Settings(permutations=permutations), best=UNKNOWN,
                         folder=Path(folder), progress=seen)  # fmt: skip
        after = os.times()
        clock = time.perf_counter() - began
    used = sum(after[:4]) - sum(before[:4])
    return {
        "people": len(people), "features": len(names), "permutations": permutations, "clock_s": round(clock, 1),
        "processor_s": round(used, 1), "processors": len(os.sched_getaffinity(0)), "stages_end_s": stages,
        "load_average": os.getloadavg()[0], "accuracy": found.result.accuracy.to_json(),
    }  # fmt: skip


def told(done: int, of: int) -> None:
    print(f"{done}/{of}", end="\r", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=("null", "frames", "time"))
    parser.add_argument("--cohorts", type=int, default=COHORTS)
    parser.add_argument("--permutations", type=int, default=99)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    work = {"null": lambda: null(options.cohorts), "frames": frames, "time": lambda: timed(options.permutations)}
    text = json.dumps(work[options.what](), indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
