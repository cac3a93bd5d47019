"""The files of an atlas that people open: standard faces and overlays as meshes and pictures.

Overlay colours are RdBu_r, symmetric about zero, the same limits for every group: red where the group moves more than
the reference, blue where less. The limit and the unit are in the names of the GLB's colourings, in its extras and on
the pictures' colour bar.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from atlas.export.gltf import glb
from atlas.export.layers import face_layers
from atlas.export.standard import Track, export_standard_face, standard_extras
from atlas.figures import AtlasPictures
from atlas.figures.sheets import overlay_sheet, standard_sheet
from reconstruction.storage import write_atomically

SUFFIXES = (".glb", ".obj", ".ply", ".stl", ".vtp")


def write_gallery(
    pictures: AtlasPictures,
    out: str | Path,
    trajectories: Mapping[str, Mapping[str, Track]] | None = None,
    reliability: Mapping[str, np.ndarray] | None = None,
) -> list[Path]:
    """Write ``standard-faces/<group>.{glb,obj,mtl,ply,stl,vtp,png}`` and ``overlays/<group>.{glb,png}``.

    trajectories : {group: {stimulus: average trajectory}}, played by the GLB
    reliability : {overlay kind: (V,) 0 to 1}, kept in the VTP
    """
    out, atlas, template, space = Path(out), pictures.atlas, pictures.template, pictures.space
    written: list[Path] = []
    for group, name in file_names(atlas.groups).items():
        tracks = (trajectories or {}).get(group)
        for suffix in SUFFIXES:
            path = out / "standard-faces" / f"{name}{suffix}"
            export_standard_face(atlas, template, space, group, path, trajectories=tracks, reliability=reliability)
            written += [path, path.with_suffix(".mtl")] if suffix == ".obj" else [path]
        for folder, suffix, content in (
            ("overlays", ".glb", _overlay(pictures, group)),
            ("standard-faces", ".png", standard_sheet(pictures, [group]).png()),
            ("overlays", ".png", overlay_sheet(pictures, [group]).png()),
        ):
            path = out / folder / f"{name}{suffix}"
            write_atomically(path, content)
            written.append(path)
    return written


def _overlay(pictures: AtlasPictures, group: str) -> bytes:
    """The standard face in the colours of its first overlay alone, for viewers that show one colouring of a file."""
    atlas, template = pictures.atlas, pictures.template
    layer = face_layers(atlas, template, group)[1]
    extras = standard_extras(atlas, template, group) | {"overlay": layer.name} | dict(layer.note)
    return glb(layer.name, pictures.vertices(group), template.faces, [layer], extras=extras)


def file_names(groups: Sequence[str]) -> dict[str, str]:
    """{group: file name}: no two alike, even where a file system takes capitals for small letters."""
    names: dict[str, str] = {}
    for group in groups:
        name, number = file_name(group), 1
        while name.casefold() in {taken.casefold() for taken in names.values()}:
            number += 1
            name = f"{file_name(group)}-{number}"
        names[group] = name
    return names


def file_name(group: str) -> str:
    """A group's name as a file name: letters and digits of any script, full stops, hyphens and underscores; at most 80
    bytes.
    """
    name = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", group)).strip(".-")
    return name.encode()[:80].decode(errors="ignore") or "group"
