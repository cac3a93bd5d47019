"""``face-atlas match``: people against an atlas's standard faces."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atlas.cli.console import make_console, tell_notes
from atlas.cli.options import Quality
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.atlas import Atlas
    from atlas.new_recordings import Known, NewRecording
    from reconstruction.sequence import FaceSequence

OTHER = (".csv", ".tsv", ".txt", ".json", ".npz", ".npy", ".pkl", ".parquet")  # files of no recording


def match(
    atlas: Annotated[Path, typer.Argument(help="Folder of an atlas, or its atlas.safetensors.")],
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Parameter files (.face.safetensors), videos, or folders of them."),
    ],
    out: Annotated[Path | None, typer.Option(help="JSON file for the result.", show_default="standard output")] = None,
    template: Annotated[
        str | None, typer.Option(help="Template for videos, name or file.", show_default="the atlas's")
    ] = None,
    quality: Quality = "full",
    seed: Annotated[int, typer.Option(help="For reconstructing videos.", min=0)] = 0,
    age: Annotated[
        float | None,
        typer.Option(
            help="The person's age in years, for the norm; outside the atlas's ages the match is refused.",
            show_default=False,
        ),
    ] = None,
    sex: Annotated[
        str | None,
        typer.Option(help="The person's sex, F or M; refused where the atlas has none of it.", show_default=False),
    ] = None,
    people: Annotated[
        Path | None,
        typer.Option(help="participants.tsv of the people matched: age and sex of each sub-*.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder for a page of every person, HTML and PDF, and fhir.json.", show_default=False),
    ] = None,
    own_face: Annotated[
        bool, typer.Option("--own-face", help="Draw the page's maps on the person's own shape; it may be recognised.")
    ] = False,
) -> None:
    """Match recordings against the standard faces. Research use; not a diagnosis.

    One match for each recording, and one of a person's recordings together where several lie in the same sub-* folder.
    Of a folder the parameter files are taken, or its videos where it has none. The decision is a group, 'inconclusive',
    or 'refused' where camera, length, quality, template, age or the movement itself lie outside what the atlas's people
    showed: then no group is named, and the reasons are. --report DIR writes one page about every person, named by sub-*
    alone, and the same as FHIR R4.
    """

    from atlas.atlas_file import atlas_digest, load_atlas
    from atlas.new_recordings import match_all, measured
    from reconstruction.errors import InputError
    from reconstruction.pipeline import check_quality
    from reconstruction.sequence import STATEMENT, SUFFIXES, load
    from reconstruction.storage import check_folder, json_text, write_json

    check_quality(quality)
    inputs = _recordings(inputs)
    notes: list[str] = []
    known = _known(inputs, age, sex, people, notes)
    reference, digest = load_atlas(atlas), atlas_digest(atlas)
    for path in inputs:
        if not path.is_file():
            raise InputError(f"expected a .face.safetensors file or a video, but {path} is no file; check the path.")
        if path.suffix.lower() in OTHER:
            raise InputError(
                f"expected a .face.safetensors file or a video, but {path} is neither; if another program made it, try "
                f"face-atlas convert {path.name} --to face --out FOLDER, and match what it writes."
            )
    if out is not None and out.is_dir():
        raise InputError(f"expected a file for --out, but {out} is a folder; name a .json file in it.")
    if report is not None:
        check_folder(report, "--report")
    console = make_console()
    with recording_bar(console) as bar:
        task = bar.add_task("matching", total=None)

        def show(path: Path, stage: str, done: int, of: int) -> None:
            bar.update(task, description=f"{path.name}: {stage}", completed=done, total=of or None)

        # parameter files first: one that cannot be read is told before minutes go into a video
        files = {path: load(path) for path in inputs if path.name.endswith(SUFFIXES)}
        sequences = [
            files[path] if path in files else _reconstructed(path, template or reference.template, quality, seed, show)
            for path in inputs
        ]
    recordings = measured(reference, inputs, sequences)
    matches, persons = match_all(reference, recordings, known)
    if report is not None:
        notes += _reports(report, reference, digest, recordings, known, own_face)
    document = {
        "statement": STATEMENT,
        "simulated": any(m.simulated for m in (*matches, *persons)),
        "atlas": digest,
        "groups": list(reference.groups),
        "template": reference.template,
        "evaluation": reference.evaluation_summary,
        "matches": [m.to_json() for m in matches],
        "people": [m.to_json() for m in persons],
    }
    if out is not None:
        write_json(out, document)
    else:
        typer.echo(json_text(document), nl=False)
    for made in (*matches, *persons):
        chances = ", ".join(f"{group} {p:.0%}" for group, p in made.probabilities.items())
        console.print(f"{made.input}: {made.decision} ({'; '.join(made.refusals) or chances})")
    tell_notes(console, notes)
    if report is not None:
        console.print(f"report: {report}")
    console.print(STATEMENT)


def _recordings(inputs: list[Path]) -> list[Path]:
    """The files named, and those in the folders named, in order and once each."""
    from atlas.cli.reconstruct import find_recordings
    from reconstruction.sequence import SUFFIXES

    found: dict[Path, None] = {}
    for path in inputs:
        inside = sorted(p for p in path.rglob("*") if p.name.endswith(SUFFIXES)) if path.is_dir() else [path]
        found |= dict.fromkeys(inside or find_recordings([path]))
    return list(found)


def _reports(
    out: Path, atlas: "Atlas", digest: str, recordings: list["NewRecording"], known: "Known", own_face: bool
) -> tuple[str, ...]:
    """Write a page of every person, and ``fhir.json``, into the folder `out`; what to say about them."""
    from atlas.motion import motion_space
    from atlas.patient import matched_people, write_fhir, write_patient_reports
    from atlas.patient.fhir import FILE
    from reconstruction.errors import InputError
    from reconstruction.template import load_template

    template = load_template(atlas.template)
    if template.sha256 != atlas.template_sha256:
        raise InputError(
            f"expected the atlas's version of the template {atlas.template} ({atlas.template_sha256[:8]}) to draw on, "
            f"but the one installed is {template.sha256[:8]}; build the atlas anew."
        )
    space = motion_space(template)
    people = matched_people(atlas, template, space, recordings, known)
    unchecked = write_fhir(out / FILE, people, atlas, digest)  # first: it may find fault, and pages then stay unwritten
    pages = write_patient_reports(people, atlas, template, space, out, digest=digest, own_face=own_face)
    return (*pages.notes, *unchecked)


def _known(
    inputs: list[Path], age: float | None, sex: str | None, people: Path | None, notes: list[str]
) -> dict[str, tuple[float | None, str | None]]:
    """Age and sex of the people that the inputs are of, by `NewRecording.id`; what is odd about them goes to `notes`.

    Raises
    ------
    InputError
        The age is none, age and sex are given for several people at once, or beside a table, or it cannot be read.
    """
    from atlas.new_recordings import ids_of
    from atlas.participants import age_of, read_participants, sex_of
    from reconstruction.errors import InputError

    ids = sorted(set(ids_of(inputs)))
    if people is not None:
        if age is not None or sex is not None:
            raise InputError("expected --people, or --age and --sex, but got both; leave one of them out.")
        rows = read_participants(people, notes, ["participant_id"])
        strangers = [i for i in ids if i not in rows]
        if strangers:
            notes.append(f"{', '.join(strangers)} not in {people.name}: matched with age and sex unknown")
        return {i: (age_of(rows[i].get("age", ""), i, notes), sex_of(rows[i].get("sex", ""))) for i in ids if i in rows}
    if age is not None and not 0 < age < 120:
        raise InputError(f"expected an age in years, between 0 and 120, got {age:g}; correct --age or leave it out.")
    if age is None and sex is None:
        return {}
    if len(ids) > 1:
        raise InputError(
            f"expected the recordings of one person with --age or --sex, got those of {len(ids)}; match them one by "
            "one, or name a table with --people."
        )
    return {ids[0]: (age, sex_of(sex or ""))}


def _reconstructed(path: Path, template: str, quality: str, seed: int, show: Any) -> "FaceSequence":
    """The parameters of a video."""
    from reconstruction.pipeline import reconstruct

    return reconstruct(
        path,
        template=template,
        quality=quality,
        seed=seed,
        progress=lambda stage, done, of: show(path, stage, done, of),
    )
