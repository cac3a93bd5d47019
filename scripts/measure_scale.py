"""Time and memory of building an atlas at the scale of a published cohort: 353 people, five recordings of 450 frames.

usage: python scripts/measure_scale.py [--folder outputs/scale] [--people 353] [--frames 450] [--permutations 99]
                                        [--without-matcher]

Simulates a cohort, and one of half the frames, as parameter files unless they are there, and goes through the stages of
`face-atlas build` in a process of its own for each. Printed for every stage: processor seconds, seconds, and the peak
of resident memory so far; the ratio of the whole to half the frames, 2 where time is linear in them; and, taking turns
in one process, the ratio of the moments pass to reading the same files and summing what is in them. Linux.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from atlas.aggregation import AggregatedFace, feature_names, frame_moments, template_units
from atlas.biomarkers.recording import face_parts, recording_biomarkers
from atlas.biomarkers.table import biomarker_table
from atlas.cohort import Cohort, load_cohort
from atlas.evaluation import evaluate
from atlas.features import feature_table, stimuli_of
from atlas.matcher import fit_matcher
from atlas.moments import Moments
from atlas.motion import MotionSpace, motion_space
from atlas.overlay import REFERENCE, overlay_set
from atlas.reading import read_cohort
from atlas.simulation import simulate
from atlas.standard_faces import standard_faces
from atlas.statistics import PERMUTATIONS, compare, contrasts, people_of
from reconstruction.sequence import load
from reconstruction.template import Template, load_template

FPS = 5.0  # Emoface's
TURNS = 5
COMPARED = ("read and sum", "moments pass")


def peak_mb() -> float:
    """Of this process since it started."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit("expected Linux's /proc/self/status, which tells a process's peak memory.")
    return int(found[1]) / 1024


class Laps:
    """Seconds since the last lap, by name."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[float, float, float]] = {}
        self.start = time.process_time(), time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.process_time(), time.perf_counter()
        self.rows[name] = now[0] - self.start[0], now[1] - self.start[1], peak_mb()
        self.start = time.process_time(), time.perf_counter()

    def total(self) -> tuple[float, float]:
        """Processor seconds and seconds of all laps but those of the comparison."""
        rows = [row for name, row in self.rows.items() if name not in COMPARED]
        return sum(row[0] for row in rows), sum(row[1] for row in rows)


def read_and_sum(cohort: Cohort) -> None:
    """Every array of every file, summed over frames."""
    for recording in (r for person in cohort.people for r in person.recordings):
        for array in load_file(recording.path).values():
            array.sum(0, dtype=np.float64)


def moments_pass(cohort: Cohort, space: MotionSpace) -> dict[tuple[str, str | None], np.ndarray]:
    """{(group, stimulus): (V,) mm}: every file read and checked, mean and spread of the frames of every group and
    stimulus, in one pass.
    """
    sums: dict[tuple[str, str | None], Moments] = {}
    for person in cohort.people:
        for recording in person.recordings:
            sequence = load(recording.path)
            mean, covariance = frame_moments(sequence, space, space.vectors(sequence))
            key, moments = (person.group, recording.stimulus), Moments(1, 1, mean, covariance)
            sums[key] = sums[key] + moments if key in sums else moments
    return {key: space.rms_mm(moments.spread) for key, moments in sums.items()}


def measure(folder: Path, permutations: int, matcher: bool) -> None:
    """Go through the stages in this process; print what was measured as JSON."""
    head = load_template()
    space = motion_space(head)
    laps = Laps()
    cohort = load_cohort(folder)
    laps.lap("list the files")
    ratios = []
    for _ in range(TURNS):
        read_and_sum(cohort)
        laps.lap("read and sum")
        moments_pass(cohort, space)
        laps.lap("moments pass")
        ratios.append([laps.rows["moments pass"][i] / laps.rows["read and sum"][i] for i in (0, 1)])
    parts = face_parts(head)
    reading = read_cohort(cohort, head, space, biomarkers=lambda sequence: recording_biomarkers(sequence, parts))
    laps.lap("read, aggregate, biomarkers")
    standard_faces(reading.people, head, space)
    laps.lap("standard faces")
    known, settings = people_of(cohort), {"permutations": PERMUTATIONS, "seed": 0}
    overlay_set(reading.people, space, head, REFERENCE, known=known, **settings)
    laps.lap(f"overlays and their statistics, {PERMUTATIONS} permutations")
    biomarkers = biomarker_table(reading.people, parts.quantities)
    compare(biomarkers, known, contrasts(cohort.groups, REFERENCE), reliability={}, **settings)
    laps.lap(f"statistics of biomarkers, {PERMUTATIONS} permutations")
    required = laps.total()
    if matcher:
        measure_matcher(reading.people, head, space, permutations, laps)
    print(json.dumps({"laps": laps.rows, "required": required, "ratio": np.median(ratios, axis=0).tolist()}))


def measure_matcher(
    people: Sequence[AggregatedFace], head: Template, space: MotionSpace, permutations: int, laps: Laps
) -> None:
    labels = [person.group for person in people]
    names = feature_names(space, template_units(head))
    table = feature_table([p.recordings for p in people], names, stimuli_of(people))
    fit_matcher(table, labels)
    laps.lap("fit the matcher")
    evaluate(table, labels, [person.id for person in people], permutations=permutations)
    laps.lap(f"evaluate, {permutations} shuffles")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("outputs/scale"))
    parser.add_argument("--people", type=int, default=353)
    parser.add_argument("--frames", type=int, default=450)
    parser.add_argument("--permutations", type=int, default=99)
    parser.add_argument("--without-matcher", action="store_true", help="neither fit nor evaluate it, the longest part")
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stages:
        measure(arguments.stages, arguments.permutations, not arguments.without_matcher)
        return
    results = []
    for frames in (arguments.frames // 2, arguments.frames):
        cohort = arguments.folder / f"{arguments.people}-people-{frames}-frames"
        if not cohort.is_dir():
            simulate(cohort, arguments.people, frames / FPS, seed=1, fps=FPS, workers=None)
        command = [sys.executable, __file__, "--stages", str(cohort), "--permutations", str(arguments.permutations)]
        command += ["--without-matcher"] * arguments.without_matcher
        as_the_command = {"OPENBLAS_NUM_THREADS": "1", **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, env=as_the_command)
        if done.returncode:
            raise SystemExit(done.stderr)
        results.append(json.loads(done.stdout.splitlines()[-1]))
    half, whole = results
    print(f"{arguments.people} simulated people, recordings of {arguments.frames} frames\n")
    print("| stage | processor, s | clock, s | peak, MB | against half the frames |\n|---|---|---|---|---|")
    for name, (processor, clock, peak) in whole["laps"].items():
        ratio = processor / half["laps"][name][0]
        print(f"| {name} | {processor:.2f} | {clock:.2f} | {peak:.0f} | {ratio:.2f} |")
    processor, clock = whole["required"]
    print(f"| biomarkers, standard faces and statistics together | {processor:.1f} | {clock:.1f} | | |")
    print(f"\nmoments pass against read and sum: {whole['ratio'][0]:.2f} (clock {whole['ratio'][1]:.2f})")


if __name__ == "__main__":
    main()
