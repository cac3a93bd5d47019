"""``face-atlas match``: people against an atlas's standard faces."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atlas.cli.console import make_console
from atlas.cli.options import Quality
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.atlas import Atlas
    from atlas.matcher import Match
    from reconstruction.sequence import FaceSequence


def match(
    atlas: Annotated[Path, typer.Argument(help="Folder of an atlas, or its atlas.safetensors.")],
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Parameter files (.face.safetensors) or videos.")
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
    report: Annotated[
        Path | None,
        typer.Option(help="Folder for a page of every person, HTML and PDF, and fhir.json.", show_default=False),
    ] = None,
    own_face: Annotated[
        bool, typer.Option("--own-face", help="Draw the page's maps on the person's own shape; it may be recognised.")
    ] = False,
) -> None:
    """Match recordings against the standard faces. Research use; not a diagnosis.

    One match for each input, and one of a person's inputs together where several lie in the same sub-* folder. The
    decision is a group, 'inconclusive', or 'refused' where camera, length, quality, template, age or the movement
    itself lie outside what the atlas's people showed: then no group is named, and the reasons are. --report DIR writes
    one page about every person, named by sub-* alone, and the same as FHIR R4.
    """

    from atlas.atlas_file import atlas_digest, load_atlas
    from reconstruction.errors import InputError
    from reconstruction.pipeline import check_quality
    from reconstruction.sequence import STATEMENT
    from reconstruction.storage import json_text, write_json

    check_quality(quality)
    check_person(inputs, age, sex)
    reference, digest = load_atlas(atlas), atlas_digest(atlas)
    for path in inputs:
        if not path.is_file():
            raise InputError(f"expected a .face.safetensors file or a video, but {path} is no file; check the path.")
    if out is not None and out.is_dir():
        raise InputError(f"expected a file for --out, but {out} is a folder; name a .json file in it.")
    console = make_console()
    with recording_bar(console) as bar:
        task = bar.add_task("matching", total=None)

        def show(path: Path, stage: str, done: int, of: int) -> None:
            bar.update(task, description=f"{path.name}: {stage}", completed=done, total=of or None)

        sequences = [_sequence(path, template or reference.template, quality, seed, show) for path in inputs]
    matches, people = match_all(reference, inputs, sequences, age, sex)
    notes: tuple[str, ...] = ()
    if report is not None:
        notes = _reports(report, reference, digest, inputs, sequences, own_face, (age, sex))
    document = {
        "statement": STATEMENT,
        "simulated": any(m.simulated for m in (*matches, *people)),
        "atlas": digest,
        "groups": list(reference.groups),
        "template": reference.template,
        "evaluation": reference.evaluation_summary,
        "matches": [m.to_json() for m in matches],
        "people": [m.to_json() for m in people],
    }
    if out is not None:
        write_json(out, document)
    else:
        typer.echo(json_text(document), nl=False)
    for made in (*matches, *people):
        chances = ", ".join(f"{group} {p:.0%}" for group, p in made.probabilities.items())
        console.print(f"{made.input}: {made.decision} ({'; '.join(made.refusals) or chances})")
    for note in notes:
        console.print(f"note: {note}")
    if report is not None:
        console.print(f"report: {report}")
    console.print(STATEMENT)


def _reports(
    out: Path,
    atlas: "Atlas",
    digest: str,
    inputs: list[Path],
    sequences: list["FaceSequence"],
    own_face: bool,
    known: tuple[float | None, str | None],
) -> tuple[str, ...]:
    """Write a page of every person, and ``fhir.json``, into the folder `out`; what to say about them."""
    from atlas.cohort import person_of, stimulus_of
    from atlas.motion import motion_space
    from atlas.participants import sex_of
    from atlas.patient import matched_people, write_fhir, write_patient_reports
    from atlas.patient.fhir import FILE
    from reconstruction.errors import InputError
    from reconstruction.template import load_template

    if out.exists() and not out.is_dir():
        raise InputError(f"expected a folder for --report, but {out} is a file; name another.")
    template = load_template(atlas.template)
    if template.sha256 != atlas.template_sha256:
        raise InputError(
            f"expected the atlas's version of the template {atlas.template} ({atlas.template_sha256[:8]}) to draw on, "
            f"but the one installed is {template.sha256[:8]}; build the atlas anew."
        )
    persons = [person_of(path) for path in inputs]
    age, sex = known
    space = motion_space(template)
    people = matched_people(
        atlas,
        template,
        space,
        sequences,
        persons,
        [stimulus_of(path) for path in inputs],
        warnings=[check_parameters(atlas, sequence, path) for path, sequence in zip(inputs, sequences, strict=True)],
        known={(persons[0] or "input-1"): (age, sex_of(sex or ""))},
    )
    pages = write_patient_reports(people, atlas, template, space, out, digest=digest, own_face=own_face)
    return (*pages.notes, *write_fhir(out / FILE, people, atlas, digest))


def match_all(
    atlas: "Atlas",
    inputs: list[Path],
    sequences: list["FaceSequence"],
    age: float | None = None,
    sex: str | None = None,
) -> tuple[list["Match"], list["Match"]]:
    """A match for every input, and one for every person with several; a recording's person is its sub-* folder."""
    from dataclasses import replace

    from atlas.aggregation import summarise
    from atlas.cohort import person_of, stimulus_of
    from atlas.participants import sex_of
    from reconstruction.errors import InputError

    about: Any = {"age": age, "sex": sex_of(sex or "")}
    norms = atlas.matcher.norms
    measure = None if norms is None else lambda sequence: norms.measure(sequence, atlas.space)
    summaries, notes = [], []
    for path, sequence in zip(inputs, sequences, strict=True):
        notes.append(check_parameters(atlas, sequence, path))
        try:
            summaries.append(summarise(sequence, stimulus_of(path), atlas.space, atlas.units, measure))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    persons = [person_of(path) for path in inputs]
    matches = []
    for path, person, summary, note in zip(inputs, persons, summaries, notes, strict=True):
        made = atlas.matcher.match([summary], str(path), person, **about)
        matches.append(replace(made, warnings=(*made.warnings, *note)))
    people = []
    for person in sorted({p for p in persons if p is not None and persons.count(p) > 1}):
        mine = [i for i, p in enumerate(persons) if p == person]
        made = atlas.matcher.match([summaries[i] for i in mine], person, person, **about)
        extra = tuple(dict.fromkeys(note for i in mine for note in notes[i]))
        people.append(replace(made, warnings=(*made.warnings, *extra)))
    return matches, people


def check_person(inputs: list[Path], age: float | None, sex: str | None) -> None:
    """Raise InputError where an age is none, or age and sex are given for several people at once."""
    from atlas.cohort import person_of
    from reconstruction.errors import InputError

    if age is not None and not 0 < age < 120:
        raise InputError(f"expected an age in years, between 0 and 120, got {age:g}; correct --age or leave it out.")
    persons = [person_of(path) for path in inputs]
    number = len({*persons} - {None}) + persons.count(None)
    if (age is not None or sex is not None) and number > 1:
        raise InputError(
            f"expected the recordings of one person with --age or --sex, got those of {number}; match them one by one."
        )


def check_parameters(atlas: "Atlas", sequence: "FaceSequence", path: Path) -> tuple[str, ...]:
    """Warnings about parameters of another template; raises InputError where they cannot be compared at all."""
    from reconstruction.errors import InputError

    if sequence.template_sha256 == atlas.template_sha256:
        return ()
    sequence.check_known()
    joints = [name for name in atlas.space.joint_names if name not in sequence.joint_names]
    if tuple(sequence.expression_names) != atlas.space.names[: atlas.space.n_expression] or joints:
        raise InputError(
            f"expected parameters of the atlas's template {atlas.template} ({atlas.template_sha256[:8]}), but "
            f"{path} was made "
            f"with {sequence.template} ({sequence.template_sha256[:8]}), whose expressions differ; reconstruct it with "
            "the atlas's template."
        )
    return (
        f"made with another version of the template ({sequence.template} {sequence.template_sha256[:8]}, the atlas has "
        f"{atlas.template_sha256[:8]}): coefficients may not mean quite the same",
    )


def _sequence(path: Path, template: str, quality: str, seed: int, show: Any) -> "FaceSequence":
    """The parameters in a file, or reconstructed from a video."""
    from reconstruction.sequence import SUFFIXES, load

    if path.name.endswith(SUFFIXES):
        return load(path)
    from reconstruction.pipeline import reconstruct

    return reconstruct(
        path,
        template=template,
        quality=quality,
        seed=seed,
        progress=lambda stage, done, of: show(path, stage, done, of),
    )
