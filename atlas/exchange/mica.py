"""MICA's result: a person's identity.npy (300 FLAME shape components), and the neutral mesh in millimetres."""

from pathlib import Path

import numpy as np

from atlas.exchange.arrays import read_npy, shaped, write_npy
from atlas.exchange.flame import N_EXPRESSION, N_SHAPE, FlameCodes, cut
from atlas.exchange.meshes import write_obj
from atlas.exchange.timing import Timing
from reconstruction.errors import InputError
from reconstruction.template import Template

FILE = "identity.npy"


def read_mica(path: Path) -> FlameCodes:
    """The identity as a recording of one neutral frame; `path` is the file or its folder.

    Raises
    ------
    InputError
        The file is missing, hostile or of another shape.
    """
    file = path / FILE if path.is_dir() else path
    identity = shaped(read_npy(file), str(file), N_SHAPE)
    if len(identity) != 1:
        raise InputError(f"expected the identity of one person in {file}, got {len(identity)}; give them one by one.")
    still = np.zeros((1, 5, 3), np.float32)
    notes = ("an identity alone: one neutral frame",)
    timing = Timing.even(np.zeros(1, int), 1.0)
    return FlameCodes(identity[0], np.zeros((1, N_EXPRESSION), np.float32), still, None, timing, notes)


def write_mica(codes: FlameCodes, folder: Path, template: Template | None) -> list[str]:
    """Write identity.npy, and with the template mesh.obj in millimetres; returns what is lost."""
    notes = [f"all {len(codes)} frames left out: the layout holds an identity alone"]
    write_npy(folder / FILE, cut(codes.shape, N_SHAPE, "shape components", notes))
    if template is None:
        notes.append("mesh.obj not written: it needs --template")
    else:
        shape = np.pad(codes.shape, (0, template.n_shape - len(codes.shape)))
        write_obj(folder / "mesh.obj", 1000 * (template.v_template + template.shapedirs @ shape), template)
    return notes
