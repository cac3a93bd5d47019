"""What each sharing level costs and what it hides, on simulated people in two sessions.

Simulates a cohort (200 people, two sessions, five stimuli), shares it at every level and prints tables: how often the
release audit's attacks find a person again; how far biomarkers and matching suffer; the whole trade-off between number
of biomarkers, noise and re-identification, also as a picture; three ways of drawing noise beside each other; and the
differencing attack on two successive averages, against a naive tool and against this one.

Simulated people's levels differ and persist as was invented for them (`atlas.simulation.people.DAY_TO_DAY`): how
recognisable they are says little about real ones, for whom the audit of one's own cohort is the figure to trust.

    python scripts/measure_sharing.py --out outputs/sharing
"""

import argparse
import csv
import json
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.bids.names import recording_path
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.cohort import load_cohort
from atlas.evaluation import evaluate
from atlas.features import FeatureTable, feature_table, stimuli_of
from atlas.motion import face_mask, motion_space, vertex_areas
from atlas.parallel import run_all
from atlas.reading import read_cohort
from atlas.sharing import Settings, share
from atlas.sharing.audit import Comparison
from atlas.sharing.averages import Average, group_averages
from atlas.sharing.field_sets import field_sets, noise_at_cost
from atlas.sharing.ledger import Ledger, differencing
from atlas.sharing.occasions import occasions
from atlas.sharing.people import choose_people
from atlas.sharing.privacy import private_average
from atlas.sharing.reading import plan, read_recordings, summary_quantities
from atlas.sharing.summary import Scale, blurred, correlated_noise, cost
from atlas.simulation import simulate
from reconstruction.sequence import load
from reconstruction.template import Template, load_template

NOISES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
LEVELS = ("full", "motion", "summary", "group")
SETS = ("core:1", "core:2", "core:3", "core:4", "core:6", "core:8", "core:12", "units", "all")
DRAWS = 6
LIMIT = 0.05
EVERY = 5  # recordings of which one is measured again
CLOSE = 0.1  # standard deviations over people: a biomarker that differs by less is kept


def make_cohort(folder: Path, people: int, seconds: float, seed: int) -> Path:
    """The simulated cohort, with everybody's consent."""
    if not folder.is_dir():
        simulate(folder, people, seconds, "default", False, seed, sessions=2, workers=None)
        table = folder / "participants.tsv"
        first, *rows = table.read_text("utf-8").splitlines()
        table.write_text("\n".join([f"{first}\tconsent_share", *(f"{row}\tyes" for row in rows)]) + "\n", "utf-8")
    return folder


class Values:
    """Statistics of the cohort's recordings as measured, standardised and parted for the attack."""

    def __init__(self, folder: Path, seed: int):
        cohort = load_cohort(folder, least=0)
        self.chosen = choose_people(cohort, np.random.default_rng(seed), columns=())
        self.planned = plan(self.chosen)
        parted = occasions([p.recordings for p in self.chosen.people])
        self.read = read_recordings(self.planned, self.chosen, parted, "summary", "atlas-head", folder, None)
        biomarkers, statistics = summary_quantities("atlas-head")
        self.biomarkers = [q.name for q in biomarkers]
        self.names = [*self.biomarkers, *(q.name for q in statistics)]
        self.sets = {s.name: s for s in field_sets(biomarkers, [q.name for q in statistics])}
        shape = len(self.chosen.people), len(self.planned.stimuli)
        self.scale = Scale.of(self.read.rows.cube(*shape))
        self.own = self.scale.z(self.read.rows.cube(*shape))
        self.comparison = Comparison.of(self.read.compared, self.scale, shape[1], parted, self.chosen)

    @property
    def varying(self) -> int:
        """Biomarkers in which people differ at all."""
        return int((self.scale.sd[:, : len(self.biomarkers)] > 0).any(0).sum())

    def trade_off(self, rng: np.random.Generator) -> list[dict]:
        """Top-1 and cost of every set with every noise."""
        out = []
        for name in SETS:
            columns = [self.names.index(f) for f in self.sets[name].fields]
            for sd in NOISES:
                made = [self._one(columns, sd, rng) for _ in range(DRAWS if sd else 1)]
                top1, error, r = np.mean(made, 0)
                out.append({"set": name, "noise": sd, "top1": top1, "error": error, "r": r})
            print(name, [round(float(row["top1"]), 3) for row in out[-len(NOISES) :]], flush=True)
        return out

    def _one(self, columns: list[int], sd: float, rng: np.random.Generator) -> tuple[float, float, float]:
        noise = correlated_noise(self.own[:, :, columns], sd, rng)
        rows = self.read.rows
        scale = Scale(self.scale.mean[:, columns], self.scale.sd[:, columns])
        measured = rows.values[:, columns]
        z = scale.z(measured, rows.stimulus)
        paid = cost(blurred(z, noise[rows.person, rows.stimulus], scale, rows.stimulus), measured, scale, rows.stimulus)
        return self.comparison.attack(noise, columns)[0].top1, paid.error, paid.correlation

    def choices(self, trade_off: list[dict], rng: np.random.Generator) -> list[dict]:
        """Every set with as much noise as brings top-1 to the limit, and what the matcher makes of it."""
        groups = [person.group for person in self.chosen.people]
        out = []
        for name in SETS:
            found = [(row["top1"], row["noise"]) for row in trade_off if row["set"] == name]
            if min(found)[0] > LIMIT:
                continue  # not with as much noise as was tried
            top1, noises = np.array(found[::-1]).T
            sd = 0.0 if found[0][0] <= LIMIT else float(np.interp(LIMIT, np.maximum.accumulate(top1), noises))
            columns = [self.names.index(f) for f in self.sets[name].fields]
            scale = Scale(self.scale.mean[:, columns], self.scale.sd[:, columns])
            hits = []
            for _ in range(2 if sd else 1):
                cube = blurred(self.own[:, :, columns], correlated_noise(self.own[:, :, columns], sd, rng), scale)
                unknown = np.full((len(groups), 1, len(columns)), np.nan)
                table = FeatureTable(self.sets[name].fields, self.planned.stimuli, np.concatenate([cube, unknown], 1))
                hits.append(matching(table, groups)[0])
            clean = np.concatenate([blurred(self.own[:, :, columns], np.zeros_like(cube), scale), unknown], 1)
            without = matching(FeatureTable(self.sets[name].fields, self.planned.stimuli, clean), groups)[0]
            out.append(
                {"set": name, "noise": sd, "r": 1 / np.sqrt(1 + sd**2), "match": np.mean(hits), "clean": without}
            )
            print(out[-1], flush=True)
        return out

    def mechanisms(self, rng: np.random.Generator) -> list[dict]:
        """Top-1 of three ways of drawing noise of the same standard deviation."""
        out = []
        for name in ("core:12", "units", "all"):
            columns = [self.names.index(f) for f in self.sets[name].fields]
            own = self.own[:, :, columns]
            people, stimuli, fields = own.shape
            for sd in (0.5, 1.0, 2.0):
                ways = {
                    "as values correlate": lambda own=own, sd=sd: correlated_noise(own, sd, rng),
                    "one draw a person and biomarker": lambda n=people, q=stimuli, f=fields, sd=sd: np.repeat(
                        rng.normal(0, sd, (n, 1, f)), q, 1
                    ),
                    "one draw a value": lambda shape=own.shape, sd=sd: rng.normal(0, sd, shape),
                }
                top1 = {
                    way: float(np.mean([self.comparison.attack(draw(), columns)[0].top1 for _ in range(3)]))
                    for way, draw in ways.items()
                }
                out.append({"set": name, "noise": sd, **top1})
        return out


def matching(table: FeatureTable, groups: Sequence[str]) -> tuple[float, float, float]:
    """Cross-validated accuracy of the matcher, with its interval."""
    made = evaluate(table, groups, [str(i) for i in range(len(table))], permutations=0)
    return made.accuracy, *made.accuracy_interval


@lru_cache(maxsize=4)
def aggregated(folder: Path) -> tuple[tuple[AggregatedFace, ...], FeatureTable]:
    """People of a cohort, and the matcher's features of them."""
    template = load_template()
    space = motion_space(template)
    people = read_cohort(load_cohort(folder, least=0), template, space, least=0).people
    names = feature_names(space, template_units(template))
    return people, feature_table([p.recordings for p in people], names, stimuli_of(people))


def table_of_summary(path: Path, order: Sequence[str]) -> FeatureTable:
    """recordings.tsv as the matcher's features, people in the order of `order`."""
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    names = tuple(list(rows[0])[5:])
    stimuli = tuple(sorted({row["task"] for row in rows}))
    sums = np.zeros((len(order), len(stimuli) + 1, len(names)))
    count = np.zeros((len(order), len(stimuli) + 1, 1))
    for row in rows:
        place = order.index(row["participant_id"]), stimuli.index(row["task"])
        sums[place] += [float(row[name]) for name in names]
        count[place] += 1
    return FeatureTable(names, stimuli, np.where(count > 0, sums / np.maximum(count, 1), np.nan))


def measured_again(path: Path) -> np.ndarray:
    """Biomarkers of one parameter file."""
    return recording_biomarkers(load(path), _parts())


@lru_cache(maxsize=1)
def _parts() -> FaceParts:
    return face_parts(load_template())


def unshared(folder: Path, values: Values) -> dict:
    """The cohort as it is."""
    people, features = aggregated(folder)
    row = {"level": "not shared", "top1": None, "error": 0.0, "r": 1.0, "kept": values.varying}
    return {**row, "match": matching(features, [p.group for p in people])}


def level_row(level: str, folder: Path, out: Path, values: Values) -> dict:
    """Attack, cost and matching of one level."""
    to, key = out / level, out / f"{level}.key.tsv"
    if not to.is_dir():
        ledger = out / "ledger.json" if level == "group" else None
        share(folder, to, Settings(level=level, keep_key=key, ledger=ledger), seed=1, workers=None)
    audit = json.loads((to / "audit.json").read_text("utf-8"))
    row = {"level": level, **{k: audit[k] for k in ("top1", "top1_low", "top1_high", "attack", "chance")}}
    if level == "group":
        return row
    pseudonyms = dict(line.split("\t")[::-1] for line in key.read_text("utf-8").splitlines()[1:])
    inside = out / f"{level}.unpacked"
    with zipfile.ZipFile(to / "share.zip") as archive:
        archive.extractall(inside)
    if level == "summary":
        left = [name for name in values.biomarkers if f"recording: {name}" in audit["fields"]]
        row |= {"error": audit["cost"]["error"], "r": audit["cost"]["correlation"], "left": left}
        row |= {"kept": len(left) if row["error"] < CLOSE else 0, "noise": audit["noise_sd"]}
        people = load_cohort(folder, least=0).people
        features = table_of_summary(inside / "recordings.tsv", [pseudonyms[p.id] for p in people])
        return {**row, "match": matching(features, [p.group for p in people])}
    people, features = aggregated(inside)
    row |= sequences_cost(inside, values, pseudonyms)
    return {**row, "match": matching(features, [p.group for p in people])}


def sequences_cost(inside: Path, values: Values, pseudonyms: dict[str, str]) -> dict:
    """Biomarkers measured again on the frames that leave, against those of the recordings as they were."""
    rows, places = values.read.rows, []
    for recording in values.read.recordings[
        ::EVERY
    ]:  # the same plan names the recordings in another share, but for the person
        person = pseudonyms[values.chosen.people[recording.person].source.id]
        task = values.planned.stimuli[recording.stimulus]
        places.append(inside / recording_path(person, str(recording.session), task))
    again = np.stack(run_all(measured_again, [(p,) for p in places]))
    measured, stimulus = rows.values[::EVERY, : again.shape[1]], rows.stimulus[::EVERY]
    scale = Scale(values.scale.mean[:, : again.shape[1]], values.scale.sd[:, : again.shape[1]])
    kept, errors, rs = 0, [], []
    for f in range(again.shape[1]):
        one = Scale(scale.mean[:, [f]], scale.sd[:, [f]])
        if (
            not (one.sd > 0).any()
            or not np.isfinite(again[:, f]).any()
            or np.ptp(again[np.isfinite(again[:, f]), f]) == 0
        ):
            continue
        paid = cost(again[:, [f]], measured[:, [f]], one, stimulus)
        errors.append(paid.error)
        rs.append(paid.correlation)
        kept += paid.error < CLOSE
    return {"error": float(np.nanmean(errors)), "r": float(np.nanmean(rs)), "kept": int(kept)}


def differences(folder: Path, template: Template) -> list[dict]:
    """The face of somebody who joined, from the averages before and after; RMS over the face in mm."""
    space = motion_space(template)
    people, _ = aggregated(folder)
    group = sorted({p.group for p in people})[0]
    members = [p for p in people if p.group == group]
    area = vertex_areas(template.v_template, template.faces) * face_mask(template)

    def average(of: Sequence[AggregatedFace]) -> Average:
        return next(a for a in group_averages(of, 10)[0] if a.stimulus is None)

    def face(shape: np.ndarray, motion: np.ndarray) -> np.ndarray:
        return 1000 * (template.shapedirs @ shape + space.directions @ motion)

    def error(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(np.average(((a - b) ** 2).sum(1), weights=area)))

    own = {p.id: p for p in members}
    out = []
    for n in (len(members) - 1,):
        before, after, joined = average(members[:n]), average(members[: n + 1]), members[n]
        true, middle = face(joined.shape, joined.motion()), face(before.shape, before.motion)
        out.append({"tool": "guess: the group's average", "n": n, "mm": error(middle, true)})

        def recovered(a: Average, b: Average, n: int = n) -> np.ndarray:
            return face((n + 1) * b.shape - n * a.shape, (n + 1) * b.motion - n * a.motion)

        out.append({"tool": "naive averages", "n": n, "mm": error(recovered(before, after), true)})
        ledger = Ledger("salt").with_release([before], "first", None)
        out.append(
            {"tool": "face-atlas share", "n": n, "mm": None, "said": differencing([after], ledger, (), 10, folder)}
        )
        for epsilon in (1.0, 10.0):
            draws = [
                recovered(*(private_average(a, own, template, space, epsilon)[0] for a in (before, after)))
                for _ in range(5)
            ]
            noise = private_average(after, own, template, space, epsilon)[1]
            row = {"tool": f"with --epsilon {epsilon:g}", "n": n, "mm": float(np.mean([error(d, true) for d in draws]))}
            out.append({**row, "noise_mm": [noise.shape_mm, noise.motion_mm]})
    return out


def tables(document: dict) -> str:
    lines = ["| level | top-1 (95 % interval) | best attack | biomarkers within 0.1 SD | error, SD | r | matched |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in (document[part] for part in ("not_shared", *LEVELS)):
        top1 = "not applicable"
        if row["top1"] is not None:
            top1 = f"{row['top1']:.1%} ({row['top1_low']:.1%} to {row['top1_high']:.1%})"
        rest = ["", "", "", ""]
        if "match" in row:
            hit, low, high = row["match"]
            rest = [str(row["kept"]), f"{row['error']:.2f}", f"{row['r']:.2f}", f"{hit:.0%} ({low:.0%} to {high:.0%})"]
        attack = row.get("attack", "") if row["top1"] is not None else ""
        lines.append(f"| {row['level']} | {top1} | {attack} | {' | '.join(rest)} |")
    lines += ["", f"| top-1 by noise, SD | {' | '.join(f'{n:g}' for n in NOISES)} |", f"|---{'|---' * len(NOISES)}|"]
    for name in SETS:
        cells = [f"{100 * row['top1']:.1f} %" for row in document["trade_off"] if row["set"] == name]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    of_all = [row for row in document["trade_off"] if row["set"] == "core:12"]
    for key, words in (("error", "error, SD"), ("r", "correlation")):
        lines.append(f"| *{words}* | {' | '.join(f'{row[key]:.2f}' for row in of_all)} |")
    lines += ["", "| top-1 of 5 %: set | noise, SD | correlation | matched | without noise |", "|---|---|---|---|---|"]
    for row in document["choices"]:
        told = f"{row['noise']:.2f} | {row['r']:.2f} | {row['match']:.0%} | {row['clean']:.0%}"
        lines.append(f"| {row['set']} | {told} |")
    ways = list(document["mechanisms"][0])[2:]
    lines += ["", f"| noise of one size, drawn | {' | '.join(ways)} |", f"|---{'|---' * len(ways)}|"]
    for row in document["mechanisms"]:
        lines.append(f"| {row['set']}, {row['noise']:g} SD | {' | '.join(f'{row[w]:.1%}' for w in ways)} |")
    lines += ["", "| differencing | error of the recovered face, mm |", "|---|---|"]
    for row in document["differences"]:
        found = row.get("said") or f"{row['mm']:.3f}"
        lines.append(f"| {row['tool']}, {row['n']} and {row['n'] + 1} people | {found} |")
    return "\n".join(lines) + "\n"


def picture(document: dict) -> bytes:
    """PNG: top-1 against noise for every set of biomarkers."""
    import io

    figure = Figure(figsize=(8.6, 5.2), dpi=110, facecolor="white", layout="constrained")
    panel = figure.subplots()
    shades = np.linspace(0.85, 0.25, len(SETS))
    for name, shade in zip(SETS, shades, strict=True):
        rows = [row for row in document["trade_off"] if row["set"] == name]
        grey = (0.10 + 0.5 * shade, 0.25 + 0.5 * shade, 0.45 + 0.45 * shade)
        panel.plot([r["noise"] for r in rows], [100 * r["top1"] for r in rows], "o-", color=grey, markersize=4)
        wide = {"units": "units and movement, 51", "all": "everything, 445"}
        first, last = rows[0], rows[-1]
        at = (last["noise"], 100 * last["top1"]) if name in wide else (first["noise"], 100 * first["top1"])
        panel.annotate(
            wide.get(name, name.replace("core:", "")), at, (6 if name in wide else -6, 0), textcoords="offset points",
            ha="left" if name in wide else "right", va="center", fontsize=8, color="#333333",
        )  # fmt: skip
    panel.axhline(100 * LIMIT, color="#b2182b", linestyle=":", linewidth=1.2)
    panel.annotate("5 %", (-0.33, 100 * LIMIT), va="bottom", ha="left", fontsize=8, color="#b2182b")
    chance = 100 / document["settings"]["people"]
    panel.axhline(chance, color="#666666", linestyle=":", linewidth=1.2)
    panel.annotate("chance", (-0.33, chance), va="bottom", ha="left", fontsize=8, color="#666666")
    bearable = noise_at_cost()
    panel.axvline(bearable, color="#666666", linestyle=":", linewidth=1.2)
    panel.annotate("a tenth of the\ncorrelation lost", (bearable + 0.03, 0.6), fontsize=8, color="#666666", va="bottom")
    panel.set_yscale("log")
    panel.set(xlim=(-0.35, 3.85), ylim=(0.35, 130), yticks=[0.5, 1, 2, 5, 10, 20, 50, 100])
    panel.set_yticklabels(["0.5", "1", "2", "5", "10", "20", "50", "100"])
    panel.set_xticks(np.arange(0, 3.5, 0.5))
    panel.set_xlabel("noise, standard deviations over people")
    people = document["settings"]["people"]
    panel.set_ylabel(f"found again by the best attack, % of {people} simulated people")
    panel.set_title("Number of biomarkers shared, noise, and re-identification", fontsize=11, loc="left")
    panel.spines[["top", "right"]].set_visible(False)
    panel.minorticks_off()
    figure.supxlabel("simulated people in two sessions; research use; not a diagnosis", fontsize=8, color="#666666")
    packed = io.BytesIO()
    FigureCanvasAgg(figure).print_png(packed, metadata={"Software": None})
    return packed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/sharing"))
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", help="a level, not_shared, trade_off, mechanisms or differences alone")
    given = parser.parse_args()
    template = load_template()
    folder = make_cohort(given.out / "cohort", given.people, given.seconds, given.seed)
    values = lru_cache(maxsize=1)(lambda: Values(folder, given.seed))
    parts = {
        "not_shared": lambda: unshared(folder, values()),
        **{level: lambda level=level: level_row(level, folder, given.out, values()) for level in LEVELS},
        "trade_off": lambda: values().trade_off(np.random.default_rng(given.seed)),
        "choices": lambda: values().choices(document["trade_off"], np.random.default_rng(given.seed)),
        "mechanisms": lambda: values().mechanisms(np.random.default_rng(given.seed)),
        "differences": lambda: differences(folder, template),
    }
    document: dict = {"settings": {"people": given.people, "seconds": given.seconds, "seed": given.seed}}
    for name, measure in parts.items():  # what is measured already is kept
        result = given.out / f"{name}.json"
        if not result.is_file() and given.part in (None, name):
            result.write_text(json.dumps(measure(), indent=1) + "\n", "utf-8")
        if result.is_file():
            document[name] = json.loads(result.read_text("utf-8"))
    if set(parts) - set(document):
        return
    (given.out / "sharing.md").write_text(tables(document), "utf-8")
    (given.out / "sharing.png").write_bytes(picture(document))
    print(tables(document))


if __name__ == "__main__":
    main()
