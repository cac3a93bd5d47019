"""``face-atlas biomarkers``: what a clinician can name, as a table, one row a person."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.biomarkers.sources import MeasuredRecordings


def biomarkers(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="A cohort folder, parameter files (.face.safetensors), or CSV tables of OpenFace 1.x, 2.x or Py-Feat.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The table, .tsv; its columns are described in a .json beside it.")],
    per_recording: Annotated[
        bool, typer.Option("--per-recording", help="One row a recording instead of one a person.")
    ] = False,
    stimulus_columns: Annotated[
        bool, typer.Option("--stimulus-columns", help="Also every quantity before every stimulus: AU12_in_anger.")
    ] = False,
    reactivity: Annotated[
        bool, typer.Option("--reactivity", help="Also every stimulus less the neutral one: AU12_anger_less_neutral.")
    ] = False,
    onset: Annotated[
        float | None,
        typer.Option(help="Seconds at which the stimulus begins: quantities are those after it less those before."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frame rate of tables that do not say it, or say it wrongly; speeds need it.")
    ] = None,
    organ_sides: Annotated[
        str,
        typer.Option(
            help="Whose right REyC and right_eye are: 'subject', or 'image': the picture's. The paper is silent."
        ),
    ] = "subject",
    organ_sums: Annotated[
        bool, typer.Option("--organ-sums", help="Organs' shares by the sum over their points instead of the mean.")
    ] = False,
    template: Annotated[
        str | None, typer.Option(help="Template of the parameters, name or file.", show_default="the one they name")
    ] = None,
) -> None:
    """Measure biomarkers: action units, organs, regions, key points, movement and expressivity.

    Every quantity is in a unit per second or of its own, never per frame; the .json tells its definition, source and
    how well the template recovers it. The table holds a row a person: it is personal data.
    """
    import numpy as np

    from atlas.biomarkers.biomarker_file import write_biomarkers, write_rows
    from atlas.biomarkers.sources import find_sources, measure_sources
    from atlas.biomarkers.table import biomarker_table, reactivity_columns, side_by_side
    from atlas.biomarkers.table import stimulus_columns as by_stimulus
    from reconstruction.errors import InputError
    from reconstruction.sequence import STATEMENT
    from reconstruction.template import load_template

    if out.suffix != ".tsv" or out.is_dir():
        raise InputError(f"expected a file name ending in .tsv for --out, got {out}; rename it.")
    if per_recording and (stimulus_columns or reactivity):
        raise InputError("expected rows by recording or columns by stimulus, got both; leave one out.")
    console = make_console()
    sources, notes = find_sources(inputs)
    with recording_bar(console) as bar:
        task = bar.add_task("measuring", total=len(sources))
        measured = measure_sources(
            sources,
            template=None if template is None else load_template(template),
            fps=fps,
            onset_s=onset,
            sides=organ_sides,
            organ_sums=organ_sums,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    told = _reliability(measured)
    kind = "simulated " if measured.simulated else ""
    if per_recording:
        values = [recording.biomarkers for recording in measured.recordings]
        write_rows(
            out, _leading(measured), measured.quantities, np.array(values), told, measured.simulated, measured.tool
        )
        rows = f"{len(values)} {kind}recording{'s' * (len(values) != 1)}"
    else:
        table = biomarker_table(measured.people, measured.quantities)
        wide = [table]
        wide += [by_stimulus(table)] if stimulus_columns else []
        wide += [reactivity_columns(table)] if reactivity else []
        write_biomarkers(side_by_side(wide), out, reliability=told, simulated=measured.simulated, origin=measured.tool)
        rows = f"{len(table.people)} {kind}{'person' if len(table.people) == 1 else 'people'}"
    tell_notes(console, (*notes, *dict.fromkeys(measured.warnings)))
    typer.echo(
        f"{out}: {rows}, {len(measured.quantities)} quantities of {measured.tool}; what they are: "
        f"{out.with_suffix('.json').name}"
    )
    typer.echo(STATEMENT)


def _leading(measured: "MeasuredRecordings") -> dict[str, list[str]]:
    """The columns that say which recording a row is."""
    sources = [recording.source for recording in measured.recordings]
    persons = [source.person for source in sources]
    return {
        "participant_id": persons,
        "group": [source.group for source in sources],
        "task": [source.stimulus for source in sources],
        "recording": [str(1 + persons[:i].count(person)) for i, person in enumerate(persons)],
    }


def _reliability(measured: "MeasuredRecordings") -> dict[str, float]:
    """Of the worst stage among the recordings; nothing of other tools' tables and of simulated parameters."""
    from atlas.biomarkers.quantity_reliability import quantity_reliability
    from atlas.biomarkers.reliability import SIMULATED, ReliabilityTable

    if measured.template is None or measured.parts is None:
        return {}
    stages = [recording.stage for recording in measured.recordings]
    worst = ReliabilityTable(recordings={stage: stages.count(stage) for stage in stages}).worst()
    return {} if worst == SIMULATED else quantity_reliability(measured.template, worst, measured.parts)
