"""``face-atlas forget``: a person out of a cohort and out of what was written about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console

if TYPE_CHECKING:
    from atlas.forgetting import Place, Removal


def forget(
    participant: Annotated[str, typer.Argument(help="As in participants.tsv, such as sub-001.")],
    cohort: Annotated[Path, typer.Option(help="Folder with participants.tsv.", show_default=False)],
    atlas: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an atlas that may have been built with them; may be given several times."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove a person: recordings, sidecars, rows of tables, true parameters, and what atlas folders hold of them.

    Says first what will be removed, and asks. What an atlas has learnt stays in it until it is built again: those that
    have to be are named. Shares that were given out cannot be recalled. The audit log keeps how much was removed, not
    whose it was.
    """
    import sys

    from atlas.forgetting import forget as remove
    from atlas.forgetting import plan_removal
    from reconstruction.errors import InputError

    removal = plan_removal(participant, cohort, atlas or ())
    console = make_console()
    for line in _told(removal, asked_for_atlases=bool(atlas)):
        console.print(line)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("expected --yes to remove this, but it is not there; nothing was removed.")
        if not typer.confirm("Remove this? It cannot be undone", err=True):
            console.print("Nothing was removed.")
            return
    remove(removal)
    console.print(f"{removal.person} was removed.")
    for folder in removal.rebuild:
        console.print(f"Build again: face-atlas build {cohort} --out {folder}")


def _told(removal: "Removal", asked_for_atlases: bool) -> list[str]:
    out = [f"Of {removal.person} there is:"]
    out += [f"  {place.folder}: {_counts(place)}" for place in (removal.cohort, *removal.atlases)]
    out += [f"Built with people who are removed, to be built again: {folder}" for folder in removal.rebuild]
    if not asked_for_atlases:
        out.append("No --atlas was given: atlases built from this cohort were not looked at, and may hold them.")
    if removal.shares:
        made = "1 share was" if removal.shares == 1 else f"{removal.shares} shares were"
        out.append(f"{made} made from this cohort; what was given out cannot be recalled.")
    else:
        out.append("The audit log knows of no share; one that was given out otherwise cannot be recalled.")
    return out + [f"note: {note}" for note in removal.notes]


def _counts(place: "Place") -> str:
    rows = ", ".join(f"{n} {'row' if n == 1 else 'rows'} of {t.name}" for t, n in place.tables.items())
    entries = ", ".join(f"{n} {'entry' if n == 1 else 'entries'} of {d.name}" for d, n in place.documents.items())
    files = f"{place.files} files ({place.recordings} with parameters)" if place.files else ""
    return "; ".join(part for part in (files, rows, entries) if part) or "nothing"
