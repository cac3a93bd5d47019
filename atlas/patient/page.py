"""A matched person's page: one sheet of A4, as HTML and as PDF, from templates beside this file.

It says what the atlas says and how sure that is, what speaks for and against it, what the recordings were worth and
what cannot be read from them. It names the person by the ``sub-*`` alone, and shows their own face only when asked.
The same recordings and atlas give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.atlas import Atlas
from atlas.figures.quality_strip import VERDICT, frame_kinds, runs
from atlas.matcher import SIMULATED
from atlas.motion import MotionSpace
from atlas.norm import FARTHEST
from atlas.patient.course_figure import course_figure, panels
from atlas.patient.person import MatchedPerson
from atlas.patient.z_map import KINDS, LIMIT, z_colours, z_pictures
from atlas.report.environment import page_environment
from atlas.report.paper import sheets_of
from atlas.report.pictures import data_uri
from reconstruction import __version__
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.storage import write_atomically
from reconstruction.template import Template

ROWS = 4  # lines of evidence for, and against
STRIPS = 6  # recordings whose time line is shown
SCALES = (1.0, 0.92, 0.84, 0.76, 0.68)  # of the letters on paper, the first at which a page is one sheet


@dataclass(frozen=True)
class WrittenPages:
    """html, pdf : of every person, by id; notes : why a page is on no paper, in one sentence each."""

    html: dict[str, Path]
    pdf: dict[str, Path]
    notes: tuple[str, ...] = ()


def write_patient_reports(
    people: Sequence[MatchedPerson],
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    out: str | Path,
    *,
    digest: str = "",
    own_face: bool = False,
) -> WrittenPages:
    """Write ``<id>.html`` and ``<id>.pdf`` of every person into the folder `out`.

    template, space : of the atlas, with directions
    digest : `atlas_digest`, told at the foot
    own_face : draw z on the person's own shape instead of the template; it may be recognised
    """
    out, notes = Path(out), []
    html: dict[str, Path] = {}
    pdf: dict[str, Path] = {}
    for person in people:
        context = page_context(person, atlas, template, space, digest=digest, own_face=own_face)
        html[person.id] = out / f"{person.id}.html"
        write_atomically(html[person.id], _render(context, 1.0, paper=False).encode())
        paper = out / f"{person.id}.pdf"
        try:
            write_atomically(paper, _one_sheet(context))
            pdf[person.id] = paper
        except InputError as error:
            paper.unlink(missing_ok=True)
            notes.append(f"{paper.name} was left out: {error}")
    return WrittenPages(html, pdf, tuple(dict.fromkeys(notes)))


def _one_sheet(context: Mapping[str, Any]) -> bytes:
    """The PDF, its letters as large as fits one sheet."""
    for scale in SCALES:
        content, sheets = sheets_of(_render(context, scale, paper=True), 1)
        if sheets == 1:
            return content
    raise InputError(
        f"expected a page that fits one sheet, but it takes {sheets}: the match has too many warnings; print the HTML "
        "page from a browser."
    )


def page_context(
    person: MatchedPerson, atlas: Atlas, template: Template, space: MotionSpace, *, digest: str, own_face: bool
) -> dict[str, Any]:
    """Everything that the page tells, by name."""
    match, stood = person.match, person.standing
    groups: list[str] = list(atlas.groups)
    nearest = max(groups, key=lambda g: match["similarities"][g])  # type: ignore[index]
    evidence = [_evidence(e, person) for e in match["evidence"]]  # type: ignore[attr-defined]
    shape = person.face.shape if own_face else None
    found = panels(person, atlas, template, space)
    drawn = course_figure(found, person.id, atlas.reference, nearest) if found else None
    beyond = person.beyond(template)
    warnings = [w for w in match["warnings"] if w != SIMULATED]  # type: ignore[attr-defined]
    stage = next((r.stage for r in person.face.recordings), "unknown")
    return {
        "person": person,
        "match": match,
        "atlas": atlas,
        "groups": groups,
        "nearest": nearest,
        "decided": match["decision"] in groups,
        "statement": STATEMENT,
        "simulated": person.simulated,
        "atlas_simulated": atlas.simulated,
        "people_word": "simulated people" if atlas.simulated else "people",
        "evaluation": atlas.evaluation_summary,
        "for_it": [e for e in evidence if e["pulls_towards"] == nearest][:ROWS],
        "against": [e for e in evidence if e["pulls_towards"] != nearest][:ROWS],
        "kinds": KINDS,
        "z": z_pictures(stood, template, space, stage, shape) if stood else {},
        "bar": z_colours(),
        "limit": LIMIT,
        "norm": stood.norm.told(person.face.age, person.face.sex) if stood else None,
        "norm_beyond": dict(zip(KINDS, stood.norm.beyond.reshape(2, 2).tolist(), strict=True)) if stood else {},
        "beyond": beyond,
        "farthest": FARTHEST,
        "own_face": own_face,
        "norm_stimuli": stood.stimuli if stood else (),
        "courses": (data_uri(drawn.svg()), drawn.alt) if drawn else None,
        "fit_known": any(person.sequences[0].expression_sd > 0),
        "strips": [_strip(s, of) for s, of in zip(person.sequences, person.stimuli, strict=True)][:STRIPS],
        "more_strips": max(0, len(person.sequences) - STRIPS),
        "legend": _legend(person.sequences),
        "limits": stood.norm.limits(person.face.age, person.face.sex) if stood else [],
        "warnings": warnings,
        "version": __version__,
        "digest": digest,
    }


def _evidence(row: Mapping[str, Any], person: MatchedPerson) -> dict[str, Any]:
    """A line of evidence, with the person's value and the norm's interval where these are known."""
    name, stood = str(row["feature"]), person.standing
    known = stood is not None and name in stood.z
    reliability = row.get("reliability") or {}
    return {
        **row,
        "short": str(row["meaning"]).split(",")[0],
        "value": stood.values[name] if stood and known else row.get("value"),
        "low": stood.low[name] if stood and known else None,
        "high": stood.high[name] if stood and known else None,
        "norm_z": stood.z[name] if stood and known else None,
        "r": reliability.get("r") if isinstance(reliability, Mapping) else None,
    }


def _strip(sequence: FaceSequence, stimulus: str) -> dict[str, Any]:
    """One recording's line of the quality table: bars are (x, width, colour) in thousandths of its length."""
    verdict, length = sequence.verdict, len(sequence) / sequence.frame_rate
    bars = [
        (1000 * start / length, 1000 * width / length, colour)
        for _, colour, where in frame_kinds(sequence)
        for start, width in runs(where, sequence.frame_rate)
    ]
    return {
        "stimulus": stimulus,
        "verdict": verdict.verdict,
        "colour": VERDICT[verdict.verdict],
        "reasons": verdict.reasons,
        "used": int(sequence.valid.sum()),
        "frames": len(sequence),
        "seconds": length,
        "frame_rate": sequence.frame_rate,
        "bars": bars,
    }


def _legend(sequences: Sequence[FaceSequence]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((name, colour) for s in sequences for name, colour, _ in frame_kinds(s)))


def _render(context: Mapping[str, Any], scale: float, *, paper: bool) -> str:
    page = page_environment("atlas.patient").get_template("patient.html.jinja")
    return page.render(context, scale=scale, paper=paper)
