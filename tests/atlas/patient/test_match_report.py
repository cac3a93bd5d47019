"""`face-atlas match --report`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from atlas.atlas import Atlas
from atlas.atlas_file import atlas_digest, save_atlas
from atlas.cli.match import match
from atlas.patient import page
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence, save


@pytest.fixture(scope="module")
def folder(
    known_atlas: Atlas, new_person: Callable[..., FaceSequence], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("secret-clinic")
    save_atlas(known_atlas, folder / "atlas" / "atlas.safetensors")
    for stimulus in ("anger", "happiness"):
        save(new_person(stimulus), folder / "sub-041" / f"Jane-Doe_task-{stimulus}.face.safetensors")
    return folder


def inputs(folder: Path) -> list[Path]:
    return sorted(folder.glob("sub-041/*.face.safetensors"))


def test_a_person_gets_a_page_and_fhir_that_name_no_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "sheets_of", lambda html, most: (html.encode(), 1))
    out = tmp_path / "report"
    match(folder / "atlas", inputs(folder), out=tmp_path / "m.json", report=out, age=50, sex="male")
    assert sorted(p.name for p in out.iterdir()) == ["fhir.json", "sub-041.html", "sub-041.pdf"]
    for path in out.iterdir():
        text = path.read_text("utf-8")
        assert "Jane" not in text
        assert "secret-clinic" not in text
        assert "task-" not in text
    html = (out / "sub-041.html").read_text("utf-8")
    assert "Man, aged 50" in html
    assert atlas_digest(folder / "atlas")[:12] in html
    bundle = json.loads((out / "fhir.json").read_text())
    (risk,) = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "RiskAssessment"]
    together = json.loads((tmp_path / "m.json").read_text())["people"][0]
    assert [p["probabilityDecimal"] for p in risk["prediction"]] == [
        pytest.approx(100 * p, abs=0.01) for p in together["probabilities"].values()
    ]
    assert f"report: {out}" in capsys.readouterr().err


def test_what_cannot_be_reported_is_refused(
    folder: Path, new_person: Callable[..., FaceSequence], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"expected a folder for --report, but .* is a file; name another"):
        match(folder / "atlas", inputs(folder), report=inputs(folder)[0])
    other = save(new_person("anger"), tmp_path / "sub-042" / "x.face.safetensors")
    with pytest.raises(InputError, match=r"expected the recordings of one person with --age or --sex, got those of 2"):
        match(folder / "atlas", [inputs(folder)[0], other], report=tmp_path / "r", age=40)
    with pytest.raises(InputError, match=r"expected an age in years, between 0 and 120, got 400"):
        match(folder / "atlas", inputs(folder)[:1], report=tmp_path / "r", age=400)
    assert not (tmp_path / "r").exists()
