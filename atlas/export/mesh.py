"""One coloured triangle mesh, and the file formats it is written in; the same content gives the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.errors import InputError
from reconstruction.storage import write_atomically
from reconstruction.template import Template

SUFFIXES = (".glb", ".obj", ".ply", ".stl", ".vtp", ".usdz")
WET = ("sclera", "iris", "pupil", "teeth")  # parts that shine


@dataclass(frozen=True)
class Mesh:
    """What a mesh file shows.

    vertices : (V, 3) metres; x to the subject's left, y up, z out of the face
    faces : (F, 3); colours : (V, 3) uint8 sRGB
    part_names, parts : materials by name, and of every vertex (V,) its number; by default all is one part
    extras : what the reader should know, plain JSON values, as far as the format can say it
    arrays : (V,) or (V, D) of every vertex by name, for ``.vtp``
    """

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    part_names: tuple[str, ...] = ("face",)
    parts: np.ndarray | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, template: Template, vertices: np.ndarray, extras: Mapping[str, Any], **more: Any) -> "Mesh":
        """A head of the template, in its own colours."""
        parts = template.part_names, template.parts
        return cls(vertices, template.faces, template.colours, *parts, extras, **more)

    @property
    def face_parts(self) -> np.ndarray:
        """(F,) the part of every triangle: that of two of its corners, or of the middle one where all differ."""
        parts = np.zeros(len(self.vertices), int) if self.parts is None else self.parts
        return np.sort(parts[self.faces], 1)[:, 1]

    def of_parts(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """{part: (triangle numbers, mean colour (3,) sRGB in 0..1)}, parts without triangles left out."""
        found = {}
        of_face = self.face_parts
        for number, name in enumerate(self.part_names):
            triangles = np.flatnonzero(of_face == number)
            if len(triangles):
                own = np.arange(len(self.vertices)) if self.parts is None else np.flatnonzero(self.parts == number)
                found[name] = (triangles, self.colours[own].mean(0) / 255)
        return found


def write_mesh(path: str | Path, mesh: Mesh) -> Path:
    """Write a mesh; the suffix decides the format. Beside an ``.obj`` lies its ``.mtl``. Returns the path.

    Raises
    ------
    InputError
        The suffix is none of `SUFFIXES`, or ``.usdz`` is wanted and OpenUSD is not installed.
    """
    path = check_suffix(path)
    match path.suffix.lower():
        case ".glb":
            from atlas.export.gltf import Layer, glb

            skin = Layer("face", mesh.colours, lit=True)
            content = glb("face", mesh.vertices, mesh.faces, [skin], extras=mesh.extras)
        case ".obj":
            from atlas.export.obj import mtl, obj

            materials = path.with_suffix(".mtl")
            write_atomically(materials, mtl(mesh))
            content = obj(mesh, materials.name)
        case ".ply":
            from atlas.export.ply import ply

            content = ply(mesh)
        case ".stl":
            from atlas.export.stl import stl

            content = stl(mesh)
        case ".vtp":
            from atlas.export.vtp import vtp

            content = vtp(mesh)
        case _:
            from atlas.export.usd import usdz

            content = usdz(mesh)
    write_atomically(path, content)
    return path


def check_suffix(path: str | Path, suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """The path; raises InputError unless its suffix is one of `suffixes`."""
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"expected an output file ending in {', '.join(suffixes)}, got {path.name}; change the ending."
        )
    return path
