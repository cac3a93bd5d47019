"""``face-atlas validate``: how well a matcher does on people it has not seen, after an audit for leaks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.options import Features, Quality, named
from atlas.cli.parameters import parameters_of
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from rich.console import Console

    from atlas.validation import Audit, Validation


def validate(
    cohort: Annotated[Path, typer.Argument(help="Folder with participants.tsv and recordings in sub-* folders.")],
    out: Annotated[Path, typer.Option(help="Folder for results, report and reporting sheets.", show_default=False)],
    split: Annotated[
        str,
        typer.Option(
            help="'person': folds of people, and whole sites held out as well where participants.tsv has a column "
            "site; 'site': whole sites alone."
        ),
    ] = "person",
    folds: Annotated[int, typer.Option(help="Folds of people.", min=2)] = 5,
    repeats: Annotated[int, typer.Option(help="Times that people are divided into folds anew.", min=1)] = 1,
    coverage: Annotated[
        float, typer.Option(help="Share of people whose own group a prediction set should hold.")
    ] = 0.9,
    permutations: Annotated[int, typer.Option(help="Shuffles of the groups for the p value; 0 for none.", min=0)] = 99,
    features: Features = "expression",
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="Go on although the audit refuses for this check, knowingly; once for each.", metavar="CHECK"
        ),
    ] = None,
    nuisances: Annotated[
        str | None,
        typer.Option(help="Comma-separated further columns of participants.tsv that may tell the groups apart."),
    ] = None,
    subgroups: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated further columns to tell results by.", show_default="sex, age, site, medication"
        ),
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="Template name or file.", show_default="that of the parameters, or atlas-head")
    ] = None,
    min_people: Annotated[int, typer.Option(help="People who are not simulated that every group needs.", min=1)] = 10,
    quality: Quality = "full",
    seed: Annotated[int, typer.Option(help="The same seed gives the same results.", min=0)] = 0,
) -> None:
    """Validate a matcher on a cohort by nested cross-validation over people, beside chance, null and baselines.

    First an audit looks for leaks: a person or recording on both sides of a fold, and identifiers and circumstances
    that tell the groups apart without a face. Where it refuses, OUT holds audit.json and the log alone and the exit
    status is 3. Else OUT holds report.html, validation.json, figures, and sheets for TRIPOD+AI and PROBAST+AI;
    people.json and audit.json, which name participants, are personal data, as is OUT/parameters where videos were
    reconstructed. A run that was stopped goes on with the shuffles it has. OUT/audit-log.jsonl records every run.
    """
    import hashlib

    from atlas.aggregation import feature_names, template_units
    from atlas.cli.command_line import command_line
    from atlas.cohort import load_cohort
    from atlas.custody import record
    from atlas.features import check_kind, feature_table, named_features, stimuli_of
    from atlas.motion import motion_space
    from atlas.participants import read_participants
    from atlas.reading import read_cohort
    from atlas.report.provenance import recordings_sha256
    from atlas.validation import (
        Settings,
        audit_cohort,
        person_splitter,
        samples_of,
        site_split,
        site_splitter,
        sites_of,
    )
    from atlas.validation import validate as run
    from atlas.validation.bayes import best_possible
    from atlas.validation.report import RESULTS, write_audit, write_validation
    from atlas.validation.splits import PERSON, SITE
    from atlas.validation.traits import recording_traits
    from reconstruction import __version__
    from reconstruction.errors import InputError, Refused
    from reconstruction.pipeline import check_quality
    from reconstruction.storage import check_folder

    if split not in (PERSON, SITE):
        raise InputError(f"expected --split person or site, got {split!r}; choose one of them.")
    if not 0.5 <= coverage < 1:
        raise InputError(
            f"expected a coverage from 0.5 up to but not including 1, got {coverage:g}; use 0.9 for instance."
        )
    check_kind(features)
    check_quality(quality)
    console = make_console()
    listed = load_cohort(cohort, out / "parameters", quality, min_people)
    check_folder(out)
    with recording_bar(console) as bar:
        task = bar.add_task("reading", total=None)

        def show(stage: str, done: int, of: int) -> None:
            bar.update(task, description=stage, completed=done, total=of or None)

        listed, head = parameters_of(
            listed, out / "parameters", template=template, quality=quality, seed=seed, least=min_people, show=show
        )
        space = motion_space(head)
        reading = read_cohort(
            listed,
            head,
            space,
            biomarkers=recording_traits,
            least=min_people,
            progress=lambda done, of: show("measure", done, of),
        )
        people, stimuli = reading.people, stimuli_of(reading.people)
        names = named_features(feature_names(space, template_units(head)), head.n_shape, features)
        samples = samples_of(people, feature_table([person.recordings for person in people], names, stimuli))
        sites, order = sites_of(people), list(read_participants(cohort / "participants.tsv", []))
        if split == PERSON:
            divided = person_splitter(folds, repeats, seed)(samples)
        elif sites is not None:
            divided = site_splitter(sites)(samples)
        else:
            raise InputError(
                "expected a column site in participants.tsv with two or more sites, known for everyone, to leave one "
                "out; add it, or use --split person."
            )
        show("audit", 0, 0)
        audit = audit_cohort(
            people, samples, divided, order=order, columns=named(nuisances), allow=allow or (), seed=seed
        )
        found = None
        if audit.refused:
            write_audit(out, audit)
        else:
            found = run(
                people,
                samples,
                divided,
                audit,
                Settings(coverage, permutations, seed, named(subgroups)),
                best=best_possible(cohort, samples.sizes, all(person.simulated for person in people)),
                site_split=None if split == SITE else site_split(sites, samples),
                folder=out,
                progress=show,
            )
            show("write", 0, 0)
            command = command_line(
                "validate", "cohort", out=out, split=split, folds=folds, repeats=repeats, coverage=coverage,
                permutations=permutations, features=features, allow=allow, nuisances=nuisances, subgroups=subgroups,
                template=template, min_people=min_people, quality=quality, seed=seed,
            )  # fmt: skip
            write_validation(out, found, listed, reading, head, len(names), stimuli, command)
        record(
            out,
            "validate",
            software=__version__,
            simulated=all(person.simulated for person in people),
            people=samples.sizes,
            recordings=sum(len(person.recordings) for person in people),
            recordings_sha256=recordings_sha256(people),
            template=head.name,
            seed=seed,
            refused_for=[finding.check for finding in audit.refused],
            allowed=sorted(allow or ()),
            validation_sha256=hashlib.sha256((out / RESULTS).read_bytes()).hexdigest() if found else None,
        )
    tell_notes(console, (*listed.warnings, *reading.notes, *reading.warnings))
    _tell(console, audit)
    if found is None:
        raise Refused(
            f"the audit refused this cohort; see {out / 'audit.json'}. To go on knowingly, name the check: "
            + " ".join(_allowing(audit))
        )
    console.print(f"{out / 'validation.json'}: {_told(found)}\nreport: {out / 'report.html'}")


def _tell(console: "Console", audit: "Audit") -> None:
    for finding in audit.findings:
        verdict = "allowed" if finding.allowed else finding.severity
        console.print(
            f"audit, {verdict}: {finding.message[:1].upper()}{finding.message[1:]} To mend it: {finding.remedy}"
        )


def _allowing(audit: "Audit") -> list[str]:
    """The options that would let a refused run go on."""
    return [f"--allow {name!r}" for name in dict.fromkeys(finding.check for finding in audit.refused)]


def _told(found: "Validation") -> str:
    """A validation in one line."""
    result, p = found.result, found.null.p
    sizes = ", ".join(f"{name} {n}" for name, n in found.sizes.items())
    best = f"; best possible {found.best.accuracy:.0%}" if found.best.known else ""
    return (
        f"{'simulated people, ' if found.simulated else ''}{sizes}; held-out people given their own group: "
        f"{result.accuracy.value:.0%} ({result.accuracy.low:.0%} to {result.accuracy.high:.0%}; chance "
        f"{found.chance:.0%}{'' if p is None else f', p = {p:.3f}'}{best})"
    )
