"""The report as PDF."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

from atlas.atlas import Atlas, build_atlas
from atlas.cohort import Cohort, load_cohort
from atlas.motion import MotionSpace
from atlas.reading import Reading, read_cohort
from atlas.report import page as page_module
from atlas.report import paper, write_report
from atlas.report.paper import pdf_of
from atlas.statistics import Effect, Statistics
from reconstruction.errors import InputError
from reconstruction.template import Template

SMALL = (
    "<html lang='en'><head><title>a</title></head><body><h1>One</h1><p style='break-before: page'>Two</p></body></html>"
)


@pytest.fixture(scope="module")
def cohort(cohort_folder: Path) -> Cohort:
    return load_cohort(cohort_folder)


@pytest.fixture(scope="module")
def reading(cohort: Cohort, template: Template, space: MotionSpace) -> Reading:
    return read_cohort(cohort, template, space)


@pytest.fixture(scope="module")
def atlas(reading: Reading, template: Template, space: MotionSpace) -> Atlas:
    return build_atlas(reading.people, template, space, permutations=0)


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    rows = [
        Effect("unit", f"AU{n:02d}", "MDD-HC", 4, 4, d, "intensity 0 to 5", d - 1, d + 1, d, 0.01, 0.2, 0.03, 0.9)
        for n, d in enumerate([1.0 - 0.05 * i for i in range(14)], start=1)
    ]
    return Statistics(tuple(rows), ("age",), 200, 100, 0)


@pytest.fixture(scope="module")
def sheets(
    atlas: Atlas, cohort: Cohort, reading: Reading, statistics: Statistics, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The text of every page of a whole report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "pdf_of", pdf_of)
        written = write_report(atlas, cohort, reading, tmp_path_factory.mktemp("paper"), statistics=statistics)
    assert written.notes == ()
    assert written.pdf is not None
    reader = PdfReader(written.pdf)
    assert reader.metadata is not None
    assert "(simulated people)" in str(reader.metadata.title)
    assert "/CreationDate" not in reader.metadata
    return [sheet.extract_text() for sheet in reader.pages]


def test_every_sheet_has_its_number_and_the_statement(sheets: list[str]) -> None:
    assert len(sheets) > 5
    for number, text in enumerate(sheets, start=1):
        assert f"page {number} of {len(sheets)}" in text
        assert "Research use; not a diagnosis. Simulated people." in text


def test_the_paper_says_what_the_page_says_and_has_an_appendix(sheets: list[str], cohort: Cohort) -> None:
    text = re.sub(r"\s+", " ", " ".join(sheets))
    for words in ("These people are simulated", "Who is in it", "12 people listed", "Versions and hashes", "Limits"):
        assert words in text
    appendix = text[text.rindex("Appendix: further tables") :]
    assert "AU14" in appendix
    assert "AU14" not in text[: text.rindex("Appendix: further tables")]
    assert not [p.id for p in cohort.people if p.id in text]
    assert cohort.folder.parent.name not in text


def test_the_same_page_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(SMALL, "utf-8")
    code = (  # the module alone: what the package imports takes longer than the PDF
        "import pathlib, runpy, sys; pdf_of = runpy.run_path(sys.argv[1])['pdf_of']; "
        "sys.stdout.buffer.write(pdf_of(pathlib.Path(sys.argv[2]).read_text('utf-8')))"
    )
    call = [sys.executable, "-c", code, paper.__file__, tmp_path / "page.html"]
    other = subprocess.run(call, capture_output=True, check=True)
    ours = pdf_of(SMALL)
    assert other.stdout == ours
    assert len(PdfReader(io.BytesIO(ours)).pages) == 2


def test_nothing_outside_the_page_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    address = (tmp_path / "secret.txt").as_uri()
    page = SMALL.replace("<h1>", f"<a rel='attachment' href='{address}'>x</a><img alt='' src='{address}'><h1>")
    assert address.encode() not in pdf_of(page)
    assert "secret" not in "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(pdf_of(page))).pages)


def test_without_its_library_the_page_is_written_and_the_remedy_told(
    atlas: Atlas, cohort: Cohort, reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "pdf_of", pdf_of)
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match=r"^expected weasyprint and pango for report\.pdf, but .*; install them: pip"):
        pdf_of(SMALL)
    monkeypatch.setattr(paper, "_library", lambda: (_ for _ in ()).throw(InputError("expected pango; install it.")))
    (tmp_path / "report.pdf").write_bytes(b"of an earlier run")
    written = write_report(atlas, cohort, reading, tmp_path)
    assert written.html.is_file()
    assert written.pdf is None
    assert written.notes == ("report.pdf was left out: expected pango; install it.",)
    assert not (tmp_path / "report.pdf").exists()


def test_a_page_that_cannot_be_broken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr("weasyprint.HTML.render", fail)
    with pytest.raises(InputError, match="cannot break this one into pages"):
        paper.pdf_of("<p>text</p>")
