"""``face-atlas monitor``: a deployed matcher followed by the matches it makes."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.results import print_table, stage_bar

ALARM = 3  # exit status with --fail-on-alarm


def monitor(
    atlas: Annotated[Path, typer.Argument(help="Folder of the atlas that made the matches, or its file.")],
    matches: Annotated[
        list[Path], typer.Argument(metavar="MATCHES...", help="Files of `face-atlas match --out`, in order of time.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for monitor.json, monitor.html, and the stream so far.")],
    outcomes: Annotated[
        Path | None,
        typer.Option(
            help="Table with participant_id and group, of people whose group became known.", show_default=False
        ),
    ] = None,
    people: Annotated[
        Path | None, typer.Option(help="participants.tsv of the people matched: sex, age, site.", show_default=False)
    ] = None,
    fail_on_alarm: Annotated[
        bool, typer.Option("--fail-on-alarm", help=f"Leave with exit status {ALARM} where an alarm goes off.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what earlier runs left in OUT, instead of adding to it.")
    ] = False,
    draws: Annotated[
        int, typer.Option(help="Simulated streams that false alarm rates and power are measured on.", min=50)
    ] = 400,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.", min=0)] = 0,
) -> None:
    """Follow a matcher: drift of inputs, calibration and subgroups, with alarms. Research use; not a diagnosis.

    OUT/stream.json keeps what was read: name new files only, those of earlier runs are remembered and count once. It is
    personal data; monitor.json and monitor.html name nobody.
    """
    from atlas.atlas_file import atlas_digest, load_atlas
    from atlas.monitoring import add_files, load_stream, read_known, read_outcomes, save_stream, write_monitoring
    from atlas.monitoring import monitor as look
    from atlas.monitoring.page import write_page
    from atlas.monitoring.stream import FILE, Stream
    from reconstruction.sequence import STATEMENT
    from reconstruction.storage import check_folder

    check_folder(out)
    reference, digest = load_atlas(atlas), atlas_digest(atlas)
    known, warnings = read_known(people) if people is not None else ({}, [])
    told = read_outcomes(outcomes) if outcomes is not None else {}
    before = Stream(digest, {}) if fresh else load_stream(out / FILE, digest)
    stream, again = add_files(before, matches, reference.groups)
    with stage_bar() as show:
        found = look(reference, stream, outcomes=told, known=known, seed=seed, draws=draws, progress=show)
    save_stream(stream, out / FILE)
    write_monitoring(out, found)
    page = write_page(out, found)
    console = make_console()
    tell_notes(console, warnings)
    if again:
        console.print(f"note: {again} of the files were known already and count once")
    if told and not found.outcomes:
        console.print("note: the outcomes name nobody who was matched, or none of the atlas's groups")
    print_table(
        ("alarm", "state", "found", "threshold", "false alarms", "power"),
        [
            (a.name, "ALARM" if a.fired else f"not asked: {a.silent}" if a.silent else "quiet", a.found, a.threshold,
             a.false_alarms.share if a.false_alarms else None, a.power.share if a.power else None)
            for a in found.alarms
        ],
    )  # fmt: skip
    console.print(f"{found.people} people in {found.files} file{'s' if found.files != 1 else ''}; report: {page}")
    console.print(STATEMENT)
    if fail_on_alarm and found.fired:
        raise typer.Exit(ALARM)
