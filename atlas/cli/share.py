"""``face-atlas share``: a cohort's parameters for others, at a level, audited before it is written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.options import named
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.sharing import Audit

LITTLE = 0.7  # correlation with the values as measured below which a share says that it is worth little


def share(
    cohort: Annotated[Path, typer.Argument(help="Folder with participants.tsv and recordings in sub-* folders.")],
    out: Annotated[Path, typer.Option(help="New or empty folder for the share and audit.json.", show_default=False)],
    level: Annotated[
        str,
        typer.Option(
            help="'group': averages of at least 10 people; 'summary': blurred statistics of every recording; 'motion': "
            "expression and jaw of every frame; 'full': all parameters, of people whose consent_share in "
            "participants.tsv is yes."
        ),
    ] = "summary",
    max_reidentification: Annotated[
        float | None,
        typer.Option(
            help="Share of people whom the audit's attacks may find again; above it nothing is written, exit status 3.",
            show_default="0.05 at summary, no limit at motion and full",
        ),
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="Encrypt to this public key of age (age1...) or SSH; may be given several times."),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(
            help="What leaves at summary: 'all', 'units', 'core:N', or comma-separated biomarkers.",
            show_default="as many as bear the noise they need",
        ),
    ] = None,
    blur: Annotated[
        str,
        typer.Option(
            help="How values are blurred at summary: 'noise'; 'means' of people alike, no values of whom fewer than 5 "
            "people share; 'auto': whichever lets more out, and then whichever keeps more of the values."
        ),
    ] = "auto",
    columns: Annotated[
        str | None,
        typer.Option(
            help="What leaves beside the group: of 'sex,age,interval', or 'none'; ages leave in bands, of dates the "
            "days between a person's sessions, rounded.",
            show_default="none at summary, all at motion and full",
        ),
    ] = None,
    min_people: Annotated[
        int, typer.Option(help="People that every average of level group rests on; 10 or more.")
    ] = 10,
    epsilon: Annotated[
        float | None, typer.Option(help="Differential privacy of level group: its privacy loss; 1 is usual.")
    ] = None,
    delta: Annotated[float, typer.Option(help="Its chance of failing, with --epsilon.")] = 1e-5,
    earlier: Annotated[
        list[Path] | None,
        typer.Option(
            help="An earlier release of level group that the ledger does not know; may be given several times."
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(help="Private list of who was in which released average.", show_default="COHORT/.releases.json"),
    ] = None,
    keep_key: Annotated[
        Path | None, typer.Option(help="Write the list of pseudonyms and participants to this file; keep it secret.")
    ] = None,
    archive: Annotated[str, typer.Option(help="'zip' or 'tar'.")] = "zip",
    licence: Annotated[
        str | None, typer.Option(help="Under which others may use it, in words or as an address.")
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="Folder of the parameters of videos, ATLAS/parameters of a build.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="Template of the parameters, name or file.", show_default="the one they name")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="For the same bytes again. Who knows it can undo pseudonyms and noise: keep it secret, and large.",
            show_default="a secret one that is not kept",
            min=0,
        ),
    ] = None,
) -> None:
    """Share parameters instead of video: pseudonymous, not anonymous; the risk is measured before anything is written.

    An attacker who has another recording of everyone is imitated on exactly what would leave; audit.json tells how
    often the best attack finds a person again, against chance. Pseudonyms are fresh; dates, paths and free text stay.
    """
    from atlas.sharing import Settings
    from atlas.sharing import share as write_share
    from atlas.sharing.settings import UNSTATED
    from reconstruction.sequence import STATEMENT

    settings = Settings(
        level=level, limit=max_reidentification, columns=None if columns is None else named(columns),
        fields=named(fields) or None, blur=blur, epsilon=epsilon, delta=delta, earlier=tuple(earlier or ()),
        ledger=ledger, least=min_people, recipients=tuple(recipient or ()), archive=archive, keep_key=keep_key,
        licence=licence or UNSTATED,
    )  # fmt: skip
    console = make_console()
    with recording_bar(console) as bar:
        task = bar.add_task("reading", total=None)
        made = write_share(
            cohort,
            out,
            settings,
            parameters=parameters,
            template=template,
            seed=seed,
            workers=None,
            progress=lambda stage, done, of: bar.update(task, description=stage, completed=done, total=of or None),
        )
    tell_notes(console, made.notes)
    for line in told(made.audit):
        typer.echo(line)
    typer.echo(f"{made.path}: {level}, {made.audit.people} {'simulated ' if made.audit.simulated else ''}people")
    typer.echo(STATEMENT)


def told(audit: "Audit") -> list[str]:
    """What the audit found, in lines."""
    details = audit.details
    left = ", ".join(f"{n} {why}" for why, n in details.get("people_left_out", {}).items())
    lines = [f"left out: {left}"] if left else []
    if not audit.results:
        lines += [f"averages: {len(details['averages'])}, each of at least {details['least_people']} people"]
        for group, noise in details.get("noise", {}).items():
            lines.append(
                f"noise on {group}: {noise['shape_mm']:.2f} mm of shape, {noise['motion_mm']:.2f} mm of motion"
            )
        return lines
    best = audit.results[0]
    if "blur" in details:
        cost, number = details["cost"], details["statistics"]
        blurred = {
            "noise": f"with noise of {details['noise_sd']:.2f} standard deviations over people",
            "means": f"as means of at least {details['people_alike']} people alike",
        }
        lines.append(
            f"lets out {number} {'statistic' if number == 1 else 'statistics'} a recording ({details['field_set']}) "
            f"{blurred[details['blur']]}; correlation with the values as measured {cost['correlation']:.2f}"
        )
        if cost["correlation"] < LITTLE:
            lines.append(
                f"note: little is left of the values; more leaves with a higher limit (now {audit.limit:.1%}; chance "
                f"alone names {1 / best.candidates:.1%}), fewer fields or more people"
            )
    lines.append(
        f"re-identified: {best.top1:.1%} of {best.candidates} people by the best of {len(audit.results)} attacks "
        f"({best.low:.1%} to {best.high:.1%}; chance {1 / best.candidates:.1%})"
    )
    return lines
