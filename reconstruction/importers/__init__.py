"""Head models of others, read once into a template of ours: FLAME, ICT-FaceKit, GNM Head."""

from dataclasses import replace
from pathlib import Path

from reconstruction.errors import InputError
from reconstruction.importers.flame import read_flame
from reconstruction.importers.gnm import read_gnm
from reconstruction.importers.head import Head
from reconstruction.importers.ict import read_ict
from reconstruction.importers.npz import array_names
from reconstruction.template import Template


def import_template(
    source: str | Path, *, name: str | None = None, n_shape: int | None = None, n_expression: int | None = None
) -> Template:
    """A template from a FLAME pickle, ICT-FaceKit's folder or npz, or a GNM Head npz.

    name : what to call it; that of the source unless given
    n_shape, n_expression : how many components to keep, those that move most; all unless given

    Raises
    ------
    InputError
        The source is missing, none of these, damaged or hostile, or the detector does not find its face.
    """
    head = read_head(Path(source)).largest(n_shape, n_expression)
    return (replace(head, name=name) if name else head).to_template()


def read_head(source: Path) -> Head:
    """What the source holds, by its kind."""
    if source.is_dir():
        return read_ict(source)
    if not source.is_file():
        raise InputError(f"expected a head model, but {source} does not exist; check the path.")
    if source.suffix == ".pkl":
        return read_flame(source)
    if source.suffix == ".npz":
        return read_gnm(source) if "template_vertex_positions" in array_names(source) else read_ict(source)
    raise InputError(
        f"expected a FLAME .pkl, an ICT-FaceKit folder or .npz, or a GNM Head .npz, but got {source}; check the path."
    )
