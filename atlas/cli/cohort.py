"""``face-atlas cohort``: a cohort's folder checked, tidied, and what was done with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.inspection import Inspection

cohort = typer.Typer(
    help="A cohort's folder: what is wrong with it, its form after BIDS, and its audit log.", no_args_is_help=True
)
FOUND_ERRORS = 2  # the exit status


@cohort.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with participants.tsv and recordings in sub-* folders.")],
    people: Annotated[bool, typer.Option("--people", help="List everybody's recordings.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, for programs.")] = False,
) -> None:
    """Say everything that is wrong with a cohort, each with its remedy; exit status 2 where there are errors.

    An error stops a build, or makes its result wrong. A warning leaves something out, or may mislead. Recordings are
    read whole; nothing is changed.
    """
    import json

    from atlas.inspection import inspect_cohort

    with recording_bar(make_console()) as bar:
        task = bar.add_task("reading", total=None)
        found = inspect_cohort(folder, lambda done, of: bar.update(task, completed=done, total=of))
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        _show(found, people)
    if found.of("error"):
        raise typer.Exit(FOUND_ERRORS)


@cohort.command()
def tidy(
    folder: Annotated[Path, typer.Argument(help="Folder with participants.tsv and parameter files.")],
    out: Annotated[Path, typer.Option(help="Folder to be written; must be new or empty.", show_default=False)],
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "Face parameters",
    author: Annotated[list[str] | None, typer.Option(help="Of the dataset; may be given several times.")] = None,
) -> None:
    """Write a BIDS derivative from a looser folder of parameter files: copies, named as BIDS wants; never videos."""
    from atlas.bids.tidy import tidy as write_tidied

    console = make_console()
    with recording_bar(console) as bar:
        task = bar.add_task("copying", total=None)
        made = write_tidied(
            folder,
            out,
            name=name,
            authors=author or (),
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    tell_notes(console, made.notes)
    console.print(f"{out}: {made.recordings} recordings of {made.people} people. Next: face-atlas cohort check {out}")


@cohort.command()
def log(
    folder: Annotated[Path, typer.Argument(help="A cohort's, an atlas's or a share's folder.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the chain; exit status 2 where it is broken.")
    ] = False,
) -> None:
    """Show the audit log of a folder: what was done with people's data there.

    The last line is the log's head. Who may write into the folder could write the whole log anew: keep the head
    elsewhere, and compare.
    """
    import json

    from atlas.custody import LOG, read_log
    from reconstruction.errors import InputError

    if not (folder / LOG).is_file():
        raise InputError(f"expected a folder with {LOG}, but {folder} has none; nothing was recorded there.")
    found = read_log(folder)
    for entry in found.entries:
        facts = ", ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in entry.facts.items())
        typer.echo(f"{entry.number}  {entry.action}: {facts}")
    typer.echo(f"head {found.head}")
    if verify:
        console = make_console()
        for finding in found.findings:
            console.print(finding)
        console.print("The log is not as it was written." if found.findings else "The chain holds.")
        if found.findings:
            raise typer.Exit(FOUND_ERRORS)


def _show(found: "Inspection", everybody: bool) -> None:
    from rich.table import Table

    console = make_console(stderr=False)
    stimuli = found.stimuli
    table = Table("group", "people", *stimuli, box=None, pad_edge=False)
    for group in sorted({row.group for row in found.people}, key=lambda g: (g is None, g)):
        rows = [row for row in found.people if row.group == group]
        counts = [str(sum(row.counts.get(s, 0) for row in rows)) for s in stimuli]
        table.add_row(group or "no group", str(len(rows)), *counts)
    if everybody:
        table.add_section()
        for row in found.people:
            table.add_row(row.group or "no group", row.person, *(str(row.counts.get(s, 0)) for s in stimuli))
    console.print("Recordings by stimulus" + (", of simulated people" if found.simulated else ""))
    console.print(table)
    for level, title in (("error", "Errors"), ("warning", "Warnings"), ("note", "Notes")):
        if findings := found.of(level):
            console.print(f"\n{title}")
            for finding in findings:
                console.print(f"- {finding}")
    if not found.of("error"):
        console.print("\nNo errors." if found.findings else "\nNothing was found.")
