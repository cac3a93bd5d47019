"""One person's recording as a file other programs read."""

from pathlib import Path

from atlas.export.arrays import arrays_of, detail_arrays, write_arrays_npz
from atlas.export.mesh import SUFFIXES as MESH_SUFFIXES
from atlas.export.mesh import write_mesh
from reconstruction.detail_map import DetailMap, detailed_mesh
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.template import Template

SUFFIXES = (".npz", *MESH_SUFFIXES)


def export_face(sequence: FaceSequence, template: Template, path: str | Path, detail: DetailMap | None = None) -> Path:
    """Write ``.npz`` (all frames, see `arrays_of`) or ``.glb``, ``.obj``, ``.ply`` (the person's neutral face); with
    wrinkles where `detail` is given, on a finer mesh, in ``.npz`` beside the rest.

    Raises
    ------
    InputError
        The suffix is another one, or the parameters belong to another template.
    """
    path = Path(path)
    check_suffix(path)
    if path.suffix.lower() == ".npz":
        arrays = arrays_of(sequence, template)
        if detail is not None:
            arrays |= detail_arrays(sequence, template, detail)
        return write_arrays_npz(path, arrays)
    extras = {
        "content": "neutral face of one person" + (", simulated" if sequence.simulated else ""),
        "licence": template.licence,
        "source": template.source,
        "statement": STATEMENT,
        "template": template.name,
        "simulated": sequence.simulated,
    }
    if detail is not None:
        extras["detail"] = detail.finding
        return write_mesh(path, *detailed_mesh(detail, template, sequence.neutral(template)), extras=extras)
    return write_mesh(path, sequence.neutral(template), template.faces, template.colours, extras=extras)


def check_suffix(path: Path) -> None:
    """Raise InputError unless the suffix is one of `SUFFIXES`."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"expected an output file ending in {', '.join(SUFFIXES)}, got {path.name}; change the ending."
        )
