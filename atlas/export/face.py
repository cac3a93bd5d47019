"""One person's recording as a file other programs read."""

from pathlib import Path

from atlas.export.arrays import arrays_of, write_arrays_npz
from atlas.export.mesh import SUFFIXES as MESH_SUFFIXES
from atlas.export.mesh import write_mesh
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.template import Template

SUFFIXES = (".npz", *MESH_SUFFIXES)


def export_face(sequence: FaceSequence, template: Template, path: str | Path) -> Path:
    """Write ``.npz`` (all frames, see `arrays_of`) or ``.glb``, ``.obj``, ``.ply`` (the person's neutral face).

    Raises
    ------
    InputError
        The suffix is another one, or the parameters belong to another template.
    """
    path = Path(path)
    check_suffix(path)
    if path.suffix.lower() == ".npz":
        return write_arrays_npz(path, arrays_of(sequence, template))
    extras = {
        "content": "neutral face of one person" + (", simulated" if sequence.simulated else ""),
        "licence": template.licence,
        "source": template.source,
        "statement": STATEMENT,
        "template": template.name,
        "simulated": sequence.simulated,
    }
    return write_mesh(path, sequence.neutral(template), template.faces, template.colours, extras=extras)


def check_suffix(path: Path) -> None:
    """Raise InputError unless the suffix is one of `SUFFIXES`."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"expected an output file ending in {', '.join(SUFFIXES)}, got {path.name}; change the ending."
        )
