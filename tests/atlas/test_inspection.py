"""``face-atlas cohort check``: every problem at once, each with its remedy."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from atlas.cli.main import app
from atlas.cohort import load_cohort
from atlas.custody import LOG, record
from atlas.inspection import inspect_cohort
from reconstruction.errors import InputError
from reconstruction.sequence import BIDS_SUFFIX, load, save

STIMULI = ("anger", "happiness", "neutral")


@pytest.fixture
def folder(cohort_folder: Path, tmp_path: Path) -> Path:
    """Four people of the simulated cohort in two groups, which a test may change."""
    folder = tmp_path / "cohort"
    lines = (cohort_folder / "participants.tsv").read_text().splitlines()
    rows = [line for group in ("HC", "MDD") for line in [n for n in lines if f"\t{group}\t" in n][:2]]
    for row in rows:
        shutil.copytree(cohort_folder / row.split("\t")[0], folder / row.split("\t")[0])
    for name in ("participants.json", "dataset_description.json"):
        shutil.copyfile(cohort_folder / name, folder / name)
    write(folder, [lines[0], *rows])
    return folder


def rows(folder: Path) -> list[str]:
    return (folder / "participants.tsv").read_text().splitlines()


def write(folder: Path, lines: list[str]) -> None:
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")


def codes(folder: Path, level: str | None = None) -> dict[str, tuple[str, ...]]:
    return {f.code: f.where for f in inspect_cohort(folder).findings if level in (None, f.level)}


def file(folder: Path, person: int, stimulus: str = "anger") -> Path:
    identity = rows(folder)[1 + person].split("\t")[0]
    return folder / identity / f"{identity}_task-{stimulus}{BIDS_SUFFIX}"


def test_a_sound_cohort_has_no_error_and_a_table_of_recordings(folder: Path) -> None:
    found = inspect_cohort(folder)
    assert {f.code for f in found.findings} == {"few-frames"}  # 60 frames a recording
    assert found.simulated
    assert [row.counts for row in found.people] == [dict.fromkeys(STIMULI, 1)] * 4
    assert {row.group for row in found.people} == {"HC", "MDD"}


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "participants.tsv").read_text()
        assert old in text
        (folder / "participants.tsv").write_text(text.replace(old, new, 1))

    return change


def append(line: str) -> Callable[[Path], None]:
    return lambda folder: write(folder, [*rows(folder), line])


def column(name: str, *cells: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        filled = [*cells, *["n/a"] * 4][:4]
        write(folder, [f"{line}\t{cell}" for line, cell in zip(rows(folder), (name, *filled), strict=True)])

    return change


@pytest.mark.parametrize(
    ("change", "level", "code"),
    [
        (lambda f: (f / "participants.tsv").unlink(), "error", "no-table"),
        (lambda f: (f / "participants.tsv").write_bytes(b"\xff\xfe"), "error", "unreadable-table"),
        (lambda f: write(f, [line.replace("\t", ",") for line in rows(f)]), "error", "missing-column"),
        (lambda f: write(f, [*rows(f), rows(f)[1]]), "error", "double-id"),
        (append("\tHC\t30\tF\tyes"), "warning", "no-id"),
        (append("sub-a b\tHC\t30\tF\tyes"), "note", "id-not-bids"),
        (append("sub-9\tHC\t30"), "warning", "ragged-row"),
        (append("sub-9\tHC\t30\tF\tyes"), "warning", "no-recording"),
        (append("sub-9\t n/a\t30\tF\tyes"), "warning", "no-group"),
        (append("sub-9\tHC\t-3\tF\tyes"), "warning", "impossible-age"),
        (append("sub-9\tHC\tn/a\tF\tyes"), "note", "missing-age"),
        (append("sub-9\tHC\t30\tdiverse\tyes"), "note", "sex-word"),
        (edit("\tage\t", "\tyears\t"), "warning", "no-age"),
        (edit("\tHC\t", "\thc \t"), "error", "similar-group"),
        (column("site", "north"), "note", "unknown-column"),
        (column("Name"), "warning", "personal-data"),
        (column("date_of_birth"), "warning", "personal-data"),
        (column("contact", "a.b@c.org"), "warning", "personal-data"),
        (column("seen", "on 2021-04-30"), "warning", "personal-data"),
        (column("group"), "error", "double-column"),
        (lambda f: write(f, [*rows(f)[:-1]]), "warning", "no-row"),
        (lambda f: write(f, [line.replace("MDD", "HC") for line in rows(f)]), "warning", "too-few-groups"),
        (lambda f: shutil.rmtree(file(f, 0).parent), "error", "small-group"),
        (lambda f: file(f, 0).unlink(), "warning", "uneven-stimuli"),
        (lambda f: file(f, 0).rename(str(file(f, 0)).replace("_task", "_ses-2_task")), "warning", "uneven-sessions"),
        (lambda f: file(f, 0).rename(file(f, 0).with_name("x.face.safetensors")), "warning", "no-stimulus"),
        (lambda f: file(f, 0).rename(file(f, 1).with_name(file(f, 0).name)), "warning", "other-person"),
        (lambda f: file(f, 0).write_bytes(b"junk"), "error", "damaged"),
        (lambda f: file(f, 0).write_bytes(file(f, 1).read_bytes()), "error", "double-across"),
        (lambda f: file(f, 0).write_bytes(file(f, 0, "neutral").read_bytes()), "warning", "double-within"),
        (lambda f: file(f, 0).with_name("task-tea.mp4").write_bytes(b"video"), "note", "videos"),
        (lambda f: (f / "dataset_description.json").write_text("{"), "note", "not-a-derivative"),
    ],
)
def test_every_problem_is_found_and_named(
    folder: Path, change: Callable[[Path], object], level: str, code: str
) -> None:
    assert code not in codes(folder)
    change(folder)
    found = [f for f in inspect_cohort(folder).findings if f.code == code]
    assert [f.level for f in found] == [level]
    assert found[0].remedy.endswith(".")


def change_parameters(path: Path, **fields: object) -> None:
    save(replace(load(path), **fields), path)  # type: ignore[arg-type]


def test_mixtures_short_recordings_and_links_are_found(folder: Path, tmp_path: Path) -> None:
    path = file(folder, 0)
    change_parameters(path, template="other", template_sha256="0" * 64)
    change_parameters(file(folder, 1), provenance={"quality": "fast", "software": "digital-face-atlas 9"})
    change_parameters(
        file(folder, 2), provenance={"quality": "full", "software": "digital-face-atlas 8"}, simulated=False
    )
    sequence = load(file(folder, 3))
    late = np.arange(len(sequence)) >= 5
    change_parameters(file(folder, 3), valid=~late, reason=late * 1, reason_names=("ok", "blurred"))
    elsewhere = shutil.move(file(folder, 3, "neutral"), tmp_path / "elsewhere")
    file(folder, 3, "neutral").symlink_to(elsewhere)
    found = codes(folder)
    assert found["mixed-templates"][0].startswith("11 of atlas-head")
    assert {"mixed-stages", "mixed-versions", "mixed-simulated"} <= found.keys()
    assert found["too-short"] == (f"{file(folder, 3).relative_to(folder)} (5 of 60)",)
    assert found["leaving-link"] == (str(file(folder, 3, "neutral").relative_to(folder)),)


def test_scores_are_checked_too(folder: Path) -> None:
    (folder / "phenotype").mkdir()
    first = rows(folder)[1].split("\t")[0]
    for name, text in {
        "a.tsv": f"participant_id\ttotal\tphone\n{first}\t1\tn/a\n{first}\t2\tn/a\nsub-99\t1\tn/a\n",
        "b.tsv": f"participant_id\tsession_id\ttotal\n{first}\tses-1\t1\n{first}\tses-2\t2\n",
        "c.tsv": "who\ttotal\nx\t1\n",
        "d.tsv": "\0\xff",
    }.items():
        (folder / "phenotype" / name).write_bytes(text.encode("latin-1"))
    found = codes(folder)
    assert found["scores-of-strangers"] == ("sub-99",)
    assert found["double-scores"] == (first,)
    assert found["scores-without-key"] == ("phenotype/c.tsv",)
    assert found["unreadable-scores"] == ("phenotype/d.tsv",)
    assert found["scores-undescribed"] == ("phenotype/a.tsv", "phenotype/b.tsv")
    assert {"scores-by-session", "personal-data"} <= found.keys()


def test_what_would_stop_a_build_is_an_error_and_the_other_way_round(folder: Path) -> None:
    load_cohort(folder)
    assert not inspect_cohort(folder).of("error")
    write(folder, [line.replace("\tyes", "\tno") for line in rows(folder)])
    for path in folder.glob(f"sub-*/*{BIDS_SUFFIX}"):
        change_parameters(path, simulated=False)
    with pytest.raises(InputError, match="at least 10 people"):
        load_cohort(folder)
    assert codes(folder, "error") == {"small-group": ("HC (2)", "MDD (2)")}


def test_a_broken_audit_log_is_found(folder: Path) -> None:
    record(folder, "build")
    (folder / LOG).write_text("")
    assert "cut off" in codes(folder)["audit-log"][0]


def test_all_problems_are_told_at_once_and_the_status_says_so(folder: Path) -> None:
    file(folder, 0).write_bytes(b"junk")
    edit("\tMDD\t", "\tmdd\t")(folder)
    done = CliRunner().invoke(app, ["cohort", "check", str(folder), "--people"])
    assert done.exit_code == 2
    text = done.output
    assert text.index("Errors") < text.index("is no readable safetensors file") < text.index("Warnings")
    assert "Write the group the same everywhere." in text
    assert "of simulated people" in text
    assert rows(folder)[1].split("\t")[0] in text
    assert str(folder) not in text
    done = CliRunner().invoke(app, ["cohort", "check", str(folder), "--json"])
    assert done.exit_code == 2
    answer = json.loads(done.stdout)
    assert {"damaged", "similar-group"} <= {error["code"] for error in answer["errors"]}
    assert answer["simulated"] is True
    assert len(answer["people"]) == 4


def test_a_sound_cohort_leaves_with_status_0_and_a_missing_folder_with_2(folder: Path) -> None:
    done = CliRunner().invoke(app, ["cohort", "check", str(folder)])
    assert done.exit_code == 0
    assert "No errors." in done.output
    done = CliRunner().invoke(app, ["cohort", "check", str(folder / "none")])
    assert done.exit_code == 2
    assert "expected the folder of a cohort" in done.output
