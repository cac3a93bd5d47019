"""The folder of an atlas: everything `face-atlas build` writes, one line each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from atlas.atlas import Atlas
from atlas.atlas_file import FILE, atlas_digest, save_atlas
from atlas.biomarkers.biomarker_file import write_biomarkers
from atlas.biomarkers.recording import FaceParts
from atlas.biomarkers.table import BiomarkerTable
from atlas.biomarkers.vertex_reliability import vertex_reliability
from atlas.cohort import Cohort
from atlas.figures import AtlasPictures, atlas_figures, write_figure
from atlas.gallery import write_gallery
from atlas.model_card import write_model_card
from atlas.overlay import MOTION
from atlas.reading import Reading
from atlas.report import WrittenReport, write_report
from atlas.statistics import write_statistics
from atlas.viewer import write_viewer
from reconstruction.errors import InputError
from reconstruction.storage import write_json
from reconstruction.template import Template

SUMMARY, PEOPLE, BIOMARKERS, STATISTICS, VIEWER = (
    "atlas.json", "people.json", "biomarkers.tsv", "statistics.tsv", "viewer.html"
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Biomarkers of the people of an atlas, and the parts of the face they were measured with."""

    table: BiomarkerTable
    parts: FaceParts


def write_folder(
    out: Path, atlas: Atlas, cohort: Cohort, reading: Reading, measured: Measured, template: Template, command: str
) -> WrittenReport:
    """Write an atlas and what is made from it into the folder `out`; returns where the report lies.

    ``people.json``, how everyone was matched when held out, and ``biomarkers.tsv`` with its ``.json`` are personal
    data; the rest rests on groups.

    command : how the program was called, without paths
    """
    table, parts = measured.table, measured.parts
    space, effects = parts.space, atlas.statistics.effects
    trajectories = [t for of_group in atlas.trajectories.values() for t in of_group.values()]
    reliability = vertex_reliability(template, space, atlas.reliability.stage)
    pictures = AtlasPictures(atlas, template, space, reliability)
    figures = atlas_figures(pictures, table, effects, parts.sets, trajectories)

    write_json(out / SUMMARY, atlas.summary())
    if atlas.evaluation is not None:
        about: dict[str, Any] = {"simulated": atlas.simulated, **atlas.evaluation.people_json()}
        write_json(out / PEOPLE, {**about, "notes": [*cohort.warnings, *reading.notes]})
    save_atlas(atlas, out / FILE)
    write_model_card(out, atlas, template, atlas_digest(out / FILE))
    write_statistics(effects, out / STATISTICS)
    write_biomarkers(
        table,
        out / BIOMARKERS,
        reliability=atlas.quantity_reliability,
        simulated=atlas.simulated,
        origin=template.name,
    )
    write_gallery(pictures, out, atlas.trajectories, reliability)
    drawn = {figure.name: (write_figure(figure, out / "figures")[0], figure.alt) for figure in figures}
    notes = _viewer(out / VIEWER, atlas, template, measured, reliability)
    report = write_report(
        atlas,
        cohort,
        reading,
        out,
        pictures,
        statistics=atlas.statistics,
        biomarkers=table,
        figures=drawn,
        command=command,
    )
    return replace(report, notes=(*notes, *report.notes))


def _viewer(
    path: Path, atlas: Atlas, template: Template, measured: Measured, reliability: Mapping[str, np.ndarray]
) -> tuple[str, ...]:
    """Write the viewer; what to say where it could not be."""
    places = {s.name: dict(zip(s.places, s.weights, strict=True)) for s in measured.parts.sets if s.name != "keypoint"}
    try:
        write_viewer(
            atlas,
            template,
            measured.parts.space,
            atlas.statistics.effects,
            path,
            places=places,
            trajectories=atlas.trajectories,
            table=measured.table,
            reliability=reliability.get(MOTION),
        )
    except InputError as error:
        path.unlink(missing_ok=True)
        return (f"{VIEWER} was left out: {error}",)
    return ()
