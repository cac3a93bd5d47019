"""What each sharing level costs and what it hides, on simulated people in two sessions.

Simulates a cohort (200 people, two sessions, five stimuli), shares it at every level and prints tables: how often
attacks of the release audit find a person again; how far biomarkers and matching suffer; the whole trade-off between
number of biomarkers, blurring (noise, or means of people alike) and re-identification, also as a picture; what
blurring makes of groups; three ways of drawing noise beside each other; and the differencing attack on two successive
averages, against a naive tool and against this one.

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

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.bids.names import recording_path
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.cohort import load_cohort
from atlas.features import FeatureTable, feature_table, stimuli_of
from atlas.motion import face_mask, motion_space, vertex_areas
from atlas.parallel import run_all
from atlas.reading import read_cohort
from atlas.sharing import Settings, share
from atlas.sharing.averages import Average, group_averages, members_of
from atlas.sharing.ledger import Ledger, differencing
from atlas.sharing.privacy import private_average
from atlas.sharing.summary import cost
from atlas.simulation import simulate
from reconstruction.sequence import load
from reconstruction.template import Template, load_template
from sharing_blur import Values, matching
from sharing_tables import LEVELS, picture, tables

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
        ledger = out / f"{level}.ledger.json" if level in ("group", "summary") else None
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
        row |= {"kept": len(left) if row["error"] < CLOSE else 0}
        row |= {key: audit[key] for key in ("blur", "noise_sd", "people_alike")}
        people = load_cohort(folder, least=0).people
        features = table_of_summary(inside / "recordings.tsv", [pseudonyms[p.id] for p in people])
        alike = None if row["blur"] == "noise" else same_rows(features)
        return {**row, "match": matching(features, [p.group for p in people], alike)}
    people, features = aggregated(inside)
    row |= sequences_cost(inside, values, pseudonyms)
    return {**row, "match": matching(features, [p.group for p in people])}


def same_rows(features: FeatureTable) -> np.ndarray:
    """(N,) numbers of people whose rows are the same."""
    flat = np.nan_to_num(features.values.reshape(len(features), -1))
    return np.unique(flat, axis=0, return_inverse=True)[1].reshape(-1)


def sequences_cost(inside: Path, values: Values, pseudonyms: dict[str, str]) -> dict:
    """Biomarkers measured again on the frames that leave, against those of the recordings as they were."""
    rows, places = values.read.rows, []
    for recording in values.read.recordings[::EVERY]:  # the same plan names them in another share, but for the person
        person = pseudonyms[values.chosen.people[recording.person].source.id]
        task = values.planned.stimuli[recording.stimulus]
        places.append(inside / recording_path(person, str(recording.session), task))
    again = np.stack(run_all(measured_again, [(p,) for p in places]))
    measured, stimulus = rows.values[::EVERY], rows.stimulus[::EVERY]
    paid = [
        cost(again[:, [f]], measured[:, [f]], values.measured.scale.only([f]), stimulus)
        for f in range(again.shape[1])
        if (values.measured.scale.sd[:, f] > 0).any()
        and len(np.unique(again[np.isfinite(again[:, f]), f])) > 1  # else it cannot be measured any more
    ]
    errors = [one.error for one in paid]
    kept = sum(error < CLOSE for error in errors)
    return {"error": float(np.nanmean(errors)), "r": float(np.nanmean([one.correlation for one in paid])), "kept": kept}


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
    n = len(members) - 1
    before, after, joined = average(members[:n]), average(members), members[n]
    true, middle = face(joined.shape, joined.motion()), face(before.shape, before.motion)

    def recovered(a: Average, b: Average) -> np.ndarray:
        return face((n + 1) * b.shape - n * a.shape, (n + 1) * b.motion - n * a.motion)

    ledger = Ledger("salt").with_release(members_of([before]), "first")
    out: list[dict] = [
        {"tool": "guess: the group's average", "n": n, "mm": error(middle, true)},
        {"tool": "naive averages", "n": n, "mm": error(recovered(before, after), true)},
        {"tool": "face-atlas share", "n": n, "mm": None, "said": differencing([after], ledger, (), 10, folder)},
    ]
    for epsilon in (1.0, 10.0):
        draws = [
            recovered(*(private_average(a, own, template, space, epsilon)[0] for a in (before, after)))
            for _ in range(5)
        ]
        noise = private_average(after, own, template, space, epsilon)[1]
        row = {"tool": f"with --epsilon {epsilon:g}", "n": n, "mm": float(np.mean([error(d, true) for d in draws]))}
        out.append({**row, "noise_mm": [noise.shape_mm, noise.motion_mm]})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("outputs/sharing"))
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", help="one of the parts alone, by its name")
    given = parser.parse_args()
    template = load_template()
    folder = make_cohort(given.out / "cohort", given.people, given.seconds, given.seed)
    values = lru_cache(maxsize=1)(lambda: Values(folder, given.seed))
    parts = {
        "not_shared": lambda: unshared(folder, values()),
        **{level: lambda level=level: level_row(level, folder, given.out, values()) for level in LEVELS},
        "trade_off": lambda: values().trade_off(np.random.default_rng(given.seed)),
        "at_the_limit": lambda: values().at_the_limit(document["trade_off"], np.random.default_rng(given.seed)),
        "group_tests": lambda: values().group_tests(np.random.default_rng(given.seed)),
        "draws_of_noise": lambda: values().draws_of_noise(np.random.default_rng(given.seed)),
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
