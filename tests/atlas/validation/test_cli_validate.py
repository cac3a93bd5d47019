"""``face-atlas validate`` as a user meets it."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from atlas.cli.main import app
from atlas.custody import HEAD, LOG, read_log, verify

OUTPUTS = {
    "validation.json", "people.json", "report.html", "tripod-ai.md", "tripod-ai.html", "probast-ai.md",
    "probast-ai.html", "permutations-person.json", "figures", LOG, HEAD,
}  # fmt: skip


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, arguments)])


@pytest.fixture(scope="module")
def validated(cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder of a validation, without UMAP, which takes seconds to start, and what was said; not to be changed."""
    out = tmp_path_factory.mktemp("validation") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "umap", None)
        result = run(cohort_folder, "--out", out, "--folds", "3", "--permutations", "3")
    assert result.exit_code == 0, result.output
    return out, result


def test_it_writes_results_report_and_sheets(validated: tuple[Path, Result], cohort_folder: Path) -> None:
    out, result = validated
    assert {path.name for path in out.iterdir()} == OUTPUTS
    document = json.loads((out / "validation.json").read_text())
    assert 0 <= document["accuracy_low"] <= document["accuracy"] <= document["accuracy_high"] <= 1
    assert document["chance"] == pytest.approx(1 / 3, abs=1e-4)
    assert document["audit"] == []
    assert set(document["auroc"]) == set(document["groups"]) == {"BD", "HC", "MDD"}
    assert document["null"]["permutations"] == 3
    assert {"logistic", "age and sex alone"} <= set(document["baselines"])
    assert document["simulated"]
    assert {"ece", "coverage", "inconclusive", "bayes_accuracy"} <= set(document)
    assert document["bayes_accuracy"] is None or document["bayes_accuracy"] > document["chance"]
    people = json.loads((out / "people.json").read_text())["people"]
    assert len(people) == 12
    right = sum(person["best"][0] == person["group"] for person in people) / 12
    assert document["accuracy"] == pytest.approx(right, abs=1e-4)
    assert f"held-out people given their own group: {right:.0%}" in result.output
    refused = [person["refused"][0] for person in people]
    assert document["refused"]["value"] == pytest.approx(np.mean(refused), abs=1e-4)
    answered = [p["best"][0] == p["group"] for p, far in zip(people, refused, strict=True) if not far]
    assert document["accuracy_of_others"]["value"] == pytest.approx(np.mean(answered), abs=1e-4)
    assert not verify(out)
    assert [entry.action for entry in read_log(out).entries] == ["validate"]


def test_only_people_json_names_participants_and_nothing_names_a_place(
    validated: tuple[Path, Result], cohort_folder: Path
) -> None:
    out, _ = validated
    for path in sorted(out.rglob("*.*")):
        text = path.read_bytes().decode("utf-8", "replace")
        if path.name != "people.json":
            assert not re.search(r"sub-\d", text), path.name
        assert str(cohort_folder) not in text
        assert str(out) not in text
        if path.suffix in (".html", ".md", ".json") and not path.name.startswith(("permutations", "audit-log")):
            assert "not a diagnosis" in text.lower()
            assert "simulated" in text


def test_the_report_stands_alone_and_tells_what_there_is(validated: tuple[Path, Result]) -> None:
    page = (validated[0] / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#|tripod-ai\.html|probast-ai\.html)', page)
    assert "<script" not in page
    for said in ("These people are simulated", "Nothing was found", "pip install", "principal axes", "DeLong",
                 "fewer than 30", "--folds 3", "Could it be luck"):  # fmt: skip
        assert said in page, said


def test_the_sheets_tell_whose_every_item_is(validated: tuple[Path, Result]) -> None:
    out, _ = validated
    tripod = (out / "tripod-ai.md").read_text()
    rows = re.findall(r"^\| (\d+[a-g]?) \|", tripod, re.MULTILINE)
    assert {int(re.sub(r"\D", "", row)) for row in rows} == set(range(1, 28))
    assert len(rows) == len(set(rows)) == 52
    document = json.loads((out / "validation.json").read_text())
    assert f"Accuracy {document['accuracy']:.0%} (" in tripod
    assert all("**Author:**" in line or len(line.split("|")[4].strip()) > 10
               for line in tripod.splitlines() if re.match(r"\| \d", line))  # fmt: skip
    funding = next(line for line in tripod.splitlines() if "| 18a |" in line)
    assert "The author's to write." in funding
    probast = (out / "probast-ai.md").read_text()
    for domain in ("1 participants", "2 predictors", "3 outcome", "4 analysis"):
        assert probast.count(f": quality, {domain}") == 1
        assert probast.count(f": risk of bias, {domain}") == 1


def test_a_copied_recording_ends_the_run_and_can_be_allowed(
    validated: tuple[Path, Result], cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    cohort, out = tmp_path / "cohort", tmp_path / "out"
    shutil.copytree(cohort_folder, cohort)
    for old in (cohort / "sub-002").iterdir():
        old.unlink()
    for path in (cohort / "sub-001").iterdir():
        shutil.copy(path, cohort / "sub-002" / path.name.replace("sub-001", "sub-002"))
    out.mkdir()
    shutil.copy(validated[0] / "validation.json", out)  # of an earlier run
    result = run(cohort, "--out", out)
    assert result.exit_code == 3, result.output
    assert {path.name for path in out.iterdir()} == {"audit.json", LOG, HEAD}
    (entry,) = read_log(out).entries
    assert entry.facts["refused_for"]
    assert entry.facts["validation_sha256"] is None
    assert "audit, refuse: 2 people share a recording with another" in result.output
    assert "remove the copies, or list the person once" in result.output
    assert "--allow 'duplicate'" in result.output
    audit = json.loads((out / "audit.json").read_text())
    assert audit["findings"][0]["participants"] == ["sub-001", "sub-002"]

    monkeypatch.setattr("atlas.validation.report.validation_figures", lambda _: [])  # drawn elsewhere
    allowed = run(cohort, "--out", out, "--allow", "duplicate", "--permutations", "0", "--folds", "2")
    assert allowed.exit_code == 0, allowed.output
    assert not (out / "audit.json").exists()
    document = json.loads((out / "validation.json").read_text())
    assert [(f["check"], f["allowed"]) for f in document["audit"]] == [("duplicate", True)]
    assert document["null"]["p"] is None
    assert "told to go on" in (out / "report.html").read_text()


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes_and_goes_on_with_its_shuffles(
    validated: tuple[Path, Result], cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    first, again = validated[0], tmp_path / "again"
    again.mkdir()
    shutil.copy(first / "permutations-person.json", again)
    monkeypatch.setattr("atlas.validation.null._accuracies", None)  # nothing is left to shuffle
    result = run(cohort_folder, "--out", again, "--folds", "3", "--permutations", "3")
    assert result.exit_code == 0, result.output
    for path in sorted(first.rglob("*.*")):
        assert (again / path.relative_to(first)).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--split", "frame"), "expected --split person or site, got 'frame'"),
        (("--split", "site"), "expected a column site in participants.tsv with two or more sites"),
        (("--coverage", "1.5"), "expected a coverage from 0.5 up to but not including 1, got 1.5"),
    ],
)
def test_what_cannot_be_asked_for(cohort_folder: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(cohort_folder, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "out").exists()
