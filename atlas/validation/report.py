"""What a validation leaves in its folder: figures for programs, a page for people, sheets for authors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atlas.aggregation import MIN_FRAMES
from atlas.cohort import Cohort
from atlas.reading import Reading
from atlas.report.environment import page_environment
from atlas.report.methods import Citations
from atlas.report.people import participant_flow, table_one
from atlas.report.pictures import figure_of
from atlas.report.provenance import hashes, versions
from atlas.validation import facts
from atlas.validation.audit import ALPHA, REFUSE, STRONG, Audit
from atlas.validation.figures import validation_figures
from atlas.validation.intervals import DRAWS
from atlas.validation.probast import probast_sheet
from atlas.validation.sheets import about, as_markdown
from atlas.validation.subgroups import FEW, LEAST
from atlas.validation.tripod import tripod_sheet
from atlas.validation.validation import Validation
from reconstruction.sequence import STATEMENT
from reconstruction.storage import json_text, write_atomically
from reconstruction.template import Template

RESULTS, PEOPLE, REPORT, AUDIT, FIGURES = (
    "validation.json", "people.json", "report.html", "audit.json", "figures"
)  # fmt: skip
SHEETS = ("tripod-ai", "probast-ai")


def write_audit(out: Path, audit: Audit) -> None:
    """``audit.json`` of a run that is refused; what an earlier run left there would not belong to it and goes."""
    for name in (RESULTS, PEOPLE, REPORT, *(f"{s}.{kind}" for s in SHEETS for kind in ("md", "html"))):
        (out / name).unlink(missing_ok=True)
    for picture in (out / FIGURES).glob("*.[ps][nv]g"):
        picture.unlink()
    write_atomically(out / AUDIT, json_text(audit.to_json()).encode())


def write_validation(
    out: Path,
    found: Validation,
    cohort: Cohort,
    reading: Reading,
    template: Template,
    features: int,
    stimuli: Sequence[str],
    command: str,
) -> None:
    """Everything into the folder `out`; ``people.json`` is personal data, the rest rests on groups.

    features : of a recording; command : how the program was called, without paths
    """
    (out / AUDIT).unlink(missing_ok=True)
    flow = participant_flow(cohort, reading)
    sheets = (tripod_sheet(found, flow, features, tuple(stimuli)), probast_sheet(found, flow))
    figures = validation_figures(found)
    drawn = {figure.name: (figure.png(), figure.svg()) for figure in figures}
    shared = {"statement": STATEMENT, "simulated": found.simulated}
    context: dict[str, Any] = {
        **shared,
        "found": found,
        "facts": facts,
        "kind": "simulated people" if found.simulated else "people",
        "flow": flow,
        "where": "analysed",
        "constants": {"frames": MIN_FRAMES},
        "table_one": table_one(found.people, found.groups),
        "figures": {figure.name: figure_of(figure.name, drawn[figure.name][1], figure.alt) for figure in figures},
        "allowed": [f.check for f in found.audit.findings if f.severity == REFUSE and f.allowed],
        "strong": STRONG, "alpha": ALPHA, "least": LEAST, "few": FEW, "draws": DRAWS,
        "small": sum(subgroup.few for subgroup in found.subgroups),
        "small_groups": [name for name, n in found.sizes.items() if n < FEW],
        "features": features,
        "stimuli": list(stimuli),
        "sheets": sheets,
        "command": command,
        "versions": versions(),
        "hashes": hashes(template, template.sha256, reading.people, None),
    }  # fmt: skip
    environment = page_environment("atlas.validation")
    texts = {REPORT: environment.get_template("validation.html.jinja").render(context, cite=Citations())}
    for sheet in sheets:
        texts[f"{sheet.name}.md"] = as_markdown(sheet, found)
        texts[f"{sheet.name}.html"] = environment.get_template("sheet.html.jinja").render(
            shared, sheet=sheet, about=about(found)
        )
    texts[PEOPLE] = json_text({**found.people_json(), "notes": [*cohort.warnings, *reading.notes]})
    texts[RESULTS] = json_text(found.to_json())
    for name, contents in drawn.items():
        for suffix, content in zip((".png", ".svg"), contents, strict=True):
            write_atomically(out / FIGURES / f"{name}{suffix}", content)
    for name, text in texts.items():
        write_atomically(out / name, text.encode())
