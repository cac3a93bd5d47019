"""All figures of an atlas."""

from collections.abc import Sequence

import numpy as np

from atlas.biomarkers.table import BiomarkerTable
from atlas.figures.courses import MeanMotion, course_figure, unit_courses
from atlas.figures.face_map import FaceMap, Parts
from atlas.figures.forest import forest
from atlas.figures.overlays import AtlasPictures
from atlas.figures.page import AtlasFigure
from atlas.figures.panels import panels
from atlas.figures.sheets import atlas_sheets
from atlas.statistics.effect import Effect

_FORESTS = {  # levels: the figure's name and title
    ("unit",): ("effects-units", "Effects: action units"),
    ("measure",): ("effects-measures", "Effects: movement and expressivity"),
    ("region", "organ"): ("effects-regions", "Effects: regions and organs"),
}


def atlas_figures(
    pictures: AtlasPictures,
    table: BiomarkerTable | None = None,
    effects: Sequence[Effect] = (),
    parts: Sequence[Parts] = (),
    motions: Sequence[MeanMotion] = (),
) -> list[AtlasFigure]:
    """Sheets; panels of the parts; forest plots of the effects; courses before each stimulus. Each has its `alt` text.

    table, effects : of ``biomarkers.tsv`` and ``statistics.tsv``
    parts : sets of parts whose quantities the table may hold
    motions : average trajectories of groups and stimuli
    """
    atlas = pictures.atlas
    out = atlas_sheets(pictures)
    labels: dict[str, str] = {}
    if table is not None:
        out += panels(
            table, effects, parts, FaceMap(pictures.template), atlas.reference, simulated=atlas.simulated
        )  # fmt: skip
        labels = {
            q.name: f"{q.name.partition('_')[0]} {q.label}" if q.level == "unit" else q.label for q in table.quantities
        }
    for levels, (name, title) in _FORESTS.items():
        own = [effect for effect in effects if effect.level in levels and np.isfinite(effect.d)]
        if own:
            out.append(forest(name, title, own, labels, simulated=atlas.simulated))
    for stimulus in sorted({motion.stimulus for motion in motions}):
        own_courses = unit_courses([m for m in motions if m.stimulus == stimulus], pictures.template, pictures.space)
        title = f"Average course before {stimulus}"
        out.append(
            course_figure(f"course-{stimulus}", title, own_courses, atlas.reference, simulated=atlas.simulated)
        )  # fmt: skip
    return out
