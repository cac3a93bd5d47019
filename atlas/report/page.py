"""The report: gathers what there is to tell and hands it to the jinja2 templates beside this file.

One HTML file with everything in it (pictures as data URIs, the style sheet inline, no script and no address outside),
and the same content as PDF, where tables that the page folds away stand in an appendix. The same atlas and cohort give
the same bytes; only the demonstration's report holds timings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.aggregation import MIN_FRAMES, STILL_MM
from atlas.atlas import Atlas
from atlas.atlas_file import FILE
from atlas.biomarkers.table import BiomarkerTable
from atlas.cohort import Cohort
from atlas.evaluation import wilson
from atlas.figures import AtlasPictures
from atlas.motion import motion_space
from atlas.overlay import MOTION
from atlas.person_weights import AGE_BANDS
from atlas.reading import Reading
from atlas.report.effects import ALPHA, REACH, contrasted, level_tables, planted_effects, planted_rows
from atlas.report.environment import page_environment
from atlas.report.extras import DemoExtras, match_rows
from atlas.report.group_means import means_tables
from atlas.report.methods import Citations
from atlas.report.paper import pdf_of
from atlas.report.people import participant_flow, table_one
from atlas.report.pictures import SHOWN_ANYWAY, Content, atlas_pictures, data_uri, figure_of
from atlas.report.provenance import hashes, versions
from atlas.statistics import Statistics
from atlas.statistics.interval import RESAMPLES
from atlas.statistics.tfce import EXTENT, HEIGHT
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically
from reconstruction.template import load_template

NAME, PAPER = "report.html", "report.pdf"
SMALL_GROUP = 30  # people; below it a group is named among the limits


@dataclass(frozen=True)
class WrittenReport:
    """html : the page; pdf : the paper, None where it could not be made; notes : why not, in one sentence."""

    html: Path
    pdf: Path | None
    notes: tuple[str, ...] = ()


def write_report(
    atlas: Atlas,
    cohort: Cohort,
    reading: Reading,
    out: str | Path,
    pictures: AtlasPictures | None = None,
    *,
    statistics: Statistics | None = None,
    biomarkers: BiomarkerTable | None = None,
    figures: Mapping[str, tuple[Content, str]] | None = None,
    command: str | None = None,
    atlas_file: str | Path | None = None,
    matches: Sequence[Mapping[str, Any]] = (),
    true_groups: Mapping[str, str] | None = None,
    demo: DemoExtras | None = None,
) -> WrittenReport:
    """Write ``report.html`` and ``report.pdf`` into the folder `out`.

    cohort, reading : that the atlas was built from; no parameter file is read
    pictures : of the atlas; drawn with the template of its name where they are not given
    statistics : rows of ``statistics.tsv`` and how they were computed; the report says where there are none
    biomarkers : of the same people, for the groups' means
    figures : {name: (PNG or SVG, as bytes or a path, and its words with n, unit and sign)}, shown in this order but
        for those that the page draws itself
    command : how the program was called, without paths
    atlas_file : whose hash is told; ``atlas.safetensors`` in `out` where none is named and it is there
    matches : of people who are not in the atlas, as `Match.to_json` gives them; they are shown by their names
    true_groups : {person: group} where they are known
    demo : what only the demonstration knows

    Nobody of the cohort is named. Where the PDF's library cannot be loaded the page is written all the same and the
    note says what to install; a PDF of an earlier run is removed, because it would not belong to the page.

    Raises
    ------
    InputError
        The template cannot be found, or a figure cannot be read.
    """
    if pictures is None:
        head = load_template(atlas.template)
        pictures = AtlasPictures(atlas, head, motion_space(head))
    out = Path(out)
    atlas_file = out / FILE if atlas_file is None else Path(atlas_file)
    effects = statistics.effects if statistics else ()
    scores = tuple(dict.fromkeys(e.contrast for e in effects if contrasted(e.contrast, atlas.groups) is None))
    used = (*(statistics.covariates if statistics else ()), *scores)
    groups, evaluation = atlas.groups, atlas.evaluation_summary
    planted = planted_effects(cohort) if atlas.simulated else {}
    context: dict[str, Any] = {
        "atlas": atlas,
        "statement": STATEMENT,
        "simulated": atlas.simulated,
        "kind": "simulated people" if atlas.simulated else "people",
        "flow": participant_flow(cohort, reading),
        "table_one": table_one(reading.people, groups, used),
        "pictures": atlas_pictures(pictures),
        "levels": level_tables(effects, groups, atlas.reliability, biomarkers),
        "planted": planted_rows(planted, effects, groups, atlas.reference) if planted and effects else None,
        "means": means_tables(biomarkers, groups) if biomarkers else [],
        "figures": [figure_of(n, *shown) for n, shown in (figures or {}).items() if n not in SHOWN_ANYWAY],
        "statistics": statistics if effects else None,
        "scores": scores,
        "surface": any(effect.level == "vertex-cluster" for effect in effects),
        "command": command,
        "small_groups": [g for g in groups if atlas.standard_faces[g][None].people < SMALL_GROUP],
        "evaluation": evaluation,
        "right": sum(evaluation["confusion"][group][group] for group in groups),
        "matches": match_rows(matches, true_groups or {}, groups) if matches else None,
        "demo": demo,
        "demo_frames": [(data_uri(content), told) for content, told in demo.frames] if demo else [],
        "template": pictures.template,
        "versions": versions(),
        "hashes": hashes(pictures.template, atlas.template_sha256, reading.people, atlas_file),
        "constants": {
            "still": STILL_MM, "frames": MIN_FRAMES, "alpha": ALPHA, "reach": REACH, "resamples": RESAMPLES,
            "small": SMALL_GROUP, "bands": AGE_BANDS, "extent": EXTENT, "height": HEIGHT,
        },
        "reliability": atlas.reliability,
        "level": atlas.overlays[atlas.reference][MOTION].level,
        "interval_of": wilson,
    }  # fmt: skip
    html, paper = out / NAME, out / PAPER
    write_atomically(html, _render(context, paper=False).encode())
    try:
        write_atomically(paper, pdf_of(_render(context, paper=True)))
    except InputError as error:
        paper.unlink(missing_ok=True)
        return WrittenReport(html, None, (f"report.pdf was left out: {error}",))
    return WrittenReport(html, paper)


def _render(context: Mapping[str, Any], *, paper: bool) -> str:
    """The page; paper : with an appendix instead of folded tables, for A4."""
    return page_environment().get_template("report.html.jinja").render(context, paper=paper, cite=Citations())
