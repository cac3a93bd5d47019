"""``face-atlas statistics`` on tables and on a cohort."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from atlas.cli.main import app

UNITS = ("AU01", "AU05", "AU12", "AU20", "AU25_r")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["statistics", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "statistics.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def waseda(tmp_path: Path) -> Path:
    """A table as of two groups of students: AU20 goes with BDI-II, and so differs between the groups."""
    rng = np.random.default_rng(0)
    bdi = np.concatenate([rng.integers(11, 21, 31), rng.integers(1, 11, 33)])
    values = rng.normal(1, 0.3, (64, len(UNITS)))
    values[:, 3] += 0.06 * bdi
    names = ("participant_id", "group", "age", "sex", "BDI_II", "notes", *UNITS, "head_speed")
    lines = ["\t".join(names)]
    for i in range(64):
        about = (
            f"s{i:02d}",
            "subthreshold" if i < 31 else "healthy",
            f"{18 + i % 7}",
            "FM"[i % 2],
            f"{bdi[i]}",
            "fine",
        )
        speed = "n/a" if i == 5 else f"{rng.normal(0.1, 0.02):.4f}"
        lines.append("\t".join([*about, *(f"{v:.4f}" for v in values[i]), speed]))
    path = tmp_path / "biomarkers.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_score_in_one_command(waseda: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, shown, said = run(waseda, "--out", out, "--score", "BDI_II", "--quantities", "units", "--permutations", 199)
    assert status == 0, said
    found = {row["name"]: row for row in rows(out)}
    assert list(found) == list(UNITS)
    assert {row["level"] for row in found.values()} == {"unit"}
    assert float(found["AU20"]["q_fdr"]) < 0.05
    assert found["AU20"]["unit"] == "intensity 0 to 5 per point of BDI_II"
    assert found["AU20"]["n_a"], found["AU20"]["n_b"] == ("64", "0")
    assert "adjusted for age, sex" in said
    assert "research use; not a diagnosis" in said
    assert shown.index("AU20 lip stretcher") < shown.index("AU01 inner brow raiser")
    assert (out / "statistics.png").read_bytes().startswith(b"\x89PNG")


def test_two_groups_in_one_command(waseda: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--groups", "subthreshold,healthy", "--permutations", 199)
    status, _, said = run(waseda, "--out", out, *options)
    assert status == 0, said
    found = {row["name"]: row for row in rows(out)}
    assert {row["contrast"] for row in found.values()} == {"subthreshold-healthy"}
    assert (found["AU20"]["n_a"], found["AU20"]["n_b"]) == ("31", "33")
    assert float(found["AU20"]["p_fwe"]) < 0.05
    assert float(found["AU20"]["effect"]) > 0
    assert found["head_speed"]["n_a"] == "30"
    assert found["head_speed"]["level"] == "measure"
    assert "left out of single tests because the value is missing, people: head_speed (1)" in said
    assert not {"age", "notes"} & set(found)


def test_covariates_and_scores_from_bids_tables(waseda: Path, tmp_path: Path) -> None:
    table = tmp_path / "participants.tsv"
    lines = ["participant_id\tgroup\tage\tsite"]
    lines += [f"sub-s{i:02d}\tx\t{20 + i % 9}\t{i % 2}" for i in range(63)]
    table.write_text("\n".join(lines) + "\n")
    (tmp_path / "phenotype").mkdir()
    scores = "".join(f"sub-s{i:02d}\t{i}\n" for i in range(64))
    (tmp_path / "phenotype" / "phq9.tsv").write_text(f"participant_id\tphq9\n{scores}")
    out = tmp_path / "out"
    options = ("--participants", table, "--score", "phq9", "--covariates", "age,C(site)", "--permutations", 99)
    status, _, said = run(waseda, "--out", out, *options, "--within", "site")
    assert status == 0, said
    assert {row["n_a"] for row in rows(out) if row["level"] == "unit"} == {"63"}
    assert "1 of 64 people have no row in participants.tsv" in said
    assert "phq9: 1 person without age or site left out" in said


def test_the_sidecar_says_what_columns_mean(waseda: Path, tmp_path: Path) -> None:
    about = {"AU12": {"LongName": "smile", "Units": "percent", "Level": "unit", "Reliability": 0.9}, "Simulated": True}
    waseda.with_suffix(".json").write_text(json.dumps(about))
    options = ("--groups", "subthreshold,healthy", "--permutations", 99)
    status, shown, said = run(waseda, "--out", tmp_path / "out", *options)
    assert status == 0, said
    row = next(row for row in rows(tmp_path / "out") if row["name"] == "AU12")
    assert (row["unit"], row["reliability"]) == ("percent", "0.9")
    assert "AU12 smile" in shown
    assert "simulated people, 6 rows" in said


def test_a_cohort_of_parameters(cohort_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, _, said = run(cohort_folder, "--out", out, "--permutations", 99, "--covariates", "none")
    assert status == 0, said
    found = rows(out)
    assert {row["contrast"] for row in found} == {"BD-HC", "MDD-HC", "MDD-BD"}
    assert {"unit", "region", "organ", "keypoint", "measure"} <= {row["level"] for row in found}
    au12 = next(row for row in found if row["name"] == "AU12" and row["contrast"] == "MDD-BD")
    assert float(au12["effect"]) < 0
    assert "statistics.tsv: simulated people, " in said
    assert "not adjusted for anything" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "expected the reference group HC among the groups healthy, subthreshold"),
        (("--groups", "MDD,healthy"), "expected groups among healthy, subthreshold, got MDD; name others."),
        (("--score", "phq9"), "expected a column of participants.tsv (group, age, sex, bdi_ii, notes), got 'phq9'"),
        (("--score", "notes"), "expected numbers in the column notes, but it holds 'fine'; write n/a"),
        (("--score", "BDI_II", "--covariates", "notes,site"), "got 'site'; name one of them, or add it."),
        (("--reference", "healthy", "--quantities", "AU99"), "families (measure, unit_intensity) or 'units', got AU99"),
        (("--reference", "healthy", "--covariates", "C(BDI_II)"), "expected at least 5 people for every column"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_answered_in_one_sentence(
    waseda: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    status, _, said = run(waseda, "--out", tmp_path / "out", *options)
    assert status == 2
    assert sentence in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("participant_id,group,AU01\na,b,1\n", "expected tab-separated columns participant_id, group and quantities"),
        ("participant_id\tgroup\tAU01\na\tb\n", "expected 3 different columns in every row of"),
        ("participant_id\tgroup\tAU01\na\tb\t1\na\tb\t2\n", "expected every participant_id once"),
        ("participant_id\tgroup\tnote\na\tb\tx\n", "expected columns of numbers"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "table.tsv").write_text(text)
    status, _, said = run(tmp_path / "table.tsv", "--out", tmp_path / "out")
    assert status == 2
    assert sentence in said
