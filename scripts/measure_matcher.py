"""How good the matcher is on simulated people, beside the best possible and beside plain classifiers.

Writes OUT/pool/ (features of simulated people), OUT/matcher.json and OUT/matcher.md. What is there already is not made
again: a run that was stopped goes on. Everything is measured on people the matcher did not learn from.

    python scripts/measure_matcher.py            # minutes
    python scripts/measure_matcher.py --full     # more people, more draws
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from atlas.aggregation import feature_names, summarise, template_units
from atlas.augmentation import Augmentation
from atlas.baselines import BASELINES
from atlas.encoder import FittedEncoder, Task, fit_encoders
from atlas.features import FeatureTable, named_features
from atlas.matcher import COVERAGE, fit_matchers
from atlas.motion import motion_space
from atlas.parallel import run_all
from atlas.simulation import STIMULI, load_effects, simulate_people, simulate_recording
from atlas.simulation.bayes import bayes_accuracy, observed, posterior
from atlas.simulation.effects import NONE, REFERENCE_GROUP
from atlas.training import Training
from reconstruction.storage import write_atomically
from reconstruction.template import load_template

SECONDS, FPS = 10.0, 25.0
CHUNK = 300  # people simulated in one go
SIZES = (30, 100)  # people of a group to learn from
GROUPS = ("BD", "HC", "MDD")
STIMULI_SORTED = tuple(sorted(STIMULI))
OPTIONS = {  # of training, each against none
    "gated pooling of stimuli": Training(attention=True),
    "copies mirrored": Training(augmentation=Augmentation(1, mirror=True)),
    "copies time-warped by 10 %": Training(augmentation=Augmentation(1, warp=0.1)),
    "copies without 40 % of stimuli": Training(augmentation=Augmentation(1, drop=0.4)),
    "copies with noise of 0.3 SD": Training(augmentation=Augmentation(1, noise=0.3)),
    "rank regularisation": Training(rank=True),
    "rank regularisation and relabelling": Training(rank=True, relabel=True),
}
TO_THE_END = Training(early_stopping=False)
MISLABELLED = 0.1  # share of people whose group is wrong, where relabelling is tried
TARGETS = {30: 0.85, 100: 0.95}  # of the Bayes accuracy
CONFOUND = 1.5  # standard deviations of a shape component that a group's training people differ by


def effects() -> dict[str, dict[str, dict[str, float]]]:
    """Planted effects by label, the smallest first, and none."""
    base = load_effects("default")
    with resources.as_file(resources.files("atlas.effects").joinpath("demonstration.yaml")) as path:
        largest = load_effects(path)
    scaled = {f"default × {f:g}": {g: {q: f * d for q, d in e.items()} for g, e in base.items()} for f in (0.5, 0.75)}
    more = {"default × 1.5": {g: {q: 1.5 * d for q, d in e.items()} for g, e in base.items()}}
    return {**scaled, "default": base, **more, "demonstration": largest, "none": NONE}


def simulate_chunk(path: Path, planted: dict[str, dict[str, float]], seed: int) -> None:
    """Features and shape of `CHUNK` simulated people."""
    template = load_template()
    space, units = motion_space(template), template_units(template)
    people = simulate_people(CHUNK, planted, seed, template)
    rows = [
        [
            summarise(simulate_recording(p, s, SECONDS, FPS, 0, template), s, space, units).features
            for s in STIMULI_SORTED
        ]
        for p in people
    ]
    writing = path.with_suffix(".writing.npz")
    np.savez(
        writing,
        features=np.array(rows),
        shape=np.array([p.shape for p in people]),
        group=np.array([GROUPS.index(p.group) for p in people]),
    )
    writing.rename(path)


class Population:
    """Simulated people of one strength of effects, their features, and what the Bayes-optimal decision makes of them.

    table : (P, Q + 1, F); shape : (P, S); labels : (P,); bayes_right : (P,) bool
    """

    def __init__(self, label: str, planted: dict[str, dict[str, float]], paths: list[Path]):
        template = load_template()
        names = feature_names(motion_space(template), template_units(template))
        chunks = [dict(np.load(path)) for path in paths]
        features, self.shape, self.labels = (
            np.concatenate([chunk[key] for chunk in chunks]) for key in ("features", "shape", "group")
        )
        unknown = np.full((len(features), 1, len(names)), np.nan)
        self.label, self.planted = label, planted
        self.table = FeatureTable(names, STIMULI_SORTED, np.concatenate([features, unknown], 1))
        chances = posterior(observed(self.table, SECONDS), planted)
        order = np.array([GROUPS.index(g) for g in (*planted, REFERENCE_GROUP)])
        self.bayes_right = order[chances.argmax(1)] == self.labels

    def draw(self, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """People to learn from, `size` of every group, and all others."""
        rng = np.random.default_rng([seed, size])
        some = [rng.permutation(np.flatnonzero(self.labels == g))[:size] for g in range(len(GROUPS))]
        learnt = np.concatenate(some)
        return learnt, np.setdiff1d(np.arange(len(self.labels)), learnt)

    def with_shape(self, shape: np.ndarray, kind: str) -> FeatureTable:
        """The table with shape coefficients (P, S) as features."""
        names = named_features(self.table.names, shape.shape[1], kind)
        repeated = np.repeat(shape[:, None], self.table.values.shape[1], 1)
        repeated[:, -1] = np.nan
        expression = self.table.values if kind != "shape" else self.table.values[..., :0]
        return FeatureTable(names, self.table.stimuli, np.concatenate([expression, repeated], 2))


def taken(table: FeatureTable, people: np.ndarray) -> FeatureTable:
    """The table of some people."""
    return FeatureTable(table.names, table.stimuli, table.values[people])


def fitted(table: FeatureTable, labels: np.ndarray, training: Training | None = None) -> FittedEncoder:
    """An encoder of all these people."""
    task = Task(labels, np.ones(len(labels), bool))
    return fit_encoders(table, [task], len(GROUPS), 0, training or Training())[0]


def right(encoder: FittedEncoder, table: FeatureTable, labels: np.ndarray) -> float:
    """Share of people whose nearest standard face is their group's."""
    return float((encoder.cosines(encoder.scaler.z(table)).argmax(1) == labels).mean())


def against_bayes(population: Population, size: int, draw: int) -> dict[str, float]:
    """Accuracies on the people not learnt from, and the share whose own group is in the matcher's prediction set."""
    learnt, others = population.draw(size, draw)
    train, test = taken(population.table, learnt), taken(population.table, others)
    labels, truth = population.labels[learnt], population.labels[others]
    everyone = np.ones(len(labels), bool)
    matcher = fit_matchers(train, labels, GROUPS, [everyone], COVERAGE)[0]
    cosines = matcher.encoder.cosines(matcher.encoder.scaler.z(test))
    sets = matcher.whole.sets(matcher.whole.probabilities(cosines))
    row = {
        "bayes": float(population.bayes_right[others].mean()),
        "matcher": float((cosines.argmax(1) == truth).mean()),
        "covered": float(sets[np.arange(len(truth)), truth].mean()),
    }
    for name, make in BASELINES.items():
        model = make(names=train.names, stimuli=train.stimuli).fit(train.matrix(), labels)
        row[name] = float((model.predict(test.matrix()) == truth).mean())
    return row


def with_options(population: Population, size: int, draw: int) -> dict[str, float]:
    """Accuracy with every option of training, and with none; of relabelling also where groups are partly wrong."""
    learnt, others = population.draw(size, 100 + draw)
    train, test = taken(population.table, learnt), taken(population.table, others)
    labels, truth = population.labels[learnt], population.labels[others]
    row = {"none": right(fitted(train, labels), test, truth)}
    row["none, trained to the end"] = right(fitted(train, labels, TO_THE_END), test, truth)
    for name, option in OPTIONS.items():
        row[name] = right(fitted(train, labels, option), test, truth)
        row[f"{name}, to the end"] = right(fitted(train, labels, replace(option, early_stopping=False)), test, truth)
    rng = np.random.default_rng(draw)
    wrong = np.where(
        rng.uniform(size=len(labels)) < MISLABELLED, (labels + rng.integers(1, 3, len(labels))) % 3, labels
    )
    row["10 % mislabelled: none"] = right(fitted(train, wrong), test, truth)
    relabelling = OPTIONS["rank regularisation and relabelling"]
    row["10 % mislabelled: relabelling"] = right(fitted(train, wrong, relabelling), test, truth)
    row["10 % mislabelled: relabelling, to the end"] = right(
        fitted(train, wrong, replace(relabelling, early_stopping=False)), test, truth
    )
    return row


def identity(population: Population, size: int, draw: int) -> dict[str, float]:
    """Accuracy on new people where, in training and among them, MDD differs in a shape component, by what is matched;
    ``new people without it`` : the confound was in the training people alone.
    """
    learnt, others = population.draw(size, 200 + draw)
    confounded = population.shape.copy()
    confounded[population.labels == GROUPS.index("MDD"), 0] += CONFOUND
    labels, truth = population.labels[learnt], population.labels[others]
    row = {}
    for kind in ("expression", "shape", "both"):
        tables = {
            name: population.table if kind == "expression" else population.with_shape(shape, kind)
            for name, shape in (("with it", confounded), ("without it", population.shape))
        }
        encoder = fitted(taken(tables["with it"], learnt), labels)
        for name, table in tables.items():
            row[f"{kind}, new people {name}"] = right(encoder, taken(table, others), truth)
    plain = fitted(taken(population.table, learnt), labels)
    row["expression, nothing confounded"] = right(plain, taken(population.table, others), truth)
    return row


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Everything, resuming from OUT/matcher.json."""
    results = given.out / "matcher.json"
    document: dict[str, Any] = {}
    if results.is_file():
        document = json.loads(results.read_text("utf-8"))

    def once(key: str, work: Callable[[], Any]) -> Any:
        if key not in document:
            started = time.process_time()
            document[key] = work()
            write_atomically(results, (json.dumps(document, indent=1) + "\n").encode())
            print(f"{key}: {time.process_time() - started:.0f} s of processor", flush=True)
        return document[key]

    planted = {k: v for k, v in effects().items() if not given.effects or k in given.effects}
    for label, plan in planted.items():
        paths = [given.out / "pool" / f"{label.replace(' ', '')}-{k}.npz" for k in range(given.chunks)]
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        run_all(
            simulate_chunk, [(p, plan, given.seed + k) for k, p in enumerate(paths) if not p.is_file()], given.workers
        )
        print(f"{label}: {len(paths) * CHUNK} people simulated", flush=True)
        one = Population(label, plan, paths)
        if label != "none":
            once(f"bayes|{label}", lambda p=plan: vars(bayes_accuracy(p, seconds=SECONDS, people=given.bayes_people)))
            once(f"bayes on recordings|{label}", lambda o=one: float(o.bayes_right.mean()))
        for size in SIZES:
            for draw in range(given.draws):
                if label != "none":
                    once(
                        f"accuracy|{label}|{size}|{draw}",
                        lambda o=one, s=size, d=draw: against_bayes(o, s, d),
                    )
                if label in given.options_at and draw < given.option_draws:
                    once(f"options|{label}|{size}|{draw}", lambda o=one, s=size, d=draw: with_options(o, s, d))
                if label in ("none", "default") and draw < given.option_draws:
                    once(f"identity|{label}|{size}|{draw}", lambda o=one, s=size, d=draw: identity(o, s, d))
    return document


def rows_of(document: dict[str, Any], kind: str, label: str, size: int) -> list[dict[str, float]]:
    start = f"{kind}|{label}|{size}|"
    return [row for key, row in document.items() if key.startswith(start)]


def told(values: list[float], percent: float = 100, sign: str = "") -> str:
    """Mean and half of the 95 % interval over draws."""
    array = percent * np.array(values)
    half = 1.96 * array.std(ddof=1) / len(array) ** 0.5 if len(array) > 1 else float("nan")
    return f"{array.mean():{sign}.1f} ± {half:.1f}"


def tables(document: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"Simulated people; accuracy in % on people not learnt from, mean over draws and 95 % interval. {SECONDS:g} s "
        f"before each of {len(STIMULI)} stimuli; chance 33.3.",
        "",
        "| effects | a group | Bayes, model | Bayes, same recordings | matcher | of Bayes | asked for | "
        f"sets of {100 * COVERAGE:g} % hold | " + " | ".join(BASELINES) + " |",
        "|---" * (8 + len(BASELINES)) + "|",
    ]
    for label in effects():
        for size in SIZES:
            rows = rows_of(document, "accuracy", label, size)
            if not rows:
                continue
            best = document[f"bayes|{label}"]
            cells = [
                label,
                str(size),
                f"{100 * best['accuracy']:.1f} ({100 * best['low']:.1f} to {100 * best['high']:.1f})",
                told([r["bayes"] for r in rows]),
                told([r["matcher"] for r in rows]),
                told([r["matcher"] / r["bayes"] for r in rows]),
                f"{100 * TARGETS[size]:.0f}",
                told([r["covered"] for r in rows]),
            ]
            cells += [told([r[name] for r in rows]) for name in BASELINES]
            lines.append(f"| {' | '.join(cells)} |")
    for kind, words, base in (
        ("options", "option of training: accuracy minus that without it", "none"),
        ("identity", "MDD confounded with a shape component: accuracy", None),
    ):
        columns = [(label, size) for label in effects() for size in SIZES if rows_of(document, kind, label, size)]
        if not columns:
            continue
        lines += ["", f"| {words} | {' | '.join(f'{label}, {size} a group' for label, size in columns)} |"]
        lines.append("|---" * (1 + len(columns)) + "|")
        for name in rows_of(document, kind, *columns[0])[0]:
            if name == base:
                continue
            against = "10 % mislabelled: none" if name.startswith("10 % mislabelled: relabelling") else base
            cells = []
            for label, size in columns:
                rows = rows_of(document, kind, label, size)
                values = [r[name] - (r[against] if against else 0) for r in rows]
                cells.append(told(values, sign="+" if against else ""))
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/matcher"))
    parser.add_argument("--full", action="store_true", help="3,000 people of each strength, 20 draws")
    parser.add_argument("--seed", type=int, default=1000, help="of the first people; the constants were chosen at 1000")
    parser.add_argument("--effects", nargs="*", help="labels of the effects to measure; all without")
    parser.add_argument("--options-at", nargs="*", default=["default"], help="effects at which options are tried")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    settings = {"chunks": 4, "draws": 8, "option_draws": 4, "bayes_people": 5000}
    if given.full:
        settings |= {"chunks": 10, "draws": 20, "option_draws": 20, "bayes_people": 20_000}
    document = measure(argparse.Namespace(**vars(given), **settings))
    text = tables(document)
    write_atomically(given.out / "matcher.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
