"""``face-atlas convert``: parameters of other tools in, ours out, and from one head model to another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from atlas.exchange.correspondence import Correspondence
    from reconstruction.sequence import FaceSequence
    from reconstruction.template import Template


def convert(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Files or folders of one recording each, or folders of them."),
    ],
    to: Annotated[
        str,
        typer.Option(
            help="What to write: face (.face.safetensors), emoface, emoca, deca, vhap, mica, openface or parquet.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="What the inputs are: those of --to, or fex, or biomarkers (a .tsv).",
            show_default="what they look like",
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            help="Template that the parameters belong to, name or file; for FLAME's what template import made of it.",
            show_default="the one they name",
        ),
    ] = None,
    onto: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE", help="Transfer to this template by fitting its mesh, name or file.", show_default=False
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second, where the inputs do not tell or tell it wrongly.")
    ] = None,
    meshes: Annotated[
        bool, typer.Option("--meshes", help="Vertices too, in the layouts that have them (needs the template).")
    ] = False,
) -> None:
    """Convert recordings between this project's files and Emoface, EMOCA, DECA, VHAP, MICA, OpenFace, Py-Feat, Parquet.

    Numbers stay what they are, to the format's own precision. What a format does not hold is said; docs/format.md lists
    it. No pickle is opened. Of several recordings, one that cannot be converted is left out and named; participants.tsv
    and what else lies beside them is not copied.
    """
    from atlas.exchange.formats import TABLE, WRITTEN, find_sources, read, to_table, write
    from reconstruction.errors import InputError
    from reconstruction.storage import check_folder
    from reconstruction.template import load_template

    if to not in WRITTEN:
        raise InputError(f"expected --to {', '.join(list(WRITTEN)[:-1])} or {list(WRITTEN)[-1]}, got {to!r}; name one.")
    sources = find_sources(inputs, source)
    if tables := [s for s in sources if s.format == TABLE and to != "parquet"]:
        raise InputError(f"expected --to parquet for the table {tables[0].path}, got {to}; it holds no parameters.")
    check_folder(out)
    own = None if template is None else load_template(template)
    target = None if onto is None else load_template(onto)
    taken = {s.path.resolve() for s in sources}
    if clash := [s for s in sources if (out / f"{s.name}{WRITTEN[to]}").resolve() in taken]:
        raise InputError(f"expected another folder for --out: there, {clash[0].path} would be overwritten; name one.")
    console = make_console()
    pairs: dict[str, Correspondence] = {}
    said: dict[str, int] = {}
    failed: list[InputError] = []
    written: list[tuple[Path, str]] = []
    with recording_bar(console) as bar:
        task = bar.add_task("converting", total=len(sources))
        for one in sources:
            try:
                if one.format == TABLE:
                    path, rows = to_table(one, out / one.name)
                    written.append((path, f"{rows} rows"))
                    bar.advance(task)
                    continue
                sequence, notes = read(one, own, fps)
                model = own
                if target is not None:
                    made, more = _onto(sequence, own, target, pairs)
                    sequence, model, notes = made, target, [*notes, *more]
                path, lost = write(sequence, to, out / one.name, model, meshes)
            except InputError as error:
                if len(sources) == 1:
                    raise
                failed.append(error)
                console.print(f"note: {one.name} was left out: {error}")
                bar.advance(task)
                continue
            for note in dict.fromkeys((*notes, *lost)):
                said[note] = said.get(note, 0) + 1
            who = "simulated person, " if sequence.simulated else ""
            written.append((path, f"{who}{int(sequence.valid.sum())} of {len(sequence)} frames, {sequence.template}"))
            bar.advance(task)
    if not written:
        raise InputError(f"expected recordings that can be converted, but there is none; the first: {failed[0]}")
    for note, count in said.items():
        console.print(f"note: {note}{f' ({count} recordings)' if count > 1 else ''}")
    for path, what in written:
        typer.echo(f"{path}: {what}")


def _onto(
    sequence: "FaceSequence", own: "Template | None", target: "Template", pairs: "dict[str, Correspondence]"
) -> "tuple[FaceSequence, list[str]]":
    """The recording as parameters of `target`; places that correspond are found once a template."""
    from atlas.exchange.correspondence import correspond
    from atlas.exchange.transfer import transfer
    from reconstruction.template import load_template

    sequence.check_known()
    source = own or load_template(sequence.template)
    sequence.check_template(source)
    if source.sha256 not in pairs:
        pairs[source.sha256] = correspond(source, target)
    made = transfer(sequence, source, target, pairs[source.sha256])
    return made.sequence, made.notes
