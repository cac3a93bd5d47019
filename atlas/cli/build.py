"""``face-atlas build``: from a cohort folder to an atlas."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.options import Features, Quality, named
from atlas.cli.parameters import parameters_of
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.atlas import Atlas
    from atlas.reading import Reading
    from atlas.severity import Severity


def build(
    cohort: Annotated[Path, typer.Argument(help="Folder with participants.tsv and recordings in sub-* folders.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the atlas, its meshes, pictures and report.", show_default=False)
    ],
    reference: Annotated[
        str | None, typer.Option(help="Group the others are compared with.", show_default="HC")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="Template name or file.", show_default="that of the parameters, or atlas-head")
    ] = None,
    coverage: Annotated[
        float, typer.Option(help="Share of people whose own group a match should not exclude; less decides more.")
    ] = 0.9,
    permutations: Annotated[
        int, typer.Option(help="Shuffles for the p value of the evaluation; 0 for none.", min=0)
    ] = 99,
    tests: Annotated[
        int, typer.Option(help="Permutations of people for the p values of differences between groups.", min=99)
    ] = 1000,
    covariates: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated columns of participants.tsv and phenotype/ to adjust for; 'none' for none.",
            show_default="age,sex where known",
        ),
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="Permute people within equal values of this column, such as site.")
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="People in a standard face: 'equal', or 'poststratified' to the cohort's sexes and ages, so that "
            "groups of different make-up compare."
        ),
    ] = "equal",
    adjust: Annotated[
        str | None,
        typer.Option(help="'age': standard faces at the cohort's mean age, by a linear model.", show_default=False),
    ] = None,
    features: Features = "expression",
    by: Annotated[
        str | None,
        typer.Option(help="'sex': standard faces of a group's women and men as well.", show_default=False),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(help="Column of participants.tsv with a score, such as PHQ-9, that matches estimate as well."),
    ] = None,
    min_people: Annotated[
        int, typer.Option(help="People who are not simulated that every group, and every face, needs; 10 or more.")
    ] = 10,
    session: Annotated[
        str | None,
        typer.Option(help="Only recordings and scores of this session, such as 1 of ses-1.", show_default="all"),
    ] = None,
    quality: Quality = "full",
    seed: Annotated[int, typer.Option(help="The same seed gives the same atlas.", min=0)] = 0,
) -> None:
    """Build an atlas: standard faces, overlays, encoder and matcher, its evaluation over held-out people, a report.

    Videos without parameters are reconstructed first, into OUT/parameters; a build that was stopped goes on there.
    What lies there of another quality is reconstructed anew. A person's sessions are averaged unless one is chosen.
    Two things in OUT are personal data: OUT/parameters, and OUT/people.json, which tells how every person was matched
    when held out. The rest rests on groups. OUT/audit-log.jsonl records every build.
    """
    from atlas.atlas import build_atlas
    from atlas.atlas_file import FILE
    from atlas.averaging import Averaging
    from atlas.biomarkers import template_figures
    from atlas.biomarkers.recording import face_parts, recording_biomarkers
    from atlas.biomarkers.table import biomarker_table
    from atlas.cli.command_line import command_line
    from atlas.cohort import load_cohort
    from atlas.features import check_kind
    from atlas.folder import Measured, write_folder
    from atlas.reading import read_cohort
    from atlas.statistics import people_of
    from reconstruction.pipeline import check_quality
    from reconstruction.storage import check_folder

    check_quality(quality)
    check_kind(features)
    averaging = Averaging(weights, adjust, by, min_people)
    console = make_console()
    people = load_cohort(cohort, out / "parameters", quality, min_people, session)
    check_folder(out)
    with recording_bar(console) as bar:
        task = bar.add_task("reading", total=None)

        def show(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=of or None)

        people, head = parameters_of(
            people, out / "parameters", template=template, quality=quality, seed=seed, least=min_people, show=show
        )
        parts = face_parts(head)
        reading = read_cohort(
            people,
            head,
            parts.space,
            biomarkers=lambda sequence: recording_biomarkers(sequence, parts),
            least=min_people,
            progress=lambda done, of: show("measure", done, of),
        )
        table = biomarker_table(reading.people, parts.quantities)
        atlas = build_atlas(
            reading.people,
            head,
            parts.space,
            reference=reference,
            coverage=coverage,
            permutations=permutations,
            tests=tests,
            seed=seed,
            warnings=reading.warnings,
            reliability=template_figures(head),
            averaging=averaging,
            features=features,
            trajectories=reading.trajectories,
            biomarkers=(table, parts),
            known=people_of(people),
            covariates=None if covariates is None else named(covariates),
            within=within,
            score=score,
            progress=show,
        )
        show("write", 0, 0)
        command = command_line(
            "build", "cohort", out=out, reference=reference, template=template, coverage=coverage, tests=tests,
            permutations=permutations, covariates=covariates, within=within, weights=weights, adjust=adjust, by=by,
            features=features, score=score, min_people=min_people, session=session, quality=quality, seed=seed,
        )  # fmt: skip
        report = write_folder(out, atlas, people, reading, Measured(table, parts), head, command)
        _record(out, atlas, reading, session)
    tell_notes(console, (*people.warnings, *reading.notes, *atlas.warnings, *report.notes))
    console.print(f"{out / FILE}: {_told(atlas)}")
    if atlas.matcher.severity is not None:
        console.print(_told_score(atlas.matcher.severity))
    console.print(f"report: {report.html}")


def _record(out: Path, atlas: "Atlas", reading: "Reading", session: str | None) -> None:
    """The build's entry in the audit log: what went in, counted and hashed, and what came out."""
    import hashlib

    from atlas.atlas_file import FILE
    from atlas.custody import record
    from atlas.report.provenance import recordings_sha256
    from reconstruction import __version__

    record(
        out,
        "build",
        software=__version__,
        simulated=atlas.simulated,
        people={group: faces[None].people for group, faces in atlas.standard_faces.items()},
        recordings=sum(len(person.recordings) for person in reading.people),
        recordings_sha256=recordings_sha256(reading.people),
        template=atlas.template,
        seed=atlas.seed,
        session=session,
        atlas_sha256=hashlib.sha256((out / FILE).read_bytes()).hexdigest(),
    )


def _told(atlas: "Atlas") -> str:
    """An atlas in one line."""
    result = atlas.evaluation_summary
    low, high = result["accuracy_interval"]
    counts = ", ".join(f"{group} {faces[None].people}" for group, faces in atlas.standard_faces.items())
    p = "" if result["p"] is None else f", p = {result['p']:.3f}"
    return (
        f"{'simulated people, ' if atlas.simulated else ''}{counts}; held-out people matched: {result['accuracy']:.0%} "
        f"({low:.0%} to {high:.0%}; chance {result['chance']:.0%}{p})"
    )


def _told_score(severity: "Severity") -> str:
    """A score's head in one line."""
    found = severity.scores
    low, high = found.mae_interval
    return (
        f"{severity.column}, {found.people} people held out in turn: mean absolute error {found.mae:.2f} ({low:.2f} to "
        f"{high:.2f}; without the face {found.null_mae:.2f}), R2 {found.r2:.2f}, p = {found.p:.3f}"
        + ("" if found.beats_chance else "; no better than chance: matches will not estimate it")
    )
