"""How often the alarms of `face-atlas monitor` go off on whole simulated matches, with and without a change.

usage: python scripts/measure_monitor.py [--out outputs/monitor] [--atlases 40] [--people 60] [--streams 1]
       [--stream 40] [--pool 180] [--seconds 8]

Writes OUT/monitor.json and monitor.md. A pool of simulated people of MDD, BD and HC is made once, of three stimuli, in
two versions: as they are, and with their expressions recovered at 80 %, as another camera or fit might. Every atlas is
built from people drawn from the pool, its streams from those who are left, in random order; matches are made as `match`
makes them and monitored as `monitor` does. Beside each rate stand what `monitor` itself states, the mean over streams.

no change : people like the atlas's. weaker : everybody's expressions at 80 %. weaker from the middle on : the later
half's. wrong outcomes : of three people in ten the outcome names another group.
"""

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace, feature_names, summarise, template_units
from atlas.evaluation import evaluate, wilson
from atlas.excess import held_out_excess
from atlas.features import feature_table, stimuli_of
from atlas.inputs import input_references
from atlas.matcher import fit_matcher
from atlas.monitoring import Entry, Stream, monitor
from atlas.monitoring.stream import entry_of
from atlas.motion import motion_space
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.template import load_template

STIMULI = ("happiness", "anger", "neutral")
WEAKER = 0.8
CASES = ("no change", "weaker", "weaker from the middle on", "wrong outcomes")
WRONG = 0.3
DRAWS = 50  # simulated streams on which every monitoring measures its own rates


def make_pool(people: int, seconds: float, seed: int) -> list[tuple[AggregatedFace, AggregatedFace]]:
    """Every person as they are, and weaker."""
    template = load_template()
    space, units = motion_space(template), template_units(template)
    out = []
    for person in simulate_people(people, "default", seed, template):
        films = [(s, simulate_recording(person, s, seconds, 15, seed, template)) for s in STIMULI]
        weak = [(s, replace(f, expression=f.expression * np.float32(WEAKER))) for s, f in films]
        both = [
            AggregatedFace(person.id, person.group, tuple(summarise(f, s, space, units) for s, f in some),
                           float(person.age), person.sex)
            for some in (films, weak)
        ]  # fmt: skip
        out.append((both[0], both[1]))
    return out


def small_atlas(people: list[AggregatedFace], seed: int) -> Any:
    """What `monitor` looks at of an atlas, without faces, overlays and statistics."""
    template = load_template()
    names, stimuli = feature_names(motion_space(template), template_units(template)), stimuli_of(people)
    table = feature_table([p.recordings for p in people], names, stimuli)
    labels = [p.group for p in people]
    groups = tuple(sorted(set(labels)))
    evaluation = evaluate(table, labels, [p.id for p in people], permutations=0, seed=seed)
    matcher = fit_matcher(table, labels, simulated=True, seed=seed)
    return SimpleNamespace(
        groups=groups,
        stimuli=stimuli,
        matcher=matcher,
        inputs=input_references(matcher, people),
        held_out_excess=held_out_excess(evaluation, groups),
        simulated=True,
    )


def matched(atlas: Any, person: AggregatedFace) -> Entry:
    return entry_of(atlas.matcher.match(person.recordings, person.id, person.id).to_json(), atlas.groups)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path("outputs/monitor"))
    for name, default in (("atlases", 40), ("people", 60), ("streams", 1), ("stream", 40), ("pool", 180)):
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--seconds", type=float, default=8)
    given = options.parse_args()
    pool = make_pool(given.pool, given.seconds, 11)
    fired: dict[str, dict[str, list[bool]]] = {case: {} for case in CASES}
    stated: dict[str, list[float]] = {}
    for number in range(given.atlases):
        rng = np.random.default_rng(number)
        order = rng.permutation(len(pool))
        atlas = small_atlas([pool[i][0] for i in order[: given.people]], number)
        rest = order[given.people :]
        for _ in range(given.streams):
            drawn = rng.choice(rest, given.stream, replace=False)
            made = {i: [matched(atlas, version) for version in pool[i]] for i in drawn}
            later = np.arange(given.stream) >= given.stream // 2
            truth = {pool[i][0].id: pool[i][0].group for i in drawn}
            wrong = dict(truth)
            for i in rng.choice(drawn, round(WRONG * given.stream), replace=False):
                wrong[pool[i][0].id] = str(rng.choice([g for g in atlas.groups if g != pool[i][0].group]))
            sexes = {"sex": {pool[i][0].id: str(pool[i][0].sex) for i in drawn}}
            cases = {
                CASES[0]: ([made[i][0] for i in drawn], truth),
                CASES[1]: ([made[i][1] for i in drawn], truth),
                CASES[2]: ([made[i][int(late)] for i, late in zip(drawn, later, strict=True)], truth),
                CASES[3]: ([made[i][0] for i in drawn], wrong),
            }
            for case, (entries, outcomes) in cases.items():
                stream = Stream("0" * 64, {hashlib.sha256(case.encode()).hexdigest(): tuple(entries)})
                found = monitor(atlas, stream, outcomes=outcomes, known=sexes, seed=0, draws=DRAWS)
                for alarm in found.alarms:
                    fired[case].setdefault(alarm.name, []).append(alarm.fired)
                    if case == CASES[0] and alarm.false_alarms:
                        stated.setdefault(alarm.name, []).append(alarm.false_alarms.share)
        print(f"atlas {number + 1} of {given.atlases}", flush=True)
        write(given, number + 1, fired, stated)


def write(
    given: argparse.Namespace, atlases: int, fired: dict[str, dict[str, list[bool]]], stated: dict[str, list[float]]
) -> None:
    settings = {k: v for k, v in vars(given).items() if k != "out"} | {"atlases": atlases}
    rates: dict[str, dict[str, dict[str, float]]] = {}
    for case, alarms in fired.items():
        for name, went in alarms.items():
            low, high = wilson(sum(went), len(went))
            rates.setdefault(name, {})[case] = {"share": sum(went) / len(went), "low": low, "high": high}
    document = {"settings": settings, "simulated": True, "rates": rates,
                "stated": {name: float(np.mean(s)) for name, s in stated.items()}}  # fmt: skip
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "monitor.json").write_text(json.dumps(document, indent=2) + "\n")
    lines = ["| alarm | stated false alarms | " + " | ".join(CASES) + " |", "|---" * (2 + len(CASES)) + "|"]
    for name, of_case in rates.items():
        cells = [f"{100 * r['share']:.0f} % ({100 * r['low']:.0f} to {100 * r['high']:.0f})" for r in of_case.values()]
        lines.append(
            f"| {name} | {100 * document['stated'].get(name, float('nan')):.0f} % | " + " | ".join(cells) + " |"
        )
    (given.out / "monitor.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
