"""Do the matcher's claims hold: prediction sets, probabilities, refusals, on people who were never in the cohort.

usage: python scripts/measure_calibration.py [--out outputs/calibration] [--null 25] [--planted 10] [--simulated 3]

Writes OUT/calibration.json and calibration.md; about eight minutes of one processor.

Cohorts of 30 and 100 a group, two and three groups, are drawn as feature tables from a Gaussian model (six common
factors over 68 features of three stimuli, every group after the first differing by d in eight features), `null` of each
kind without any difference and `planted` for every d; and `simulated` ones of `face-atlas simulate`'s people, once
without effects and once with those of the demonstration. A matcher learnt from a cohort is asked about new people:

covered : share whose own group is in the prediction set, to be COVERAGE; by group, the farthest from it; by one
    stimulus; and, beside it, what the encoder's own inner folds with one limit for all groups would give
ece : expected calibration error, ten equal bins, on as many new people as the cohort has; in range : share of cohorts
    whose ECE lies within the central 95 % of what labels drawn from the matcher's own probabilities give
sure - right : mean probability of the likeliest group less the share right
refused : share beyond the limit of novelty, to be 1 %
frames : how far pooled features (standard deviations, root mean square) and the nearest group move when every second
    or fourth frame of the new people is left out: what a refusal for the frame rate is about
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from atlas.aggregation import RecordingSummary, feature_names, summarise, template_units
from atlas.biomarkers.recording import window
from atlas.calibration import calibrate, softmax
from atlas.classifier import FaceMatcher
from atlas.features import FeatureTable, feature_table, pooled_z
from atlas.motion import motion_space
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.template import load_template

COVERAGE = 0.9
STIMULI = ("anger", "happiness", "neutral")
NAMES = (
    *(f"{kind} c{i}" for kind in ("level", "spread", "speed") for i in range(20)),
    *("AU01", "AU02", "AU04", "AU12", "AU15", "AU45", "blink_rate", "head_speed"),
)
FACTORS, DIFFER, NEW = 6, 8, 200
SIZES, GROUPS, EFFECTS = (30, 100), (2, 3), (0.3, 0.6, 1.0)
SECONDS, FPS, SIMULATED_NEW = 10.0, 20.0, 150
DRAWS = 200

Cohort = tuple[FeatureTable, np.ndarray]


def gaussian(each: int, groups: int, d: float, seed: int) -> Cohort:
    """A cohort of the Gaussian model, whose parameters are the same for every seed."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    size = len(NAMES)
    loadings, stimuli = 0.6 * fixed.normal(size=(FACTORS, size)), fixed.normal(size=(len(STIMULI), size))
    means = np.zeros((groups, size))
    for g in range(1, groups):
        means[g, fixed.choice(size, DIFFER, replace=False)] = d * fixed.choice([-1, 1], DIFFER)
    labels = np.repeat(np.arange(groups), each)
    person = rng.normal(size=(len(labels), FACTORS)) @ loadings + 0.8 * rng.normal(size=(len(labels), size))
    values = np.full((len(labels), len(STIMULI) + 1, size), np.nan)
    own = 0.7 * rng.normal(size=(len(labels), len(STIMULI), size))
    values[:, :-1] = (person + means[labels])[:, None] + stimuli + own
    return FeatureTable(NAMES, STIMULI, values), labels


class Simulation:
    """Cohorts of simulated people, from recordings of the template's parameters."""

    def __init__(self) -> None:
        self.template = load_template()
        self.space = motion_space(self.template)
        self.units = template_units(self.template)
        self.names = feature_names(self.space, self.units)

    def cohort(self, people: int, effects: Any, seed: int, every: int = 1) -> Cohort:
        made = simulate_people(people, effects, seed, self.template)
        groups = sorted({p.group for p in made})
        recorded = [[self._summary(p, s, seed, every) for s in STIMULI] for p in made]
        return feature_table(recorded, self.names, STIMULI), np.array([groups.index(p.group) for p in made])

    def _summary(self, person: Any, stimulus: str, seed: int, every: int) -> RecordingSummary:
        film: FaceSequence = simulate_recording(person, stimulus, SECONDS, FPS, seed, self.template)
        if every > 1:
            film = replace(window(film, np.arange(len(film)) % every == 0), frame_rate=film.frame_rate / every)
        return summarise(film, stimulus, self.space, self.units)


def ece(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of the likeliest group, bins of equal numbers of people (Naeini et al. 2015)."""
    sure, right = probabilities.max(1), probabilities.argmax(1) == labels
    parts = np.array_split(np.argsort(sure, kind="stable"), bins)
    return float(sum(abs(sure[p].mean() - right[p].mean()) * len(p) for p in parts if len(p)) / len(sure))


def perfect(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(DRAWS,) ECE of labels drawn from the probabilities themselves."""
    drawn = (rng.random((DRAWS, len(probabilities), 1)) > probabilities.cumsum(1)[None]).sum(2)
    return np.array([ece(probabilities, np.minimum(labels, probabilities.shape[1] - 1)) for labels in drawn])


def measure(cohort: Cohort, new: Cohort, seed: int) -> dict[str, Any]:
    (table, labels), (others, truth) = cohort, new
    matcher = FaceMatcher(table.names, table.stimuli, coverage=COVERAGE).fit(table.matrix(), labels)
    groups = len(matcher.classes_)
    X, rng = others.matrix(), np.random.default_rng(seed)
    chances, sets = matcher.predict_proba(X), matcher.prediction_sets(X)
    own = sets[np.arange(len(truth)), truth]
    single, owner = others.single()
    alone = matcher.prediction_sets(single.matrix())[np.arange(len(owner)), truth[owner]]
    encoder = matcher.matcher_.encoder
    inner = calibrate(encoder.held_people, labels, np.arange(len(labels)), np.ones(len(labels)), COVERAGE, 0.99)
    missed = 1 - softmax(encoder.held_people / inner.temperature)[np.arange(len(labels)), labels]
    then = 1 - softmax(matcher.similarities(X) / inner.temperature)[np.arange(len(truth)), truth]
    few = rng.permutation(len(truth))[: len(labels)]
    calibrated = perfect(chances[few], rng)
    low, high = np.quantile(calibrated, [0.025, 0.975])
    told = ece(chances[few], truth[few])
    return {
        "accuracy": float((chances.argmax(1) == truth).mean()),
        "covered": float(np.mean([own[truth == g].mean() for g in range(groups)])),
        "covered_by_group": [float(own[truth == g].mean()) for g in range(groups)],
        "covered_alone": float(alone.mean()),
        "covered_by_inner_folds": float((then <= np.quantile(missed, COVERAGE)).mean()),
        "inconclusive": float((sets.sum(1) != 1).mean()),
        "ece": told,
        "ece_perfect": float(calibrated.mean()),
        "ece_in_range": bool(low <= told <= high),
        "ece_not_above": bool(told <= high),
        "sure_less_right": float(chances.max(1).mean() - (chances.argmax(1) == truth).mean()),
        "refused": float(matcher.refused(X).mean()),
    }


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over cohorts, and the standard error of the coverage."""
    out = {name: np.mean([row[name] for row in rows], axis=0).tolist() for name in rows[0]}
    return out | {"cohorts": len(rows), "covered_se": float(np.std([r["covered"] for r in rows]) / len(rows) ** 0.5)}


def kinds(null: int, planted: int) -> Iterator[tuple[str, int, Callable[[int], tuple[Cohort, Cohort]]]]:
    for each in SIZES:
        for groups in GROUPS:
            for d in (0.0, *EFFECTS):
                name = f"{groups} groups of {each}, d = {d:g}"

                def draw(seed: int, each: int = each, groups: int = groups, d: float = d) -> tuple[Cohort, Cohort]:
                    return gaussian(each, groups, d, seed), gaussian(NEW, groups, d, 10_000 + seed)

                yield name, planted if d else null, draw


def frames(simulation: Simulation, cohort: Cohort, effects: Any, seed: int) -> list[dict[str, float]]:
    table, labels = cohort
    matcher = FaceMatcher(table.names, table.stimuli).fit(table.matrix(), labels)
    scaler = matcher.scaler_
    people = [simulation.cohort(30, effects, 900 + seed, every)[0] for every in (1, 2, 4)]
    pooled = [pooled_z(scaler.z(p)) for p in people]
    nearest = [matcher.predict(p.matrix()) for p in people]
    return [
        {
            "fps": FPS / every,
            "moved": float(np.sqrt(((pooled[i] - pooled[0]) ** 2).mean())),
            "nearest_changed": float((nearest[i] != nearest[0]).mean()),
            "refused_for_novelty": float(matcher.refused(people[i].matrix()).mean()),
        }
        for i, every in enumerate((1, 2, 4))
    ]


HEAD = (
    "| cohorts | n | accuracy | covered (SE) | by group | one stimulus | inner folds, one limit | inconclusive | ECE "
    "(perfect) | in range | not above | sure - right | refused |\n" + 13 * "|---" + "|\n"
)


def row(name: str, r: dict[str, Any]) -> str:
    groups = ", ".join(f"{v:.3f}" for v in r["covered_by_group"])
    return (
        f"| {name} | {r['cohorts']} | {r['accuracy']:.3f} | {r['covered']:.3f} ({r['covered_se']:.3f}) | {groups} | "
        f"{r['covered_alone']:.3f} | {r['covered_by_inner_folds']:.3f} | {r['inconclusive']:.3f} | {r['ece']:.3f} "
        f"({r['ece_perfect']:.3f}) | {r['ece_in_range']:.2f} | {r['ece_not_above']:.2f} | "
        f"{r['sure_less_right']:+.3f} | {r['refused']:.3f} |\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/calibration"))
    parser.add_argument("--null", type=int, default=25)
    parser.add_argument("--planted", type=int, default=10)
    parser.add_argument("--simulated", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    for name, cohorts, draw in kinds(given.null, given.planted):
        found[name] = summed([measure(*draw(seed), seed) for seed in range(cohorts)])
        print(row(name, found[name]), end="", flush=True)
    rates = []
    if given.simulated:
        simulation = Simulation()
        for name, effects in (("none", "none"), ("demonstration", "atlas/effects/demonstration.yaml")):
            new = simulation.cohort(SIMULATED_NEW, effects, 77)
            cohorts = [simulation.cohort(90, effects, seed) for seed in range(given.simulated)]
            label = f"simulated people, effects {name}, 90 people"
            found[label] = summed([measure(cohort, new, seed) for seed, cohort in enumerate(cohorts)])
            print(row(label, found[label]), end="", flush=True)
        rates = frames(simulation, cohorts[0], effects, 0)
        print(*rates, sep="\n")
    given.out.mkdir(parents=True, exist_ok=True)
    document = {"statement": STATEMENT, "simulated": True, "coverage": COVERAGE, "cohorts": found, "frame_rates": rates}
    (given.out / "calibration.json").write_text(json.dumps(document, indent=2) + "\n")
    (given.out / "calibration.md").write_text(HEAD + "".join(row(name, r) for name, r in found.items()))


if __name__ == "__main__":
    main()
