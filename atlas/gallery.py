"""The files of an atlas that people open: standard faces and overlays as meshes and pictures.

Overlay colours are RdBu_r, symmetric about zero, the same limits for every group: red where the group moves more than
the reference, blue where less. The limit and the unit are in the GLB's extras and on the pictures' colour bar.
"""

import re
from pathlib import Path
from typing import Any

from atlas.export import write_mesh
from atlas.figures import AtlasPictures, write_sheets
from atlas.figures.colours import DIFFERENCE_MAP
from atlas.figures.sheets import overlay_sheet, standard_sheet
from atlas.overlay import MOTION
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically

SUFFIXES = (".glb", ".obj", ".ply")


def write_gallery(pictures: AtlasPictures, out: str | Path) -> list[Path]:
    """Write ``standard-faces/<group>.{glb,obj,ply,png}``, ``overlays/<group>.{glb,png}`` and ``figures/*.png``."""
    out, atlas, template = Path(out), pictures.atlas, pictures.template
    written: list[Path] = []
    for group in atlas.groups:
        face, overlay = atlas.standard_faces[group][None], atlas.overlays[group][MOTION]
        vertices = pictures.vertices(group)
        extras: dict[str, Any] = {
            "statement": STATEMENT,
            "simulated": atlas.simulated,
            "group": group,
            "people": face.people,
            "template": template.name,
            "template_licence": template.licence,
        }
        name = file_name(group)
        mean = extras | {"content": "mean identity with mean expression", "expression_exaggeration": 1}
        for suffix in SUFFIXES:
            path = out / "standard-faces" / f"{name}{suffix}"
            written.append(write_mesh(path, vertices, template.faces, template.colours, extras=mean))
        difference = extras | {
            "content": "motion relative to the reference group, mm, red more, blue less",
            "reference": overlay.reference,
            "colour_map": DIFFERENCE_MAP,
            "colour_limit_mm": pictures.difference_limit_mm,
        }
        path = out / "overlays" / f"{name}.glb"
        colours = pictures.difference_colours(group)
        written.append(write_mesh(path, vertices, template.faces, colours, extras=difference))
        for folder, sheet in (
            ("standard-faces", standard_sheet(pictures, [group])),
            ("overlays", overlay_sheet(pictures, [group])),
        ):
            path = out / folder / f"{name}.png"
            write_atomically(path, sheet.png())
            written.append(path)
    return [*written, *write_sheets(pictures, out / "figures")]


def file_name(group: str) -> str:
    """A group's name as a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", group).strip(".-") or "group"
