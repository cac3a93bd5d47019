"""``face-atlas statistics``: how groups differ, or how a face goes with a score, and how sure that is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.options import named
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atlas.biomarkers.table import BiomarkerTable
    from atlas.statistics import Contrast, Effect, People

UNITS = "units"
SHOWN = 30  # rows on the terminal
PICTURE = "statistics.png"


def statistics(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="COHORT|TABLE",
            help="A cohort folder, or a table: participant_id, group, one column a quantity, separated by tabs.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for statistics.tsv and statistics.png.", show_default=False)],
    participants: Annotated[
        Path | None, typer.Option(help="participants.tsv of a table.", show_default="that of the cohort")
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Relate to this column of participants.tsv or phenotype/*.tsv instead.")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="Comma-separated; only these, the last being compared with.", show_default="all")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Group the others are compared with.", show_default="HC")
    ] = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated columns to adjust for, C(name) for numbers that are names; 'none' for none.",
            show_default="age,sex where known",
        ),
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Permute people within equal values of this column, such as site.")
    ] = None,
    quantities: Annotated[
        str | None,
        typer.Option(help="Comma-separated names or families; 'units' for all action units.", show_default="all"),
    ] = None,
    permutations: Annotated[int, typer.Option(help="Permutations of people.", min=99)] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.", min=0)] = 0,
) -> None:
    """Compare groups, or relate to a score: every quantity with its difference, interval and corrected p.

    Research use; not a diagnosis. The person is the unit. p is by permutation, p_fwe corrected for the family of
    quantities, q_fdr by the false discovery rate.
    """
    from atlas.statistics import compare, correlate, write_statistics
    from atlas.statistics.table_file import FILE
    from reconstruction.sequence import STATEMENT

    console = make_console()
    given = _read(source, participants, named(covariates), score, within)
    table, people = _chosen(given.table, quantities, groups), given.people
    adjust = None if covariates is None else () if covariates == "none" else named(covariates)
    settings: dict[str, Any] = {
        "covariates": adjust,
        "within": within,
        "permutations": permutations,
        "seed": seed,
        "reliability": given.reliability,
    }
    if score is not None:
        found = correlate(table, people, score, **settings)
    else:
        found = compare(table, people, _contrasts(table, groups, reference), **settings)
    write_statistics(found.effects, out / FILE)
    labels = {q.name: q.name if q.label == q.name else f"{q.name} {q.label}" for q in table.quantities}
    _draw(found.effects, labels, given.simulated, out)
    tell_notes(console, (*given.warnings, *found.warnings))
    adjusted = f"adjusted for {', '.join(found.covariates)}" if found.covariates else "not adjusted for anything"
    _print(found.effects, labels)
    kind = "simulated people, " if given.simulated else ""
    console.print(
        f"{out / FILE}: {kind}{len(found.effects)} rows, {permutations} permutations, {adjusted}\n{STATEMENT}"
    )


class _Given(NamedTuple):
    """What is compared, and what is known about it."""

    table: "BiomarkerTable"
    people: "People"
    reliability: "Mapping[str, float]"
    simulated: bool
    warnings: tuple[str, ...]


def _read(
    source: Path, participants: Path | None, covariates: tuple[str, ...], score: str | None, within: str | None
) -> _Given:
    """A cohort folder, or a table."""
    from atlas.statistics.people import read_people, with_scores
    from atlas.statistics.plain_table import read_biomarkers

    folder = source if source.is_dir() else source.parent
    if source.is_dir():
        given = _measure(source)
    else:
        about = {*(name.removeprefix("C(").removesuffix(")") for name in covariates), *filter(None, (score, within))}
        plain = read_biomarkers(source, about)
        given = _Given(plain.table, plain.people, plain.reliability, plain.simulated, ())
    people, warnings = given.people, given.warnings
    if participants is not None:
        known, more = read_people(participants)
        lacking = len(set(given.table.people) - set(known.ids))
        if lacking:
            more = (*more, f"{lacking} of {len(given.table.people)} people have no row in {participants.name}")
        people, warnings = known.about(given.table.people, given.table.groups), (*warnings, *more)
        folder = participants.parent
    people, more = with_scores(people, folder)
    warnings = (*warnings, *more)
    simulated = given.simulated or any(t.lower() in ("yes", "true") for t in people.columns.get("simulated", ()))
    return given._replace(people=people, warnings=warnings, simulated=simulated)


def _measure(folder: Path) -> _Given:
    """Biomarkers of a cohort's parameter files, or of other tools' tables."""
    from atlas.biomarkers.quantity_reliability import quantity_reliability
    from atlas.biomarkers.reliability import ReliabilityTable
    from atlas.biomarkers.sources import find_sources, measure_sources
    from atlas.biomarkers.table import biomarker_table
    from atlas.statistics.people import read_people

    sources, notes = find_sources([folder])
    with recording_bar(make_console()) as bar:
        task = bar.add_task("measuring", total=len(sources))
        found = measure_sources(sources, progress=lambda done, of: bar.update(task, completed=done, total=of))
    known = [person for person in found.people if person.group != "n/a"]
    people, _ = read_people(folder / "participants.tsv")
    reliability: dict[str, float] = {}
    if found.template is not None:
        stages = [recording.stage for recording in found.recordings]
        worst = ReliabilityTable(recordings={stage: stages.count(stage) for stage in stages}).worst()
        reliability = quantity_reliability(found.template, worst, found.parts)
    table = biomarker_table(known, found.quantities)
    return _Given(table, people, reliability, found.simulated, (*notes, *dict.fromkeys(found.warnings)))


def _chosen(table: "BiomarkerTable", quantities: str | None, groups: str | None) -> "BiomarkerTable":
    """The quantities and people of the groups that are named."""
    from dataclasses import replace

    from reconstruction.errors import InputError

    wanted = named(quantities)
    families = {quantity.family for quantity in table.quantities}
    columns = [
        i
        for i, q in enumerate(table.quantities)
        if not wanted or {q.name, q.family} & set(wanted) or (UNITS in wanted and _is_unit(q.level, q.name))
    ]
    unknown = [name for name in wanted if name not in {UNITS, *table.names, *families}]
    if unknown or not columns:
        raise InputError(
            f"expected quantities among {', '.join(table.names[:6])} ..., families ({', '.join(sorted(families))}) or "
            f"'{UNITS}', got {', '.join(unknown or wanted)}; name others."
        )
    names = named(groups)
    missing = [name for name in names if name not in table.groups]
    if missing:
        raise InputError(
            f"expected groups among {', '.join(sorted(set(table.groups)))}, got {', '.join(missing)}; name others."
        )
    rows = [i for i, group in enumerate(table.groups) if not names or group in names]
    return replace(
        table,
        quantities=tuple(table.quantities[i] for i in columns),
        people=tuple(table.people[i] for i in rows),
        groups=tuple(table.groups[i] for i in rows),
        by_stimulus=table.by_stimulus[rows][:, :, columns],
    )


def _is_unit(level: str, name: str) -> bool:
    """Whether a quantity is an action unit's intensity, not its presence or asymmetry."""
    return level == "unit" and name.removesuffix("_r").removeprefix("AU").isdigit()


def _contrasts(table: "BiomarkerTable", groups: str | None, reference: str | None) -> "tuple[Contrast, ...]":
    from atlas.overlay import REFERENCE, reference_group
    from atlas.statistics import contrasts

    wanted = named(groups)
    if reference is None and wanted and REFERENCE not in wanted:
        reference = wanted[-1]
    present = sorted(set(table.groups))
    return contrasts(present, reference_group(present, reference))


def _print(effects: "tuple[Effect, ...]", labels: dict[str, str]) -> None:
    """The effects on stdout, the surest first."""
    from atlas.cli.results import print_table

    rows = sorted(effects, key=lambda e: (e.p_fwe != e.p_fwe, e.p_fwe, e.p, -abs(e.d)))[:SHOWN]
    score = bool(rows) and rows[0].n_b == 0
    size = "partial r" if score else "g"
    print_table(
        ("", "contrast", "people", "effect", "95 % interval", "unit", size, "p", "p_fwe", "q_fdr"),
        (
            (
                labels.get(e.name, e.name),
                e.contrast,
                f"{e.n_a}" if score else f"{e.n_a}, {e.n_b}",
                f"{e.effect:+.3g}",
                f"{e.low:+.3g} to {e.high:+.3g}",
                e.unit,
                f"{e.d:+.2f}",
                e.p,
                e.p_fwe,
                e.q_fdr,
            )
            for e in rows
        ),
    )
    if len(effects) > SHOWN:
        make_console().print(f"the {SHOWN} surest of {len(effects)}; all are in the file")


def _draw(effects: "tuple[Effect, ...]", labels: dict[str, str], simulated: bool, out: Path) -> None:
    """OUT/statistics.png: the action units, or where there are none everything."""
    from dataclasses import replace

    from atlas.figures.forest import forest
    from reconstruction.storage import write_atomically

    units = [replace(e, unit="") for e in effects if _is_unit(e.level, e.name)]  # all of 0 to 5
    shown = [e for e in units or effects if e.d == e.d]
    if shown:
        title = "Action units, intensity 0 to 5" if units else "Quantities"
        figure = forest(PICTURE.removesuffix(".png"), title, shown, labels, simulated=simulated)
        write_atomically(out / PICTURE, figure.png())
