"""Vertices of FLAME's parameters, for layouts that hold them."""

import io
from pathlib import Path

import numpy as np
import torch

from atlas.exchange.flame import FlameCodes
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.storage import write_atomically
from reconstruction.template import Template


def posed_vertices(codes: FlameCodes, template: Template | None, frames: slice) -> np.ndarray:
    """(N, V, 3) float32 metres: the model's vertices, all joints turned as FLAME turns them.

    Raises
    ------
    InputError
        The template is not given.
    """
    if template is None:
        raise InputError("expected the template for --meshes, but it was not given; name its file with --template.")
    shape = np.pad(codes.shape, (0, template.n_shape - len(codes.shape)))[None]
    expression, pose = codes.expression[frames], codes.pose[frames]
    expression = np.pad(expression, [(0, 0), (0, template.n_expression - expression.shape[1])])
    with torch.no_grad():
        return FaceModel(template)(*map(torch.from_numpy, (shape, expression, pose))).numpy()


def write_obj(path: Path, vertices: np.ndarray, template: Template) -> None:
    """Write a plain .obj of the template's triangles; its numbers have the unit of `vertices` (V, 3)."""
    text = io.StringIO()
    np.savetxt(text, vertices, "v %.7f %.7f %.7f")
    np.savetxt(text, template.faces + 1, "f %d %d %d")
    write_atomically(path, text.getvalue().encode())
