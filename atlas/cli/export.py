"""``face-atlas export``: parameters as a file other programs read."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    file: Annotated[Path, typer.Argument(help="A .face.safetensors file.", show_default=False)],
    out: Annotated[Path, typer.Option(help="What to write: .npz, .glb, .obj or .ply.", show_default=False)],
    template: Annotated[str, typer.Option(help="The template of the parameters, by name or file.")] = "atlas-head",
    detail: Annotated[
        bool, typer.Option("--detail", help="With the wrinkles that reconstruct --detail wrote beside the file.")
    ] = False,
) -> None:
    """Export a person's parameters: .npz holds every frame, .glb, .obj and .ply the neutral face."""
    from atlas.export.face import check_suffix, export_face

    check_suffix(out)
    from reconstruction.detail_map import load_detail_beside
    from reconstruction.sequence import load
    from reconstruction.template import load_template

    sequence = load(file)
    path = export_face(sequence, load_template(template), out, load_detail_beside(file) if detail else None)
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB{', simulated person' if sequence.simulated else ''})")
