"""The level summary: a row of blurred statistics for every recording, and a row of means for every person."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from atlas.biomarkers.biomarker_file import write_biomarkers
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.cohort import Cohort
from atlas.sharing.audit import Audit
from atlas.sharing.averages import Members
from atlas.sharing.blurring import MEANS, NOISE, WAYS, Blurred, Measured
from atlas.sharing.field_sets import Choice, FieldSet, Search, choose_fields, field_sets
from atlas.sharing.ledger import NAME, digest_of, load_ledger, save_ledger
from atlas.sharing.occasions import Rows, occasions
from atlas.sharing.people import Chosen
from atlas.sharing.prepared import Prepared, Progress
from atlas.sharing.reading import Plan, Read, plan, read_recordings, summary_quantities
from atlas.sharing.settings import AUTO, Settings
from atlas.sharing.summary import CLIP
from atlas.sharing.tables import DAYS, days_column, described, write_table
from reconstruction.errors import InputError

TABLE, PEOPLE_TABLE = "recordings.tsv", "biomarkers.tsv"


def prepare_summary(
    cohort: Cohort,
    chosen: Chosen,
    settings: Settings,
    template: str,
    folder: Path,
    rng: np.random.Generator,
    workers: int | None,
    progress: Progress | None,
) -> Prepared:
    """Choose what leaves and how blurred, and attack it; `folder` is where the share is put together."""
    planned = plan(chosen)
    parted = occasions(chosen.people)
    biomarkers, statistics = summary_quantities(template)
    sets = _wanted(field_sets(biomarkers, [q.name for q in statistics]), settings.fields, [q.name for q in biomarkers])
    read = read_recordings(planned, chosen, parted, "summary", template, folder, workers, progress)
    every = (*biomarkers, *statistics)
    measured = Measured.of(read, len(planned.stimuli), parted, chosen)
    path = settings.ledger or cohort.folder / NAME
    ledger = load_ledger(path)

    def unsafe(cluster: np.ndarray) -> str | None:
        return ledger.tells(list(_members(cluster, chosen).values()), int(np.bincount(cluster).min()))

    search = Search(
        measured, [quantity.name for quantity in every], settings.most_reidentified or 1.0, rng, unsafe, progress
    )
    choice = choose_fields(sets, search, _ways(settings, chosen))
    made = choice.blurred
    quantities = tuple(every[c] for c in made.columns)
    told = (*(f"recording: {q.name}" for q in quantities), *chosen.fields)
    refusal = unsafe(made.cluster) if made.cluster is not None else None
    audit = Audit(
        "summary", (*told, "recording: stimulus", "recording: session"), len(chosen.people), made.results,
        settings.most_reidentified, parted.description, chosen.simulated, _details(choice, read, planned, chosen),
        refusal,
    )  # fmt: skip

    def write(to: Path) -> None:
        _write(to, made, quantities, read, planned, chosen, template)

    def finish() -> None:
        if made.cluster is not None:
            save_ledger(ledger.with_release(_members(made.cluster, chosen), digest_of(made.values.tobytes())), path)

    return Prepared(audit, write, _notes(made, quantities), finish)


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


def _ways(settings: Settings, chosen: Chosen) -> tuple[str, ...]:
    """Ways of blurring that may be taken. People whose sex or age leaves are told apart by these: no means then."""
    if settings.blur != AUTO:
        return (settings.blur,)
    return tuple(way for way in WAYS if way != MEANS or not chosen.told_apart)


def _members(cluster: np.ndarray, chosen: Chosen) -> Members:
    ids = np.array([person.source.id for person in chosen.people])
    return {("people alike", str(n)): frozenset(ids[cluster == n].tolist()) for n in range(cluster.max() + 1)}


def _details(choice: Choice, read: Read, planned: Plan, chosen: Chosen) -> dict[str, Any]:
    made = choice.blurred
    treatment = {
        NOISE: f"noise of {made.noise_sd:.2f} standard deviations over people, one draw a person, correlated as values "
        "are",
        MEANS: f"means of at least {made.least_alike} people alike in all that leaves of them, whatever their group",
    }
    return {
        "field_set": choice.taken.name,
        "statistics": len(made.columns),
        "blur": made.way,
        "noise_sd": round(made.noise_sd, 3),
        "people_alike": made.least_alike,
        **({"means_refused": choice.refused} if choice.refused else {}),
        "cost": {
            "error": round(made.cost.error, 4),
            "correlation": round(made.cost.correlation, 4),
            "unit": "error: mean absolute difference from the values as measured, in standard deviations over people; "
            "correlation: with them, over people, mean over biomarkers and stimuli",
        },
        "top1_if_the_attacker_has_the_very_recordings": round(made.known_recordings, 4),
        "trade_off": [trial.to_json() for trial in choice.trials],
        "recordings": int(made.leaves.sum()),
        "recordings_left_out": planned.left_out + read.unusable + int((~made.leaves).sum()),
        "people_left_out": chosen.left_out,
        "treatment": [
            f"values more than {CLIP:g} standard deviations from the mean over people cut",
            treatment[made.way],
            "rounded to a tenth of a standard deviation or finer",
        ],
    }


def _notes(made: Blurred, quantities: Sequence[Quantity]) -> tuple[str, ...]:
    names = ", ".join(q.name for q in quantities[:12])
    more = f" and {len(quantities) - 12} more" if len(quantities) > 12 else ""
    correlation = f"they correlate by {made.cost.correlation:.2f} with those measured"
    blur = {
        NOISE: f"Values hold noise of {made.noise_sd:.2f} standard deviations over people and are rounded; "
        f"{correlation}. The noise has mean zero: averages over many people are true on the whole, correlations with "
        "anything else are weaker than they were by that factor, correlations among the columns are as they were. "
        "Values below zero are noise: leave them as they are. A person's noise is the same in all recordings before a "
        "stimulus.",
        MEANS: f"Values are means of at least {made.least_alike} people who are alike in all of them, whatever their "
        f"group, and are rounded; {correlation}. People with equal rows show one such mean: leave them out together "
        "where a classifier is validated. Means over all people are true, groups lie nearer to each other than they "
        "do, values spread less; tests of groups keep their error rate. Correlations among the columns are stronger "
        "than they were: do not test them.",
    }
    return (
        f"`{TABLE}` has a row for every recording with {names}{more}; `{PEOPLE_TABLE}` a row for every person, the "
        "mean over recordings.",
        blur[made.way],
    )


def _write(
    folder: Path,
    made: Blurred,
    quantities: Sequence[Quantity],
    read: Read,
    planned: Plan,
    chosen: Chosen,
    template: str,
) -> None:
    order = sorted(np.flatnonzero(made.leaves), key=lambda i: read.recordings[i].place)
    recordings, rows = [read.recordings[i] for i in order], made.values[order]
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
    about = {q.name: {**described(q), **_blur_of(made, planned, f)} for f, q in enumerate(quantities)}
    columns = {q.name: rows[:, f] for f, q in enumerate(quantities)}
    write_table(folder / TABLE, leading, columns, {**dated, **about, "Simulated": chosen.simulated})
    who, what = (np.array([getattr(r, of) for r in recordings], int) for of in ("person", "stimulus"))
    cube = Rows(who, what, np.zeros(len(who), int), rows).cube(len(chosen.people), len(planned.stimuli))
    names, groups = tuple(p.pseudonym for p in chosen.people), tuple(p.group for p in chosen.people)
    table = BiomarkerTable(tuple(quantities), names, groups, planned.stimuli, cube)
    write_biomarkers(table, folder / PEOPLE_TABLE, simulated=chosen.simulated, origin=template)


def _blur_of(made: Blurred, planned: Plan, column: int) -> dict[str, Any]:
    if made.way == MEANS:
        return {"PeopleAlike": made.least_alike}
    sd = made.scale.sd[:, column] * made.noise_sd
    return {"NoiseSD": {name: float(f"{n:.3g}") for name, n in zip(planned.stimuli, sd, strict=True)}}
