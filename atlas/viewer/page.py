"""The viewer's page: a shell that `viewer/` builds (markup, styles, program with three.js) and the atlas inside it.

Nothing is fetched when it is opened: the page's Content-Security-Policy allows no connection at all and runs no script
but the one whose hash it names. The atlas lies in a block of JSON, in which every character that HTML could read as
markup is escaped, so that a group may be called anything.
"""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from atlas.atlas import Atlas
from atlas.biomarkers.table import BiomarkerTable
from atlas.motion import MotionSpace
from atlas.statistics import Effect
from atlas.viewer.scene import Places, Trajectories, scene
from reconstruction.errors import InputError
from reconstruction.storage import write_atomically
from reconstruction.template import Template

SHELL = "shell.html"
SOURCES = Path(__file__).resolve().parents[2] / "viewer"  # of the program, in a copy of the repository
MARK = "%ATLAS%"  # once in the shell, where the document goes
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def write_viewer(
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    effects: Sequence[Effect],
    out: str | Path,
    *,
    places: Places | None = None,
    trajectories: Trajectories | None = None,
    table: BiomarkerTable | None = None,
    reliability: np.ndarray | None = None,
) -> Path:
    """Write the viewer to `out`, an ``.html`` path; the same bytes for the same atlas.

    effects : rows of ``statistics.tsv``, listed and shown where the pointer is
    places : {set: {place: (V,) weights}}, such as ``emoface16``; a vertex belongs to the place that weighs most. A
        quantity of `table` lies in the place of its name, of the set that its family begins with
    trajectories : {group: {stimulus: average motion over time}}, played where there is one; elsewhere the face goes
        from neutral to its mean expression and back
    table : biomarkers of the cohort: words for what the effects name, and means of the groups; of no single person
    reliability : (V,) 0 to 1, of motion at every vertex, NaN where unknown; by default that of the effects' places

    Raises
    ------
    InputError
        The shell has not been built.
    """
    document = scene(atlas, template, space, effects, places, trajectories, table, reliability)
    write_atomically(out, viewer_page(document).encode())
    return Path(out)


def viewer_page(document: dict[str, object]) -> str:
    """The page that shows a document of `atlas.viewer.scene.scene`.

    Raises
    ------
    InputError
        The shell has not been built.
    """
    shell = resources.files("atlas.viewer").joinpath(SHELL)
    if not shell.is_file():
        raise InputError(
            "expected the viewer's program, but this face-atlas was installed without it; "
            + ("run `make setup`." if SOURCES.is_dir() else "install it again without FACE_ATLAS_NO_VIEWER.")
        )
    content = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for character, escape in _MARKUP.items():
        content = content.replace(character, escape)
    return shell.read_text("utf-8").replace(MARK, content, 1)
