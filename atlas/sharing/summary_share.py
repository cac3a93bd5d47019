"""The level summary: a row of blurred statistics for every recording, and a row of means for every person."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atlas.biomarkers.biomarker_file import write_biomarkers
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.sharing.audit import Audit, Comparison
from atlas.sharing.field_sets import MOST_NOISE, FieldSet, choose_fields, field_sets
from atlas.sharing.occasions import Rows, occasions
from atlas.sharing.people import Chosen
from atlas.sharing.prepared import Prepared, Progress
from atlas.sharing.reading import Plan, Read, plan, read_recordings, summary_quantities
from atlas.sharing.settings import Settings
from atlas.sharing.summary import CLIP, Cost, Scale, blurred, correlated_noise, cost
from atlas.sharing.tables import DAYS, days_column, described, write_table
from reconstruction.errors import InputError

TABLE = "recordings.tsv"
TRIES = 10  # draws of noise, each a little larger than the last, until the one that leaves passes itself
MORE = 1.05


@dataclass(frozen=True)
class Blurred:
    """rows : (R, F) values that leave, in the order of the recordings; noise_sd : in standard deviations over people"""

    quantities: tuple[Quantity, ...]
    rows: np.ndarray
    noise_sd: float
    scale: Scale
    cost: Cost


def prepare_summary(
    chosen: Chosen,
    settings: Settings,
    template: str,
    folder: Path,
    rng: np.random.Generator,
    workers: int | None,
    progress: Progress | None,
) -> Prepared:
    """Choose what leaves and how blurred, and attack it."""
    planned = plan(chosen)
    parted = occasions([person.recordings for person in chosen.people])
    biomarkers, statistics = summary_quantities(template)
    sets = _wanted(field_sets(biomarkers, [q.name for q in statistics]), settings.fields, [q.name for q in biomarkers])
    read = read_recordings(planned, chosen, parted, "summary", template, folder, workers, progress)
    every = (*biomarkers, *statistics)
    names = [quantity.name for quantity in every]
    people, stimuli = len(chosen.people), len(planned.stimuli)
    scale = Scale.of(read.rows.cube(people, stimuli))
    own = scale.z(read.rows.cube(people, stimuli))
    comparison = Comparison.of(read.compared, scale, stimuli, parted, chosen)
    limit = settings.most_reidentified or 1.0
    taken, noise_sd, trials = choose_fields(sets, names, comparison, own, limit, rng, progress)

    columns = [names.index(field) for field in taken.fields]
    narrow = Scale(scale.mean[:, columns], scale.sd[:, columns])
    for attempt in range(TRIES):
        noise_sd = noise_sd if attempt == 0 else max(noise_sd, 0.05) * MORE
        noise = correlated_noise(own[:, :, columns], noise_sd, rng)
        released = _as_released(comparison, narrow, noise, columns)
        results = released.attack()
        if results[0].top1 <= limit or noise_sd > MOST_NOISE:
            break
    rows = read.rows
    values = blurred(
        narrow.z(rows.values[:, columns], rows.stimulus), noise[rows.person, rows.stimulus], narrow, rows.stimulus
    )
    made = Blurred(
        tuple(every[c] for c in columns), values, noise_sd, narrow,
        cost(values, rows.values[:, columns], narrow, rows.stimulus),
    )  # fmt: skip
    told = (*(f"recording: {q.name}" for q in made.quantities), *chosen.fields)
    same = released.known_recordings(comparison, columns)
    audit = Audit(
        "summary", (*told, "recording: stimulus", "recording: session"), people, results, settings.most_reidentified,
        parted.description, chosen.simulated, _details(made, taken, read, planned, chosen, trials, same),
    )  # fmt: skip
    return Prepared(audit, lambda to: _write(to, made, read, planned, chosen, template), _notes(made))


def _as_released(comparison: Comparison, scale: Scale, noise: np.ndarray, columns: Sequence[int]) -> Comparison:
    """The comparison on these columns, the probe blurred just as what leaves is."""
    z = comparison.probe[:, :, columns]
    values = blurred(z, noise, scale)
    probe = (values - scale.mean) / np.where(scale.sd > 0, scale.sd, 1)
    return Comparison(comparison.gallery[:, :, columns], probe, comparison.kind, comparison.possible)


def _wanted(
    sets: Sequence[FieldSet], fields: tuple[str, ...] | None, biomarkers: Sequence[str]
) -> tuple[FieldSet, ...]:
    """All sets, or the one that is asked for by its name or its biomarkers'."""
    if not fields:
        return tuple(sets)
    known = {one.name: one for one in sets}
    if len(fields) == 1 and fields[0] in known:
        return (known[fields[0]],)
    unknown = [name for name in fields if name not in biomarkers]
    if unknown:
        raise InputError(
            f"expected --fields as one of {', '.join(known)} or names of biomarkers, got {', '.join(unknown)}; "
            "`face-atlas biomarkers` lists their names."
        )
    return (FieldSet("chosen", tuple(dict.fromkeys(fields))),)


def _details(
    made: Blurred, taken: FieldSet, read: Read, planned: Plan, chosen: Chosen, trials: Sequence[Any], same: float
) -> dict[str, Any]:
    return {
        "field_set": taken.name,
        "statistics": len(made.quantities),
        "noise_sd": round(made.noise_sd, 3),
        "cost": {
            "error": round(made.cost.error, 4),
            "correlation": round(made.cost.correlation, 4),
            "unit": "error: mean absolute difference from the values as measured, in standard deviations over people; "
            "correlation: with them, over people, mean over biomarkers and stimuli",
        },
        "top1_if_the_attacker_has_the_very_recordings": round(same, 4),
        "trade_off": [trial.to_json() for trial in trials],
        "recordings": len(read.recordings),
        "recordings_left_out": planned.left_out + read.unusable,
        "people_left_out": chosen.left_out,
        "treatment": [
            f"values more than {CLIP:g} standard deviations from the mean over people cut",
            f"noise of {made.noise_sd:.2f} standard deviations over people, one draw a person, correlated "
            "as values are",
            "rounded to a tenth of a standard deviation or finer",
        ],
    }


def _notes(made: Blurred) -> tuple[str, ...]:
    names = ", ".join(q.name for q in made.quantities[:12])
    more = f" and {len(made.quantities) - 12} more" if len(made.quantities) > 12 else ""
    return (
        f"`{TABLE}` has a row for every recording with {names}{more}; `biomarkers.tsv` a row for every person, the "
        "mean over recordings.",
        f"Values hold noise of {made.noise_sd:.2f} standard deviations over people and are rounded; they correlate by "
        f"{made.cost.correlation:.2f} with those measured. The noise has mean zero: averages over many people are "
        "true on the whole, correlations with anything else are weaker than they were by that factor, correlations "
        "among the columns are as they were. Values below zero are noise: leave them as they are. A person's noise is "
        "the same in all recordings before a stimulus.",
    )


def _write(folder: Path, made: Blurred, read: Read, planned: Plan, chosen: Chosen, template: str) -> None:
    order = sorted(range(len(read.recordings)), key=lambda i: read.recordings[i].place)
    recordings = [read.recordings[i] for i in order]
    people = [chosen.people[r.person] for r in recordings]
    leading = {
        "participant_id": [p.pseudonym for p in people],
        "group": [p.group for p in people],
        "session": [str(r.session) for r in recordings],
        "task": [planned.stimuli[r.stimulus] for r in recordings],
        "run": [str(r.run) for r in recordings],
    }
    dated = {}
    if chosen.dated:
        leading[DAYS] = ["n/a" if r.days is None else str(r.days) for r in recordings]
        dated[DAYS] = days_column(chosen.step)
    about = {
        q.name: {
            **described(q),
            "NoiseSD": {
                name: float(f"{made.noise_sd * sd:.3g}")
                for name, sd in zip(planned.stimuli, made.scale.sd[:, f], strict=True)
            },
        }
        for f, q in enumerate(made.quantities)
    }
    columns = {q.name: made.rows[order, f] for f, q in enumerate(made.quantities)}
    write_table(folder / TABLE, leading, columns, {**dated, **about, "Simulated": chosen.simulated})
    who = np.array([r.person for r in read.recordings])
    what = np.array([r.stimulus for r in read.recordings])
    cube = Rows(who, what, np.zeros(len(who), int), made.rows).cube(len(chosen.people), len(planned.stimuli))
    names, groups = tuple(p.pseudonym for p in chosen.people), tuple(p.group for p in chosen.people)
    table = BiomarkerTable(made.quantities, names, groups, planned.stimuli, cube)
    write_biomarkers(table, folder / "biomarkers.tsv", simulated=chosen.simulated, origin=template)
