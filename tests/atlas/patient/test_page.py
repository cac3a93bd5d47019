"""The page of a matched person."""

import html as escapes
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from atlas.atlas import Atlas
from atlas.motion import MotionSpace
from atlas.new_recordings import measured
from atlas.patient import MatchedPerson, matched_people, page, write_patient_reports
from atlas.patient.course_figure import panels
from atlas.patient.page import page_context
from atlas.patient.z_map import LIMIT, z_colours, z_pictures
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.template import Template


def text_of(html: str) -> str:
    plain = re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", html, flags=re.S))
    return re.sub(r"\s+", " ", escapes.unescape(plain))


@pytest.fixture(scope="module")
def html(matched: MatchedPerson, known_atlas: Atlas, template: Template, space: MotionSpace) -> str:
    context = page_context(matched, known_atlas, template, space, digest="ab" * 32, own_face=False)
    return page._render(context, 1.0, paper=False)


def test_the_page_says_everything_and_fetches_nothing(
    html: str, matched: MatchedPerson, known_atlas: Atlas, template: Template, space: MotionSpace
) -> None:
    text = text_of(html)
    assert "Face match: sub-077" in text
    assert "Woman, aged 34" in text
    assert STATEMENT.capitalize() in text
    assert "Simulated. This atlas was built from simulated people" in text
    for group in known_atlas.groups:
        assert re.search(rf"{group} n = 12 [+−]0\.\d\d", text)
    chances = [round(100 * p) for p in matched.match["probabilities"].values()]  # type: ignore[attr-defined]
    assert all(f"{p} %" in text or f"{p}\N{NO-BREAK SPACE}%" in text for p in chances if 1 <= p <= 99)
    assert "HC women aged 34 (a line in age and sex through 12 people" in text
    assert "template's head, not the person's" in text
    assert "good" in text
    assert "abababababab" in text
    addresses = re.findall(r"(?:src|href)=\"([^\"]{0,8})", html)
    assert addresses
    assert all(a.startswith("data:") for a in addresses)
    context = page_context(matched, known_atlas, template, space, digest="ab" * 32, own_face=False)
    assert page._render(context, 1.0, paper=False) == html  # the same bytes


@pytest.mark.parametrize("warnings", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_the_paper_is_one_sheet_also_with_many_warnings(
    warnings: int, matched: MatchedPerson, known_atlas: Atlas, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    loud = [f"a warning of the matcher, number {i}, that goes on for as long as one does" for i in range(warnings)]
    warned = replace(matched, match={**matched.match, "warnings": loud})
    written = write_patient_reports([warned], known_atlas, template, space, tmp_path)
    assert written.notes == ()
    reader = PdfReader(io.BytesIO(written.pdf["sub-077"].read_bytes()))
    assert len(reader.pages) == 1
    text = re.sub(r"\s+", " ", reader.pages[0].extract_text())
    assert STATEMENT.capitalize() in text
    assert "Simulated" in text
    assert f"number {warnings - 1}" in text


def test_a_page_that_fits_no_sheet_is_said(
    matched: MatchedPerson, known_atlas: Atlas, template: Template, space: MotionSpace, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(page, "sheets_of", lambda html, most: (b"", 2))
    (tmp_path / "sub-077.pdf").write_bytes(b"of an earlier run")
    written = write_patient_reports([matched], known_atlas, template, space, tmp_path)
    assert written.notes == (
        "sub-077.pdf was left out: expected a page that fits one sheet, but it takes 2: the match has too many "
        "warnings; print the HTML page from a browser.",
    )
    assert not (tmp_path / "sub-077.pdf").exists()
    assert (tmp_path / "sub-077.html").is_file()


def test_nobody_is_named_by_a_file(
    known_atlas: Atlas, template: Template, space: MotionSpace, new_person: Callable[..., FaceSequence]
) -> None:
    paths = [Path("schmidt_task-anger.face.safetensors"), Path("schmidt.face.safetensors")]
    recordings = measured(known_atlas, paths, [new_person("anger"), new_person("neutral")])
    people = matched_people(known_atlas, template, space, recordings)
    assert [p.id for p in people] == ["input-1", "input-2"]
    assert people[1].stimuli == ("unknown",)


def test_an_atlas_without_a_norm_says_so(
    matched: MatchedPerson, known_atlas: Atlas, template: Template, space: MotionSpace
) -> None:
    old = replace(known_atlas, norms={})
    bare = replace(matched, standing=None)
    text = text_of(page._render(page_context(bare, old, template, space, digest="", own_face=False), 1.0, paper=False))
    assert "This atlas holds no norm" in text
    assert bare.beyond(template) == {}


def test_their_own_shape_is_drawn_only_when_asked(
    matched: MatchedPerson, template: Template, space: MotionSpace
) -> None:
    assert matched.standing is not None
    plain, own = (
        z_pictures(matched.standing, template, space, "simulated", shape, height=60)["motion"][0].uri
        for shape in (None, matched.face.shape)
    )
    assert plain != own
    other = replace(matched, face=replace(matched.face, recordings=()))
    again = z_pictures(matched.standing, template, space, "simulated", None, height=60)["motion"][0].uri
    assert again == plain
    assert other.standing is matched.standing


def test_colours_of_z_are_symmetric_and_end_at_the_limit() -> None:
    colours = z_colours(3)
    assert colours[0] == "#053061"
    assert colours[2] == "#67001f"
    assert LIMIT == 3


def test_panels_follow_the_evidence_and_the_groups_not_the_person(
    matched: MatchedPerson, known_atlas: Atlas, template: Template, space: MotionSpace
) -> None:
    found = panels(matched, known_atlas, template, space)
    assert len(found) == 4
    units = [e["feature"] for e in matched.match["evidence"] if str(e["feature"]).startswith("AU")]  # type: ignore[attr-defined]
    assert [p.unit for p in found][: len(units)] == units[:4]
    still = replace(
        matched, sequences=tuple(replace(s, expression=0 * s.expression, pose=0 * s.pose) for s in matched.sequences)
    )
    calm = panels(still, known_atlas, template, space)
    assert [(p.unit, p.stimulus) for p in calm] == [(p.unit, p.stimulus) for p in found]
    for panel in found:
        assert (panel.band_low <= panel.band_high).all()
        assert np.isfinite(panel.person).any()
    assert all(np.nanmax(np.abs(p.person)) < 1e-6 for p in calm)
    noisy = replace(
        matched, sequences=tuple(replace(s, expression_sd=s.expression_sd + 0.1) for s in matched.sequences)
    )
    wide, narrow = panels(noisy, known_atlas, template, space)[0], found[0]
    assert np.nanmax(wide.high - wide.low) > np.nanmax(narrow.high - narrow.low) + 0.5
