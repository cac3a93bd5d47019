"""``face-atlas export``: parameters or an atlas's standard face as a file other programs read."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    source: Annotated[Path, typer.Argument(help="A .face.safetensors file, or an atlas.", show_default=False)],
    out: Annotated[
        Path, typer.Option(help="What to write: .glb, .obj, .ply, .stl, .vtp, .usdz, or .npz.", show_default=False)
    ],
    group: Annotated[str | None, typer.Option(help="Whose standard face, of an atlas.", show_default=False)] = None,
    template: Annotated[
        str | None, typer.Option(help="Template name or file.", show_default="atlas-head, or the atlas's")
    ] = None,
    detail: Annotated[
        bool, typer.Option("--detail", help="With the wrinkles that reconstruct --detail wrote beside the file.")
    ] = False,
    animate: Annotated[
        bool, typer.Option("--animate", help="A .glb that plays the recording, with the expressions as morph targets.")
    ] = False,
) -> None:
    """Export a person's neutral face, or all frames (.npz), or a group's standard face.

    .glb for slides, Blender and browsers; .obj with .mtl and .ply for modelling; .stl for printing, closed, in
    millimetres; .vtp for ParaView; .usdz for Apple's viewers (needs usd-core).
    """
    from atlas.atlas_file import FILE
    from atlas.export.face import SUFFIXES, export_face
    from atlas.export.mesh import check_suffix
    from reconstruction.errors import InputError

    check_suffix(out, SUFFIXES)
    if source.is_dir() or source.name == FILE:
        if detail or animate:
            raise InputError(
                f"expected a person's .face.safetensors file for --detail or --animate, but {source} is an atlas; "
                "leave them out: a standard face has no wrinkles, and its .glb is animated anyway."
            )
        path, simulated = _export_group(source, group, template, out)
    else:
        from reconstruction.detail_map import load_detail_beside
        from reconstruction.sequence import load
        from reconstruction.template import DEFAULT, load_template

        if group is not None:
            raise InputError(
                f"expected an atlas for --group, but {source} is no folder and no {FILE}; leave --group out, or name "
                "the folder that face-atlas build wrote."
            )
        sequence = load(source)
        wrinkles = load_detail_beside(source) if detail else None
        path = export_face(sequence, load_template(template or DEFAULT), out, wrinkles, animate=animate)
        simulated = ", simulated person" if sequence.simulated else ""
    typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB{simulated})")


def _export_group(source: Path, group: str | None, template: str | None, out: Path) -> tuple[Path, str]:
    from atlas.atlas_file import load_atlas
    from atlas.biomarkers.vertex_reliability import vertex_reliability
    from atlas.export import export_standard_face
    from atlas.export.mesh import check_suffix
    from atlas.motion import motion_space
    from reconstruction.errors import InputError
    from reconstruction.template import load_template

    check_suffix(out)
    atlas = load_atlas(source)
    if group not in atlas.groups:
        found = "none" if group is None else group
        raise InputError(
            f"expected one of the atlas's groups {', '.join(atlas.groups)}, got {found}; name one with --group."
        )
    head = load_template(template or atlas.template)
    if head.sha256 != atlas.template_sha256:
        raise InputError(
            f"expected the template {atlas.template} ({atlas.template_sha256[:8]}) that the atlas was built with, got "
            f"{head.name} ({head.sha256[:8]}); name its file with --template."
        )
    people = atlas.standard_faces[group][None].people
    said = f", average of {people} {'simulated people' if atlas.simulated else 'people'}"
    space = motion_space(head)
    reliability = vertex_reliability(head, space, atlas.reliability.stage)
    tracks = atlas.trajectories.get(group)
    path = export_standard_face(atlas, head, space, group, out, trajectories=tracks, reliability=reliability)
    return path, said
