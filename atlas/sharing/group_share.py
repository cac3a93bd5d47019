"""The level group: averages, checked against each other and against earlier releases."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.recording import recording_biomarkers
from atlas.cohort import Cohort
from atlas.reading import read_cohort
from atlas.sharing.audit import Audit
from atlas.sharing.averages import FILE, Average, group_averages, members_of, save_averages
from atlas.sharing.contents import write_description
from atlas.sharing.ledger import NAME, differencing, digest_of, load_ledger, save_ledger
from atlas.sharing.people import Chosen
from atlas.sharing.prepared import Prepared, Progress
from atlas.sharing.privacy import Noise, private_average
from atlas.sharing.reading import prepared_template
from atlas.sharing.settings import Settings
from atlas.sharing.tables import write_table
from reconstruction.sequence import STATEMENT

TABLE = "biomarkers-by-group.tsv"


def prepare_averages(
    cohort: Cohort, chosen: Chosen, settings: Settings, template: str, folder: Path, progress: Progress | None
) -> Prepared:
    """Average the chosen people of a cohort; `folder` is where the share is put together."""
    head, parts = prepared_template(template)
    members = {person.source.id for person in chosen.people}
    sharing = replace(cohort, people=tuple(p for p in cohort.people if p.id in members))
    reading = read_cohort(
        sharing, head, parts.space, biomarkers=lambda sequence: recording_biomarkers(sequence, parts), least=0,
        progress=(lambda done, of: progress("reading", done, of)) if progress else None,
    )  # fmt: skip
    averages, left = group_averages(reading.people, settings.least)
    noises: dict[str, Noise] = {}
    if settings.epsilon is not None:
        people = {person.id: person for person in reading.people}
        private: list[Average] = []
        for average in averages:
            if average.stimulus is None:
                made, noises[average.group] = private_average(
                    average, people, head, parts.space, settings.epsilon, settings.delta
                )
                private.append(made)
        averages = tuple(private)
    path = settings.ledger or cohort.folder / NAME
    ledger = load_ledger(path)
    refusal = (
        None
        if settings.epsilon is not None
        else differencing(averages, ledger, settings.earlier, settings.least, folder)
    )
    header = {
        "template": head.name, "template_sha256": head.sha256, "statement": STATEMENT, "simulated": chosen.simulated,
        "epsilon": settings.epsilon, "delta": settings.delta if settings.epsilon is not None else None,
        "units": {"shape": "template's standard deviations", "motion": "coefficients, then axis-angle in radians"},
    }  # fmt: skip
    save_averages(averages, parts.space, header, folder / FILE)
    after = ledger.with_release(members_of(averages), digest_of((folder / FILE).read_bytes()), settings.epsilon)
    rested = set().union(*(average.members for average in averages))
    details = {
        "least_people": settings.least,
        "averages": [{"group": a.group, "stimulus": a.stimulus, "people": len(a.members)} for a in averages],
        "people_left_out": chosen.left_out | {f"{group}, of the averages": n for group, n in left.items()},
        "differencing": refusal or "no earlier release in the ledger or named tells of fewer people by a difference",
    }
    if settings.epsilon is not None:
        details |= {
            "differencing": "blurred: differentially private",
            "epsilon": settings.epsilon,
            "delta": settings.delta,
            "epsilon_of_all_releases": after.epsilon,
            "noise": {group: noise.to_json() for group, noise in noises.items()},
        }
    fields: tuple[str, ...] = ("group averages: shape", "group averages: motion", "group averages: number of people")
    if settings.epsilon is None:
        fields += ("group averages: standard deviations over people", "group averages: biomarkers")
    audit = Audit("group", fields, len(rested), (), None, "not applicable", chosen.simulated, details, refusal)

    def write(to: Path) -> None:
        write_description(to, "group", settings.licence, chosen.simulated)
        if settings.epsilon is None:
            _write_biomarkers(to / TABLE, averages, parts.quantities)

    return Prepared(audit, write, _notes(settings, noises), lambda: save_ledger(after, path))


def _write_biomarkers(path: Path, averages: tuple[Average, ...], quantities: tuple[Quantity, ...]) -> None:
    rows = [(a, q, quantity) for a in averages for q, quantity in enumerate(quantities)]
    leading = {
        "group": [a.group for a, _, _ in rows],
        "task": [a.stimulus or "all" for a, _, _ in rows],
        "people": [str(len(a.members)) for a, _, _ in rows],
        "quantity": [quantity.name for _, _, quantity in rows],
        "unit": [quantity.unit for _, _, quantity in rows],
    }
    columns = {
        "mean": np.array([a.biomarkers[q] for a, q, _ in rows]),
        "sd": np.array([a.biomarkers_sd[q] for a, q, _ in rows]),
    }
    write_table(path, leading, columns, {})


def _notes(settings: Settings, noises: dict[str, Noise]) -> tuple[str, ...]:
    told = [
        f"`{FILE}` (safetensors) holds a row for every average of at least {settings.least} people: `shape` and "
        "`motion`, and unless noise was added their standard deviations over people; its header, under the key "
        "`face_atlas`, names groups, stimuli, numbers of people and coefficients."
    ]
    if noises:
        mm = "; ".join(f"{g}: {n.shape_mm:.2f} mm of shape, {n.motion_mm:.2f} mm of motion" for g, n in noises.items())
        told.append(
            f"The averages are differentially private (epsilon {settings.epsilon:g}, delta {settings.delta:g}, "
            "replacing one person, numbers of people taken as known). The noise displaces the face by a root mean "
            f"square of {mm}."
        )
    return tuple(told)
